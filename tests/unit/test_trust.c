/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/rsa.h>

#include <tlm/jwk.h>
#include <tlm/trust.h>

#include "rsa_keys.h"
#include "test_directory.h"
#include "vector.h"
#include "vendor.h"

static EVP_PKEY *key;
static EVP_PKEY *other;

static int setup(void **state)
{
    (void)state;
    key = tlm_test_key("ES256");
    other = tlm_test_key("ES256");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

static tlm_trust *empty(void)
{
    tlm_trust *trust = NULL;
    assert_int_equal(tlm_trust_new(&trust, NULL), TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 0);
    return trust;
}

/* A JWKS of one or two entries, which are released. */
static char *jwks_of(json_t *first, json_t *second)
{
    json_t *keys = json_pack("{s:[o, o*]}", "keys", first, second);
    char *text = json_dumps(keys, 0);
    assert_non_null(text);
    json_decref(keys);
    return text;
}

static json_t *vendor_entry(EVP_PKEY *of, const char *kid)
{
    return tlm_test_trusted(of, "ES256", kid, "ACME");
}

static tlm_result add(tlm_trust *trust, char *text, tlm_error *error)
{
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result = tlm_trust_add(trust, text, strlen(text), "a.jwks", error);
    assert_int_equal(error->result, result);
    free(text);
    return result;
}

static void finds_keys_by_kid_use_and_vendor(void **state)
{
    (void)state;
    tlm_trust *trust = empty();
    tlm_error error;
    const tlm_trust_key *found = NULL;
    assert_int_equal(
        add(trust, jwks_of(vendor_entry(key, "v"), tlm_test_trusted(other, "ES256", "i", NULL)),
            &error),
        TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 2);
    assert_int_equal(tlm_trust_vendor(trust, "v", "ACME", &found, &error), TLM_OK);
    assert_ptr_equal(found, tlm_trust_at(trust, 0));
    assert_string_equal(found->kid, "v");
    assert_string_equal(found->alg, "ES256");
    assert_string_equal(found->iss, "ACME");
    assert_string_equal(found->origin, "a.jwks");
    assert_int_equal(found->use, TLM_TRUST_VENDOR);
    assert_int_equal(tlm_trust_issuer(trust, "i", &found, &error), TLM_OK);
    assert_null(found->iss);
    assert_null(tlm_trust_at(trust, 2));

    assert_int_equal(tlm_trust_vendor(trust, "x", "ACME", &found, &error), TLM_ERR_UNTRUSTED);
    assert_string_equal(error.message, "no trusted key of the vendor ACME has the kid x");
    assert_int_equal(tlm_trust_vendor(trust, "v", "OTHER", &found, &error), TLM_ERR_UNTRUSTED);
    assert_string_equal(error.message, "the key v is not one of the vendor OTHER: it is trusted as "
                                       "the vendor ACME");
    assert_int_equal(tlm_trust_vendor(trust, "i", "ACME", &found, &error), TLM_ERR_UNTRUSTED);
    assert_non_null(strstr(error.message, "an issuer of packages"));
    assert_int_equal(tlm_trust_issuer(trust, "v", &found, &error), TLM_ERR_UNTRUSTED);
    assert_non_null(strstr(error.message, "the vendor ACME"));
    assert_int_equal(tlm_trust_issuer(trust, NULL, &found, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_trust_vendor(trust, "v", NULL, &found, &error), TLM_ERR_ARGUMENT);
    tlm_trust_free(&trust);
    assert_null(trust);
    tlm_trust_free(&trust);
    tlm_trust_free(NULL);
}

static void keeps_one_key_under_one_kid(void **state)
{
    (void)state;
    tlm_trust *trust = empty();
    tlm_error error;
    assert_int_equal(add(trust, jwks_of(vendor_entry(key, "k"), NULL), &error), TLM_OK);
    assert_int_equal(add(trust, jwks_of(vendor_entry(key, "k"), NULL), &error), TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 1);
    /* Another key, also where a good one stands before it: none of both is taken. */
    assert_int_equal(
        add(trust, jwks_of(vendor_entry(other, "new"), vendor_entry(other, "k")), &error),
        TLM_ERR_CONFLICT);
    assert_non_null(strstr(error.message, "the key k stands for another key: a.jwks"));
    assert_int_equal(tlm_trust_count(trust), 1);
    /* The same key for another use is one more entry, and so it is for another vendor. */
    assert_int_equal(add(trust, jwks_of(tlm_test_trusted(key, "ES256", "k", NULL), NULL), &error),
                     TLM_OK);
    assert_int_equal(add(trust, jwks_of(tlm_test_trusted(key, "ES256", "k", "TWO"), NULL), &error),
                     TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 3);
    tlm_trust_free(&trust);
}

/* Adds one entry with a member of another value; NULL takes it away. */
static tlm_result add_changed(EVP_PKEY *of, const char *alg, const char *name, const char *value,
                              tlm_error *error)
{
    tlm_trust *trust = empty();
    json_t *entry = tlm_test_trusted(of, alg, "k", "ACME");
    assert_int_equal(
        value != NULL ? json_object_set_new(entry, name, json_loads(value, JSON_DECODE_ANY, NULL))
                      : json_object_del(entry, name),
        0);
    tlm_result result = add(trust, jwks_of(entry, NULL), error);
    assert_int_equal(tlm_trust_count(trust), result == TLM_OK ? 1 : 0);
    tlm_trust_free(&trust);
    return result;
}

static void checks_every_member(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        tlm_result expected;
        const char *message;
    } cases[] = {
        {"kid", NULL, TLM_ERR_FORMAT, "keys[0].kid"},
        {"kid", "\"\"", TLM_ERR_FORMAT, "keys[0].kid"},
        {"kid", "5", TLM_ERR_FORMAT, "keys[0].kid"},
        {"alg", NULL, TLM_ERR_FORMAT, "keys[0].alg"},
        {"alg", "\"none\"", TLM_ERR_FORMAT, "keys[0].alg"},
        {"alg", "\"HS256\"", TLM_ERR_FORMAT, "keys[0].alg"},
        {"alg", "\"ES384\"", TLM_ERR_UNSUPPORTED, "does not fit"},
        {"alg", "\"RS256\"", TLM_ERR_UNSUPPORTED, "does not fit"},
        {"tlm:use", NULL, TLM_ERR_FORMAT, "keys[0].tlm:use"},
        {"tlm:use", "\"both\"", TLM_ERR_FORMAT, "keys[0].tlm:use"},
        {"tlm:use", "\"issuer\"", TLM_OK, NULL},
        {"tlm:iss", NULL, TLM_ERR_FORMAT, "keys[0].tlm:iss"},
        {"tlm:iss", "[]", TLM_ERR_FORMAT, "keys[0].tlm:iss"},
        {"kty", NULL, TLM_ERR_UNSUPPORTED, "does not fit"},
        {"kty", "\"oct\"", TLM_ERR_FORMAT, "symmetric"},
        {"crv", "\"P-384\"", TLM_ERR_UNSUPPORTED, "does not fit"},
        {"x", NULL, TLM_ERR_FORMAT, "x of a JWK"},
        {"x", "\"AAAA\"", TLM_ERR_FORMAT, "32 bytes"},
        {"y", "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", TLM_ERR_FORMAT, "keys[0]"},
        {"y", "\"=\"", TLM_ERR_FORMAT, "y of a JWK"},
        {"d", "\"AAAA\"", TLM_ERR_FORMAT, "private"},
        {"k", "\"AAAA\"", TLM_ERR_FORMAT, "private"},
        {"use", "\"sig\"", TLM_OK, NULL},
        {"use", "\"enc\"", TLM_ERR_FORMAT, "not for signatures"},
        {"key_ops", "[\"verify\"]", TLM_OK, NULL},
        {"key_ops", "[\"sign\"]", TLM_ERR_FORMAT, "not for signatures"},
        {"key_ops", "[]", TLM_ERR_FORMAT, "not for signatures"},
        {"key_ops", "\"verify\"", TLM_ERR_FORMAT, "not for signatures"},
        {"x5u", "\"https://example.com\"", TLM_OK, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error;
        tlm_result result = add_changed(key, "ES256", cases[i].name, cases[i].value, &error);
        if (result != cases[i].expected ||
            (result != TLM_OK && strstr(error.message, cases[i].message) == NULL)) {
            fail_msg("%s %s: %s", cases[i].name, cases[i].value, error.message);
        }
        assert_true(result == TLM_OK || strstr(error.message, "a.jwks") != NULL);
    }
}

static void takes_rsa_from_2048_to_4096_bits(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        tlm_result result;
    } cases[] = {
        {1024, TLM_ERR_UNSUPPORTED}, {2040, TLM_ERR_UNSUPPORTED}, {2048, TLM_OK}, {3072, TLM_OK}};
    tlm_error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EVP_PKEY *rsa = tlm_test_rsa(cases[i].bits);
        assert_int_equal(add_changed(rsa, "RS256", "x-none", "1", &error), cases[i].result);
        assert_int_equal(add_changed(rsa, "PS256", "x-none", "1", &error), cases[i].result);
        EVP_PKEY_free(rsa);
    }
    /* 4104 bits: the number need not be a product for that. */
    char n[685];
    memset(n, 'k', sizeof n);
    n[684] = '\0';
    json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "RSA", "n", n, "e",
                              "AQAB", "kid", "k", "alg", "RS256", "tlm:use", "issuer", "x", "y");
    tlm_trust *trust = empty();
    assert_int_equal(add(trust, jwks_of(entry, NULL), &error), TLM_ERR_UNSUPPORTED);
    tlm_trust_free(&trust);
}

static void refuses_what_is_no_jwks(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"keys\":{}}",
                                        "{\"keys\":[1]}",
                                        "{\"keys\":[[]]}",
                                        "{\"keys\":[],}",
                                        "{\"keys\":[],\"keys\":[]}",
                                        "{\"keys\":[]}{}",
                                        "{\"keys\":[\"\xff\"]}"};
    tlm_trust *trust = empty();
    tlm_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(add(trust, strdup(wrong[i]), &error), TLM_ERR_FORMAT);
    }
    assert_int_equal(add(trust, strdup("{\"keys\":[]}"), &error), TLM_OK);
    assert_int_equal(tlm_trust_add(NULL, "", 0, "", &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_trust_count(trust), 0);
    char *large = malloc(TLM_JWKS_MAX + 2);
    memset(large, ' ', TLM_JWKS_MAX + 1);
    memcpy(large, "{\"keys\":[]}", 11);
    large[TLM_JWKS_MAX + 1] = '\0';
    assert_int_equal(tlm_trust_add(trust, large, TLM_JWKS_MAX + 1, "a", &error), TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_trust_add(trust, large, TLM_JWKS_MAX, "a", &error), TLM_OK);
    free(large);
    tlm_trust_free(&trust);
}

/* RSA keys, whose numbers are checked soonest: there are many. */
static void has_a_maximum_of_keys(void **state)
{
    (void)state;
    tlm_trust *trust = empty();
    tlm_error error;
    EVP_PKEY *rsa = tlm_test_key("RS256");
    for (size_t i = 0; i <= TLM_TRUST_KEYS_MAX; i++) {
        char kid[32];
        (void)snprintf(kid, sizeof kid, "k%zu", i);
        json_t *entry = tlm_test_trusted(rsa, "RS256", kid, "ACME");
        assert_int_equal(add(trust, jwks_of(entry, NULL), &error),
                         i < TLM_TRUST_KEYS_MAX ? TLM_OK : TLM_ERR_TOO_LARGE);
    }
    assert_int_equal(tlm_trust_count(trust), TLM_TRUST_KEYS_MAX);
    assert_string_equal(tlm_trust_at(trust, 0)->kid, "k0");
    EVP_PKEY_free(rsa);
    tlm_trust_free(&trust);
}

static void put_jwks(void **state, const char *name, EVP_PKEY *of, const char *kid)
{
    char path[TEST_PATH_MAX];
    char *text = jwks_of(vendor_entry(of, kid), NULL);
    put_file(in_directory(state, name, path), text);
    assert_int_equal(chmod(path, 0644), 0);
    free(text);
}

static void reads_a_directory_in_the_order_of_names(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_trust *trust = empty();
    tlm_error error = {.result = TLM_OK};
    assert_true(tlm_trust_runtime());
    assert_int_equal(tlm_trust_compiled_in(), 0);
    assert_int_equal(tlm_trust_add_directory(trust, *state, &error), TLM_OK);
    put_jwks(state, "b.jwks", key, "b");
    put_jwks(state, "B.jwks", key, "B");
    put_jwks(state, "c.jwks", other, "c");
    put_jwks(state, "d.json", key, "d");
    put_jwks(state, ".hidden.jwks", key, "hidden");
    put_jwks(state, ".jwks", key, "none");
    assert_int_equal(tlm_trust_add_directory(trust, *state, &error), TLM_OK);
    assert_int_equal(tlm_trust_count(trust), 3);
    assert_string_equal(tlm_trust_at(trust, 0)->kid, "B");
    assert_string_equal(tlm_trust_at(trust, 1)->kid, "b");
    assert_string_equal(tlm_trust_at(trust, 2)->kid, "c");
    assert_string_equal(tlm_trust_at(trust, 2)->origin, in_directory(state, "c.jwks", path));
    tlm_trust_free(&trust);
}

static void leaves_bad_files_out_and_names_the_first(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_trust *trust = empty();
    tlm_error error = {.result = TLM_OK};
    put_jwks(state, "a.jwks", key, "a");
    put_file(in_directory(state, "b.jwks", path), "{");
    assert_int_equal(chmod(path, 0600), 0);
    put_jwks(state, "c.jwks", other, "a");
    put_jwks(state, "d.jwks", other, "d");
    put_jwks(state, "e.jwks", other, "e");
    assert_int_equal(chmod(in_directory(state, "e.jwks", path), 0664), 0);
    assert_int_equal(tlm_trust_add_directory(trust, *state, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, in_directory(state, "b.jwks", path)));
    assert_int_equal(tlm_trust_count(trust), 2);
    assert_string_equal(tlm_trust_at(trust, 1)->kid, "d");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(in_directory(state, "c.jwks", path)), 0);
    assert_int_equal(tlm_trust_add_directory(trust, *state, &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.message, in_directory(state, "e.jwks", path)));
    assert_int_equal(tlm_trust_count(trust), 2);
    tlm_trust_free(&trust);
}

static void wants_a_directory_that_nobody_else_writes(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_trust *trust = empty();
    tlm_error error = {.result = TLM_OK};
    put_jwks(state, "a.jwks", key, "a");
    static const mode_t modes[] = {0775, 0757, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(*state, modes[i]), 0);
        assert_int_equal(tlm_trust_add_directory(trust, *state, &error), TLM_ERR_PERMISSION);
        assert_non_null(strstr(error.hint, "chmod go-w "));
    }
    assert_int_equal(chmod(*state, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(*state, 12345, (gid_t)-1), 0);
        assert_int_equal(tlm_trust_add_directory(trust, *state, &error), TLM_ERR_PERMISSION);
        assert_non_null(strstr(error.hint, "chown root "));
        assert_int_equal(chown(*state, 0, (gid_t)-1), 0);
    }
    assert_int_equal(tlm_trust_count(trust), 0);
    assert_int_equal(tlm_trust_add_directory(trust, in_directory(state, "none", path), &error),
                     TLM_OK);
    assert_int_equal(tlm_trust_add_directory(trust, in_directory(state, "a.jwks", path), &error),
                     TLM_ERR_FORMAT);
    assert_int_equal(tlm_trust_add_directory(NULL, "", &error), TLM_ERR_ARGUMENT);
    tlm_trust_free(&trust);
}

static void converts_public_keys(void **state)
{
    (void)state;
    static const char *const algs[] = {"ES256", "ES384", "RS256"};
    tlm_error error = {.result = TLM_OK};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY *from = tlm_test_key(algs[i]);
        EVP_PKEY *to = NULL;
        json_t *jwk = NULL;
        assert_int_equal(tlm_jwk_from_public(from, &jwk, &error), TLM_OK);
        assert_int_equal(tlm_jwk_to_public(jwk, &to, &error), TLM_OK);
        assert_int_equal(EVP_PKEY_eq(from, to), 1);
        EVP_PKEY_free(to);
        assert_int_equal(json_object_set_new(jwk, "d", json_string("AAAA")), 0);
        assert_int_equal(tlm_jwk_to_public(jwk, &to, &error), TLM_ERR_FORMAT);
        json_decref(jwk);
        EVP_PKEY_free(from);
    }
    EVP_PKEY *to = NULL;
    json_t *vector = tlm_vector_load("rfc7638-3.1.json");
    assert_int_equal(tlm_jwk_to_public(json_object_get(vector, "key"), &to, &error), TLM_OK);
    EVP_PKEY_free(to);
    json_t *jwk = json_pack("{s:s, s:s}", "kty", "OKP", "crv", "Ed25519");
    assert_int_equal(tlm_jwk_to_public(jwk, &to, &error), TLM_ERR_UNSUPPORTED);
    json_decref(jwk);
    jwk = json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-521", "x", "AA", "y", "AA");
    assert_int_equal(tlm_jwk_to_public(jwk, &to, &error), TLM_ERR_UNSUPPORTED);
    json_decref(jwk);
    assert_int_equal(tlm_jwk_to_public(NULL, &to, &error), TLM_ERR_ARGUMENT);
    json_decref(vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_keys_by_kid_use_and_vendor),
        cmocka_unit_test(keeps_one_key_under_one_kid),
        cmocka_unit_test(checks_every_member),
        cmocka_unit_test(takes_rsa_from_2048_to_4096_bits),
        cmocka_unit_test(refuses_what_is_no_jwks),
        cmocka_unit_test(has_a_maximum_of_keys),
        cmocka_unit_test_setup_teardown(reads_a_directory_in_the_order_of_names, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(leaves_bad_files_out_and_names_the_first, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(wants_a_directory_that_nobody_else_writes, directory_setup,
                                        directory_teardown),
        cmocka_unit_test(converts_public_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
