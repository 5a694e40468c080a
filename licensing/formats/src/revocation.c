/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/revocation.h>

#include <stdlib.h>
#include <string.h>

#include "license_private.h"

static tlm_result read_revoked(const tlm_claims *claims, tlm_revocation *list, tlm_error *error)
{
    const json_t *array = NULL;
    tlm_result result = tlm_claims_array(claims, "revoked", 0, TLM_REVOKED_MAX, &array, error);
    size_t count = json_array_size(array);
    if (result != TLM_OK || count == 0) {
        return result;
    }
    list->revoked = calloc(count, sizeof(char *));
    if (list->revoked == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %zu licenses", count);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(array, i);
        char jti[37];
        if (!json_is_string(one) || json_string_length(one) != 36 ||
            !tlm_claims_uuid_copy(json_string_value(one), jti)) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "revoked[%zu] is no UUID", i);
        }
        list->revoked[i] = strdup(jti);
        if (list->revoked[i] == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a UUID");
        }
        list->count = i + 1;
    }
    return TLM_OK;
}

static tlm_result read_list(const tlm_jws *jws, tlm_revocation *list, tlm_error *error)
{
    tlm_claims claims = tlm_claims_at(tlm_jws_claims(jws), "%s", "");
    list->kid = strdup(tlm_jws_get_header(jws)->kid);
    if (list->kid == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a revocation list");
    }
    tlm_result result = tlm_claims_text(&claims, "iss", TLM_LICENSE_TEXT_MAX, &list->vendor, error);
    if (result == TLM_OK) {
        result = tlm_claims_time(&claims, "iat", &list->issued, error);
    }
    if (result == TLM_OK) {
        result =
            tlm_claims_integer(&claims, "serial", 0, TLM_LICENSE_NUMBER_MAX, &list->serial, error);
    }
    return result == TLM_OK ? read_revoked(&claims, list, error) : result;
}

tlm_result tlm_revocation_open(const char *text, size_t size, const tlm_trust *trust,
                               tlm_revocation **list, tlm_error *error)
{
    tlm_jws *jws = NULL;
    tlm_revocation *made = NULL;
    if (list == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a list without a place for it");
    }
    tlm_result result = tlm_signed_open(text, size, TLM_REVOCATION_MAX, TLM_REVOCATION_TYP,
                                        TLM_TRUST_VENDOR, trust, &jws, error);
    if (result == TLM_OK) {
        made = calloc(1, sizeof *made);
        result = made != NULL ? read_list(jws, made, error)
                              : tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                                              "no memory for a revocation list");
    }
    tlm_jws_free(&jws);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "revocation list");
        tlm_revocation_free(&made);
        return result;
    }
    *list = made;
    return TLM_OK;
}

void tlm_revocation_free(tlm_revocation **list)
{
    if (list == NULL || *list == NULL) {
        return;
    }
    tlm_revocation *gone = *list;
    for (size_t i = 0; i < gone->count; i++) {
        free(gone->revoked[i]);
    }
    free(gone->revoked);
    free(gone->vendor);
    free(gone->kid);
    free(gone);
    *list = NULL;
}
