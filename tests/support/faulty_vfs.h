/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_FAULTY_VFS_H
#define TLM_TEST_FAULTY_VFS_H

/*
 * A disk for SQLite that is full, breaks, or loses its power at a step of the test's choice. A step
 * is a write, a truncation, a sync or a deletion.
 *
 *     config.vfs = faulty_vfs_register();
 *     faulty_disk = (faulty_disk_state){.fail_at = 7, .fail_with = SQLITE_FULL};
 *     …
 *     faulty_disk = (faulty_disk_state){.cut_at = 7};
 *     … whatever is done after faulty_disk.dead was not done …
 *     faulty_vfs_power_on(directory, true);
 *
 * At the cut a write is torn in its middle. What comes after it is told to have worked and is lost.
 * Each sync keeps a copy of the file beside it, NAME.synced: what a disk with a cache is sure of.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include <sqlite3.h>

typedef struct faulty_disk_state {
    atomic_uint steps;
    unsigned fail_at; /* from this step on; 0: never */
    int fail_with;    /* SQLITE_FULL, SQLITE_IOERR_WRITE … */
    unsigned cut_at;
    atomic_bool dead;
    bool keep_synced; /* make the copies */
} faulty_disk_state;

extern faulty_disk_state faulty_disk;

/* The disk as new: nothing happened, and nothing is planned. */
void faulty_disk_mend(void);

/* The name of the VFS; registered once. */
const char *faulty_vfs_register(void);

/* After a cut: leaves the files as the cut did (`synced_only` false), or as of their last sync. */
void faulty_vfs_power_on(const char *directory, bool synced_only);

#endif
