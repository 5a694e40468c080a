/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_VECTOR_H
#define TLM_TEST_VECTOR_H

/*
 * RFC vectors from tests/vectors. What goes wrong here fails the test at once.
 *
 *     json_t *vector = tlm_vector_load("rfc7638-3.1.json");
 *     EVP_PKEY *key = tlm_vector_key(vector);
 *     assert_string_equal(tlm_vector_text(vector, "thumbprint"), "…");
 */

#include <stddef.h>

#include <jansson.h>
#include <openssl/evp.h>

json_t *tlm_vector_load(const char *name);
const char *tlm_vector_text(const json_t *vector, const char *member);
/* The decoded bytes of a base64url member; the caller frees them. */
unsigned char *tlm_vector_bytes(const json_t *vector, const char *member, size_t *size);
/* The public key of the member "key", a JWK. */
EVP_PKEY *tlm_vector_key(const json_t *vector);
EVP_PKEY *tlm_vector_key_of(const json_t *jwk);

#endif
