/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/statement.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/jws.h>
#include <tlm/key.h>

#include "json_private.h"
#include "text_private.h"

/* Largest signed root; ours has some 400 bytes. */
#define ROOT_MAX 65536U
#define ES256 "ES256"
#define FINGERPRINT_DIGITS 64U

typedef unsigned char hash_bytes[TLM_HASH_SIZE];

/* What an answer brings along, and what its signed root claims. */
typedef struct proof {
    const json_t *statement;
    uint64_t index;
    hash_bytes path[TLM_PATH_MAX];
    size_t path_length;
    const char *root;
    size_t root_size;

    hash_bytes signed_root;
    uint64_t size;
    int64_t iat;
    const char *fingerprint;
} proof;

static tlm_result malformed(tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "not a proven statement: %s", what);
}

static tlm_result refuse(tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL, "the statement is not proven: %s", what);
}

/* A hash in base64url; false where it is something else. */
static bool read_hash(const json_t *value, hash_bytes hash)
{
    unsigned char *data = NULL;
    size_t size = 0;
    const char *text = json_string_value(value);
    if (text == NULL || tlm_base64url_decode(text, strlen(text), &data, &size, NULL) != TLM_OK) {
        return false;
    }
    bool fits = size == TLM_HASH_SIZE;
    if (fits) {
        memcpy(hash, data, TLM_HASH_SIZE);
    }
    free(data);
    return fits;
}

static tlm_result read_answer(const json_t *answer, proof *from, tlm_error *error)
{
    from->statement = json_object_get(answer, "statement");
    const json_t *index = json_object_get(answer, "index");
    const json_t *path = json_object_get(answer, "path");
    const json_t *root = json_object_get(answer, "root");
    if (!json_is_object(from->statement)) {
        return malformed(error, "its member statement is missing or no object");
    }
    if (!json_is_integer(index) || json_integer_value(index) < 0) {
        return malformed(error, "its member index is missing or no number from 0 on");
    }
    if (!json_is_array(path) || json_array_size(path) > TLM_PATH_MAX) {
        return malformed(error, "its member path is missing or no array of at most 12 hashes");
    }
    if (!json_is_string(root) || json_string_length(root) > ROOT_MAX) {
        return malformed(error, "its member root is missing or no text of at most 65536 bytes");
    }
    from->index = (uint64_t)json_integer_value(index);
    from->path_length = json_array_size(path);
    for (size_t i = 0; i < from->path_length; i++) {
        if (!read_hash(json_array_get(path, i), from->path[i])) {
            return malformed(error, "an element of its path is no SHA-256 hash in base64url");
        }
    }
    from->root = json_string_value(root);
    from->root_size = json_string_length(root);
    return TLM_OK;
}

/* The key with `kid` in a JWKS; a JWK that stands alone is the key whatever it is called. */
static tlm_result find_key(const json_t *keys, const char *kid, const json_t **jwk,
                           tlm_error *error)
{
    const json_t *list = json_object_get(keys, "keys");
    if (list == NULL) {
        *jwk = keys;
        return TLM_OK;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *key = json_array_get(list, i);
        const char *name = tlm_json_member(key, "kid", TLM_JWS_TEXT_MAX);
        if (name != NULL && strcmp(name, kid) == 0) {
            *jwk = key;
            return TLM_OK;
        }
    }
    return tlm_error_set(
        error, TLM_ERR_SIGNATURE,
        "Fetch the host's keys anew where they may have changed: GET /api/v1/keys",
        "the statement is signed with the key %s, which is none of the host's keys", kid);
}

static tlm_result read_root(const tlm_jws *jws, proof *from, tlm_error *error)
{
    const json_t *claims = tlm_jws_claims(jws);
    const json_t *size = json_object_get(claims, "size");
    const json_t *iat = json_object_get(claims, "iat");
    from->fingerprint = tlm_json_member(claims, "fingerprint", FINGERPRINT_DIGITS);
    if (!read_hash(json_object_get(claims, "root"), from->signed_root)) {
        return malformed(error, "its signed root has no SHA-256 hash in base64url");
    }
    if (!json_is_integer(size) || json_integer_value(size) < 1 || !json_is_integer(iat)) {
        return malformed(error, "its signed root lacks a size from 1 on, or iat");
    }
    if (from->fingerprint == NULL || !tlm_hex_valid(from->fingerprint, FINGERPRINT_DIGITS)) {
        return malformed(error, "its signed root has no fingerprint of 64 hexadecimal digits");
    }
    from->size = (uint64_t)json_integer_value(size);
    from->iat = json_integer_value(iat);
    return TLM_OK;
}

static tlm_result verify_root(const proof *from, const json_t *keys, tlm_jws **jws,
                              tlm_error *error)
{
    const json_t *jwk = NULL;
    tlm_result result = tlm_jws_parse(from->root, from->root_size, ROOT_MAX, jws, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the signed root of a statement");
        return result;
    }
    const tlm_jws_header *header = tlm_jws_get_header(*jws);
    if (strcmp(header->typ, TLM_ROOT_TYP) != 0 || strcmp(header->alg, ES256) != 0) {
        return refuse(error, "its root is not signed as " TLM_ROOT_TYP " with ES256");
    }
    result = find_key(keys, header->kid, &jwk, error);
    if (result == TLM_OK) {
        result = tlm_jws_verify(*jws, jwk, ES256, error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "the signed root of a statement");
        }
    }
    return result;
}

static tlm_result verify_path(const proof *from, tlm_error *error)
{
    hash_bytes leaf;
    hash_bytes climbed;
    char *text = NULL;
    tlm_result result = tlm_statement_canonical(from->statement, &text, error);
    if (result == TLM_OK) {
        result = tlm_merkle_leaf(text, strlen(text), leaf, error);
    }
    free(text);
    if (result == TLM_OK) {
        result = tlm_merkle_climb(leaf, from->index, from->size, from->path, from->path_length,
                                  climbed, error);
    }
    if (result == TLM_OK && memcmp(climbed, from->signed_root, TLM_HASH_SIZE) != 0) {
        return refuse(error, "its path does not lead to the signed root; it was changed, or is of "
                             "another answer");
    }
    return result;
}

static tlm_result verify_members(const proof *from, const char *nonce, tlm_error *error)
{
    const json_t *statement = from->statement;
    const char *fingerprint = tlm_json_member(statement, "fingerprint", FINGERPRINT_DIGITS);
    const char *asked = json_string_value(json_object_get(statement, "nonce"));
    if (fingerprint == NULL || strcmp(fingerprint, from->fingerprint) != 0) {
        return refuse(error, "its fingerprint is not that of the signed root");
    }
    if (tlm_json_member(statement, "type", TLM_JWS_TEXT_MAX) == NULL) {
        return malformed(error, "its statement has no type");
    }
    if (nonce != NULL && (asked == NULL || strcmp(asked, nonce) != 0)) {
        return refuse(error, "it does not answer the nonce that was asked with; an old answer may "
                             "have been shown again");
    }
    return TLM_OK;
}

static void report_on(const proof *from, const tlm_jws *jws, tlm_statement_report *report)
{
    *report =
        (tlm_statement_report){.type = json_string_value(json_object_get(from->statement, "type")),
                               .signed_at = from->iat,
                               .size = from->size};
    tlm_text_copy(report->fingerprint, sizeof report->fingerprint, from->fingerprint);
    tlm_text_copy(report->kid, sizeof report->kid, tlm_jws_get_header(jws)->kid);
}

tlm_result tlm_statement_verify(const json_t *answer, const json_t *keys, const char *nonce,
                                tlm_statement_report *report, tlm_error *error)
{
    tlm_jws *jws = NULL;
    proof from = {0};
    tlm_result result = read_answer(answer, &from, error);
    if (result == TLM_OK) {
        result = verify_root(&from, keys, &jws, error);
    }
    if (result == TLM_OK) {
        result = read_root(jws, &from, error);
    }
    if (result == TLM_OK) {
        result = verify_path(&from, error);
    }
    if (result == TLM_OK) {
        result = verify_members(&from, nonce, error);
    }
    if (result == TLM_OK && report != NULL) {
        report_on(&from, jws, report);
    }
    tlm_jws_free(&jws);
    return result;
}
