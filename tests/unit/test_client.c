/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "client_private.h"
#include "exchange_private.h"
#include "reply_private.h"

#define MINUTE (60 * 1000LL)

/* ---- where the daemon is ---- */

static void check_target(const char *url, const char *base, const char *socket, bool local)
{
    tlm_target target;
    tlm_client_error error = {0};
    assert_int_equal(tlm_target_parse(url, &target, &error), TLM_CLIENT_OK);
    assert_string_equal(target.base, base);
    assert_string_equal(target.socket, socket);
    assert_int_equal(target.local, local);
}

static void reads_every_form_of_url(void **state)
{
    (void)state;
    check_target("http://127.0.0.1:52014", "http://127.0.0.1:52014", "", true);
    check_target("http://localhost", "http://localhost:52014", "", true);
    check_target("https://license.example/", "https://license.example:52014", "", false);
    check_target("HTTPS://license.example:1", "https://license.example:1", "", false);
    check_target("http://[::1]:65535/", "http://[::1]:65535", "", true);
    check_target("http://127.0.0.1.example", "http://127.0.0.1.example:52014", "", false);
    check_target("unix:/run/tlm/admin.sock", "http://localhost", "/run/tlm/admin.sock", true);
}

static void refuses_what_is_no_url(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "127.0.0.1:52014",
                                        "ftp://host",
                                        "http://",
                                        "http://host:",
                                        "http://host:0",
                                        "http://host:65536",
                                        "http://host:99999999999",
                                        "http://host:1a",
                                        "http://host/path",
                                        "http://user@host",
                                        "http://host:1/x",
                                        "http://[::1",
                                        "http://[x]",
                                        "http://host\r\nX: y",
                                        "unix:",
                                        "unix:relative"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tlm_target target;
        tlm_client_error error = {0};
        assert_int_equal(tlm_target_parse(wrong[i], &target, &error), TLM_CLIENT_ARGUMENT);
        assert_true(strlen(error.message) > 0);
        assert_null(strchr(error.message, '\r'));
    }
}

static void bounds_the_path_of_a_socket(void **state)
{
    (void)state;
    char url[160] = "unix:/";
    tlm_target target;
    memset(url + 6, 'a', 106); /* 107 with the slash: what sun_path takes */
    assert_int_equal(tlm_target_parse(url, &target, NULL), TLM_CLIENT_OK);
    assert_int_equal(strlen(target.socket), 107);
    url[6 + 106] = 'a';
    assert_int_equal(tlm_target_parse(url, &target, NULL), TLM_CLIENT_ARGUMENT);
}

/* ---- ladder ---- */

static void ladder_goes_down_with_time_alone(void **state)
{
    (void)state;
    tlm_ladder ladder = tlm_ladder_make(0, 0, 0, 5 * MINUTE);
    static const struct {
        int64_t age;
        tlm_client_level level;
    } steps[] = {{0, TLM_CLIENT_FINE},
                 {150 * 1000LL - 1, TLM_CLIENT_FINE},
                 {150 * 1000LL, TLM_CLIENT_WARN},
                 {5 * MINUTE - 1, TLM_CLIENT_WARN},
                 {5 * MINUTE, TLM_CLIENT_DEGRADED},
                 {20 * MINUTE - 1, TLM_CLIENT_DEGRADED},
                 {20 * MINUTE, TLM_CLIENT_STOP},
                 {INT64_MAX, TLM_CLIENT_STOP}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(tlm_ladder_level(&ladder, steps[i].age), steps[i].level);
    }
    /* Going from step to step by tlm_ladder_next meets each one, and ends. */
    int64_t age = 0;
    for (int level = TLM_CLIENT_FINE; level < TLM_CLIENT_STOP; level++) {
        assert_int_equal(tlm_ladder_level(&ladder, age), level);
        age += tlm_ladder_next(&ladder, age);
    }
    assert_int_equal(tlm_ladder_level(&ladder, age), TLM_CLIENT_STOP);
    assert_true(tlm_ladder_next(&ladder, age) == INT64_MAX);
}

static void ladder_takes_configured_steps_in_order(void **state)
{
    (void)state;
    tlm_ladder ladder = tlm_ladder_make(10, 20, 30, 5 * MINUTE);
    assert_int_equal(tlm_ladder_level(&ladder, 9999), TLM_CLIENT_FINE);
    assert_int_equal(tlm_ladder_level(&ladder, 10000), TLM_CLIENT_WARN);
    assert_int_equal(tlm_ladder_level(&ladder, 20000), TLM_CLIENT_DEGRADED);
    assert_int_equal(tlm_ladder_level(&ladder, 30000), TLM_CLIENT_STOP);
    /* Out of order: no step comes before the one above it. */
    ladder = tlm_ladder_make(100, 20, 10, 5 * MINUTE);
    assert_int_equal(tlm_ladder_level(&ladder, 99999), TLM_CLIENT_FINE);
    assert_int_equal(tlm_ladder_level(&ladder, 100000), TLM_CLIENT_STOP);
    /* Times that no calculation overflows. */
    ladder = tlm_ladder_make(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX);
    assert_int_equal(tlm_ladder_level(&ladder, MINUTE), TLM_CLIENT_FINE);
    ladder = tlm_ladder_make(0, 0, 0, 0);
    assert_int_equal(tlm_ladder_level(&ladder, 0), TLM_CLIENT_FINE);
}

static void renews_within_the_last_fifth_before_a_third(void **state)
{
    (void)state;
    const int64_t ttl = 3 * MINUTE;
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (uint32_t random = 0; random < 200000; random += 7) {
        int64_t delay = tlm_ladder_renew(ttl, random);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    assert_int_equal(least, MINUTE - MINUTE / 5);
    assert_int_equal(most, MINUTE);
    assert_true(tlm_ladder_renew(1000, UINT32_MAX) <= 334);
    assert_true(tlm_ladder_renew(0, UINT32_MAX) >= 1);
    assert_true(tlm_ladder_renew(INT64_MAX, UINT32_MAX) > 0);
}

static void retries_with_growing_delays(void **state)
{
    (void)state;
    const int64_t ttl = 10 * MINUTE;
    for (uint32_t random = 0; random < 50000; random += 11) {
        assert_in_range(tlm_ladder_retry(ttl, 1, random), 500, 1000);
        assert_in_range(tlm_ladder_retry(ttl, 2, random), 1000, 2000);
        assert_in_range(tlm_ladder_retry(ttl, 5, random), 8000, 16000);
        assert_in_range(tlm_ladder_retry(ttl, 6, random), 15000, 30000);
        assert_in_range(tlm_ladder_retry(ttl, UINT32_MAX, random), 15000, 30000);
        /* A short lease is asked for more often than it takes to run out. */
        assert_in_range(tlm_ladder_retry(3000, 9, random), 500, 1000);
    }
    assert_true(tlm_ladder_retry(0, 1, 7) >= 1);
}

/* ---- answers ---- */

static tlm_client_result read_reply(long status, const char *text, bool lease,
                                    tlm_client_error *error)
{
    json_t *body = NULL;
    const tlm_reply reply = {
        .status = status, .text = text, .size = text != NULL ? strlen(text) : 0, .lease = lease};
    tlm_client_result result = tlm_reply_read(&reply, &body, error);
    assert_int_equal(result == TLM_CLIENT_OK, body != NULL);
    json_decref(body);
    return result;
}

static void sorts_problems_by_what_they_mean(void **state)
{
    (void)state;
    static const struct {
        long status;
        const char *code;
        tlm_client_result result;
    } cases[] = {{404, "unlicensed", TLM_CLIENT_REFUSED},
                 {403, "expired", TLM_CLIENT_REFUSED},
                 {403, "revoked", TLM_CLIENT_REFUSED},
                 {409, "rollback", TLM_CLIENT_REFUSED},
                 {409, "exhausted", TLM_CLIENT_REFUSED},
                 {409, "seats-exhausted", TLM_CLIENT_SEATS},
                 {401, "unauthorized", TLM_CLIENT_DENIED},
                 {403, "permission", TLM_CLIENT_DENIED},
                 {403, "what-comes-later", TLM_CLIENT_DENIED},
                 {400, "argument", TLM_CLIENT_ARGUMENT},
                 {429, "too-many-requests", TLM_CLIENT_AWAY},
                 {503, "tpm-lost", TLM_CLIENT_AWAY},
                 {500, "io", TLM_CLIENT_AWAY},
                 {404, "not-found", TLM_CLIENT_FAILED},
                 {418, "teapot", TLM_CLIENT_FAILED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        tlm_client_error error = {0};
        (void)snprintf(text, sizeof text, "{\"code\":\"%s\",\"detail\":\"d\",\"position\":7}",
                       cases[i].code);
        assert_int_equal(read_reply(cases[i].status, text, false, &error), cases[i].result);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(error.message, "d");
        assert_int_equal(error.status, cases[i].status);
        assert_int_equal(error.position, 7);
    }
    assert_int_equal(read_reply(404, "{\"code\":\"not-found\"}", true, NULL), TLM_CLIENT_GONE);
}

static void takes_nothing_but_objects(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     "[]",    "1", "{", "{}x", "{\"a\":1,\"a\":2}",
                                        "\xff", "<html>"};
    tlm_client_error error = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(read_reply(200, wrong[i], false, &error), TLM_CLIENT_FAILED);
        assert_int_equal(read_reply(502, wrong[i], false, &error), TLM_CLIENT_AWAY);
        assert_true(strlen(error.message) > 0);
    }
    assert_int_equal(read_reply(200, NULL, false, &error), TLM_CLIENT_FAILED);
    char deep[200];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(read_reply(200, deep, false, &error), TLM_CLIENT_FAILED);
}

static void texts_of_a_problem_do_not_steer_a_terminal(void **state)
{
    (void)state;
    tlm_client_error error = {0};
    assert_int_equal(
        read_reply(403, "{\"code\":\"expired\",\"detail\":\"a\\u001b[2Jb\\n\"}", false, &error),
        TLM_CLIENT_REFUSED);
    assert_string_equal(error.message, "a?[2Jb?");
}

static tlm_client_result read_grant(const char *text, tlm_client_grant *grant)
{
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    tlm_client_result result = tlm_reply_grant(body, grant, NULL);
    json_decref(body);
    return result;
}

static void reads_a_grant(void **state)
{
    (void)state;
    tlm_client_grant grant;
    assert_int_equal(
        read_grant(
            "{\"lease\":\"0a-b\",\"feature\":\"pro\",\"client\":\"c\",\"units\":2,\"ttl\":300,"
            "\"fence\":9007199254740991,\"expires\":\"2030-01-31T12:00:00.123Z\","
            "\"memory\":{\"b\":1,\"a\":[2]},\"used\":null,\"remaining\":0,"
            "\"borrowed\":true,\"later\":1}",
            &grant),
        TLM_CLIENT_OK);
    assert_string_equal(grant.lease, "0a-b");
    assert_int_equal(grant.units, 2);
    assert_int_equal(grant.expires, 1896091200);
    assert_true(grant.fence == 9007199254740991LL);
    assert_string_equal(grant.memory, "{\"a\":[2],\"b\":1}");
    assert_int_equal(grant.used, -1);
    assert_int_equal(grant.remaining, 0);
    assert_true(grant.borrowed);
    tlm_client_grant_clear(&grant);
    assert_null(grant.memory);
    tlm_client_grant_clear(&grant);
    tlm_client_grant_clear(NULL);
}

static void refuses_members_that_cannot_be(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{}",
        "{\"feature\":1}",
        "{\"feature\":\"\"}",
        "{\"feature\":\"a\",\"lease\":\"0123456789012345678901234567890123456789\"}",
        "{\"feature\":\"a\\u0000b\"}",
        "{\"feature\":\"a\",\"ttl\":-1}",
        "{\"feature\":\"a\",\"ttl\":1.5}",
        "{\"feature\":\"a\",\"fence\":9007199254740992}",
        "{\"feature\":\"a\",\"expires\":\"tomorrow\"}",
        "{\"feature\":\"a\",\"expires\":\"2030-01-31T12:00:00+01:00\"}",
        "{\"feature\":\"a\",\"expires\":5}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tlm_client_grant grant;
        json_t *body = json_loads(wrong[i], JSON_ALLOW_NUL, NULL);
        assert_non_null(body);
        assert_int_equal(tlm_reply_grant(body, &grant, NULL), TLM_CLIENT_FAILED);
        tlm_client_grant_clear(&grant);
        json_decref(body);
    }
}

static void ids_of_the_network_make_no_other_path(void **state)
{
    (void)state;
    char path[TLM_EXCHANGE_PATH_SIZE];
    assert_true(tlm_exchange_path("0b8ff9dc-6aa1-4a1f-b8ea-0d2e4a1e2f30", path));
    assert_string_equal(path, "/api/v1/leases/0b8ff9dc-6aa1-4a1f-b8ea-0d2e4a1e2f30");
    assert_false(tlm_exchange_path("", path));
    assert_false(tlm_exchange_path("../licenses", path));
    assert_false(tlm_exchange_path("a?force=true", path));
    assert_false(
        tlm_exchange_path("0000000000000000000000000000000000000000000000000000000000000", path));
}

/* ---- clients ---- */

static tlm_client *new_client(void)
{
    tlm_client *client = NULL;
    tlm_client_error error = {0};
    assert_int_equal(tlm_client_new("unix:/nowhere/at.all", &client, &error), TLM_CLIENT_OK);
    return client;
}

static void checks_options(void **state)
{
    (void)state;
    tlm_client *client = new_client();
    char name[130];
    memset(name, 'n', sizeof name);
    name[128] = '\0';
    assert_int_equal(tlm_client_set_text(client, TLM_CLIENT_NAME, name, NULL), TLM_CLIENT_OK);
    name[128] = 'n';
    name[129] = '\0';
    assert_int_equal(tlm_client_set_text(client, TLM_CLIENT_NAME, name, NULL), TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_text(client, TLM_CLIENT_NAME, "", NULL), TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_text(client, TLM_CLIENT_NAME, "a\nb", NULL),
                     TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_text(client, TLM_CLIENT_TIMEOUT, "5", NULL),
                     TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_number(client, TLM_CLIENT_NAME, 5, NULL), TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_number(client, TLM_CLIENT_OPTION_COUNT, 5, NULL),
                     TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_number(client, TLM_CLIENT_TIMEOUT, 9, NULL),
                     TLM_CLIENT_ARGUMENT);
    assert_int_equal(tlm_client_set_number(client, TLM_CLIENT_TIMEOUT, 10, NULL), TLM_CLIENT_OK);
    assert_int_equal(tlm_client_set_text(NULL, TLM_CLIENT_NAME, "a", NULL), TLM_CLIENT_ARGUMENT);
    tlm_client_free(&client);
    assert_null(client);
    tlm_client_free(&client);
    tlm_client_free(NULL);
}

static void options_are_settled_by_the_first_request(void **state)
{
    (void)state;
    tlm_client *client = new_client();
    tlm_client_lease *lease = NULL;
    tlm_client_error error = {0};
    const tlm_client_ask ask = {.feature = "pro"};
    assert_int_equal(tlm_client_set_number(client, TLM_CLIENT_VERIFY, 0, NULL), TLM_CLIENT_OK);
    assert_int_equal(tlm_client_acquire(client, &ask, &lease, &error), TLM_CLIENT_AWAY);
    assert_null(lease);
    assert_non_null(strstr(error.message, "/nowhere/at.all"));
    assert_int_equal(tlm_client_set_number(client, TLM_CLIENT_VERIFY, 1, NULL),
                     TLM_CLIENT_ARGUMENT);
    tlm_client_free(&client);
}

static void verification_without_keys_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    tlm_client *client = new_client();
    tlm_client_lease *lease = NULL;
    tlm_client_error error = {0};
    const tlm_client_ask ask = {.feature = "pro"};
    assert_int_equal(tlm_client_acquire(client, &ask, &lease, &error), TLM_CLIENT_UNPROVEN);
    assert_string_equal(error.code, "untrusted");
    tlm_client_free(&client);
}

static void asks_for_nothing_that_cannot_be(void **state)
{
    (void)state;
    char text[258];
    memset(text, 'f', sizeof text);
    text[257] = '\0';
    const tlm_client_ask wrong[] = {{.feature = NULL},
                                    {.feature = ""},
                                    {.feature = text},
                                    {.feature = "a", .vendor = ""},
                                    {.feature = "a", .request = text},
                                    {.feature = "a", .units = -1},
                                    {.feature = "a", .ttl = -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(tlm_exchange_check(&wrong[i], NULL), TLM_CLIENT_ARGUMENT);
    }
    text[256] = '\0';
    const tlm_client_ask right = {.feature = text};
    assert_int_equal(tlm_exchange_check(&right, NULL), TLM_CLIENT_OK);
    assert_int_equal(tlm_exchange_check(NULL, NULL), TLM_CLIENT_ARGUMENT);
}

static void a_child_of_fork_is_told_so(void **state)
{
    (void)state;
    tlm_client *client = new_client();
    tlm_client_grant grant;
    const tlm_client_ask ask = {.feature = "pro"};
    pid_t child = fork();
    if (child == 0) {
        int status = tlm_client_check(client, &ask, &grant, NULL) == TLM_CLIENT_FORKED ? 0 : 1;
        tlm_client_free(&client);
        _exit(client == NULL ? status : 2);
    }
    assert_true(child > 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    /* The parent's goes on. */
    assert_int_equal(tlm_client_check(client, &ask, &grant, NULL), TLM_CLIENT_UNPROVEN);
    tlm_client_free(&client);
}

static void names_of_levels_and_results_are_complete(void **state)
{
    (void)state;
    for (int i = TLM_CLIENT_FINE; i <= TLM_CLIENT_STOP; i++) {
        assert_null(strstr(tlm_client_level_text((tlm_client_level)i), "unknown"));
    }
    for (int i = TLM_CLIENT_OK; i <= TLM_CLIENT_FORKED; i++) {
        assert_null(strstr(tlm_client_result_text((tlm_client_result)i), "unknown"));
    }
    assert_non_null(strstr(tlm_client_level_text((tlm_client_level)99), "unknown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form_of_url),
        cmocka_unit_test(refuses_what_is_no_url),
        cmocka_unit_test(bounds_the_path_of_a_socket),
        cmocka_unit_test(ladder_goes_down_with_time_alone),
        cmocka_unit_test(ladder_takes_configured_steps_in_order),
        cmocka_unit_test(renews_within_the_last_fifth_before_a_third),
        cmocka_unit_test(retries_with_growing_delays),
        cmocka_unit_test(sorts_problems_by_what_they_mean),
        cmocka_unit_test(takes_nothing_but_objects),
        cmocka_unit_test(texts_of_a_problem_do_not_steer_a_terminal),
        cmocka_unit_test(reads_a_grant),
        cmocka_unit_test(refuses_members_that_cannot_be),
        cmocka_unit_test(ids_of_the_network_make_no_other_path),
        cmocka_unit_test(checks_options),
        cmocka_unit_test(options_are_settled_by_the_first_request),
        cmocka_unit_test(verification_without_keys_is_refused_before_anything_is_sent),
        cmocka_unit_test(asks_for_nothing_that_cannot_be),
        cmocka_unit_test(a_child_of_fork_is_told_so),
        cmocka_unit_test(names_of_levels_and_results_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
