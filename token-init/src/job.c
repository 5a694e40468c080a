/* SPDX-License-Identifier: BSD-2-Clause */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/tpm2_store.h>

#define OWNER_AUTH_MAX 64U
#define LOCK_WAIT_MS 1000
#define LOCK_PAUSE_MS 50
#define SLOT_TRIES 15U
#define SLOT_PAUSE_MS 200L

char *tlm_job_directory(const tlm_settings *settings)
{
    char *path = settings->token_store != NULL && settings->token_store[0] != '\0'
                     ? strdup(settings->token_store)
                     : tlm_path_join(settings->persistence_dir, "token");
    if (path == NULL || path[0] == '/') {
        return path;
    }
    char here[PATH_MAX];
    char *absolute = getcwd(here, sizeof here) != NULL ? tlm_path_join(here, path) : NULL;
    free(path);
    return absolute;
}

tlm_result tlm_job_begin(tlm_job *job, const tlm_provision_request *request, tlm_error *error)
{
    memset(job, 0, sizeof *job);
    job->lock = -1;
    job->request = request;
    job->directory = tlm_job_directory(request->settings);
    if (job->directory == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the store's path");
    }
    return TLM_OK;
}

tlm_result tlm_job_lock(tlm_job *job, tlm_error *error)
{
    job->lock = open(job->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->lock < 0) {
        return tlm_error_set_errno(error, "run: tlm-token-init doctor", "opening the store %s",
                                   job->directory);
    }
    /* A run that was just killed may still be ending. */
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    int tries = LOCK_WAIT_MS / LOCK_PAUSE_MS;
    while (flock(job->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return tlm_error_set_errno(error, NULL, "locking the store %s", job->directory);
        }
        if (tries-- == 0) {
            return tlm_error_set(error, TLM_ERR_BUSY, "wait until it has ended and try again",
                                 "another tlm-token-init works on the store %s", job->directory);
        }
        (void)nanosleep(&pause, NULL);
    }
    return TLM_OK;
}

static void close_tpm(tlm_job *job)
{
    tlm_tpm_close(&job->tpm);
    tlm_tcti_list_clear(&job->candidates);
    job->used = NULL;
}

void tlm_job_end(tlm_job *job)
{
    tlm_job_close_token(job);
    close_tpm(job);
    tlm_store_secrets_clear(&job->secrets);
    tlm_store_clear(&job->store);
    free(job->directory);
    free(job->tcti);
    if (job->lock >= 0) {
        (void)close(job->lock); /* ends the lock */
    }
    memset(job, 0, sizeof *job);
    job->lock = -1;
}

static tlm_result give_owner_auth(tlm_job *job, tlm_error *error)
{
    if (job->request->owner_auth_file == NULL) {
        return TLM_OK;
    }
    tlm_secret *auth = NULL;
    tlm_result result =
        tlm_file_read_secret(job->request->owner_auth_file, OWNER_AUTH_MAX, &auth, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t size = tlm_secret_size(auth);
    if (size > 1 && tlm_secret_bytes(auth)[size - 1] == '\n') {
        tlm_secret_shrink(auth, size - 1);
    }
    result = tlm_tpm_set_owner_auth(job->tpm, auth, error);
    tlm_secret_free(&auth);
    return result;
}

tlm_result tlm_job_need_tpm(tlm_job *job, tlm_error *error)
{
    tlm_job_close_token(job);
    if (job->tpm != NULL) {
        return TLM_OK;
    }
    tlm_result result =
        tlm_tpm_open(job->request->settings, &job->candidates, &job->used, &job->tpm, error);
    if (result != TLM_OK) {
        return result;
    }
    if (job->tcti == NULL) {
        job->tcti = strdup(job->used->conf);
        if (job->tcti == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the TCTI");
        }
        job->simulated = job->used->simulated;
        if (job->resumed) {
            tlm_tpm_flush_leftovers(job->tpm);
        }
    }
    return give_owner_auth(job, error);
}

/* In lockout even the right PIN fails, so none is sent. */
static tlm_result refuse_lockout(tlm_job *job, tlm_error *error)
{
    tlm_tpm_facts facts;
    tlm_result result = tlm_tpm_read_facts(job->tpm, &facts, error);
    if (result != TLM_OK || !facts.in_lockout) {
        return result;
    }
    (void)tlm_error_set(error, TLM_ERR_LOCKED, NULL,
                        "the TPM is in lockout: %u of %u tries are used, and it refuses even the "
                        "right PIN",
                        facts.lockout_counter, facts.max_tries);
    tlm_error_set_hint(error,
                       "wait %u seconds without trying, or run: tpm2_dictionarylockout "
                       "--clear-lockout",
                       facts.recovery_seconds);
    return TLM_ERR_LOCKED;
}

tlm_result tlm_job_need_module(tlm_job *job, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (job->store.backend == TLM_BACKEND_TPM && job->tcti == NULL) {
        result = tlm_job_need_tpm(job, error);
    }
    if (result == TLM_OK && job->tpm != NULL) {
        result = refuse_lockout(job, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    tlm_job_close_token(job);
    close_tpm(job);
    return tlm_store_export_environment(&job->store, job->tcti, error);
}

tlm_result tlm_job_open_secrets(tlm_job *job, tlm_error *error)
{
    tlm_error full = {0};
    tlm_result result = tlm_secrets_open(&job->store, job->tpm, &job->secrets, &full);
    for (unsigned i = 0;
         i < SLOT_TRIES && result == TLM_ERR_NO_SPACE && job->used != NULL && job->used->simulated;
         i++) {
        const struct timespec pause = {.tv_nsec = SLOT_PAUSE_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
        result = tlm_secrets_open(&job->store, job->tpm, &job->secrets, &full);
    }
    if (result != TLM_OK && error != NULL) {
        *error = full;
    }
    return result;
}

tlm_result tlm_job_need_secrets(tlm_job *job, tlm_error *error)
{
    if (job->secrets.user_pin != NULL) {
        return TLM_OK;
    }
    tlm_store_secrets_clear(&job->secrets);
    tlm_result result = TLM_OK;
    if (tlm_secrets_where(&job->store) == TLM_SECRETS_SEALED) {
        result = tlm_job_need_tpm(job, error);
    }
    return result == TLM_OK ? tlm_job_open_secrets(job, error) : result;
}

static tlm_result give_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    const tlm_job *job = context;
    const tlm_secret *ours = job->secrets.user_pin;
    if (ours == NULL) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE, "restore the store from a backup",
                             "the secrets of the store %s have no user PIN", job->directory);
    }
    return tlm_secret_from(tlm_secret_bytes(ours), tlm_secret_size(ours), pin, error);
}

tlm_result tlm_job_need_token(tlm_job *job, tlm_error *error)
{
    tlm_result result = tlm_job_need_secrets(job, error);
    if (result == TLM_OK) {
        result = tlm_job_need_module(job, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    const tlm_token_config config = {
        .module = job->store.module, .uri = job->store.uri, .pin = give_pin, .context = job};
    return tlm_token_open(&config, &job->token, error);
}

void tlm_job_close_token(tlm_job *job)
{
    if (job->token != NULL) {
        tlm_token_close(&job->token);
    }
}

tlm_result tlm_job_report(const tlm_job *job, tlm_provision_report *report, tlm_error *error)
{
    report->backend = job->store.backend;
    report->tpm_seen = job->tcti != NULL;
    report->simulated = job->simulated;
    report->rsa_bits = job->rsa_bits;
    report->label = strdup(job->store.label);
    report->directory = strdup(job->directory);
    const char *key = job->key_made ? job->request->recovery_key : NULL;
    report->recovery_key = key != NULL ? strdup(key) : NULL;
    if (report->label == NULL || report->directory == NULL ||
        (key != NULL && report->recovery_key == NULL)) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the report");
    }
    (void)snprintf(report->fingerprint, sizeof report->fingerprint, "%s",
                   job->store.thumbprint != NULL ? job->store.thumbprint : "");
    return TLM_OK;
}

void tlm_provision_report_clear(tlm_provision_report *report)
{
    free(report->label);
    free(report->directory);
    free(report->recovery_key);
    memset(report, 0, sizeof *report);
}

static tlm_result make_way(tlm_job *job, const tlm_tpm_object *there, tlm_error *error)
{
    char name[2 * TLM_TPM_NAME_MAX + 1];
    tlm_tpm_name_text(&there->name, name);
    if (!job->request->replace) {
        return tlm_error_set(
            error, TLM_ERR_FOREIGN,
            "find out whose it is (tpm2_readpublic -c 0x810003E8). If nobody needs "
            "it, repeat the command with --replace; nothing brings it back",
            "a foreign object stands at 0x%08X: %s, name %s; when and by whom it "
            "was made the TPM does not tell",
            TLM_HANDLE_SRK, there->type, name);
    }
    tlm_log(TLM_LOG_WARNING, "foreign_object_replaced", "handle=0x%08X type=\"%s\" name=%s",
            TLM_HANDLE_SRK, there->type, name);
    return tlm_tpm_evict(job->tpm, TLM_HANDLE_SRK, error);
}

static tlm_result place(tlm_job *job, const tlm_primary *primary, const tlm_tpm_name *expected,
                        bool *changed, tlm_error *error)
{
    if (expected != NULL && !tlm_tpm_name_equal(expected, &primary->name)) {
        return tlm_error_set(error, TLM_ERR_FOREIGN,
                             "attach the TPM that made the store, or move the store aside and run: "
                             "tlm-token-init provision (a new identity: licenses must be issued "
                             "anew)",
                             "the store %s belongs to another TPM, or this one was cleared: from "
                             "the store's seed it makes another key",
                             job->directory);
    }
    tlm_tpm_object there;
    tlm_result result = tlm_tpm_read_object(job->tpm, TLM_HANDLE_SRK, &there, error);
    if (result != TLM_OK) {
        return result;
    }
    if (there.present && tlm_tpm_name_equal(&there.name, &primary->name)) {
        return TLM_OK;
    }
    if (there.present) {
        result = make_way(job, &there, error);
    }
    if (result == TLM_OK) {
        *changed = true;
        result = tlm_primary_persist(job->tpm, primary, TLM_HANDLE_SRK, error);
    }
    return result;
}

tlm_result tlm_job_place_primary(tlm_job *job, const tlm_tpm_name *expected, bool *changed,
                                 tlm_error *error)
{
    *changed = false;
    if (job->secrets.tpm_seed == NULL || job->secrets.tpm_auth == NULL) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE, "restore the store from a backup",
                             "the secrets of the store %s lack TPM_SEED or TPM_AUTH",
                             job->directory);
    }
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_primary primary = {0};
    result =
        tlm_primary_create(job->tpm, job->secrets.tpm_seed, job->secrets.tpm_auth, &primary, error);
    if (result == TLM_OK) {
        result = place(job, &primary, expected, changed, error);
    }
    tlm_primary_close(job->tpm, &primary);
    return result;
}

tlm_result tlm_job_stored_name(const tlm_job *job, tlm_tpm_name *name, tlm_error *error)
{
    tlm_tpm2_store *rows = NULL;
    uint32_t handle = 0;
    tlm_result result = tlm_tpm2_store_open(job->directory, &rows, error);
    if (result == TLM_OK) {
        result = tlm_tpm2_store_get_primary(rows, &handle, name, error);
    }
    tlm_tpm2_store_close(&rows);
    return result;
}
