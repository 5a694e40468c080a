/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host_file.h"
#include "issue_fixture.h"
#include "rsa_keys.h"

/* Takes the object over. */
static tlm_result parse(json_t *object, tlm_host_file **host, tlm_error *error)
{
    char *text = json_dumps(object, 0);
    json_decref(object);
    assert_non_null(text);
    tlm_result result = tlm_host_file_parse(text, strlen(text), "host.json", host, error);
    free(text);
    return result;
}

static void refused(json_t *object, tlm_result expected, const char *message)
{
    tlm_host_file *host = NULL;
    tlm_error error = {0};
    assert_int_equal(parse(object, &host, &error), expected);
    assert_non_null(strstr(error.message, message));
    assert_null(host);
}

static void reads_a_fingerprint_answer(void **state)
{
    (void)state;
    tlm_host_file *host = NULL;
    assert_int_equal(parse(fingerprint_answer("tpm"), &host, NULL), TLM_OK);
    assert_int_equal(host->primary.type, TLM_FINGERPRINT_TPM);
    assert_int_equal(strlen(host->primary.fingerprint), 64);
    assert_int_equal(host->primary.components, 0);
    assert_int_equal(EVP_PKEY_eq(host->primary.key, host_key()), 1);
    assert_null(host->fallback.key);
    assert_null(host->keys);
    assert_ptr_equal(tlm_host_file_find(host, host->primary.fingerprint), &host->primary);
    assert_null(tlm_host_file_find(host, "x"));
    tlm_host_file_free(&host);
    assert_null(host);
    tlm_host_file_free(&host);
    tlm_host_file_free(NULL);
}

static void reads_a_fallback_and_counts_its_components(void **state)
{
    (void)state;
    tlm_host_file *host = NULL;
    assert_int_equal(parse(fingerprint_answer("fallback"), &host, NULL), TLM_OK);
    assert_int_equal(host->primary.type, TLM_FINGERPRINT_FALLBACK);
    assert_int_equal(host->primary.components, 1);
    assert_int_equal(strlen(host->primary.kid), 43);
    tlm_host_file_free(&host);
}

static void reads_a_request(void **state)
{
    (void)state;
    tlm_host_file *host = NULL;
    assert_int_equal(parse(host_request("token", 1), &host, NULL), TLM_OK);
    assert_int_equal(host->primary.type, TLM_FINGERPRINT_TOKEN);
    assert_int_equal(host->fallback.type, TLM_FINGERPRINT_FALLBACK);
    assert_true(json_is_array(json_object_get(host->keys, "keys")));
    assert_ptr_equal(tlm_host_file_find(host, host->fallback.fingerprint), &host->fallback);
    tlm_host_file_free(&host);
    assert_int_equal(parse(host_request("token", 0), &host, NULL), TLM_OK);
    assert_null(host->fallback.key);
    tlm_host_file_free(&host);
}

static json_t *with(json_t *object, const char *name, json_t *value)
{
    assert_int_equal(json_object_set_new(object, name, value), 0);
    return object;
}

static json_t *without(json_t *object, const char *name)
{
    assert_int_equal(json_object_del(object, name), 0);
    return object;
}

static void refuses_what_is_no_file_of_a_host(void **state)
{
    (void)state;
    tlm_host_file *host = NULL;
    assert_int_equal(tlm_host_file_parse("{", 1, "f", &host, NULL), TLM_ERR_FORMAT);
    assert_int_equal(tlm_host_file_parse("", 0, "f", &host, NULL), TLM_ERR_FORMAT);
    refused(json_object(), TLM_ERR_FORMAT, "host.json is neither a request nor an answer");
    refused(with(host_request("tpm", 0), "version", json_integer(2)), TLM_ERR_NEWER, "version");
    refused(with(host_request("tpm", 0), "host", json_object()), TLM_ERR_FORMAT, "fingerprint");
    refused(with(host_request("tpm", 0), "fallback", json_object()), TLM_ERR_FORMAT, "fingerprint");
    refused(without(fingerprint_answer("tpm"), "kid"), TLM_ERR_FORMAT, "kid");
    refused(with(fingerprint_answer("tpm"), "type", json_string("hsm")), TLM_ERR_FORMAT, "type");
    refused(with(fingerprint_answer("tpm"), "publicKey", json_string("x")), TLM_ERR_FORMAT,
            "publicKey is no public key in PEM");
    refused(with(fingerprint_answer("tpm"), "fingerprint", json_string("ABC")), TLM_ERR_FORMAT,
            "64 hexadecimal digits");
    refused(without(fingerprint_answer("fallback"), "components"), TLM_ERR_FORMAT, "components");
}

static char *pem_of(EVP_PKEY *key)
{
    char *pem = NULL;
    assert_int_equal(tlm_public_to_pem(key, &pem, NULL), TLM_OK);
    EVP_PKEY_free(key);
    return pem;
}

static void refuses_what_does_not_belong_together(void **state)
{
    (void)state;
    char other[65];
    memset(other, 'a', 64);
    other[64] = '\0';
    refused(with(fingerprint_answer("tpm"), "fingerprint", json_string(other)), TLM_ERR_DAMAGED,
            "fingerprint and its key do not belong together");
    other[43] = '\0';
    refused(with(fingerprint_answer("tpm"), "kid", json_string(other)), TLM_ERR_DAMAGED,
            "kid and its key do not belong together");
    json_t *answer = fingerprint_answer("fallback");
    (void)with(json_array_get(json_object_get(answer, "components"), 0), "id", json_string("disk"));
    refused(answer, TLM_ERR_DAMAGED, "fingerprint and its key do not belong together");
    refused(with(fingerprint_answer("fallback"), "type", json_string("token")), TLM_ERR_DAMAGED,
            "fingerprint");
    char *pem = pem_of(tlm_test_rsa(2048));
    refused(with(fingerprint_answer("tpm"), "publicKey", json_string(pem)), TLM_ERR_DAMAGED, "kid");
    free(pem);
    pem = pem_of(EVP_EC_gen("P-256"));
    refused(with(fingerprint_answer("tpm"), "publicKey", json_string(pem)), TLM_ERR_UNSUPPORTED,
            "no RSA key");
    free(pem);
}

static void knows_which_license_fits(void **state)
{
    (void)state;
    tlm_host_file *host = NULL;
    tlm_error error = {0};
    assert_int_equal(parse(fingerprint_answer("token"), &host, NULL), TLM_OK);
    const tlm_host_identity *it = &host->primary;
    assert_int_equal(tlm_host_identity_check(it, TLM_FINGERPRINT_TOKEN, it->fingerprint, NULL),
                     TLM_OK);
    assert_int_equal(tlm_host_identity_check(it, TLM_FINGERPRINT_FALLBACK, it->fingerprint, NULL),
                     TLM_OK);
    assert_int_equal(tlm_host_identity_check(it, TLM_FINGERPRINT_TPM, it->fingerprint, &error),
                     TLM_ERR_FOREIGN);
    assert_string_equal(error.message,
                        "the license needs a fingerprint of type tpm, the host's is token");
    assert_int_equal(tlm_host_identity_check(it, TLM_FINGERPRINT_TOKEN, "00", &error),
                     TLM_ERR_FOREIGN);
    tlm_host_file_free(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_fingerprint_answer),
        cmocka_unit_test(reads_a_fallback_and_counts_its_components),
        cmocka_unit_test(reads_a_request),
        cmocka_unit_test(refuses_what_is_no_file_of_a_host),
        cmocka_unit_test(refuses_what_does_not_belong_together),
        cmocka_unit_test(knows_which_license_fits),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free_host_key();
    return failed;
}
