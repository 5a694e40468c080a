/* SPDX-License-Identifier: BSD-2-Clause */
#include "setup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/store.h>
#include <tlm/tcti.h>

#include "harden.h"

#define STORE_NAME "token"
#define DEVICE "device:"

/* The paths of the settings, each a text of its own, absolute. */
struct tlm_setup_paths {
    tlm_harden_config config;
    char *texts[4 * TLM_HARDEN_PATHS];
    size_t count;
};

typedef struct tlm_setup_paths paths;

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* Adds a path, relative to the working directory or not, to one of the lists; false: no memory. */
static bool add(paths *to, const char *list[TLM_HARDEN_PATHS], const char *path)
{
    char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
    char *made = here != NULL ? tlm_path_join(here, path) : strdup(path);
    free(here);
    size_t used = 0;
    while (used < TLM_HARDEN_PATHS && list[used] != NULL) {
        used++;
    }
    if (made == NULL || used == TLM_HARDEN_PATHS ||
        to->count == sizeof to->texts / sizeof to->texts[0]) {
        free(made);
        return false;
    }
    to->texts[to->count++] = made;
    list[used] = made;
    return true;
}

/*
 * The directory above a file, since editors replace files; but the file alone where everything of
 * the system lies beside it.
 */
static bool add_above(paths *to, const char *list[TLM_HARDEN_PATHS], const char *file)
{
    char *above = strdup(file);
    if (above == NULL) {
        return false;
    }
    char *slash = strrchr(above, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    bool wide = slash == above || strcmp(above, "/etc") == 0 || slash == NULL;
    bool done = add(to, list, wide ? file : above);
    free(above);
    return done;
}

static bool add_store(paths *to, const tlm_settings *settings)
{
    char *path = is_set(settings->token_store)
                     ? strdup(settings->token_store)
                     : tlm_path_join(settings->persistence_dir, STORE_NAME);
    if (path == NULL) {
        return false;
    }
    bool good = add(to, to->config.writable, path);
    tlm_store known = {0};
    if (good && tlm_store_load(path, &known, NULL) == TLM_OK) {
        good = add_above(to, to->config.readable, known.module);
    }
    tlm_store_clear(&known);
    free(path);
    return good;
}

/* TPM devices by their nodes; a simulated TPM may be at the other end of a TCP connection. */
static bool add_devices(paths *to, const tlm_settings *settings)
{
    tlm_tcti_list list = {0};
    bool good = true;
    /* Wrong ones are reported where the interface is chosen. */
    if (tlm_tcti_candidates(settings, &list, NULL) != TLM_OK) {
        list.count = 0;
    }
    for (size_t i = 0; good && i < list.count; i++) {
        const char *conf = list.items[i].conf;
        if (strncmp(conf, DEVICE, strlen(DEVICE)) == 0) {
            good = add(to, to->config.devices, conf + strlen(DEVICE));
        } else if (list.items[i].simulated && strstr(conf, "path=") == NULL) {
            to->config.network = true;
        }
    }
    tlm_tcti_list_clear(&list);
    return good;
}

static bool collect(paths *to, const tlm_settings *settings)
{
    tlm_harden_config *config = &to->config;
    config->user = settings->tokend_user;
    config->foreign_module = is_set(settings->pkcs11_module);
    bool good = add_above(to, config->owned, settings->pkcs11_socket) &&
                add(to, config->owned, settings->log_dir) &&
                add_above(to, config->writable, settings->pkcs11_socket) &&
                add(to, config->writable, settings->log_dir) && add_store(to, settings) &&
                add(to, config->readable, settings->config_dir) && add_devices(to, settings);
    if (good && is_set(settings->config)) {
        good = add_above(to, config->readable, settings->config);
    }
    if (good && is_set(settings->access_file)) {
        good = add_above(to, config->readable, settings->access_file);
    }
    return good;
}

tlm_result tlm_setup_harden_early(tlm_tokend *self, tlm_error *error)
{
    self->paths = calloc(1, sizeof *self->paths);
    if (self->paths == NULL || !collect(self->paths, self->settings)) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                             "no memory for the paths of the settings");
    }
#ifdef TLM_INSTRUMENTED
    if (!is_set(self->settings->tokend_user)) {
        return TLM_OK;
    }
#endif
    return tlm_harden_early(&self->paths->config, error);
}

tlm_result tlm_setup_harden_late(tlm_tokend *self, tlm_error *error)
{
#ifdef TLM_INSTRUMENTED
    (void)self;
    (void)error;
    tlm_log(TLM_LOG_WARNING, "not_hardened",
            "step=all reason=\"a build with sanitizers or coverage\"");
    return TLM_OK;
#else
    return tlm_harden_late(&self->paths->config, error);
#endif
}

void tlm_setup_harden_clear(tlm_tokend *self)
{
    if (self->paths == NULL) {
        return;
    }
    for (size_t i = 0; i < self->paths->count; i++) {
        free(self->paths->texts[i]);
    }
    free(self->paths);
    self->paths = NULL;
}
