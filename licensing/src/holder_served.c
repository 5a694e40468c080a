/* SPDX-License-Identifier: BSD-2-Clause */
#include "holder_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Long enough for a loaded machine to start a program and for a TPM to unseal; it is asked again.
 */
#define AWAIT_MS 10000U
#define OPENING_MS 10000U
#define LOOK_MS 50U

static tlm_key_holder kind_of(tlm_tokend_backend backend)
{
    switch (backend) {
    case TLM_TOKEND_TPM:
        return TLM_HOLDER_TPM;
    case TLM_TOKEND_SOFTHSM:
        return TLM_HOLDER_SOFTHSM;
    case TLM_TOKEND_MODULE:
    case TLM_TOKEND_UNKNOWN:
        break;
    }
    return TLM_HOLDER_MODULE;
}

/* For messages alone: whichever token is served there is the one. */
static bool name_store(const tlm_tokend_report *report, tlm_holder *holder)
{
    tlm_store_clear(&holder->store);
    holder->store.directory = strdup(report->store);
    holder->store.label = strdup(report->label);
    holder->store.uri = strdup("pkcs11:");
    return holder->store.directory != NULL && holder->store.label != NULL &&
           holder->store.uri != NULL;
}

bool tlm_holder_take_served(const tlm_identity_config *config, tlm_holder *holder)
{
    if (config->socket == NULL || tlm_tokend_connect(config->socket, NULL) != TLM_OK) {
        return false;
    }
    char *path = tlm_tokend_report_path(config->socket);
    tlm_tokend_report *report = &holder->report;
    bool known = path != NULL && tlm_tokend_report_read(path, report, NULL) == TLM_OK;
    free(path);
    if (known && report->phase != TLM_TOKEND_READY &&
        report->error.result == TLM_ERR_NOT_PROVISIONED) {
        return false; /* it has no more than we have */
    }
    if (!known) {
        *report = (tlm_tokend_report){.backend = TLM_TOKEND_UNKNOWN};
    }
    holder->kind = kind_of(report->backend);
    return name_store(report, holder);
}

/*
 * What is said of the token now. The file may be of one that was killed, or not be there yet: of
 * our own child we know the process. False where it is another p11-kit server, which writes none.
 */
static bool read_report(tlm_supervisor *supervisor, tlm_tokend_report *report)
{
    pid_t child = tlm_supervisor_child(supervisor);
    bool read = tlm_tokend_report_read(tlm_supervisor_report(supervisor), report, NULL) == TLM_OK;
    if (child != 0 && (!read || report->pid != child)) {
        *report = (tlm_tokend_report){.phase = TLM_TOKEND_STARTING, .pid = child};
        return true;
    }
    return read;
}

tlm_result tlm_holder_await(tlm_supervisor *supervisor, const tlm_stop_check *stop,
                            tlm_holder *holder, tlm_error *error)
{
    tlm_result result = tlm_supervisor_await(supervisor, stop, AWAIT_MS, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_tokend_report *report = &holder->report;
    for (unsigned waited = 0; waited < OPENING_MS; waited += LOOK_MS) {
        unsigned long seen = tlm_supervisor_changes(supervisor);
        if (!read_report(supervisor, report)) {
            *report = (tlm_tokend_report){.phase = TLM_TOKEND_READY};
        }
        if (report->phase != TLM_TOKEND_STARTING || stop->asked(stop->context)) {
            break;
        }
        tlm_supervisor_wait_change(supervisor, seen, LOOK_MS);
    }
    if (report->phase == TLM_TOKEND_UNAVAILABLE) {
        *error = report->error;
        return error->result;
    }
    /* One that had only begun when it was chosen did not know yet what it has. */
    if (holder->kind == TLM_HOLDER_MODULE && report->phase == TLM_TOKEND_READY) {
        holder->kind = kind_of(report->backend);
        if (!name_store(report, holder)) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to name the token");
        }
    }
    return TLM_OK;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

void tlm_holder_explain(tlm_supervisor *supervisor, const tlm_holder *holder, tlm_error *error)
{
    static const tlm_stop_check go_on = {.asked = never};
    tlm_error cause = {0};
    tlm_tokend_report report;
    if (tlm_supervisor_await(supervisor, &go_on, 0, &cause) != TLM_OK) {
        *error = cause;
        return;
    }
    if (!read_report(supervisor, &report)) {
        return;
    }
    if (report.phase == TLM_TOKEND_UNAVAILABLE) {
        *error = report.error;
    } else if (report.phase == TLM_TOKEND_STARTING) {
        (void)tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, "Wait a moment.",
                            "tlm-tokend (process %d) is opening its token", (int)report.pid);
    } else if (error->result == TLM_ERR_NOT_FOUND && holder->token == NULL) {
        bool another = holder->store.label != NULL && report.label[0] != '\0' &&
                       strcmp(holder->store.label, report.label) != 0;
        (void)tlm_error_set(
            error, TLM_ERR_TOKEN_UNAVAILABLE, NULL,
            "tlm-tokend (process %d) serves the token '%s'%s", (int)report.pid, report.label,
            another ? ", which is not the one of our token store" : ", but not to this program");
        if (another) {
            tlm_error_set_hint(error, "Name the socket of the right one: --pkcs11-socket PATH");
        } else {
            tlm_error_set_hint(
                error,
                "Add a rule for uid %u, with the operation use, to access.json "
                "of tlm-tokend, then: systemctl reload tlm-tokend (or send it SIGHUP)",
                (unsigned)geteuid());
        }
    }
}
