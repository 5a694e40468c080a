/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/jwe.h>
#include <tlm/key.h>
#include <tlm/package.h>

#include "rsa_keys.h"
#include "vendor.h"

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PLAIN_MAX 786432U /* three quarters of TLM_PACKAGE_MAX */
#define ZERO_KID "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static tlm_test_vendor vendor;
static EVP_PKEY *host;
static char *license;

static int setup(void **state)
{
    (void)state;
    tlm_test_vendor_make(&vendor, "ES256");
    host = tlm_test_rsa(2048);
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    license = tlm_test_license(&vendor, claims);
    json_decref(claims);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlm_test_vendor_clear(&vendor);
    EVP_PKEY_free(host);
    free(license);
    return 0;
}

static tlm_result open_sealed(const char *text, size_t size, EVP_PKEY *key, tlm_package **package,
                              tlm_error *error)
{
    tlm_package *made = NULL;
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result =
        tlm_package_open(text, size, tlm_test_unwrap, key, vendor.trust, &made, error);
    assert_true((result == TLM_OK) == (made != NULL));
    assert_int_equal(error->result, result);
    if (package != NULL) {
        *package = made;
    } else {
        tlm_package_free(&made);
    }
    return result;
}

static tlm_result open_claims(const json_t *claims, tlm_package **package, tlm_error *error)
{
    tlm_package *made = NULL;
    char *text = tlm_test_signed_package(&vendor, claims);
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result = tlm_package_open_signed(text, strlen(text), vendor.trust, &made, error);
    assert_true((result == TLM_OK) == (made != NULL));
    if (package != NULL) {
        *package = made;
    } else {
        tlm_package_free(&made);
    }
    free(text);
    return result;
}

static void opens_what_was_sealed(void **state)
{
    (void)state;
    char *text = tlm_test_package(&vendor, host, FINGERPRINT, &license, 1);
    tlm_package *package = NULL;
    tlm_error error;
    char *blanks = NULL;
    assert_true(asprintf(&blanks, "\n %s\r\n", text) > 0);
    assert_int_equal(open_sealed(blanks, strlen(blanks), host, &package, &error), TLM_OK);
    assert_string_equal(package->issuer, "Issuer");
    assert_string_equal(package->kid, vendor.issuer_kid);
    assert_string_equal(package->jti, TLM_TEST_PACKAGE_JTI);
    assert_int_equal(package->issued, TLM_TEST_ISSUED);
    assert_string_equal(package->fingerprint, FINGERPRINT);
    assert_int_equal(package->license_count, 1);
    assert_string_equal(package->licenses[0]->text, license);
    tlm_package_free(&package);
    assert_null(package);
    tlm_package_free(&package);
    tlm_package_free(NULL);

    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    char kid[44] = "";
    assert_int_equal(tlm_public_thumbprint(host, thumbprint, &error), TLM_OK);
    char *expected = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    assert_int_equal(tlm_package_kid(blanks, strlen(blanks), kid, &error), TLM_OK);
    assert_string_equal(kid, expected);
    free(expected);
    free(blanks);
    free(text);
}

static void opens_for_nobody_else(void **state)
{
    (void)state;
    char *text = tlm_test_package(&vendor, host, FINGERPRINT, &license, 1);
    EVP_PKEY *stranger = tlm_test_rsa(2048);
    tlm_error error;
    assert_int_equal(open_sealed(text, strlen(text), stranger, NULL, &error), TLM_ERR_FOREIGN);
    EVP_PKEY_free(stranger);
    free(text);
}

/* What the unchanged text's content key is, so that RSA is done for changed ones alone. */
typedef struct known_key {
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    size_t size;
    tlm_secret *key;
} known_key;

static tlm_result unwrap_known(void *context, const char *kid, const unsigned char *wrapped,
                               size_t size, tlm_secret **key, tlm_error *error)
{
    known_key *known = context;
    if (known->key != NULL && size == known->size && memcmp(wrapped, known->wrapped, size) == 0) {
        return tlm_secret_from(tlm_secret_bytes(known->key), tlm_secret_size(known->key), key,
                               error);
    }
    tlm_result result = tlm_test_unwrap(host, kid, wrapped, size, key, error);
    if (known->key == NULL && result == TLM_OK) {
        memcpy(known->wrapped, wrapped, size);
        known->size = size;
        assert_int_equal(
            tlm_secret_from(tlm_secret_bytes(*key), tlm_secret_size(*key), &known->key, NULL),
            TLM_OK);
    }
    return result;
}

static bool opens(known_key *known, const char *text, size_t size)
{
    tlm_package *package = NULL;
    tlm_result result =
        tlm_package_open(text, size, unwrap_known, known, vendor.trust, &package, NULL);
    tlm_package_free(&package);
    return result == TLM_OK;
}

static void refuses_every_flip_and_every_truncation(void **state)
{
    (void)state;
    char *text = tlm_test_package(&vendor, host, FINGERPRINT, &license, 1);
    size_t size = strlen(text);
    size_t header = (size_t)(strchr(text, '.') - text);
    known_key known = {.key = NULL};
    assert_true(opens(&known, text, size));
    assert_non_null(known.key);
    for (size_t at = 0; at < size; at++) {
        char kept = text[at];
        assert_false(opens(&known, text, at));
        /* Of the long parts two bits of each byte are enough. */
        for (unsigned bit = 0; bit < 8; bit += at < header ? 1 : 7) {
            text[at] = (char)((unsigned char)kept ^ (1U << bit));
            assert_false(opens(&known, text, size));
        }
        text[at] = kept;
    }
    assert_true(opens(&known, text, size));
    tlm_secret_free(&known.key);
    free(text);
}

/* A package of any content and header, encrypted to the host. */
static char *seal_as(const char *header_text, const char *alg, const char *cty, const char *content)
{
    unsigned char cek_bytes[TLM_JWE_CEK_SIZE] = {7};
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    size_t size = 0;
    tlm_secret *cek = NULL;
    char *text = NULL;
    assert_int_equal(tlm_secret_from(cek_bytes, sizeof cek_bytes, &cek, NULL), TLM_OK);
    assert_int_equal(
        tlm_public_encrypt_oaep(host, cek_bytes, sizeof cek_bytes, wrapped, &size, NULL), TLM_OK);
    assert_int_equal(tlm_public_thumbprint(host, thumbprint, NULL), TLM_OK);
    char *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    const tlm_jwe_header header = {.alg = alg, .kid = kid, .cty = cty};
    assert_int_equal(
        tlm_jwe_seal_bytes(&header, wrapped, size, cek, content, strlen(content), &text, NULL),
        TLM_OK);
    if (header_text != NULL) {
        char *encoded = tlm_base64url_encode(header_text, strlen(header_text));
        char *changed = NULL;
        assert_true(asprintf(&changed, "%s%s", encoded, strchr(text, '.')) > 0);
        free(encoded);
        free(text);
        text = changed;
    }
    free(kid);
    tlm_secret_free(&cek);
    return text;
}

static tlm_result open_as(const char *header_text, const char *alg, const char *cty,
                          const char *content)
{
    tlm_error error;
    char *text = seal_as(header_text, alg, cty, content);
    tlm_result result = open_sealed(text, strlen(text), host, NULL, &error);
    free(text);
    return result;
}

static void refuses_other_headers(void **state)
{
    (void)state;
    json_t *claims = tlm_test_package_claims(FINGERPRINT, &license, 1);
    char *inner = tlm_test_signed_package(&vendor, claims);
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", "JWT", inner), TLM_OK);
    assert_int_equal(open_as(NULL, "RSA-OAEP", "JWT", inner), TLM_ERR_UNSUPPORTED);
    assert_int_equal(open_as(NULL, "RSA1_5", "JWT", inner), TLM_ERR_UNSUPPORTED);
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", NULL, inner), TLM_ERR_FORMAT);
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", "json", inner), TLM_ERR_FORMAT);
    static const struct {
        const char *header;
        tlm_result result;
    } cases[] = {
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\"}", TLM_ERR_FORMAT},
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"x\"}",
         TLM_ERR_FORMAT},
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"" ZERO_KID "A\"}",
         TLM_ERR_FORMAT},
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"" ZERO_KID "\"}",
         TLM_ERR_FOREIGN},
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A128GCM\",\"cty\":\"JWT\",\"kid\":\"" ZERO_KID "\"}",
         TLM_ERR_UNSUPPORTED},
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"" ZERO_KID
         "\",\"zip\":\"DEF\"}",
         TLM_ERR_UNSUPPORTED},
        {"{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"" ZERO_KID
         "\",\"crit\":[]}",
         TLM_ERR_UNSUPPORTED},
        {"{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"" ZERO_KID "\"}",
         TLM_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(open_as(cases[i].header, "RSA-OAEP-256", "JWT", inner), cases[i].result);
    }
    free(inner);
    json_decref(claims);
}

static void refuses_other_contents(void **state)
{
    (void)state;
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", "JWT", "x"), TLM_ERR_FORMAT);
    /* A license is no package, and a package of the vendor's key none of an issuer. */
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", "JWT", license), TLM_ERR_FORMAT);
    json_t *claims = tlm_test_package_claims(FINGERPRINT, &license, 1);
    char *inner = tlm_test_sign(vendor.vendor, "ES256", vendor.vendor_kid, TLM_PACKAGE_TYP, claims);
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", "JWT", inner), TLM_ERR_UNTRUSTED);
    free(inner);
    inner = tlm_test_sign(vendor.vendor, "ES256", vendor.issuer_kid, TLM_PACKAGE_TYP, claims);
    assert_int_equal(open_as(NULL, "RSA-OAEP-256", "JWT", inner), TLM_ERR_SIGNATURE);
    free(inner);
    json_decref(claims);
}

static void checks_every_claim(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        const char *message;
    } cases[] = {
        {"iss", NULL, "iss is missing"},
        {"iss", "\"\"", "iss "},
        {"jti", NULL, "jti is missing"},
        {"jti", "\"x\"", "jti is no UUID"},
        {"iat", NULL, "iat is missing"},
        {"iat", "-1", "iat is -1"},
        {"dest", NULL, "dest is missing"},
        {"dest", "\"" FINGERPRINT "\"", "dest is "},
        {"dest", "{}", "dest.fingerprint is missing"},
        {"dest", "{\"fingerprint\":\"00\"}", "dest.fingerprint is no "},
        {"containers", NULL, "containers is missing"},
        {"containers", "[]", "containers has 0 elements"},
        {"containers", "[1]", "containers[0] is not a text"},
        {"containers", "[\"\"]", "containers[0]: not a compact JWS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error;
        json_t *claims = tlm_test_package_claims(FINGERPRINT, &license, 1);
        const char *name = cases[i].name;
        const char *value = cases[i].value;
        assert_int_equal(
            value == NULL
                ? json_object_del(claims, name)
                : json_object_set_new(claims, name, json_loads(value, JSON_DECODE_ANY, NULL)),
            0);
        assert_int_equal(open_claims(claims, NULL, &error), TLM_ERR_FORMAT);
        if (strstr(error.message, cases[i].message) == NULL) {
            fail_msg("%s: %s", cases[i].message, error.message);
        }
        json_decref(claims);
    }
}

static char *other_license(const char *jti, EVP_PKEY *key, const char *kid)
{
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    assert_int_equal(json_object_set_new(claims, "jti", json_string(jti)), 0);
    char *text = tlm_test_sign(key, "ES256", kid, TLM_LICENSE_TYP, claims);
    json_decref(claims);
    return text;
}

/* All of it or nothing, and the container that is not good is named. */
static void takes_all_containers_or_none(void **state)
{
    (void)state;
    static const char jti[] = "11111111-2222-4333-8444-555555555555";
    char *good = other_license(jti, vendor.vendor, vendor.vendor_kid);
    char *forged = other_license(jti, vendor.issuer, vendor.vendor_kid);
    char *unknown = other_license(jti, vendor.vendor, "unknown");
    tlm_package *package = NULL;
    tlm_error error;
    char *both[] = {license, good};
    json_t *claims = tlm_test_package_claims(FINGERPRINT, both, 2);
    assert_int_equal(open_claims(claims, &package, &error), TLM_OK);
    assert_int_equal(package->license_count, 2);
    assert_string_equal(package->licenses[1]->jti, jti);
    tlm_package_free(&package);
    json_decref(claims);
    static const tlm_result results[] = {TLM_ERR_SIGNATURE, TLM_ERR_UNTRUSTED, TLM_ERR_FORMAT};
    char *second[] = {forged, unknown, license};
    for (size_t i = 0; i < 3; i++) {
        both[1] = second[i];
        claims = tlm_test_package_claims(FINGERPRINT, both, 2);
        assert_int_equal(open_claims(claims, NULL, &error), results[i]);
        assert_non_null(strstr(error.message, "containers[1]"));
        json_decref(claims);
    }
    free(unknown);
    free(forged);
    free(good);
}

static void bounds_containers(void **state)
{
    (void)state;
    char *texts[TLM_CONTAINERS_MAX + 1];
    for (size_t i = 0; i <= TLM_CONTAINERS_MAX; i++) {
        char jti[64];
        (void)snprintf(jti, sizeof jti, "%08zx-2222-4333-8444-555555555555", i);
        texts[i] = other_license(jti, vendor.vendor, vendor.vendor_kid);
    }
    tlm_error error;
    json_t *claims = tlm_test_package_claims(FINGERPRINT, texts, TLM_CONTAINERS_MAX);
    assert_int_equal(open_claims(claims, NULL, &error), TLM_OK);
    json_decref(claims);
    claims = tlm_test_package_claims(FINGERPRINT, texts, TLM_CONTAINERS_MAX + 1);
    assert_int_equal(open_claims(claims, NULL, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "containers has 257 elements"));
    json_decref(claims);
    for (size_t i = 0; i <= TLM_CONTAINERS_MAX; i++) {
        free(texts[i]);
    }
}

static void has_a_maximum(void **state)
{
    (void)state;
    char *text = malloc(TLM_PACKAGE_MAX + 2);
    tlm_error error;
    char kid[44];
    memset(text, 'A', TLM_PACKAGE_MAX + 1);
    text[TLM_PACKAGE_MAX + 1] = '\0';
    assert_int_equal(open_sealed(text, TLM_PACKAGE_MAX + 1, host, NULL, &error), TLM_ERR_TOO_LARGE);
    assert_int_equal(open_sealed(text, TLM_PACKAGE_MAX, host, NULL, &error), TLM_ERR_FORMAT);
    assert_int_equal(tlm_package_kid(text, TLM_PACKAGE_MAX + 1, kid, &error), TLM_ERR_TOO_LARGE);
    char *sealed = NULL;
    /* What would be too large for a host is not sealed, with or without the encoding around it. */
    assert_int_equal(tlm_package_seal(text, PLAIN_MAX + 1, host, &sealed, &error),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_package_seal(text, PLAIN_MAX, host, &sealed, &error), TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_package_seal(text, 131072, host, &sealed, &error), TLM_OK);
    /* It is larger than a secret may be, and is opened up to its content, which is no JWS. */
    assert_int_equal(open_sealed(sealed, strlen(sealed), host, NULL, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "not a compact JWS"));
    free(sealed);
    free(text);
}

static void refuses_arguments_outside_its_contract(void **state)
{
    (void)state;
    char *text = NULL;
    tlm_package *package = NULL;
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    assert_int_equal(tlm_package_seal("x", 1, ec, &text, NULL), TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_package_seal("", 0, host, &text, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_package_seal(NULL, 0, host, &text, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_package_seal("x", 1, NULL, &text, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_package_open("x", 1, NULL, NULL, vendor.trust, &package, NULL),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_package_open(NULL, 0, tlm_test_unwrap, host, vendor.trust, &package, NULL),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_package_open_signed("x", 1, NULL, &package, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_package_open_signed("x", 1, vendor.trust, NULL, NULL), TLM_ERR_ARGUMENT);
    assert_null(text);
    assert_null(package);
    EVP_PKEY_free(ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_was_sealed),
        cmocka_unit_test(opens_for_nobody_else),
        cmocka_unit_test(refuses_every_flip_and_every_truncation),
        cmocka_unit_test(refuses_other_headers),
        cmocka_unit_test(refuses_other_contents),
        cmocka_unit_test(checks_every_claim),
        cmocka_unit_test(takes_all_containers_or_none),
        cmocka_unit_test(bounds_containers),
        cmocka_unit_test(has_a_maximum),
        cmocka_unit_test(refuses_arguments_outside_its_contract),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
