/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FORMATS_JWS_PRIVATE_H
#define TLM_FORMATS_JWS_PRIVATE_H

/* The signature alone, below what this project asks of a header: RFC 7515's own examples. */

#include <stddef.h>

#include <jansson.h>

#include <tlm/jws.h>

/* One of the four algorithms (RFC 7518 section 3.1). */
typedef struct tlm_jws_algorithm {
    const char *name;
    const char *kty;
    const char *curve;     /* NULL for RSA */
    size_t signature_size; /* 0 for RSA, where it is the modulus' */
    const char *digest;    /* as OpenSSL names it */
    tlm_jwa jwa;
} tlm_jws_algorithm;

/* NULL where the name is none of the four. */
const tlm_jws_algorithm *tlm_jws_algorithm_find(const char *name);

/* Three parts of a compact JWS as they stand in the text. */
typedef struct tlm_jws_parts {
    const char *header;
    size_t header_size;
    const char *payload;
    size_t payload_size;
    const char *signature;
    size_t signature_size;
} tlm_jws_parts;

TLM_CHECKED tlm_result tlm_jws_split(const char *text, size_t size, tlm_jws_parts *parts,
                                     tlm_error *error);

/* Verifies with the key for exactly this algorithm. */
TLM_CHECKED tlm_result tlm_jws_verify_parts(const tlm_jws_parts *parts, const json_t *jwk,
                                            const char *alg, tlm_error *error);

#endif
