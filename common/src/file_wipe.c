/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int overwrite(int file, off_t size)
{
    static const unsigned char zeros[4096];
    while (size > 0) {
        size_t part = size < (off_t)sizeof zeros ? (size_t)size : sizeof zeros;
        ssize_t written = write(file, zeros, part);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return -1;
        }
        size -= written;
    }
    return fsync(file);
}

static int sync_above(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory =
        slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (directory == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (file < 0) {
        return -1;
    }
    int failed = fsync(file);
    int number = errno;
    (void)close(file);
    errno = number;
    return failed;
}

tlm_result tlm_file_wipe(const char *path, tlm_error *error)
{
    struct stat info;
    int file = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        return errno == ENOENT ? TLM_OK : tlm_error_set_errno(error, NULL, "opening %s", path);
    }
    int failed = fstat(file, &info);
    if (failed == 0 && !S_ISREG(info.st_mode)) {
        (void)close(file);
        return tlm_error_set(error, TLM_ERR_FORMAT, "look what it is, and remove it by hand",
                             "%s is not a regular file", path);
    }
    /* Other names of the file (the .bak copy) share its content, which is gone with this. */
    failed = failed == 0 ? overwrite(file, info.st_size) : failed;
    if (failed != 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "overwriting %s", path);
        (void)close(file);
        return result;
    }
    (void)close(file);
    if (unlink(path) != 0 || sync_above(path) != 0) {
        return tlm_error_set_errno(error, NULL, "removing %s", path);
    }
    return TLM_OK;
}
