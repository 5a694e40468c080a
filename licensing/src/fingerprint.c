/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/fingerprint.h>

#include <stdlib.h>
#include <string.h>

#include <tlm/key.h>

#include "text_private.h"

#define DIGEST_SIZE 32U

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a fingerprint");
}

static tlm_result set_text(const unsigned char digest[DIGEST_SIZE], tlm_fingerprint *to,
                           tlm_error *error)
{
    char *hex = tlm_hex_encode(digest, DIGEST_SIZE);
    if (hex == NULL) {
        return no_memory(error);
    }
    tlm_text_copy(to->text, sizeof to->text, hex);
    free(hex);
    return TLM_OK;
}

/* Everything that follows from the key alone. */
static tlm_result describe_key(EVP_PKEY *key, const unsigned char thumbprint[TLM_THUMBPRINT_SIZE],
                               tlm_fingerprint *to, tlm_error *error)
{
    char *kid = tlm_base64url_encode(thumbprint, TLM_THUMBPRINT_SIZE);
    if (kid == NULL) {
        return no_memory(error);
    }
    tlm_text_copy(to->kid, sizeof to->kid, kid);
    free(kid);
    tlm_result result = tlm_public_to_pem(key, &to->public_key, error);
    return result == TLM_OK ? tlm_public_to_jwk(key, &to->jwk, error) : result;
}

tlm_result tlm_fingerprint_of_key(EVP_PKEY *key, tlm_fingerprint_type type,
                                  tlm_fingerprint *fingerprint, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_fingerprint made = {.type = type};
    tlm_result result = tlm_public_thumbprint(key, thumbprint, error);
    if (result == TLM_OK) {
        result = describe_key(key, thumbprint, &made, error);
    }
    if (result == TLM_OK) {
        result = set_text(thumbprint, &made, error);
    }
    if (result != TLM_OK) {
        tlm_fingerprint_clear(&made);
        return result;
    }
    *fingerprint = made;
    return TLM_OK;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool hash_of(const tlm_host_component *component, unsigned char hash[DIGEST_SIZE])
{
    if (!tlm_hex_valid(component->sha256, (size_t)2 * DIGEST_SIZE)) {
        return false;
    }
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = hex_value(component->sha256[2 * i]);
        int low = hex_value(component->sha256[2 * i + 1]);
        hash[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

/*
 * SHA-256 over: the key's thumbprint (32 bytes); then for each present component, in the order of
 * tlm_host_components, its id as ASCII, one zero byte, its SHA-256 (32 bytes).
 */
static bool digest_all(const unsigned char thumbprint[TLM_THUMBPRINT_SIZE],
                       const tlm_host_component *components, size_t count,
                       unsigned char digest[DIGEST_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, thumbprint, TLM_THUMBPRINT_SIZE) == 1;
    for (size_t i = 0; done && i < count; i++) {
        unsigned char hash[DIGEST_SIZE];
        if (!components[i].present) {
            continue;
        }
        done = hash_of(&components[i], hash) &&
               EVP_DigestUpdate(context, components[i].id, strlen(components[i].id) + 1) == 1 &&
               EVP_DigestUpdate(context, hash, sizeof hash) == 1;
    }
    unsigned int size = DIGEST_SIZE;
    done = done && EVP_DigestFinal_ex(context, digest, &size) == 1;
    EVP_MD_CTX_free(context);
    return done;
}

static tlm_result copy_components(const tlm_host_component *components, size_t count,
                                  tlm_fingerprint *to, tlm_error *error)
{
    if (count == 0) {
        return TLM_OK;
    }
    to->components = calloc(count, sizeof *components);
    if (to->components == NULL) {
        return no_memory(error);
    }
    memcpy(to->components, components, count * sizeof *components);
    to->component_count = count;
    return TLM_OK;
}

tlm_result tlm_fingerprint_fallback(EVP_PKEY *local, const tlm_host_component *components,
                                    size_t count, tlm_fingerprint *fingerprint, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    unsigned char digest[DIGEST_SIZE];
    tlm_fingerprint made = {.type = TLM_FINGERPRINT_FALLBACK};
    if (count > TLM_HOST_COMPONENTS || (components == NULL && count > 0)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a fingerprint of %zu components",
                             count);
    }
    tlm_result result = tlm_public_thumbprint(local, thumbprint, error);
    if (result == TLM_OK) {
        result = describe_key(local, thumbprint, &made, error);
    }
    if (result == TLM_OK && !digest_all(thumbprint, components, count, digest)) {
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL,
                               "the components of the host could not be hashed");
    }
    if (result == TLM_OK) {
        result = set_text(digest, &made, error);
    }
    if (result == TLM_OK) {
        result = copy_components(components, count, &made, error);
    }
    if (result != TLM_OK) {
        tlm_fingerprint_clear(&made);
        return result;
    }
    *fingerprint = made;
    return TLM_OK;
}

tlm_result tlm_fingerprint_copy(const tlm_fingerprint *from, tlm_fingerprint *to, tlm_error *error)
{
    tlm_fingerprint made = *from;
    made.components = NULL;
    made.component_count = 0;
    made.public_key = from->public_key == NULL ? NULL : strdup(from->public_key);
    made.jwk = from->jwk == NULL ? NULL : strdup(from->jwk);
    tlm_result result = TLM_OK;
    if ((from->public_key != NULL && made.public_key == NULL) ||
        (from->jwk != NULL && made.jwk == NULL)) {
        result = no_memory(error);
    } else {
        result = copy_components(from->components, from->component_count, &made, error);
    }
    if (result != TLM_OK) {
        tlm_fingerprint_clear(&made);
        return result;
    }
    *to = made;
    return TLM_OK;
}

void tlm_fingerprint_clear(tlm_fingerprint *fingerprint)
{
    if (fingerprint != NULL) {
        free(fingerprint->public_key);
        free(fingerprint->jwk);
        free(fingerprint->components);
        memset(fingerprint, 0, sizeof *fingerprint);
    }
}
