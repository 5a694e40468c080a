/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROCESS_H
#define TLM_PROCESS_H

/*
 * Runs a child program with posix_spawn (never fork: PKCS#11 modules break over it) and captures
 * its standard output, or starts one that stays.
 *
 *     const char *const argv[] = {"/usr/bin/tlm-token-init", "status", "--json", NULL};
 *     tlm_process_output output = {0};
 *     if (tlm_process_run(argv, 5000, 1 << 20, &output, &error) == TLM_OK) {
 *         parse(output.text, output.size);
 *     }
 *     tlm_process_output_clear(&output);
 */

#include <stddef.h>
#include <sys/types.h>

#include <tlm/result.h>

typedef struct tlm_process_output {
    char *text; /* standard output, zero-terminated */
    size_t size;
    char *errors; /* the last 4096 bytes of standard error, zero-terminated */
    int status;   /* exit status 0–255, or 128 + signal */
} tlm_process_output;

/*
 * Runs argv[0] (an absolute path, or a name found in PATH) with the caller's environment and no
 * standard input (/dev/null). Ends it with SIGKILL after `timeout_ms` (TLM_ERR_TIMEOUT) or when it
 * prints more than `max` bytes (TLM_ERR_TOO_LARGE). Any exit status is TLM_OK: look at
 * output->status. A program that cannot be started is TLM_ERR_NOT_FOUND or TLM_ERR_PERMISSION. The
 * child has an empty signal mask and default handlers, stays in the caller's process group (Ctrl-C
 * reaches it too), and is always reaped; it outlives a caller that is killed. It is over when the
 * program itself ends, even if something it started still holds the pipes. `output` is to be
 * cleared in every case. Blocks; safe under threads.
 */
TLM_CHECKED tlm_result tlm_process_run(const char *const argv[], unsigned timeout_ms, size_t max,
                                       tlm_process_output *output, tlm_error *error);

void tlm_process_output_clear(tlm_process_output *output);

/*
 * Starts argv[0] as above and returns at once: a program that runs beside the caller, who ends and
 * reaps `pid`. It has a process group of its own (Ctrl-C is the caller's to pass on), the caller's
 * environment without the service manager's words to the caller (NOTIFY_SOCKET …), and the caller's
 * standard error; nobody reads its standard output.
 */
TLM_CHECKED tlm_result tlm_process_spawn(const char *const argv[], pid_t *pid, tlm_error *error);

/*
 * Finds a program of this project: beside the running executable, else in ../<part>/ or
 * ../../<part>/ of the build tree (where it has the executable's owner), else in an absolute entry
 * of PATH. New string, or NULL when it is nowhere.
 */
char *tlm_process_find(const char *name);

#endif
