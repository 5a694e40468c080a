/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_JWK_H
#define TLM_JWK_H

/*
 * Public keys as JWK (RFC 7517): RSA of 2048 to 4096 bits, P-256 and P-384.
 *
 *     EVP_PKEY *key = NULL;
 *     result = tlm_jwk_to_public(json_object_get(answer, "jwk"), &key, &error);
 *     …
 *     EVP_PKEY_free(key);
 */

#include <stdbool.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <tlm/result.h>

/*
 * The key that a JWK holds, checked to be one (a point on its curve). Members that do not belong to
 * the public key are not looked at, but a private or symmetric key is TLM_ERR_FORMAT and says so.
 * TLM_ERR_UNSUPPORTED for other types, curves and sizes. The caller frees it with EVP_PKEY_free.
 */
TLM_CHECKED tlm_result tlm_jwk_to_public(const json_t *jwk, EVP_PKEY **key, tlm_error *error);

/* A public key as JWK with its thumbprint as `kid`, to add members to. The caller releases it. */
TLM_CHECKED tlm_result tlm_jwk_from_public(EVP_PKEY *key, json_t **jwk, tlm_error *error);

#endif
