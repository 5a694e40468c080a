/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/jwe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jose/b64.h>
#include <jose/jwe.h>

#include "json_private.h"
#include "jwe_private.h"

/* The content key as libjose takes it, an octet JWK (RFC 7518 section 6.4). */
static json_t *content_key(const tlm_secret *cek)
{
    json_t *k = jose_b64_enc(tlm_secret_bytes(cek), tlm_secret_size(cek));
    return json_pack("{s:s, s:o}", "kty", "oct", "k", k);
}

static tlm_result check_content_key(const tlm_secret *cek, tlm_error *error)
{
    if (cek == NULL || tlm_secret_size(cek) != TLM_JWE_CEK_SIZE) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "a content key is not of %u bytes",
                             TLM_JWE_CEK_SIZE);
    }
    return TLM_OK;
}

/* The content in memory of malloc with a zero byte behind it; the caller wipes and frees it. */
static tlm_result decrypt(const tlm_jwe *jwe, const char *protected_header, const tlm_secret *cek,
                          void **content, size_t *size, tlm_error *error)
{
    tlm_result result = check_content_key(cek, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_json_protect();
    json_t *key = content_key(cek);
    json_t *flat = json_pack("{s:s, s:s, s:s, s:s}", "protected", protected_header, "iv", jwe->iv,
                             "ciphertext", jwe->ciphertext, "tag", jwe->tag);
    *content = NULL;
    *size = 0;
    if (key != NULL && flat != NULL) {
        *content = jose_jwe_dec_cek(NULL, flat, key, size);
    }
    json_decref(key);
    json_decref(flat);
    if (*content == NULL) {
        return tlm_error_set(error, TLM_ERR_DAMAGED, NULL,
                             "the content of a JWE does not verify: it was changed or torn");
    }
    return TLM_OK;
}

static tlm_result open_under(const tlm_jwe *jwe, const char *protected_header,
                             const tlm_secret *cek, tlm_secret **plain, tlm_error *error)
{
    size_t size = 0;
    void *content = NULL;
    tlm_result result = decrypt(jwe, protected_header, cek, &content, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    if (size == 0 || size > TLM_JWE_PLAIN_MAX) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, NULL,
                               "the content of a JWE has %zu bytes, which is not 1 to %u", size,
                               TLM_JWE_PLAIN_MAX);
    } else {
        result = tlm_secret_from(content, size, plain, error);
    }
    explicit_bzero(content, size);
    free(content);
    return result;
}

tlm_result tlm_jwe_open(const tlm_jwe *jwe, const tlm_secret *cek, tlm_secret **plain,
                        tlm_error *error)
{
    return open_under(jwe, jwe->protected_header, cek, plain, error);
}

tlm_result tlm_jwe_open_bytes(const tlm_jwe *jwe, const tlm_secret *cek, unsigned char **plain,
                              size_t *size, tlm_error *error)
{
    void *content = NULL;
    size_t content_size = 0;
    tlm_result result = decrypt(jwe, jwe->protected_header, cek, &content, &content_size, error);
    if (result != TLM_OK) {
        return result;
    }
    unsigned char *made = malloc(content_size + 1);
    if (made != NULL) {
        memcpy(made, content, content_size);
        made[content_size] = 0;
        *plain = made;
        *size = content_size;
    } else {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the content of a JWE");
    }
    explicit_bzero(content, content_size);
    free(content);
    return result;
}

static json_t *header_members(const tlm_jwe_header *header)
{
    tlm_json_protect();
    return json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "alg", header->alg, "enc", TLM_JWE_ENC_A256GCM,
                     "kid", header->kid, "typ", header->typ, "cty", header->cty);
}

static char *encode_header(const tlm_jwe_header *header)
{
    json_t *members = header_members(header);
    json_t *encoded = members == NULL ? NULL : jose_b64_enc_dump(members);
    char *text = encoded == NULL ? NULL : strdup(json_string_value(encoded));
    json_decref(encoded);
    json_decref(members);
    return text;
}

tlm_result tlm_jwe_open_as(const tlm_jwe *jwe, const tlm_jwe_header *header, const tlm_secret *cek,
                           tlm_secret **plain, tlm_error *error)
{
    char *encoded = encode_header(header);
    if (encoded == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the header of a JWE");
    }
    tlm_result result = open_under(jwe, encoded, cek, plain, error);
    free(encoded);
    return result;
}

/* Puts the five parts together; NULL where one is missing or memory is out. */
static char *compact(const json_t *flat, const char *key)
{
    const char *header = json_string_value(json_object_get(flat, "protected"));
    const char *iv = json_string_value(json_object_get(flat, "iv"));
    const char *ciphertext = json_string_value(json_object_get(flat, "ciphertext"));
    const char *tag = json_string_value(json_object_get(flat, "tag"));
    if (header == NULL || iv == NULL || ciphertext == NULL || tag == NULL) {
        return NULL;
    }
    char *text = NULL;
    if (asprintf(&text, "%s.%s.%s.%s.%s", header, key, iv, ciphertext, tag) < 0) {
        return NULL;
    }
    return text;
}

tlm_result tlm_jwe_seal_bytes(const tlm_jwe_header *header, const unsigned char *encrypted_key,
                              size_t encrypted_size, const tlm_secret *cek, const void *plain,
                              size_t size, char **text, tlm_error *error)
{
    if (header == NULL || header->alg == NULL || plain == NULL || size == 0 || text == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWE without header or content");
    }
    tlm_result result = check_content_key(cek, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_json_protect();
    char *sealed = NULL;
    json_t *key = content_key(cek);
    /* libjose encodes the header, sorted and compact, before it seals. */
    json_t *flat = json_pack("{s:o}", "protected", header_members(header));
    json_t *wrapped =
        encrypted_size > 0 ? jose_b64_enc(encrypted_key, encrypted_size) : json_string("");
    if (key != NULL && flat != NULL && wrapped != NULL &&
        jose_jwe_enc_cek(NULL, flat, key, plain, size)) {
        sealed = compact(flat, json_string_value(wrapped));
    }
    json_decref(key);
    json_decref(flat);
    json_decref(wrapped);
    if (sealed == NULL) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL,
                             "sealing %zu bytes into a JWE did not succeed", size);
    }
    *text = sealed;
    return TLM_OK;
}

tlm_result tlm_jwe_seal(const tlm_jwe_header *header, const unsigned char *encrypted_key,
                        size_t encrypted_size, const tlm_secret *cek, const tlm_secret *plain,
                        char **text, tlm_error *error)
{
    if (plain == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWE without header or content");
    }
    if (tlm_secret_size(plain) > TLM_JWE_PLAIN_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "%zu bytes are more than the %u that fit one JWE",
                             tlm_secret_size(plain), TLM_JWE_PLAIN_MAX);
    }
    return tlm_jwe_seal_bytes(header, encrypted_key, encrypted_size, cek, tlm_secret_bytes(plain),
                              tlm_secret_size(plain), text, error);
}
