/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "routes.h"

static void finds_every_path(void **state)
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
        const tlm_route *route = tlm_route_find(cases[i].path);
        assert_non_null(route);
        assert_int_equal(route->document, cases[i].document);
        assert_string_equal(tlm_route_path(cases[i].document), cases[i].path);
        assert_non_null(strstr(tlm_route_list(), cases[i].path));
    }
    assert_int_equal(sizeof cases / sizeof cases[0], TLM_DOCUMENT_COUNT);
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
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_null(tlm_route_find(paths[i]));
    }
}

static void path_as_long_as_a_request_may_be(void **state)
{
    (void)state;
    char *path = malloc(8193);
    assert_non_null(path);
    memset(path, 'a', 8192);
    path[0] = '/';
    path[8192] = '\0';
    assert_null(tlm_route_find(path));
    assert_null(tlm_route_nearest(path));
    free(path);
}

static void names_the_nearest_path(void **state)
{
    (void)state;
    assert_string_equal(tlm_route_nearest("/helth"), "/health");
    assert_string_equal(tlm_route_nearest("/fingerprint/"), "/fingerprint");
    assert_string_equal(tlm_route_nearest("/Status"), "/status");
    assert_string_equal(tlm_route_nearest("/fingerprint/falback"), "/fingerprint/fallback");
    assert_null(tlm_route_nearest("/something/else/entirely"));
}

static void list_is_clean(void **state)
{
    (void)state;
    const char *list = tlm_route_list();
    assert_int_equal(list[0], '/');
    assert_int_not_equal(list[strlen(list) - 1], ' ');
}

static void allows_get_and_head(void **state)
{
    (void)state;
    assert_true(tlm_route_allows("GET"));
    assert_true(tlm_route_allows("HEAD"));
    static const char *const others[] = {"", "get", "GETS", "POST", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(tlm_route_allows(others[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_path),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(names_the_nearest_path),
        cmocka_unit_test(path_as_long_as_a_request_may_be),
        cmocka_unit_test(list_is_clean),
        cmocka_unit_test(allows_get_and_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
