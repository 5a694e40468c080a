/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/provision.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <p11-kit/uri.h>

#include <tlm/file.h>
#include <tlm/log.h>

#include "job.h"
#include "sealing.h"
#include "steps.h"

#define LABEL_MAX 32U

/* For whom a step is. */
enum { FOR_TPM = 1, FOR_SOFTHSM = 2, FOR_BOTH = FOR_TPM | FOR_SOFTHSM };

/*
 * In this order, so that what stands after a crash can be completed: the secrets are on disk before
 * anything depends on them, and token.json says `complete` only when all the rest is there.
 */
static const struct {
    const char *name;
    unsigned backends;
    tlm_result (*run)(tlm_job *job, tlm_error *error);
} steps[] = {
    {"record", FOR_BOTH, tlm_step_record},
    {"seal-parent", FOR_TPM, tlm_step_seal_parent},
    {"secrets", FOR_BOTH, tlm_step_secrets},
    {"primary", FOR_TPM, tlm_step_primary},
    {"counter", FOR_BOTH, tlm_step_counter},
    {"database", FOR_TPM, tlm_step_database},
    {"parent", FOR_TPM, tlm_step_parent},
    {"token", FOR_BOTH, tlm_step_token},
    {"pin", FOR_BOTH, tlm_step_pin},
    {"pss", FOR_TPM, tlm_step_pss},
    {"srk", FOR_BOTH, tlm_step_srk},
    {"attest", FOR_BOTH, tlm_step_attest},
    {"srk-certificate", FOR_BOTH, tlm_step_srk_certificate},
    {"attest-certificate", FOR_BOTH, tlm_step_attest_certificate},
    {"public", FOR_BOTH, tlm_step_public},
    {"check", FOR_BOTH, tlm_step_check},
    {"complete", FOR_BOTH, tlm_step_complete},
};

static tlm_result check_label(const char *label, tlm_backend backend, tlm_error *error)
{
    /* tpm2-pkcs11 1.9 stores 32 bytes and shows 31 of them, so nobody finds the token again. */
    size_t most = backend == TLM_BACKEND_TPM ? LABEL_MAX - 1 : LABEL_MAX;
    size_t length = strlen(label);
    bool good = length > 0 && length <= most && label[0] != ' ' && label[length - 1] != ' ';
    for (size_t i = 0; i < length && good; i++) {
        good = (unsigned char)label[i] >= ' ' && label[i] != 0x7f;
    }
    if (good) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_SETTING, "choose another one with --token-label LABEL",
                         "the label of a token of the %s back end has 1 to %zu bytes, no control "
                         "characters and no blank at its ends; this one has %zu bytes",
                         tlm_backend_name(backend), most, length);
}

static char *uri_of_label(const char *label)
{
    P11KitUri *uri = p11_kit_uri_new();
    if (uri == NULL) {
        return NULL;
    }
    CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
    memset(token->label, ' ', sizeof token->label);
    memcpy(token->label, label, strlen(label)); /* at most LABEL_MAX */
    char *text = NULL;
    if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_TOKEN, &text) != P11_KIT_URI_OK) {
        text = NULL;
    }
    p11_kit_uri_free(uri);
    return text;
}

static tlm_result fill_store(tlm_job *job, tlm_error *error)
{
    tlm_store *store = &job->store;
    const char *label = job->request->settings->token_label;
    store->backend = job->request->backend != 0 ? job->request->backend : TLM_BACKEND_TPM;
    tlm_result result = check_label(label, store->backend, error);
    if (result != TLM_OK) {
        return result;
    }
    const char *module = tlm_backend_module(store->backend);
    if (module == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             store->backend == TLM_BACKEND_TPM ? "run: apt install libtpm2-pkcs11-1"
                                                               : "run: apt install softhsm2",
                             "the PKCS#11 module of the %s back end is not installed",
                             tlm_backend_name(store->backend));
    }
    char created[32] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts) != NULL) {
        (void)strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    store->directory = strdup(job->directory);
    store->label = strdup(label);
    store->uri = uri_of_label(label);
    store->module = strdup(module);
    store->created = strdup(created);
    if (store->directory == NULL || store->label == NULL || store->uri == NULL ||
        store->module == NULL || store->created == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the store");
    }
    return TLM_OK;
}

/* Parts of a token without token.json are somebody's token: nothing is made over them. */
static tlm_result refuse_remains(const tlm_job *job, tlm_error *error)
{
    static const char *const parts[] = {"secrets.json", "sealed.json", "tpm2_pkcs11.sqlite3",
                                        "tokens", "srk.pem"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *path = tlm_path_join(job->directory, parts[i]);
        bool there = path == NULL || tlm_file_exists(path);
        free(path);
        if (there) {
            (void)tlm_error_set(error, TLM_ERR_INCOMPLETE, NULL,
                                "the store %s holds %s but no token.json; nothing is made over it",
                                job->directory, parts[i]);
            tlm_error_set_hint(error,
                               "restore token.json (token.json.bak is the one before), or, to "
                               "begin anew: mv %s %s.old",
                               job->directory, job->directory);
            return TLM_ERR_INCOMPLETE;
        }
    }
    return TLM_OK;
}

/* What stands there must be what is asked for. */
static tlm_result check_same(const tlm_job *job, tlm_error *error)
{
    const tlm_settings *settings = job->request->settings;
    if (job->request->backend != 0 && job->request->backend != job->store.backend) {
        return tlm_error_set(error, TLM_ERR_EXISTS,
                             "name another directory with --token-store DIR, or remove this token "
                             "with: tlm-token-init destroy",
                             "the store %s holds a token of the %s back end, not of %s",
                             job->directory, tlm_backend_name(job->store.backend),
                             tlm_backend_name(job->request->backend));
    }
    if (settings->origin[TLM_SETTING_token_label] != TLM_ORIGIN_DEFAULT &&
        strcmp(settings->token_label, job->store.label) != 0) {
        return tlm_error_set(error, TLM_ERR_EXISTS,
                             "name another directory with --token-store DIR, or remove this token "
                             "with: tlm-token-init destroy",
                             "the store %s holds the token '%s', not '%s'", job->directory,
                             job->store.label, settings->token_label);
    }
    return TLM_OK;
}

static tlm_result load_or_fill(tlm_job *job, tlm_error *error)
{
    tlm_result result = tlm_store_load(job->directory, &job->store, error);
    if (result == TLM_OK) {
        job->resumed = !job->store.complete;
        return check_same(job, error);
    }
    if (result != TLM_ERR_NOT_PROVISIONED) {
        return result;
    }
    result = refuse_remains(job, error);
    return result == TLM_OK ? fill_store(job, error) : result;
}

static tlm_result run_steps(tlm_job *job, tlm_error *error)
{
    unsigned mine = job->store.backend == TLM_BACKEND_TPM ? FOR_TPM : FOR_SOFTHSM;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if ((steps[i].backends & mine) == 0) {
            continue;
        }
        tlm_result result = steps[i].run(job, error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "step %s", steps[i].name);
            return result;
        }
        tlm_log(TLM_LOG_INFO, "step_done", "name=%s", steps[i].name);
        if (job->request->step_done != NULL) {
            job->request->step_done(job->request->context, steps[i].name);
        }
    }
    return TLM_OK;
}

static tlm_result provision(tlm_job *job, tlm_provision_report *report, tlm_error *error)
{
    tlm_result result = tlm_directory_make(job->directory, 0700, error);
    if (result == TLM_OK) {
        result = tlm_job_lock(job, error);
    }
    if (result == TLM_OK) {
        result = load_or_fill(job, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_check_policy(job, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (job->store.complete) {
        result = tlm_step_counter_late(job, error);
        report->unchanged = !job->changed;
        return result == TLM_OK ? tlm_job_report(job, report, error) : result;
    }
    result = run_steps(job, error);
    return result == TLM_OK ? tlm_job_report(job, report, error) : result;
}

tlm_result tlm_provision(const tlm_provision_request *request, tlm_provision_report *report,
                         tlm_error *error)
{
    memset(report, 0, sizeof *report);
    tlm_job job;
    tlm_result result = tlm_job_begin(&job, request, error);
    if (result == TLM_OK) {
        /* The modules create files of their own; none of them is for others to read. */
        mode_t before = umask(077);
        result = provision(&job, report, error);
        if (result != TLM_OK) {
            (void)rmdir(job.directory); /* goes only where nothing was written yet */
        }
        (void)umask(before);
    }
    tlm_job_end(&job);
    return result;
}
