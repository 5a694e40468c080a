/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An attestation of a TPM that swtpm_setup manufactured, its CA, and the answer to a challenge, all
 * recorded in tests/vectors/attestation: whatever is changed in them is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include <tlm/attestation.h>
#include <tlm/file.h>

#include "../../token-init/src/tpm_wire.h"
#include "vector.h"

#define DIRECTORY TLM_TEST_VECTORS "/attestation/"
#define FINGERPRINT "0402114a48507c6719838701aee703b98e29f6205923ea59d090b904e848541a"

static const char *const issuer[] = {DIRECTORY "issuer.pem"};
static const char *const root_only[] = {DIRECTORY "root.pem"};
static const char *const no_ca[] = {DIRECTORY "host.json"};
static const tlm_attestation_expect usual = {.ca = issuer, .ca_count = 1};

static tlm_result verify_text(const char *text, size_t size, const tlm_attestation_expect *expect,
                              tlm_error *error)
{
    tlm_attestation *attestation = NULL;
    tlm_attestation_report report;
    tlm_result result = tlm_attestation_parse(text, size, &attestation, error);
    if (result == TLM_OK) {
        result = tlm_attestation_verify(attestation, expect, &report, error);
    }
    tlm_attestation_free(&attestation);
    assert_null(attestation);
    return result;
}

static tlm_result verify_json(json_t *root, tlm_error *error)
{
    char *text = json_dumps(root, 0);
    assert_non_null(text);
    tlm_result result = verify_text(text, strlen(text), &usual, error);
    free(text);
    return result;
}

/* Verifies with the expectations; the message of a refusal holds the word. */
static void expect(const tlm_attestation_expect *what, tlm_result expected, const char *word)
{
    tlm_attestation *attestation = NULL;
    tlm_attestation_report report;
    tlm_error error = {0};
    assert_int_equal(tlm_attestation_load(DIRECTORY "host.json", &attestation, &error), TLM_OK);
    tlm_result result = tlm_attestation_verify(attestation, what, &report, &error);
    assert_int_equal(result, expected);
    if (expected != TLM_OK) {
        assert_non_null(strstr(error.message, word));
    } else {
        assert_string_equal(report.fingerprint, FINGERPRINT);
        assert_string_equal(report.manufacturer, "id:00001014");
        assert_string_equal(report.model, "swtpm");
        assert_string_equal(report.version, "id:20191023");
        assert_int_equal(strlen(report.ak_name), 68);
        assert_int_equal(strlen(report.ek_name), 68);
    }
    tlm_attestation_free(&attestation);
}

static void test_genuine(void **state)
{
    (void)state;
    static const char *const both[] = {DIRECTORY "root.pem", DIRECTORY "issuer.pem"};
    expect(&usual, TLM_OK, "");
    expect(&(tlm_attestation_expect){.ca = both, .ca_count = 2}, TLM_OK, "");
    expect(&(tlm_attestation_expect){.ca = issuer, .ca_count = 1, .nonce = "0011"}, TLM_OK, "");
    expect(&(tlm_attestation_expect){.ca = issuer, .ca_count = 1, .fingerprint = FINGERPRINT},
           TLM_OK, "");
}

static void test_expectations(void **state)
{
    (void)state;
    expect(&(tlm_attestation_expect){.ca_count = 0}, TLM_ERR_INCOMPLETE, "not among the trusted");
    expect(&(tlm_attestation_expect){.ca = root_only, .ca_count = 1}, TLM_ERR_INCOMPLETE,
           "not among the trusted");
    expect(&(tlm_attestation_expect){.ca = no_ca, .ca_count = 1}, TLM_ERR_FORMAT, "no certificate");
    expect(&(tlm_attestation_expect){.ca = issuer, .ca_count = 1, .nonce = "0012"},
           TLM_ERR_SIGNATURE, "nonce");
    expect(&(tlm_attestation_expect){.ca = issuer, .ca_count = 1, .nonce = "001"}, TLM_ERR_SETTING,
           "nonce");
    expect(&(tlm_attestation_expect){.ca = issuer, .ca_count = 1, .nonce = "00zz"}, TLM_ERR_SETTING,
           "nonce");
    expect(&(tlm_attestation_expect){.ca = issuer, .ca_count = 1, .fingerprint = "00"},
           TLM_ERR_FOREIGN, FINGERPRINT);
    expect(&(tlm_attestation_expect){.ek_public = DIRECTORY "host.json"}, TLM_ERR_FORMAT,
           "no public key");
}

/* Changes one character of a text to another digit of base64url. */
static void flip(json_t *object, const char *member, size_t at)
{
    char *text = strdup(json_string_value(json_object_get(object, member)));
    assert_non_null(text);
    text[at] = text[at] == 'B' ? 'C' : 'B';
    assert_int_equal(json_object_set_new(object, member, json_string(text)), 0);
    free(text);
}

/* Every text below the object, at every `step`th place. Returns how many were tried. */
static size_t flip_all(json_t *root, json_t *object, size_t step)
{
    size_t tried = 0;
    for (void *at = json_object_iter(object); at != NULL;) {
        const char *member = json_object_iter_key(at);
        json_t *value = json_incref(json_object_iter_value(at));
        if (json_is_object(value)) {
            tried += flip_all(root, value, step);
        } else if (json_is_string(value)) {
            for (size_t i = 0; i < json_string_length(value); i += step) {
                tlm_error error = {0};
                flip(object, member, i);
                tlm_result result = verify_json(root, &error);
                if (result == TLM_OK || error.message[0] == '\0') {
                    fail_msg("changed and not noticed: %s at %zu", member, i);
                }
                assert_int_equal(json_object_set(object, member, value), 0);
                tried++;
            }
        }
        json_decref(value);
        at = json_object_iter_next(object, json_object_key_to_iter(member));
    }
    return tried;
}

static void test_changed_bytes(void **state)
{
    (void)state;
    json_t *root = tlm_vector_load("attestation/host.json");
    tlm_error error = {0};
    assert_int_equal(verify_json(root, &error), TLM_OK);
    size_t tried = flip_all(root, root, 7);
    tried += flip_all(root, json_array_get(json_object_get(root, "keys"), 0), 7);
    tried += flip_all(root, json_array_get(json_object_get(root, "keys"), 1), 7);
    assert_true(tried > 400);
    assert_int_equal(verify_json(root, &error), TLM_OK);
    json_decref(root);
}

static void refused(json_t *root, tlm_result expected, const char *word)
{
    tlm_error error = {0};
    assert_int_equal(verify_json(root, &error), expected);
    assert_non_null(strstr(error.message, word));
    json_decref(root);
}

static json_t *key_of(json_t *root, size_t index)
{
    return json_array_get(json_object_get(root, "keys"), index);
}

static void test_changed_structure(void **state)
{
    (void)state;
    json_t *root = tlm_vector_load("attestation/host.json");
    (void)json_object_del(root, "nonce");
    refused(root, TLM_ERR_SIGNATURE, "changed after");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_set_new(json_object_get(root, "tpm"), "simulated", json_false());
    refused(root, TLM_ERR_SIGNATURE, "changed after");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_del(json_object_get(root, "ek"), "certificate");
    refused(root, TLM_ERR_INCOMPLETE, "no EK certificate");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_set_new(root, "version", json_integer(2));
    refused(root, TLM_ERR_NEWER, "version");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_set_new(root, "type", json_string("tlm-other"));
    refused(root, TLM_ERR_FORMAT, "type");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_set_new(root, "more", json_true());
    refused(root, TLM_ERR_FORMAT, "more");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_set_new(key_of(root, 0), "more", json_true());
    refused(root, TLM_ERR_FORMAT, "more");
    root = tlm_vector_load("attestation/host.json");
    (void)json_array_remove(json_object_get(root, "keys"), 1);
    refused(root, TLM_ERR_FORMAT, "keys");
    /* A true statement about one key does not stand for the other. */
    root = tlm_vector_load("attestation/host.json");
    json_t *first = key_of(root, 0);
    json_t *second = key_of(root, 1);
    (void)json_object_set(first, "public", json_object_get(second, "public"));
    (void)json_object_set(first, "attest", json_object_get(second, "attest"));
    (void)json_object_set(first, "signature", json_object_get(second, "signature"));
    (void)json_object_set(first, "jwk", json_object_get(second, "jwk"));
    refused(root, TLM_ERR_SIGNATURE, "key 'tlm-srk': the attestation was changed");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_set(key_of(root, 0), "jwk", json_object_get(key_of(root, 1), "jwk"));
    refused(root, TLM_ERR_FOREIGN, "key 'tlm-srk': its JWK");
    root = tlm_vector_load("attestation/host.json");
    (void)json_object_del(key_of(root, 0), "jwk");
    refused(root, TLM_ERR_FOREIGN, "its JWK");
}

static void test_truncated(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_file_read(DIRECTORY "host.json", 65536, &text, &size, &error), TLM_OK);
    for (size_t i = 0; i + 2 < size; i += 7) {
        assert_int_equal(verify_text(text, i, &usual, &error), TLM_ERR_FORMAT);
    }
    assert_int_equal(verify_text(text, TLM_ATTESTATION_FILE_MAX + 1, &usual, &error),
                     TLM_ERR_TOO_LARGE);
    free(text);
}

static tlm_result answer(const char *given, const char *kept)
{
    tlm_attestation *attestation = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_attestation_load(DIRECTORY "host.json", &attestation, &error), TLM_OK);
    tlm_result result =
        tlm_attestation_check_answer(attestation, given, strlen(given), kept, strlen(kept), &error);
    tlm_attestation_free(&attestation);
    return result;
}

static void test_answers(void **state)
{
    (void)state;
    char *given = NULL;
    char *kept = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_file_read(DIRECTORY "answer.json", 4096, &given, &size, &error), TLM_OK);
    assert_int_equal(tlm_file_read(DIRECTORY "expected.json", 4096, &kept, &size, &error), TLM_OK);
    assert_int_equal(answer(given, kept), TLM_OK);
    assert_int_equal(answer(kept, given), TLM_ERR_FORMAT);
    assert_int_equal(answer("{}", kept), TLM_ERR_FORMAT);
    static const char *const members[] = {"akName", "secret"};
    for (size_t i = 0; i < 2; i++) {
        json_t *root = json_loads(given, 0, NULL);
        flip(root, members[i], 1);
        char *text = json_dumps(root, 0);
        assert_int_equal(answer(text, kept), i == 0 ? TLM_ERR_FOREIGN : TLM_ERR_SIGNATURE);
        free(text);
        json_decref(root);
    }
    static const char *const kept_members[] = {"ekName", "akName", "sha256"};
    for (size_t i = 0; i < 3; i++) {
        json_t *root = json_loads(kept, 0, NULL);
        flip(root, kept_members[i], 1);
        char *text = json_dumps(root, 0);
        assert_int_equal(answer(given, text), i < 2 ? TLM_ERR_FOREIGN : TLM_ERR_SIGNATURE);
        free(text);
        json_decref(root);
    }
    free(given);
    free(kept);
}

static void test_challenge(void **state)
{
    (void)state;
    tlm_attestation *attestation = NULL;
    char *challenge = NULL;
    char *expected = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_attestation_load(DIRECTORY "host.json", &attestation, &error), TLM_OK);
    assert_int_equal(tlm_attestation_challenge(attestation, &challenge, &expected, &error), TLM_OK);
    json_t *first = json_loads(challenge, 0, NULL);
    json_t *second = json_loads(expected, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(first, "ek")), "RSA-2048");
    assert_int_equal(
        json_equal(json_object_get(first, "akName"), json_object_get(second, "akName")), 1);
    assert_null(json_object_get(second, "secret"));
    json_decref(first);
    json_decref(second);
    free(challenge);
    free(expected);
    tlm_attestation_free(&attestation);
}

/* Structures of a TPM, cut off at every byte and with a byte too many. */
static void test_wire(void **state)
{
    (void)state;
    json_t *root = tlm_vector_load("attestation/host.json");
    tlm_error error = {0};
    for (size_t i = 0; i < 2; i++) {
        tlm_wire_public area;
        tlm_wire_attest attest;
        unsigned char signature[TLM_WIRE_SIGNATURE_SIZE];
        size_t size = 0;
        unsigned char *data = tlm_vector_bytes(key_of(root, i), "public", &size);
        assert_int_equal(tlm_wire_read_public(data, size, &area, &error), TLM_OK);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(tlm_wire_read_public(data, cut, &area, &error), TLM_ERR_FORMAT);
        }
        free(data);
        data = tlm_vector_bytes(key_of(root, i), "attest", &size);
        assert_int_equal(tlm_wire_read_attest(data, size, &attest, &error), TLM_OK);
        assert_int_equal(attest.name.size, 34);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(tlm_wire_read_attest(data, cut, &attest, &error), TLM_ERR_FORMAT);
        }
        data[0] ^= 1U; /* what no TPM would sign */
        assert_int_equal(tlm_wire_read_attest(data, size, &attest, &error), TLM_ERR_SIGNATURE);
        free(data);
        data = tlm_vector_bytes(key_of(root, i), "signature", &size);
        assert_int_equal(tlm_wire_read_signature(data, size, signature, &error), TLM_OK);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(tlm_wire_read_signature(data, cut, signature, &error), TLM_ERR_FORMAT);
        }
        unsigned char *longer = calloc(size + 1, 1);
        memcpy(longer, data, size);
        assert_int_equal(tlm_wire_read_signature(longer, size + 1, signature, &error),
                         TLM_ERR_FORMAT);
        free(longer);
        free(data);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine),       cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_changed_bytes), cmocka_unit_test(test_changed_structure),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_answers),
        cmocka_unit_test(test_challenge),     cmocka_unit_test(test_wire),
    };
    tlm_attestation_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
