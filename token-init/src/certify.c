/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/certify.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <tlm/csr.h>
#include <tlm/file.h>

#include "chain.h"
#include "job.h"

typedef struct certify {
    const tlm_certify_request *request;
    tlm_provision_request provision;
    tlm_job job;
    tlm_key *key;
} certify;

static tlm_result begin(certify *work, const tlm_certify_request *request, tlm_error *error)
{
    *work = (certify){.request = request, .provision = {.settings = request->settings}};
    tlm_result result = tlm_job_begin(&work->job, &work->provision, error);
    if (result == TLM_OK) {
        result = tlm_store_load(work->job.directory, &work->job.store, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_lock(&work->job, error);
    }
    if (result == TLM_OK && !work->job.store.complete) {
        result = tlm_error_set(error, TLM_ERR_INCOMPLETE, "run: tlm-token-init provision",
                               "provisioning of %s was interrupted", work->job.directory);
    }
    if (result == TLM_OK) {
        result = tlm_job_need_token(&work->job, error);
    }
    return result == TLM_OK ? tlm_key_find(work->job.token, request->label, &work->key, error)
                            : result;
}

static void end(certify *work)
{
    tlm_key_free(&work->key);
    tlm_job_end(&work->job);
}

tlm_result tlm_certify_csr(const tlm_certify_request *request, char **pem, tlm_error *error)
{
    certify work;
    char subject[64];
    tlm_result result = begin(&work, request, error);
    if (result == TLM_OK) {
        const char *thumbprint = work.job.store.thumbprint;
        (void)snprintf(subject, sizeof subject, "CN=%s %.16s", request->label,
                       thumbprint != NULL ? thumbprint : "");
        result = tlm_csr_make(work.key, request->subject != NULL ? request->subject : subject,
                              request->names, pem, error);
    }
    end(&work);
    return result;
}

static bool self_signed(X509 *certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) ==
           0;
}

/* The certificate itself, before anything is asked about who issued it. */
static tlm_result check_leaf(const certify *work, X509 *leaf, const char *path, tlm_error *error)
{
    const char *label = work->request->label;
    EVP_PKEY *public = X509_get0_pubkey(leaf);
    if (public == NULL || EVP_PKEY_eq(public, tlm_key_public(work->key)) != 1) {
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_FOREIGN,
                             "the key's own certificate comes first in the file; for the other "
                             "key of the token use --key",
                             "the first certificate of %s is not one of key '%s'", path, label);
    }
    if (self_signed(leaf)) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE,
                             "have one issued by a CA for the request of: tlm-token-init csr",
                             "the certificate of %s is self-signed", path);
    }
    if (X509_check_ca(leaf) != 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, "have one issued that is not for a CA",
                             "the certificate of %s is one for a CA", path);
    }
    if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "have one issued with the key usage that the request asks for",
                             "the certificate of %s does not allow digital signatures", path);
    }
    return TLM_OK;
}

static tlm_result check_chain(const certify *work, STACK_OF(X509) * chain, const char *path,
                              tlm_error *error)
{
    const tlm_certify_request *request = work->request;
    STACK_OF(X509) *trusted = sk_X509_new_null();
    if (trusted == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for certificates");
    }
    tlm_result result = TLM_OK;
    for (size_t i = 0; result == TLM_OK && i < request->ca_count; i++) {
        result = tlm_chain_read(request->ca[i], trusted, error);
    }
    /* Without --ca the operator vouches for the file: its issuers must have signed, no more. */
    for (int i = 1; result == TLM_OK && request->ca_count == 0 && i < sk_X509_num(chain); i++) {
        X509 *issuer = sk_X509_value(chain, i);
        if (X509_up_ref(issuer) != 1 || sk_X509_push(trusted, issuer) <= 0) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for certificates");
        }
    }
    if (result == TLM_OK) {
        result = tlm_chain_verify(sk_X509_value(chain, 0), chain, trusted, path, error);
    }
    sk_X509_pop_free(trusted, X509_free);
    return result;
}

static tlm_result write_pem(X509 *certificate, const char *path, tlm_error *error)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (memory == NULL || PEM_write_bio_X509(memory, certificate) != 1) {
        BIO_free(memory);
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a certificate");
    }
    long size = BIO_get_mem_data(memory, &text);
    tlm_result result = tlm_file_create(path, text, (size_t)size, 0644, error);
    BIO_free(memory);
    /* Its name is made from its digest, so the file that is there holds this certificate. */
    return result == TLM_ERR_EXISTS ? TLM_OK : result;
}

/* The former certificate as a file of the store. */
static tlm_result save(const certify *work, X509 *certificate, char **path, tlm_error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char name[80];
    char *hex = X509_digest(certificate, EVP_sha256(), digest, &size) == 1
                    ? tlm_hex_encode(digest, size)
                    : NULL;
    (void)snprintf(name, sizeof name, "%s-%.16s.pem", work->request->label, hex != NULL ? hex : "");
    char *made = hex != NULL ? tlm_path_join(work->job.directory, name) : NULL;
    free(hex);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a path");
    }
    tlm_result result = write_pem(certificate, made, error);
    if (result != TLM_OK) {
        free(made);
        return result;
    }
    *path = made;
    return TLM_OK;
}

static tlm_result may_go(const certify *work, X509 *old, tlm_error *error)
{
    if (self_signed(old) || work->request->replace) {
        return TLM_OK;
    }
    char *issuer = tlm_chain_name(X509_get_issuer_name(old));
    tlm_result result = tlm_error_set(
        error, TLM_ERR_EXISTS, "repeat the command with --replace; the present one is saved first",
        "key '%s' has a certificate that '%s' issued", work->request->label,
        issuer != NULL ? issuer : "a CA");
    free(issuer);
    return result;
}

/* The one of the key's certificates that is not `new`, or NULL; owned by the list. */
static X509 *former(X509 *const *list, size_t count, const X509 *new)
{
    for (size_t i = 0; i < count; i++) {
        if (X509_cmp(list[i], new) != 0) {
            return list[i];
        }
    }
    return NULL;
}

static tlm_result exchange(certify *work, X509 *new, tlm_certify_report *report, tlm_error *error)
{
    X509 *list[TLM_CERTIFICATES_MAX];
    size_t count = 0;
    tlm_result result = tlm_certificate_list(work->key, list, &count, error);
    if (result != TLM_OK) {
        return result;
    }
    X509 *old = former(list, count, new);
    report->unchanged = old == NULL && count > 0;
    if (old != NULL) {
        result = may_go(work, old, error);
    }
    if (result == TLM_OK && old != NULL) {
        result = save(work, old, &report->saved, error);
    }
    if (result == TLM_OK && !report->unchanged) {
        result = tlm_certificate_replace(work->key, old, new, error);
    }
    /* Measured: SoftHSM reads its files again, tpm2-pkcs11 reads its database once. */
    report->reopen = !report->unchanged && work->job.store.backend == TLM_BACKEND_TPM;
    tlm_certificate_list_clear(list, &count);
    return result;
}

static tlm_result describe(X509 *certificate, tlm_certify_report *report, tlm_error *error)
{
    struct tm end_time;
    char text[32];
    report->subject = tlm_chain_name(X509_get_subject_name(certificate));
    report->issuer = tlm_chain_name(X509_get_issuer_name(certificate));
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end_time) == 1 &&
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &end_time) > 0) {
        report->not_after = strdup(text);
    }
    if (report->subject == NULL || report->issuer == NULL || report->not_after == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the report");
    }
    return TLM_OK;
}

tlm_result tlm_certify_install(const tlm_certify_request *request, const char *path,
                               tlm_certify_report *report, tlm_error *error)
{
    memset(report, 0, sizeof *report);
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (chain == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for certificates");
    }
    certify work = {.job = {.lock = -1}};
    tlm_result result = tlm_chain_read(path, chain, error);
    X509 *leaf = sk_X509_value(chain, 0);
    if (result == TLM_OK) {
        result = describe(leaf, report, error);
    }
    if (result == TLM_OK) {
        result = begin(&work, request, error);
    }
    if (result == TLM_OK) {
        result = check_leaf(&work, leaf, path, error);
    }
    if (result == TLM_OK) {
        result = check_chain(&work, chain, path, error);
    }
    if (result == TLM_OK) {
        result = exchange(&work, leaf, report, error);
    }
    end(&work);
    sk_X509_pop_free(chain, X509_free);
    return result;
}

void tlm_certify_report_clear(tlm_certify_report *report)
{
    free(report->subject);
    free(report->issuer);
    free(report->not_after);
    free(report->saved);
    memset(report, 0, sizeof *report);
}
