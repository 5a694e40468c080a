/* SPDX-License-Identifier: BSD-2-Clause */
#include "faulty_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_SIZE 640

faulty_disk_state faulty_disk;

typedef struct faulty_file {
    sqlite3_file base;
    char path[PATH_SIZE];
    sqlite3_file *real; /* in the memory behind */
} faulty_file;

static sqlite3_vfs *parent;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((faulty_file *)(void *)file)->real;
}

typedef enum fate { FATE_DONE, FATE_TORN, FATE_LOST, FATE_FAILED } fate;

static fate next_step(void)
{
    if (atomic_load(&faulty_disk.dead)) {
        return FATE_LOST;
    }
    unsigned step = atomic_fetch_add(&faulty_disk.steps, 1) + 1;
    if (faulty_disk.cut_at != 0 && step >= faulty_disk.cut_at) {
        atomic_store(&faulty_disk.dead, true);
        return FATE_TORN;
    }
    return faulty_disk.fail_at != 0 && step >= faulty_disk.fail_at ? FATE_FAILED : FATE_DONE;
}

static void copy_file(const char *from, const char *to)
{
    char data[16384];
    FILE *source = fopen(from, "re");
    FILE *target = fopen(to, "we");
    assert_non_null(source);
    assert_non_null(target);
    for (size_t size = 0; (size = fread(data, 1, sizeof data, source)) > 0;) {
        assert_int_equal(fwrite(data, 1, size, target), size);
    }
    assert_int_equal(fclose(source), 0);
    assert_int_equal(fclose(target), 0);
}

static int do_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int do_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), data, size, at);
}

static int do_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    switch (next_step()) {
    case FATE_LOST:
        return SQLITE_OK;
    case FATE_FAILED:
        return faulty_disk.fail_with;
    case FATE_TORN:
        return real_of(file)->pMethods->xWrite(real_of(file), data, size / 2, at);
    default:
        return real_of(file)->pMethods->xWrite(real_of(file), data, size, at);
    }
}

static int do_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    switch (next_step()) {
    case FATE_LOST:
    case FATE_TORN:
        return SQLITE_OK;
    case FATE_FAILED:
        return faulty_disk.fail_with;
    default:
        return real_of(file)->pMethods->xTruncate(real_of(file), size);
    }
}

static int do_sync(sqlite3_file *file, int flags)
{
    switch (next_step()) {
    case FATE_LOST:
    case FATE_TORN:
        return SQLITE_OK;
    case FATE_FAILED:
        return faulty_disk.fail_with;
    default:
        break;
    }
    (void)flags; /* the machine of the test stays on: what matters is when it is called */
    if (faulty_disk.keep_synced) {
        const faulty_file *self = (faulty_file *)(void *)file;
        char copy[PATH_SIZE + 16];
        (void)snprintf(copy, sizeof copy, "%s.synced", self->path);
        copy_file(self->path, copy);
    }
    return SQLITE_OK;
}

static int do_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int do_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int do_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int do_check_lock(sqlite3_file *file, int *reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int do_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int do_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int do_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = do_close,
    .xRead = do_read,
    .xWrite = do_write,
    .xTruncate = do_truncate,
    .xSync = do_sync,
    .xFileSize = do_size,
    .xLock = do_lock,
    .xUnlock = do_unlock,
    .xCheckReservedLock = do_check_lock,
    .xFileControl = do_control,
    .xSectorSize = do_sector,
    .xDeviceCharacteristics = do_device,
};

static int do_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    faulty_file *self = (faulty_file *)(void *)file;
    self->base.pMethods = NULL;
    self->real = (sqlite3_file *)(void *)(self + 1);
    (void)snprintf(self->path, sizeof self->path, "%s", name != NULL ? name : "");
    int rc = parent->xOpen(parent, name, self->real, flags, out);
    if (rc == SQLITE_OK) {
        self->base.pMethods = &methods;
    }
    return rc;
}

static int do_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    switch (next_step()) {
    case FATE_LOST:
    case FATE_TORN:
        return SQLITE_OK;
    case FATE_FAILED:
        return faulty_disk.fail_with;
    default:
        break;
    }
    char copy[PATH_SIZE + 16];
    (void)snprintf(copy, sizeof copy, "%s.synced", name);
    (void)unlink(copy);
    return parent->xDelete(parent, name, sync);
}

void faulty_disk_mend(void)
{
    atomic_store(&faulty_disk.steps, 0);
    atomic_store(&faulty_disk.dead, false);
    faulty_disk.fail_at = 0;
    faulty_disk.fail_with = SQLITE_OK;
    faulty_disk.cut_at = 0;
    faulty_disk.keep_synced = false;
}

const char *faulty_vfs_register(void)
{
    static sqlite3_vfs vfs;
    if (parent == NULL) {
        parent = sqlite3_vfs_find(NULL);
        assert_non_null(parent);
        vfs = *parent;
        vfs.iVersion = 1;
        vfs.szOsFile = (int)sizeof(faulty_file) + parent->szOsFile;
        vfs.zName = "faulty";
        vfs.xOpen = do_open;
        vfs.xDelete = do_delete;
        assert_int_equal(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
    }
    return "faulty";
}

void faulty_vfs_power_on(const char *directory, bool synced_only)
{
    static const char *const names[] = {"ledger.db", "ledger.db-wal", "ledger.db-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_SIZE];
        char copy[PATH_SIZE + 16];
        (void)snprintf(path, sizeof path, "%.500s/%s", directory, names[i]);
        (void)snprintf(copy, sizeof copy, "%s.synced", path);
        bool there = access(copy, F_OK) == 0;
        if (synced_only && there) {
            copy_file(copy, path);
        } else if (synced_only && i == 0 && access(path, F_OK) == 0) {
            assert_int_equal(truncate(path, 0), 0);
        } else if (synced_only) {
            (void)unlink(path);
        } else {
            (void)unlink(copy);
        }
    }
}
