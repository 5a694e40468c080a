/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "../../pkcs11-glue/src/internal.h"
#include "rsa_keys.h"

#define NOT_BEFORE 1700000000L

static size_t sign(EVP_PKEY *key, const unsigned char *data, size_t size, unsigned char *signature,
                   size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &room, data, size), 1);
    EVP_MD_CTX_free(context);
    return room;
}

static X509 *make(EVP_PKEY *key, const char *name, unsigned days)
{
    tlm_certificate_request request = {
        .public = key, .name = name, .not_before = NOT_BEFORE, .days = days};
    unsigned char signature[TLM_SIGNATURE_MAX];
    unsigned char *tbs = NULL;
    size_t tbs_size = 0;
    X509 *certificate = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_certificate_tbs(&request, &tbs, &tbs_size, &error), TLM_OK);
    size_t size = sign(key, tbs, tbs_size, signature, sizeof signature);
    assert_int_equal(
        tlm_certificate_assemble(key, tbs, tbs_size, signature, size, &certificate, &error),
        TLM_OK);
    free(tbs);
    return certificate;
}

static void check(EVP_PKEY *key, int algorithm, unsigned days)
{
    X509 *certificate = make(key, "tlm host", days);
    char name[64];
    assert_int_equal(X509_verify(certificate, key), 1);
    assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
    assert_int_equal(X509_get_signature_nid(certificate), algorithm);
    assert_int_equal(
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)), 0);
    assert_int_equal(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               name, sizeof name),
                     8);
    assert_string_equal(name, "tlm host");
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(certificate), key), 1);
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_true((X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) != 0);
    int apart_days = 0;
    int apart_seconds = 0;
    assert_int_equal(ASN1_TIME_diff(&apart_days, &apart_seconds, X509_get0_notBefore(certificate),
                                    X509_get0_notAfter(certificate)),
                     1);
    assert_int_equal(apart_days, days);
    assert_int_equal(apart_seconds, 0);
    assert_int_equal(ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), NOT_BEFORE), 0);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    assert_int_equal(ASN1_STRING_length(serial), 16);
    X509_free(certificate);
}

static void test_rsa(void **state)
{
    (void)state;
    EVP_PKEY *key = tlm_test_rsa(2048);
    check(key, NID_sha256WithRSAEncryption, 1);
    check(key, NID_sha256WithRSAEncryption, 36500); /* beyond 2049: GeneralizedTime */
    EVP_PKEY_free(key);
}

static void test_p256(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    for (int i = 0; i < 20; i++) { /* signatures of 70 to 72 bytes, any last byte */
        check(key, NID_ecdsa_with_SHA256, 365);
    }
    EVP_PKEY_free(key);
}

static void test_serials_differ(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *first = make(key, "a", 1);
    X509 *second = make(key, "a", 1);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
    X509_free(first);
    X509_free(second);
    EVP_PKEY_free(key);
}

static void test_refusals(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char name[66];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0'; /* 65 bytes, one more than a common name may have */
    tlm_certificate_request request = {.public = key, .name = "x", .days = 0};
    unsigned char *der = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_certificate_tbs(&request, &der, &size, &error), TLM_ERR_ARGUMENT);
    request.days = 36501;
    assert_int_equal(tlm_certificate_tbs(&request, &der, &size, &error), TLM_ERR_ARGUMENT);
    request.days = 1;
    request.name = name;
    assert_int_equal(tlm_certificate_tbs(&request, &der, &size, &error), TLM_ERR_CRYPTO);
    name[64] = '\0';
    assert_int_equal(tlm_certificate_tbs(&request, &der, &size, &error), TLM_OK);
    free(der);
    X509 *certificate = NULL;
    assert_int_equal(tlm_certificate_assemble(key, (const unsigned char *)"no DER", 6,
                                              (const unsigned char *)"x", 1, &certificate, &error),
                     TLM_ERR_CRYPTO);
    assert_null(certificate);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_p256),
        cmocka_unit_test(test_serials_differ),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
