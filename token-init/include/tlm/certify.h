/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CERTIFY_H
#define TLM_CERTIFY_H

/*
 * A certificate from an operator's CA for a key of the token: the request for it, and putting it
 * into the token.
 *
 *     tlm_certify_request request = {.settings = &settings, .label = "tlm-attest",
 *                                    .subject = "CN=host.example"};
 *     char *pem = NULL;
 *     result = tlm_certify_csr(&request, &pem, &error);
 *     … the CA answers …
 *     tlm_certify_report report = {0};
 *     result = tlm_certify_install(&request, "chain.pem", &report, &error);
 *     tlm_certify_report_clear(&report);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/settings.h>

typedef struct tlm_certify_request {
    const tlm_settings *settings;
    const char *label;   /* of the key */
    const char *subject; /* NULL: CN= the label and the begin of the fingerprint */
    const char *names;   /* alternative names, or NULL */
    const char *const *ca;
    size_t ca_count; /* files with certificates of the CA */
    bool replace;    /* a certificate that is not self-signed may go */
} tlm_certify_request;

/* A request of that key (tlm/csr.h) as PEM in a new string. */
TLM_CHECKED tlm_result tlm_certify_csr(const tlm_certify_request *request, char **pem,
                                       tlm_error *error);

typedef struct tlm_certify_report {
    bool unchanged; /* the key has this certificate already */
    bool reopen;    /* programs that have the token open see it once they open it anew */
    char *subject;
    char *issuer;
    char *not_after; /* as OpenSSL writes times */
    char *saved;     /* file of the former certificate; NULL where there was none */
} tlm_certify_report;

/*
 * Puts the first certificate of a PEM file beside its key. Before anything is touched it must be
 * of that key, valid now, for signing, and lead over the issuers in the file to a certificate of
 * `ca` (without `ca`: to one in the file). The former certificate is saved in the store first.
 * TLM_ERR_EXISTS where that one is not self-signed and `replace` is not set, TLM_ERR_SIGNATURE
 * where the chain does not verify, TLM_ERR_INCOMPLETE where its issuer is missing, TLM_ERR_FOREIGN
 * for a certificate of another key.
 */
TLM_CHECKED tlm_result tlm_certify_install(const tlm_certify_request *request, const char *path,
                                           tlm_certify_report *report, tlm_error *error);
void tlm_certify_report_clear(tlm_certify_report *report);

#endif
