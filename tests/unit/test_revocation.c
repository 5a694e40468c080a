/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/revocation.h>

#include "vendor.h"

static tlm_test_vendor vendor;

static int setup(void **state)
{
    (void)state;
    tlm_test_vendor_make(&vendor, "ES384");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlm_test_vendor_clear(&vendor);
    return 0;
}

static json_t *list_of(size_t count)
{
    json_t *revoked = json_array();
    for (size_t i = 0; i < count; i++) {
        char jti[64];
        (void)snprintf(jti, sizeof jti, "%08zx-0000-4000-8000-000000000000", i);
        assert_int_equal(json_array_append_new(revoked, json_string(jti)), 0);
    }
    return revoked;
}

static tlm_result open_list(const char *text, tlm_revocation **list, tlm_error *error)
{
    tlm_revocation *made = NULL;
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result = tlm_revocation_open(text, strlen(text), vendor.trust, &made, error);
    assert_true((result == TLM_OK) == (made != NULL));
    assert_int_equal(error->result, result);
    if (list != NULL) {
        *list = made;
    } else {
        tlm_revocation_free(&made);
    }
    return result;
}

static void reads_a_list(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 3, TLM_REVOKED_MAX, TLM_REVOKED_MAX + 1};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        tlm_revocation *list = NULL;
        tlm_error error;
        json_t *revoked = list_of(counts[i]);
        char *text = tlm_test_revocation(&vendor, 17, revoked);
        bool fits = counts[i] <= TLM_REVOKED_MAX;
        assert_int_equal(open_list(text, &list, &error), fits ? TLM_OK : TLM_ERR_FORMAT);
        if (fits) {
            assert_string_equal(list->vendor, TLM_TEST_VENDOR);
            assert_string_equal(list->kid, vendor.vendor_kid);
            assert_int_equal(list->issued, TLM_TEST_ISSUED);
            assert_int_equal(list->serial, 17);
            assert_int_equal(list->count, counts[i]);
            assert_true(list->count == 0 ||
                        strcmp(list->revoked[0], "00000000-0000-4000-8000-000000000000") == 0);
        }
        tlm_revocation_free(&list);
        free(text);
        json_decref(revoked);
    }
    tlm_revocation_free(NULL);
}

/* A signed list with one claim of another value; NULL takes it away. */
static tlm_result open_with(const char *name, const char *value, tlm_error *error)
{
    json_t *claims = json_pack("{s:s, s:i, s:i, s:[s]}", "iss", TLM_TEST_VENDOR, "iat",
                               TLM_TEST_ISSUED, "serial", 1, "revoked", TLM_TEST_JTI);
    assert_int_equal(
        value != NULL ? json_object_set_new(claims, name, json_loads(value, JSON_DECODE_ANY, NULL))
                      : json_object_del(claims, name),
        0);
    char *text =
        tlm_test_sign(vendor.vendor, "ES384", vendor.vendor_kid, TLM_REVOCATION_TYP, claims);
    tlm_result result = open_list(text, NULL, error);
    free(text);
    json_decref(claims);
    return result;
}

static void checks_every_claim(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        tlm_result result;
    } cases[] = {
        {"iss", NULL, TLM_ERR_FORMAT},
        {"iss", "\"OTHER\"", TLM_ERR_UNTRUSTED},
        {"iat", NULL, TLM_ERR_FORMAT},
        {"iat", "-1", TLM_ERR_FORMAT},
        {"serial", NULL, TLM_ERR_FORMAT},
        {"serial", "-1", TLM_ERR_FORMAT},
        {"serial", "0", TLM_OK},
        {"serial", "9007199254740991", TLM_OK},
        {"serial", "9007199254740992", TLM_ERR_FORMAT},
        {"serial", "\"1\"", TLM_ERR_FORMAT},
        {"revoked", NULL, TLM_ERR_FORMAT},
        {"revoked", "{}", TLM_ERR_FORMAT},
        {"revoked", "[1]", TLM_ERR_FORMAT},
        {"revoked", "[\"x\"]", TLM_ERR_FORMAT},
        {"revoked", "[\"6F1C2A7E-3B4D-4C5E-8F60-718293A4B5C6\"]", TLM_OK},
        {"x-other", "1", TLM_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error;
        if (open_with(cases[i].name, cases[i].value, &error) != cases[i].result) {
            fail_msg("%s %s: %s", cases[i].name, cases[i].value, error.message);
        }
        assert_true(cases[i].result == TLM_OK || strstr(error.message, "revocation list") != NULL);
    }
}

static void believes_its_vendor_alone(void **state)
{
    (void)state;
    json_t *claims = json_pack("{s:s, s:i, s:i, s:[]}", "iss", TLM_TEST_VENDOR, "iat", 1, "serial",
                               1, "revoked");
    tlm_error error;
    char *text =
        tlm_test_sign(vendor.issuer, "ES384", vendor.issuer_kid, TLM_REVOCATION_TYP, claims);
    assert_int_equal(open_list(text, NULL, &error), TLM_ERR_UNTRUSTED);
    free(text);
    text = tlm_test_sign(vendor.issuer, "ES384", vendor.vendor_kid, TLM_REVOCATION_TYP, claims);
    assert_int_equal(open_list(text, NULL, &error), TLM_ERR_SIGNATURE);
    free(text);
    text = tlm_test_sign(vendor.vendor, "ES384", vendor.vendor_kid, "tlm-license+jwt", claims);
    assert_int_equal(open_list(text, NULL, &error), TLM_ERR_FORMAT);
    free(text);
    json_decref(claims);
    assert_int_equal(tlm_revocation_open("", 0, vendor.trust, NULL, NULL), TLM_ERR_ARGUMENT);
}

static void refuses_every_changed_byte(void **state)
{
    (void)state;
    json_t *revoked = list_of(2);
    char *text = tlm_test_revocation(&vendor, 1, revoked);
    size_t size = strlen(text);
    tlm_revocation *list = NULL;
    for (size_t at = 0; at < size; at++) {
        char kept = text[at];
        assert_int_not_equal(tlm_revocation_open(text, at, vendor.trust, &list, NULL), TLM_OK);
        for (unsigned bit = 0; bit < 8; bit += 2) {
            text[at] = (char)((unsigned char)kept ^ (1U << bit));
            assert_int_not_equal(tlm_revocation_open(text, size, vendor.trust, &list, NULL),
                                 TLM_OK);
        }
        text[at] = kept;
    }
    assert_int_equal(tlm_revocation_open(text, size, vendor.trust, &list, NULL), TLM_OK);
    tlm_revocation_free(&list);
    free(text);
    json_decref(revoked);
}

static void has_a_maximum(void **state)
{
    (void)state;
    char *text = malloc(TLM_REVOCATION_MAX + 1);
    tlm_revocation *list = NULL;
    memset(text, 'A', TLM_REVOCATION_MAX + 1);
    assert_int_equal(tlm_revocation_open(text, TLM_REVOCATION_MAX + 1, vendor.trust, &list, NULL),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_revocation_open(text, TLM_REVOCATION_MAX, vendor.trust, &list, NULL),
                     TLM_ERR_FORMAT);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_list),
        cmocka_unit_test(checks_every_claim),
        cmocka_unit_test(believes_its_vendor_alone),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(has_a_maximum),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
