/* SPDX-License-Identifier: BSD-2-Clause */
#include "chain.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <tlm/file.h>

char *tlm_chain_name(const X509_NAME *name)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *copy = NULL;
    if (memory != NULL && X509_NAME_print_ex(memory, name, 0, XN_FLAG_ONELINE) >= 0) {
        long size = BIO_get_mem_data(memory, &text);
        copy = size > 0 ? strndup(text, (size_t)size) : strdup("");
    }
    BIO_free(memory);
    return copy;
}

static tlm_result push(STACK_OF(X509) * list, X509 *certificate, tlm_error *error)
{
    if (sk_X509_num(list) >= TLM_CHAIN_MAX || sk_X509_push(list, certificate) <= 0) {
        X509_free(certificate);
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "more than %d certificates",
                             TLM_CHAIN_MAX);
    }
    return TLM_OK;
}

static tlm_result read_pem(BIO *memory, STACK_OF(X509) * list, size_t *count, tlm_error *error)
{
    tlm_result result = TLM_OK;
    while (result == TLM_OK) {
        X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
        if (certificate == NULL) {
            break;
        }
        (*count)++;
        result = push(list, certificate, error);
    }
    unsigned long last = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (result == TLM_OK && !ended) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "certificate %zu cannot be read",
                               *count + 1);
    }
    return result;
}

tlm_result tlm_chain_read(const char *path, STACK_OF(X509) * list, tlm_error *error)
{
    char *data = NULL;
    size_t size = 0;
    size_t count = 0;
    tlm_result result = tlm_file_read(path, TLM_CHAIN_FILE_MAX, &data, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    const unsigned char *at = (const unsigned char *)data;
    X509 *single = size > 0 && at[0] == 0x30 ? d2i_X509(NULL, &at, (long)size) : NULL;
    BIO *memory = single == NULL ? BIO_new_mem_buf(data, (int)size) : NULL;
    ERR_clear_error();
    if (single != NULL) {
        count = 1;
        result = push(list, single, error);
    } else if (memory == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for certificates");
    } else {
        result = read_pem(memory, list, &count, error);
    }
    BIO_free(memory);
    free(data);
    if (result == TLM_OK && count == 0) {
        result = tlm_error_set(error, TLM_ERR_FORMAT,
                               "give certificates as PEM: -----BEGIN CERTIFICATE-----",
                               "there is no certificate in it");
    }
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", path);
    }
    return result;
}

static tlm_result say_failure(X509_STORE_CTX *context, const char *what, tlm_error *error)
{
    int code = X509_STORE_CTX_get_error(context);
    X509 *at = X509_STORE_CTX_get_current_cert(context);
    char *name = at != NULL ? tlm_chain_name(X509_get_subject_name(at)) : NULL;
    char *issuer = at != NULL ? tlm_chain_name(X509_get_issuer_name(at)) : NULL;
    const char *subject = name != NULL && name[0] != '\0' ? name : "without a subject";
    tlm_result result = TLM_ERR_SIGNATURE;
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        result = tlm_error_set(
            error, TLM_ERR_INCOMPLETE,
            "give the certificate of that issuer with --ca FILE, if it is one to be trusted",
            "%s: certificate '%s' is issued by '%s', which is not among the trusted ones", what,
            subject, issuer != NULL ? issuer : "");
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        result =
            tlm_error_set(error, TLM_ERR_SIGNATURE, "look at its dates and at this machine's clock",
                          "%s: certificate "
                          "'%s' cannot be used now: %s",
                          what, subject, X509_verify_cert_error_string(code));
        break;
    default:
        result = tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                               "%s: certificate '%s' does not verify: %s", what, subject,
                               X509_verify_cert_error_string(code));
        break;
    }
    free(name);
    free(issuer);
    return result;
}

tlm_result tlm_chain_verify(X509 *leaf, STACK_OF(X509) * between, STACK_OF(X509) * trusted,
                            const char *what, tlm_error *error)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context == NULL || X509_STORE_CTX_init(context, NULL, leaf, between) != 1) {
        X509_STORE_CTX_free(context);
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a chain");
    }
    X509_STORE_CTX_set0_trusted_stack(context, trusted);
    /* What the caller names is trusted, whether it is a root or not. */
    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(context);
    tlm_result result = TLM_OK;
    if (X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_PARTIAL_CHAIN) != 1) {
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "chains cannot be verified");
    } else if (X509_verify_cert(context) != 1) {
        result = say_failure(context, what, error);
    }
    ERR_clear_error();
    X509_STORE_CTX_free(context);
    return result;
}
