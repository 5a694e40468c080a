/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_COUNTER_FILE_H
#define TLM_COUNTER_FILE_H

/*
 * The monotonic counter of a store without a TPM: the file `counter`, which is replaced in one
 * step. Several processes count under one lock, the file `counter.lock`. Whoever may write to the
 * store can set it back, so it is not tamper-proof; nothing else makes a number come twice.
 *
 *     uint64_t value = 0;
 *     if (tlm_counter_file_next(store.directory, &value, &error) == TLM_OK) { … }
 *
 * The file is the number, 8 bytes, big endian, and the same 8 bytes inverted, which a torn or
 * zeroed file does not have.
 */

#include <stdint.h>

#include <tlm/result.h>

#define TLM_COUNTER_FILE "counter"
#define TLM_COUNTER_LOCK_FILE "counter.lock"

/*
 * Makes the file. It begins at the microseconds since 1970, or above counter.bak where that is
 * larger, so that one that had to be made anew goes on above the lost one while the system's clock
 * is right. TLM_ERR_EXISTS where there is one.
 */
TLM_CHECKED tlm_result tlm_counter_file_make(const char *directory, tlm_error *error);

/*
 * The present number, without counting. TLM_ERR_NOT_FOUND where there is no file, TLM_ERR_DAMAGED
 * where it is not one of ours; both name the file and the command that mends it.
 */
TLM_CHECKED tlm_result tlm_counter_file_read(const char *directory, uint64_t *value,
                                             tlm_error *error);

/*
 * Counts: a number larger than every one before, which is on the disk before it is told. The same
 * errors, TLM_ERR_BUSY where another process held the lock for ten seconds, and those of writing.
 * Safe under threads.
 */
TLM_CHECKED tlm_result tlm_counter_file_next(const char *directory, uint64_t *value,
                                             tlm_error *error);

/* Removes a damaged file; one that is missing is success, a good one TLM_ERR_EXISTS. */
TLM_CHECKED tlm_result tlm_counter_file_discard(const char *directory, tlm_error *error);

#endif
