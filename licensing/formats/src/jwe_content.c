/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/jwe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jose/b64.h>
#include <jose/io.h>
#include <jose/jwe.h>

#include <tlm/key.h>

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

/*
 * Runs one of libjose's streams over all of the content, into a buffer of the size that comes out:
 * A256GCM changes no sizes, and libjose's own buffer grows byte by byte.
 */
static bool run(jose_io_t *stream, jose_io_t *end, const void *content, size_t size)
{
    bool done = stream != NULL && end != NULL && stream->feed(stream, content, size) &&
                stream->done(stream);
    jose_io_auto(&stream);
    jose_io_auto(&end);
    return done;
}

/* `plain` has room for the cipher text; nothing stays in it where that does not verify. */
static bool decrypt_into(json_t *flat, const json_t *key, const unsigned char *ciphertext,
                         size_t size, unsigned char *plain)
{
    size_t room = size;
    jose_io_t *end = jose_io_buffer(NULL, plain, &room);
    jose_io_t *stream = end == NULL ? NULL : jose_jwe_dec_cek_io(NULL, flat, key, end);
    bool done = run(stream, end, ciphertext, size) && room == size;
    if (!done) {
        explicit_bzero(plain, size);
    }
    return done;
}

/* The content in memory of malloc with a zero byte behind it; the caller wipes and frees it. */
static tlm_result decrypt(const tlm_jwe *jwe, const char *protected_header, const tlm_secret *cek,
                          unsigned char **content, size_t *size, tlm_error *error)
{
    unsigned char *ciphertext = NULL;
    tlm_result result = check_content_key(cek, error);
    if (result == TLM_OK) {
        result = tlm_base64url_decode(jwe->ciphertext, strlen(jwe->ciphertext), &ciphertext, size,
                                      error);
    }
    if (result != TLM_OK) {
        return result;
    }
    tlm_json_protect();
    json_t *key = content_key(cek);
    json_t *flat =
        json_pack("{s:s, s:s, s:s}", "protected", protected_header, "iv", jwe->iv, "tag", jwe->tag);
    unsigned char *plain = calloc(*size + 1, 1);
    if (key == NULL || flat == NULL || plain == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to open a JWE");
    } else if (!decrypt_into(flat, key, ciphertext, *size, plain)) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, NULL,
                               "the content of a JWE does not verify: it was changed or torn");
    }
    json_decref(key);
    json_decref(flat);
    free(ciphertext);
    if (result != TLM_OK) {
        free(plain);
        return result;
    }
    *content = plain;
    return TLM_OK;
}

static tlm_result open_under(const tlm_jwe *jwe, const char *protected_header,
                             const tlm_secret *cek, tlm_secret **plain, tlm_error *error)
{
    size_t size = 0;
    unsigned char *content = NULL;
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
    if (jwe == NULL || plain == NULL || size == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWE without a place for it");
    }
    return decrypt(jwe, jwe->protected_header, cek, plain, size, error);
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

/* The cipher text in base64url; `flat` gets nonce and tag. NULL where it cannot be made. */
static char *encrypt(json_t *flat, const json_t *key, const void *plain, size_t size)
{
    unsigned char *ciphertext = malloc(size);
    size_t room = size;
    jose_io_t *end = ciphertext == NULL ? NULL : jose_io_buffer(NULL, ciphertext, &room);
    jose_io_t *stream = end == NULL ? NULL : jose_jwe_enc_cek_io(NULL, flat, key, end);
    char *text = NULL;
    if (run(stream, end, plain, size) && room == size) {
        text = tlm_base64url_encode(ciphertext, size);
    }
    free(ciphertext);
    return text;
}

/* Puts the five parts together; NULL where one is missing or memory is out. */
static char *compact(const json_t *flat, const char *key, const char *ciphertext)
{
    const char *header = json_string_value(json_object_get(flat, "protected"));
    const char *iv = json_string_value(json_object_get(flat, "iv"));
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
    char *ciphertext = NULL;
    json_t *key = content_key(cek);
    /* libjose encodes the header, sorted and compact, before it seals. */
    json_t *flat = json_pack("{s:o}", "protected", header_members(header));
    json_t *wrapped =
        encrypted_size > 0 ? jose_b64_enc(encrypted_key, encrypted_size) : json_string("");
    if (key != NULL && flat != NULL && wrapped != NULL) {
        ciphertext = encrypt(flat, key, plain, size);
    }
    if (ciphertext != NULL) {
        sealed = compact(flat, json_string_value(wrapped), ciphertext);
    }
    free(ciphertext);
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
