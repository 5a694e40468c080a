/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/token.h>

static void test_rv_names(void **state)
{
    (void)state;
    assert_string_equal(tlm_pkcs11_rv_name(CKR_OK), "CKR_OK");
    assert_string_equal(tlm_pkcs11_rv_name(CKR_GENERAL_ERROR), "CKR_GENERAL_ERROR");
    assert_string_equal(tlm_pkcs11_rv_name(CKR_PIN_LOCKED), "CKR_PIN_LOCKED");
    assert_string_equal(tlm_pkcs11_rv_name(CKR_FUNCTION_REJECTED), "CKR_FUNCTION_REJECTED");
    assert_string_equal(tlm_pkcs11_rv_name(CKR_VENDOR_DEFINED + 1), "CKR_VENDOR_DEFINED");
    assert_string_equal(tlm_pkcs11_rv_name(0x9999), "unknown CK_RV");
}

static void test_mechanism_names(void **state)
{
    (void)state;
    assert_string_equal(tlm_pkcs11_mechanism_name(CKM_RSA_PKCS_KEY_PAIR_GEN),
                        "CKM_RSA_PKCS_KEY_PAIR_GEN");
    assert_string_equal(tlm_pkcs11_mechanism_name(CKM_RSA_PKCS_OAEP), "CKM_RSA_PKCS_OAEP");
    assert_string_equal(tlm_pkcs11_mechanism_name(CKM_ECDSA), "CKM_ECDSA");
    assert_string_equal(tlm_pkcs11_mechanism_name(0x1040), "CKM_EC_KEY_PAIR_GEN");
    assert_string_equal(tlm_pkcs11_mechanism_name(CKM_VENDOR_DEFINED), "CKM_VENDOR_DEFINED");
    assert_string_equal(tlm_pkcs11_mechanism_name(0x7fffffff), "unknown mechanism");
}

static void test_message_names_call_object_and_code(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_result result =
        tlm_error_set_rv(&error, CKR_DEVICE_ERROR, "C_Sign", "with key '%s'", "tlm-attest");
    assert_int_equal(result, TLM_ERR_TOKEN);
    assert_int_equal(error.result, TLM_ERR_TOKEN);
    assert_int_equal(error.domain, TLM_DOMAIN_PKCS11);
    assert_int_equal(error.native, CKR_DEVICE_ERROR);
    assert_string_equal(error.message, "C_Sign with key 'tlm-attest': CKR_DEVICE_ERROR (0x30)");
    assert_non_null(strstr(error.hint, "tlm-token-init doctor"));
}

static void test_results_and_hints(void **state)
{
    (void)state;
    static const struct {
        CK_RV rv;
        tlm_result result;
        const char *hint;
    } cases[] = {
        {CKR_PIN_INCORRECT, TLM_ERR_PIN, "not tried again"},
        {CKR_PIN_LOCKED, TLM_ERR_LOCKED, "tlm-token-init status"},
        {CKR_TOKEN_NOT_PRESENT, TLM_ERR_TOKEN_UNAVAILABLE, "connected"},
        {CKR_GENERAL_ERROR, TLM_ERR_TOKEN, "tlm-token-init doctor"},
        {CKR_MECHANISM_INVALID, TLM_ERR_UNSUPPORTED, "algorithm"},
        {CKR_HOST_MEMORY, TLM_ERR_MEMORY, "memory"},
        {CKR_DEVICE_MEMORY, TLM_ERR_NO_SPACE, "Remove"},
        {CKR_TOKEN_WRITE_PROTECTED, TLM_ERR_PERMISSION, "writable"},
        {CKR_USER_PIN_NOT_INITIALIZED, TLM_ERR_NOT_PROVISIONED, "provision"},
        {CKR_ENCRYPTED_DATA_INVALID, TLM_ERR_CRYPTO, "encrypted"},
        {CKR_FUNCTION_CANCELED, TLM_ERR_TOKEN, "doctor"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error = {0};
        assert_int_equal(tlm_error_set_rv(&error, cases[i].rv, "C_Call", "%s", ""),
                         cases[i].result);
        assert_non_null(strstr(error.hint, cases[i].hint));
        assert_int_equal(tlm_error_set_rv(NULL, cases[i].rv, "C_Call", "%s", ""), cases[i].result);
    }
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    char label[1000];
    memset(label, 'x', sizeof label);
    label[sizeof label - 1] = '\0';
    tlm_error error = {0};
    (void)tlm_error_set_rv(&error, CKR_GENERAL_ERROR, "C_Sign", "with key '%s'", label);
    assert_true(strlen(error.message) < sizeof error.message);
    assert_non_null(strstr(error.message, "CKR_GENERAL_ERROR"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rv_names),
        cmocka_unit_test(test_mechanism_names),
        cmocka_unit_test(test_message_names_call_object_and_code),
        cmocka_unit_test(test_results_and_hints),
        cmocka_unit_test(test_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
