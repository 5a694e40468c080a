/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/file.h>
#include <tlm/key.h>
#include <tlm/license.h>
#include <tlm/trust.h>

#include "client_private.h"
#include "proof_private.h"

#define CLOCK_TOLERANCE 300

static tlm_client_result read_trust(const tlm_client *client, tlm_trust **trust,
                                    tlm_client_error *error)
{
    const char *path = tlm_client_text(client, TLM_CLIENT_VENDOR_KEYS_FILE);
    char *text = NULL;
    size_t size = 0;
    tlm_error cause = {0};
    if (path == NULL) {
        return tlm_trouble(error, TLM_CLIENT_UNPROVEN, "untrusted",
                           "set TLM_CLIENT_VENDOR_KEYS_FILE to the vendor's JWKS",
                           "no vendor's key is known, so no license can be verified");
    }
    tlm_result result = tlm_file_read(path, TLM_JWKS_MAX, &text, &size, &cause);
    if (result == TLM_OK) {
        result = tlm_trust_new(trust, &cause);
    }
    if (result == TLM_OK) {
        result = tlm_trust_add(*trust, text, size, path, &cause);
    }
    free(text);
    return result == TLM_OK ? TLM_CLIENT_OK : tlm_trouble_of(error, &cause);
}

static tlm_client_result open_license(const tlm_client *client, const char *path,
                                      tlm_license **license, tlm_client_error *error)
{
    tlm_trust *trust = NULL;
    char *text = NULL;
    size_t size = 0;
    tlm_error cause = {0};
    tlm_client_result result = read_trust(client, &trust, error);
    if (result == TLM_CLIENT_OK) {
        tlm_result read = tlm_file_read(path, TLM_LICENSE_MAX, &text, &size, &cause);
        if (read == TLM_OK) {
            read = tlm_license_open(text, size, trust, license, &cause);
        }
        if (read == TLM_OK) {
            read = tlm_license_check_time(*license, (int64_t)time(NULL), CLOCK_TOLERANCE, &cause);
        }
        result = read == TLM_OK ? TLM_CLIENT_OK : tlm_trouble_of(error, &cause);
    }
    free(text);
    tlm_trust_free(&trust);
    return result;
}

/* The fingerprint of the key that packages are encrypted to, among the host's keys. */
static tlm_client_result own_fingerprint(tlm_client *client, char fingerprint[65],
                                         tlm_client_error *error)
{
    const json_t *keys = NULL;
    size_t index = 0;
    json_t *jwk = NULL;
    char kid[44] = "";
    (void)pthread_mutex_lock(&client->key_lock);
    tlm_client_result result = tlm_host_keys_find(client, NULL, &keys, error);
    json_array_foreach(json_object_get(keys, "keys"), index, jwk)
    {
        const char *kty = json_string_value(json_object_get(jwk, "kty"));
        if (kty != NULL && strcmp(kty, "RSA") == 0 && !tlm_host_keys_thumbprint(jwk, kid)) {
            kid[0] = '\0';
        }
    }
    (void)pthread_mutex_unlock(&client->key_lock);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    unsigned char *bytes = NULL;
    size_t size = 0;
    char *hex = NULL;
    if (tlm_base64url_decode(kid, strlen(kid), &bytes, &size, NULL) == TLM_OK &&
        size == TLM_THUMBPRINT_SIZE) {
        hex = tlm_hex_encode(bytes, size);
    }
    free(bytes);
    if (hex == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument",
                           "give the fingerprint, or a JWKS with tlm-srk: tlm keys",
                           "the host's keys do not tell its fingerprint");
    }
    (void)snprintf(fingerprint, 65, "%s", hex);
    free(hex);
    return TLM_CLIENT_OK;
}

static tlm_client_result check_binding(tlm_client *client, const tlm_license *license,
                                       const char *fingerprint, tlm_client_error *error)
{
    char own[65] = "";
    if (fingerprint == NULL) {
        tlm_client_result result = own_fingerprint(client, own, error);
        if (result != TLM_CLIENT_OK) {
            return result;
        }
        fingerprint = own;
    }
    return strcmp(license->fingerprint, fingerprint) == 0
               ? TLM_CLIENT_OK
               : tlm_trouble(error, TLM_CLIENT_REFUSED, "foreign",
                             "ask the vendor for a license for this host",
                             "the license %s is for the host %s, and this one is %s", license->jti,
                             license->fingerprint, fingerprint);
}

static tlm_client_result check_feature(const tlm_license *license, const tlm_feature *feature,
                                       tlm_client_error *error)
{
    const tlm_model *model = &feature->model;
    int64_t now = (int64_t)time(NULL);
    if (feature->seats != 0 ||
        (model->type != TLM_MODEL_PERPETUAL && model->type != TLM_MODEL_PERIOD)) {
        return tlm_trouble(error, TLM_CLIENT_REFUSED, "unsupported",
                           "ask the daemon: tlm_client_acquire, tlm_client_check",
                           "the feature '%s' of the license %s needs the daemon", feature->id,
                           license->jti);
    }
    if (model->type == TLM_MODEL_PERIOD && now >= model->not_after) {
        return tlm_trouble(error, TLM_CLIENT_REFUSED, "expired", NULL,
                           "the feature '%s' of the license %s ended", feature->id, license->jti);
    }
    if (model->type == TLM_MODEL_PERIOD && now < model->not_before) {
        return tlm_trouble(error, TLM_CLIENT_REFUSED, "not-yet-valid", NULL,
                           "the feature '%s' of the license %s has not begun", feature->id,
                           license->jti);
    }
    return TLM_CLIENT_OK;
}

static tlm_client_result fill(const tlm_license *license, const tlm_feature *feature,
                              tlm_client_grant *grant, tlm_client_error *error)
{
    int64_t end = license->expires;
    if (feature->model.type == TLM_MODEL_PERIOD && feature->model.not_after < end) {
        end = feature->model.not_after;
    }
    (void)snprintf(grant->license, sizeof grant->license, "%s", license->jti);
    (void)snprintf(grant->feature, sizeof grant->feature, "%s", feature->id);
    (void)snprintf(grant->vendor, sizeof grant->vendor, "%s", license->vendor);
    (void)snprintf(grant->product, sizeof grant->product, "%s", license->product_id);
    (void)snprintf(grant->model, sizeof grant->model, "%s", tlm_model_name(feature->model.type));
    grant->units = 1;
    grant->expires = end == INT64_MAX ? -1 : end;
    grant->used = -1;
    grant->remaining = -1;
    grant->verified = true;
    grant->memory = feature->memory != NULL ? strdup(feature->memory) : NULL;
    return feature->memory == NULL || grant->memory != NULL ? TLM_CLIENT_OK
                                                            : tlm_trouble_memory(error);
}

static tlm_client_result judge(tlm_client *client, const tlm_license *license, const char *name,
                               const char *fingerprint, tlm_client_grant *grant,
                               tlm_client_error *error)
{
    tlm_client_result result = check_binding(client, license, fingerprint, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    for (size_t i = 0; i < license->feature_count; i++) {
        if (strcmp(license->features[i].id, name) == 0) {
            result = check_feature(license, &license->features[i], error);
            return result == TLM_CLIENT_OK ? fill(license, &license->features[i], grant, error)
                                           : result;
        }
    }
    return tlm_trouble(error, TLM_CLIENT_REFUSED, "unlicensed", NULL,
                       "the license %s does not have the feature '%s'", license->jti, name);
}

tlm_client_result tlm_client_license_file(tlm_client *client, const char *path, const char *feature,
                                          const char *fingerprint, tlm_client_grant *grant,
                                          tlm_client_error *error)
{
    tlm_license *license = NULL;
    if (path == NULL || feature == NULL || grant == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "no file, no feature, or no place for a grant");
    }
    *grant = (tlm_client_grant){0};
    tlm_client_result result = tlm_client_begin(client, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    result = open_license(client, path, &license, error);
    if (result == TLM_CLIENT_OK && license != NULL) {
        result = judge(client, license, feature, fingerprint, grant, error);
    }
    tlm_license_free(&license);
    return result;
}
