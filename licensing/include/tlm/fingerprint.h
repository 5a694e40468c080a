/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FINGERPRINT_H
#define TLM_FINGERPRINT_H

/*
 * Fingerprints: of a key (RFC 7638 JWK thumbprint, SHA-256) and, as the fallback, of a local key
 * together with the host's components.
 *
 *     tlm_fingerprint fingerprint;
 *     if (tlm_fingerprint_of_key(key, TLM_FINGERPRINT_TPM, &fingerprint, &error) == TLM_OK) {
 *         printf("%s\n", fingerprint.text);
 *     }
 *     tlm_fingerprint_clear(&fingerprint);
 */

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include <tlm/host.h>
#include <tlm/result.h>

typedef enum tlm_fingerprint_type {
    TLM_FINGERPRINT_TPM,     /* "tpm": the key is in a TPM */
    TLM_FINGERPRINT_TOKEN,   /* "token": in another PKCS#11 token */
    TLM_FINGERPRINT_FALLBACK /* "fallback": local key and host components */
} tlm_fingerprint_type;

typedef struct tlm_fingerprint {
    tlm_fingerprint_type type;
    char text[65];    /* 64 hexadecimal digits */
    char kid[44];     /* the key's thumbprint, base64url; for tpm and token the same bytes */
    char *public_key; /* PEM */
    char *jwk;        /* one line of JSON */
    tlm_host_component *components; /* fallback only */
    size_t component_count;
} tlm_fingerprint;

const char *tlm_fingerprint_type_name(tlm_fingerprint_type type);

TLM_CHECKED tlm_result tlm_fingerprint_of_key(EVP_PKEY *key, tlm_fingerprint_type type,
                                              tlm_fingerprint *fingerprint, tlm_error *error);

/*
 * SHA-256 over the local key's thumbprint and every present component; docs/formats.md gives the
 * bytes. The components are copied.
 */
TLM_CHECKED tlm_result tlm_fingerprint_fallback(EVP_PKEY *local,
                                                const tlm_host_component *components, size_t count,
                                                tlm_fingerprint *fingerprint, tlm_error *error);

TLM_CHECKED tlm_result tlm_fingerprint_copy(const tlm_fingerprint *from, tlm_fingerprint *to,
                                            tlm_error *error);
void tlm_fingerprint_clear(tlm_fingerprint *fingerprint);

#endif
