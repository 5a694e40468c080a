/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROCESS_INTERNAL_H
#define TLM_PROCESS_INTERNAL_H

/* What running a program and starting one share. */

#include <stdbool.h>
#include <sys/types.h>

#include <tlm/process.h>

typedef struct tlm_process_files {
    int out;                  /* becomes standard output; -1: nobody reads it */
    int err;                  /* becomes standard error */
    bool apart;               /* in a process group of its own */
    char *const *environment; /* NULL: the caller's */
} tlm_process_files;

/*
 * Starts argv[0] with these files, /dev/null as its input and no other descriptor, an empty signal
 * mask and default handlers. The caller reaps it.
 */
TLM_CHECKED tlm_result tlm_process_begin(const char *const argv[], const tlm_process_files *files,
                                         pid_t *pid, tlm_error *error);

#endif
