/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

/*
 * OpenSSL signs a certificate only with a private key that it holds, and has no public call that
 * sets a signature made elsewhere. So the outer structure of RFC 5280 section 4.1 is laid out here,
 * from parts that OpenSSL encodes.
 */

#define SERIAL_SIZE 16U
#define DAYS_MAX 36500U

typedef struct buffer {
    unsigned char *data;
    size_t size;
    bool failed;
} buffer;

static void append(buffer *to, const void *data, size_t size)
{
    unsigned char *grown =
        to->failed || data == NULL ? NULL : realloc(to->data, to->size + size + 1);
    if (grown == NULL) {
        to->failed = true;
        return;
    }
    memcpy(grown + to->size, data, size);
    to->data = grown;
    to->size += size;
}

/* Takes DER that OpenSSL allocated; a size of 0 or less is its failure. */
static void append_owned(buffer *to, unsigned char *der, int size)
{
    if (size <= 0) {
        to->failed = true;
    } else {
        append(to, der, (size_t)size);
    }
    OPENSSL_free(der);
}

/* Puts tag and length before what the buffer holds. */
static void wrap(buffer *content, int tag, int class)
{
    if (content->failed || content->data == NULL || content->size > (size_t)INT32_MAX / 2) {
        content->failed = true;
        return;
    }
    unsigned char head[16];
    unsigned char *end = head;
    ASN1_put_object(&end, 1, (int)content->size, tag, class);
    buffer whole = {.data = NULL};
    append(&whole, head, (size_t)(end - head));
    append(&whole, content->data, content->size);
    free(content->data);
    *content = whole;
}

static void append_wrapped(buffer *to, buffer *content, int tag, int class)
{
    wrap(content, tag, class);
    if (content->failed || content->data == NULL) {
        to->failed = true;
    } else {
        append(to, content->data, content->size);
    }
    free(content->data);
    *content = (buffer){.data = NULL};
}

static void append_algorithm(buffer *to, EVP_PKEY *public)
{
    X509_ALGOR *algorithm = tlm_x509_algorithm(public);
    unsigned char *der = NULL;
    int size = algorithm != NULL ? i2d_X509_ALGOR(algorithm, &der) : -1;
    X509_ALGOR_free(algorithm);
    append_owned(to, der, size);
}

static void append_serial(buffer *to)
{
    unsigned char serial[2 + SERIAL_SIZE] = {V_ASN1_INTEGER, SERIAL_SIZE};
    if (RAND_bytes(serial + 2, SERIAL_SIZE) != 1) {
        to->failed = true;
        return;
    }
    /* Positive, and in its shortest form: the first byte is 0x40 to 0x7f. */
    serial[2] = (unsigned char)((serial[2] & 0x3fU) | 0x40U);
    append(to, serial, sizeof serial);
}

static void append_name(buffer *to, const char *name)
{
    X509_NAME *made = X509_NAME_new();
    unsigned char *der = NULL;
    int size = -1;
    if (made != NULL && X509_NAME_add_entry_by_txt(made, "CN", MBSTRING_UTF8,
                                                   (const unsigned char *)name, -1, -1, 0) == 1) {
        size = i2d_X509_NAME(made, &der);
    }
    X509_NAME_free(made);
    append_owned(to, der, size);
}

static void append_time(buffer *to, const ASN1_TIME *time)
{
    /* The call that sets der stands by itself: arguments are evaluated in any order. */
    unsigned char *der = NULL;
    int size = time != NULL ? i2d_ASN1_TIME(time, &der) : -1;
    append_owned(to, der, size);
}

static void append_validity(buffer *to, long not_before, unsigned days)
{
    buffer validity = {.data = NULL};
    ASN1_TIME *start = ASN1_TIME_set(NULL, not_before);
    ASN1_TIME *end = ASN1_TIME_adj(NULL, not_before, (int)days, 0);
    append_time(&validity, start);
    append_time(&validity, end);
    ASN1_TIME_free(start);
    ASN1_TIME_free(end);
    append_wrapped(to, &validity, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
}

static void append_extensions(buffer *to, EVP_PKEY *public)
{
    STACK_OF(X509_EXTENSION) *list = tlm_x509_usage(public);
    unsigned char *der = NULL;
    int size = list != NULL ? i2d_X509_EXTENSIONS(list, &der) : -1;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    buffer extensions = {.data = NULL};
    append_owned(&extensions, der, size);
    append_wrapped(to, &extensions, 3, V_ASN1_CONTEXT_SPECIFIC);
}

tlm_result tlm_certificate_tbs(const tlm_certificate_request *request, unsigned char **der,
                               size_t *size, tlm_error *error)
{
    static const unsigned char version_3[] = {0xa0, 0x03, V_ASN1_INTEGER, 0x01, 0x02};
    if (request->days == 0 || request->days > DAYS_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a certificate is valid for 1 to %u days, not %u", DAYS_MAX,
                             request->days);
    }
    buffer tbs = {.data = NULL};
    unsigned char *key = NULL;
    append(&tbs, version_3, sizeof version_3);
    append_serial(&tbs);
    append_algorithm(&tbs, request->public);
    append_name(&tbs, request->name);
    append_validity(&tbs, request->not_before, request->days);
    append_name(&tbs, request->name);
    int key_size = i2d_PUBKEY(request->public, &key);
    append_owned(&tbs, key, key_size);
    append_extensions(&tbs, request->public);
    wrap(&tbs, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    if (tbs.failed) {
        free(tbs.data);
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "building a certificate");
    }
    *der = tbs.data;
    *size = tbs.size;
    return TLM_OK;
}

tlm_result tlm_certificate_assemble(EVP_PKEY *public, const unsigned char *tbs, size_t tbs_size,
                                    const unsigned char *signature, size_t signature_size,
                                    X509 **certificate, tlm_error *error)
{
    buffer whole = {.data = NULL};
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    unsigned char *der = NULL;
    int size = -1;
    append(&whole, tbs, tbs_size);
    append_algorithm(&whole, public);
    if (bits != NULL && ASN1_STRING_set(bits, signature, (int)signature_size) == 1) {
        /* No unused bits, whatever the signature ends with. */
        bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
        size = i2d_ASN1_BIT_STRING(bits, &der);
    }
    append_owned(&whole, der, size);
    ASN1_BIT_STRING_free(bits);
    wrap(&whole, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    const unsigned char *at = whole.data;
    X509 *made = whole.failed ? NULL : d2i_X509(NULL, &at, (long)whole.size);
    free(whole.data);
    if (made == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "putting a certificate together");
    }
    *certificate = made;
    return TLM_OK;
}
