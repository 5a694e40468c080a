/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LOG_INTERNAL_H
#define TLM_LOG_INTERNAL_H

/*
 * One line of the log and the file that takes it, apart from the state that log.c holds.
 *
 *     char line[TLM_LOG_LINE_MAX];
 *     tlm_log_record record = {.time = now, .level = TLM_LOG_INFO, .event = "ready", …};
 *     size_t size = tlm_log_format_line(TLM_LOG_JSON, &record, line, sizeof line);
 */

#include <stddef.h>
#include <time.h>

#include <tlm/log.h>

/* An error's message and hint, every byte escaped as \u00xx, and some pairs beside them fit. */
#define TLM_LOG_LINE_MAX 16384U
#define TLM_LOG_DETAIL_MAX 4096U

typedef struct tlm_log_record {
    struct timespec time;
    tlm_log_level level;
    const char *function;
    const char *event;
    const tlm_error *error; /* or NULL */
    const char *detail;     /* key=value pairs, or free text; may be empty */
} tlm_log_record;

/* Writes the line with its newline, never more than `size` bytes; returns its length. */
size_t tlm_log_format_line(tlm_log_format format, const tlm_log_record *record, char *line,
                           size_t size);

/* A growing log file that is rotated by size. Not safe under threads by itself. */
typedef struct tlm_log_file {
    char *path;
    int file; /* -1 while there is none */
    size_t size;
    size_t max_size;
    unsigned keep;
    unsigned long lost; /* lines that did not get into the file since it last took one */
    int rotates;        /* only a regular file does; /dev/stdout does not */
    int torn;           /* the last line was written in part */
} tlm_log_file;

/* Opens (again) self->path for appending. On failure the file that was open stays in use. */
TLM_CHECKED tlm_result tlm_log_file_open(tlm_log_file *self, tlm_error *error);

/* Appends a line, rotating first where it would not fit. Returns 0, or an errno. */
int tlm_log_file_write(tlm_log_file *self, const char *line, size_t size);

#endif
