/* SPDX-License-Identifier: BSD-2-Clause */
#include "setup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <p11-kit/p11-kit.h>

#include <tlm/file.h>
#include <tlm/log.h>

#include "tokend.h"

#define LOG_NAME "tlm-tokend.log"
#define ACCESS_NAME "access.json"
/* Descriptors beside those of clients: log, module, store, TPM, and room. */
#define OTHER_FILES 64U
#define CLIENTS_MIN 4U

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

void tlm_setup_log_early(const tlm_tokend *self)
{
    const tlm_log_config config = {.level = self->settings->log_level,
                                   .format = self->settings->log_format,
                                   .to_stderr = true};
    /* Without a file there is nothing to fail. */
    (void)!tlm_log_open(&config, NULL);
}

tlm_result tlm_setup_log(tlm_tokend *self, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    char *path = tlm_path_join(settings->log_dir, LOG_NAME);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the log's path");
    }
    tlm_log_config config = {.level = settings->log_level,
                             .format = settings->log_format,
                             .to_stderr = true,
                             .file = path,
                             .max_size = (size_t)settings->log_max_size * 1024,
                             .keep = settings->log_keep};
    tlm_error opening = {0};
    tlm_result made = tlm_directory_make(settings->log_dir, 0750, &opening);
    tlm_error_set_hint(&opening, "make %s writable for uid %u, or name another: --log-dir DIR",
                       settings->log_dir, (unsigned)geteuid());
    if (tlm_log_open(&config, made == TLM_OK ? &opening : NULL) != TLM_OK || made != TLM_OK) {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &opening, "log_file_unusable", NULL);
    }
    free(path);
    tlm_log(TLM_LOG_INFO, "starting", "version=%s pid=%ld uid=%lu", TLM_VERSION, (long)getpid(),
            (unsigned long)geteuid());
    /* What p11-kit would print to stderr on a client's nonsense is no line of ours. */
    p11_kit_be_quiet();
    return TLM_OK;
}

tlm_result tlm_setup_socket(tlm_tokend *self, tlm_error *error)
{
    tlm_result result = tlm_endpoint_open(self->settings->pkcs11_socket, &self->endpoint, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", self->settings->origin_name[TLM_SETTING_pkcs11_socket]);
        return result;
    }
    /* A socket of the service manager need not have a path. */
    bool named = self->endpoint.socket.path[0] == '/';
    self->state_file =
        tlm_state_file_path(named ? self->endpoint.socket.path : self->settings->pkcs11_socket);
    return self->state_file != NULL
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the state file's path");
}

/* As many clients as there may be descriptors for. */
static void limit_clients(tlm_tokend *self)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)self->settings->max_clients + OTHER_FILES;
    self->clients = self->settings->max_clients;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        rlim_t room = limit.rlim_cur > OTHER_FILES ? limit.rlim_cur - OTHER_FILES : 0;
        self->clients = room > CLIENTS_MIN ? (unsigned)room : CLIENTS_MIN;
        tlm_log(TLM_LOG_WARNING, "clients_limited",
                "files=%llu clients=%u wanted=%u hint=\"raise LimitNOFILE= or ulimit -n\"",
                (unsigned long long)limit.rlim_cur, self->clients, self->settings->max_clients);
    }
}

tlm_result tlm_setup_access(tlm_tokend *self, tlm_error *error)
{
    tlm_access_list *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table");
    }
    tlm_result result = tlm_access_load(self->access_file, &made->access, error);
    if (result != TLM_OK) {
        free(made);
        return result;
    }
    made->next = self->access;
    self->access = made;
    if (self->provider != NULL) {
        tlm_provider_set_access(self->provider, made->access);
    }
    return TLM_OK;
}

tlm_result tlm_setup_provider(tlm_tokend *self, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    self->access_file = is_set(settings->access_file)
                            ? strdup(settings->access_file)
                            : tlm_path_join(settings->config_dir, ACCESS_NAME);
    if (self->access_file == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table's path");
    }
    tlm_result result = tlm_setup_access(self, error);
    if (result == TLM_OK) {
        tlm_provider_config config = {.access = self->access->access,
                                      .sessions = settings->max_sessions,
                                      .wait_seconds = settings->call_timeout};
        result = tlm_provider_new(&config, &self->provider, error);
    }
    if (result == TLM_OK) {
        limit_clients(self);
        tlm_connections_config config = {
            .provider = self->provider, .maximum = self->clients, .wake = self->wake_file};
        result = tlm_connections_new(&config, &self->connections, error);
    }
    return result;
}

tlm_result tlm_setup_token(tlm_tokend *self, void (*outdated)(void *context), tlm_error *error)
{
    tlm_result result = tlm_backend_prepare(self->settings, &self->source, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_keeper_config config = {.source = self->source,
                                .provider = self->provider,
                                .state_file = self->state_file,
                                .restart_after = self->settings->restart_after,
                                .outdated = outdated,
                                .context = self};
    return tlm_keeper_start(&config, &self->keeper, error);
}

void tlm_setup_clear(tlm_tokend *self)
{
    tlm_keeper_stop(&self->keeper);
    tlm_connections_free(&self->connections);
    tlm_provider_free(&self->provider);
    tlm_backend_free(&self->source);
    while (self->access != NULL) {
        tlm_access_list *gone = self->access;
        self->access = gone->next;
        tlm_access_free(&gone->access);
        free(gone);
    }
    tlm_endpoint_close(&self->endpoint);
    tlm_setup_harden_clear(self);
    free(self->access_file);
    free(self->state_file);
    if (self->wake_file >= 0) {
        (void)close(self->wake_file);
    }
    if (self->signals >= 0) {
        (void)close(self->signals);
    }
}
