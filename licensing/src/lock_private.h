/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_LOCK_PRIVATE_H
#define TLM_LICENSING_LOCK_PRIVATE_H

/*
 * One process at a time uses a persistence directory: flock(2) on DIR/lock, which holds its PID and
 * where that counts. The lock is of the file itself, so it holds between the containers of one host
 * that mount the directory, whatever their namespaces; between hosts where the file system passes
 * it on (NFS from version 3 with lockd, not with `nolock` or `local_lock=flock`).
 */

#include <tlm/result.h>

#define TLM_LOCK_FILE "lock"

/*
 * Takes the lock; *file is the open lock file, closing it gives the lock back. TLM_ERR_BUSY:
 * another process holds it, the message names its PID, and its container where that is another.
 * TLM_ERR_NOT_FOUND: there is no directory. Any other error: the lock file can neither be made nor
 * opened (a read-only directory that never had one).
 */
TLM_CHECKED tlm_result tlm_lock_take(const char *directory, int *file, tlm_error *error);

#endif
