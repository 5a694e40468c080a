/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CSR_H
#define TLM_CSR_H

/*
 * Certification requests (PKCS #10, RFC 2986) for keys of a token, and the exchange of the
 * certificate beside a key for the one that a CA issued.
 *
 *     char *pem = NULL;
 *     if (tlm_csr_make(key, "CN=host.example,O=Example", "DNS:host.example", &pem, &error) !=
 *         TLM_OK) { … }
 *     …
 *     result = tlm_certificate_replace(key, self_signed, issued, &error);
 *     free(pem);
 */

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <tlm/key.h>
#include <tlm/result.h>

/* Longest subject and longest list of names that are read. */
#define TLM_CSR_TEXT_MAX 2048U

/*
 * A distinguished name from text: "CN=host,O=Example", pairs in the order in which they shall
 * stand, types by their short name or in dots; a backslash takes the next character as it is.
 * TLM_ERR_SETTING names the pair that is wrong. The caller frees it with X509_NAME_free.
 */
TLM_CHECKED tlm_result tlm_csr_parse_subject(const char *text, X509_NAME **subject,
                                             tlm_error *error);

/*
 * Alternative names (RFC 5280 section 4.2.1.6) from text: "DNS:host.example,IP:192.0.2.1", types
 * DNS, IP, URI and email. TLM_ERR_SETTING names the one that is wrong. The caller frees them with
 * GENERAL_NAMES_free.
 */
TLM_CHECKED tlm_result tlm_csr_parse_names(const char *text, GENERAL_NAMES **names,
                                           tlm_error *error);

/*
 * A request signed by the key, as PEM in a new string: ES256, or RSA with SHA-256. It asks for the
 * key usage that the key has, no CA, and the alternative names, where `names` is not NULL.
 */
TLM_CHECKED tlm_result tlm_csr_make(tlm_key *key, const char *subject, const char *names,
                                    char **pem, tlm_error *error);

/* A key has one certificate; more are left over by an exchange that was interrupted. */
#define TLM_CERTIFICATES_MAX 8U

/* The certificates of a key, in any order; none is success. tlm_certificate_list_clear frees them.
 */
TLM_CHECKED tlm_result tlm_certificate_list(tlm_key *key, X509 *certificates[TLM_CERTIFICATES_MAX],
                                            size_t *count, tlm_error *error);
void tlm_certificate_list_clear(X509 *certificates[TLM_CERTIFICATES_MAX], size_t *count);

/*
 * Puts `new` beside the key in the place of `old`, which is NULL where the key has none. The new
 * one is made before the old one goes, so the key is never without; an exchange that was
 * interrupted is completed by the next one. TLM_ERR_EXISTS, with nothing changed, where the key has
 * still another certificate, TLM_ERR_ARGUMENT where `new` is not of this key.
 */
TLM_CHECKED tlm_result tlm_certificate_replace(tlm_key *key, X509 *old, X509 *new,
                                               tlm_error *error);

#endif
