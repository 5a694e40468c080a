/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TLS_FILES_H
#define TLM_TLS_FILES_H

/*
 * PEM files (RFC 7468) of HTTPS: certificate chain, private key, authorities.
 *
 *     gnutls_pcert_st chain[TLM_TLS_CHAIN_MAX];
 *     unsigned size = TLM_TLS_CHAIN_MAX;
 *     result = tlm_tls_file_chain("/etc/tlm/rest.pem", chain, &size, &error);
 */

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <tlm/result.h>

/*
 * The host's certificate and those above it, in any order; at most *size, which becomes their
 * number. The caller frees each with gnutls_pcert_deinit.
 */
TLM_CHECKED tlm_result tlm_tls_file_chain(const char *path, gnutls_pcert_st *chain, unsigned *size,
                                          tlm_error *error);

/*
 * A private key without a password, PKCS #8 or as OpenSSL writes it, in a file of mode 0600
 * (TLM_ERR_PERMISSION otherwise), and its public half. The caller frees both.
 */
TLM_CHECKED tlm_result tlm_tls_file_key(const char *path, gnutls_privkey_t *key,
                                        gnutls_pubkey_t *public, tlm_error *error);

/* Adds the authorities of a file to those that client certificates are checked with. */
TLM_CHECKED tlm_result tlm_tls_file_authorities(const char *path,
                                                gnutls_certificate_credentials_t trust,
                                                tlm_error *error);

#endif
