/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

tlm_result tlm_log_file_open(tlm_log_file *self, tlm_error *error)
{
    int file = open(self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    struct stat info;
    if (file < 0 || fstat(file, &info) != 0) {
        int number = errno;
        if (file >= 0) {
            (void)close(file);
        }
        errno = number;
        tlm_result result = tlm_error_set_errno(error, NULL, "opening the log file %s", self->path);
        tlm_error_set_hint(error, "let uid %u write there, or name another directory: --log-dir",
                           (unsigned)geteuid());
        return result;
    }
    if (self->file >= 0) {
        (void)close(self->file);
    }
    self->file = file;
    self->size = info.st_size > 0 ? (size_t)info.st_size : 0;
    self->rotates = S_ISREG(info.st_mode);
    self->torn = 0;
    return TLM_OK;
}

/*
 * FILE.2 becomes FILE.3, FILE.1 becomes FILE.2, FILE becomes FILE.1. Where that cannot be done the
 * present file goes on, and the next try comes after another max_size bytes.
 */
static void rotate(tlm_log_file *self)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    for (unsigned number = self->keep; number > 0; number--) {
        int size = number == 1 ? snprintf(from, sizeof from, "%s", self->path)
                               : snprintf(from, sizeof from, "%s.%u", self->path, number - 1);
        int more = snprintf(to, sizeof to, "%s.%u", self->path, number);
        if (size < 0 || (size_t)size >= sizeof from || more < 0 || (size_t)more >= sizeof to) {
            break;
        }
        (void)rename(from, to);
    }
    if (self->keep == 0) {
        (void)unlink(self->path);
    }
    tlm_result result = tlm_log_file_open(self, NULL);
    (void)result; /* the file that is open goes on */
    self->size = 0;
}

static int append(tlm_log_file *self, const char *line, size_t size)
{
    while (size > 0) {
        ssize_t done = write(self->file, line, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? errno : EIO;
        }
        self->size += (size_t)done;
        /* From here to the newline the line is incomplete. */
        self->torn = line[done - 1] != '\n';
        line += done;
        size -= (size_t)done;
    }
    return 0;
}

int tlm_log_file_write(tlm_log_file *self, const char *line, size_t size)
{
    if (self->rotates && self->size > 0 && self->size + size > self->max_size) {
        rotate(self);
    }
    int number = self->torn ? append(self, "\n", 1) : 0;
    if (number == 0) {
        number = append(self, line, size);
    }
    return number;
}
