/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "routes.h"

#define ID "0190f3a1-2b4c-7d5e-8f60-718293a4b5c6"

static void finds_every_document(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        tlm_document document;
    } cases[] = {
        {"/health", TLM_DOCUMENT_HEALTH},
        {"/ready", TLM_DOCUMENT_READY},
        {"/status", TLM_DOCUMENT_STATUS},
        {"/fingerprint", TLM_DOCUMENT_FINGERPRINT},
        {"/fingerprint/fallback", TLM_DOCUMENT_FALLBACK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_route_match match;
        assert_int_equal(tlm_route_find("GET", cases[i].path, &match), TLM_ROUTE_FOUND);
        assert_int_equal(match.route->document, cases[i].document);
        assert_int_equal(match.route->who, TLM_WHO_ANYBODY);
        assert_int_equal(match.route->body_max, 0);
        assert_string_equal(match.id, "");
        assert_string_equal(tlm_route_path(cases[i].document), cases[i].path);
        assert_non_null(strstr(tlm_route_list(), cases[i].path));
        assert_false(tlm_route_is_api(cases[i].path));
        assert_int_equal(tlm_route_find("HEAD", cases[i].path, &match), TLM_ROUTE_FOUND);
    }
    assert_int_equal(sizeof cases / sizeof cases[0], TLM_DOCUMENT_COUNT);
}

/* docs/rest.md, line by line. */
static void finds_every_call(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        tlm_call_op call;
        tlm_who who;
        tlm_media media;
    } cases[] = {
        {"GET", "/api/v1/keys", TLM_CALL_KEYS, TLM_WHO_ANYBODY, TLM_MEDIA_NONE},
        {"POST", "/api/v1/attest", TLM_CALL_ATTEST, TLM_WHO_ANYBODY, TLM_MEDIA_JSON},
        {"POST", "/api/v1/leases", TLM_CALL_ACQUIRE, TLM_WHO_APPLICATIONS, TLM_MEDIA_JSON},
        {"GET", "/api/v1/leases/" ID, TLM_CALL_LEASE, TLM_WHO_APPLICATIONS, TLM_MEDIA_NONE},
        {"PUT", "/api/v1/leases/" ID, TLM_CALL_RENEW, TLM_WHO_APPLICATIONS, TLM_MEDIA_JSON},
        {"DELETE", "/api/v1/leases/" ID, TLM_CALL_RELEASE, TLM_WHO_APPLICATIONS, TLM_MEDIA_JSON},
        {"POST", "/api/v1/check", TLM_CALL_CHECK, TLM_WHO_APPLICATIONS, TLM_MEDIA_JSON},
        {"POST", "/api/v1/usage", TLM_CALL_USE, TLM_WHO_APPLICATIONS, TLM_MEDIA_JSON},
        {"GET", "/api/v1/licenses", TLM_CALL_LICENSES, TLM_WHO_APPLICATIONS, TLM_MEDIA_NONE},
        {"GET", "/api/v1/licenses/" ID, TLM_CALL_LICENSE, TLM_WHO_APPLICATIONS, TLM_MEDIA_NONE},
        {"GET", "/api/v1/revocations", TLM_CALL_REVOCATIONS, TLM_WHO_APPLICATIONS, TLM_MEDIA_NONE},
        {"GET", "/api/v1/state", TLM_CALL_STATE, TLM_WHO_APPLICATIONS, TLM_MEDIA_NONE},
        {"GET", "/api/v1/leases", TLM_CALL_LEASES, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_NONE},
        {"POST", "/api/v1/licenses", TLM_CALL_ACTIVATE, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_JOSE},
        {"DELETE", "/api/v1/licenses/" ID, TLM_CALL_REMOVE, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_NONE},
        {"POST", "/api/v1/revocations", TLM_CALL_REVOKE, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_JOSE},
        {"POST", "/api/v1/state/accept", TLM_CALL_ACCEPT, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_JSON},
        {"GET", "/api/v1/audit", TLM_CALL_AUDIT, TLM_WHO_ADMINISTRATORS, TLM_MEDIA_NONE},
    };
    assert_int_equal(sizeof cases / sizeof cases[0], TLM_CALL_COUNT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_route_match match;
        assert_int_equal(tlm_route_find(cases[i].method, cases[i].path, &match), TLM_ROUTE_FOUND);
        assert_int_equal(match.route->document, TLM_DOCUMENT_COUNT);
        assert_int_equal(match.route->call, cases[i].call);
        assert_int_equal(match.route->who, cases[i].who);
        assert_int_equal(match.route->media, cases[i].media);
        assert_int_equal(match.route->body_max > 0, cases[i].media != TLM_MEDIA_NONE);
        assert_string_equal(match.id, strstr(cases[i].path, ID) != NULL ? ID : "");
        assert_non_null(strstr(tlm_route_list(), match.route->path));
        assert_true(tlm_route_is_api(cases[i].path));
    }
}

static void every_row_is_one_of_those(void **state)
{
    (void)state;
    size_t count = 0;
    while (tlm_route_at(count) != NULL) {
        count++;
    }
    assert_int_equal(count, (size_t)TLM_DOCUMENT_COUNT + TLM_CALL_COUNT);
    assert_null(tlm_route_at(SIZE_MAX));
}

static void finds_nothing_else(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",
        "/",
        "/healt",
        "/healthy",
        "health",
        "/Health",
        "/health/",
        "//health",
        "/fingerprint/",
        "/fingerprint/fallback/",
        "/status ",
        "/ready?",
        "/fingerprin/",
        "/fingerprint/fallbac",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/lease",
        "/api/v1/leases/",
        "/api/v1/leases/{id}",
        "/api/v1/leases/" ID "/",
        "/api/v1/leases/" ID "0",
        "/api/v1/leases/0190f3a1-2b4c-7d5e-8f60-718293a4b5c",
        "/api/v1/leases/0190f3a1-2b4c-7d5e-8f60-718293a4b5cg",
        "/api/v1/leases/0190f3a1+2b4c-7d5e-8f60-718293a4b5c6",
        "/api/v1/leases/0190f3a12b4c-7d5e-8f60-718293a4b5c6-",
        "/api/v1/licenses/",
        "/api/v1/licenses/x",
        "/api/v2/keys",
        ("/api/v1/keys/" ID),
        "/API/v1/keys",
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        tlm_route_match match;
        assert_int_equal(tlm_route_find("GET", paths[i], &match), TLM_ROUTE_NOT_FOUND);
        assert_null(match.route);
    }
}

static void an_id_comes_in_lower_case(void **state)
{
    (void)state;
    tlm_route_match match;
    assert_int_equal(
        tlm_route_find("PUT", "/api/v1/leases/0190F3A1-2B4C-7d5e-8f60-718293A4B5C6", &match),
        TLM_ROUTE_FOUND);
    assert_string_equal(match.id, ID);
}

static void another_method_gets_those_of_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *allow;
    } cases[] = {
        {"/health", "GET, HEAD"},
        {"/api/v1/attest", "POST"},
        {"/api/v1/leases", "GET, HEAD, POST"},
        {"/api/v1/leases/" ID, "GET, HEAD, PUT, DELETE"},
        {"/api/v1/licenses", "GET, HEAD, POST"},
        {"/api/v1/licenses/" ID, "GET, HEAD, DELETE"},
        {"/api/v1/state/accept", "POST"},
    };
    static const char *const methods[] = {"",        "get",   "GETS",     "PATCH",
                                          "OPTIONS", "TRACE", "GET, HEAD"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t n = 0; n < sizeof methods / sizeof methods[0]; n++) {
            tlm_route_match match;
            assert_int_equal(tlm_route_find(methods[n], cases[i].path, &match),
                             TLM_ROUTE_WRONG_METHOD);
            assert_string_equal(match.allow, cases[i].allow);
        }
    }
    tlm_route_match match;
    assert_int_equal(tlm_route_find("HEAD", "/api/v1/attest", &match), TLM_ROUTE_WRONG_METHOD);
    assert_int_equal(tlm_route_find("POST", "/health", &match), TLM_ROUTE_WRONG_METHOD);
    assert_int_equal(tlm_route_find("POST", "/api/v1/audit", &match), TLM_ROUTE_WRONG_METHOD);
}

static void path_as_long_as_a_request_may_be(void **state)
{
    (void)state;
    char *path = malloc(8193);
    tlm_route_match match;
    assert_non_null(path);
    memset(path, 'a', 8192);
    path[0] = '/';
    path[8192] = '\0';
    assert_int_equal(tlm_route_find("GET", path, &match), TLM_ROUTE_NOT_FOUND);
    assert_null(tlm_route_nearest(path));
    memcpy(path, "/api/v1/leases/", 15);
    assert_int_equal(tlm_route_find("GET", path, &match), TLM_ROUTE_NOT_FOUND);
    free(path);
}

static void names_the_nearest_path(void **state)
{
    (void)state;
    assert_string_equal(tlm_route_nearest("/helth"), "/health");
    assert_string_equal(tlm_route_nearest("/fingerprint/"), "/fingerprint");
    assert_string_equal(tlm_route_nearest("/Status"), "/status");
    assert_string_equal(tlm_route_nearest("/fingerprint/falback"), "/fingerprint/fallback");
    assert_string_equal(tlm_route_nearest("/api/v1/lease"), "/api/v1/leases");
    assert_string_equal(tlm_route_nearest("/api/v1/license"), "/api/v1/licenses");
    assert_null(tlm_route_nearest("/something/else/entirely"));
}

static void list_is_clean(void **state)
{
    (void)state;
    const char *list = tlm_route_list();
    assert_int_equal(list[0], '/');
    assert_int_not_equal(list[strlen(list) - 1], ' ');
    assert_non_null(strstr(list, " /api/v1/audit"));
    const char *first = strstr(list, "/api/v1/leases ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "/api/v1/leases "));
}

static void the_log_has_no_whole_id(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/api/v1/leases/" ID, "/api/v1/leases/0190f3a1..."},
        {"/api/v1/licenses/" ID, "/api/v1/licenses/0190f3a1..."},
        {"/api/v1/leases/" ID "/", "/api/v1/leases/0190f3a1..."},
        {"/api/v1/leases/12345678", "/api/v1/leases/12345678"},
        {"/api/v1/leases", "/api/v1/leases"},
        {"/health", "/health"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        assert_string_equal(tlm_route_log_path(cases[i][0], text, sizeof text), cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_document),
        cmocka_unit_test(finds_every_call),
        cmocka_unit_test(every_row_is_one_of_those),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(an_id_comes_in_lower_case),
        cmocka_unit_test(another_method_gets_those_of_its_path),
        cmocka_unit_test(names_the_nearest_path),
        cmocka_unit_test(path_as_long_as_a_request_may_be),
        cmocka_unit_test(list_is_clean),
        cmocka_unit_test(the_log_has_no_whole_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
