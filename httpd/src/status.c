/* SPDX-License-Identifier: BSD-2-Clause */
#include "status.h"

#include <microhttpd.h>

#include <tlm/trust.h>

#include "container_json.h"
#include "json_text.h"
#include "problem.h"

static json_t *whole(json_t *object, int failed)
{
    if (failed != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

bool tlm_status_ailment(const tlm_identity_view *view, tlm_ailment *ailment)
{
    const tlm_start_description *state = tlm_startup_describe(view->state);
    if (view->state == TLM_START_PENDING || (view->ready && state->healthy)) {
        return false;
    }
    const tlm_error *error = &view->error;
    *ailment = (tlm_ailment){.code = state->name, .message = state->message, .hint = state->hint};
    if (error->result != TLM_OK) {
        ailment->message = error->message;
        ailment->hint = error->hint[0] != '\0' ? error->hint : state->hint;
        /* A start that went well, and a token that failed since: the state says nothing of it. */
        ailment->code = state->healthy ? tlm_result_code(error->result) : state->name;
    }
    return true;
}

const char *tlm_status_kind(const tlm_identity_view *view)
{
    tlm_ailment ailment;
    if (view->state == TLM_START_PENDING) {
        return "pending";
    }
    if (tlm_status_ailment(view, &ailment)) {
        return "degraded";
    }
    return view->warm ? "warm" : "cold";
}

char *tlm_status_health_text(const tlm_identity_view *view)
{
    tlm_ailment ailment;
    bool well = view->state != TLM_START_PENDING && !tlm_status_ailment(view, &ailment);
    json_t *object = json_object();
    int failed = json_object_set_new(object, "status", json_string(well ? "ok" : "degraded"));
    failed |= json_object_set_new(object, "state",
                                  tlm_json_text(tlm_startup_describe(view->state)->name));
    return tlm_json_finish(object, failed);
}

char *tlm_status_ready_text(const tlm_identity_view *view)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "ready", json_true());
    failed |= json_object_set_new(object, "state",
                                  tlm_json_text(tlm_startup_describe(view->state)->name));
    return tlm_json_finish(object, failed);
}

char *tlm_status_problem_text(const tlm_identity_view *view, const char *path)
{
    const tlm_start_description *state = tlm_startup_describe(view->state);
    tlm_ailment ailment = {.code = state->name, .message = state->message, .hint = state->hint};
    (void)tlm_status_ailment(view, &ailment);
    tlm_problem problem = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                           .code = ailment.code,
                           .detail = ailment.message,
                           .hint = ailment.hint,
                           .instance = path};
    return tlm_problem_text(&problem);
}

static json_t *build_object(void)
{
    const tlm_build *build = tlm_about_build();
    json_t *object = json_object();
    int failed = json_object_set_new(object, "compiler", tlm_json_text(build->compiler));
    failed |= json_object_set_new(object, "type", tlm_json_text(build->type));
    failed |= json_object_set_new(object, "fastcrypt", json_boolean(build->fastcrypt));
    failed |= json_object_set_new(object, "tpmOn", json_boolean(build->tpm_on));
    failed |= json_object_set_new(object, "runtimeTrust", json_boolean(tlm_trust_runtime()));
    return whole(object, failed);
}

static json_t *platform_object(const tlm_about *about)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "os", tlm_json_text(about->os));
    failed |= json_object_set_new(object, "kernel", tlm_json_text(about->kernel));
    failed |= json_object_set_new(object, "arch", tlm_json_text(about->arch));
    return whole(object, failed);
}

static json_t *start_object(const tlm_identity_view *view)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "kind", json_string(tlm_status_kind(view)));
    failed |= json_object_set_new(object, "state",
                                  tlm_json_text(tlm_startup_describe(view->state)->name));
    failed |= json_object_set_new(object, "since", tlm_json_time(view->state_since));
    return whole(object, failed);
}

/* tlm-tokend, through which the token is used; null for a module and for a key file. */
static json_t *provider_object(const tlm_identity_view *view)
{
    if (!view->has_provider) {
        return json_null();
    }
    json_t *object = json_object();
    int failed = json_object_set_new(object, "socket", tlm_json_text(view->provider_socket));
    failed |= json_object_set_new(
        object, "pid",
        view->provider_pid != 0 ? json_integer((json_int_t)view->provider_pid) : json_null());
    failed |= json_object_set_new(object, "supervised", json_boolean(view->provider_supervised));
    return whole(object, failed);
}

static json_t *token_object(const tlm_identity_view *view)
{
    const tlm_token_info *info = view->has_token ? &view->token_info : NULL;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "backend", tlm_json_text(view->backend));
    failed |= json_object_set_new(object, "ready", json_boolean(view->ready));
    failed |= json_object_set_new(object, "hardwareBound", json_boolean(view->hardware_bound));
    failed |= json_object_set_new(object, "simulated", json_boolean(view->simulated));
    failed |= json_object_set_new(object, "label", tlm_json_text(info ? info->label : NULL));
    failed |= json_object_set_new(object, "manufacturer",
                                  tlm_json_text(info ? info->manufacturer : NULL));
    failed |= json_object_set_new(object, "model", tlm_json_text(info ? info->model : NULL));
    failed |= json_object_set_new(object, "firmware",
                                  tlm_json_text(info ? info->firmware_version : NULL));
    failed |= json_object_set_new(object, "serial", tlm_json_text(info ? info->serial : NULL));
    failed |= json_object_set_new(object, "library", tlm_json_text(info ? info->library : NULL));
    failed |= json_object_set_new(object, "recoveries", json_integer((json_int_t)view->recoveries));
    failed |= json_object_set_new(object, "provider", provider_object(view));
    return whole(object, failed);
}

/*
 * Of the child's answer (tlm-token-init(8), status object) what it says about the TPM and the way
 * to it; the store is known here already.
 */
static json_t *facts_object(const tlm_status_source *source)
{
    if (source->facts == NULL) {
        return json_null();
    }
    json_t *facts = json_loads(source->facts, 0, NULL);
    json_t *tpm = json_object_get(facts, "tpm");
    json_t *errors = json_object_get(facts, "errors");
    json_t *object = json_is_object(tpm) ? json_copy(tpm) : json_object();
    int failed = json_is_object(facts) ? 0 : -1;
    if (json_object_get(facts, "tcti") != NULL) {
        failed |= json_object_set(object, "tcti", json_object_get(facts, "tcti"));
    }
    if (json_array_size(errors) > 0) {
        failed |= json_object_set(object, "errors", errors);
    }
    failed |= json_object_set_new(object, "asOf", tlm_json_time(source->facts_as_of));
    json_decref(facts);
    return whole(object, failed);
}

static json_t *fingerprint_object(const tlm_identity_view *view)
{
    if (!view->has_fingerprint) {
        return json_null();
    }
    json_t *object = json_object();
    int failed = json_object_set_new(
        object, "type", json_string(tlm_fingerprint_type_name(view->fingerprint.type)));
    failed |= json_object_set_new(object, "value", tlm_json_text(view->fingerprint.text));
    return whole(object, failed);
}

static json_t *paths_object(const tlm_status_source *source)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "config", tlm_json_text(source->config_dir));
    failed |= json_object_set_new(object, "configFile", tlm_json_text(source->config_file));
    failed |= json_object_set_new(object, "persistence", tlm_json_text(source->persistence_dir));
    failed |= json_object_set_new(object, "log", tlm_json_text(source->log_file));
    failed |= json_object_set_new(object, "tokenStore", tlm_json_text(source->token_store));
    failed |= json_object_set_new(object, "adminSocket", tlm_json_text(source->admin_socket));
    return whole(object, failed);
}

static json_t *tls_object(const tlm_status_tls *tls)
{
    static const tlm_status_tls plain = {.enabled = false};
    tls = tls != NULL ? tls : &plain;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "enabled", json_boolean(tls->enabled));
    failed |= json_object_set_new(object, "certificateNotAfter", tlm_json_time(tls->not_after));
    failed |= json_object_set_new(object, "keyIn", tlm_json_text(tls->key_in));
    return whole(object, failed);
}

static json_t *error_object(const char *code, const char *message, const char *hint, time_t since)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "code", tlm_json_text(code));
    failed |= json_object_set_new(object, "message", tlm_json_text(message));
    failed |= json_object_set_new(object, "hint", tlm_json_text(hint));
    failed |= json_object_set_new(object, "since", tlm_json_time(since));
    return whole(object, failed);
}

static int append_notices(json_t *array, const tlm_notices *notices)
{
    int failed = 0;
    for (size_t i = 0; notices != NULL && i < TLM_NOTICES_MAX; i++) {
        const tlm_notice *notice = &notices->items[i];
        if (notice->code != NULL) {
            failed |= json_array_append_new(array, error_object(notice->code, notice->error.message,
                                                                notice->error.hint, notice->since));
        }
    }
    return failed;
}

static json_t *errors_array(const tlm_status_source *source)
{
    json_t *array = json_array();
    int failed = 0;
    tlm_ailment ailment;
    if (tlm_status_ailment(source->view, &ailment)) {
        failed |=
            json_array_append_new(array, error_object(ailment.code, ailment.message, ailment.hint,
                                                      source->view->state_since));
    }
    failed |= append_notices(array, source->notices);
    return whole(array, failed);
}

static json_t *warnings_array(const tlm_status_source *source)
{
    json_t *array = json_array();
    return whole(array, append_notices(array, source->warnings));
}

char *tlm_status_text(const tlm_status_source *source)
{
    const tlm_identity_view *view = source->view;
    const tlm_about *about = source->about;
    bool tpm_connected = view->ready && view->holder == TLM_HOLDER_TPM;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "service", json_string(TLM_SERVICE));
    failed |= json_object_set_new(object, "version", json_string(TLM_VERSION));
    failed |= json_object_set_new(object, "build", build_object());
    failed |= json_object_set_new(object, "platform", platform_object(about));
    failed |= json_object_set_new(object, "runtime", json_string(tlm_runtime_name(about->runtime)));
    failed |= json_object_set_new(object, "elevated", json_boolean(about->elevated));
    failed |= json_object_set_new(object, "start", start_object(view));
    failed |= json_object_set_new(object, "tpmConnected", json_boolean(tpm_connected));
    failed |= json_object_set_new(object, "token", token_object(view));
    failed |= json_object_set_new(object, "tpm", facts_object(source));
    failed |= json_object_set_new(object, "fingerprint", fingerprint_object(view));
    failed |= json_object_set_new(object, "storageId", tlm_json_text(view->storage_id));
    failed |= json_object_set_new(object, "paths", paths_object(source));
    failed |= json_object_set_new(object, "tls", tls_object(source->tls));
    failed |= json_object_set_new(object, "licensing",
                                  source->licensing != NULL ? json_incref(source->licensing)
                                                            : json_null());
    failed |= json_object_set_new(object, "container",
                                  tlm_container_json(&about->container, source->engine));
    failed |= json_object_set_new(object, "virtualMachine", tlm_machine_json(&about->machine));
    failed |= json_object_set_new(object, "errors", errors_array(source));
    failed |= json_object_set_new(object, "warnings", warnings_array(source));
    failed |= json_object_set_new(object, "startedAt", tlm_json_time(about->started));
    return tlm_json_finish(object, failed);
}
