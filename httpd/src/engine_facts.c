/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

static void free_mounts(tlm_engine_mount *mounts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(mounts[i].source);
        free(mounts[i].destination);
    }
    free(mounts);
}

void tlm_engine_facts_clear(tlm_engine_facts *facts)
{
    free_mounts(facts->mounts, facts->mount_count);
    *facts = (tlm_engine_facts){.state = TLM_ENGINE_NONE};
}

static bool copy_mount(const tlm_engine_mount *from, tlm_engine_mount *to)
{
    *to = *from;
    to->source = strdup(from->source);
    to->destination = strdup(from->destination);
    return to->source != NULL && to->destination != NULL;
}

tlm_result tlm_engine_facts_copy(const tlm_engine_facts *from, tlm_engine_facts *to,
                                 tlm_error *error)
{
    *to = *from;
    to->mounts = NULL;
    to->mount_count = 0;
    if (from->mount_count == 0) {
        return TLM_OK;
    }
    to->mounts = calloc(from->mount_count, sizeof *to->mounts);
    bool whole = to->mounts != NULL;
    while (whole && to->mount_count < from->mount_count) {
        size_t i = to->mount_count++;
        whole = copy_mount(&from->mounts[i], &to->mounts[i]);
    }
    if (!whole) {
        tlm_engine_facts_clear(to);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a container's mounts");
    }
    return TLM_OK;
}

static bool same_mount(const tlm_engine_mount *left, const tlm_engine_mount *right)
{
    return strcmp(left->type, right->type) == 0 && strcmp(left->source, right->source) == 0 &&
           strcmp(left->destination, right->destination) == 0 &&
           strcmp(left->propagation, right->propagation) == 0 && left->writable == right->writable;
}

static bool same_mounts(const tlm_engine_facts *left, const tlm_engine_facts *right)
{
    if (left->mount_count != right->mount_count) {
        return false;
    }
    for (size_t i = 0; i < left->mount_count; i++) {
        if (!same_mount(&left->mounts[i], &right->mounts[i])) {
            return false;
        }
    }
    return true;
}

static bool same_engine(const tlm_engine_facts *left, const tlm_engine_facts *right)
{
    return left->state == right->state && left->error.result == right->error.result &&
           strcmp(left->error.message, right->error.message) == 0 &&
           strcmp(left->host, right->host) == 0 &&
           strcmp(left->api_version, right->api_version) == 0 &&
           strcmp(left->engine_version, right->engine_version) == 0 &&
           strcmp(left->engine_name, right->engine_name) == 0 && left->access == right->access;
}

static bool same_container(const tlm_engine_facts *left, const tlm_engine_facts *right)
{
    return left->known == right->known && left->by_hostname == right->by_hostname &&
           strcmp(left->id, right->id) == 0 && strcmp(left->name, right->name) == 0 &&
           strcmp(left->image, right->image) == 0 && strcmp(left->image_id, right->image_id) == 0 &&
           strcmp(left->image_digest, right->image_digest) == 0 &&
           strcmp(left->status, right->status) == 0 && strcmp(left->health, right->health) == 0 &&
           strcmp(left->network_mode, right->network_mode) == 0 &&
           left->restart_count == right->restart_count && left->created == right->created &&
           left->started == right->started && left->privileged == right->privileged &&
           left->read_only == right->read_only;
}

bool tlm_engine_facts_same(const tlm_engine_facts *left, const tlm_engine_facts *right)
{
    return same_engine(left, right) && same_container(left, right) && same_mounts(left, right);
}

const char *tlm_engine_state_name(tlm_engine_state state)
{
    switch (state) {
    case TLM_ENGINE_NONE:
        return "none";
    case TLM_ENGINE_UNREACHABLE:
        return "unreachable";
    case TLM_ENGINE_ANSWERING:
        return "answering";
    }
    return "none";
}

const char *tlm_engine_access_name(tlm_engine_access access)
{
    switch (access) {
    case TLM_ENGINE_ACCESS_UNKNOWN:
        return "unknown";
    case TLM_ENGINE_ACCESS_READ:
        return "read";
    case TLM_ENGINE_ACCESS_WRITE:
        return "write";
    }
    return "unknown";
}
