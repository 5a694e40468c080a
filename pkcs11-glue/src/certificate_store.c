/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include <tlm/csr.h>

typedef struct certificate_request {
    tlm_key *key;
    unsigned char *value;
    unsigned char *subject;
    unsigned char *issuer;
    unsigned char *serial;
    int sizes[4];       /* in that order */
    unsigned char *old; /* DER of the one that goes; NULL where none does */
    int old_size;
    bool tried;
    X509 **found;
    size_t found_count;
} certificate_request;

static tlm_result find_certificates(tlm_token *token, const tlm_key *key,
                                    CK_OBJECT_HANDLE handles[TLM_CERTIFICATES_MAX], CK_ULONG *count,
                                    tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_ID, tlm_unconst(key->id), (CK_ULONG)key->id_size},
    };
    if (key->id_size == 0) {
        template[1] = (CK_ATTRIBUTE){CKA_LABEL, key->label, (CK_ULONG)strlen(key->label)};
    }
    return tlm_object_find(token, template, 2, handles, TLM_CERTIFICATES_MAX, count, error);
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
    CK_OBJECT_HANDLE handles[TLM_CERTIFICATES_MAX];
    CK_ULONG count = 0;
    tlm_result result = find_certificates(token, request->key, handles, &count, error);
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

static tlm_result fill_request(X509 *certificate, certificate_request *request, tlm_error *error)
{
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    if (public == NULL || EVP_PKEY_eq(public, request->key->public) != 1) {
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_ARGUMENT,
                             "Have the certificate made for this key's public half.",
                             "the certificate is not one of key '%s'", request->key->label);
    }
    request->sizes[0] = i2d_X509(certificate, &request->value);
    request->sizes[1] = i2d_X509_NAME(X509_get_subject_name(certificate), &request->subject);
    request->sizes[2] = i2d_X509_NAME(X509_get_issuer_name(certificate), &request->issuer);
    request->sizes[3] = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &request->serial);
    if (request->sizes[0] <= 0 || request->sizes[1] <= 0 || request->sizes[2] <= 0 ||
        request->sizes[3] <= 0) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "encoding a certificate");
    }
    if (request->sizes[0] > (int)TLM_ATTRIBUTE_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "a certificate of %d bytes, more than %u", request->sizes[0],
                             TLM_ATTRIBUTE_MAX);
    }
    return TLM_OK;
}

static void clear_request(certificate_request *request)
{
    OPENSSL_free(request->value);
    OPENSSL_free(request->subject);
    OPENSSL_free(request->issuer);
    OPENSSL_free(request->serial);
    OPENSSL_free(request->old);
}

tlm_result tlm_certificate_store(tlm_key *key, X509 *certificate, tlm_error *error)
{
    if (key == NULL || certificate == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "storing a certificate takes a key and a certificate");
    }
    certificate_request request = {.key = key};
    tlm_result result = fill_request(certificate, &request, error);
    if (result == TLM_OK) {
        result = tlm_token_run(key->token, store, &request, error);
    }
    clear_request(&request);
    return result;
}

typedef struct present {
    CK_OBJECT_HANDLE old;
    bool has_old;
    bool has_new;
} present;

/* Which of the two certificates the key has; any other one stands in the way. */
static tlm_result look(tlm_token *token, const certificate_request *request, present *there,
                       tlm_error *error)
{
    CK_OBJECT_HANDLE handles[TLM_CERTIFICATES_MAX];
    CK_ULONG count = 0;
    tlm_result result = find_certificates(token, request->key, handles, &count, error);
    for (CK_ULONG i = 0; result == TLM_OK && i < count; i++) {
        unsigned char *der = NULL;
        size_t size = 0;
        result =
            tlm_object_get(token, handles[i], CKA_VALUE, TLM_ATTRIBUTE_MAX, &der, &size, error);
        if (result != TLM_OK) {
            return result;
        }
        bool is_new = size == (size_t)request->sizes[0] && memcmp(der, request->value, size) == 0;
        bool is_old = !is_new && request->old != NULL && size == (size_t)request->old_size &&
                      memcmp(der, request->old, size) == 0;
        free(der);
        there->has_new = there->has_new || is_new;
        if (is_old) {
            there->old = handles[i];
            there->has_old = true;
        } else if (!is_new) {
            result = tlm_error_set(error, TLM_ERR_EXISTS,
                                   "look at them with: p11tool --list-all-certs; remove the one "
                                   "that nobody needs, then try again",
                                   "key '%s' has still another certificate", request->key->label);
        }
    }
    return result;
}

static tlm_result replace(tlm_token *token, void *context, tlm_error *error)
{
    certificate_request *request = context;
    present there = {.has_old = false};
    tlm_result result = look(token, request, &there, error);
    if (result == TLM_OK && !there.has_new) {
        result = create_certificate(token, request, error);
    }
    if (result != TLM_OK || !there.has_old) {
        return result;
    }
    CK_RV rv = token->module->functions->C_DestroyObject(token->session, there.old);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_DestroyObject",
                                "of the former certificate of key '%s'", request->key->label);
    }
    return TLM_OK;
}

tlm_result tlm_certificate_replace(tlm_key *key, X509 *old, X509 *new, tlm_error *error)
{
    if (key == NULL || new == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "replacing a certificate takes a key and a certificate");
    }
    certificate_request request = {.key = key};
    tlm_result result = fill_request(new, &request, error);
    if (result == TLM_OK && old != NULL) {
        request.old_size = i2d_X509(old, &request.old);
        result = request.old_size > 0 ? TLM_OK
                                      : tlm_error_set_openssl(error, TLM_ERR_CRYPTO,
                                                              "encoding the former certificate");
    }
    if (result == TLM_OK) {
        result = tlm_token_run(key->token, replace, &request, error);
    }
    clear_request(&request);
    return result;
}

static tlm_result list(tlm_token *token, void *context, tlm_error *error)
{
    certificate_request *request = context;
    CK_OBJECT_HANDLE handles[TLM_CERTIFICATES_MAX];
    CK_ULONG count = 0;
    while (request->found_count > 0) { /* of an attempt that failed */
        X509_free(request->found[--request->found_count]);
    }
    tlm_result result = find_certificates(token, request->key, handles, &count, error);
    for (CK_ULONG i = 0; result == TLM_OK && i < count; i++) {
        unsigned char *der = NULL;
        size_t size = 0;
        result =
            tlm_object_get(token, handles[i], CKA_VALUE, TLM_ATTRIBUTE_MAX, &der, &size, error);
        if (result != TLM_OK) {
            return result;
        }
        const unsigned char *at = der;
        X509 *certificate = d2i_X509(NULL, &at, (long)size);
        free(der);
        if (certificate == NULL) {
            return tlm_error_set_openssl(error, TLM_ERR_FORMAT, "reading the certificate of a key");
        }
        request->found[request->found_count++] = certificate;
    }
    return result;
}

tlm_result tlm_certificate_list(tlm_key *key, X509 *certificates[TLM_CERTIFICATES_MAX],
                                size_t *count, tlm_error *error)
{
    certificate_request request = {.key = key, .found = certificates};
    *count = 0;
    tlm_result result = tlm_token_run(key->token, list, &request, error);
    if (result != TLM_OK) {
        tlm_certificate_list_clear(certificates, &request.found_count);
        return result;
    }
    *count = request.found_count;
    return TLM_OK;
}

void tlm_certificate_list_clear(X509 *certificates[TLM_CERTIFICATES_MAX], size_t *count)
{
    while (*count > 0) {
        X509_free(certificates[--*count]);
    }
}

tlm_result tlm_certificate_find(tlm_key *key, X509 **certificate, tlm_error *error)
{
    if (key == NULL || certificate == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a certificate is found by its key");
    }
    X509 *certificates[TLM_CERTIFICATES_MAX];
    size_t count = 0;
    tlm_result result = tlm_certificate_list(key, certificates, &count, error);
    if (result == TLM_OK && count == 0) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, "Make one with: tlm-token-init provision",
                               "key '%s' has no certificate on the token", key->label);
    }
    if (result == TLM_OK && X509_up_ref(certificates[0]) == 1) {
        *certificate = certificates[0];
    }
    tlm_certificate_list_clear(certificates, &count);
    return result;
}
