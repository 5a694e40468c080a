/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/primary.h>
#include <tlm/secrets.h>
#include <tlm/store.h>
#include <tlm/tcti.h>
#include <tlm/tpm.h>
#include <tlm/tpm_json.h>

#include "hardware_make.h"
#include "pin_source.h"

#define STORE_NAME "token"
#define CLIENT_MODULE "p11-kit-client.so"

static const char *const watched[] = {"token.json", "secrets.json", "sealed.json"};
#define WATCHED (sizeof watched / sizeof watched[0])

/* What tells one version of a file from another. */
typedef struct mark {
    ino_t inode;
    off_t size;
    struct timespec modified;
} mark;

struct tlm_backend_source {
    const tlm_settings *settings;
    bool direct; /* the operator's module */
    char *directory;
    tlm_store store;
    tlm_tcti_list interfaces;
    const tlm_tcti *interface; /* one of them */
    tlm_pin_source pin;
    bool hardware_slot;
    const char *vault_policy; /* of sealed secrets */
    tlm_hardware *hardware;
    mark marks[WATCHED];
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* The client's side of our own socket: it would ask itself. */
static tlm_result check_direct(const tlm_settings *settings, tlm_error *error)
{
    const char *slash = strrchr(settings->pkcs11_module, '/');
    const char *name = slash != NULL ? slash + 1 : settings->pkcs11_module;
    if (strcmp(name, CLIENT_MODULE) == 0) {
        return tlm_error_set(
            error, TLM_ERR_SETTING, "Name the module of the token itself, or none for the store.",
            "%s: %s reaches a token through a server as this one",
            settings->origin_name[TLM_SETTING_pkcs11_module], settings->pkcs11_module);
    }
    return TLM_OK;
}

static char *absolute(const char *path)
{
    char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
    char *made = here != NULL ? tlm_path_join(here, path) : strdup(path);
    free(here);
    return made;
}

static tlm_result find_store(tlm_backend_source *source, tlm_error *error)
{
    const tlm_settings *settings = source->settings;
    char *path = is_set(settings->token_store)
                     ? strdup(settings->token_store)
                     : tlm_path_join(settings->persistence_dir, STORE_NAME);
    source->directory = path != NULL ? absolute(path) : NULL;
    free(path);
    return source->directory != NULL
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the store's path");
}

/* Of both back ends: which one it is may be told only later. */
static tlm_result export_environment(tlm_backend_source *source, tlm_error *error)
{
    tlm_store known = {0};
    if (tlm_store_load(source->directory, &known, NULL) == TLM_OK &&
        known.backend == TLM_BACKEND_SOFTHSM) {
        tlm_result result = tlm_store_export_environment(&known, NULL, error);
        tlm_store_clear(&known);
        return result;
    }
    tlm_store_clear(&known);
    char *conf = tlm_path_join(source->directory, "softhsm2.conf");
    if (conf == NULL || setenv("SOFTHSM2_CONF", conf, 1) != 0) {
        free(conf);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the environment");
    }
    free(conf);
    const tlm_store in_tpm = {.directory = source->directory, .backend = TLM_BACKEND_TPM};
    tlm_result result = tlm_tcti_candidates(source->settings, &source->interfaces, error);
    if (result != TLM_OK) {
        return result;
    }
    source->interface = tlm_tcti_choose(&source->interfaces);
    return tlm_store_export_environment(
        &in_tpm, source->interface != NULL ? source->interface->conf : NULL, error);
}

tlm_result tlm_backend_prepare(const tlm_settings *settings, tlm_backend_source **source,
                               tlm_error *error)
{
    tlm_backend_source *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the back end");
    }
    made->settings = settings;
    made->pin.settings = settings;
    made->direct = is_set(settings->pkcs11_module);
    tlm_result result = TLM_OK;
    if (made->direct) {
        result = check_direct(settings, error);
    } else {
        result = find_store(made, error);
        if (result == TLM_OK) {
            result = export_environment(made, error);
        }
    }
    if (result != TLM_OK) {
        tlm_backend_free(&made);
        return result;
    }
    *source = made;
    return TLM_OK;
}

void tlm_backend_free(tlm_backend_source **source)
{
    if (source == NULL || *source == NULL) {
        return;
    }
    tlm_secret_free(&(*source)->pin.pin);
    tlm_hardware_close(&(*source)->hardware);
    tlm_store_clear(&(*source)->store);
    tlm_tcti_list_clear(&(*source)->interfaces);
    free((*source)->directory);
    free(*source);
    *source = NULL;
}

static void look(const tlm_backend_source *source, mark marks[WATCHED])
{
    for (size_t i = 0; i < WATCHED; i++) {
        struct stat status;
        char *path = tlm_path_join(source->directory, watched[i]);
        marks[i] = (mark){.inode = 0};
        if (path != NULL && stat(path, &status) == 0) {
            marks[i].inode = status.st_ino;
            marks[i].size = status.st_size;
            marks[i].modified = status.st_mtim;
        }
        free(path);
    }
}

bool tlm_backend_changed(const tlm_backend_source *source)
{
    if (source->direct) {
        return false;
    }
    mark now[WATCHED];
    look(source, now);
    for (size_t i = 0; i < WATCHED; i++) {
        const mark *before = &source->marks[i];
        if (now[i].inode != before->inode || now[i].size != before->size ||
            now[i].modified.tv_sec != before->modified.tv_sec ||
            now[i].modified.tv_nsec != before->modified.tv_nsec) {
            return true;
        }
    }
    return false;
}

/*
 * A tlm-tokend that was killed leaves its objects in a TPM behind a bare socket, which has no
 * resource manager to free them. We are the token's one owner, so what fills the slots now is that.
 */
static tlm_result unseal(const tlm_backend_source *source, tlm_tpm *tpm, tlm_store_secrets *secrets,
                         tlm_error *error)
{
    tlm_result result = tlm_secrets_open(&source->store, tpm, secrets, error);
    if (result == TLM_ERR_NO_SPACE) {
        tlm_log(TLM_LOG_INFO, "leftovers_flushed", "tcti=%s", source->interface->conf);
        tlm_tpm_flush_leftovers(tpm);
        result = tlm_secrets_open(&source->store, tpm, secrets, error);
    }
    return result;
}

/* The same where the slots sufficed to unseal and not to log in; the next attempt has them. */
static void free_slots(const tlm_backend_source *source, const tlm_error *error)
{
    bool full = error->domain == TLM_DOMAIN_PKCS11 &&
                (error->native == CKR_GENERAL_ERROR || error->native == CKR_DEVICE_MEMORY);
    tlm_tcti_list list = {0};
    const tlm_tcti *used = NULL;
    tlm_tpm *tpm = NULL;
    if (full && source->store.backend == TLM_BACKEND_TPM &&
        tlm_tpm_open(source->settings, &list, &used, &tpm, NULL) == TLM_OK) {
        tlm_log(TLM_LOG_INFO, "leftovers_flushed", "tcti=%s", used->conf);
        tlm_tpm_flush_leftovers(tpm);
    }
    tlm_tpm_close(&tpm);
    tlm_tcti_list_clear(&list);
}

/*
 * A TPM is asked before its module is loaded: modules do not tell one that is away, or in lockout,
 * from other troubles. Sealed secrets need it, too.
 */
static tlm_result open_secrets(const tlm_backend_source *source, tlm_store_secrets *secrets,
                               tlm_error *error)
{
    if (source->store.backend != TLM_BACKEND_TPM) {
        return tlm_secrets_open(&source->store, NULL, secrets, error);
    }
    tlm_tcti_list list = {0};
    const tlm_tcti *used = NULL;
    tlm_tpm *tpm = NULL;
    tlm_tpm_facts facts;
    tlm_result result = tlm_tpm_open(source->settings, &list, &used, &tpm, error);
    if (result == TLM_OK) {
        result = tlm_tpm_read_facts(tpm, &facts, error);
    }
    if (result == TLM_OK) {
        result = tlm_pin_source_check(&facts, error);
    }
    if (result == TLM_OK) {
        result = unseal(source, tpm, secrets, error);
    }
    tlm_tpm_close(&tpm);
    tlm_tcti_list_clear(&list);
    return result;
}

static tlm_result load_secrets(tlm_backend_source *source, tlm_error *error)
{
    tlm_store_secrets secrets = {0};
    tlm_result result = open_secrets(source, &secrets, error);
    if (result == TLM_OK) {
        /* All that is kept; the rest is wiped. */
        tlm_secret_free(&source->pin.pin);
        source->pin.pin = secrets.user_pin;
        secrets.user_pin = NULL;
    }
    tlm_store_secrets_clear(&secrets);
    return result;
}

/* What the secrets are sealed to; NULL where they are not, or their file tells nothing. */
static const char *read_policy(const tlm_store *store)
{
    tlm_sealed sealed;
    bool known = tlm_secrets_where(store) == TLM_SECRETS_SEALED &&
                 tlm_secrets_read_sealed(store, &sealed, NULL) == TLM_OK;
    return known ? tlm_vault_policy_name(sealed.policy) : NULL;
}

static tlm_result load_store(tlm_backend_source *source, tlm_error *error)
{
    look(source, source->marks);
    tlm_store_clear(&source->store);
    tlm_result result = tlm_store_load(source->directory, &source->store, error);
    if (result == TLM_OK && !source->store.complete) {
        result = tlm_error_set(error, TLM_ERR_INCOMPLETE, "complete it: tlm-token-init provision",
                               "provisioning of the store %s is under way or was interrupted",
                               source->directory);
    }
    source->pin.tpm = source->store.backend == TLM_BACKEND_TPM;
    source->vault_policy = result == TLM_OK ? read_policy(&source->store) : NULL;
    return result == TLM_OK ? load_secrets(source, error) : result;
}

tlm_result tlm_backend_open(tlm_backend_source *source, tlm_token **token, tlm_error *error)
{
    const tlm_settings *settings = source->settings;
    tlm_token_config config = {.pin = tlm_pin_source_give, .context = &source->pin};
    tlm_result result = TLM_OK;
    if (source->direct) {
        config.module = settings->pkcs11_module;
        config.uri = is_set(settings->pkcs11_token) ? settings->pkcs11_token : "pkcs11:";
        tlm_secret_free(&source->pin.pin);
        if (is_set(settings->pkcs11_pin_file)) {
            result = tlm_pin_from_file(settings->pkcs11_pin_file, &source->pin.pin, error);
        }
    } else {
        result = load_store(source, error);
        config.module = source->store.module;
        config.uri = source->store.uri;
    }
    if (result == TLM_OK) {
        result = tlm_token_open(&config, token, error);
        if (result != TLM_OK && !source->direct) {
            free_slots(source, error);
        }
    }
    if (result == TLM_OK) {
        tlm_token_info info;
        tlm_token_get_info(*token, &info);
        source->hardware_slot = info.hardware_slot;
    }
    return result;
}

const tlm_hardware *tlm_backend_hardware(tlm_backend_source *source)
{
    tlm_error error = {0};
    const char *tcti = source->interface != NULL ? source->interface->conf : NULL;
    if (source->direct || source->store.directory == NULL || source->hardware != NULL) {
        return source->hardware;
    }
    if (tlm_hardware_open(&source->store, tcti, &source->hardware, &error) != TLM_OK) {
        tlm_log_error(&error, "hardware_features_missing", NULL);
    }
    return source->hardware;
}

void tlm_backend_describe(const tlm_backend_source *source, tlm_state_report *report)
{
    bool tpm = !source->direct && source->store.backend == TLM_BACKEND_TPM;
    if (source->direct) {
        report->backend = "module";
        report->hardware_bound = source->hardware_slot;
        return;
    }
    report->store = source->directory;
    report->label = source->store.label;
    if (source->store.directory != NULL) {
        report->backend = tlm_backend_name(source->store.backend);
    }
    report->vault_policy = source->vault_policy;
    if (tpm && source->interface != NULL) {
        report->tcti = source->interface->conf;
        report->simulated = source->interface->simulated;
        report->hardware_bound = !source->interface->simulated;
    }
}

static json_t *handles_of(tlm_tpm *tpm)
{
    static const uint32_t handles[] = {TLM_HANDLE_SRK, TLM_HANDLE_SEAL};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        tlm_tpm_object object = {0};
        if (tlm_tpm_read_object(tpm, handles[i], &object, NULL) == TLM_OK) {
            /* Whose it is tells the database of tpm2-pkcs11, which is not read here. */
            (void)json_array_append_new(list,
                                        tlm_tpm_object_to_json(handles[i], &object, json_null()));
        }
    }
    return list;
}

json_t *tlm_backend_read_tpm(const tlm_backend_source *source)
{
    if (source->direct || source->store.backend != TLM_BACKEND_TPM) {
        return NULL;
    }
    tlm_tcti_list list = {0};
    const tlm_tcti *used = NULL;
    tlm_tpm *tpm = NULL;
    tlm_tpm_facts facts;
    json_t *object = NULL;
    if (tlm_tpm_open(source->settings, &list, &used, &tpm, NULL) == TLM_OK &&
        tlm_tpm_read_facts(tpm, &facts, NULL) == TLM_OK) {
        object = tlm_tpm_facts_to_json(&facts, handles_of(tpm));
    }
    tlm_tpm_close(&tpm);
    tlm_tcti_list_clear(&list);
    return object != NULL ? object : json_pack("{s:b}", "connected", false);
}
