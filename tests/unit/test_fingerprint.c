/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/fingerprint.h>
#include <tlm/key.h>

#include "vector.h"

static EVP_PKEY *key;

static int setup(void **state)
{
    (void)state;
    json_t *vector = tlm_vector_load("rfc7638-3.1.json");
    key = tlm_vector_key(vector);
    json_decref(vector);
    return key != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    return 0;
}

static void set_component(tlm_host_component *component, const char *id, char digit)
{
    memset(component, 0, sizeof *component);
    memcpy(component->id, id, strlen(id));
    component->weight = 2;
    component->present = digit != '\0';
    if (component->present) {
        memset(component->sha256, digit, 64);
    }
}

static void is_the_thumbprint_of_the_rfc(void **state)
{
    (void)state;
    json_t *vector = tlm_vector_load("rfc7638-3.1.json");
    const char *thumbprint = tlm_vector_text(vector, "thumbprint");
    size_t size = 0;
    unsigned char *bytes = tlm_vector_bytes(vector, "thumbprint", &size);
    char *hex = tlm_hex_encode(bytes, size);
    tlm_fingerprint made = {0};
    assert_int_equal(tlm_fingerprint_of_key(key, TLM_FINGERPRINT_TPM, &made, NULL), TLM_OK);
    assert_string_equal(made.kid, thumbprint);
    assert_string_equal(made.text, hex);
    assert_int_equal(made.type, TLM_FINGERPRINT_TPM);
    assert_int_equal(made.component_count, 0);
    assert_null(made.components);
    assert_non_null(strstr(made.public_key, "BEGIN PUBLIC KEY"));
    assert_non_null(strstr(made.jwk, thumbprint));
    tlm_fingerprint_clear(&made);
    free(hex);
    free(bytes);
    json_decref(vector);
}

/* The bytes of docs/formats.md, put together by hand. */
static void expected_fallback(const char *const ids[], const char digits[], char hex[65])
{
    unsigned char bytes[512];
    unsigned char digest[32];
    unsigned int size = sizeof digest;
    size_t used = TLM_THUMBPRINT_SIZE;
    assert_int_equal(tlm_public_thumbprint(key, bytes, NULL), TLM_OK);
    for (size_t i = 0; ids[i] != NULL; i++) {
        memcpy(bytes + used, ids[i], strlen(ids[i]) + 1);
        used += strlen(ids[i]) + 1;
        memset(bytes + used, (digits[i] - '0') * 0x11, 32);
        used += 32;
    }
    assert_int_equal(EVP_Digest(bytes, used, digest, &size, EVP_sha256(), NULL), 1);
    char *text = tlm_hex_encode(digest, sizeof digest);
    memcpy(hex, text, 65);
    free(text);
}

static void the_fallback_has_the_documented_bytes(void **state)
{
    (void)state;
    static const char *const ids[] = {"cpu", "disk", NULL};
    char expected[65];
    tlm_host_component components[3];
    tlm_fingerprint made = {0};
    set_component(&components[0], "cpu", '1');
    set_component(&components[1], "system", '\0');
    set_component(&components[2], "disk", '7');
    assert_int_equal(tlm_fingerprint_fallback(key, components, 3, &made, NULL), TLM_OK);
    expected_fallback(ids, "17", expected);
    assert_string_equal(made.text, expected);
    assert_int_equal(made.type, TLM_FINGERPRINT_FALLBACK);
    assert_int_equal(made.component_count, 3);
    assert_string_equal(made.components[2].id, "disk");
    assert_false(made.components[1].present);
    assert_string_equal(made.kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    tlm_fingerprint_clear(&made);
}

static void every_component_counts(void **state)
{
    (void)state;
    tlm_host_component components[2];
    tlm_fingerprint first = {0};
    tlm_fingerprint changed = {0};
    tlm_fingerprint fewer = {0};
    set_component(&components[0], "cpu", '1');
    set_component(&components[1], "disk", '2');
    assert_int_equal(tlm_fingerprint_fallback(key, components, 2, &first, NULL), TLM_OK);
    components[1].sha256[63] = '3';
    assert_int_equal(tlm_fingerprint_fallback(key, components, 2, &changed, NULL), TLM_OK);
    set_component(&components[1], "disk", '\0');
    assert_int_equal(tlm_fingerprint_fallback(key, components, 2, &fewer, NULL), TLM_OK);
    assert_string_not_equal(first.text, changed.text);
    assert_string_not_equal(first.text, fewer.text);
    assert_string_not_equal(changed.text, fewer.text);
    assert_string_equal(first.kid, fewer.kid);
    tlm_fingerprint_clear(&first);
    tlm_fingerprint_clear(&changed);
    tlm_fingerprint_clear(&fewer);
}

static void refuses_what_is_no_hash(void **state)
{
    (void)state;
    tlm_host_component components[TLM_HOST_COMPONENTS];
    tlm_fingerprint made = {0};
    set_component(&components[0], "cpu", 'g');
    assert_int_equal(tlm_fingerprint_fallback(key, components, 1, &made, NULL), TLM_ERR_CRYPTO);
    set_component(&components[0], "cpu", '1');
    components[0].sha256[63] = '\0';
    assert_int_equal(tlm_fingerprint_fallback(key, components, 1, &made, NULL), TLM_ERR_CRYPTO);
    assert_int_equal(
        tlm_fingerprint_fallback(key, components, TLM_HOST_COMPONENTS + 1, &made, NULL),
        TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_fingerprint_fallback(key, NULL, 1, &made, NULL), TLM_ERR_ARGUMENT);
    assert_null(made.public_key);
}

static void copies_are_their_own(void **state)
{
    (void)state;
    tlm_host_component component;
    tlm_fingerprint made = {0};
    tlm_fingerprint copy = {0};
    tlm_fingerprint none = {0};
    set_component(&component, "cpu", '1');
    assert_int_equal(tlm_fingerprint_fallback(key, &component, 1, &made, NULL), TLM_OK);
    assert_int_equal(tlm_fingerprint_copy(&made, &copy, NULL), TLM_OK);
    assert_ptr_not_equal(copy.public_key, made.public_key);
    assert_ptr_not_equal(copy.components, made.components);
    char text[65];
    memcpy(text, made.text, sizeof text);
    tlm_fingerprint_clear(&made);
    assert_string_equal(copy.text, text);
    assert_string_equal(copy.components[0].id, "cpu");
    tlm_fingerprint_clear(&copy);
    tlm_fingerprint_clear(&copy);
    tlm_fingerprint_clear(NULL);
    assert_int_equal(tlm_fingerprint_copy(&none, &copy, NULL), TLM_OK);
    assert_null(copy.public_key);
}

static void types_have_names(void **state)
{
    (void)state;
    assert_string_equal(tlm_fingerprint_type_name(TLM_FINGERPRINT_TPM), "tpm");
    assert_string_equal(tlm_fingerprint_type_name(TLM_FINGERPRINT_TOKEN), "token");
    assert_string_equal(tlm_fingerprint_type_name(TLM_FINGERPRINT_FALLBACK), "fallback");
    assert_string_equal(tlm_fingerprint_type_name((tlm_fingerprint_type)9), "fallback");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_thumbprint_of_the_rfc),
        cmocka_unit_test(the_fallback_has_the_documented_bytes),
        cmocka_unit_test(every_component_counts),
        cmocka_unit_test(refuses_what_is_no_hash),
        cmocka_unit_test(copies_are_their_own),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
