/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates of endorsement keys: TCG EK Credential Profile for TPM 2.0, section 3. */
#include "attestation_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <tlm/file.h>

#include "chain.h"

#define OID_EK_USE "2.23.133.8.1"
#define OID_MANUFACTURER "2.23.133.2.1"
#define OID_MODEL "2.23.133.2.2"
#define OID_VERSION "2.23.133.2.3"
#define PEM_MAX 65536U

static tlm_result read_certificate(const tlm_tpm_bytes *der, X509 **certificate, const char *what,
                                   tlm_error *error)
{
    const unsigned char *at = der->data;
    X509 *made = d2i_X509(NULL, &at, (long)der->size);
    ERR_clear_error();
    if (made == NULL || at != der->data + der->size) {
        X509_free(made);
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s cannot be read", what);
    }
    *certificate = made;
    return TLM_OK;
}

/* A use that is stated must be that of an EK: makers sign other certificates with the same CA. */
static bool for_an_ek(X509 *certificate)
{
    int critical = 0;
    EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, NULL);
    bool found = uses == NULL && critical == -1;
    for (int i = 0; i < sk_ASN1_OBJECT_num(uses); i++) {
        char oid[64] = "";
        (void)OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(uses, i), 1);
        found = found || strcmp(oid, OID_EK_USE) == 0;
    }
    EXTENDED_KEY_USAGE_free(uses);
    ERR_clear_error();
    uint32_t usage = X509_get_key_usage(certificate);
    return found && X509_check_ca(certificate) == 0 &&
           (usage & (KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT)) != 0;
}

static void copy_plain(const ASN1_STRING *from, char *to, size_t room)
{
    const unsigned char *data = ASN1_STRING_get0_data(from);
    size_t used = 0;
    for (int i = 0; i < ASN1_STRING_length(from) && used + 1 < room; i++) {
        /* It is printed on the verifier's terminal. */
        to[used++] = '?';
        if (data[i] >= ' ' && data[i] <= '~') {
            to[used - 1] = (char)data[i];
        }
    }
    to[used] = '\0';
}

static void read_names(const X509_NAME *name, tlm_attestation_report *report)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        char oid[64] = "";
        (void)OBJ_obj2txt(oid, sizeof oid, X509_NAME_ENTRY_get_object(entry), 1);
        if (strcmp(oid, OID_MANUFACTURER) == 0) {
            copy_plain(value, report->manufacturer, sizeof report->manufacturer);
        } else if (strcmp(oid, OID_MODEL) == 0) {
            copy_plain(value, report->model, sizeof report->model);
        } else if (strcmp(oid, OID_VERSION) == 0) {
            copy_plain(value, report->version, sizeof report->version);
        }
    }
}

/* The alternative name holds a directory name with the TPM's maker, model and version. */
static tlm_result read_tpm_names(X509 *certificate, tlm_attestation_report *report,
                                 tlm_error *error)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DIRNAME) {
            read_names(name->d.directoryName, report);
        }
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return report->manufacturer[0] != '\0'
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                               "the EK certificate names no manufacturer of a TPM in its "
                               "alternative name");
}

static tlm_result collect(const tlm_attestation *attestation, const tlm_attestation_expect *expect,
                          STACK_OF(X509) * between, STACK_OF(X509) * trusted, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (between == NULL || trusted == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for certificates");
    }
    for (size_t i = 0; result == TLM_OK && i < expect->ca_count; i++) {
        result = tlm_chain_read(expect->ca[i], trusted, error);
    }
    for (size_t i = 0; result == TLM_OK && i < attestation->chain_count; i++) {
        X509 *certificate = NULL;
        result = read_certificate(&attestation->chain[i], &certificate,
                                  "a certificate of the attestation's chain", error);
        if (result == TLM_OK && sk_X509_push(between, certificate) <= 0) {
            X509_free(certificate);
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for certificates");
        }
    }
    return result;
}

static tlm_result verify_chain(const tlm_attestation *attestation,
                               const tlm_attestation_expect *expect, X509 *certificate,
                               tlm_error *error)
{
    STACK_OF(X509) *between = sk_X509_new_null();
    STACK_OF(X509) *trusted = sk_X509_new_null();
    tlm_result result = collect(attestation, expect, between, trusted, error);
    if (result == TLM_OK) {
        result = tlm_chain_verify(certificate, between, trusted, "the EK certificate", error);
    }
    sk_X509_pop_free(between, X509_free);
    sk_X509_pop_free(trusted, X509_free);
    return result;
}

static tlm_result verify_certificate(const tlm_attestation *attestation,
                                     const tlm_attestation_expect *expect, EVP_PKEY *ek,
                                     X509 *certificate, tlm_attestation_report *report,
                                     tlm_error *error)
{
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    bool same = public != NULL && EVP_PKEY_eq(public, ek) == 1;
    ERR_clear_error();
    if (!same) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                             "the EK certificate is one of another key than the attestation's EK");
    }
    if (!for_an_ek(certificate)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "the EK certificate is not one for an endorsement key");
    }
    tlm_result result = read_tpm_names(certificate, report, error);
    return result == TLM_OK ? verify_chain(attestation, expect, certificate, error) : result;
}

/* Somebody vouches for this very key, as makers do that publish keys instead of certificates. */
static tlm_result compare_public(const char *path, EVP_PKEY *ek, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, PEM_MAX, &text, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    BIO *memory = BIO_new_mem_buf(text, (int)size);
    EVP_PKEY *known = memory != NULL ? PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL) : NULL;
    if (known == NULL) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, "give it as -----BEGIN PUBLIC KEY-----",
                               "%s holds no public key", path);
    } else if (EVP_PKEY_eq(known, ek) != 1) {
        result = tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                               "the attestation's EK is another key than the one in %s", path);
    }
    ERR_clear_error();
    EVP_PKEY_free(known);
    BIO_free(memory);
    free(text);
    return result;
}

tlm_result tlm_ek_verify(const tlm_attestation *attestation, const tlm_attestation_expect *expect,
                         EVP_PKEY *ek, tlm_attestation_report *report, tlm_error *error)
{
    if (expect->ek_public != NULL) {
        return compare_public(expect->ek_public, ek, error);
    }
    if (attestation->ek_certificate.size == 0) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE,
                             "have the TPM's EK vouched for another way, and name it with "
                             "--ek-public FILE",
                             "the attestation holds no EK certificate, so nothing shows that the "
                             "TPM is a genuine one");
    }
    X509 *certificate = NULL;
    tlm_result result =
        read_certificate(&attestation->ek_certificate, &certificate, "the EK certificate", error);
    if (result == TLM_OK) {
        result = verify_certificate(attestation, expect, ek, certificate, report, error);
    }
    X509_free(certificate);
    return result;
}
