/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LOG_H
#define TLM_LOG_H

/*
 * One event a line, key=value or JSON lines, to stderr and to a rotated file.
 *
 *     tlm_log(TLM_LOG_INFO, "token_ready", "label=%s backend=%s", label, backend);
 *     tlm_log_error(&error, "vault_unreadable", "path=%s", path);
 *     tlm_log(TLM_LOG_INFO, "stopped", NULL);
 *
 * gives, as text and as JSON:
 *
 *     2026-11-23T22:00:00.123Z INFO token_open token_ready label=tlm backend=tpm
 *     {"time":"2026-11-23T22:00:00.123Z","level":"info","function":"token_open",
 *      "event":"token_ready","label":"tlm","backend":"tpm"}            (on one line)
 *
 * A value that may hold blanks or comes from outside is written through tlm_log_quote. Control
 * characters and broken UTF-8 are escaped in every line, so no value can forge a line. Safe under
 * threads. Secrets never come here: no function takes a tlm_secret. A disk that is full loses
 * lines, told once on stderr and counted (log_lines_lost) when there is room again. The program has
 * to ignore SIGPIPE, and SIGXFSZ where a limit on file sizes is set.
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>

typedef enum tlm_log_level {
    TLM_LOG_TRACE = 0,
    TLM_LOG_DEBUG,
    TLM_LOG_INFO,
    TLM_LOG_WARNING,
    TLM_LOG_ERROR,
    TLM_LOG_FATAL,
    TLM_LOG_LEVEL_COUNT
} tlm_log_level;

typedef enum tlm_log_format { TLM_LOG_TEXT = 0, TLM_LOG_JSON } tlm_log_format;

typedef struct tlm_log_config {
    tlm_log_level level;
    tlm_log_format format;
    bool to_stderr;
    const char *file; /* path of the current log file, or NULL for none */
    size_t max_size;  /* bytes at which FILE becomes FILE.1, FILE.1 becomes FILE.2 … */
    unsigned keep;    /* how many rotated files are kept */
} tlm_log_config;

/* Level by name in either case ("info", "WARNING", "warn"); false when there is no such level. */
bool tlm_log_level_from_name(const char *name, tlm_log_level *level);

/* The level's name in lower case; "unknown" for a value that is none. */
const char *tlm_log_level_name(tlm_log_level level);

/*
 * Opens the log, or changes one that is open. A file that cannot be opened is an error, and logging
 * goes on to stderr, also where `to_stderr` is false. Before it the log is text on stderr from
 * level info on. The texts of `config` are copied. A max_size of 0 is no rotation.
 */
TLM_CHECKED tlm_result tlm_log_open(const tlm_log_config *config, tlm_error *error);

/*
 * Reopens the file after an outside rotation (SIGHUP; not to be called from the handler itself). On
 * failure the file that was open stays in use.
 */
TLM_CHECKED tlm_result tlm_log_reopen(tlm_error *error);

void tlm_log_set_level(tlm_log_level level);
bool tlm_log_enabled(tlm_log_level level);
void tlm_log_close(void);

/*
 * Write a line; used through the macros below. `format` gives blank-separated key=value pairs and
 * may be NULL where there are none. In JSON each pair becomes a member of type string; a text that
 * is not all pairs, or would replace a member of the line itself, is the one member "detail". errno
 * is left as it was.
 */
void tlm_log_write(tlm_log_level level, const char *function, const char *event, const char *format,
                   ...) TLM_PRINTF(4, 5);
void tlm_log_write_error(tlm_log_level level, const char *function, const tlm_error *error,
                         const char *event, const char *format, ...) TLM_PRINTF(5, 6);

/*
 * A limit for lines that a peer can cause: at most `burst` in `seconds`. The first line allowed
 * after others were left out gets their number in `suppressed` (may be NULL), for suppressed=%u.
 *
 *     static tlm_log_limit limit = {.burst = 5, .seconds = 60};
 *     unsigned suppressed = 0;
 *     if (tlm_log_allow(&limit, &suppressed)) {
 *         tlm_log(TLM_LOG_WARNING, "bad_request", "suppressed=%u", suppressed);
 *     }
 */
typedef struct tlm_log_limit {
    unsigned burst;
    unsigned seconds;
    unsigned used;       /* private */
    unsigned suppressed; /* private */
    long window;         /* private */
} tlm_log_limit;
bool tlm_log_allow(tlm_log_limit *limit, unsigned *suppressed);

/*
 * Writes `text` (NULL counts as empty) as a quoted value, control characters, quotes and
 * backslashes escaped as in JSON, into `buffer` and returns that. What does not fit is cut off
 * before the closing quote, which always stands.
 */
char *tlm_log_quote(const char *text, char *buffer, size_t size);

#define tlm_log(level, event, ...) tlm_log_write((level), __func__, (event), __VA_ARGS__)
/* Adds code, native code by domain, message and hint of the error to the line, level error. */
#define tlm_log_error(error, event, ...)                                                           \
    tlm_log_write_error(TLM_LOG_ERROR, __func__, (error), (event), __VA_ARGS__)

#endif
