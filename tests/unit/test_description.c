/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/license.h>

#include "description.h"
#include "issue_fixture.h"

#define NOW 1769860800 /* 2026-01-31T12:00:00Z */
#define PRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "vendor: ACME\ncustomer: Example\nproduct: {id: cad}\n"
#define BIND "binding: {type: tpm, fingerprint: " PRINT "}\n"
#define FEATURE "features: [{id: a, model: perpetual}]\n"

static tlm_result claims_of(const char *text, const tlm_host_file *host, json_t **claims,
                            tlm_error *error)
{
    tlm_description *description = NULL;
    tlm_result result = tlm_description_parse(text, strlen(text), "f", &description, error);
    if (result == TLM_OK) {
        result = tlm_description_claims(description, host, NOW, claims, error);
    }
    tlm_description_free(&description);
    return result;
}

static json_t *made(const char *text, const tlm_host_file *host)
{
    json_t *claims = NULL;
    tlm_error error = {0};
    if (claims_of(text, host, &claims, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return claims;
}

static void refused_for(const char *text, const tlm_host_file *host, const char *message)
{
    json_t *claims = NULL;
    tlm_error error = {0};
    assert_int_not_equal(claims_of(text, host, &claims, &error), TLM_OK);
    assert_string_equal(error.message, message);
    assert_null(claims);
}

static void refused(const char *text, const char *message)
{
    refused_for(text, NULL, message);
}

/* A member of the claims as compact JSON; "" where there is none. */
static void holds(const json_t *claims, const char *name, const char *json)
{
    const json_t *value = json_object_get(claims, name);
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS)
                               : strdup("");
    assert_string_equal(text, json);
    free(text);
}

static void makes_the_claims_of_a_license(void **state)
{
    (void)state;
    json_t *claims = made("vendor: ACME\n"
                          "customer: Example Ltd\n"
                          "id: 3f1d9b5e-0c6a-4b0e-9a9e-5b1a3c2d4e5f\n"
                          "product: {id: cad, name: CAD, version: \"2\"}\n"
                          "binding: {type: token, fingerprint: " PRINT "}\n"
                          "issued: 2026-01-31T12:00:00+01:00\n"
                          "notBefore: 2026-02-01\n"
                          "expires: 2026-12-31\n"
                          "features:\n"
                          "  - {id: a, name: A, seats: 5, model: perpetual, memory: {x: [1]}}\n",
                          NULL);
    holds(claims, "iss", "\"ACME\"");
    holds(claims, "sub", "\"Example Ltd\"");
    holds(claims, "jti", "\"3f1d9b5e-0c6a-4b0e-9a9e-5b1a3c2d4e5f\"");
    holds(claims, "product", "{\"id\":\"cad\",\"name\":\"CAD\",\"version\":\"2\"}");
    holds(claims, "binding", "{\"fingerprint\":\"" PRINT "\",\"type\":\"token\"}");
    holds(claims, "iat", "1769857200");
    holds(claims, "nbf", "1769904000");
    holds(claims, "exp", "1798761600"); /* the end of that day */
    holds(claims, "features",
          "[{\"id\":\"a\",\"memory\":{\"x\":[1]},\"model\":{\"type\":\"perpetual\"},"
          "\"name\":\"A\",\"seats\":5}]");
    assert_int_equal(json_object_size(claims), 9);
    json_decref(claims);
}

static void fills_in_what_is_not_said(void **state)
{
    (void)state;
    json_t *first = made(HEAD BIND FEATURE, NULL);
    json_t *second = made(HEAD BIND FEATURE, NULL);
    assert_int_equal(json_string_length(json_object_get(first, "jti")), 36);
    assert_int_equal(json_equal(json_object_get(first, "jti"), json_object_get(second, "jti")), 0);
    holds(first, "iat", "1769860800");
    holds(first, "nbf", "");
    holds(first, "exp", "");
    holds(first, "features", "[{\"id\":\"a\",\"model\":{\"type\":\"perpetual\"},\"seats\":0}]");
    json_decref(first);
    json_decref(second);
}

static void makes_every_model(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        const char *claim;
    } models[] = {
        {"perpetual", "{\"type\":\"perpetual\"}"},
        {"{type: perpetual}", "{\"type\":\"perpetual\"}"},
        {"{type: period, notAfter: 2026-12-31}", "{\"notAfter\":1798761600,\"type\":\"period\"}"},
        {"{type: period, notBefore: 2026-02-01, notAfter: 2026-12-31T00:00:00Z}",
         "{\"notAfter\":1798675200,\"notBefore\":1769904000,\"type\":\"period\"}"},
        {"{type: trial, days: 30}", "{\"days\":30,\"type\":\"trial\"}"},
        {"{type: activation, days: 365}", "{\"days\":365,\"type\":\"activation\"}"},
        {"{type: usageTime, seconds: 60}", "{\"seconds\":60,\"type\":\"usageTime\"}"},
        {"{type: usageTime, seconds: 90m}", "{\"seconds\":5400,\"type\":\"usageTime\"}"},
        {"{type: usageTime, seconds: 10d}", "{\"seconds\":864000,\"type\":\"usageTime\"}"},
        {"{type: usageTime, seconds: 36h}", "{\"seconds\":129600,\"type\":\"usageTime\"}"},
        {"{type: usageTime, seconds: 7s}", "{\"seconds\":7,\"type\":\"usageTime\"}"},
        {"{type: counter, direction: down, limit: 9007199254740991}",
         "{\"direction\":\"down\",\"limit\":9007199254740991,\"type\":\"counter\"}"},
        {"{type: counter, direction: up}", "{\"direction\":\"up\",\"type\":\"counter\"}"},
        {"{type: counter, direction: up, limit: 1.0}",
         "{\"direction\":\"up\",\"limit\":1,\"type\":\"counter\"}"},
        {"{type: tokens, amount: 3}", "{\"amount\":3,\"type\":\"tokens\"}"},
        {"{type: list, max: 2}", "{\"max\":2,\"type\":\"list\"}"},
    };
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        char *text = NULL;
        assert_true(asprintf(&text, HEAD BIND "features: [{id: a, model: %s}]\n", models[i].model) >
                    0);
        json_t *claims = made(text, NULL);
        holds(json_array_get(json_object_get(claims, "features"), 0), "model", models[i].claim);
        json_decref(claims);
        free(text);
    }
}

static void says_what_is_wrong_and_where(void **state)
{
    (void)state;
    refused(HEAD BIND, "f, line 1, column 1: lacks the member features");
    refused("vendr: A\n" HEAD BIND FEATURE,
            "f, line 1, column 1: vendr is not a member that stands here");
    refused(HEAD BIND "features: []\n", "f, line 5, column 11: features is empty");
    refused(HEAD BIND "features:\n  - id: a\n    model: {type: trial, days: soon}\n",
            "f, line 7, column 32: features[0].model.days is a string, not an integer");
    refused(HEAD BIND "features:\n  - id: a\n    model: {type: trial, days: 0}\n",
            "f, line 7, column 32: features[0].model.days is less than 1");
    refused(HEAD BIND "features:\n  - id: a\n    model: {type: trail, days: 3}\n",
            "f, line 7, column 19: features[0].model.type is \"trail\", not perpetual, period, "
            "trial, activation, usageTime, counter, tokens or list");
    refused(HEAD BIND "features:\n  - id: a\n    model: {type: trial, days: 3, seats: 1}\n",
            "f, line 7, column 35: features[0].model.seats is not a member that stands here");
    refused(HEAD BIND "features:\n  - id: a\n    model: {type: counter, direction: down}\n",
            "f, line 7, column 12: features[0].model lacks the member limit");
    refused(HEAD BIND "features:\n  - {id: a, model: perpetual}\n  - {id: a, model: perpetual}\n",
            "f, line 7, column 10: the feature \"a\" stands there twice");
    refused(HEAD BIND "expires: 2026-02-30\n" FEATURE,
            "f, line 5, column 10: expires is 2026-02-30, which no calendar has");
    refused(HEAD BIND "notBefore: 2026-03-01\nexpires: 2026-02-01\n" FEATURE,
            "f, line 6, column 10: expires is not after notBefore");
    refused(HEAD BIND "features:\n  - id: a\n    model: {type: period, notBefore: 2026-02-02,"
                      " notAfter: 2026-02-01}\n",
            "f, line 7, column 60: notAfter is not after notBefore");
    refused(HEAD FEATURE, "f, line 1, column 1: binding: the host is not known");
    refused(HEAD "binding: {type: tpm}\n" FEATURE,
            "f, line 4, column 17: binding: the host is not known");
    refused(HEAD "binding: {type: tpm, fingerprint: " PRINT ", minComponents: 2}\n" FEATURE,
            "f, line 4, column 17: binding.type is not fallback");
}

static void bounds_the_memory(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        char *memory = calloc(1, TLM_MEMORY_MAX + 2);
        char *text = NULL;
        assert_non_null(memory);
        memset(memory, 'x', TLM_MEMORY_MAX - 2 + (size_t)extra); /* the quotes count */
        assert_true(asprintf(&text,
                             HEAD BIND "features:\n  - id: a\n    model: perpetual\n"
                                       "    memory: %s\n",
                             memory) > 0);
        if (extra == 0) {
            json_decref(made(text, NULL));
        } else {
            refused(text, "f, line 8, column 13: memory has 4097 bytes as compact JSON, 4096 are "
                          "the most");
        }
        free(text);
        free(memory);
    }
}

static tlm_host_file *host_of(json_t *object)
{
    tlm_host_file *host = NULL;
    char *text = json_dumps(object, 0);
    json_decref(object);
    assert_int_equal(tlm_host_file_parse(text, strlen(text), "host.json", &host, NULL), TLM_OK);
    free(text);
    return host;
}

static void bound(const char *text, const tlm_host_file *host, const char *type,
                  const char *fingerprint)
{
    json_t *claims = made(text, host);
    const json_t *binding = json_object_get(claims, "binding");
    assert_string_equal(json_string_value(json_object_get(binding, "type")), type);
    assert_string_equal(json_string_value(json_object_get(binding, "fingerprint")), fingerprint);
    json_decref(claims);
}

static void takes_the_binding_from_the_host(void **state)
{
    (void)state;
    tlm_host_file *host = host_of(host_request("token", 1));
    bound(HEAD FEATURE, host, "token", host->primary.fingerprint);
    bound(HEAD "binding: {}\n" FEATURE, host, "token", host->primary.fingerprint);
    bound(HEAD "binding: {type: fallback}\n" FEATURE, host, "fallback", host->fallback.fingerprint);
    bound(HEAD "binding: {type: fallback, minComponents: 1}\n" FEATURE, host, "fallback",
          host->fallback.fingerprint);
    refused_for(HEAD "binding: {type: tpm}\n" FEATURE, host,
                "the license needs a fingerprint of type tpm, the host's is token");
    refused_for(HEAD BIND FEATURE, host,
                "f, line 4, column 35: binding: the fingerprint is not that of the host");
    refused_for(HEAD "binding: {type: fallback, minComponents: 2}\n" FEATURE, host,
                "f, line 4, column 42: binding: minComponents is more than the host has");
    tlm_host_file_free(&host);
    host = host_of(fingerprint_answer("tpm"));
    bound(HEAD "binding: {type: fallback}\n" FEATURE, host, "fallback", host->primary.fingerprint);
    refused_for(HEAD "binding: {type: fallback, minComponents: 1}\n" FEATURE, host,
                "f, line 4, column 42: binding: minComponents is for a fallback fingerprint, and "
                "the host's is none");
    tlm_host_file_free(&host);
}

static void knows_whether_it_has_an_id(void **state)
{
    (void)state;
    static const char with[] = "id: 3f1d9b5e-0c6a-4b0e-9a9e-5b1a3c2d4e5f\n" HEAD FEATURE;
    tlm_description *description = NULL;
    assert_int_equal(tlm_description_parse(with, strlen(with), "f", &description, NULL), TLM_OK);
    assert_true(tlm_description_has_id(description));
    tlm_description_free(&description);
    assert_int_equal(
        tlm_description_parse(HEAD FEATURE, strlen(HEAD FEATURE), "f", &description, NULL), TLM_OK);
    assert_false(tlm_description_has_id(description));
    tlm_description_free(&description);
    tlm_description_free(&description);
    tlm_description_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_claims_of_a_license),
        cmocka_unit_test(fills_in_what_is_not_said),
        cmocka_unit_test(makes_every_model),
        cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(bounds_the_memory),
        cmocka_unit_test(takes_the_binding_from_the_host),
        cmocka_unit_test(knows_whether_it_has_an_id),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free_host_key();
    return failed;
}
