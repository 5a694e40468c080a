/* SPDX-License-Identifier: BSD-2-Clause */
/* The word of a borrower's key that a lease is returned. */
#include "statement_fixture.h"

#include <stdio.h>

#include "../../licensing/src/service_private.h"
#include "rsa_keys.h"

#define LEASE "01234567-89ab-4cde-8f01-23456789abcd"
#define OTHER_LEASE "01234567-89ab-4cde-8f01-23456789abce"
#define RETURN "tlm-return+jwt"

static statement_signer borrower;
static statement_signer other;

static int setup(void **state)
{
    (void)state;
    statement_signer_make(&borrower);
    statement_signer_make(&other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    statement_signer_clear(&borrower);
    statement_signer_clear(&other);
    return 0;
}

static char *word(const statement_signer *by, const char *typ, const char *lease, int64_t iat)
{
    json_t *claims = json_pack("{s:s, s:I}", "lease", lease, "iat", (json_int_t)iat);
    char *text = statement_sign(by, typ, claims);
    json_decref(claims);
    return text;
}

static tlm_result check(const char *proof)
{
    tlm_error error = {0};
    tlm_result result = tlm_service_return(proof, LEASE, borrower.kid, TEST_NOW, &error);
    assert_int_equal(error.result, result);
    return result;
}

static tlm_result check_word(const statement_signer *by, const char *typ, const char *lease,
                             int64_t iat)
{
    char *text = word(by, typ, lease, iat);
    tlm_result result = check(text);
    free(text);
    return result;
}

/* Often: the key is found behind signatures of either parity. */
static void the_borrower_is_found_behind_every_signature(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++) {
        statement_signer one;
        statement_signer_make(&one);
        char *text = word(&one, RETURN, LEASE, TEST_NOW);
        tlm_error error = {0};
        assert_int_equal(tlm_service_return(text, LEASE, one.kid, TEST_NOW, &error), TLM_OK);
        assert_int_equal(tlm_service_return(text, LEASE, other.kid, TEST_NOW, &error),
                         TLM_ERR_SIGNATURE);
        free(text);
        statement_signer_clear(&one);
    }
}

static void others_words_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_word(&borrower, RETURN, LEASE, TEST_NOW), TLM_OK);
    assert_int_equal(check_word(&other, RETURN, LEASE, TEST_NOW), TLM_ERR_SIGNATURE);
    assert_int_equal(check_word(&borrower, RETURN, OTHER_LEASE, TEST_NOW), TLM_ERR_SIGNATURE);
    assert_int_equal(check_word(&borrower, TLM_ROOT_TYP, LEASE, TEST_NOW), TLM_ERR_SIGNATURE);
    /* Somebody else's signature below our name. */
    statement_signer renamed = other;
    memcpy(renamed.kid, borrower.kid, sizeof renamed.kid);
    assert_int_equal(check_word(&renamed, RETURN, LEASE, TEST_NOW), TLM_ERR_SIGNATURE);
}

static void old_words_are_refused(void **state)
{
    (void)state;
    assert_int_equal(check_word(&borrower, RETURN, LEASE, TEST_NOW - 300), TLM_OK);
    assert_int_equal(check_word(&borrower, RETURN, LEASE, TEST_NOW - 301), TLM_ERR_EXPIRED);
    assert_int_equal(check_word(&borrower, RETURN, LEASE, TEST_NOW + 300), TLM_OK);
    assert_int_equal(check_word(&borrower, RETURN, LEASE, TEST_NOW + 301), TLM_ERR_EXPIRED);
    assert_int_equal(check_word(&borrower, RETURN, LEASE, INT64_MAX), TLM_ERR_EXPIRED);
    assert_int_equal(check_word(&borrower, RETURN, LEASE, 0), TLM_ERR_EXPIRED);
}

static void words_without_their_claims_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"{}", "{\"lease\":\"" LEASE "\"}", "{\"iat\":1767225600}",
                                        "{\"lease\":\"" LEASE "\",\"iat\":\"1767225600\"}",
                                        "{\"lease\":7,\"iat\":1767225600}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *claims = json_loads(wrong[i], 0, NULL);
        char *text = statement_sign(&borrower, RETURN, claims);
        assert_int_not_equal(check(text), TLM_OK);
        free(text);
        json_decref(claims);
    }
    assert_int_equal(check(""), TLM_ERR_FORMAT);
    assert_int_equal(check("a.b.c"), TLM_ERR_FORMAT);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    char *text = word(&borrower, RETURN, LEASE, TEST_NOW);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(check(text), TLM_OK);
        text[i] = was;
    }
    assert_int_equal(check(text), TLM_OK);
    free(text);
}

/* r and s of zero, of the order and beyond lead to no point. */
static void numbers_that_are_no_signature(void **state)
{
    (void)state;
    char *text = word(&borrower, RETURN, LEASE, TEST_NOW);
    char *dot = strrchr(text, '.');
    static const unsigned char fills[] = {0x00, 0xff};
    for (size_t i = 0; i < sizeof fills; i++) {
        unsigned char numbers[64];
        char *made = NULL;
        memset(numbers, fills[i], sizeof numbers);
        char *signature = tlm_base64url_encode(numbers, sizeof numbers);
        assert_true(asprintf(&made, "%.*s.%s", (int)(dot - text), text, signature) > 0);
        assert_int_equal(check(made), TLM_ERR_SIGNATURE);
        free(made);
        free(signature);
    }
    free(text);
}

static void borrowers_have_public_p256_keys(void **state)
{
    (void)state;
    char jkt[44] = "";
    tlm_error error = {0};
    assert_int_equal(tlm_service_borrower(borrower.jwk, jkt, &error), TLM_OK);
    assert_string_equal(jkt, borrower.kid);
    char *text = NULL;
    EVP_PKEY *rsa = tlm_test_rsa(2048U);
    assert_int_equal(tlm_public_to_jwk(rsa, &text, NULL), TLM_OK);
    json_t *jwk = json_loads(text, 0, NULL);
    assert_int_equal(tlm_service_borrower(jwk, jkt, &error), TLM_ERR_ARGUMENT);
    json_decref(jwk);
    free(text);
    EVP_PKEY_free(rsa);
    jwk = json_deep_copy(borrower.jwk);
    assert_int_equal(json_object_set_new(jwk, "d", json_string("AAAA")), 0);
    assert_int_equal(tlm_service_borrower(jwk, jkt, &error), TLM_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "borrow.key"));
    json_decref(jwk);
    jwk = json_object();
    assert_int_equal(tlm_service_borrower(jwk, jkt, &error), TLM_ERR_ARGUMENT);
    json_decref(jwk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_borrower_is_found_behind_every_signature),
        cmocka_unit_test(others_words_are_refused),
        cmocka_unit_test(old_words_are_refused),
        cmocka_unit_test(words_without_their_claims_are_refused),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(numbers_that_are_no_signature),
        cmocka_unit_test(borrowers_have_public_p256_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
