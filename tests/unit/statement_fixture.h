/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_STATEMENT_FIXTURE_H
#define TLM_TEST_STATEMENT_FIXTURE_H

/*
 * A key in memory that signs roots as the token does, and answers that carry statements.
 *
 *     statement_signer signer;
 *     statement_signer_make(&signer);
 *     json_t *answer = statement_prove(&signer, "{\"type\":\"lease\"}", 3, 8);
 *     result = tlm_statement_verify(answer, signer.jwks, NULL, &report, &error);
 *     json_decref(answer);
 *     statement_signer_clear(&signer);
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/statement.h>

#define TEST_FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TEST_NOW 1767225600 /* 2026-01-01T00:00:00Z */

typedef struct statement_signer {
    EVP_PKEY *key;
    char kid[44];
    json_t *jwk;
    json_t *jwks;
} statement_signer;

static inline void statement_signer_make(statement_signer *signer)
{
    char *text = NULL;
    signer->key = EVP_EC_gen("P-256");
    assert_non_null(signer->key);
    assert_int_equal(tlm_public_to_jwk(signer->key, &text, NULL), TLM_OK);
    signer->jwk = json_loads(text, 0, NULL);
    free(text);
    const char *kid = json_string_value(json_object_get(signer->jwk, "kid"));
    assert_int_equal(strlen(kid), sizeof signer->kid - 1);
    memcpy(signer->kid, kid, sizeof signer->kid);
    signer->jwks = json_pack("{s:[O]}", "keys", signer->jwk);
    assert_non_null(signer->jwks);
}

static inline void statement_signer_clear(statement_signer *signer)
{
    EVP_PKEY_free(signer->key);
    json_decref(signer->jwk);
    json_decref(signer->jwks);
}

static inline void statement_leaf(const json_t *statement, unsigned char leaf[TLM_HASH_SIZE])
{
    char *text = NULL;
    assert_int_equal(tlm_statement_canonical(statement, &text, NULL), TLM_OK);
    assert_int_equal(tlm_merkle_leaf(text, strlen(text), leaf, NULL), TLM_OK);
    free(text);
}

static inline json_t *statement_hash(const unsigned char *hash)
{
    char *text = tlm_base64url_encode(hash, TLM_HASH_SIZE);
    json_t *value = json_string(text);
    assert_non_null(value);
    free(text);
    return value;
}

/* Signs the claims of a root as they are. */
static inline char *statement_sign(const statement_signer *signer, const char *typ,
                                   const json_t *claims)
{
    const tlm_jws_header header = {.alg = "ES256", .kid = signer->kid, .typ = typ};
    char *root = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, signer->key, &root, &error),
                     TLM_OK);
    return root;
}

/* The answer with `statement` (JSON) as leaf `index` of `size`; the others are numbers. */
static inline json_t *statement_prove(const statement_signer *signer, const char *statement,
                                      size_t index, size_t size)
{
    unsigned char path[TLM_PATH_MAX][TLM_HASH_SIZE];
    unsigned char(*leaves)[TLM_HASH_SIZE] = calloc(size, TLM_HASH_SIZE);
    tlm_merkle *tree = NULL;
    json_t *said = json_loads(statement, JSON_ALLOW_NUL, NULL);
    json_t *hashes = json_array();
    assert_non_null(leaves);
    assert_non_null(said);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(tlm_merkle_leaf(&i, sizeof i, leaves[i], NULL), TLM_OK);
    }
    statement_leaf(said, leaves[index]);
    assert_int_equal(
        tlm_merkle_new((const unsigned char(*)[TLM_HASH_SIZE])leaves, size, &tree, NULL), TLM_OK);
    size_t length = tlm_merkle_path(tree, index, path);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(json_array_append_new(hashes, statement_hash(path[i])), 0);
    }
    json_t *claims =
        json_pack("{s:o, s:I, s:I, s:s}", "root", statement_hash(tlm_merkle_root(tree)), "size",
                  (json_int_t)size, "iat", (json_int_t)TEST_NOW, "fingerprint", TEST_FINGERPRINT);
    char *root = statement_sign(signer, TLM_ROOT_TYP, claims);
    json_t *answer = json_pack("{s:o, s:I, s:o, s:s}", "statement", said, "index",
                               (json_int_t)index, "path", hashes, "root", root);
    assert_non_null(answer);
    json_decref(claims);
    tlm_merkle_free(&tree);
    free(leaves);
    free(root);
    return answer;
}

#endif
