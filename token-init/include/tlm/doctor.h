/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DOCTOR_H
#define TLM_DOCTOR_H

/*
 * Finds out why the token cannot be used, and the command that mends it.
 *
 *     tlm_findings findings = {0};
 *     tlm_doctor_run(&settings, tlm_doctor_in_container(), &findings);
 *     for (size_t i = 0; i < findings.count; i++) {
 *         printf("%s\n  %s\n", findings.items[i].cause, findings.items[i].command);
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/settings.h>

typedef enum tlm_severity {
    TLM_FINDING_INFO = 0,
    TLM_FINDING_WARNING,
    TLM_FINDING_PROBLEM
} tlm_severity;

typedef struct tlm_finding {
    const char *id; /* stable, for machines */
    tlm_severity severity;
    char cause[256];
    char evidence[768];
    char command[768];
} tlm_finding;

#define TLM_FINDINGS_MAX 32U

typedef struct tlm_findings {
    tlm_finding items[TLM_FINDINGS_MAX];
    size_t count;
} tlm_findings;

/* "info", "warning", "problem". */
const char *tlm_severity_name(tlm_severity severity);

/* Runs every check. Inside a container the commands are those of docker on the host. */
void tlm_doctor_run(const tlm_settings *settings, bool container, tlm_findings *findings);

/* Whether one of the findings is a problem. */
bool tlm_findings_have_problem(const tlm_findings *findings);

/* Whether this process runs in a container (tlm/container.h). */
bool tlm_doctor_in_container(void);

#endif
