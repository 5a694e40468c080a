/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/hmac.h>

#include <tlm/jwk.h>
#include <tlm/jws.h>
#include <tlm/key.h>

#include "jws_private.h"
#include "rsa_keys.h"
#include "vector.h"
#include "vendor.h"

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"t\"}"
#define MAX 65536U

static const char *const algorithms[] = {"ES256", "ES384", "RS256", "PS256"};
static EVP_PKEY *keys[4];
static json_t *jwks[4];

/* The n-th allocation of the library fails; 0 is none. */
static int fail_at;
static int allocations;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int due(void)
{
    return fail_at != 0 && ++allocations == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return due() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return due() ? NULL : __real_calloc(count, size);
}

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        keys[i] = tlm_test_key(algorithms[i]);
        if (tlm_jwk_from_public(keys[i], &jwks[i], NULL) != TLM_OK) {
            return -1;
        }
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        EVP_PKEY_free(keys[i]);
        json_decref(jwks[i]);
    }
    return 0;
}

static char *sign(size_t algorithm, const json_t *claims)
{
    return tlm_test_sign(keys[algorithm], algorithms[algorithm], "k", "t", claims);
}

static char *signed_text(size_t algorithm)
{
    json_t *claims = json_pack("{s:s, s:i}", "iss", "joe", "exp", 1300819380);
    char *text = sign(algorithm, claims);
    json_decref(claims);
    return text;
}

static tlm_result parse(const char *text, size_t size, tlm_error *error)
{
    tlm_jws *jws = NULL;
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result = tlm_jws_parse(text, size, MAX, &jws, error);
    assert_true((result == TLM_OK) == (jws != NULL));
    assert_int_equal(error->result, result);
    assert_true(result == TLM_OK || error->message[0] != '\0');
    tlm_jws_free(&jws);
    return result;
}

static tlm_result verify(const char *text, size_t size, const json_t *jwk, const char *alg)
{
    tlm_jws *jws = NULL;
    tlm_result result = tlm_jws_parse(text, size, MAX, &jws, NULL);
    if (result == TLM_OK) {
        result = tlm_jws_verify(jws, jwk, alg, NULL);
    }
    tlm_jws_free(&jws);
    return result;
}

/* The RFC's headers have no kid and typ, so its examples are verified below the parser. */
static void check_vector(const char *name)
{
    json_t *vector = tlm_vector_load(name);
    const json_t *jwk = json_object_get(vector, "key");
    const char *alg = tlm_vector_text(vector, "alg");
    char *text = NULL;
    tlm_jws_parts parts;
    tlm_error error = {.result = TLM_OK};
    assert_true(asprintf(&text, "%s.%s", tlm_vector_text(vector, "input"),
                         tlm_vector_text(vector, "signature")) > 0);
    assert_int_equal(tlm_jws_split(text, strlen(text), &parts, &error), TLM_OK);
    assert_int_equal(tlm_jws_verify_parts(&parts, jwk, alg, &error), TLM_OK);
    assert_int_equal(parse(text, strlen(text), &error), TLM_ERR_FORMAT);
    char *last = text + strlen(text) - 5;
    *last = *last == 'A' ? 'B' : 'A';
    assert_int_equal(tlm_jws_verify_parts(&parts, jwk, alg, &error), TLM_ERR_SIGNATURE);
    free(text);
    json_decref(vector);
}

static void verifies_the_vectors_of_the_rfc(void **state)
{
    (void)state;
    check_vector("rfc7515-a.2.json");
    check_vector("rfc7515-a.3.json");
}

static void verifies_what_it_signed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char *text = signed_text(i);
        tlm_jws *jws = NULL;
        tlm_error error = {.result = TLM_OK};
        assert_int_equal(tlm_jws_parse(text, strlen(text), MAX, &jws, &error), TLM_OK);
        assert_string_equal(tlm_jws_get_header(jws)->alg, algorithms[i]);
        assert_string_equal(tlm_jws_get_header(jws)->kid, "k");
        assert_string_equal(tlm_jws_get_header(jws)->typ, "t");
        assert_string_equal(tlm_jws_text(jws), text);
        assert_string_equal(tlm_vector_text(tlm_jws_claims(jws), "iss"), "joe");
        for (size_t j = 0; j < 4; j++) {
            tlm_result expected = i == j ? TLM_OK : TLM_ERR_SIGNATURE;
            assert_int_equal(tlm_jws_verify(jws, jwks[j], algorithms[j], &error), expected);
        }
        /* The right algorithm with a key that is not for it, and with another one that is. */
        EVP_PKEY *other = tlm_test_key(algorithms[i]);
        json_t *jwk = NULL;
        assert_int_equal(tlm_jwk_from_public(other, &jwk, NULL), TLM_OK);
        assert_int_equal(tlm_jws_verify(jws, jwk, algorithms[i], &error), TLM_ERR_SIGNATURE);
        assert_non_null(strstr(error.message, "key k"));
        assert_int_equal(tlm_jws_verify(jws, jwks[(i + 1) % 3], algorithms[i], &error),
                         TLM_ERR_UNSUPPORTED);
        json_decref(jwk);
        EVP_PKEY_free(other);
        tlm_jws_free(&jws);
        free(text);
    }
}

static void refuses_every_flip_and_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char *text = signed_text(i);
        size_t size = strlen(text);
        assert_int_equal(verify(text, size, jwks[i], algorithms[i]), TLM_OK);
        for (size_t at = 0; at < size; at++) {
            assert_int_not_equal(verify(text, at, jwks[i], algorithms[i]), TLM_OK);
            /* Every bit of one algorithm; of the others, which are slower, two of each byte. */
            for (unsigned bit = 0; bit < 8; bit += i == 0 ? 1 : 5) {
                char kept = text[at];
                text[at] = (char)((unsigned char)kept ^ (1U << bit));
                assert_int_not_equal(verify(text, size, jwks[i], algorithms[i]), TLM_OK);
                text[at] = kept;
            }
        }
        free(text);
    }
}

static tlm_result parse_header(const char *header)
{
    tlm_error error;
    char *text = tlm_test_compact(header, "{}", 2);
    tlm_result result = parse(text, strlen(text), &error);
    free(text);
    return result;
}

static void refuses_other_algorithms(void **state)
{
    (void)state;
    static const char *const refused[] = {"none",  "None",  "HS256", "HS384", "ES512", "ES256K",
                                          "EdDSA", "RS384", "RS512", "PS384", "PS512", "es256"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char header[128];
        (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"k\",\"typ\":\"t\"}",
                       refused[i]);
        assert_int_equal(parse_header(header), TLM_ERR_UNSUPPORTED);
    }
    assert_int_equal(parse_header(HEADER), TLM_OK);
    /* alg none comes without a signature as well. */
    tlm_error error;
    char *text = tlm_test_compact(HEADER, "{}", 2);
    *(strrchr(text, '.') + 1) = '\0';
    assert_int_equal(parse(text, strlen(text), &error), TLM_ERR_FORMAT);
    free(text);
}

static void refuses_headers_that_say_more(void **state)
{
    (void)state;
    static const char *const more[] = {
        "\"jwk\":{\"kty\":\"EC\"}",
        "\"jku\":\"https://x\"",
        "\"x5c\":[\"MII\"]",
        "\"x5u\":\"https://x\"",
        "\"x5t\":\"AA\"",
        "\"crit\":[\"b64\"]",
        "\"b64\":false",
        "\"zip\":\"DEF\"",
        "\"cty\":\"JWT\"",
        "\"a\\nb\":1",
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        char header[160];
        (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"t\",%s}",
                       more[i]);
        assert_int_equal(parse_header(header), TLM_ERR_UNSUPPORTED);
    }
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{}",
        "null",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"t\"}{}",
        "{\"alg\":\"ES256\",\"kid\":\"k\"}",
        "{\"alg\":\"ES256\",\"typ\":\"t\"}",
        "{\"kid\":\"k\",\"typ\":\"t\"}",
        "{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"t\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"t\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\\n\",\"typ\":\"t\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\\u0000\",\"typ\":\"t\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"k\",\"typ\":\"t\"}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"t\"}",
        "{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"k\",\"typ\":\"t\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse_header(wrong[i]), TLM_ERR_FORMAT);
    }
}

static void bounds_the_texts_of_a_header(void **state)
{
    (void)state;
    char kid[TLM_JWS_TEXT_MAX + 2] = "";
    char header[512];
    memset(kid, 'k', TLM_JWS_TEXT_MAX + 1);
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"t\"}", kid);
    assert_int_equal(parse_header(header), TLM_ERR_FORMAT);
    kid[TLM_JWS_TEXT_MAX] = '\0';
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"t\"}", kid);
    assert_int_equal(parse_header(header), TLM_OK);
    char *blanks = malloc(8193);
    memset(blanks, ' ', 8192);
    blanks[8192] = '\0';
    memcpy(blanks, HEADER, strlen(HEADER));
    assert_int_equal(parse_header(blanks), TLM_ERR_FORMAT);
    free(blanks);
}

/* RFC 8725 section 2.1: a public key that everybody knows, taken for a symmetric one. */
static void refuses_an_hmac_by_a_public_key(void **state)
{
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"HS256\",\"kid\":\"k\",\"typ\":\"t\"}",
                                          "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"t\"}"};
    char *pem = NULL;
    assert_int_equal(tlm_public_to_pem(keys[2], &pem, NULL), TLM_OK);
    for (size_t i = 0; i < 2; i++) {
        unsigned char mac[32];
        unsigned size = sizeof mac;
        char *text = tlm_test_compact(headers[i], "{}", 2);
        size_t input = (size_t)(strrchr(text, '.') - text);
        assert_non_null(
            HMAC(EVP_sha256(), pem, (int)strlen(pem), (unsigned char *)text, input, mac, &size));
        char *encoded = tlm_base64url_encode(mac, size);
        char *forged = NULL;
        assert_true(asprintf(&forged, "%.*s.%s", (int)input, text, encoded) > 0);
        assert_int_equal(verify(forged, strlen(forged), jwks[2], "RS256"),
                         i == 0 ? TLM_ERR_UNSUPPORTED : TLM_ERR_SIGNATURE);
        assert_int_not_equal(verify(forged, strlen(forged), jwks[2], "HS256"), TLM_OK);
        json_t *oct = json_pack("{s:s, s:s}", "kty", "oct", "k", "AAAA");
        assert_int_equal(verify(forged, strlen(forged), oct, "RS256"), TLM_ERR_UNSUPPORTED);
        json_decref(oct);
        free(forged);
        free(encoded);
        free(text);
    }
    free(pem);
}

static tlm_result parse_payload(const char *payload, size_t size)
{
    tlm_error error;
    char *text = tlm_test_compact(HEADER, payload, size);
    tlm_result result = parse(text, strlen(text), &error);
    free(text);
    return result;
}

static void refuses_payloads_that_are_no_plain_json(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "null",
        "1",
        "[]",
        "\"x\"",
        "{",
        "{}{}",
        "{} x",
        "{\"a\":1,\"a\":1}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":9223372036854775808}",
        "{\"a\":1e400}",
        "{\"a\":-1e400}",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\\u0000\":1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\x80\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\xf5\x80\x80\x80\"}",
        "\xef\xbb\xbf{}",
        "{'a':1}",
        "{\"a\":1,}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse_payload(wrong[i], strlen(wrong[i])), TLM_ERR_FORMAT);
    }
    assert_int_equal(parse_payload("{}\0", 3), TLM_ERR_FORMAT);
    assert_int_equal(parse_payload("{\"a\":\"\xf0\x9f\x94\x91\",\"b\":1.5}", 20), TLM_OK);
    assert_int_equal(parse_payload(" {\"a\":9223372036854775807}\n", 27), TLM_OK);
}

static void bounds_nesting(void **state)
{
    (void)state;
    char text[256];
    for (size_t levels = TLM_JSON_DEPTH_MAX; levels <= TLM_JSON_DEPTH_MAX + 1; levels++) {
        size_t inner = levels - 1;
        (void)snprintf(text, sizeof text, "{\"a\":");
        memset(text + 5, '[', inner);
        memset(text + 5 + inner, ']', inner);
        text[5 + 2 * inner] = '}';
        assert_int_equal(parse_payload(text, 6 + 2 * inner),
                         levels <= TLM_JSON_DEPTH_MAX ? TLM_OK : TLM_ERR_FORMAT);
    }
    /* Brackets in texts do not nest, whatever is escaped before them. */
    char quoted[256] = "{\"a\":\"\\\"";
    memset(quoted + 8, '[', 100);
    (void)snprintf(quoted + 108, sizeof quoted - 108, "\\\\\"}");
    assert_int_equal(parse_payload(quoted, strlen(quoted)), TLM_OK);
    /* A million levels are refused before anything recurses. */
    size_t size = MAX / 2;
    char *deep = malloc(size);
    memset(deep, '[', size);
    assert_int_equal(parse_payload(deep, size), TLM_ERR_FORMAT);
    free(deep);
}

static void refuses_other_shapes(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",       ".",          "..",           "...",
                                        "a.b",    "a.b.c.d",    "e30.e30.",     ".e30.AAAA",
                                        "e30..A", "e3 0.e30.A", "e30=.e30.AAAA"};
    tlm_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse(wrong[i], strlen(wrong[i]), &error), TLM_ERR_FORMAT);
    }
    assert_int_equal(tlm_jws_parse(NULL, 0, MAX, NULL, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_jws_verify(NULL, NULL, NULL, NULL), TLM_ERR_ARGUMENT);
    tlm_jws_free(NULL);
    tlm_jws *none = NULL;
    tlm_jws_free(&none);
    /* A signature longer than any. */
    char *text = tlm_test_compact(HEADER, "{}", 2);
    char *longer = malloc(strlen(text) + 2000);
    (void)snprintf(longer, strlen(text) + 2000, "%s%01200d", text, 0);
    assert_int_equal(parse(longer, strlen(longer), &error), TLM_ERR_FORMAT);
    free(longer);
    free(text);
}

static void has_a_maximum_without_the_blanks_around(void **state)
{
    (void)state;
    char *text = signed_text(0);
    size_t size = strlen(text);
    char *blanks = NULL;
    tlm_jws *jws = NULL;
    assert_true(asprintf(&blanks, " \t\r\n%s\r\n\n", text) > 0);
    assert_int_equal(tlm_jws_parse(blanks, strlen(blanks), size, &jws, NULL), TLM_OK);
    assert_string_equal(tlm_jws_text(jws), text);
    tlm_jws_free(&jws);
    assert_int_equal(tlm_jws_parse(blanks, strlen(blanks), size - 1, &jws, NULL),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_jws_parse(text, size, size, &jws, NULL), TLM_OK);
    tlm_jws_free(&jws);
    assert_int_equal(tlm_jws_parse(text, size, size - 1, &jws, NULL), TLM_ERR_TOO_LARGE);
    assert_null(jws);
    free(blanks);
    free(text);
}

static void wants_keys_that_fit(void **state)
{
    (void)state;
    char *text = signed_text(2);
    size_t size = strlen(text);
    EVP_PKEY *small = tlm_test_rsa(1024);
    EVP_PKEY *p521 = EVP_EC_gen("P-521");
    json_t *jwk = NULL;
    assert_int_equal(tlm_jwk_from_public(small, &jwk, NULL), TLM_OK);
    assert_int_equal(verify(text, size, jwk, "RS256"), TLM_ERR_UNSUPPORTED);
    json_decref(jwk);
    jwk = json_deep_copy(jwks[2]);
    assert_int_equal(json_object_set_new(jwk, "e", json_string("AQ")), 0);
    assert_int_equal(verify(text, size, jwk, "RS256"), TLM_ERR_FORMAT);
    assert_int_equal(json_object_set_new(jwk, "e", json_string("!")), 0);
    assert_int_equal(verify(text, size, jwk, "RS256"), TLM_ERR_FORMAT);
    assert_int_equal(json_object_del(jwk, "e"), 0);
    assert_int_equal(verify(text, size, jwk, "RS256"), TLM_ERR_FORMAT);
    json_decref(jwk);
    assert_null(tlm_jws_algorithm_of(small));
    assert_null(tlm_jws_algorithm_of(p521));
    assert_null(tlm_jws_algorithm_of(NULL));
    assert_string_equal(tlm_jws_algorithm_of(keys[0]), "ES256");
    assert_string_equal(tlm_jws_algorithm_of(keys[1]), "ES384");
    assert_string_equal(tlm_jws_algorithm_of(keys[2]), "PS256");
    EVP_PKEY_free(p521);
    EVP_PKEY_free(small);
    free(text);
}

/* A signature of nothing but zeros passed for a valid one in other libraries (CVE-2022-21449). */
static void refuses_the_signature_of_zeros(void **state)
{
    (void)state;
    char *text = signed_text(0);
    char *signature = strrchr(text, '.') + 1;
    memset(signature, 'A', strlen(signature));
    assert_int_equal(verify(text, strlen(text), jwks[0], "ES256"), TLM_ERR_SIGNATURE);
    free(text);
}

static void refuses_to_sign_what_it_would_not_read(void **state)
{
    (void)state;
    json_t *claims = json_object();
    json_t *array = json_array();
    char longest[TLM_JWS_TEXT_MAX + 2] = "";
    memset(longest, 'k', TLM_JWS_TEXT_MAX + 1);
    char *text = NULL;
    tlm_error error = {.result = TLM_OK};
    tlm_jws_header header = {.alg = "ES256", .kid = "k", .typ = "t"};
    assert_int_equal(tlm_jws_make(NULL, claims, tlm_jws_sign_pkey, keys[0], &text, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_jws_make(&header, array, tlm_jws_sign_pkey, keys[0], &text, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_jws_make(&header, claims, NULL, keys[0], &text, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, NULL, &text, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, keys[1], &text, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, keys[2], &text, &error),
                     TLM_ERR_UNSUPPORTED);
    header.kid = longest;
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, keys[0], &text, &error),
                     TLM_ERR_ARGUMENT);
    header.kid = "";
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, keys[0], &text, &error),
                     TLM_ERR_ARGUMENT);
    header = (tlm_jws_header){.alg = "HS256", .kid = "k", .typ = "t"};
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, keys[0], &text, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_token, NULL, &text, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_null(text);
    json_decref(array);
    json_decref(claims);
}

static void signs_sorted_and_compact(void **state)
{
    (void)state;
    json_t *claims = json_pack("{s:i, s:s, s:i}", "z", 1, "m", "\xc3\xa9", "a", 2);
    char *text = sign(0, claims);
    char *expected = tlm_base64url_encode("{\"a\":2,\"m\":\"\xc3\xa9\",\"z\":1}", 22);
    const char *payload = strchr(text, '.') + 1;
    assert_memory_equal(payload, expected, strlen(expected));
    assert_int_equal(payload[strlen(expected)], '.');
    free(expected);
    free(text);
    json_decref(claims);
}

static void survives_every_failed_allocation(void **state)
{
    (void)state;
    char *text = signed_text(0);
    size_t size = strlen(text);
    int failed = 0;
    for (int at = 1; at < 80; at++) {
        tlm_jws *jws = NULL;
        allocations = 0;
        fail_at = at;
        tlm_result result = tlm_jws_parse(text, size, MAX, &jws, NULL);
        fail_at = 0;
        assert_true((result == TLM_OK) == (jws != NULL));
        failed += result != TLM_OK;
        tlm_jws_free(&jws);
    }
    assert_in_range(failed, 6, 60);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifies_the_vectors_of_the_rfc),
        cmocka_unit_test(verifies_what_it_signed),
        cmocka_unit_test(refuses_every_flip_and_every_truncation),
        cmocka_unit_test(refuses_other_algorithms),
        cmocka_unit_test(refuses_headers_that_say_more),
        cmocka_unit_test(bounds_the_texts_of_a_header),
        cmocka_unit_test(refuses_an_hmac_by_a_public_key),
        cmocka_unit_test(refuses_payloads_that_are_no_plain_json),
        cmocka_unit_test(bounds_nesting),
        cmocka_unit_test(refuses_other_shapes),
        cmocka_unit_test(has_a_maximum_without_the_blanks_around),
        cmocka_unit_test(wants_keys_that_fit),
        cmocka_unit_test(refuses_the_signature_of_zeros),
        cmocka_unit_test(refuses_to_sign_what_it_would_not_read),
        cmocka_unit_test(signs_sorted_and_compact),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
