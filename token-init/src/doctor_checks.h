/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DOCTOR_CHECKS_H
#define TLM_DOCTOR_CHECKS_H

/* What the doctor's files share: one examination, and the checks that look at it. */

#include <sys/types.h>

#include <tlm/doctor.h>

#include "job.h"

typedef struct tlm_exam {
    const tlm_settings *settings;
    bool container;
    const char *prefix; /* before a command to run where this process runs */
    tlm_findings *findings;
    tlm_job job;
    tlm_error store_error; /* of tlm_store_load */
    bool provisioned;      /* token.json could be read */
    bool tpm_wanted;       /* the back end is, or would be, the TPM */
    tlm_error tpm_error;   /* of tlm_tpm_open */
    bool facts_known;
    tlm_tpm_facts facts;
} tlm_exam;

/* Adds a finding and returns it, for cause, evidence and command to be filled in; never NULL. */
tlm_finding *tlm_exam_add(tlm_exam *exam, const char *id, tlm_severity severity);

/* Whether a finding of that name was added. */
bool tlm_exam_found(const tlm_exam *exam, const char *id);

/* Checks on the way to the TPM (doctor_device.c), on the TPM (doctor_tpm.c), on files
 * (doctor_store.c), on the secrets (doctor_secrets.c). */
void tlm_check_build(tlm_exam *exam);
void tlm_check_device(tlm_exam *exam);
void tlm_check_simulated(tlm_exam *exam);
void tlm_check_lockout(tlm_exam *exam);
void tlm_check_slots(tlm_exam *exam);
/* The finding of it, once, also for a check that met the lack of slots. */
void tlm_exam_add_slots(tlm_exam *exam, const char *evidence);
void tlm_check_handles(tlm_exam *exam);
void tlm_check_counter(tlm_exam *exam);
void tlm_check_directory(tlm_exam *exam);
void tlm_check_record(tlm_exam *exam);
void tlm_check_modes(tlm_exam *exam);
void tlm_check_secrets(tlm_exam *exam);
void tlm_check_seal_handle(tlm_exam *exam);
void tlm_check_module(tlm_exam *exam);
void tlm_check_rows(tlm_exam *exam);
void tlm_check_lock(tlm_exam *exam);

/* The finding where there is no device node, by what the kernel knows of a TPM. */
void tlm_exam_add_no_device(tlm_exam *exam, const char *path);
/* The command that makes the node, out of the numbers in /sys/class. */
void tlm_exam_node_command(const char *path, char *command, size_t size);

/* Fills cause, evidence and command; texts that are too long are cut. */
#define tlm_say(field, ...) tlm_exam_say((field), sizeof(field), __VA_ARGS__)
void tlm_exam_say(char *field, size_t size, const char *format, ...) TLM_PRINTF(3, 4);

#endif
