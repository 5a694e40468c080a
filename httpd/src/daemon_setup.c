/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/store.h>

#include "daemon_api.h"
#include "daemon_container.h"

#define CONFIG_NAME "TLLicenseManager.json"
#define LOG_NAME "TLLicenseManager.log"
#define STORE_NAME "token"

/* Descriptors beside connections: log, module, store, ledger, child's pipes, administrators, and
 * room. */
#define OTHER_FILES 192
#define CONNECTIONS_MIN 8

#define FACTS_INTERVAL_SECONDS 60
#define FACTS_TIMEOUT_MS 20000

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* Whether this build and these settings use a TPM. */
static bool uses_tpm(const tlm_daemon *self)
{
    return tlm_about_build()->tpm_on && self->settings->tpm_enabled &&
           !is_set(self->settings->pkcs11_module);
}

tlm_result tlm_setup_paths(tlm_daemon *self, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    tlm_about_fill(&self->about);
    self->config_file = is_set(settings->config) ? strdup(settings->config)
                                                 : tlm_path_join(settings->config_dir, CONFIG_NAME);
    self->log_file = tlm_path_join(settings->log_dir, LOG_NAME);
    self->token_store = is_set(settings->token_store)
                            ? strdup(settings->token_store)
                            : tlm_path_join(settings->persistence_dir, STORE_NAME);
    if (self->config_file == NULL || self->log_file == NULL || self->token_store == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the paths");
    }
    if (!tlm_file_exists(self->config_file)) {
        free(self->config_file);
        self->config_file = NULL;
    }
    tlm_result result = is_set(settings->pkcs11_module)
                            ? TLM_OK
                            : tlm_client_export_environment(settings->pkcs11_socket, error);
    if (result != TLM_OK) {
        error->result = TLM_ERR_SETTING;
        tlm_error_prefix(error, "%s", settings->origin_name[TLM_SETTING_pkcs11_socket]);
        return error->result;
    }
    self->source = (tlm_status_source){.about = &self->about,
                                       .notices = &self->notices,
                                       .warnings = &self->warnings,
                                       .config_dir = settings->config_dir,
                                       .config_file = self->config_file,
                                       .persistence_dir = settings->persistence_dir,
                                       .log_file = self->log_file,
                                       .token_store = self->token_store};
    return TLM_OK;
}

void tlm_setup_log(tlm_daemon *self)
{
    const tlm_settings *settings = self->settings;
    tlm_log_config config = {.level = settings->log_level,
                             .format = settings->log_format,
                             .to_stderr = true,
                             .file = self->log_file,
                             .max_size = (size_t)settings->log_max_size * 1024,
                             .keep = settings->log_keep};
    tlm_error error = {0};
    tlm_result result = tlm_directory_make(settings->log_dir, 0750, &error);
    if (result != TLM_OK || access(settings->log_dir, F_OK) != 0) {
        tlm_error_set_hint(&error, "make %s writable for uid %u, or name another: --log-dir DIR",
                           settings->log_dir, (unsigned)geteuid());
    }
    tlm_error opening = {0};
    if (tlm_log_open(&config, &opening) != TLM_OK && result == TLM_OK) {
        result = opening.result;
        error = opening;
    }
    if (result != TLM_OK) {
        (void)tlm_notices_raise(&self->notices, "log-file", &error);
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "log_file_unusable", NULL);
    }
    const tlm_build *build = tlm_about_build();
    tlm_log(TLM_LOG_INFO, "starting", "version=%s build=%s runtime=%s pid=%d", TLM_VERSION,
            build->type, tlm_runtime_name(self->about.runtime), (int)getpid());
    if (build->fastcrypt) {
        tlm_log(TLM_LOG_WARNING, "fastcrypt",
                "reason=\"this build makes small local keys for tests; never use it in "
                "production\"");
    }
}

tlm_result tlm_setup_listener(tlm_daemon *self, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    const char *host = settings->rest_host;
    if (!is_set(host) || strcmp(host, "auto") == 0) {
        host = self->about.runtime == TLM_RUNTIME_CONTAINER ? "0.0.0.0" : "127.0.0.1";
    }
    tlm_result result = tlm_listen(host, settings->rest_port, &self->listener, error);
    if (result == TLM_ERR_SETTING) {
        tlm_error_prefix(error, "%s", settings->origin_name[TLM_SETTING_rest_host]);
    }
    if (result == TLM_OK) {
        memcpy(self->url, self->listener.url, sizeof self->url);
    }
    return result;
}

/* The limit of open files, raised towards `needed`. */
static rlim_t raise_file_limit(rlim_t needed)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return needed;
    }
    if (limit.rlim_cur < needed && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

void tlm_setup_limits(tlm_daemon *self)
{
    unsigned wanted = self->settings->rest_connections;
    rlim_t files = raise_file_limit((rlim_t)tlm_server_files(wanted) + OTHER_FILES);
    unsigned allowed = wanted;
    while (allowed > CONNECTIONS_MIN && tlm_server_files(allowed) + OTHER_FILES > files) {
        allowed--;
    }
    self->connections = allowed;
    if (allowed < wanted) {
        tlm_error error;
        (void)tlm_error_set(&error, TLM_ERR_SETTING,
                            "raise the hard limit (LimitNOFILE= of the unit, ulimit -n), or lower "
                            "REST.MaxConnections",
                            "%llu open files are allowed: %u connections are served instead of %u",
                            (unsigned long long)files, allowed, wanted);
        (void)tlm_notices_raise(&self->notices, "connections-limited", &error);
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &error, "connections_limited", NULL);
    }
}

tlm_result tlm_setup_server(tlm_daemon *self, tlm_error *error)
{
    tlm_server_config config = {.listener = &self->listener,
                                .answers = self->answers,
                                .api = self->api,
                                .tls = self->tls,
                                .connections = self->connections,
                                .idle_seconds = self->settings->rest_timeout,
                                .deadline_seconds = self->settings->rest_deadline};
    return tlm_server_start(&config, &self->server, error);
}

/* The way to the TPM that children are told; without children none is needed. */
static tlm_result choose_interface(tlm_daemon *self, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    if (!tlm_about_build()->tpm_on && settings->tpm_enabled) {
        tlm_log(TLM_LOG_INFO, "tpm_off", "reason=\"built with TPM_ON=OFF\"");
    }
    if (!uses_tpm(self) || !settings->start_tokend) {
        return TLM_OK;
    }
    tlm_result result = tlm_tcti_candidates(settings, &self->interfaces, error);
    if (result == TLM_OK) {
        self->interface = tlm_tcti_choose(&self->interfaces);
    }
    return result;
}

void tlm_setup_identity_config(const tlm_daemon *self, tlm_tokend_words *words,
                               tlm_identity_config *config)
{
    const tlm_settings *settings = self->settings;
    bool module = is_set(settings->pkcs11_module);
    tlm_tokend_words_fill(settings, self->token_store, words);
    *config = (tlm_identity_config){
        .persistence_dir = settings->persistence_dir,
        .store_dir = self->token_store,
        .tpm = tlm_about_build()->tpm_on && settings->tpm_enabled,
        .socket = settings->pkcs11_socket,
        .tokend = settings->start_tokend ? words->words : NULL,
        .tcti = self->interface != NULL ? self->interface->conf : NULL,
        .tcti_simulated = self->interface != NULL && self->interface->simulated,
        .module = module ? settings->pkcs11_module : NULL,
        .token_uri = module && is_set(settings->pkcs11_token) ? settings->pkcs11_token : NULL,
        .pin_file = module && is_set(settings->pkcs11_pin_file) ? settings->pkcs11_pin_file : NULL};
}

tlm_result tlm_setup_identity(tlm_daemon *self, tlm_setup_wake changed, tlm_error *error)
{
    tlm_tokend_words words;
    tlm_identity_config config;
    tlm_result result = choose_interface(self, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_setup_identity_config(self, &words, &config);
    config.changed = changed;
    config.context = self;
    return tlm_identity_start(&config, &self->identity, error);
}

tlm_result tlm_setup_facts(tlm_daemon *self, tlm_setup_wake changed, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    if (!uses_tpm(self)) {
        return TLM_OK;
    }
    /* What flags said to this program the child must hear too; it reads environment and file. */
    const char *words[TLM_FACTS_ARGUMENTS + 1] = {"status",
                                                  "--json",
                                                  "--log-level",
                                                  "error",
                                                  "--config-dir",
                                                  settings->config_dir,
                                                  "--persistence-dir",
                                                  settings->persistence_dir,
                                                  "--token-store",
                                                  self->token_store,
                                                  "--token-label",
                                                  settings->token_label};
    size_t count = 12;
    if (is_set(settings->config)) {
        words[count++] = "--config";
        words[count++] = settings->config;
    }
    if (self->interface != NULL) {
        words[count++] = "--tcti";
        words[count++] = self->interface->conf;
    }
    words[count] = NULL;
    tlm_facts_config config = {.arguments = settings->start_tokend ? words : NULL,
                               .socket = settings->pkcs11_socket,
                               .interval_seconds = FACTS_INTERVAL_SECONDS,
                               .timeout_ms = FACTS_TIMEOUT_MS,
                               .changed = changed,
                               .context = self};
    return tlm_facts_start(&config, &self->facts, error);
}

void tlm_setup_clear(tlm_daemon *self)
{
    tlm_daemon_api_stop(self);
    tlm_facts_stop(&self->facts);
    tlm_daemon_container_stop(self);
    tlm_server_stop(&self->admin_server);
    tlm_server_stop(&self->server);
    tlm_daemon_api_clear(self);
    tlm_tls_stop(&self->tls);
    tlm_identity_stop(&self->identity);
    tlm_answers_free(&self->answers);
    tlm_listener_close(&self->listener);
    tlm_tcti_list_clear(&self->interfaces);
    free(self->config_file);
    free(self->log_file);
    free(self->token_store);
    if (self->wake_file >= 0) {
        (void)close(self->wake_file);
    }
}
