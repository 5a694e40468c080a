/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TLS_CREDENTIALS_H
#define TLM_TLS_CREDENTIALS_H

/*
 * What the server shows and trusts in a TLS handshake: certificate chain, private key, authorities
 * of client certificates. Immutable and counted: a connection keeps the one it began with.
 *
 *     tlm_tls_sources sources = {.certificate = "/etc/…/rest.pem", .key = "/etc/…/rest.key"};
 *     tlm_tls_credentials *credentials = NULL;
 *     if (tlm_tls_credentials_load(&sources, NULL, &credentials, &error) != TLM_OK) { … }
 *     tlm_tls_credentials_release(&credentials);
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <tlm/result.h>

#include "tls_token.h"

/* Certificates of a chain, and authorities of client certificates. */
#define TLM_TLS_CHAIN_MAX 16U

/* The settings below REST.Tls. */
typedef struct tlm_tls_sources {
    const char *certificate; /* PEM file or pkcs11: URI */
    const char *key;         /* the same */
    const char *client_ca;   /* PEM file, or NULL: no client certificates */
    bool client_optional;    /* a client without one is served too */
} tlm_tls_sources;

typedef struct tlm_tls_credentials {
    atomic_uint users;
    gnutls_certificate_credentials_t trust;
    gnutls_pcert_st chain[TLM_TLS_CHAIN_MAX];
    unsigned chain_size;
    gnutls_privkey_t key;
    gnutls_datum_t ticket_key; /* sessions of other credentials are not resumed */
    bool client_ca;
    bool client_optional;
    char subject[128];
    time_t not_before;
    time_t not_after;
} tlm_tls_credentials;

/* Whether a setting names an object of the token and no file. */
bool tlm_tls_is_uri(const char *source);

/*
 * Checks what needs no token: that certificate and key are both there, URIs, files, and that a
 * certificate and a key that are both files belong together. Errors name the setting.
 */
TLM_CHECKED tlm_result tlm_tls_sources_check(const tlm_tls_sources *sources, tlm_error *error);

/*
 * Reads everything. `token` is open, or NULL where no source is a URI. TLM_ERR_SETTING where
 * certificate and key do not belong together, with the SHA-256 of both public keys.
 */
TLM_CHECKED tlm_result tlm_tls_credentials_load(const tlm_tls_sources *sources,
                                                tlm_tls_token *token,
                                                tlm_tls_credentials **credentials,
                                                tlm_error *error);

tlm_tls_credentials *tlm_tls_credentials_hold(tlm_tls_credentials *credentials);

/* The last one frees it. Accepts NULL, sets NULL. */
void tlm_tls_credentials_release(tlm_tls_credentials **credentials);

/* What is wrong with the certificate's time now: TLM_OK, or an error for the status. */
tlm_result tlm_tls_credentials_age(const tlm_tls_credentials *credentials, time_t now,
                                   tlm_error *error);

#endif
