/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_internal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *const level_names[TLM_LOG_LEVEL_COUNT] = {
    [TLM_LOG_TRACE] = "trace",     [TLM_LOG_DEBUG] = "debug", [TLM_LOG_INFO] = "info",
    [TLM_LOG_WARNING] = "warning", [TLM_LOG_ERROR] = "error", [TLM_LOG_FATAL] = "fatal",
};

/* Before tlm_log_open a program has a log already: text on standard error. */
static atomic_int threshold = TLM_LOG_INFO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    tlm_log_format format;
    bool to_stderr;
    tlm_log_file file;
    char line[TLM_LOG_LINE_MAX]; /* under the lock: a log needs no memory to speak of its lack */
} state = {.to_stderr = true, .file = {.file = -1}};

bool tlm_log_level_from_name(const char *name, tlm_log_level *level)
{
    if (name == NULL) {
        return false;
    }
    for (int i = 0; i < TLM_LOG_LEVEL_COUNT; i++) {
        if (strcasecmp(name, level_names[i]) == 0) {
            *level = (tlm_log_level)i;
            return true;
        }
    }
    if (strcasecmp(name, "warn") == 0) {
        *level = TLM_LOG_WARNING;
        return true;
    }
    return false;
}

const char *tlm_log_level_name(tlm_log_level level)
{
    return (unsigned)level < TLM_LOG_LEVEL_COUNT ? level_names[level] : "unknown";
}

static void close_file(void)
{
    if (state.file.file >= 0) {
        (void)close(state.file.file);
    }
    free(state.file.path);
    state.file = (tlm_log_file){.file = -1};
}

tlm_result tlm_log_open(const tlm_log_config *config, tlm_error *error)
{
    if (config == NULL || (unsigned)config->level >= TLM_LOG_LEVEL_COUNT) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "opening a log without a level");
    }
    atomic_store(&threshold, (int)config->level);
    (void)pthread_mutex_lock(&lock);
    close_file();
    state.format = config->format;
    state.to_stderr = config->to_stderr;
    tlm_result result = TLM_OK;
    if (config->file != NULL) {
        state.file.max_size = config->max_size > 0 ? config->max_size : SIZE_MAX;
        state.file.keep = config->keep;
        state.file.path = strdup(config->file);
        result = state.file.path != NULL
                     ? tlm_log_file_open(&state.file, error)
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the log's name");
    }
    if (result != TLM_OK) {
        state.to_stderr = true;
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

tlm_result tlm_log_reopen(tlm_error *error)
{
    (void)pthread_mutex_lock(&lock);
    tlm_result result = state.file.path != NULL ? tlm_log_file_open(&state.file, error) : TLM_OK;
    (void)pthread_mutex_unlock(&lock);
    return result;
}

void tlm_log_close(void)
{
    (void)pthread_mutex_lock(&lock);
    close_file();
    state.to_stderr = true;
    (void)pthread_mutex_unlock(&lock);
}

void tlm_log_set_level(tlm_log_level level)
{
    if ((unsigned)level < TLM_LOG_LEVEL_COUNT) {
        atomic_store(&threshold, (int)level);
    }
}

bool tlm_log_enabled(tlm_log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

/* Standard error that cannot be written to is nobody's to mend. */
static void to_stderr(const char *line, size_t size)
{
    while (size > 0) {
        ssize_t done = write(STDERR_FILENO, line, size);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return;
        }
        line += done;
        size -= (size_t)done;
    }
}

/* A line of the log about itself, made under the lock, without going through the log again. */
static size_t own_line(tlm_log_level level, const char *event, const char *detail)
{
    tlm_log_record record = {
        .level = level, .function = "tlm_log_write", .event = event, .detail = detail};
    (void)clock_gettime(CLOCK_REALTIME, &record.time);
    return tlm_log_format_line(state.format, &record, state.line, sizeof state.line);
}

/* The file takes lines again: says first how many it did not take. */
static int write_lost(void)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "count=%lu", state.file.lost);
    size_t size = own_line(TLM_LOG_WARNING, "log_lines_lost", detail);
    return tlm_log_file_write(&state.file, state.line, size);
}

/* A disk that is full costs lines, not the program: the first one lost is told on standard error.
 */
static void lose(int number)
{
    if (state.file.lost++ > 0) {
        return;
    }
    char detail[PATH_MAX + 128];
    char text[128];
    char path[PATH_MAX];
    (void)snprintf(detail, sizeof detail, "path=%s errno=%d cause=\"%s\"",
                   tlm_log_quote(state.file.path, path, sizeof path), number,
                   strerror_r(number, text, sizeof text));
    size_t size = own_line(TLM_LOG_ERROR, "log_write_failed", detail);
    to_stderr(state.line, size);
}

static void write_record(tlm_log_record *record)
{
    (void)clock_gettime(CLOCK_REALTIME, &record->time);
    (void)pthread_mutex_lock(&lock);
    size_t size = tlm_log_format_line(state.format, record, state.line, sizeof state.line);
    if (state.to_stderr) {
        to_stderr(state.line, size);
    }
    if (state.file.file >= 0) {
        int number = 0;
        if (state.file.lost > 0) {
            number = write_lost();
            size = tlm_log_format_line(state.format, record, state.line, sizeof state.line);
        }
        if (number == 0) {
            state.file.lost = 0;
            number = tlm_log_file_write(&state.file, state.line, size);
        }
        if (number != 0) {
            lose(number);
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

static void write_arguments(tlm_log_level level, const char *function, const tlm_error *error,
                            const char *event, const char *format, va_list arguments)
    TLM_PRINTF(5, 0);

static void write_arguments(tlm_log_level level, const char *function, const tlm_error *error,
                            const char *event, const char *format, va_list arguments)
{
    int number = errno;
    char detail[TLM_LOG_DETAIL_MAX];
    detail[0] = '\0';
    if (format != NULL) {
        (void)vsnprintf(detail, sizeof detail, format, arguments);
    }
    tlm_log_record record = {.level = level,
                             .function = function != NULL ? function : "-",
                             .event = event != NULL ? event : "-",
                             .error = error,
                             .detail = detail};
    write_record(&record);
    errno = number;
}

void tlm_log_write(tlm_log_level level, const char *function, const char *event, const char *format,
                   ...)
{
    if (!tlm_log_enabled(level)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_arguments(level, function, NULL, event, format, arguments);
    va_end(arguments);
}

void tlm_log_write_error(tlm_log_level level, const char *function, const tlm_error *error,
                         const char *event, const char *format, ...)
{
    if (!tlm_log_enabled(level)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    write_arguments(level, function, error, event, format, arguments);
    va_end(arguments);
}

bool tlm_log_allow(tlm_log_limit *limit, unsigned *suppressed)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)pthread_mutex_lock(&lock);
    /* `window` is the second it began in, plus one, so that 0 means none began yet. */
    if (limit->window == 0 || now.tv_sec + 1 - limit->window >= (long)limit->seconds) {
        limit->window = now.tv_sec + 1;
        limit->used = 0;
    }
    bool allowed = limit->used < limit->burst;
    unsigned left_out = 0;
    if (allowed) {
        limit->used++;
        left_out = limit->suppressed;
        limit->suppressed = 0;
    } else if (limit->suppressed < UINT_MAX) {
        limit->suppressed++;
    }
    (void)pthread_mutex_unlock(&lock);
    if (suppressed != NULL) {
        *suppressed = left_out;
    }
    return allowed;
}
