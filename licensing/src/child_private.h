/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_CHILD_PRIVATE_H
#define TLM_LICENSING_CHILD_PRIVATE_H

/* Child programs that nobody has to wait for: the daemon's end must not hang on a slow TPM. */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/process.h>
#include <tlm/result.h>

/* Whether the caller shall end; asked from the caller's own thread. NULL `asked`: never. */
typedef struct tlm_stop_check {
    bool (*asked)(void *context);
    void *context;
} tlm_stop_check;

#define TLM_CHILD_ARGUMENTS_MAX 12U

/*
 * tlm_process_run, given up with TLM_ERR_TIMEOUT as soon as the caller shall end. The child then
 * runs on until its time is out or this program ends. `output` is the caller's to clear whatever
 * the result.
 */
TLM_CHECKED tlm_result tlm_child_run(const char *const argv[], unsigned timeout_ms, size_t max,
                                     const tlm_stop_check *stop, tlm_process_output *output,
                                     tlm_error *error);

#endif
