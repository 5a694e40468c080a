/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>

#define COMMON_NAME_MAX 64U /* ub-common-name, RFC 5280 appendix A.1 */

/* X.509 has ECDSA signatures as DER, the token as r || s. The caller frees *der. */
static tlm_result to_der_signature(const unsigned char *signature, unsigned char **der, int *size,
                                   tlm_error *error)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL);
    BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
    *der = NULL;
    *size = -1;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        *size = i2d_ECDSA_SIG(pair, der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    return *size > 0 ? TLM_OK
                     : tlm_error_set_openssl(error, TLM_ERR_MEMORY, "encoding an ES256 signature");
}

static tlm_result sign_tbs(tlm_key *key, const unsigned char *tbs, size_t tbs_size,
                           X509 **certificate, tlm_error *error)
{
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    bool rsa = key->type == CKK_RSA;
    tlm_result result = tlm_key_sign(key, rsa ? TLM_JWA_RS256 : TLM_JWA_ES256, tbs, tbs_size,
                                     signature, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    if (rsa) {
        return tlm_certificate_assemble(key->public, tbs, tbs_size, signature, size, certificate,
                                        error);
    }
    unsigned char *der = NULL;
    int der_size = 0;
    result = to_der_signature(signature, &der, &der_size, error);
    if (result == TLM_OK) {
        result = tlm_certificate_assemble(key->public, tbs, tbs_size, der, (size_t)der_size,
                                          certificate, error);
    }
    OPENSSL_free(der);
    return result;
}

tlm_result tlm_certificate_self_sign(tlm_key *key, const char *name, long not_before, unsigned days,
                                     X509 **certificate, tlm_error *error)
{
    if (key == NULL || certificate == NULL || name == NULL || name[0] == '\0' ||
        strlen(name) > COMMON_NAME_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a certificate takes a key and a name of 1 to %u bytes",
                             COMMON_NAME_MAX);
    }
    tlm_certificate_request request = {
        .public = key->public, .name = name, .not_before = not_before, .days = days};
    unsigned char *tbs = NULL;
    size_t tbs_size = 0;
    X509 *made = NULL;
    tlm_result result = tlm_certificate_tbs(&request, &tbs, &tbs_size, error);
    if (result == TLM_OK) {
        result = sign_tbs(key, tbs, tbs_size, &made, error);
    }
    free(tbs);
    if (result == TLM_OK && X509_verify(made, key->public) != 1) {
        X509_free(made);
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "checking the new certificate");
    }
    if (result == TLM_OK) {
        *certificate = made;
    }
    return result;
}

typedef struct certificate_request {
    tlm_key *key;
    unsigned char *value;
    unsigned char *subject;
    unsigned char *issuer;
    unsigned char *serial;
    int sizes[4]; /* in that order */
    bool tried;
    X509 *found;
} certificate_request;

static tlm_result find_certificate(tlm_token *token, const tlm_key *key, CK_OBJECT_HANDLE *handle,
                                   CK_ULONG *count, tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_ID, tlm_unconst(key->id), (CK_ULONG)key->id_size},
    };
    if (key->id_size == 0) {
        template[1] = (CK_ATTRIBUTE){CKA_LABEL, key->label, (CK_ULONG)strlen(key->label)};
    }
    return tlm_object_find(token, template, 2, handle, 1, count, error);
}

static tlm_result create_certificate(tlm_token *token, certificate_request *request,
                                     tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    tlm_key *key = request->key;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_CERTIFICATE_TYPE, &type, sizeof type},
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_PRIVATE, &no, sizeof no},
        {CKA_LABEL, key->label, (CK_ULONG)strlen(key->label)},
        {CKA_VALUE, request->value, (CK_ULONG)request->sizes[0]},
        {CKA_SUBJECT, request->subject, (CK_ULONG)request->sizes[1]},
        {CKA_ISSUER, request->issuer, (CK_ULONG)request->sizes[2]},
        {CKA_SERIAL_NUMBER, request->serial, (CK_ULONG)request->sizes[3]},
        {CKA_ID, key->id, (CK_ULONG)key->id_size},
    };
    CK_ULONG size = sizeof template / sizeof template[0] - (key->id_size == 0 ? 1U : 0U);
    CK_OBJECT_HANDLE handle = 0;
    CK_RV rv = token->module->functions->C_CreateObject(token->session, template, size, &handle);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_CreateObject", "for the certificate of key '%s'",
                                key->label);
    }
    return TLM_OK;
}

static tlm_result store(tlm_token *token, void *context, tlm_error *error)
{
    certificate_request *request = context;
    CK_OBJECT_HANDLE handle = 0;
    CK_ULONG count = 0;
    tlm_result result = find_certificate(token, request->key, &handle, &count, error);
    if (result != TLM_OK) {
        return result;
    }
    if (count > 0) {
        /* Of a second attempt it is our own, whose answer was lost. */
        return request->tried
                   ? TLM_OK
                   : tlm_error_set(error, TLM_ERR_EXISTS,
                                   "Certificates are never replaced; remove it first.",
                                   "key '%s' has a certificate already", request->key->label);
    }
    request->tried = true;
    return create_certificate(token, request, error);
}

tlm_result tlm_certificate_store(tlm_key *key, X509 *certificate, tlm_error *error)
{
    if (key == NULL || certificate == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "storing a certificate takes a key and a certificate");
    }
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    if (public == NULL || EVP_PKEY_eq(public, key->public) != 1) {
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_ARGUMENT,
                             "Have the certificate made for this key's public half.",
                             "the certificate is not one of key '%s'", key->label);
    }
    certificate_request request = {.key = key};
    request.sizes[0] = i2d_X509(certificate, &request.value);
    request.sizes[1] = i2d_X509_NAME(X509_get_subject_name(certificate), &request.subject);
    request.sizes[2] = i2d_X509_NAME(X509_get_issuer_name(certificate), &request.issuer);
    request.sizes[3] = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &request.serial);
    tlm_result result = TLM_OK;
    if (request.sizes[0] <= 0 || request.sizes[1] <= 0 || request.sizes[2] <= 0 ||
        request.sizes[3] <= 0) {
        result = tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "encoding a certificate");
    } else if (request.sizes[0] > (int)TLM_ATTRIBUTE_MAX) {
        result =
            tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "a certificate of %d bytes, more than %u",
                          request.sizes[0], TLM_ATTRIBUTE_MAX);
    } else {
        result = tlm_token_run(key->token, store, &request, error);
    }
    OPENSSL_free(request.value);
    OPENSSL_free(request.subject);
    OPENSSL_free(request.issuer);
    OPENSSL_free(request.serial);
    return result;
}

static tlm_result find(tlm_token *token, void *context, tlm_error *error)
{
    certificate_request *request = context;
    CK_OBJECT_HANDLE handle = 0;
    CK_ULONG count = 0;
    tlm_result result = find_certificate(token, request->key, &handle, &count, error);
    if (result != TLM_OK) {
        return result;
    }
    if (count == 0) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "Make one with: tlm-token-init provision",
                             "key '%s' has no certificate on the token", request->key->label);
    }
    unsigned char *der = NULL;
    size_t size = 0;
    result = tlm_object_get(token, handle, CKA_VALUE, TLM_ATTRIBUTE_MAX, &der, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    const unsigned char *at = der;
    request->found = d2i_X509(NULL, &at, (long)size);
    free(der);
    if (request->found == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_FORMAT, "reading the certificate of a key");
    }
    return TLM_OK;
}

tlm_result tlm_certificate_find(tlm_key *key, X509 **certificate, tlm_error *error)
{
    if (key == NULL || certificate == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a certificate is found by its key");
    }
    certificate_request request = {.key = key};
    tlm_result result = tlm_token_run(key->token, find, &request, error);
    if (result == TLM_OK) {
        *certificate = request.found;
    }
    return result;
}
