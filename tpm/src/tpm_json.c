/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/tpm_json.h>

#include <stdio.h>

static json_t *handle_text(uint32_t handle)
{
    char text[16];
    (void)snprintf(text, sizeof text, "0x%08X", handle);
    return json_string(text);
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

json_t *tlm_tpm_object_to_json(uint32_t handle, const tlm_tpm_object *object, json_t *ours)
{
    char name[2 * TLM_TPM_NAME_MAX + 1] = "";
    tlm_tpm_name_text(&object->name, name);
    return json_pack("{s:o, s:b, s:o, s:o, s:o}", "handle", handle_text(handle), "present",
                     object->present, "ours", ours, "name", text_or_null(name), "type",
                     text_or_null(object->type));
}

json_t *tlm_tpm_facts_to_json(const tlm_tpm_facts *facts, json_t *handles)
{
    json_t *pcr = json_object();
    for (size_t i = 0; i < TLM_TPM_PCR_COUNT; i++) {
        char index[12];
        (void)snprintf(index, sizeof index, "%u", facts->pcr[i].index);
        if (facts->pcr[i].sha256[0] != '\0') {
            (void)json_object_set_new(pcr, index, json_string(facts->pcr[i].sha256));
        }
    }
    json_t *persistent = json_array();
    for (size_t i = 0; i < facts->persistent_count; i++) {
        (void)json_array_append_new(persistent, handle_text(facts->persistent[i]));
    }
    return json_pack(
        "{s:b, s:s, s:s, s:s, s:b, s:{s:I, s:I, s:I, s:I, s:b}, s:b, s:{s:o}, s:o, s:o}",
        "connected", true, "manufacturer", facts->manufacturer, "vendor", facts->vendor, "firmware",
        facts->firmware, "simulated", facts->simulated, "lockout", "counter",
        (json_int_t)facts->lockout_counter, "maxTries", (json_int_t)facts->max_tries,
        "recoverySeconds", (json_int_t)facts->recovery_seconds, "lockoutRecoverySeconds",
        (json_int_t)facts->lockout_recovery_seconds, "inLockout", facts->in_lockout, "ownerAuthSet",
        facts->owner_auth_set, "pcr", "sha256", pcr, "handles",
        handles != NULL ? handles : json_array(), "persistent", persistent);
}
