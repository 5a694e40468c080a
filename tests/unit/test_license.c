/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/license.h>

#include "vendor.h"

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static tlm_test_vendor vendor;

static int setup(void **state)
{
    (void)state;
    tlm_test_vendor_make(&vendor, "ES256");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlm_test_vendor_clear(&vendor);
    return 0;
}

static json_t *value_of(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL) {
        fail_msg("%s", text);
    }
    return value;
}

static json_t *feature_of(json_t *claims)
{
    return json_array_get(json_object_get(claims, "features"), 0);
}

static json_t *object_of(json_t *claims, const char *path)
{
    if (path[0] == '\0') {
        return claims;
    }
    if (strcmp(path, "features[0]") == 0) {
        return feature_of(claims);
    }
    if (strcmp(path, "features[0].model") == 0) {
        return json_object_get(feature_of(claims), "model");
    }
    return json_object_get(claims, path);
}

static tlm_result parse(const json_t *claims, tlm_license **license, tlm_error *error)
{
    tlm_license *made = NULL;
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result = tlm_license_parse(claims, &made, error);
    assert_true((result == TLM_OK) == (made != NULL));
    assert_int_equal(error->result, result);
    if (license != NULL) {
        *license = made;
    } else {
        tlm_license_free(&made);
    }
    return result;
}

/* The claims with one member of another value; NULL takes it away. */
static tlm_result parse_with(const char *path, const char *name, const char *value,
                             tlm_license **license, tlm_error *error)
{
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    json_t *object = object_of(claims, path);
    assert_non_null(object);
    assert_int_equal(value != NULL ? json_object_set_new(object, name, value_of(value))
                                   : json_object_del(object, name),
                     0);
    tlm_result result = parse(claims, license, error);
    json_decref(claims);
    return result;
}

static void check_refused(const char *path, const char *name, const char *value)
{
    tlm_error error;
    char full[64];
    (void)snprintf(full, sizeof full, "%s%s%s ", path, path[0] != '\0' ? "." : "", name);
    if (parse_with(path, name, value, NULL, &error) != TLM_ERR_FORMAT) {
        fail_msg("%s %s was accepted", full, value);
    }
    if (strncmp(error.message, full, strlen(full)) != 0) {
        fail_msg("%s%s: %s", full, value, error.message);
    }
}

static void check_accepted(const char *path, const char *name, const char *value)
{
    tlm_error error;
    if (parse_with(path, name, value, NULL, &error) != TLM_OK) {
        fail_msg("%s.%s %s: %s", path, name, value, error.message);
    }
}

static void takes_the_claims_over(void **state)
{
    (void)state;
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    char *text = tlm_test_license(&vendor, claims);
    tlm_license *license = NULL;
    tlm_error error = {.result = TLM_OK};
    assert_int_equal(tlm_license_open(text, strlen(text), vendor.trust, &license, &error), TLM_OK);
    assert_string_equal(license->text, text);
    assert_string_equal(license->kid, vendor.vendor_kid);
    assert_string_equal(license->vendor, TLM_TEST_VENDOR);
    assert_string_equal(license->customer, "Customer Inc.");
    assert_string_equal(license->jti, TLM_TEST_JTI);
    assert_int_equal(license->issued, TLM_TEST_ISSUED);
    assert_true(license->not_before == INT64_MIN && license->expires == INT64_MAX);
    assert_string_equal(license->product_id, "editor");
    assert_string_equal(license->product_name, "The Editor");
    assert_string_equal(license->product_version, "4.2");
    assert_int_equal(license->binding, TLM_FINGERPRINT_TOKEN);
    assert_string_equal(license->fingerprint, FINGERPRINT);
    assert_int_equal(license->min_components, 0);
    assert_int_equal(license->feature_count, 1);
    assert_string_equal(license->features[0].id, "pro");
    assert_string_equal(license->features[0].name, "Professional");
    assert_int_equal(license->features[0].seats, 5);
    assert_int_equal(license->features[0].model.type, TLM_MODEL_PERPETUAL);
    assert_null(license->features[0].memory);
    assert_int_equal(license->features[0].borrow_days, -1);
    tlm_license_free(&license);
    assert_null(license);
    tlm_license_free(&license);
    tlm_license_free(NULL);
    free(text);
    json_decref(claims);
}

static void needs_every_claim(void **state)
{
    (void)state;
    static const char *const needed[][2] = {
        {"", "iss"},
        {"", "sub"},
        {"", "jti"},
        {"", "iat"},
        {"", "product"},
        {"", "binding"},
        {"", "features"},
        {"product", "id"},
        {"binding", "type"},
        {"binding", "fingerprint"},
        {"features[0]", "id"},
        {"features[0]", "seats"},
        {"features[0]", "model"},
        {"features[0].model", "type"},
    };
    static const char *const optional[][2] = {
        {"product", "name"}, {"product", "version"}, {"features[0]", "name"}};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        check_refused(needed[i][0], needed[i][1], NULL);
        check_refused(needed[i][0], needed[i][1], "null");
        check_refused(needed[i][0], needed[i][1], "true");
        check_refused(needed[i][0], needed[i][1], "1.5");
    }
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        check_accepted(optional[i][0], optional[i][1], NULL);
        check_refused(optional[i][0], optional[i][1], "null");
        check_refused(optional[i][0], optional[i][1], "7");
    }
}

static void bounds_texts(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"", "iss"},
        {"", "sub"},
        {"product", "id"},
        {"product", "name"},
        {"product", "version"},
        {"features[0]", "id"},
        {"features[0]", "name"},
    };
    char value[TLM_LICENSE_TEXT_MAX + 4];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        memset(value, 'x', sizeof value);
        value[0] = '"';
        value[TLM_LICENSE_TEXT_MAX + 1] = '"';
        value[TLM_LICENSE_TEXT_MAX + 2] = '\0';
        check_accepted(texts[i][0], texts[i][1], value);
        value[TLM_LICENSE_TEXT_MAX + 1] = 'x';
        value[TLM_LICENSE_TEXT_MAX + 2] = '"';
        value[TLM_LICENSE_TEXT_MAX + 3] = '\0';
        check_refused(texts[i][0], texts[i][1], value);
        check_refused(texts[i][0], texts[i][1], "\"\"");
        check_refused(texts[i][0], texts[i][1], "\"a\\nb\"");
        check_refused(texts[i][0], texts[i][1], "\"\\u007f\"");
        check_accepted(texts[i][0], texts[i][1], "\"\xc3\xa9 \xf0\x9f\x94\x91\"");
    }
}

static void reads_times_and_numbers(void **state)
{
    (void)state;
    static const char *const times[] = {"iat", "nbf", "exp"};
    for (size_t i = 0; i < 3; i++) {
        check_accepted("", times[i], i == 2 ? "1" : "0");
        check_accepted("", times[i], "253402300799");
        check_refused("", times[i], "253402300800");
        check_refused("", times[i], "-1");
        check_refused("", times[i], "1700000000.5");
        check_refused("", times[i], "\"1700000000\"");
    }
    check_accepted("features[0]", "seats", "0");
    check_accepted("features[0]", "seats", "9007199254740991");
    check_refused("features[0]", "seats", "9007199254740992");
    check_refused("features[0]", "seats", "-1");
    check_accepted("features[0]", "borrowDays", "0");
    check_accepted("features[0]", "borrowDays", "3650");
    check_refused("features[0]", "borrowDays", "3651");
    check_refused("features[0]", "borrowDays", "-1");
    tlm_error error;
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    assert_int_equal(json_object_set_new(claims, "nbf", json_integer(100)), 0);
    assert_int_equal(json_object_set_new(claims, "exp", json_integer(100)), 0);
    assert_int_equal(parse(claims, NULL, &error), TLM_ERR_FORMAT);
    assert_int_equal(json_object_set_new(claims, "exp", json_integer(101)), 0);
    assert_int_equal(parse(claims, NULL, &error), TLM_OK);
    json_decref(claims);
}

static void wants_a_uuid(void **state)
{
    (void)state;
    tlm_license *license = NULL;
    tlm_error error;
    assert_int_equal(
        parse_with("", "jti", "\"6F1C2A7E-3B4D-4C5E-8F60-718293A4B5C6\"", &license, &error),
        TLM_OK);
    assert_string_equal(license->jti, TLM_TEST_JTI);
    tlm_license_free(&license);
    check_refused("", "jti", "\"6f1c2a7e-3b4d-4c5e-8f60-718293a4b5c\"");
    check_refused("", "jti", "\"6f1c2a7e-3b4d-4c5e-8f60-718293a4b5c67\"");
    check_refused("", "jti", "\"6f1c2a7e-3b4d-4c5e-8f60-718293a4b5cg\"");
    check_refused("", "jti", "\"6f1c2a7e+3b4d-4c5e-8f60-718293a4b5c6\"");
    check_refused("", "jti", "\"{f1c2a7e-3b4d-4c5e-8f60-718293a4b5c}\"");
}

static void reads_bindings(void **state)
{
    (void)state;
    static const char *const names[] = {"\"tpm\"", "\"token\"", "\"fallback\""};
    for (size_t i = 0; i < 3; i++) {
        tlm_license *license = NULL;
        tlm_error error;
        assert_int_equal(parse_with("binding", "type", names[i], &license, &error), TLM_OK);
        assert_int_equal(license->binding, i);
        tlm_license_free(&license);
    }
    check_refused("binding", "type", "\"TPM\"");
    check_refused("binding", "type", "\"\"");
    check_refused("binding", "fingerprint", "\"00\"");
    check_refused("binding", "fingerprint",
                  "\"00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"");
    check_refused("binding", "minComponents", "3");
    tlm_error error;
    tlm_license *license = NULL;
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    json_t *binding = json_object_get(claims, "binding");
    assert_int_equal(json_object_set_new(binding, "type", json_string("fallback")), 0);
    for (json_int_t least = 0; least <= 65; least++) {
        assert_int_equal(json_object_set_new(binding, "minComponents", json_integer(least)), 0);
        bool fits = least >= 1 && least <= 64;
        assert_int_equal(parse(claims, &license, &error), fits ? TLM_OK : TLM_ERR_FORMAT);
        assert_true(!fits || license->min_components == (unsigned)least);
        tlm_license_free(&license);
    }
    json_decref(claims);
}

static const struct {
    const char *text;
    tlm_model_type type;
    int64_t amount;
    int64_t not_before;
    int64_t not_after;
} models[] = {
    {"{\"type\":\"perpetual\"}", TLM_MODEL_PERPETUAL, 0, INT64_MIN, INT64_MAX},
    {"{\"notAfter\":200,\"type\":\"period\"}", TLM_MODEL_PERIOD, 0, INT64_MIN, 200},
    {"{\"notAfter\":200,\"notBefore\":100,\"type\":\"period\"}", TLM_MODEL_PERIOD, 0, 100, 200},
    {"{\"days\":30,\"type\":\"trial\"}", TLM_MODEL_TRIAL, 30, INT64_MIN, INT64_MAX},
    {"{\"days\":365,\"type\":\"activation\"}", TLM_MODEL_ACTIVATION, 365, INT64_MIN, INT64_MAX},
    {"{\"seconds\":3600,\"type\":\"usageTime\"}", TLM_MODEL_USAGE_TIME, 3600, INT64_MIN, INT64_MAX},
    {"{\"direction\":\"down\",\"limit\":10,\"type\":\"counter\"}", TLM_MODEL_COUNTER_DOWN, 10,
     INT64_MIN, INT64_MAX},
    {"{\"direction\":\"up\",\"limit\":10,\"type\":\"counter\"}", TLM_MODEL_COUNTER_UP, 10,
     INT64_MIN, INT64_MAX},
    {"{\"direction\":\"up\",\"type\":\"counter\"}", TLM_MODEL_COUNTER_UP, -1, INT64_MIN, INT64_MAX},
    {"{\"amount\":100,\"type\":\"tokens\"}", TLM_MODEL_TOKENS, 100, INT64_MIN, INT64_MAX},
    {"{\"max\":7,\"type\":\"list\"}", TLM_MODEL_LIST, 7, INT64_MIN, INT64_MAX},
};

static void reads_and_writes_every_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        tlm_license *license = NULL;
        tlm_error error;
        if (parse_with("features[0]", "model", models[i].text, &license, &error) != TLM_OK) {
            fail_msg("%s: %s", models[i].text, error.message);
        }
        const tlm_model *model = &license->features[0].model;
        assert_int_equal(model->type, models[i].type);
        assert_true(model->amount == models[i].amount);
        assert_true(model->not_before == models[i].not_before);
        assert_true(model->not_after == models[i].not_after);
        json_t *written = tlm_model_json(model);
        char *text = json_dumps(written, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, models[i].text);
        assert_string_equal(json_string_value(json_object_get(written, "type")),
                            tlm_model_name(model->type));
        free(text);
        json_decref(written);
        tlm_license_free(&license);
    }
    const tlm_model none = {.type = TLM_MODEL_COUNT};
    assert_null(tlm_model_json(&none));
    assert_string_equal(tlm_model_name(TLM_MODEL_COUNT), "unknown");
}

/* An unknown member of a model could be a restriction; elsewhere it is none of ours. */
static void refuses_models_it_does_not_know(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{\"type\":\"lease\"}", "features[0].model.type "},
        {"{\"type\":\"Perpetual\"}", "features[0].model.type "},
        {"{\"type\":\"perpetual\",\"days\":3}", "features[0].model.days "},
        {"{\"type\":\"perpetual\",\"x\\ny\":3}", "features[0].model.x?y "},
        {"{\"type\":\"trial\",\"days\":3,\"seconds\":3}", "features[0].model.seconds "},
        {"{\"type\":\"trial\"}", "features[0].model.days "},
        {"{\"type\":\"trial\",\"days\":0}", "features[0].model.days "},
        {"{\"type\":\"trial\",\"days\":-1}", "features[0].model.days "},
        {"{\"type\":\"trial\",\"days\":3650001}", "features[0].model.days "},
        {"{\"type\":\"trial\",\"days\":1.5}", "features[0].model.days "},
        {"{\"type\":\"activation\",\"days\":\"3\"}", "features[0].model.days "},
        {"{\"type\":\"usageTime\",\"seconds\":9007199254740992}", "features[0].model.seconds "},
        {"{\"type\":\"counter\",\"limit\":3}", "features[0].model.direction "},
        {"{\"type\":\"counter\",\"direction\":\"left\",\"limit\":3}",
         "features[0].model.direction "},
        {"{\"type\":\"counter\",\"direction\":\"down\"}", "features[0].model.limit "},
        {"{\"type\":\"counter\",\"direction\":\"up\",\"limit\":null}", "features[0].model.limit "},
        {"{\"type\":\"tokens\"}", "features[0].model.amount "},
        {"{\"type\":\"list\",\"max\":0}", "features[0].model.max "},
        {"{\"type\":\"period\"}", "features[0].model.notAfter "},
        {"{\"type\":\"period\",\"notAfter\":5,\"notBefore\":5}", "features[0].model.notAfter "},
        {"{\"type\":\"period\",\"notAfter\":\"2026-01-01\"}", "features[0].model.notAfter "},
        {"{}", "features[0].model.type "},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tlm_error error;
        if (parse_with("features[0]", "model", wrong[i][0], NULL, &error) != TLM_ERR_FORMAT ||
            strncmp(error.message, wrong[i][1], strlen(wrong[i][1])) != 0) {
            fail_msg("%s: %s", wrong[i][0], error.message);
        }
    }
    check_accepted("features[0]", "model", "{\"type\":\"trial\",\"days\":3650000}");
    check_accepted("features[0]", "model", "{\"type\":\"usageTime\",\"seconds\":9007199254740991}");
    check_accepted("", "x-other", "{\"a\":[1,2]}");
    check_accepted("product", "x-other", "1");
    check_accepted("binding", "x-other", "1");
    check_accepted("features[0]", "x-other", "1");
}

static void hands_memory_on(void **state)
{
    (void)state;
    static const char *const values[] = {"{\"b\":1,\"a\":[true,null,\"x\"]}", "\"text\"", "17",
                                         "false", "[]"};
    tlm_license *license = NULL;
    tlm_error error;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(parse_with("features[0]", "memory", values[i], &license, &error), TLM_OK);
        assert_string_equal(license->features[0].memory, values[i]);
        tlm_license_free(&license);
    }
    assert_int_equal(parse_with("features[0]", "memory", "null", &license, &error), TLM_OK);
    assert_null(license->features[0].memory);
    tlm_license_free(&license);
    char value[TLM_MEMORY_MAX + 2] = "";
    memset(value, 'm', TLM_MEMORY_MAX + 1);
    value[0] = '"';
    value[TLM_MEMORY_MAX] = '"';
    check_refused("features[0]", "memory", value);
    value[TLM_MEMORY_MAX - 1] = '"';
    value[TLM_MEMORY_MAX] = '\0';
    check_accepted("features[0]", "memory", value);
}

static json_t *many_features(size_t count, size_t repeated)
{
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "f%zu", i == repeated ? 0 : i);
        json_t *feature = json_deep_copy(feature_of(claims));
        assert_int_equal(json_object_set_new(feature, "id", json_string(id)), 0);
        assert_int_equal(json_array_append_new(array, feature), 0);
    }
    assert_int_equal(json_object_set_new(claims, "features", array), 0);
    return claims;
}

static void bounds_features(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        size_t repeated;
        tlm_result result;
    } cases[] = {
        {0, SIZE_MAX, TLM_ERR_FORMAT},
        {1, SIZE_MAX, TLM_OK},
        {2, 1, TLM_ERR_FORMAT},
        {TLM_FEATURES_MAX, SIZE_MAX, TLM_OK},
        {TLM_FEATURES_MAX, TLM_FEATURES_MAX - 1, TLM_ERR_FORMAT},
        {TLM_FEATURES_MAX + 1, SIZE_MAX, TLM_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *claims = many_features(cases[i].count, cases[i].repeated);
        tlm_license *license = NULL;
        tlm_error error;
        assert_int_equal(parse(claims, &license, &error), cases[i].result);
        assert_true(license == NULL || license->feature_count == cases[i].count);
        assert_true(cases[i].result == TLM_OK || strncmp(error.message, "features", 8) == 0);
        tlm_license_free(&license);
        json_decref(claims);
    }
    json_t *claims = many_features(3, SIZE_MAX);
    tlm_error error;
    assert_int_equal(json_array_set_new(json_object_get(claims, "features"), 2, json_null()), 0);
    assert_int_equal(parse(claims, NULL, &error), TLM_ERR_FORMAT);
    assert_string_equal(error.message, "features[2] is not an object");
    json_decref(claims);
    assert_int_equal(tlm_license_parse(NULL, NULL, NULL), TLM_ERR_ARGUMENT);
}

static tlm_result open_signed(EVP_PKEY *key, const char *alg, const char *kid, const char *typ,
                              const json_t *claims, tlm_error *error)
{
    tlm_license *license = NULL;
    char *text = tlm_test_sign(key, alg, kid, typ, claims);
    *error = (tlm_error){.result = TLM_OK};
    tlm_result result = tlm_license_open(text, strlen(text), vendor.trust, &license, error);
    assert_true((result == TLM_OK) == (license != NULL));
    tlm_license_free(&license);
    free(text);
    return result;
}

static void says_whose_signature_is_not_good(void **state)
{
    (void)state;
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    EVP_PKEY *stranger = tlm_test_key("ES256");
    tlm_error error;
    assert_int_equal(
        open_signed(vendor.vendor, "ES256", "acme-2026", TLM_LICENSE_TYP, claims, &error), TLM_OK);
    assert_int_equal(open_signed(stranger, "ES256", "acme-2026", TLM_LICENSE_TYP, claims, &error),
                     TLM_ERR_SIGNATURE);
    assert_non_null(strstr(error.message, "acme-2026"));
    assert_int_equal(open_signed(stranger, "ES256", "unknown", TLM_LICENSE_TYP, claims, &error),
                     TLM_ERR_UNTRUSTED);
    assert_non_null(strstr(error.message, "unknown"));
    assert_non_null(strstr(error.message, "ACME"));
    assert_int_equal(
        open_signed(vendor.issuer, "ES256", "issuer-2026", TLM_LICENSE_TYP, claims, &error),
        TLM_ERR_UNTRUSTED);
    assert_int_equal(
        open_signed(vendor.vendor, "ES256", "acme-2026", "tlm-package+jwt", claims, &error),
        TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "tlm-package+jwt"));
    assert_int_equal(open_signed(vendor.vendor, "ES256", "acme-2026", "JWT", claims, &error),
                     TLM_ERR_FORMAT);
    /* Another vendor's license, signed with ACME's good key. */
    assert_int_equal(json_object_set_new(claims, "iss", json_string("OTHER")), 0);
    assert_int_equal(
        open_signed(vendor.vendor, "ES256", "acme-2026", TLM_LICENSE_TYP, claims, &error),
        TLM_ERR_UNTRUSTED);
    assert_non_null(strstr(error.message, "OTHER"));
    assert_non_null(strstr(error.message, "ACME"));
    assert_int_equal(json_object_del(claims, "iss"), 0);
    assert_int_equal(
        open_signed(vendor.vendor, "ES256", "acme-2026", TLM_LICENSE_TYP, claims, &error),
        TLM_ERR_FORMAT);
    assert_string_equal(error.message, "iss is missing");
    EVP_PKEY_free(stranger);
    json_decref(claims);
}

static void refuses_every_changed_byte(void **state)
{
    (void)state;
    json_t *claims = tlm_test_license_claims(FINGERPRINT);
    char *text = tlm_test_license(&vendor, claims);
    size_t size = strlen(text);
    tlm_license *license = NULL;
    for (size_t at = 0; at < size; at++) {
        char kept = text[at];
        assert_int_not_equal(tlm_license_open(text, at, vendor.trust, &license, NULL), TLM_OK);
        for (unsigned bit = 0; bit < 8; bit++) {
            text[at] = (char)((unsigned char)kept ^ (1U << bit));
            assert_int_not_equal(tlm_license_open(text, size, vendor.trust, &license, NULL),
                                 TLM_OK);
            assert_null(license);
        }
        text[at] = kept;
    }
    assert_int_equal(tlm_license_open(text, size, vendor.trust, &license, NULL), TLM_OK);
    tlm_license_free(&license);
    assert_int_equal(tlm_license_open(text, size, NULL, &license, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_license_open(text, size, vendor.trust, NULL, NULL), TLM_ERR_ARGUMENT);
    free(text);
    json_decref(claims);
}

static void has_a_maximum(void **state)
{
    (void)state;
    char *text = malloc(TLM_LICENSE_MAX + 2);
    tlm_license *license = NULL;
    assert_non_null(text);
    memset(text, 'A', TLM_LICENSE_MAX + 1);
    text[TLM_LICENSE_MAX + 1] = '\0';
    assert_int_equal(tlm_license_open(text, TLM_LICENSE_MAX + 1, vendor.trust, &license, NULL),
                     TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_license_open(text, TLM_LICENSE_MAX, vendor.trust, &license, NULL),
                     TLM_ERR_FORMAT);
    free(text);
}

static void checks_times(void **state)
{
    (void)state;
    tlm_license license = {
        .jti = (char[]){"x"}, .issued = 1000, .not_before = 2000, .expires = 3000};
    static const struct {
        int64_t now;
        int64_t tolerance;
        tlm_result result;
    } cases[] = {
        {699, 300, TLM_ERR_ROLLBACK},
        {700, 300, TLM_ERR_NOT_YET},
        {999, 0, TLM_ERR_ROLLBACK},
        {1000, 0, TLM_ERR_NOT_YET},
        {1999, 0, TLM_ERR_NOT_YET},
        {2000, 0, TLM_OK},
        {2999, 0, TLM_OK},
        {3000, 0, TLM_ERR_EXPIRED},
        {INT64_MAX, 0, TLM_ERR_EXPIRED},
        {-1, 5000, TLM_ERR_NOT_YET},
        {0, -1, TLM_ERR_ARGUMENT},
        {INT64_MIN, 0, TLM_ERR_ROLLBACK},
        {0, INT64_MAX, TLM_ERR_NOT_YET},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error = {.result = TLM_OK};
        assert_int_equal(tlm_license_check_time(&license, cases[i].now, cases[i].tolerance, &error),
                         cases[i].result);
        assert_int_equal(error.result, cases[i].result);
        if (cases[i].result == TLM_ERR_EXPIRED) {
            assert_string_equal(error.message, "license x expired at 1970-01-01T00:50:00Z");
        }
        if (cases[i].result == TLM_ERR_NOT_YET) {
            assert_non_null(strstr(error.message, "1970-01-01T00:33:20Z"));
        }
    }
    license.not_before = INT64_MIN;
    license.expires = INT64_MAX;
    assert_int_equal(tlm_license_check_time(&license, 1000, 0, NULL), TLM_OK);
    assert_int_equal(tlm_license_check_time(&license, INT64_MAX - 1, 0, NULL), TLM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_claims_over),
        cmocka_unit_test(needs_every_claim),
        cmocka_unit_test(bounds_texts),
        cmocka_unit_test(reads_times_and_numbers),
        cmocka_unit_test(wants_a_uuid),
        cmocka_unit_test(reads_bindings),
        cmocka_unit_test(reads_and_writes_every_model),
        cmocka_unit_test(refuses_models_it_does_not_know),
        cmocka_unit_test(hands_memory_on),
        cmocka_unit_test(bounds_features),
        cmocka_unit_test(says_whose_signature_is_not_good),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(has_a_maximum),
        cmocka_unit_test(checks_times),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
