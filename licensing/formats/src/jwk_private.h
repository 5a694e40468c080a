/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FORMATS_JWK_PRIVATE_H
#define TLM_FORMATS_JWK_PRIVATE_H

#include <tlm/jwk.h>

#include "jws_private.h"

/*
 * A JWK of nothing but the public key and `alg`, so that no other member steers who reads it, and
 * the bytes of its signatures. TLM_ERR_UNSUPPORTED where the key does not fit the algorithm, or is
 * an RSA key below 2048 or above 4096 bits.
 */
TLM_CHECKED tlm_result tlm_jwk_for(const json_t *jwk, const tlm_jws_algorithm *algorithm,
                                   json_t **key, size_t *signature_size, tlm_error *error);

/* Whether a member that only a private or a symmetric key has is there. */
bool tlm_jwk_is_private(const json_t *jwk);

#endif
