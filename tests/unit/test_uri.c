/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../pkcs11-glue/src/internal.h"
#include "token_fixture.h"

static tlm_token_fixture fixture;
static tlm_token *token;
static tlm_key *first;
static tlm_key *second;
static X509 *certificate;

static int make_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    assert_int_equal(tlm_key_generate_p256(token, "tlm-attest", 2, &first, &error), TLM_OK);
    assert_int_equal(tlm_key_generate_p256(token, "web site", 0x2f, &second, &error), TLM_OK);
    assert_int_equal(tlm_certificate_self_sign(first, "host", 0, 1, &certificate, &error), TLM_OK);
    assert_int_equal(tlm_certificate_store(first, certificate, &error), TLM_OK);
    return 0;
}

static int clear_token(void **state)
{
    (void)state;
    X509_free(certificate);
    tlm_key_free(&first);
    tlm_key_free(&second);
    tlm_token_close(&token);
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static void check(const char *uri, CK_OBJECT_CLASS class, tlm_result expected, const char *message)
{
    tlm_error error = {0};
    assert_int_equal(tlm_uri_check(uri, class, &error), expected);
    if (expected != TLM_OK) {
        assert_int_equal(error.result, expected);
        assert_non_null(strstr(error.message, message));
    }
}

static void uris_that_name_one_object_pass(void **state)
{
    (void)state;
    check("pkcs11:object=tlm-attest", CKO_PRIVATE_KEY, TLM_OK, "");
    check("pkcs11:id=%02", CKO_PRIVATE_KEY, TLM_OK, "");
    check("pkcs11:token=tlm;object=a;id=%02;type=private", CKO_PRIVATE_KEY, TLM_OK, "");
    check("pkcs11:object=a;type=cert", CKO_CERTIFICATE, TLM_OK, "");
    check("pkcs11:model=x;manufacturer=y;serial=1;object=a", CKO_CERTIFICATE, TLM_OK, "");
}

static void other_uris_are_refused(void **state)
{
    (void)state;
    check("", CKO_PRIVATE_KEY, TLM_ERR_ARGUMENT, "not understood");
    check("pkcs11", CKO_PRIVATE_KEY, TLM_ERR_ARGUMENT, "not understood");
    check("pkcs11:", CKO_PRIVATE_KEY, TLM_ERR_ARGUMENT, "names no private key");
    check("pkcs11:token=tlm", CKO_CERTIFICATE, TLM_ERR_ARGUMENT, "names no certificate");
    check("pkcs11:object=", CKO_CERTIFICATE, TLM_ERR_ARGUMENT, "names no certificate");
    check("pkcs11:object=a;type=cert", CKO_PRIVATE_KEY, TLM_ERR_ARGUMENT, "another type");
    check("pkcs11:object=a;type=private", CKO_CERTIFICATE, TLM_ERR_ARGUMENT, "another type");
    check("pkcs11:object=%zz", CKO_PRIVATE_KEY, TLM_ERR_ARGUMENT, "not understood");
    check("pkcs11:objekt=a;object=b", CKO_PRIVATE_KEY, TLM_ERR_ARGUMENT, "unknown attribute");
}

static void pins_are_refused_and_not_shown(void **state)
{
    (void)state;
    static const char *const uris[] = {"pkcs11:object=a?pin-value=4711",
                                       "pkcs11:object=a?pin-source=file:/4711",
                                       "pkcs11:?pin-value=4711"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        tlm_error error = {0};
        assert_int_equal(tlm_uri_check(uris[i], CKO_PRIVATE_KEY, &error), TLM_ERR_ARGUMENT);
        assert_non_null(strstr(error.message, "PIN"));
        assert_null(strstr(error.message, "4711"));
        assert_null(strstr(error.hint, "4711"));
    }
}

static void names_have_a_maximum(void **state)
{
    (void)state;
    char uri[512];
    for (size_t size = TLM_LABEL_MAX; size <= TLM_LABEL_MAX + 1; size++) {
        (void)snprintf(uri, sizeof uri, "pkcs11:object=%0*d", (int)size, 7);
        check(uri, CKO_PRIVATE_KEY, size > TLM_LABEL_MAX ? TLM_ERR_TOO_LARGE : TLM_OK, "longer");
    }
    for (size_t size = TLM_ID_MAX; size <= TLM_ID_MAX + 1; size++) {
        (void)snprintf(uri, sizeof uri, "pkcs11:id=%0*d", (int)size, 7);
        check(uri, CKO_PRIVATE_KEY, size > TLM_ID_MAX ? TLM_ERR_TOO_LARGE : TLM_OK, "longer");
    }
}

static void find(const char *uri, const tlm_key *expected)
{
    tlm_key *key = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_find_by_uri(token, uri, &key, &error), TLM_OK);
    assert_string_equal(tlm_key_label(key), tlm_key_label(expected));
    assert_int_equal(EVP_PKEY_eq(tlm_key_public(key), tlm_key_public(expected)), 1);
    tlm_key_free(&key);
}

static void find_none(const char *uri, tlm_result expected, const char *message)
{
    tlm_key *key = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_find_by_uri(token, uri, &key, &error), expected);
    assert_null(key);
    assert_non_null(strstr(error.message, message));
}

static void keys_are_found_by_what_a_uri_says(void **state)
{
    (void)state;
    char uri[256];
    tlm_token_info info;
    tlm_token_get_info(token, &info);
    find("pkcs11:object=tlm-attest", first);
    find("pkcs11:object=web%20site", second);
    find("pkcs11:id=%2f;type=private", second);
    (void)snprintf(uri, sizeof uri, "pkcs11:token=%s;id=%%02;object=tlm-attest", info.label);
    find(uri, first);
    find_none("pkcs11:id=%02;object=web%20site", TLM_ERR_NOT_FOUND, "no private key");
    find_none("pkcs11:object=other", TLM_ERR_NOT_FOUND, "pkcs11:object=other");
    find_none("pkcs11:token=another;object=tlm-attest", TLM_ERR_NOT_FOUND, "another token");
    find_none("pkcs11:token=tlm", TLM_ERR_ARGUMENT, "names no private key");
}

static void certificates_are_found_by_what_a_uri_says(void **state)
{
    (void)state;
    X509 *found = NULL;
    tlm_error error = {0};
    assert_int_equal(
        tlm_certificate_find_by_uri(token, "pkcs11:object=tlm-attest;type=cert", &found, &error),
        TLM_OK);
    assert_int_equal(X509_cmp(found, certificate), 0);
    X509_free(found);
    found = NULL;
    assert_int_equal(tlm_certificate_find_by_uri(token, "pkcs11:id=%2f", &found, &error),
                     TLM_ERR_NOT_FOUND);
    assert_null(found);
    assert_non_null(strstr(error.message, "no certificate"));
}

static void a_name_of_two_keys_is_refused(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE copy = 0;
    CK_ATTRIBUTE id = {CKA_ID, tlm_unconst("\x03"), 1};
    CK_RV rv = token->module->functions->C_CopyObject(token->session, first->handle, &id, 1, &copy);
    assert_int_equal(rv, CKR_OK);
    find_none("pkcs11:object=tlm-attest", TLM_ERR_ARGUMENT, "more than one private key");
    find("pkcs11:id=%02", first);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    tlm_key *key = NULL;
    X509 *found = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_key_find_by_uri(NULL, "pkcs11:id=%02", &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_key_find_by_uri(token, NULL, &key, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_certificate_find_by_uri(token, NULL, &found, &error), TLM_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_that_name_one_object_pass),
        cmocka_unit_test(other_uris_are_refused),
        cmocka_unit_test(pins_are_refused_and_not_shown),
        cmocka_unit_test(names_have_a_maximum),
        cmocka_unit_test(keys_are_found_by_what_a_uri_says),
        cmocka_unit_test(certificates_are_found_by_what_a_uri_says),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(a_name_of_two_keys_is_refused),
    };
    return cmocka_run_group_tests_name("uri", tests, make_token, clear_token);
}
