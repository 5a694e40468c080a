/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK 16384U

bool tlm_file_exists(const char *path)
{
    struct stat info;
    return path != NULL && lstat(path, &info) == 0;
}

char *tlm_path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    const char *between = length == 0 || directory[length - 1] == '/' ? "" : "/";
    size_t size = length + strlen(between) + strlen(name) + 1;
    char *path = malloc(size);
    if (path != NULL) {
        (void)snprintf(path, size, "%s%s%s", directory, between, name);
    }
    return path;
}

static char *with_suffix(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *name = malloc(size);
    if (name != NULL) {
        (void)snprintf(name, size, "%s%s", path, suffix);
    }
    return name;
}

/* The directory that holds `path`: "." for a bare name, "/" for what stands at the root. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* An errno as error, with the remedy for the three causes that a user can do something about. */
static tlm_result write_error(tlm_error *error, const char *what, const char *path,
                              const char *directory)
{
    int number = errno;
    tlm_result result = tlm_error_set_errno(error, NULL, "%s %s", what, path);
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        tlm_error_set_hint(error, "free some space in %s: df -h %s", directory, directory);
        break;
    case EROFS:
        tlm_error_set_hint(
            error, "the file system of %s is read-only: mount it read-write (volume without :ro)",
            directory);
        break;
    case EACCES:
    case EPERM:
        tlm_error_set_hint(error, "let uid %u write there: sudo chown %u %s", (unsigned)geteuid(),
                           (unsigned)geteuid(), directory);
        break;
    case ENOENT:
        tlm_error_set_hint(error, "make the directory: mkdir -p %s", directory);
        break;
    default:
        break;
    }
    return result;
}

static int write_all(int file, const void *data, size_t size)
{
    const unsigned char *next = data;
    while (size > 0) {
        ssize_t done = write(file, next, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done == 0) {
            errno = EIO;
        }
        if (done <= 0) {
            return -1;
        }
        next += done;
        size -= (size_t)done;
    }
    return 0;
}

/* Some file systems (FUSE, 9p) cannot sync a directory and say EINVAL: nothing better exists. */
static int sync_directory(const char *directory)
{
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    int result = fsync(file);
    int number = errno;
    (void)close(file);
    errno = number;
    return result != 0 && number != EINVAL && number != ENOTSUP ? -1 : 0;
}

/* Closes `file` and keeps the first errno: a failed close is a failed write on NFS. */
static int finish(int file, int failed)
{
    int number = errno;
    if (close(file) != 0 && !failed) {
        return -1;
    }
    errno = number;
    return failed ? -1 : 0;
}

/* Writes a new file and syncs it; nothing is left behind on failure. */
static tlm_result write_new(const char *path, const void *data, size_t size, mode_t mode,
                            const char *directory, tlm_error *error)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0) {
        return write_error(error, "creating", path, directory);
    }
    /* The mode was asked for, whatever the umask. */
    int failed = fchmod(file, mode) != 0 || write_all(file, data, size) != 0 || fsync(file) != 0;
    if (finish(file, failed) != 0) {
        tlm_result result = write_error(error, "writing", path, directory);
        (void)unlink(path);
        return result;
    }
    return TLM_OK;
}

static bool link_unsupported(int number)
{
    return number == EPERM || number == EOPNOTSUPP || number == ENOSYS || number == EMLINK;
}

static int copy_content(int from, int to)
{
    unsigned char chunk[COPY_CHUNK];
    for (;;) {
        ssize_t got = read(from, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            explicit_bzero(chunk, sizeof chunk);
            return got == 0 ? fsync(to) : -1;
        }
        if (write_all(to, chunk, (size_t)got) != 0) {
            return -1;
        }
    }
}

/* For file systems without hard links (vfat, some bind mounts of desktop containers). */
static int copy_file(const char *from, const char *to)
{
    int source = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0) {
        return -1;
    }
    struct stat info;
    int target = -1;
    if (fstat(source, &info) == 0) {
        target =
            open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, info.st_mode & 0777U);
    }
    int failed = target < 0 || copy_content(source, target) != 0;
    if (target >= 0) {
        failed = finish(target, failed) != 0;
    }
    return finish(source, failed);
}

/*
 * Gives the present file the second name PATH.bak. It is never absent: PATH keeps its name, and
 * PATH.bak changes by rename.
 */
static int keep_previous(const char *path, const char *backup, const char *backup_tmp)
{
    (void)unlink(backup_tmp);
    int linked = link(path, backup_tmp);
    if (linked != 0 && errno == ENOENT) {
        return 0; /* nothing to keep */
    }
    if (linked != 0 && link_unsupported(errno)) {
        linked = copy_file(path, backup_tmp);
    }
    if (linked != 0 || rename(backup_tmp, backup) != 0) {
        int number = errno;
        (void)unlink(backup_tmp);
        errno = number;
        return -1;
    }
    /* Where both names are the same file already, rename succeeds and leaves the first one. */
    (void)unlink(backup_tmp);
    return 0;
}

static tlm_result exchange(const char *path, const char *tmp, const char *directory,
                           tlm_error *error)
{
    char *backup = with_suffix(path, ".bak");
    char *backup_tmp = with_suffix(path, ".bak.tmp");
    tlm_result result = TLM_OK;
    if (backup == NULL || backup_tmp == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the names of %s", path);
    } else if (keep_previous(path, backup, backup_tmp) != 0) {
        result = write_error(error, "keeping the previous content as", backup, directory);
    } else if (rename(tmp, path) != 0) {
        result = write_error(error, "replacing", path, directory);
    }
    free(backup);
    free(backup_tmp);
    return result;
}

tlm_result tlm_file_replace(const char *path, const void *data, size_t size, mode_t mode,
                            tlm_error *error)
{
    if (path == NULL || path[0] == '\0' || (data == NULL && size > 0)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "writing a file without name or data");
    }
    char *directory = directory_of(path);
    char *tmp = with_suffix(path, ".tmp");
    tlm_result result = TLM_OK;
    if (directory == NULL || tmp == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the names of %s", path);
        goto out;
    }
    (void)unlink(tmp); /* left by a run that was killed */
    result = write_new(tmp, data, size, mode, directory, error);
    if (result != TLM_OK) {
        goto out;
    }
    result = exchange(path, tmp, directory, error);
    if (result != TLM_OK) {
        (void)unlink(tmp);
        goto out;
    }
    if (sync_directory(directory) != 0) {
        result = write_error(error, "syncing the directory of", path, directory);
    }
out:
    free(tmp);
    free(directory);
    return result;
}

/* A name of its own for each writer: with a common one, one could publish another's half file. */
static char *private_name(const char *path)
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return NULL;
    }
    char suffix[32];
    (void)snprintf(suffix, sizeof suffix, ".%016llx.tmp", (unsigned long long)number);
    return with_suffix(path, suffix);
}

/* Publishes `tmp` as `path` unless that exists, in one step. Either way `tmp` is gone. */
static tlm_result publish(const char *path, const char *tmp, const char *directory,
                          tlm_error *error)
{
    int done = link(tmp, path);
    if (done != 0 && link_unsupported(errno)) {
        done = renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE);
    }
    int number = errno;
    (void)unlink(tmp);
    errno = number;
    if (done == 0) {
        return TLM_OK;
    }
    if (number == EEXIST) {
        return tlm_error_set(error, TLM_ERR_EXISTS, "move it away first if it is not wanted",
                             "%s exists already and is not replaced", path);
    }
    return write_error(error, "creating", path, directory);
}

tlm_result tlm_file_create(const char *path, const void *data, size_t size, mode_t mode,
                           tlm_error *error)
{
    if (path == NULL || path[0] == '\0' || (data == NULL && size > 0)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "writing a file without name or data");
    }
    char *directory = directory_of(path);
    char *tmp = private_name(path);
    tlm_result result = TLM_OK;
    if (directory == NULL || tmp == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the names of %s", path);
        goto out;
    }
    result = write_new(tmp, data, size, mode, directory, error);
    if (result != TLM_OK) {
        goto out;
    }
    result = publish(path, tmp, directory, error);
    if (result == TLM_OK && sync_directory(directory) != 0) {
        result = write_error(error, "syncing the directory of", path, directory);
        (void)unlink(path); /* the caller is told that there is none */
    }
out:
    free(tmp);
    free(directory);
    return result;
}

static tlm_result make_one(const char *path, mode_t mode, tlm_error *error)
{
    char *above = directory_of(path);
    if (above == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the name of %s", path);
    }
    tlm_result result = TLM_OK;
    struct stat info;
    if (mkdir(path, mode) == 0) {
        if (sync_directory(above) != 0) {
            result = write_error(error, "syncing the directory of", path, above);
        }
        free(above);
        return result;
    }
    /* What stands there counts before errno: a read-only file system says EROFS, not EEXIST. */
    int number = errno;
    bool stands = stat(path, &info) == 0;
    if (!stands && number != EEXIST) {
        errno = number;
        result = write_error(error, "making the directory", path, above);
    } else if (!stands || !S_ISDIR(info.st_mode)) {
        result = tlm_error_set(error, TLM_ERR_EXISTS, "move it away or name another directory",
                               "%s exists and is not a directory", path);
    }
    free(above);
    return result;
}

tlm_result tlm_directory_make(const char *path, mode_t mode, tlm_error *error)
{
    if (path == NULL || path[0] == '\0') {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "making a directory without name");
    }
    char *partial = strdup(path);
    if (partial == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the name of %s", path);
    }
    size_t length = strlen(partial);
    while (length > 1 && partial[length - 1] == '/') {
        partial[--length] = '\0';
    }
    tlm_result result = TLM_OK;
    for (size_t i = 1; i < length && result == TLM_OK; i++) {
        if (partial[i] == '/' && partial[i - 1] != '/') {
            partial[i] = '\0';
            result = make_one(partial, 0755, error);
            partial[i] = '/';
        }
    }
    if (result == TLM_OK) {
        result = make_one(partial, mode, error);
    }
    free(partial);
    return result;
}
