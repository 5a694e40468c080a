/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/log.h>

#define ADMIN_NAME "admin.sock"
#define TRUST_NAME "trust"
#define DAY_SECONDS 86400

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static tlm_result check_settings(const tlm_settings *settings, tlm_error *error)
{
    if (tlm_access_mode_from_word(settings->rest_access) == TLM_ACCESS_CERTIFICATE &&
        !is_set(settings->rest_tls_client_ca)) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "name the authorities of the client certificates: "
                             "--rest-tls-client-ca FILE",
                             "%s: certificate needs REST.Tls.ClientCa, and that is not set",
                             settings->origin_name[TLM_SETTING_rest_access]);
    }
    if (settings->lease_ttl > settings->lease_ttl_max) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "raise Licensing.MaxLeaseTtl (--max-lease-ttl), or lower the other",
                             "%s: %u seconds are more than the %u of Licensing.MaxLeaseTtl",
                             settings->origin_name[TLM_SETTING_lease_ttl], settings->lease_ttl,
                             settings->lease_ttl_max);
    }
    if (is_set(settings->admin_socket) && settings->admin_socket[0] != '/') {
        return tlm_error_set(error, TLM_ERR_SETTING, "for example /run/tlm/admin.sock",
                             "%s: '%s' is no absolute path",
                             settings->origin_name[TLM_SETTING_admin_socket],
                             settings->admin_socket);
    }
    return TLM_OK;
}

/* The socket that is set, else admin.sock beside that of the token. NULL without memory. */
static char *admin_path(const tlm_settings *settings)
{
    if (is_set(settings->admin_socket)) {
        return strdup(settings->admin_socket);
    }
    char *directory = strdup(settings->pkcs11_socket);
    char *slash = directory != NULL ? strrchr(directory, '/') : NULL;
    char *path = NULL;
    if (slash != NULL) {
        slash[1] = '\0';
        path = tlm_path_join(directory, ADMIN_NAME);
    }
    free(directory);
    return path;
}

static void admin_socket_failed(tlm_daemon *self, const tlm_error *error)
{
    tlm_admin_socket_close(&self->admin_socket);
    (void)tlm_notices_raise(&self->notices, "admin-socket", error);
    tlm_log_write_error(TLM_LOG_WARNING, __func__, error, "admin_socket_unusable", NULL);
}

static void open_admin_socket(tlm_daemon *self)
{
    tlm_error error = {0};
    char *path = admin_path(self->settings);
    tlm_result result = path != NULL
                            ? tlm_admin_socket_open(path, &self->admin_socket, &error)
                            : tlm_error_set(&error, TLM_ERR_MEMORY, "name one: --admin-socket PATH",
                                            "there is no path for the administrators' socket");
    if (result != TLM_OK) {
        admin_socket_failed(self, &error);
    }
    free(path);
}

tlm_result tlm_daemon_api_setup(tlm_daemon *self, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    tlm_result result = check_settings(settings, error);
    if (result == TLM_OK) {
        result = tlm_api_new(tlm_access_mode_from_word(settings->rest_access), settings->rest_rate,
                             &self->api, error);
    }
    if (result == TLM_OK) {
        open_admin_socket(self);
    }
    return result;
}

void tlm_daemon_api_serve(tlm_daemon *self)
{
    tlm_error error = {0};
    if (self->admin_socket.listener.file < 0) {
        return;
    }
    tlm_server_config config = {.listener = &self->admin_socket.listener,
                                .answers = self->answers,
                                .api = self->api,
                                .connections = TLM_DAEMON_ADMINISTRATORS,
                                .idle_seconds = self->settings->rest_timeout,
                                .deadline_seconds = self->settings->rest_deadline};
    if (tlm_server_start(&config, &self->admin_server, &error) != TLM_OK) {
        admin_socket_failed(self, &error);
        return;
    }
    self->source.admin_socket = self->admin_socket.path;
    tlm_log(TLM_LOG_INFO, "administrators", "socket=%s", self->admin_socket.path);
}

static tlm_rollback_policy policy_of(const char *word)
{
    if (strcmp(word, "warn") == 0) {
        return TLM_ROLLBACK_WARN;
    }
    return strcmp(word, "stop") == 0 ? TLM_ROLLBACK_STOP : TLM_ROLLBACK_STRICT;
}

tlm_result tlm_daemon_api_start(tlm_daemon *self, tlm_setup_wake changed, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    tlm_tokend_words words;
    tlm_identity_config identity;
    char *trust = tlm_path_join(settings->config_dir, TRUST_NAME);
    if (trust == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the path of the trust");
    }
    tlm_setup_identity_config(self, &words, &identity);
    tlm_licensing_config config = {
        .persistence_dir = settings->persistence_dir,
        .trust_dir = trust,
        .identity = &identity,
        .limits = {.ttl = settings->lease_ttl,
                   .ttl_max = settings->lease_ttl_max,
                   .borrow_max = (int64_t)settings->max_borrow * DAY_SECONDS,
                   .clock_tolerance = settings->clock_tolerance,
                   .policy = policy_of(settings->rollback_policy),
                   .audit_leases = settings->audit_leases},
        .checkpoint_seconds = settings->checkpoint_interval,
        .changed = changed,
        .context = self};
    tlm_result result = tlm_licensing_start(&config, &self->licensing, error);
    free(trust);
    if (result == TLM_OK) {
        tlm_api_open(self->api, self->licensing);
    }
    return result;
}

static void load_token(tlm_daemon *self, tlm_bearer_holder holder, const char *code, bool make)
{
    tlm_error error = {0};
    if (tlm_bearer_load(tlm_api_bearer(self->api), holder, self->settings->persistence_dir, make,
                        &error) == TLM_OK) {
        (void)tlm_notices_clear(&self->notices, code);
        return;
    }
    (void)tlm_notices_raise(&self->notices, code, &error);
    tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "token_unusable", "file=%s",
                        tlm_bearer_file(holder));
}

/* Files are made where the start-up decision lets files be made, and not in a degraded state. */
static void load_tokens(tlm_daemon *self, tlm_start_state state)
{
    bool make = tlm_startup_describe(state)->healthy;
    load_token(self, TLM_BEARER_ADMINISTRATOR, "admin-token", make);
    load_token(self, TLM_BEARER_CLIENT, "client-token", make);
    self->tokens_loaded = true;
}

void tlm_daemon_api_tell(tlm_daemon *self, const tlm_identity_view *view)
{
    bool decided = view->state != TLM_START_PENDING;
    if (decided && (!self->tokens_loaded || self->tokens_state != view->state)) {
        self->tokens_state = view->state;
        load_tokens(self, view->state);
    }
    json_decref(self->source.licensing);
    self->source.licensing = NULL;
    if (self->licensing != NULL) {
        tlm_licensing_identity(self->licensing, view);
        self->source.licensing = tlm_licensing_status(self->licensing);
    }
}

void tlm_daemon_api_reload(tlm_daemon *self)
{
    tlm_error error = {0};
    if (self->tokens_loaded) {
        load_tokens(self, self->tokens_state);
    }
    if (self->licensing == NULL) {
        return;
    }
    if (tlm_licensing_reload(self->licensing, &error) == TLM_OK) {
        (void)tlm_notices_clear(&self->notices, "licensing-trust");
        return;
    }
    (void)tlm_notices_raise(&self->notices, "licensing-trust", &error);
    tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "trust_unusable", NULL);
}

void tlm_daemon_api_stop(tlm_daemon *self)
{
    if (self->api != NULL) {
        tlm_api_close(self->api);
    }
    tlm_licensing_stop(&self->licensing);
}

void tlm_daemon_api_clear(tlm_daemon *self)
{
    tlm_admin_socket_close(&self->admin_socket);
    tlm_api_free(&self->api);
    json_decref(self->source.licensing);
    self->source.licensing = NULL;
}
