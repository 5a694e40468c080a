/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/package.h>

#include <stdlib.h>
#include <string.h>

#include "license_private.h"

static tlm_result read_claims(const tlm_claims *claims, tlm_package *package, tlm_error *error)
{
    tlm_claims destination;
    tlm_result result =
        tlm_claims_text(claims, "iss", TLM_LICENSE_TEXT_MAX, &package->issuer, error);
    if (result == TLM_OK) {
        result = tlm_claims_uuid(claims, "jti", &package->jti, error);
    }
    if (result == TLM_OK) {
        result = tlm_claims_time(claims, "iat", &package->issued, error);
    }
    if (result == TLM_OK) {
        result = tlm_claims_object(claims, "dest", &destination, error);
    }
    if (result == TLM_OK) {
        result = tlm_claims_fingerprint(&destination, "fingerprint", package->fingerprint, error);
    }
    return result;
}

/* Two containers of one license: which one counts would be anybody's guess. */
static tlm_result refuse_repeated(const tlm_package *package, size_t index, tlm_error *error)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(package->licenses[i]->jti, package->licenses[index]->jti) == 0) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                                 "containers[%zu] and containers[%zu] are both license %s", i,
                                 index, package->licenses[i]->jti);
        }
    }
    return TLM_OK;
}

static tlm_result read_containers(const tlm_claims *claims, const tlm_trust *trust,
                                  tlm_package *package, tlm_error *error)
{
    const json_t *array = NULL;
    tlm_result result =
        tlm_claims_array(claims, "containers", 1, TLM_CONTAINERS_MAX, &array, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t count = json_array_size(array);
    package->licenses = calloc(count, sizeof(tlm_license *));
    if (package->licenses == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %zu licenses", count);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(array, i);
        if (!json_is_string(one)) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "containers[%zu] is not a text", i);
        }
        result = tlm_license_open(json_string_value(one), json_string_length(one), trust,
                                  &package->licenses[i], error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "containers[%zu]", i);
            return result;
        }
        package->license_count = i + 1;
        result = refuse_repeated(package, i, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

static tlm_result read_package(const tlm_jws *jws, const tlm_trust *trust, tlm_package *package,
                               tlm_error *error)
{
    tlm_claims claims = tlm_claims_at(tlm_jws_claims(jws), "%s", "");
    package->kid = strdup(tlm_jws_get_header(jws)->kid);
    if (package->kid == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a package");
    }
    tlm_result result = read_claims(&claims, package, error);
    return result == TLM_OK ? read_containers(&claims, trust, package, error) : result;
}

tlm_result tlm_package_open_signed(const char *text, size_t size, const tlm_trust *trust,
                                   tlm_package **package, tlm_error *error)
{
    tlm_jws *jws = NULL;
    tlm_package *made = NULL;
    if (package == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a package without a place for it");
    }
    tlm_result result = tlm_signed_open(text, size, TLM_PACKAGE_MAX, TLM_PACKAGE_TYP,
                                        TLM_TRUST_ISSUER, trust, &jws, error);
    if (result == TLM_OK) {
        made = calloc(1, sizeof *made);
        result = made != NULL
                     ? read_package(jws, trust, made, error)
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a package");
    }
    tlm_jws_free(&jws);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "package");
        tlm_package_free(&made);
        return result;
    }
    *package = made;
    return TLM_OK;
}

void tlm_package_free(tlm_package **package)
{
    if (package == NULL || *package == NULL) {
        return;
    }
    tlm_package *gone = *package;
    for (size_t i = 0; i < gone->license_count; i++) {
        tlm_license_free(&gone->licenses[i]);
    }
    free(gone->licenses);
    free(gone->issuer);
    free(gone->kid);
    free(gone->jti);
    free(gone);
    *package = NULL;
}
