/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/csr.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "internal.h"

static bool add_names(STACK_OF(X509_EXTENSION) * list, GENERAL_NAMES *names)
{
    return names == NULL ||
           X509V3_add1_i2d(&list, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
}

/* All of a request but its signature. */
static X509_REQ *fill(EVP_PKEY *public, X509_NAME *subject, GENERAL_NAMES *names)
{
    X509_REQ *request = X509_REQ_new();
    X509_ALGOR *algorithm = tlm_x509_algorithm(public);
    STACK_OF(X509_EXTENSION) *list = tlm_x509_usage(public);
    bool done = request != NULL && algorithm != NULL && list != NULL && add_names(list, names) &&
                X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                X509_REQ_set_subject_name(request, subject) == 1 &&
                X509_REQ_set_pubkey(request, public) == 1 &&
                X509_REQ_add_extensions(request, list) == 1 &&
                X509_REQ_set1_signature_algo(request, algorithm) == 1;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_ALGOR_free(algorithm);
    if (!done) {
        X509_REQ_free(request);
        return NULL;
    }
    return request;
}

static tlm_result sign(tlm_key *key, X509_REQ *request, tlm_error *error)
{
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    unsigned char *tbs = NULL;
    int tbs_size = i2d_re_X509_REQ_tbs(request, &tbs);
    if (tbs_size <= 0) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "encoding a certification request");
    }
    tlm_result result = tlm_x509_sign(key, tbs, (size_t)tbs_size, signature, &size, error);
    OPENSSL_free(tbs);
    if (result != TLM_OK) {
        return result;
    }
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    if (bits == NULL || ASN1_STRING_set(bits, signature, (int)size) != 1) {
        ASN1_BIT_STRING_free(bits);
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "signing a certification request");
    }
    /* No unused bits, whatever the signature ends with. */
    bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    X509_REQ_set0_signature(request, bits);
    return TLM_OK;
}

static tlm_result to_pem(X509_REQ *request, char **pem, tlm_error *error)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *made = NULL;
    if (memory != NULL && PEM_write_bio_X509_REQ(memory, request) == 1) {
        long size = BIO_get_mem_data(memory, &text);
        made = size > 0 ? strndup(text, (size_t)size) : NULL;
    }
    BIO_free(memory);
    if (made == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY,
                                     "writing a certification request as PEM");
    }
    *pem = made;
    return TLM_OK;
}

static tlm_result make(tlm_key *key, X509_NAME *subject, GENERAL_NAMES *names, char **pem,
                       tlm_error *error)
{
    X509_REQ *request = fill(key->public, subject, names);
    if (request == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "building a certification request");
    }
    tlm_result result = sign(key, request, error);
    if (result == TLM_OK && X509_REQ_verify(request, key->public) != 1) {
        result = tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "checking the request's signature");
    }
    if (result == TLM_OK) {
        result = to_pem(request, pem, error);
    }
    X509_REQ_free(request);
    return result;
}

tlm_result tlm_csr_make(tlm_key *key, const char *subject, const char *names, char **pem,
                        tlm_error *error)
{
    if (key == NULL || subject == NULL || pem == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a certification request takes a key and a subject");
    }
    X509_NAME *name = NULL;
    GENERAL_NAMES *alternatives = NULL;
    tlm_result result = tlm_csr_parse_subject(subject, &name, error);
    if (result == TLM_OK && names != NULL) {
        result = tlm_csr_parse_names(names, &alternatives, error);
    }
    if (result == TLM_OK) {
        result = make(key, name, alternatives, pem, error);
    }
    X509_NAME_free(name);
    GENERAL_NAMES_free(alternatives);
    return result;
}
