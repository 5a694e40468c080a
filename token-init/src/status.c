/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/status.h>

#include <stdlib.h>
#include <string.h>

#include <tlm/raw_token.h>
#include <tlm/tpm2_store.h>
#include <tlm/tpm_json.h>

#include "counter_report.h"
#include "job.h"

typedef struct status {
    json_t *root;
    json_t *errors;
    tlm_job job;
    bool provisioned;
    bool connected; /* to a TPM */
    bool name_known;
    tlm_tpm_name name; /* of the primary in the store */
    tlm_secrets_place place;
    bool sealed_known;
    tlm_sealed sealed;
} status;

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static void add_error(status *self, const tlm_error *error)
{
    (void)json_array_append_new(self->errors,
                                json_pack("{s:s, s:s, s:s}", "code", tlm_result_code(error->result),
                                          "message", error->message, "hint", error->hint));
}

static void read_store(status *self)
{
    tlm_error error = {0};
    tlm_result result = tlm_store_load(self->job.directory, &self->job.store, &error);
    self->provisioned = result == TLM_OK;
    if (result != TLM_OK) {
        add_error(self, &error);
        return;
    }
    if (self->job.store.backend == TLM_BACKEND_TPM) {
        result = tlm_job_stored_name(&self->job, &self->name, &error);
        self->name_known = result == TLM_OK;
        if (result != TLM_OK && self->job.store.complete) {
            add_error(self, &error);
        }
    }
    self->place = tlm_secrets_where(&self->job.store);
    if (self->place == TLM_SECRETS_SEALED) {
        self->sealed_known =
            tlm_secrets_read_sealed(&self->job.store, &self->sealed, &error) == TLM_OK;
        if (!self->sealed_known) {
            add_error(self, &error);
        }
    }
    if (!self->job.store.complete) {
        (void)tlm_error_set(&error, TLM_ERR_INCOMPLETE, "run: tlm-token-init provision",
                            "provisioning of the store %s was interrupted", self->job.directory);
        add_error(self, &error);
    }
}

static tlm_result list_objects(status *self, tlm_object_entry *objects, size_t *count,
                               tlm_error *error)
{
    const tlm_store *store = &self->job.store;
    if (store->backend == TLM_BACKEND_TPM) {
        tlm_tpm2_store *rows = NULL;
        tlm_result result = tlm_tpm2_store_open(store->directory, &rows, error);
        if (result == TLM_OK) {
            result = tlm_tpm2_store_list(rows, store->label, objects, count, error);
        }
        tlm_tpm2_store_close(&rows);
        return result;
    }
    /* SoftHSM shows public objects without a login. */
    tlm_raw_token *raw = NULL;
    tlm_result result = tlm_store_export_environment(store, NULL, error);
    if (result == TLM_OK) {
        result = tlm_raw_open(store->module, &raw, error);
    }
    if (result == TLM_OK) {
        result = tlm_raw_login(raw, store->label, NULL, error);
    }
    if (result == TLM_OK) {
        result = tlm_raw_list(raw, objects, count, error);
    }
    tlm_raw_close(&raw);
    return result;
}

static json_t *objects_to_json(status *self)
{
    tlm_error error = {0};
    tlm_object_entry objects[TLM_OBJECTS_MAX];
    size_t count = 0;
    json_t *list = json_array();
    if (list_objects(self, objects, &count, &error) != TLM_OK && self->job.store.complete) {
        add_error(self, &error);
    }
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:s}", "label", objects[i].label, "id",
                                              objects[i].id, "class", objects[i].object_class));
    }
    return list;
}

/* Whether the registers are as they were; that is told without unsealing. */
static json_t *secrets_to_json(status *self)
{
    static const char *const places[] = {"none", "clear", "sealed"};
    tlm_error error = {0};
    unsigned changed[TLM_SEAL_PCR_MAX];
    size_t count = 0;
    bool compared = self->sealed_known && self->connected;
    if (compared &&
        tlm_seal_changed(self->job.tpm, &self->sealed, changed, &count, &error) != TLM_OK) {
        add_error(self, &error);
        compared = false;
    }
    json_t *list = json_array();
    for (size_t i = 0; compared && i < count; i++) {
        (void)json_array_append_new(list, json_integer((json_int_t)changed[i]));
    }
    return json_pack(
        "{s:s, s:o, s:o, s:o}", "place", places[self->place], "policy",
        text_or_null(self->sealed_known ? tlm_vault_policy_name(self->sealed.policy) : NULL),
        "pcrsFit", compared ? json_boolean(count == 0) : json_null(), "changedPcrs", list);
}

static json_t *store_to_json(status *self)
{
    const tlm_store *store = &self->job.store;
    if (!self->provisioned) {
        return json_pack("{s:s, s:b}", "directory", self->job.directory, "provisioned", false);
    }
    return json_pack("{s:s, s:b, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "directory",
                     self->job.directory, "provisioned", true, "backend",
                     tlm_backend_name(store->backend), "label", store->label, "module",
                     store->module, "complete", store->complete, "thumbprint",
                     text_or_null(store->thumbprint), "created", text_or_null(store->created),
                     "secrets", secrets_to_json(self), "objects", objects_to_json(self));
}

static json_t *tcti_to_json(const status *self)
{
    const tlm_tcti_list *list = &self->job.candidates;
    const tlm_tcti *used = self->job.used;
    json_t *passed = json_array();
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].passed.result != TLM_OK) {
            (void)json_array_append_new(passed,
                                        json_pack("{s:s, s:s, s:s}", "conf", list->items[i].conf,
                                                  "reason", list->items[i].passed.message, "hint",
                                                  list->items[i].passed.hint));
        }
    }
    return json_pack("{s:o, s:o, s:b, s:o}", "conf", text_or_null(used != NULL ? used->conf : NULL),
                     "origin", text_or_null(used != NULL ? used->origin : NULL), "simulated",
                     used != NULL && used->simulated, "passedOver", passed);
}

static json_t *handle_to_json(status *self, uint32_t handle)
{
    tlm_error error = {0};
    tlm_tpm_object object = {0};
    if (tlm_tpm_read_object(self->job.tpm, handle, &object, &error) != TLM_OK) {
        add_error(self, &error);
    }
    json_t *ours = json_null();
    if (handle == TLM_HANDLE_SRK && (self->name_known || !object.present)) {
        ours = json_boolean(object.present && tlm_tpm_name_equal(&object.name, &self->name));
    }
    if (handle == TLM_HANDLE_SEAL && self->sealed_known) {
        ours =
            json_boolean(object.present && tlm_tpm_name_equal(&object.name, &self->sealed.parent));
    }
    return tlm_tpm_object_to_json(handle, &object, ours);
}

static json_t *facts_to_json(status *self, const tlm_tpm_facts *facts)
{
    json_t *handles = json_array();
    (void)json_array_append_new(handles, handle_to_json(self, TLM_HANDLE_SRK));
    (void)json_array_append_new(handles, handle_to_json(self, TLM_HANDLE_SEAL));
    return tlm_tpm_facts_to_json(facts, handles);
}

static json_t *tpm_to_json(status *self)
{
    tlm_error error = {0};
    tlm_tpm_facts facts;
    tlm_result result = tlm_tpm_open(self->job.request->settings, &self->job.candidates,
                                     &self->job.used, &self->job.tpm, &error);
    if (result == TLM_OK) {
        result = tlm_tpm_read_facts(self->job.tpm, &facts, &error);
    }
    self->connected = result == TLM_OK;
    if (self->connected) {
        return facts_to_json(self, &facts);
    }
    /* A SoftHSM token does without a TPM. */
    if (!self->provisioned || self->job.store.backend == TLM_BACKEND_TPM) {
        add_error(self, &error);
    }
    return json_pack("{s:b}", "connected", false);
}

static json_t *counter_to_json(status *self)
{
    tlm_counter_report report;
    tlm_counter_look(&self->job, self->provisioned, &report);
    if (report.error.result != TLM_OK && self->provisioned && self->job.store.complete) {
        add_error(self, &report.error);
    }
    return tlm_counter_report_to_json(&self->job, &report);
}

tlm_result tlm_status_read(const tlm_settings *settings, json_t **out, tlm_error *error)
{
    *out = NULL;
    const tlm_provision_request request = {.settings = settings};
    status self = {.root = json_object(), .errors = json_array()};
    tlm_result result = tlm_job_begin(&self.job, &request, error);
    if (result == TLM_OK) {
        read_store(&self);
        json_t *tpm = tpm_to_json(&self);
        int failed = json_object_set_new(self.root, "tcti", tcti_to_json(&self));
        failed |= json_object_set_new(self.root, "tpm", tpm);
        failed |= json_object_set_new(self.root, "store", store_to_json(&self));
        failed |= json_object_set_new(self.root, "counter", counter_to_json(&self));
        failed |= json_object_set(self.root, "errors", self.errors);
        if (failed != 0) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the status");
        }
    }
    tlm_job_end(&self.job);
    json_decref(self.errors);
    if (result != TLM_OK) {
        json_decref(self.root);
        return result;
    }
    *out = self.root;
    return TLM_OK;
}
