/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_LOCK_PRIVATE_H
#define TLM_LICENSING_LOCK_PRIVATE_H

/* One process at a time uses a persistence directory: flock on DIR/lock, which holds its PID. */

#include <tlm/result.h>

#define TLM_LOCK_FILE "lock"

/*
 * Takes the lock; *file is the open lock file, closing it gives the lock back. TLM_ERR_BUSY:
 * another process holds it, the message names its PID. TLM_ERR_NOT_FOUND: there is no directory.
 * Any other error: the lock file can neither be made nor opened (a read-only directory that never
 * had one).
 */
TLM_CHECKED tlm_result tlm_lock_take(const char *directory, int *file, tlm_error *error);

#endif
