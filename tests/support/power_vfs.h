/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_POWER_VFS_H
#define TLM_TEST_POWER_VFS_H

/*
 * A VFS of SQLite above the system's whose power can be cut at any operation that changes a file.
 * What was written since a file's last sync is lost then, or kept, or kept in part: each sector by
 * a seeded choice, so that pages are torn and writes have changed places. The disk can also be
 * full, or fail, from an operation on.
 *
 *     power_register();                       // as POWER_VFS
 *     power_begin(seed);
 *     power_cut_at(17);                       // the 17th operation is the last one, and is torn
 *     … use a database with vfs POWER_VFS until it fails, close it …
 *     power_on();                             // the files are what a disk would have
 *     … open it again …
 *
 * One process, any threads.
 */

#include <stdbool.h>

#define POWER_VFS "tlm-power"

void power_register(void);

/* Forgets all files; counts operations anew. The seed decides about what is lost. */
void power_begin(unsigned seed);

/* Every operation from the n-th on (from 1) fails, the n-th in the middle; 0: none. */
void power_cut_at(unsigned n);

/* From the n-th operation on writes find no room, until power_full_at(0). */
void power_full_at(unsigned n);

/* The n-th operation alone fails with an input/output error. */
void power_fail_at(unsigned n);

/* Writes, truncations, syncs and removals since power_begin. */
unsigned power_operations(void);
bool power_was_cut(void);

/* All databases are closed: writes what survived, and lets everything work again. Without a cut it
 * is as if it came now. */
void power_on(void);

#endif
