/* SPDX-License-Identifier: BSD-2-Clause */
#include "statement_fixture.h"

#define STATEMENT                                                                                  \
    "{\"type\":\"attestation\",\"nonce\":\"n-1\",\"iat\":1767225600,\"fingerprint\":"              \
    "\"" TEST_FINGERPRINT "\",\"state\":\"ok\"}"

static statement_signer signer;
static statement_signer other;

static int setup(void **state)
{
    (void)state;
    statement_signer_make(&signer);
    statement_signer_make(&other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    statement_signer_clear(&signer);
    statement_signer_clear(&other);
    return 0;
}

static tlm_result verify(const json_t *answer, const char *nonce, const char *said)
{
    tlm_error error = {0};
    tlm_statement_report report = {0};
    tlm_result result = tlm_statement_verify(answer, signer.jwks, nonce, &report, &error);
    assert_int_equal(error.result, result);
    assert_true((result == TLM_OK) == (report.type != NULL));
    if (said != NULL && strstr(error.message, said) == NULL) {
        fail_msg("not '%s' in: %s", said, error.message);
    }
    return result;
}

/* Takes the answer, with one member put in the place of another. */
static void refused_with(const char *member, json_t *value, tlm_result expected, const char *said)
{
    json_t *answer = statement_prove(&signer, STATEMENT, 5, 9);
    if (value == NULL) {
        assert_int_equal(json_object_del(answer, member), 0);
    } else {
        assert_int_equal(json_object_set_new(answer, member, value), 0);
    }
    assert_int_equal(verify(answer, NULL, said), expected);
    json_decref(answer);
}

static void test_every_place_verifies(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 9, TLM_BATCH_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t i = 0; i < sizes[s]; i += 1 + sizes[s] / 7) {
            json_t *answer = statement_prove(&signer, STATEMENT, i, sizes[s]);
            assert_int_equal(verify(answer, "n-1", NULL), TLM_OK);
            json_decref(answer);
        }
    }
}

static void test_report(void **state)
{
    (void)state;
    tlm_statement_report report = {0};
    json_t *answer = statement_prove(&signer, STATEMENT, 2, 3);
    assert_int_equal(json_object_set_new(answer, "lease", json_string("more members")), 0);
    assert_int_equal(tlm_statement_verify(answer, signer.jwks, NULL, &report, NULL), TLM_OK);
    assert_string_equal(report.type, "attestation");
    assert_string_equal(report.fingerprint, TEST_FINGERPRINT);
    assert_string_equal(report.kid, signer.kid);
    assert_int_equal(report.signed_at, TEST_NOW);
    assert_int_equal(report.size, 3);
    assert_int_equal(tlm_statement_verify(answer, signer.jwk, "n-1", NULL, NULL), TLM_OK);
    json_decref(answer);
}

static void test_nonce(void **state)
{
    (void)state;
    json_t *answer = statement_prove(&signer, STATEMENT, 0, 1);
    assert_int_equal(verify(answer, "n-2", "nonce"), TLM_ERR_SIGNATURE);
    assert_int_equal(verify(answer, "", "nonce"), TLM_ERR_SIGNATURE);
    json_decref(answer);
    answer = statement_prove(&signer,
                             "{\"type\":\"usage\",\"fingerprint\":\"" TEST_FINGERPRINT "\"}", 0, 1);
    assert_int_equal(verify(answer, NULL, NULL), TLM_OK);
    assert_int_equal(verify(answer, "n-1", "nonce"), TLM_ERR_SIGNATURE);
    json_decref(answer);
}

static void test_other_keys(void **state)
{
    (void)state;
    tlm_error error = {0};
    json_t *answer = statement_prove(&other, STATEMENT, 0, 1);
    json_t *empty = json_pack("{s:[]}", "keys");
    /* The other's key under our kid. */
    json_t *renamed = json_deep_copy(other.jwk);
    assert_int_equal(json_object_set_new(renamed, "kid", json_string(signer.kid)), 0);
    assert_int_equal(verify(answer, NULL, other.kid), TLM_ERR_SIGNATURE);
    assert_int_equal(tlm_statement_verify(answer, empty, NULL, NULL, &error), TLM_ERR_SIGNATURE);
    assert_int_equal(tlm_statement_verify(answer, other.jwk, NULL, NULL, &error), TLM_OK);
    assert_int_equal(tlm_statement_verify(answer, signer.jwk, NULL, NULL, &error),
                     TLM_ERR_SIGNATURE);
    json_decref(answer);
    answer = statement_prove(&signer, STATEMENT, 0, 1);
    assert_int_equal(tlm_statement_verify(answer, renamed, NULL, NULL, &error), TLM_ERR_SIGNATURE);
    json_decref(answer);
    json_decref(renamed);
    json_decref(empty);
}

static void test_wrong_members(void **state)
{
    (void)state;
    refused_with("statement", NULL, TLM_ERR_FORMAT, "statement");
    refused_with("statement", json_string("x"), TLM_ERR_FORMAT, "statement");
    refused_with("index", NULL, TLM_ERR_FORMAT, "index");
    refused_with("index", json_integer(-1), TLM_ERR_FORMAT, "index");
    refused_with("index", json_real(5.0), TLM_ERR_FORMAT, "index");
    refused_with("path", NULL, TLM_ERR_FORMAT, "path");
    refused_with("path", json_pack("[i]", 1), TLM_ERR_FORMAT, "path");
    refused_with("path", json_pack("[s]", "AAAA"), TLM_ERR_FORMAT, "path");
    refused_with("path",
                 json_pack("[s,s,s,s,s,s,s,s,s,s,s,s,s]", "", "", "", "", "", "", "", "", "", "",
                           "", "", ""),
                 TLM_ERR_FORMAT, "path");
    refused_with("path", json_array(), TLM_ERR_SIGNATURE, "path");
    refused_with("index", json_integer(4), TLM_ERR_SIGNATURE, "path");
    refused_with("index", json_integer(9), TLM_ERR_SIGNATURE, "path");
    refused_with("root", NULL, TLM_ERR_FORMAT, "root");
    refused_with("root", json_string("a.b.c"), TLM_ERR_FORMAT, "root");
    refused_with("statement",
                 json_pack("{s:s, s:s}", "type", "lease", "fingerprint", TEST_FINGERPRINT),
                 TLM_ERR_SIGNATURE, "path");
    refused_with("statement", json_pack("{s:f}", "iat", 1.5), TLM_ERR_FORMAT, "integer");
}

/* A root of our key, of another typ or with other claims; the statement is its only leaf. */
static tlm_result verify_root_of(const char *typ, const char *member, json_t *value)
{
    unsigned char leaf[TLM_HASH_SIZE];
    json_t *said = json_loads(STATEMENT, 0, NULL);
    statement_leaf(said, leaf);
    json_t *claims = json_pack("{s:o, s:i, s:i, s:s}", "root", statement_hash(leaf), "size", 1,
                               "iat", TEST_NOW, "fingerprint", TEST_FINGERPRINT);
    if (value == NULL) {
        assert_int_equal(json_object_del(claims, member), member[0] != '\0' ? 0 : -1);
    } else {
        assert_int_equal(json_object_set_new(claims, member, value), 0);
    }
    char *root = statement_sign(&signer, typ, claims);
    json_t *answer =
        json_pack("{s:o, s:i, s:[], s:s}", "statement", said, "index", 0, "path", "root", root);
    tlm_result result = verify(answer, NULL, NULL);
    json_decref(answer);
    json_decref(claims);
    free(root);
    return result;
}

static void test_roots(void **state)
{
    (void)state;
    static const char *const needed[] = {"root", "size", "iat", "fingerprint"};
    assert_int_equal(verify_root_of(TLM_ROOT_TYP, "", NULL), TLM_OK);
    assert_int_equal(verify_root_of("tlm-license+jwt", "", NULL), TLM_ERR_SIGNATURE);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        assert_int_equal(verify_root_of(TLM_ROOT_TYP, needed[i], NULL), TLM_ERR_FORMAT);
        assert_int_equal(verify_root_of(TLM_ROOT_TYP, needed[i], json_true()), TLM_ERR_FORMAT);
    }
    assert_int_equal(verify_root_of(TLM_ROOT_TYP, "size", json_integer(0)), TLM_ERR_FORMAT);
    assert_int_equal(verify_root_of(TLM_ROOT_TYP, "size", json_integer(2)), TLM_ERR_SIGNATURE);
    /* Another host's fingerprint than the statement's; and texts that are none. */
    assert_int_equal(verify_root_of(TLM_ROOT_TYP, "fingerprint",
                                    json_string("ff112233445566778899aabbccddeeff00112233445566778"
                                                "899aabbccddeeff")),
                     TLM_ERR_SIGNATURE);
    assert_int_equal(verify_root_of(TLM_ROOT_TYP, "fingerprint", json_string("00")),
                     TLM_ERR_FORMAT);
}

static void test_statement_needs_its_members(void **state)
{
    (void)state;
    json_t *answer = statement_prove(&signer, "{\"type\":\"lease\"}", 0, 1);
    assert_int_equal(verify(answer, NULL, "fingerprint"), TLM_ERR_SIGNATURE);
    json_decref(answer);
    answer = statement_prove(&signer, "{\"fingerprint\":\"" TEST_FINGERPRINT "\"}", 0, 1);
    assert_int_equal(verify(answer, NULL, "type"), TLM_ERR_FORMAT);
    json_decref(answer);
}

static void test_every_byte_of_the_root(void **state)
{
    (void)state;
    json_t *answer = statement_prove(&signer, STATEMENT, 1, 4);
    const char *root = json_string_value(json_object_get(answer, "root"));
    char *text = strdup(root);
    assert_non_null(text);
    for (size_t i = 0; root[i] != '\0'; i++) {
        text[i] = root[i] == 'A' ? 'B' : 'A';
        json_t *changed = json_copy(answer);
        assert_int_equal(json_object_set_new(changed, "root", json_string(text)), 0);
        tlm_result result = verify(changed, NULL, NULL);
        assert_true(result != TLM_OK);
        json_decref(changed);
        text[i] = root[i];
    }
    assert_int_equal(verify(answer, NULL, NULL), TLM_OK);
    free(text);
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_place_verifies),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_nonce),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_wrong_members),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_statement_needs_its_members),
        cmocka_unit_test(test_every_byte_of_the_root),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
