/* SPDX-License-Identifier: BSD-2-Clause */
#include "tpm_private.h"

#include <stdio.h>
#include <string.h>

static const unsigned pcr_indexes[TLM_TPM_PCR_COUNT] = {0, 2, 7};

/* All properties of one group come in one answer, 127 at most. */
#define GROUP_SIZE 127U

static tlm_result read_group(tlm_tpm *tpm, TPM2_PT first, TPMS_CAPABILITY_DATA **data,
                             tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    TPMI_YES_NO more = TPM2_NO;
    do {
        rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                TPM2_CAP_TPM_PROPERTIES, first, GROUP_SIZE, &more, data);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "TPM2_GetCapability", "of the properties from 0x%X",
                                 first);
    }
    return TLM_OK;
}

static bool value_of(const TPMS_CAPABILITY_DATA *data, TPM2_PT property, uint32_t *value)
{
    const TPML_TAGGED_TPM_PROPERTY *list = &data->data.tpmProperties;
    for (UINT32 i = 0; i < list->count; i++) {
        if (list->tpmProperty[i].property == property) {
            *value = list->tpmProperty[i].value;
            return true;
        }
    }
    return false;
}

bool tlm_tpm_property(tlm_tpm *tpm, TPM2_PT property, uint32_t *value)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    if (read_group(tpm, property, &data, NULL) != TLM_OK) {
        return false;
    }
    bool found = value_of(data, property, value);
    Esys_Free(data);
    return found;
}

/* Four characters packed into a number, most significant first; blanks inside are kept. */
static void unpack(uint32_t value, char *text)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned char letter = (unsigned char)(value >> (24 - 8 * i));
        text[i] = '\0';
        if (letter >= ' ' && letter <= '~') {
            text[i] = (char)letter;
        }
    }
}

static void trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ') {
        text[--length] = '\0';
    }
}

static void fill_fixed(const TPMS_CAPABILITY_DATA *data, tlm_tpm_facts *facts)
{
    uint32_t value = 0;
    if (value_of(data, TPM2_PT_MANUFACTURER, &value)) {
        unpack(value, facts->manufacturer);
        trim(facts->manufacturer);
    }
    for (unsigned i = 0; i < 4; i++) {
        if (value_of(data, TPM2_PT_VENDOR_STRING_1 + i, &value)) {
            char part[5] = "";
            unpack(value, part);
            size_t used = strlen(facts->vendor);
            (void)snprintf(facts->vendor + used, sizeof facts->vendor - used, "%s", part);
        }
    }
    trim(facts->vendor);
    uint32_t high = 0;
    uint32_t low = 0;
    (void)value_of(data, TPM2_PT_FIRMWARE_VERSION_1, &high);
    (void)value_of(data, TPM2_PT_FIRMWARE_VERSION_2, &low);
    (void)snprintf(facts->firmware, sizeof facts->firmware, "%u.%u.%u.%u", high >> 16,
                   high & 0xFFFFU, low >> 16, low & 0xFFFFU);
}

static void fill_variable(const TPMS_CAPABILITY_DATA *data, tlm_tpm_facts *facts)
{
    uint32_t permanent = 0;
    (void)value_of(data, TPM2_PT_PERMANENT, &permanent);
    facts->in_lockout = (permanent & TPMA_PERMANENT_INLOCKOUT) != 0;
    facts->owner_auth_set = (permanent & TPMA_PERMANENT_OWNERAUTHSET) != 0;
    (void)value_of(data, TPM2_PT_LOCKOUT_COUNTER, &facts->lockout_counter);
    (void)value_of(data, TPM2_PT_MAX_AUTH_FAIL, &facts->max_tries);
    (void)value_of(data, TPM2_PT_LOCKOUT_INTERVAL, &facts->recovery_seconds);
    (void)value_of(data, TPM2_PT_LOCKOUT_RECOVERY, &facts->lockout_recovery_seconds);
}

static tlm_result read_pcrs(tlm_tpm *tpm, tlm_tpm_facts *facts, tlm_error *error)
{
    TPML_PCR_SELECTION selection = {.count = 1};
    selection.pcrSelections[0].hash = TPM2_ALG_SHA256;
    selection.pcrSelections[0].sizeofSelect = 3;
    for (size_t i = 0; i < TLM_TPM_PCR_COUNT; i++) {
        facts->pcr[i].index = pcr_indexes[i];
        selection.pcrSelections[0].pcrSelect[pcr_indexes[i] / 8] |=
            (BYTE)(1U << (pcr_indexes[i] % 8));
    }
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    UINT32 counter = 0;
    TPML_PCR_SELECTION *read = NULL;
    TPML_DIGEST *values = NULL;
    do {
        rc = Esys_PCR_Read(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection,
                           &counter, &read, &values);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "TPM2_PCR_Read", "of the SHA-256 bank");
    }
    /* The answer holds the selected registers in ascending order, or none without the bank. */
    for (size_t i = 0; i < TLM_TPM_PCR_COUNT && i < values->count; i++) {
        const TPM2B_DIGEST *digest = &values->digests[i];
        for (size_t byte = 0; byte < digest->size && byte < 32; byte++) {
            (void)snprintf(facts->pcr[i].sha256 + 2 * byte, 3, "%02x", digest->buffer[byte]);
        }
    }
    Esys_Free(read);
    Esys_Free(values);
    return TLM_OK;
}

tlm_result tlm_tpm_list_handles(tlm_tpm *tpm, uint32_t first, uint32_t *handles, size_t *count,
                                tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    TPMI_YES_NO more = TPM2_NO;
    TPMS_CAPABILITY_DATA *data = NULL;
    do {
        rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                TPM2_CAP_HANDLES, first, TLM_TPM_HANDLES_MAX, &more, &data);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "TPM2_GetCapability", "of the handles from 0x%08X",
                                 first);
    }
    *count = 0;
    for (UINT32 i = 0; i < data->data.handles.count && *count < TLM_TPM_HANDLES_MAX; i++) {
        handles[(*count)++] = data->data.handles.handle[i];
    }
    Esys_Free(data);
    return TLM_OK;
}

tlm_result tlm_tpm_read_facts(tlm_tpm *tpm, tlm_tpm_facts *facts, tlm_error *error)
{
    memset(facts, 0, sizeof *facts);
    TPMS_CAPABILITY_DATA *data = NULL;
    tlm_result result = read_group(tpm, TPM2_PT_FIXED, &data, error);
    if (result != TLM_OK) {
        return result;
    }
    fill_fixed(data, facts);
    Esys_Free(data);
    data = NULL;
    result = read_group(tpm, TPM2_PT_VAR, &data, error);
    if (result != TLM_OK) {
        return result;
    }
    fill_variable(data, facts);
    Esys_Free(data);
    facts->simulated = tpm->socket || strcmp(facts->vendor, "SW   TPM") == 0;
    result = read_pcrs(tpm, facts, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_tpm_list_handles(tpm, TLM_FIRST_PERSISTENT, facts->persistent,
                                  &facts->persistent_count, error);
    if (result != TLM_OK) {
        return result;
    }
    uint32_t transient[TLM_TPM_HANDLES_MAX];
    return tlm_tpm_list_handles(tpm, TLM_FIRST_TRANSIENT, transient, &facts->transient_count,
                                error);
}
