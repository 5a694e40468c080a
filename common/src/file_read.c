/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* First buffer for files whose size the kernel does not tell beforehand (/proc). */
#define FIRST_CHUNK 4096U

static ssize_t read_some(int file, void *data, size_t size)
{
    ssize_t got = 0;
    do {
        got = read(file, data, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static tlm_result too_large(const char *path, size_t max, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_TOO_LARGE, "check that the right file was named",
                         "%s is larger than the %zu bytes that are accepted", path, max);
}

/* O_NONBLOCK so that a FIFO put in the file's place does not stop the program. */
static tlm_result open_regular(const char *path, int *file, struct stat *info, tlm_error *error)
{
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (opened < 0) {
        int number = errno;
        tlm_result result = tlm_error_set_errno(error, NULL, "opening %s", path);
        if (number == EACCES || number == EPERM) {
            tlm_error_set_hint(
                error, "let uid %u read the file and enter the directories above it: ls -ld %s",
                (unsigned)geteuid(), path);
        }
        return result;
    }
    if (fstat(opened, info) != 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "asking for the size of %s", path);
        (void)close(opened);
        return result;
    }
    if (!S_ISREG(info->st_mode)) {
        (void)close(opened);
        return tlm_error_set(error, TLM_ERR_FORMAT, "name a regular file",
                             "%s is a %s, not a regular file", path,
                             S_ISDIR(info->st_mode) ? "directory" : "special file");
    }
    *file = opened;
    return TLM_OK;
}

/* Grows `buffer` so that it can hold at least one byte more, up to `most` in all. */
static bool grow(char **buffer, size_t *capacity, size_t most)
{
    size_t next = *capacity > most / 2 ? most : *capacity * 2;
    char *larger = realloc(*buffer, next + 1);
    if (larger == NULL) {
        return false;
    }
    *buffer = larger;
    *capacity = next;
    return true;
}

/* Reads to the end: the size told by fstat is a hint alone, the file may grow or be in /proc. */
static tlm_result read_all(int file, const char *path, size_t expected, size_t max, char **data,
                           size_t *size, tlm_error *error)
{
    size_t most = max + 1; /* one byte over the maximum shows that there is more */
    size_t capacity = expected > 0 ? expected + 1 : FIRST_CHUNK;
    if (capacity > most) {
        capacity = most;
    }
    char *buffer = malloc(capacity + 1);
    tlm_result result = TLM_OK;
    size_t used = 0;
    for (;;) {
        if (buffer == NULL || (used == capacity && !grow(&buffer, &capacity, most))) {
            result =
                tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the content of %s", path);
            break;
        }
        ssize_t got = read_some(file, buffer + used, capacity - used);
        if (got < 0) {
            result = tlm_error_set_errno(error, NULL, "reading %s", path);
            break;
        }
        if (got == 0) {
            buffer[used] = '\0';
            *data = buffer;
            *size = used;
            return TLM_OK;
        }
        used += (size_t)got;
        if (used > max) {
            result = too_large(path, max, error);
            break;
        }
    }
    free(buffer);
    return result;
}

static tlm_result check_owner(const char *path, const char *what, const struct stat *info,
                              tlm_error *error)
{
    if (info->st_uid != 0 && info->st_uid != geteuid()) {
        tlm_result result = tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                                          "%s %s and belongs to uid %u, neither to root nor to "
                                          "uid %u",
                                          path, what, (unsigned)info->st_uid, (unsigned)geteuid());
        tlm_error_set_hint(error, "sudo chown %u %s", (unsigned)geteuid(), path);
        return result;
    }
    return TLM_OK;
}

static tlm_result check_trusted(const char *path, const struct stat *info, tlm_error *error)
{
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        tlm_result result = tlm_error_set(
            error, TLM_ERR_PERMISSION, NULL,
            "%s says who may do what and has mode %04o: others than its owner can write to it",
            path, (unsigned)(info->st_mode & 07777U));
        tlm_error_set_hint(error, "chmod go-w %s", path);
        return result;
    }
    return check_owner(path, "says who may do what", info, error);
}

static tlm_result check_private(const char *path, const struct stat *info, tlm_error *error)
{
    if ((info->st_mode & 077U) != 0) {
        tlm_result result =
            tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                          "%s holds a secret and has mode %04o: others than its owner can use it",
                          path, (unsigned)(info->st_mode & 07777U));
        tlm_error_set_hint(error, "chmod 600 %s", path);
        return result;
    }
    return check_owner(path, "holds a secret", info, error);
}

static tlm_result read_file(const char *path, size_t max, bool trusted, char **data, size_t *size,
                            tlm_error *error)
{
    if (path == NULL || data == NULL || size == NULL || max > SIZE_MAX / 2) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "reading a file without name or limit");
    }
    int file = -1;
    struct stat info = {0};
    tlm_result result = open_regular(path, &file, &info, error);
    if (result != TLM_OK) {
        return result;
    }
    if (trusted) {
        result = check_trusted(path, &info, error);
    }
    if (result == TLM_OK && info.st_size > 0 && (size_t)info.st_size > max) {
        result = too_large(path, max, error);
    }
    if (result == TLM_OK) {
        result = read_all(file, path, (size_t)info.st_size, max, data, size, error);
    }
    (void)close(file);
    return result;
}

tlm_result tlm_file_read(const char *path, size_t max, char **data, size_t *size, tlm_error *error)
{
    return read_file(path, max, false, data, size, error);
}

tlm_result tlm_file_read_trusted(const char *path, size_t max, char **data, size_t *size,
                                 tlm_error *error)
{
    return read_file(path, max, true, data, size, error);
}

static tlm_result fill_secret(int file, const char *path, tlm_secret *secret, tlm_error *error)
{
    size_t size = tlm_secret_size(secret);
    size_t used = 0;
    while (used < size) {
        ssize_t got = read_some(file, tlm_secret_data(secret) + used, size - used);
        if (got < 0) {
            return tlm_error_set_errno(error, NULL, "reading %s", path);
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    char more = 0;
    ssize_t rest = used == size ? read_some(file, &more, 1) : 0;
    explicit_bzero(&more, sizeof more);
    if (used < size || rest != 0) {
        return tlm_error_set(error, TLM_ERR_IO, "try again when nobody writes the file",
                             "%s changed its size while it was read", path);
    }
    return TLM_OK;
}

tlm_result tlm_file_read_secret(const char *path, size_t max, tlm_secret **secret, tlm_error *error)
{
    if (path == NULL || secret == NULL || max == 0 || max > TLM_SECRET_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "reading a secret of up to %zu bytes",
                             max);
    }
    int file = -1;
    struct stat info = {0};
    tlm_result result = open_regular(path, &file, &info, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_secret *made = NULL;
    result = check_private(path, &info, error);
    if (result == TLM_OK && info.st_size == 0) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is empty", path);
    }
    if (result == TLM_OK && (size_t)info.st_size > max) {
        result = too_large(path, max, error);
    }
    if (result == TLM_OK) {
        result = tlm_secret_new((size_t)info.st_size, &made, error);
    }
    if (result == TLM_OK) {
        result = fill_secret(file, path, made, error);
    }
    (void)close(file);
    if (result != TLM_OK) {
        tlm_secret_free(&made);
        return result;
    }
    *secret = made;
    return TLM_OK;
}
