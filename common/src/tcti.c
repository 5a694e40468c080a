/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/tcti.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#include "tcti_internal.h"

#define LOCAL_HOST "127.0.0.1"

/* "swtpm" of "swtpm:path=/…", of "libtss2-tcti-swtpm.so.0:path=/…", and of "swtpm" alone. */
void tlm_tcti_split(const char *conf, char *name, size_t size, const char **rest)
{
    static const char prefix[] = "libtss2-tcti-";
    const char *colon = strchr(conf, ':');
    const char *end = colon != NULL ? colon : conf + strlen(conf);
    const char *start = conf;
    if (strncmp(conf, prefix, sizeof prefix - 1) == 0) {
        start += sizeof prefix - 1;
        const char *suffix = strstr(start, ".so");
        end = suffix != NULL && suffix < end ? suffix : end;
    }
    (void)snprintf(name, size, "%.*s", (int)(end - start), start);
    *rest = colon != NULL ? colon + 1 : conf + strlen(conf);
}

bool tlm_tcti_is_simulated(const char *conf)
{
    static const char *const names[] = {"swtpm", "mssim", "libtpms"};
    char name[32];
    const char *rest = NULL;
    tlm_tcti_split(conf, name, sizeof name, &rest);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "127.0.0.1:2323": digits alone behind the only colon, as user-mode resource managers are named.
 */
static bool is_host_and_port(const char *entry)
{
    const char *colon = strchr(entry, ':');
    if (colon == NULL || colon == entry || colon[1] == '\0' || strchr(entry, '=') != NULL) {
        return false;
    }
    return strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

/* What people write, as the TCTI loader takes it. New string. */
static char *expand(const char *entry)
{
    size_t size = strlen(entry) + 64;
    char *conf = malloc(size);
    if (conf == NULL) {
        return NULL;
    }
    if (entry[0] == '/') {
        (void)snprintf(conf, size, "device:%s", entry);
    } else if (strcmp(entry, "device") == 0 || strcmp(entry, "device:") == 0) {
        /* The loader would try /dev/tpm0 too, which is exclusive. */
        (void)snprintf(conf, size, "device:/dev/tpmrm0");
    } else if (is_host_and_port(entry)) {
        (void)snprintf(conf, size, "mssim:host=%.*s,port=%s", (int)strcspn(entry, ":"), entry,
                       strchr(entry, ':') + 1);
    } else {
        (void)snprintf(conf, size, "%s", entry);
    }
    return conf;
}

/* Adds a candidate; takes over `conf`, which may be NULL for lack of memory. */
static tlm_result add(tlm_tcti_list *list, char *conf, const char *origin, bool named,
                      tlm_error *error)
{
    if (conf == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a TPM interface's name");
    }
    if (list->count == TLM_TCTI_MAX) {
        free(conf);
        return tlm_error_set(error, TLM_ERR_SETTING, "leave some out",
                             "%s names more than %d TPM interfaces", origin, TLM_TCTI_MAX);
    }
    list->items[list->count++] = (tlm_tcti){
        .conf = conf, .origin = origin, .named = named, .simulated = tlm_tcti_is_simulated(conf)};
    return TLM_OK;
}

static char *device_conf(const char *path)
{
    /* Somebody used to TSS2_TCTI may write the prefix here too. */
    return expand(strncmp(path, "device:", 7) == 0 ? path + 7 : path);
}

static char *host_conf(const tlm_settings *settings)
{
    const char *host = settings->tpm_host[0] != '\0' ? settings->tpm_host : LOCAL_HOST;
    size_t size = strlen(host) + 64;
    char *conf = malloc(size);
    if (conf != NULL) {
        (void)snprintf(conf, size, "swtpm:host=%s,port=%u", host, settings->tpm_port);
    }
    return conf;
}

/*
 * What was named at one level of precedence. Inside a level tcti goes first: the product's
 * container sets both TSS2_TCTI and TPM_DEVICE.
 */
static tlm_result add_named(const tlm_settings *settings, tlm_setting_origin level,
                            tlm_tcti_list *list, tlm_error *error)
{
    const tlm_setting_origin *origin = settings->origin;
    const char *const *name = settings->origin_name;
    if (origin[TLM_SETTING_tcti] == level && settings->tcti[0] != '\0') {
        return add(list, expand(settings->tcti), name[TLM_SETTING_tcti], true, error);
    }
    if (origin[TLM_SETTING_tpm_device] == level && settings->tpm_device[0] != '\0') {
        return add(list, device_conf(settings->tpm_device), name[TLM_SETTING_tpm_device], true,
                   error);
    }
    if (origin[TLM_SETTING_tpm_host] == level && settings->tpm_host[0] != '\0') {
        return add(list, host_conf(settings), name[TLM_SETTING_tpm_host], true, error);
    }
    if (origin[TLM_SETTING_tpm_port] == level) {
        return add(list, host_conf(settings), name[TLM_SETTING_tpm_port], true, error);
    }
    return TLM_OK;
}

/* "port=2321" belongs to the entry before it: a TCTI's own options are separated by commas too. */
static bool continues(const char *part)
{
    size_t word = strspn(part, "abcdefghijklmnopqrstuvwxyz_");
    return word > 0 && part[word] == '=';
}

static size_t entry_length(const char *list)
{
    size_t length = strcspn(list, ",");
    while (list[length] == ',' && continues(list + length + 1)) {
        length += 1 + strcspn(list + length + 1, ",");
    }
    return length;
}

static tlm_result add_priority(const tlm_settings *settings, tlm_tcti_list *list, tlm_error *error)
{
    bool standard = settings->origin[TLM_SETTING_tpm_priority] == TLM_ORIGIN_DEFAULT;
    const char *origin =
        standard ? "default order" : settings->origin_name[TLM_SETTING_tpm_priority];
    const char *next = settings->tpm_priority;
    while (*next != '\0') {
        size_t length = entry_length(next);
        const char *start = next + strspn(next, " ");
        char *entry = strndup(start, length - (size_t)(start - next));
        if (entry == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", origin);
        }
        tlm_result result = add(list, expand(entry), origin, false, error);
        free(entry);
        if (result != TLM_OK) {
            return result;
        }
        next += length + (next[length] == ',' ? 1 : 0);
    }
    return TLM_OK;
}

tlm_result tlm_tcti_candidates(const tlm_settings *settings, tlm_tcti_list *list, tlm_error *error)
{
    static const tlm_setting_origin levels[] = {TLM_ORIGIN_COMMAND_LINE, TLM_ORIGIN_ENVIRONMENT,
                                                TLM_ORIGIN_FILE};
    if (settings == NULL || list == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "TPM interfaces without settings");
    }
    *list = (tlm_tcti_list){0};
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0] && result == TLM_OK; i++) {
        result = add_named(settings, levels[i], list, error);
        if (list->count > 0) {
            return result;
        }
    }
    if (result == TLM_OK) {
        result = add_priority(settings, list, error);
    }
    if (result != TLM_OK) {
        tlm_tcti_list_clear(list);
    }
    return result;
}

const tlm_tcti *tlm_tcti_choose(tlm_tcti_list *list)
{
    if (list == NULL || list->count == 0) {
        return NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        tlm_tcti *tcti = &list->items[i];
        char conf[256];
        tcti->passed = (tlm_error){0};
        if (tlm_tcti_check(tcti, &tcti->passed) == TLM_OK) {
            tlm_log(TLM_LOG_DEBUG, "tpm_interface_chosen", "tcti=%s origin=\"%s\"",
                    tlm_log_quote(tcti->conf, conf, sizeof conf), tcti->origin);
            return tcti;
        }
        tlm_log_write_error(TLM_LOG_INFO, __func__, &tcti->passed, "tpm_interface_passed_over",
                            "tcti=%s origin=\"%s\"", tlm_log_quote(tcti->conf, conf, sizeof conf),
                            tcti->origin);
    }
    return &list->items[0];
}

void tlm_tcti_list_clear(tlm_tcti_list *list)
{
    if (list == NULL) {
        return;
    }
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].conf);
    }
    *list = (tlm_tcti_list){0};
}
