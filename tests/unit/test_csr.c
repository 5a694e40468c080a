/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include <tlm/csr.h>

#include "token_fixture.h"

static tlm_token_fixture fixture;
static tlm_token *token;
static tlm_key *rsa;
static tlm_key *ec;

static int make_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "tlm-srk", 1, &rsa, &error), TLM_OK);
    assert_int_equal(tlm_key_generate_p256(token, "tlm-attest", 2, &ec, &error), TLM_OK);
    return 0;
}

static int clear_token(void **state)
{
    (void)state;
    tlm_key_free(&rsa);
    tlm_key_free(&ec);
    tlm_token_close(&token);
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static void subject_is(const char *text, const char *expected)
{
    X509_NAME *name = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_csr_parse_subject(text, &name, &error);
    if (expected == NULL) {
        assert_int_equal(result, TLM_ERR_SETTING);
        assert_string_not_equal(error.message, "");
        assert_null(name);
        return;
    }
    assert_int_equal(result, TLM_OK);
    char *line = X509_NAME_oneline(name, NULL, 0);
    assert_string_equal(line, expected);
    OPENSSL_free(line);
    X509_NAME_free(name);
}

static void test_subjects(void **state)
{
    (void)state;
    char text[TLM_CSR_TEXT_MAX + 2];
    subject_is("CN=a", "/CN=a");
    subject_is("CN=a, O=b c,C=DE", "/CN=a/O=b c/C=DE");
    subject_is("CN=a\\,b\\\\c=d", "/CN=a,b\\c=d");
    subject_is("CN=a\\", "/CN=a\\");
    subject_is("2.5.4.3=a", "/CN=a");
    (void)snprintf(text, sizeof text, "CN=%064d", 1);
    subject_is(text, "/CN=0000000000000000000000000000000000000000000000000000000000000001");
    (void)snprintf(text, sizeof text, "CN=%065d", 1);
    subject_is(text, NULL);
    subject_is("", NULL);
    subject_is(",", NULL);
    subject_is("CN=a,", NULL);
    subject_is("CN", NULL);
    subject_is("=a", NULL);
    subject_is("CN=", NULL);
    subject_is("NOBODY=a", NULL);
    subject_is("C=DEU", NULL);
    subject_is("CN=\xff", NULL);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    subject_is(text, NULL);
}

static void names_are(const char *text, int count)
{
    GENERAL_NAMES *names = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_csr_parse_names(text, &names, &error);
    assert_int_equal(result, count > 0 ? TLM_OK : TLM_ERR_SETTING);
    if (count > 0) {
        assert_int_equal(sk_GENERAL_NAME_num(names), count);
    } else {
        assert_null(names);
    }
    GENERAL_NAMES_free(names);
}

static void test_names(void **state)
{
    (void)state;
    names_are("DNS:a.example", 1);
    names_are("DNS:a.example,IP:192.0.2.1, IP:2001:db8::1,URI:https://a/,email:a@b", 5);
    names_are("", 0);
    names_are("DNS", 0);
    names_are("DNS:", 0);
    names_are("dns:a", 0);
    names_are("DNS:a b", 0);
    names_are("DNS:a\tb", 0);
    names_are("DNS:\xc3\xa4", 0);
    names_are("IP:192.0.2.256", 0);
    names_are("IP:", 0);
    names_are("RID:1.2.3", 0);
    names_are("DNS:a,", 0);
}

static void check_request(tlm_key *key, int algorithm)
{
    char *pem = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_csr_make(key, "CN=host", "DNS:host", &pem, &error), TLM_OK);
    BIO *memory = BIO_new_mem_buf(pem, -1);
    X509_REQ *request = PEM_read_bio_X509_REQ(memory, NULL, NULL, NULL);
    assert_non_null(request);
    EVP_PKEY *public = X509_REQ_get0_pubkey(request);
    assert_int_equal(EVP_PKEY_eq(public, tlm_key_public(key)), 1);
    assert_int_equal(X509_REQ_verify(request, public), 1);
    assert_int_equal(X509_REQ_get_signature_nid(request), algorithm);
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(request);
    assert_int_equal(X509v3_get_ext_count(list), 3);
    assert_true(X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1) >= 0);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    BIO_free(memory);
    free(pem);
}

static void test_requests(void **state)
{
    (void)state;
    check_request(rsa, NID_sha256WithRSAEncryption);
    for (int i = 0; i < 10; i++) { /* signatures of any length and last byte */
        check_request(ec, NID_ecdsa_with_SHA256);
    }
    char *pem = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_csr_make(NULL, "CN=a", NULL, &pem, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_csr_make(ec, NULL, NULL, &pem, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_csr_make(ec, "CN=a", "x", &pem, &error), TLM_ERR_SETTING);
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_int_equal(tlm_csr_make(ec, "CN=a", NULL, &pem, &error), TLM_OK);
    free(pem);
    pem = NULL;
    tlm_token_fixture_faults(&fixture, "C_SignInit:1:0x68:0\n");
    assert_int_not_equal(tlm_csr_make(ec, "CN=a", NULL, &pem, &error), TLM_OK);
    assert_null(pem);
    tlm_token_fixture_faults(&fixture, "");
}

static X509 *certificate(const char *name)
{
    X509 *made = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_certificate_self_sign(ec, name, (long)time(NULL), 1, &made, &error),
                     TLM_OK);
    return made;
}

static void present_is(X509 *const *expected, size_t expected_count)
{
    X509 *list[TLM_CERTIFICATES_MAX];
    size_t count = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_certificate_list(ec, list, &count, &error), TLM_OK);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < expected_count; i++) {
        size_t found = 0;
        for (size_t j = 0; j < count; j++) {
            found += X509_cmp(list[j], expected[i]) == 0 ? 1 : 0;
        }
        assert_int_equal(found, 1);
    }
    tlm_certificate_list_clear(list, &count);
    assert_int_equal(count, 0);
}

static void test_replace(void **state)
{
    (void)state;
    X509 *list[] = {certificate("a"), certificate("b"), certificate("c")};
    X509 *a = list[0];
    X509 *b = list[1];
    X509 *c = list[2];
    tlm_error error = {0};
    present_is(NULL, 0);
    assert_int_equal(tlm_certificate_replace(ec, NULL, a, &error), TLM_OK);
    present_is(&a, 1);
    assert_int_equal(tlm_certificate_replace(ec, a, b, &error), TLM_OK);
    present_is(&b, 1);
    assert_int_equal(tlm_certificate_replace(ec, a, b, &error), TLM_OK);
    present_is(&b, 1);
    assert_int_equal(tlm_certificate_replace(ec, a, c, &error), TLM_ERR_EXISTS);
    assert_int_equal(tlm_certificate_replace(ec, NULL, c, &error), TLM_ERR_EXISTS);
    present_is(&b, 1);
    assert_int_equal(tlm_certificate_replace(rsa, NULL, c, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_replace(NULL, NULL, c, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_replace(ec, NULL, NULL, &error), TLM_ERR_ARGUMENT);
    /* The old one cannot go: both are there, until the next exchange. */
    tlm_token_fixture_faults(&fixture, "C_DestroyObject:1:0x21:0\n");
    assert_int_not_equal(tlm_certificate_replace(ec, b, c, &error), TLM_OK);
    tlm_token_fixture_faults(&fixture, "");
    present_is(list + 1, 2);
    assert_int_equal(tlm_certificate_replace(ec, b, c, &error), TLM_OK);
    present_is(&c, 1);
    /* The new one cannot come: the old one stays. */
    tlm_token_fixture_faults(&fixture, "C_CreateObject:1:0x31:0\n");
    assert_int_not_equal(tlm_certificate_replace(ec, c, a, &error), TLM_OK);
    tlm_token_fixture_faults(&fixture, "");
    present_is(&c, 1);
    for (size_t i = 0; i < 3; i++) {
        X509_free(list[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_replace),
    };
    return cmocka_run_group_tests(tests, make_token, clear_token);
}
