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

#include "vector.h"

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

static tlm_secret *secret_of(const void *data, size_t size)
{
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_from(data, size, &secret, NULL), TLM_OK);
    return secret;
}

static tlm_secret *content_key(unsigned char fill)
{
    unsigned char bytes[TLM_JWE_CEK_SIZE];
    memset(bytes, fill, sizeof bytes);
    return secret_of(bytes, sizeof bytes);
}

static char *seal_dir(const char *content)
{
    const tlm_jwe_header header = {.alg = "dir", .kid = "k", .typ = "t", .cty = "json"};
    tlm_secret *cek = content_key(1);
    tlm_secret *plain = secret_of(content, strlen(content));
    char *text = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_jwe_seal(&header, NULL, 0, cek, plain, &text, &error), TLM_OK);
    tlm_secret_free(&cek);
    tlm_secret_free(&plain);
    return text;
}

static tlm_result parse(const char *text)
{
    tlm_jwe *jwe = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_jwe_parse(text, strlen(text), &jwe, &error);
    assert_true((result == TLM_OK) == (jwe != NULL));
    assert_int_equal(error.result, result);
    tlm_jwe_free(&jwe);
    return result;
}

/* A text of ours with another header, which is no valid one for its content but well formed. */
static tlm_result parse_header(const char *header)
{
    char *encoded = tlm_base64url_encode(header, strlen(header));
    char *text = NULL;
    assert_true(asprintf(&text, "%s.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", encoded) >
                0);
    tlm_result result = parse(text);
    free(text);
    free(encoded);
    return result;
}

static void opens_the_vector_of_the_rfc(void **state)
{
    (void)state;
    json_t *vector = tlm_vector_load("rfc7516-a.1.json");
    const char *text = tlm_vector_text(vector, "jwe");
    const char *expected = tlm_vector_text(vector, "plaintext");
    size_t size = 0;
    unsigned char *bytes = tlm_vector_bytes(vector, "cek", &size);
    tlm_secret *cek = secret_of(bytes, size);
    tlm_secret *plain = NULL;
    tlm_jwe *jwe = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_jwe_parse(text, strlen(text), &jwe, &error), TLM_OK);
    assert_string_equal(tlm_jwe_get_header(jwe)->alg, "RSA-OAEP");
    assert_string_equal(tlm_jwe_get_header(jwe)->enc, "A256GCM");
    assert_null(tlm_jwe_get_header(jwe)->kid);
    assert_int_equal(tlm_jwe_encrypted_size(jwe), 256);
    assert_int_equal(tlm_jwe_encrypted_key(jwe)[0], 56); /* the first octet the RFC lists */
    assert_int_equal(tlm_jwe_open(jwe, cek, &plain, &error), TLM_OK);
    assert_int_equal(tlm_secret_size(plain), strlen(expected));
    assert_memory_equal(tlm_secret_bytes(plain), expected, strlen(expected));
    tlm_secret_free(&plain);
    tlm_secret_free(&cek);
    tlm_jwe_free(&jwe);
    free(bytes);
    json_decref(vector);
}

static void opens_what_it_sealed(void **state)
{
    (void)state;
    char *text = seal_dir("{\"a\":1}");
    tlm_secret *cek = content_key(1);
    tlm_secret *wrong = content_key(2);
    tlm_secret *plain = NULL;
    tlm_jwe *jwe = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_jwe_parse(text, strlen(text), &jwe, &error), TLM_OK);
    assert_string_equal(tlm_jwe_get_header(jwe)->typ, "t");
    assert_string_equal(tlm_jwe_get_header(jwe)->kid, "k");
    assert_int_equal(tlm_jwe_encrypted_size(jwe), 0);
    assert_int_equal(tlm_jwe_open(jwe, wrong, &plain, &error), TLM_ERR_DAMAGED);
    assert_null(plain);
    assert_int_equal(tlm_jwe_open(jwe, cek, &plain, &error), TLM_OK);
    assert_memory_equal(tlm_secret_bytes(plain), "{\"a\":1}", 7);
    tlm_secret_free(&plain);
    tlm_secret_free(&wrong);
    tlm_secret_free(&cek);
    tlm_jwe_free(&jwe);
    free(text);
}

static void seals_with_a_fresh_nonce(void **state)
{
    (void)state;
    char *first = seal_dir("same");
    char *second = seal_dir("same");
    assert_string_not_equal(first, second);
    free(first);
    free(second);
}

/* Whether anything comes out of the text at all. */
static int opens(const char *text, size_t size)
{
    tlm_secret *cek = content_key(1);
    tlm_secret *plain = NULL;
    tlm_jwe *jwe = NULL;
    tlm_result result = tlm_jwe_parse(text, size, &jwe, NULL);
    if (result == TLM_OK) {
        result = tlm_jwe_open(jwe, cek, &plain, NULL);
    }
    tlm_secret_free(&plain);
    tlm_secret_free(&cek);
    tlm_jwe_free(&jwe);
    return result == TLM_OK;
}

static void refuses_every_flip_and_every_truncation(void **state)
{
    (void)state;
    char *text = seal_dir("a content of some length");
    size_t size = strlen(text);
    assert_true(opens(text, size));
    for (size_t i = 0; i < size; i++) {
        assert_false(opens(text, i));
        for (unsigned bit = 0; bit < 8; bit++) {
            char kept = text[i];
            text[i] = (char)((unsigned char)kept ^ (1U << bit));
            assert_false(opens(text, size));
            text[i] = kept;
        }
    }
    char *longer = NULL;
    assert_true(asprintf(&longer, "%s\n", text) > 0);
    assert_false(opens(longer, size + 1));
    assert_true(opens(longer, size));
    free(longer);
    free(text);
}

static void refuses_other_shapes(void **state)
{
    (void)state;
    assert_int_equal(parse(""), TLM_ERR_FORMAT);
    assert_int_equal(parse("...."), TLM_ERR_FORMAT);
    assert_int_equal(parse("a.b.c.d"), TLM_ERR_FORMAT);
    assert_int_equal(parse("a.b.c.d.e.f"), TLM_ERR_FORMAT);
    assert_int_equal(tlm_jwe_parse(NULL, 0, NULL, NULL), TLM_ERR_ARGUMENT);
    tlm_jwe_free(NULL);
    tlm_jwe *none = NULL;
    tlm_jwe_free(&none);
}

static void refuses_headers_that_say_more(void **state)
{
    (void)state;
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A256GCM\"}"), TLM_OK);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A256GCM\",\"epk\":{}}"), TLM_OK);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A128GCM\"}"), TLM_ERR_UNSUPPORTED);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A256GCM\",\"zip\":\"DEF\"}"),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A256GCM\",\"crit\":[\"exp\"]}"),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"alg\":\"x\",\"enc\":\"A256GCM\"}"),
                     TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{\"alg\":\"dir\",\"enc\":\"A256GCM\"}"), TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A256GCM\",\"kid\":1}"), TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{\"alg\":\"x\",\"enc\":\"A256GCM\",\"typ\":\"\"}"),
                     TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{\"alg\":\"x\"}"), TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{\"enc\":\"A256GCM\"}"), TLM_ERR_FORMAT);
    assert_int_equal(parse_header("[]"), TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{}{}"), TLM_ERR_FORMAT);
    assert_int_equal(parse_header("{"), TLM_ERR_FORMAT);
}

static void has_a_maximum(void **state)
{
    (void)state;
    char *text = malloc(TLM_JWE_MAX + 2);
    tlm_jwe *jwe = NULL;
    assert_non_null(text);
    memset(text, 'A', TLM_JWE_MAX + 1);
    text[TLM_JWE_MAX + 1] = '\0';
    assert_int_equal(tlm_jwe_parse(text, TLM_JWE_MAX + 1, &jwe, NULL), TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_jwe_parse(text, TLM_JWE_MAX, &jwe, NULL), TLM_ERR_FORMAT);
    free(text);

    const tlm_jwe_header header = {.alg = "dir"};
    tlm_secret *cek = content_key(1);
    tlm_secret *most = NULL;
    tlm_secret *more = NULL;
    assert_int_equal(tlm_secret_new(TLM_JWE_PLAIN_MAX, &most, NULL), TLM_OK);
    assert_int_equal(tlm_secret_new(TLM_JWE_PLAIN_MAX + 1, &more, NULL), TLM_OK);
    assert_int_equal(tlm_jwe_seal(&header, NULL, 0, cek, more, &text, NULL), TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_jwe_seal(&header, NULL, 0, cek, most, &text, NULL), TLM_OK);
    assert_true(strlen(text) <= TLM_JWE_MAX);
    assert_true(opens(text, strlen(text)));
    free(text);
    tlm_secret_free(&more);
    tlm_secret_free(&most);
    tlm_secret_free(&cek);
}

static void wants_a_whole_content_key(void **state)
{
    (void)state;
    const tlm_jwe_header header = {.alg = "dir"};
    tlm_secret *small = secret_of("0123456789abcdef", 16);
    tlm_secret *plain = secret_of("x", 1);
    tlm_secret *out = NULL;
    char *text = NULL;
    assert_int_equal(tlm_jwe_seal(&header, NULL, 0, small, plain, &text, NULL), TLM_ERR_CRYPTO);
    assert_int_equal(tlm_jwe_seal(&header, NULL, 0, NULL, plain, &text, NULL), TLM_ERR_CRYPTO);
    assert_int_equal(tlm_jwe_seal(NULL, NULL, 0, small, plain, &text, NULL), TLM_ERR_ARGUMENT);
    text = seal_dir("x");
    tlm_jwe *jwe = NULL;
    assert_int_equal(tlm_jwe_parse(text, strlen(text), &jwe, NULL), TLM_OK);
    assert_int_equal(tlm_jwe_open(jwe, small, &out, NULL), TLM_ERR_CRYPTO);
    assert_null(out);
    tlm_jwe_free(&jwe);
    free(text);
    tlm_secret_free(&plain);
    tlm_secret_free(&small);
}

static void survives_every_failed_allocation(void **state)
{
    (void)state;
    char *text = seal_dir("content");
    size_t size = strlen(text);
    int failed = 0;
    for (int at = 1; at < 64; at++) {
        tlm_jwe *jwe = NULL;
        allocations = 0;
        fail_at = at;
        tlm_result result = tlm_jwe_parse(text, size, &jwe, NULL);
        fail_at = 0;
        assert_true((result == TLM_OK) == (jwe != NULL));
        failed += result != TLM_OK;
        tlm_jwe_free(&jwe);
    }
    assert_in_range(failed, 6, 40);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_vector_of_the_rfc),
        cmocka_unit_test(opens_what_it_sealed),
        cmocka_unit_test(seals_with_a_fresh_nonce),
        cmocka_unit_test(refuses_every_flip_and_every_truncation),
        cmocka_unit_test(refuses_other_shapes),
        cmocka_unit_test(refuses_headers_that_say_more),
        cmocka_unit_test(has_a_maximum),
        cmocka_unit_test(wants_a_whole_content_key),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
