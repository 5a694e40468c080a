/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ERRORS_KEPT 4096U
#define CHUNK 4096U
/* How often an old kernel without pidfd_open is asked whether the child ended. */
#define POLL_SLICE_MS 20
#define DRAIN_ROUNDS 64

/* One running child: its pipes, what it said so far, and the limits. */
typedef struct child {
    const char *name;
    pid_t pid;
    int pidfd;
    int out;
    int err;
    int64_t deadline;
    size_t max;
    size_t capacity;
    size_t errors_used;
    tlm_process_output *output;
} child;

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_one(int *file)
{
    if (*file >= 0) {
        (void)close(*file);
        *file = -1;
    }
}

/* A pipe whose ends are above 2, so that redirecting 0, 1 and 2 in the child cannot hit them. */
static int make_pipe(int ends[2])
{
    int made[2];
    if (pipe2(made, O_CLOEXEC) != 0) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(made[i], F_DUPFD_CLOEXEC, 3);
    }
    int number = errno;
    (void)close(made[0]);
    (void)close(made[1]);
    errno = number;
    if (ends[0] < 0 || ends[1] < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        number = errno;
        close_one(&ends[0]);
        close_one(&ends[1]);
        errno = number;
        return -1;
    }
    return 0;
}

static tlm_result start(const char *const argv[], child *self, tlm_error *error)
{
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    if (make_pipe(out) != 0 || make_pipe(err) != 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "making a pipe to %s", argv[0]);
        close_one(&out[0]);
        close_one(&out[1]);
        return result;
    }
    const tlm_process_files files = {.out = out[1], .err = err[1]};
    tlm_result result = tlm_process_begin(argv, &files, &self->pid, error);
    close_one(&out[1]);
    close_one(&err[1]);
    if (result != TLM_OK) {
        close_one(&out[0]);
        close_one(&err[0]);
        return result;
    }
    self->out = out[0];
    self->err = err[0];
    self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);
    return TLM_OK;
}

/* Takes what the pipe holds into standard output's buffer; closes the pipe at its end. */
static tlm_result drain_output(child *self, tlm_error *error)
{
    tlm_process_output *output = self->output;
    for (;;) {
        if (self->capacity - output->size < CHUNK) {
            size_t next = self->capacity * 2 + CHUNK;
            char *larger = realloc(output->text, next + 1);
            if (larger == NULL) {
                return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the output of %s",
                                     self->name);
            }
            output->text = larger;
            self->capacity = next;
        }
        ssize_t got = read(self->out, output->text + output->size, CHUNK);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return TLM_OK;
        }
        if (got <= 0) {
            close_one(&self->out);
            return TLM_OK;
        }
        output->size += (size_t)got;
        if (output->size > self->max) {
            return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                                 "%s printed more than the %zu bytes that are accepted", self->name,
                                 self->max);
        }
    }
}

/*
 * Keeps the end of standard error: the last lines say why a program gave up. A few rounds at a
 * time, so that one that never stops writing cannot hold us here past the deadline.
 */
static void drain_errors(child *self)
{
    char chunk[CHUNK];
    char *kept = self->output->errors;
    for (int round = 0; round < DRAIN_ROUNDS; round++) {
        ssize_t got = read(self->err, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            close_one(&self->err);
            return;
        }
        size_t size = (size_t)got;
        size_t keep = self->errors_used;
        if (keep + size > ERRORS_KEPT) {
            keep = ERRORS_KEPT - size;
            memmove(kept, kept + self->errors_used - keep, keep);
        }
        memcpy(kept + keep, chunk, size);
        self->errors_used = keep + size;
    }
}

static bool ended(const child *self)
{
    siginfo_t info = {0};
    int result = waitid(P_PID, (id_t)self->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return result != 0 || info.si_pid == self->pid;
}

/*
 * Follows the child until it ended. The end of the process counts, not the end of the pipes: a
 * grandchild may hold these open for ever.
 */
static tlm_result follow(child *self, tlm_error *error)
{
    for (;;) {
        int64_t left = self->deadline - now_ms();
        if (left <= 0) {
            return tlm_error_set(error, TLM_ERR_TIMEOUT, NULL,
                                 "%s did not end in time and was killed", self->name);
        }
        int wait = left > INT32_MAX ? INT32_MAX : (int)left;
        if (self->pidfd < 0 && wait > POLL_SLICE_MS) {
            wait = POLL_SLICE_MS;
        }
        struct pollfd files[] = {{.fd = self->out, .events = POLLIN},
                                 {.fd = self->err, .events = POLLIN},
                                 {.fd = self->pidfd, .events = POLLIN}};
        if (poll(files, 3, wait) < 0 && errno != EINTR) {
            return tlm_error_set_errno(error, NULL, "waiting for %s", self->name);
        }
        /* Asked before the pipes are emptied, so that its last words are not missed. */
        bool over = ended(self);
        if (self->err >= 0) {
            drain_errors(self);
        }
        tlm_result result = self->out >= 0 ? drain_output(self, error) : TLM_OK;
        if (result != TLM_OK || over) {
            return result;
        }
    }
}

static tlm_result reap(child *self, tlm_result result, tlm_error *error)
{
    if (result != TLM_OK) {
        (void)kill(self->pid, SIGKILL);
    }
    int status = 0;
    pid_t gone = 0;
    do {
        gone = waitpid(self->pid, &status, 0);
    } while (gone < 0 && errno == EINTR);
    close_one(&self->out);
    close_one(&self->err);
    close_one(&self->pidfd);
    if (result == TLM_OK && gone < 0) {
        return tlm_error_set_errno(error, NULL, "asking for the exit status of %s", self->name);
    }
    self->output->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return result;
}

tlm_result tlm_process_run(const char *const argv[], unsigned timeout_ms, size_t max,
                           tlm_process_output *output, tlm_error *error)
{
    if (argv == NULL || argv[0] == NULL || output == NULL || max > SIZE_MAX / 4) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "running a program without name");
    }
    *output =
        (tlm_process_output){.text = calloc(1, CHUNK + 1), .errors = calloc(1, ERRORS_KEPT + 1)};
    child self = {.name = argv[0],
                  .pidfd = -1,
                  .out = -1,
                  .err = -1,
                  .deadline = now_ms() + timeout_ms,
                  .max = max,
                  .capacity = CHUNK,
                  .output = output};
    if (output->text == NULL || output->errors == NULL) {
        tlm_process_output_clear(output);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to run %s", argv[0]);
    }
    tlm_result result = start(argv, &self, error);
    if (result != TLM_OK) {
        tlm_process_output_clear(output);
        return result;
    }
    result = follow(&self, error);
    result = reap(&self, result, error);
    output->text[output->size] = '\0';
    output->errors[self.errors_used] = '\0';
    if (result == TLM_ERR_TIMEOUT) {
        tlm_error_prefix(error, "after %u ms", timeout_ms);
    }
    return result;
}

void tlm_process_output_clear(tlm_process_output *output)
{
    if (output == NULL) {
        return;
    }
    free(output->text);
    free(output->errors);
    *output = (tlm_process_output){0};
}
