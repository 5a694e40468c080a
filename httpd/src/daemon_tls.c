/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon_tls.h"

#include <stdio.h>
#include <string.h>

#include <tlm/store.h>

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static const char *or_null(const char *text)
{
    return is_set(text) ? text : NULL;
}

/* The module that the operator named, else tlm-tokend, which needs no PIN. */
static tlm_result name_token(const tlm_settings *settings, tlm_tls_config *config, tlm_error *error)
{
    config->token_uri = "pkcs11:";
    if (is_set(settings->pkcs11_module)) {
        config->module = settings->pkcs11_module;
        config->pin_file = or_null(settings->pkcs11_pin_file);
        if (is_set(settings->pkcs11_token)) {
            config->token_uri = settings->pkcs11_token;
        }
        return TLM_OK;
    }
    config->module = tlm_client_module();
    return tlm_client_export_environment(settings->pkcs11_socket, error);
}

tlm_result tlm_daemon_tls_setup(tlm_daemon *self, tlm_setup_wake changed, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    if (!is_set(settings->rest_tls_certificate) && !is_set(settings->rest_tls_key) &&
        !is_set(settings->rest_tls_client_ca) && !settings->rest_tls_client_optional) {
        return TLM_OK;
    }
    tlm_tls_config config = {.sources = {.certificate = or_null(settings->rest_tls_certificate),
                                         .key = or_null(settings->rest_tls_key),
                                         .client_ca = or_null(settings->rest_tls_client_ca),
                                         .client_optional = settings->rest_tls_client_optional},
                             .wait_seconds = settings->rest_deadline,
                             .changed = changed,
                             .context = self};
    tlm_result result = name_token(settings, &config, error);
    if (result == TLM_OK) {
        result = tlm_tls_new(&config, &self->tls, error);
    }
    if (result == TLM_OK) {
        (void)snprintf(self->url, sizeof self->url, "https%s", self->listener.url + strlen("http"));
        self->tls_status.enabled = true;
        return TLM_OK;
    }
    /* A file that cannot be read included, it is the settings that are wrong. */
    if (result != TLM_ERR_MEMORY) {
        error->result = TLM_ERR_SETTING;
    }
    return error->result;
}

tlm_result tlm_daemon_tls_start(tlm_daemon *self, tlm_error *error)
{
    return self->tls != NULL ? tlm_tls_start(self->tls, error) : TLM_OK;
}

bool tlm_daemon_tls_ready(const tlm_daemon *self)
{
    return self->tls == NULL || self->tls_status.ready;
}

static void tell(tlm_daemon *self, const char *code, const tlm_error *error)
{
    if (error->result != TLM_OK) {
        (void)tlm_notices_raise(&self->notices, code, error);
    } else {
        (void)tlm_notices_clear(&self->notices, code);
    }
}

void tlm_daemon_tls_tell(tlm_daemon *self)
{
    self->source.tls = &self->tls_status;
    if (self->tls == NULL) {
        return;
    }
    tlm_tls_state state;
    tlm_tls_get(self->tls, &state);
    self->tls_status = (tlm_status_tls){.enabled = true,
                                        .ready = state.ready,
                                        .not_after = state.not_after,
                                        .key_in = state.key_in_token ? "token" : "file"};
    tell(self, "tls", &state.error);
    tell(self, "tls-certificate", &state.expiration);
}
