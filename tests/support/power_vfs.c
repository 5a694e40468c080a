/* SPDX-License-Identifier: BSD-2-Clause */
#include "power_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#define SECTOR 512
#define FILES_MAX 8

/* A whole file's content, as far as a disk would have it. */
typedef struct content {
    unsigned char *data;
    size_t size;
    bool exists;
} content;

typedef enum change_kind { CHANGE_WRITE, CHANGE_TRUNCATE, CHANGE_DELETE } change_kind;

typedef struct change {
    change_kind kind;
    size_t offset; /* or the new size */
    size_t size;
    unsigned char *data;
    struct change *next;
} change;

typedef struct node {
    char path[512];
    content durable;
    change *first; /* since the last sync */
    change *last;
} node;

typedef struct power_file {
    sqlite3_file base;
    node *of; /* NULL: a file that SQLite removes at its end */
    sqlite3_file *real;
    bool syncs_directory; /* with its first sync, as journals do */
} power_file;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static node nodes[FILES_MAX];
static size_t node_count;
static unsigned operations;
static unsigned cut_at;
static unsigned full_at;
static unsigned fail_at;
static bool is_cut;
static unsigned random_state;
static sqlite3_vfs *below;

static void out_of_memory(void)
{
    (void)fputs("power_vfs: no memory\n", stderr);
    abort();
}

/* xorshift32: the same on every machine. */
static unsigned next_random(void)
{
    unsigned x = random_state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    random_state = x;
    return x;
}

/* ---- contents ---- */

static void resize(content *of, size_t size)
{
    unsigned char *data = realloc(of->data, size > 0 ? size : 1);
    if (data == NULL) {
        out_of_memory();
    }
    if (size > of->size) {
        memset(data + of->size, 0, size - of->size);
    }
    of->data = data;
    of->size = size;
}

static void put(content *to, size_t offset, const unsigned char *data, size_t size)
{
    if (offset + size > to->size) {
        resize(to, offset + size);
    }
    memcpy(to->data + offset, data, size);
    to->exists = true;
}

static void apply(content *to, const change *from)
{
    switch (from->kind) {
    case CHANGE_WRITE:
        put(to, from->offset, from->data, from->size);
        break;
    case CHANGE_TRUNCATE:
        resize(to, from->offset);
        break;
    case CHANGE_DELETE:
        resize(to, 0);
        to->exists = false;
        break;
    }
}

/* Some of the sectors that the write touches. */
static void apply_torn(content *to, const change *from)
{
    size_t done = 0;
    while (done < from->size) {
        size_t until = ((from->offset + done) / SECTOR + 1) * SECTOR - from->offset;
        size_t end = until < from->size ? until : from->size;
        if (next_random() % 2 == 0) {
            put(to, from->offset + done, from->data + done, end - done);
        }
        done = end;
    }
}

static void forget_changes(node *of)
{
    while (of->first != NULL) {
        change *next = of->first->next;
        free(of->first->data);
        free(of->first);
        of->first = next;
    }
    of->last = NULL;
}

static void note(node *of, change_kind kind, size_t offset, const void *data, size_t size)
{
    change *made = calloc(1, sizeof *made);
    unsigned char *copy = size > 0 ? malloc(size) : NULL;
    if (made == NULL || (size > 0 && copy == NULL)) {
        out_of_memory();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    *made = (change){.kind = kind, .offset = offset, .size = size, .data = copy};
    if (of->last != NULL) {
        of->last->next = made;
    } else {
        of->first = made;
    }
    of->last = made;
}

/* ---- the disk ---- */

static void read_content(const char *path, content *to)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    to->exists = file >= 0;
    resize(to, 0);
    if (file >= 0 && fstat(file, &info) == 0) {
        resize(to, (size_t)info.st_size);
        if (read(file, to->data, to->size) != (ssize_t)to->size) {
            abort();
        }
    }
    if (file >= 0) {
        (void)close(file);
    }
}

static void write_content(const char *path, const content *from)
{
    if (!from->exists) {
        (void)unlink(path);
        return;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, 0) != 0 ||
        write(file, from->data, from->size) != (ssize_t)from->size) {
        abort();
    }
    (void)close(file);
}

/* Under the lock. */
static node *node_of(const char *path)
{
    for (size_t i = 0; i < node_count; i++) {
        if (strcmp(nodes[i].path, path) == 0) {
            return &nodes[i];
        }
    }
    if (node_count == FILES_MAX) {
        abort();
    }
    node *made = &nodes[node_count++];
    (void)snprintf(made->path, sizeof made->path, "%s", path);
    read_content(path, &made->durable);
    return made;
}

/* What a disk keeps of what was written and not synced: all, nothing, or some of it. */
static void lose(node *of)
{
    const unsigned mood = next_random() % 4;
    for (const change *next = of->first; next != NULL; next = next->next) {
        if (mood == 0) {
            continue;
        }
        if (mood == 1 || (mood == 2 && next_random() % 2 == 0)) {
            apply(&of->durable, next);
        } else if (mood == 3 && next->kind == CHANGE_WRITE) {
            apply_torn(&of->durable, next);
        }
    }
    forget_changes(of);
}

/* ---- operations ---- */

typedef enum verdict { GOES_ON, TORN, CUT, FULL, FAILS } verdict;

/* Under the lock: counts one, and says what becomes of it. */
static verdict count_one(void)
{
    if (is_cut) {
        return CUT;
    }
    operations++;
    if (cut_at != 0 && operations >= cut_at) {
        is_cut = true;
        return TORN;
    }
    if (full_at != 0 && operations >= full_at) {
        return FULL;
    }
    return operations == fail_at ? FAILS : GOES_ON;
}

static int file_close(sqlite3_file *file)
{
    power_file *self = (power_file *)file;
    int rc = self->real->pMethods != NULL ? self->real->pMethods->xClose(self->real) : SQLITE_OK;
    sqlite3_free(self->real);
    return rc;
}

static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    power_file *self = (power_file *)file;
    (void)pthread_mutex_lock(&lock);
    bool off = is_cut && self->of != NULL;
    (void)pthread_mutex_unlock(&lock);
    return off ? SQLITE_IOERR_READ : self->real->pMethods->xRead(self->real, data, size, offset);
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    power_file *self = (power_file *)file;
    if (self->of == NULL) {
        return self->real->pMethods->xWrite(self->real, data, size, offset);
    }
    (void)pthread_mutex_lock(&lock);
    verdict said = count_one();
    if (said == GOES_ON || said == TORN) {
        note(self->of, CHANGE_WRITE, (size_t)offset, data, (size_t)size);
    }
    (void)pthread_mutex_unlock(&lock);
    if (said == FULL) {
        return SQLITE_FULL;
    }
    return said == GOES_ON ? self->real->pMethods->xWrite(self->real, data, size, offset)
                           : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    power_file *self = (power_file *)file;
    if (self->of == NULL) {
        return self->real->pMethods->xTruncate(self->real, size);
    }
    (void)pthread_mutex_lock(&lock);
    verdict said = count_one();
    said = said == FULL ? GOES_ON : said;
    if (said == GOES_ON || said == TORN) {
        note(self->of, CHANGE_TRUNCATE, (size_t)size, NULL, 0);
    }
    (void)pthread_mutex_unlock(&lock);
    return said == GOES_ON ? self->real->pMethods->xTruncate(self->real, size)
                           : SQLITE_IOERR_TRUNCATE;
}

/* A directory that was synced has lost what was removed from it. */
static void settle_removals(void)
{
    for (size_t i = 0; i < node_count; i++) {
        change *last = NULL;
        for (change *next = nodes[i].first; next != NULL; next = next->next) {
            last = next->kind == CHANGE_DELETE ? next : last;
        }
        while (last != NULL) {
            change *first = nodes[i].first;
            apply(&nodes[i].durable, first);
            nodes[i].first = first->next;
            nodes[i].last = first->next != NULL ? nodes[i].last : NULL;
            last = first == last ? NULL : last;
            free(first->data);
            free(first);
        }
    }
}

static int file_sync(sqlite3_file *file, int flags)
{
    power_file *self = (power_file *)file;
    if (self->of == NULL) {
        return self->real->pMethods->xSync(self->real, flags);
    }
    (void)pthread_mutex_lock(&lock);
    verdict said = count_one();
    said = said == FULL ? GOES_ON : said;
    if (said == GOES_ON) {
        for (const change *next = self->of->first; next != NULL; next = next->next) {
            apply(&self->of->durable, next);
        }
        self->of->durable.exists = true;
        forget_changes(self->of);
        if (self->syncs_directory) {
            settle_removals();
            self->syncs_directory = false;
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return said == GOES_ON ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xFileSize(self->real, size);
}

static int file_lock(sqlite3_file *file, int level)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xLock(self->real, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xUnlock(self->real, level);
}

static int file_check_lock(sqlite3_file *file, int *reserved)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xCheckReservedLock(self->real, reserved);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xFileControl(self->real, op, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xSectorSize(self->real);
}

static int file_characteristics(sqlite3_file *file)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xDeviceCharacteristics(self->real);
}

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xShmMap(self->real, page, size, extend, at);
}

static int shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xShmLock(self->real, offset, count, flags);
}

static void shm_barrier(sqlite3_file *file)
{
    power_file *self = (power_file *)file;
    self->real->pMethods->xShmBarrier(self->real);
}

static int shm_unmap(sqlite3_file *file, int remove)
{
    power_file *self = (power_file *)file;
    return self->real->pMethods->xShmUnmap(self->real, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    power_file *self = (power_file *)file;
    *self = (power_file){.real = sqlite3_malloc(below->szOsFile)};
    if (self->real == NULL) {
        return SQLITE_NOMEM;
    }
    memset(self->real, 0, (size_t)below->szOsFile);
    (void)pthread_mutex_lock(&lock);
    bool off = is_cut;
    if (!off && name != NULL) {
        self->of = node_of(name);
    }
    (void)pthread_mutex_unlock(&lock);
    int rc = off ? SQLITE_CANTOPEN : below->xOpen(below, name, self->real, flags, out);
    if (rc != SQLITE_OK) {
        sqlite3_free(self->real);
        return rc;
    }
    const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    self->syncs_directory = (flags & journals) != 0 && (flags & SQLITE_OPEN_CREATE) != 0;
    self->base.pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    (void)pthread_mutex_lock(&lock);
    verdict said = count_one();
    said = said == FULL ? GOES_ON : said;
    node *of = node_of(name);
    if (said == GOES_ON || said == TORN) {
        note(of, CHANGE_DELETE, 0, NULL, 0);
    }
    if (said == GOES_ON && sync != 0) {
        resize(&of->durable, 0);
        of->durable.exists = false;
        forget_changes(of);
    }
    (void)pthread_mutex_unlock(&lock);
    return said == GOES_ON ? below->xDelete(below, name, sync) : SQLITE_IOERR_DELETE;
}

void power_register(void)
{
    static sqlite3_vfs power;
    if (below != NULL) {
        return;
    }
    below = sqlite3_vfs_find(NULL);
    power = *below;
    power.zName = POWER_VFS;
    power.szOsFile = (int)sizeof(power_file);
    power.xOpen = vfs_open;
    power.xDelete = vfs_delete;
    power.pNext = NULL;
    if (sqlite3_vfs_register(&power, 0) != SQLITE_OK) {
        abort();
    }
}

void power_begin(unsigned seed)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < node_count; i++) {
        forget_changes(&nodes[i]);
        free(nodes[i].durable.data);
        nodes[i] = (node){0};
    }
    node_count = 0;
    operations = 0;
    cut_at = 0;
    full_at = 0;
    fail_at = 0;
    is_cut = false;
    random_state = seed * 2654435761U + 1;
    random_state = random_state != 0 ? random_state : 1;
    (void)pthread_mutex_unlock(&lock);
}

void power_cut_at(unsigned n)
{
    (void)pthread_mutex_lock(&lock);
    cut_at = n;
    (void)pthread_mutex_unlock(&lock);
}

void power_full_at(unsigned n)
{
    (void)pthread_mutex_lock(&lock);
    full_at = n;
    (void)pthread_mutex_unlock(&lock);
}

void power_fail_at(unsigned n)
{
    (void)pthread_mutex_lock(&lock);
    fail_at = n;
    (void)pthread_mutex_unlock(&lock);
}

unsigned power_operations(void)
{
    (void)pthread_mutex_lock(&lock);
    unsigned count = operations;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

bool power_was_cut(void)
{
    (void)pthread_mutex_lock(&lock);
    bool cut = is_cut;
    (void)pthread_mutex_unlock(&lock);
    return cut;
}

void power_on(void)
{
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < node_count; i++) {
        lose(&nodes[i]);
        write_content(nodes[i].path, &nodes[i].durable);
    }
    is_cut = false;
    cut_at = 0;
    full_at = 0;
    fail_at = 0;
    (void)pthread_mutex_unlock(&lock);
}
