/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TLS_TOKEN_H
#define TLM_TLS_TOKEN_H

/*
 * Certificates and private keys on the token, as GnuTLS takes them.
 *
 * GnuTLS could load the module by itself, but then two of its users would finalize, log in and
 * recover it under each other's feet. So a signature goes through tlm/key.h like all else that this
 * process asks of a token: one lock, one recovery ladder, no PIN sent twice.
 *
 *     tlm_tls_token_config config = {.module = module, .uri = "pkcs11:", .wait_ms = 10000, …};
 *     tlm_tls_token *token = NULL;
 *     result = tlm_tls_token_new(&config, &token, &error);
 *     if (tlm_tls_token_open(token, &error) == TLM_OK) {
 *         result = tlm_tls_token_key(token, "pkcs11:object=tlm-attest", &key, &public, &error);
 *     }
 *     gnutls_privkey_deinit(key);    // every key before the token
 *     tlm_tls_token_free(&token);
 */

#include <stdbool.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <tlm/result.h>

typedef struct tlm_tls_token tlm_tls_token;

typedef struct tlm_tls_token_config {
    const char *module;
    const char *uri;      /* of the token, the same text as everybody in the process uses */
    const char *pin_file; /* NULL: the token's own way */
    int64_t wait_ms;      /* how long a signature waits for those before it */
    /* Called by the thread that wanted a signature and got none. */
    void (*failed)(void *context, const tlm_error *error);
    void *context;
} tlm_tls_token_config;

/* Copies the texts; opens nothing. */
TLM_CHECKED tlm_result tlm_tls_token_new(const tlm_tls_token_config *config, tlm_tls_token **token,
                                         tlm_error *error);

/* Every key of it must have been freed. Accepts NULL. */
void tlm_tls_token_free(tlm_tls_token **token);

/* Opens the token where it is not open. One thread alone calls this and what stands below. */
TLM_CHECKED tlm_result tlm_tls_token_open(tlm_tls_token *token, tlm_error *error);

/* A round trip to the token, with the recovery that it may need. */
TLM_CHECKED tlm_result tlm_tls_token_probe(tlm_tls_token *token, tlm_error *error);

/* How often its module was brought back: what was read before may be another token's. */
unsigned tlm_tls_token_recoveries(const tlm_tls_token *token);

/*
 * The private key that a URI names, for signatures from any thread, and its public half. The caller
 * frees both.
 */
TLM_CHECKED tlm_result tlm_tls_token_key(tlm_tls_token *token, const char *uri,
                                         gnutls_privkey_t *key, gnutls_pubkey_t *public,
                                         tlm_error *error);

/* DER of the certificate that a URI names; the caller frees it with gnutls_free. */
TLM_CHECKED tlm_result tlm_tls_token_certificate(tlm_tls_token *token, const char *uri,
                                                 gnutls_datum_t *der, tlm_error *error);

#endif
