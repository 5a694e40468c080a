/* SPDX-License-Identifier: BSD-2-Clause */
/* A program with trusted keys compiled in (tests/unit/trust.jwks) and without runtime trust. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/trust.h>

#include "vendor.h"

static void brings_its_keys(void **state)
{
    (void)state;
    tlm_trust *trust = NULL;
    const tlm_trust_key *key = NULL;
    tlm_error error = {.result = TLM_OK};
    assert_int_equal(tlm_trust_compiled_in(), 2);
    assert_int_equal(tlm_trust_new(&trust, &error), TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 2);
    assert_int_equal(tlm_trust_vendor(trust, "rfc7515-a.3", "ACME", &key, &error), TLM_OK);
    assert_string_equal(key->origin, "compiled in");
    assert_int_equal(tlm_trust_issuer(trust, "rfc7515-a.3", &key, &error), TLM_OK);
    tlm_trust_free(&trust);
}

static tlm_result add(tlm_trust *trust, json_t *entry, tlm_error *error)
{
    json_t *keys = json_pack("{s:[o]}", "keys", entry);
    char *text = json_dumps(keys, 0);
    tlm_result result = tlm_trust_add(trust, text, strlen(text), "file.jwks", error);
    free(text);
    json_decref(keys);
    return result;
}

static void keeps_them_against_files(void **state)
{
    (void)state;
    tlm_trust *trust = NULL;
    tlm_error error = {.result = TLM_OK};
    EVP_PKEY *other = tlm_test_key("ES256");
    assert_int_equal(tlm_trust_new(&trust, &error), TLM_OK);
    assert_int_equal(add(trust, tlm_test_trusted(other, "ES256", "rfc7515-a.3", "ACME"), &error),
                     TLM_ERR_CONFLICT);
    assert_non_null(strstr(error.message, "compiled in"));
    assert_non_null(strstr(error.message, "file.jwks"));
    /* No further vendor for a key of the build, either. */
    json_t *entry = json_deep_copy(tlm_trust_at(trust, 0)->jwk);
    assert_int_equal(json_object_set_new(entry, "kid", json_string("rfc7515-a.3")), 0);
    assert_int_equal(json_object_set_new(entry, "tlm:use", json_string("vendor")), 0);
    assert_int_equal(json_object_set_new(entry, "tlm:iss", json_string("ACME")), 0);
    assert_int_equal(add(trust, json_deep_copy(entry), &error), TLM_OK);
    assert_int_equal(json_object_set_new(entry, "tlm:iss", json_string("OTHER")), 0);
    assert_int_equal(add(trust, entry, &error), TLM_ERR_CONFLICT);
    assert_int_equal(tlm_trust_count(trust), 2);
    assert_int_equal(add(trust, tlm_test_trusted(other, "ES256", "new", "ACME"), &error), TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 3);
    tlm_trust_free(&trust);
    EVP_PKEY_free(other);
}

static void reads_no_directory(void **state)
{
    (void)state;
    tlm_trust *trust = NULL;
    tlm_error error = {.result = TLM_OK};
    assert_false(tlm_trust_runtime());
    assert_int_equal(tlm_trust_new(&trust, &error), TLM_OK);
    assert_int_equal(tlm_trust_add_directory(trust, "/", &error), TLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.hint, "TLM_TRUST_JWKS"));
    tlm_trust_free(&trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_its_keys),
        cmocka_unit_test(keeps_them_against_files),
        cmocka_unit_test(reads_no_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
