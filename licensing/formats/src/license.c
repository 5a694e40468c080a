/* SPDX-License-Identifier: BSD-2-Clause */
#include "license_private.h"

#include <string.h>

#include "json_private.h"
#include "text_private.h"

#define COMPONENTS_MAX 64

static tlm_result optional_text(const tlm_claims *claims, const char *name, char **text,
                                tlm_error *error)
{
    return tlm_claims_has(claims, name)
               ? tlm_claims_text(claims, name, TLM_LICENSE_TEXT_MAX, text, error)
               : TLM_OK;
}

static tlm_result optional_time(const tlm_claims *claims, const char *name, int64_t *time,
                                tlm_error *error)
{
    return tlm_claims_has(claims, name) ? tlm_claims_time(claims, name, time, error) : TLM_OK;
}

static tlm_result read_times(const tlm_claims *claims, tlm_license *license, tlm_error *error)
{
    license->not_before = INT64_MIN;
    license->expires = INT64_MAX;
    tlm_result result = tlm_claims_time(claims, "iat", &license->issued, error);
    if (result == TLM_OK) {
        result = optional_time(claims, "nbf", &license->not_before, error);
    }
    if (result == TLM_OK) {
        result = optional_time(claims, "exp", &license->expires, error);
    }
    if (result == TLM_OK && license->expires <= license->not_before) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "exp is not after nbf");
    }
    return result;
}

static tlm_result read_product(const tlm_claims *claims, tlm_license *license, tlm_error *error)
{
    tlm_claims product;
    tlm_result result = tlm_claims_object(claims, "product", &product, error);
    if (result == TLM_OK) {
        result = tlm_claims_text(&product, "id", TLM_LICENSE_TEXT_MAX, &license->product_id, error);
    }
    if (result == TLM_OK) {
        result = optional_text(&product, "name", &license->product_name, error);
    }
    if (result == TLM_OK) {
        result = optional_text(&product, "version", &license->product_version, error);
    }
    return result;
}

static tlm_result read_binding_type(const tlm_claims *binding, tlm_fingerprint_type *type,
                                    tlm_error *error)
{
    static const char *const names[] = {
        [TLM_FINGERPRINT_TPM] = "tpm",
        [TLM_FINGERPRINT_TOKEN] = "token",
        [TLM_FINGERPRINT_FALLBACK] = "fallback",
    };
    char *name = NULL;
    tlm_result result = tlm_claims_text(binding, "type", TLM_LICENSE_TEXT_MAX, &name, error);
    if (result != TLM_OK) {
        return result;
    }
    result = TLM_ERR_FORMAT;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *type = (tlm_fingerprint_type)i;
            result = TLM_OK;
        }
    }
    free(name);
    return result == TLM_OK ? TLM_OK
                            : tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                                            "binding.type is none of tpm, token, fallback");
}

static tlm_result read_binding(const tlm_claims *claims, tlm_license *license, tlm_error *error)
{
    tlm_claims binding;
    tlm_result result = tlm_claims_object(claims, "binding", &binding, error);
    if (result == TLM_OK) {
        result = read_binding_type(&binding, &license->binding, error);
    }
    if (result == TLM_OK) {
        result = tlm_claims_fingerprint(&binding, "fingerprint", license->fingerprint, error);
    }
    if (result != TLM_OK || !tlm_claims_has(&binding, "minComponents")) {
        return result;
    }
    if (license->binding != TLM_FINGERPRINT_FALLBACK) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "binding.minComponents is for the type fallback alone");
    }
    int64_t least = 0;
    result = tlm_claims_integer(&binding, "minComponents", 1, COMPONENTS_MAX, &least, error);
    license->min_components = (unsigned)least;
    return result;
}

static tlm_result read_memory(const tlm_claims *claims, char **memory, tlm_error *error)
{
    const json_t *value = json_object_get(claims->object, "memory");
    if (value == NULL || json_is_null(value)) {
        return TLM_OK;
    }
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (size > TLM_MEMORY_MAX) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "%s.memory has %zu bytes as compact JSON, and at most %u are accepted",
                             claims->path, size, TLM_MEMORY_MAX);
    }
    *memory = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    return *memory != NULL ? TLM_OK
                           : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s.memory",
                                           claims->path);
}

static tlm_result read_feature(const json_t *object, size_t index, tlm_feature *feature,
                               tlm_error *error)
{
    tlm_claims claims = tlm_claims_at(object, "features[%zu]", index);
    tlm_claims model;
    feature->borrow_days = -1;
    if (!json_is_object(object)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is not an object", claims.path);
    }
    tlm_result result = tlm_claims_text(&claims, "id", TLM_LICENSE_TEXT_MAX, &feature->id, error);
    if (result == TLM_OK) {
        result = optional_text(&claims, "name", &feature->name, error);
    }
    if (result == TLM_OK) {
        result =
            tlm_claims_integer(&claims, "seats", 0, TLM_LICENSE_NUMBER_MAX, &feature->seats, error);
    }
    if (result == TLM_OK && tlm_claims_has(&claims, "borrowDays")) {
        result = tlm_claims_integer(&claims, "borrowDays", 0, TLM_BORROW_DAYS_MAX,
                                    &feature->borrow_days, error);
    }
    if (result == TLM_OK) {
        result = tlm_claims_object(&claims, "model", &model, error);
    }
    if (result == TLM_OK) {
        result =
            tlm_model_parse(json_object_get(object, "model"), model.path, &feature->model, error);
    }
    return result == TLM_OK ? read_memory(&claims, &feature->memory, error) : result;
}

static int compare_ids(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static tlm_result refuse_repeated(const tlm_license *license, tlm_error *error)
{
    const char *ids[TLM_FEATURES_MAX];
    for (size_t i = 0; i < license->feature_count; i++) {
        ids[i] = license->features[i].id;
    }
    qsort(ids, license->feature_count, sizeof ids[0], compare_ids);
    for (size_t i = 1; i < license->feature_count; i++) {
        if (strcmp(ids[i - 1], ids[i]) == 0) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                                 "features has the id %s more than once", ids[i]);
        }
    }
    return TLM_OK;
}

static tlm_result read_features(const tlm_claims *claims, tlm_license *license, tlm_error *error)
{
    const json_t *array = NULL;
    tlm_result result = tlm_claims_array(claims, "features", 1, TLM_FEATURES_MAX, &array, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t count = json_array_size(array);
    license->features = calloc(count, sizeof license->features[0]);
    if (license->features == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %zu features", count);
    }
    license->feature_count = count;
    for (size_t i = 0; i < count && result == TLM_OK; i++) {
        result = read_feature(json_array_get(array, i), i, &license->features[i], error);
    }
    return result == TLM_OK ? refuse_repeated(license, error) : result;
}

static tlm_result read_license(const tlm_claims *claims, tlm_license *license, tlm_error *error)
{
    tlm_result result =
        tlm_claims_text(claims, "iss", TLM_LICENSE_TEXT_MAX, &license->vendor, error);
    if (result == TLM_OK) {
        result = tlm_claims_text(claims, "sub", TLM_LICENSE_TEXT_MAX, &license->customer, error);
    }
    if (result == TLM_OK) {
        result = tlm_claims_uuid(claims, "jti", &license->jti, error);
    }
    if (result == TLM_OK) {
        result = read_times(claims, license, error);
    }
    if (result == TLM_OK) {
        result = read_product(claims, license, error);
    }
    if (result == TLM_OK) {
        result = read_binding(claims, license, error);
    }
    return result == TLM_OK ? read_features(claims, license, error) : result;
}

tlm_result tlm_license_parse(const json_t *claims, tlm_license **license, tlm_error *error)
{
    if (!json_is_object(claims) || license == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a license without claims");
    }
    tlm_claims top = tlm_claims_at(claims, "%s", "");
    tlm_license *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a license");
    }
    tlm_result result = read_license(&top, made, error);
    if (result != TLM_OK) {
        tlm_license_free(&made);
        return result;
    }
    *license = made;
    return TLM_OK;
}

static tlm_result keep_text(const tlm_jws *jws, tlm_license *license, tlm_error *error)
{
    license->text = strdup(tlm_jws_text(jws));
    license->kid = strdup(tlm_jws_get_header(jws)->kid);
    if (license->text == NULL || license->kid == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a license");
    }
    return TLM_OK;
}

tlm_result tlm_license_open(const char *text, size_t size, const tlm_trust *trust,
                            tlm_license **license, tlm_error *error)
{
    tlm_jws *jws = NULL;
    tlm_license *made = NULL;
    if (license == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a license without a place for it");
    }
    tlm_result result = tlm_signed_open(text, size, TLM_LICENSE_MAX, TLM_LICENSE_TYP,
                                        TLM_TRUST_VENDOR, trust, &jws, error);
    if (result == TLM_OK) {
        result = tlm_license_parse(tlm_jws_claims(jws), &made, error);
    }
    if (result == TLM_OK && made != NULL) {
        result = keep_text(jws, made, error);
    }
    tlm_jws_free(&jws);
    if (result != TLM_OK) {
        tlm_license_free(&made);
        return result;
    }
    *license = made;
    return TLM_OK;
}

void tlm_license_free(tlm_license **license)
{
    if (license == NULL || *license == NULL) {
        return;
    }
    tlm_license *gone = *license;
    for (size_t i = 0; i < gone->feature_count; i++) {
        free(gone->features[i].id);
        free(gone->features[i].name);
        free(gone->features[i].memory);
    }
    free(gone->features);
    free(gone->text);
    free(gone->kid);
    free(gone->vendor);
    free(gone->customer);
    free(gone->jti);
    free(gone->product_id);
    free(gone->product_name);
    free(gone->product_version);
    free(gone);
    *license = NULL;
}

tlm_result tlm_license_check_time(const tlm_license *license, int64_t now, int64_t tolerance,
                                  tlm_error *error)
{
    char when[TLM_INSTANT_SIZE] = "?";
    if (license == NULL || tolerance < 0) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "no license to look at");
    }
    if (license->issued > tolerance && license->issued - tolerance > now) {
        (void)tlm_instant_make((time_t)license->issued, when);
        return tlm_error_set(error, TLM_ERR_ROLLBACK,
                             "Set the clock of this host, for example: timedatectl set-ntp true",
                             "license %s was issued at %s, which this host's clock has not reached",
                             license->jti, when);
    }
    if (now >= license->expires) {
        (void)tlm_instant_make((time_t)license->expires, when);
        return tlm_error_set(error, TLM_ERR_EXPIRED, "Ask the vendor for a new license.",
                             "license %s expired at %s", license->jti, when);
    }
    if (now < license->not_before) {
        (void)tlm_instant_make((time_t)license->not_before, when);
        return tlm_error_set(error, TLM_ERR_NOT_YET, NULL, "license %s is valid from %s on",
                             license->jti, when);
    }
    return TLM_OK;
}
