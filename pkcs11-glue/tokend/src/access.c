/* SPDX-License-Identifier: BSD-2-Clause */
#include "access_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>

tlm_access *tlm_access_new(size_t count)
{
    tlm_access *access = calloc(1, sizeof *access);
    if (access == NULL) {
        return NULL;
    }
    access->rules = calloc(count > 0 ? count : 1, sizeof *access->rules);
    if (access->rules == NULL) {
        free(access);
        return NULL;
    }
    access->count = count;
    return access;
}

void tlm_access_free(tlm_access **access)
{
    if (access == NULL || *access == NULL) {
        return;
    }
    for (size_t i = 0; i < (*access)->count; i++) {
        tlm_access_rule *rule = &(*access)->rules[i];
        for (size_t n = 0; n < rule->object_count; n++) {
            free(rule->objects[n]);
        }
        free(rule->objects);
    }
    free((*access)->rules);
    free(*access);
    *access = NULL;
}

/* The storage mark, which TLLicenseManager writes once: it has no other object to manage. */
static bool add_mark(tlm_access_rule *rule)
{
    rule->uses = TLM_USE_MANAGE;
    rule->objects = calloc(1, sizeof *rule->objects);
    if (rule->objects == NULL) {
        return false;
    }
    rule->objects[0] = strdup(TLM_ACCESS_MARK);
    rule->object_count = 1;
    return rule->objects[0] != NULL;
}

static tlm_result make_default(tlm_access **access, tlm_error *error)
{
    tlm_access *made = tlm_access_new(4);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table");
    }
    made->rules[0] = (tlm_access_rule){.uses = TLM_ACCESS_USE_ALL, .every_object = true};
    made->rules[1] = (tlm_access_rule){
        .is_group = true, .id = getegid(), .uses = TLM_ACCESS_USE_ALL, .every_object = true};
    made->rules[2] = (tlm_access_rule){.id = 0};
    made->rules[3] = (tlm_access_rule){.is_group = true, .id = getegid()};
    if (!add_mark(&made->rules[2]) || !add_mark(&made->rules[3])) {
        tlm_access_free(&made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the access table");
    }
    *access = made;
    return TLM_OK;
}

tlm_result tlm_access_load(const char *path, tlm_access **access, tlm_error *error)
{
    if (path == NULL || path[0] == '\0' || access == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "loading an access table from nowhere");
    }
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read_trusted(path, TLM_ACCESS_FILE_MAX, &text, &size, error);
    if (result == TLM_ERR_NOT_FOUND) {
        tlm_log(TLM_LOG_INFO, "access_default", "user=0 group=%u", (unsigned)getegid());
        return make_default(access, error);
    }
    if (result == TLM_OK) {
        result = tlm_access_parse(text, size, path, access, error);
    }
    free(text);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "access table");
        return result;
    }
    char quoted[512];
    tlm_log(TLM_LOG_INFO, "access_table", "path=%s rules=%zu",
            tlm_log_quote(path, quoted, sizeof quoted), (*access)->count);
    return TLM_OK;
}

static bool is_about(const tlm_access_rule *rule, const tlm_peer *peer)
{
    return rule->is_group ? tlm_peer_in_group(peer, rule->id) : peer->uid == rule->id;
}

static bool names(const tlm_access_rule *rule, const char *label)
{
    for (size_t i = 0; i < rule->object_count && !rule->every_object; i++) {
        if (strcmp(rule->objects[i], label) == 0) {
            return true;
        }
    }
    return rule->every_object;
}

bool tlm_access_allows(const tlm_access *access, const tlm_peer *peer, const char *label,
                       tlm_use use)
{
    unsigned granted = 0;
    for (size_t i = 0; i < access->count; i++) {
        const tlm_access_rule *rule = &access->rules[i];
        if (is_about(rule, peer) && names(rule, label != NULL ? label : "")) {
            granted |= rule->uses;
        }
    }
    return use != 0 && (granted & (unsigned)use) == (unsigned)use;
}

bool tlm_access_knows(const tlm_access *access, const tlm_peer *peer)
{
    for (size_t i = 0; i < access->count; i++) {
        if (is_about(&access->rules[i], peer)) {
            return true;
        }
    }
    return false;
}
