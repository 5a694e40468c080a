/* SPDX-License-Identifier: BSD-2-Clause */
/* The warden on a real ledger, with a token and a clock that the test moves. */
#include "test_directory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <tlm/audit.h>
#include <tlm/ledger.h>

#include "../../licensing/src/warden_private.h"
#include "statement_fixture.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define START (INT64_C(1800000000) * SECOND)
#define INTERVAL 300U /* seconds between checkpoints */
#define STORAGE "11111111-2222-4333-8444-555555555555"
#define FINGERPRINT TEST_FINGERPRINT

typedef struct bench {
    char *directory;
    tlm_trust *trust;
    tlm_ledger *ledger;
    tlm_warden *warden;
    tlm_warden_config config;
    statement_signer signer;

    atomic_llong wall;
    atomic_llong steady;
    atomic_ullong counter; /* the token's */
    bool tamper_proof;
    tlm_result counter_fails; /* and counts nothing */
    tlm_result prove_fails;
    atomic_uint readings;
    atomic_uint proofs;
    tlm_host_component components[2];
} bench;

/* ---- the token ---- */

static tlm_result count_next(void *context, uint64_t *value, bool *tamper_proof, tlm_error *error)
{
    bench *on = context;
    (void)atomic_fetch_add(&on->readings, 1);
    if (on->counter_fails != TLM_OK) {
        return tlm_error_set(error, on->counter_fails, "wait", "the token's counter fails");
    }
    *value = atomic_fetch_add(&on->counter, 1) + 1;
    *tamper_proof = on->tamper_proof;
    return TLM_OK;
}

static tlm_result tell_time(void *context, tlm_token_clock *clock, tlm_error *error)
{
    (void)error;
    bench *on = context;
    *clock = (tlm_token_clock){.counted = true,
                               .tamper_proof = true,
                               .clock_ms = (uint64_t)atomic_load(&on->steady),
                               .reset_count = 1,
                               .safe = true};
    return TLM_OK;
}

static tlm_result prove(void *context, json_t *statement, json_t **proof, tlm_error *error)
{
    bench *on = context;
    (void)atomic_fetch_add(&on->proofs, 1);
    if (on->prove_fails != TLM_OK) {
        json_decref(statement);
        return tlm_error_set(error, on->prove_fails, "wait", "the token does not sign");
    }
    assert_int_equal(json_object_set_new(statement, "fingerprint", json_string(FINGERPRINT)), 0);
    assert_int_equal(json_object_set_new(statement, "iat", json_integer(TEST_NOW)), 0);
    char *text = json_dumps(statement, 0);
    *proof = statement_prove(&on->signer, text, 0, 1);
    free(text);
    json_decref(statement);
    return TLM_OK;
}

static tlm_result look(void *context, tlm_ledger_host *host, tlm_error *error)
{
    (void)error;
    bench *on = context;
    *host = (tlm_ledger_host){.type = TLM_FINGERPRINT_TPM,
                              .fingerprint = FINGERPRINT,
                              .components = on->components,
                              .component_count = 2};
    return TLM_OK;
}

/* ---- the ledger ---- */

static int64_t wall_of(void *context)
{
    bench *on = context;
    return atomic_load(&on->wall);
}

static int64_t steady_of(void *context)
{
    bench *on = context;
    return atomic_load(&on->steady);
}

static void open_ledger(bench *on)
{
    tlm_error error = {0};
    tlm_ledger_host host;
    assert_int_equal(look(on, &host, NULL), TLM_OK);
    const tlm_ledger_config config = {
        .directory = on->directory,
        .storage_id = STORAGE,
        .trust = on->trust,
        .host = host,
        .limits = {.ttl = 300, .ttl_max = 86400, .clock_tolerance = 300},
        .clock = {.wall = wall_of, .steady = steady_of, .context = on},
    };
    if (tlm_ledger_open(&config, &on->ledger, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    on->config.ledger = on->ledger;
}

static int make(void **state)
{
    bench *on = calloc(1, sizeof *on);
    void *directory = NULL;
    if (on == NULL || directory_setup(&directory) != 0) {
        free(on);
        return -1;
    }
    on->directory = directory;
    atomic_init(&on->wall, START);
    atomic_init(&on->steady, HOUR);
    atomic_init(&on->counter, 40);
    on->tamper_proof = true;
    statement_signer_make(&on->signer);
    on->components[0] = (tlm_host_component){"cpu", 1, true, "aa"};
    on->components[1] = (tlm_host_component){"disk", 2, true, "bb"};
    on->config = (tlm_warden_config){.counter = count_next,
                                     .clock = tell_time,
                                     .prove = prove,
                                     .look = look,
                                     .context = on,
                                     .checkpoint_seconds = INTERVAL};
    assert_int_equal(tlm_trust_new(&on->trust, NULL), TLM_OK);
    open_ledger(on);
    *state = on;
    return 0;
}

static int clear(void **state)
{
    bench *on = *state;
    void *directory = on->directory;
    tlm_warden_stop(&on->warden);
    tlm_ledger_close(&on->ledger);
    tlm_trust_free(&on->trust);
    statement_signer_clear(&on->signer);
    free(on);
    return directory_teardown(&directory);
}

static void make_warden(bench *on)
{
    assert_int_equal(tlm_warden_make(&on->config, &on->warden, NULL), TLM_OK);
}

/* Time passes, and the warden comes as often as it wants to. */
static void run_for(bench *on, int64_t ms)
{
    int64_t until = atomic_load(&on->steady) + ms;
    for (;;) {
        int64_t now = atomic_load(&on->steady);
        int64_t next = tlm_warden_turn(on->warden, now);
        assert_true(next > now);
        next = next < until ? next : until;
        (void)atomic_fetch_add(&on->wall, next - now);
        atomic_store(&on->steady, next);
        if (next == until) {
            return;
        }
    }
}

static void run_op(bench *on, tlm_ledger_request *request)
{
    if (tlm_ledger_run(on->ledger, request) != TLM_OK) {
        fail_msg("%s", request->error.message);
    }
}

static json_t *state_of(bench *on)
{
    tlm_ledger_request tick = {.op = TLM_LEDGER_TICK};
    run_op(on, &tick);
    tlm_ledger_request_clear(&tick);
    tlm_ledger_request request = {.op = TLM_LEDGER_STATE};
    run_op(on, &request);
    json_t *answer = json_incref(request.answer);
    tlm_ledger_request_clear(&request);
    return answer;
}

static void assert_state(bench *on, const char *expected)
{
    json_t *answer = state_of(on);
    assert_string_equal(json_string_value(json_object_get(answer, "state")), expected);
    json_decref(answer);
}

static int64_t counter_of(bench *on)
{
    json_t *answer = state_of(on);
    int64_t value =
        json_integer_value(json_object_get(json_object_get(answer, "counter"), "value"));
    json_decref(answer);
    return value;
}

/* Something that a copy of the ledger would not have. */
static void consume(bench *on)
{
    tlm_ledger_request request = {.op = TLM_LEDGER_ACCEPT, .ask = {.reason = "test"}};
    run_op(on, &request);
    tlm_ledger_request_clear(&request);
    assert_true(tlm_ledger_dirty(on->ledger));
}

static char *export_log(bench *on)
{
    tlm_ledger_request request = {.op = TLM_LEDGER_AUDIT, .limit = 1000};
    run_op(on, &request);
    char *text = strdup("");
    size_t index;
    json_t *line;
    json_array_foreach(json_object_get(request.answer, "entries"), index, line)
    {
        char *compact = json_dumps(line, JSON_COMPACT);
        char *longer = NULL;
        assert_true(asprintf(&longer, "%s%s\n", text, compact) > 0);
        free(text);
        free(compact);
        text = longer;
    }
    tlm_ledger_request_clear(&request);
    return text;
}

static tlm_audit_report verify_log(bench *on)
{
    tlm_audit_report report = {0};
    tlm_error error = {0};
    char *text = export_log(on);
    if (tlm_audit_verify(text, strlen(text), on->signer.jwks, &report, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(text);
    return report;
}

/* ---- checkpoints ---- */

static void the_first_checkpoint_is_made_at_once(void **state)
{
    bench *on = *state;
    make_warden(on);
    (void)tlm_warden_turn(on->warden, atomic_load(&on->steady));
    assert_int_equal(atomic_load(&on->readings), 1);
    assert_int_equal(counter_of(on), 41);
    assert_false(tlm_ledger_dirty(on->ledger));
}

static void without_news_no_checkpoint_is_made(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, 10 * HOUR);
    assert_int_equal(atomic_load(&on->readings), 1);
}

static void news_are_followed_by_a_checkpoint_and_not_more_often(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, 2 * HOUR);
    consume(on);
    run_for(on, 2 * SECOND);
    assert_int_equal(atomic_load(&on->readings), 2);
    consume(on);
    run_for(on, INTERVAL * SECOND - 3 * SECOND);
    assert_int_equal(atomic_load(&on->readings), 2);
    run_for(on, 3 * SECOND);
    assert_int_equal(atomic_load(&on->readings), 3);
    assert_state(on, "ok");
}

static void the_last_checkpoint_is_made_at_the_end(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    consume(on);
    tlm_warden_stop(&on->warden);
    assert_int_equal(atomic_load(&on->readings), 2);
    make_warden(on);
    run_for(on, SECOND);
    assert_int_equal(atomic_load(&on->readings), 3);
    tlm_warden_stop(&on->warden); /* without news none */
    assert_int_equal(atomic_load(&on->readings), 3);
    assert_state(on, "ok");
}

static void a_reading_by_somebody_else_is_found(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    (void)atomic_fetch_add(&on->counter, 1);
    consume(on);
    run_for(on, INTERVAL * SECOND);
    assert_state(on, "rolled-back");
}

static void a_token_that_is_away_is_tried_later_and_later(void **state)
{
    bench *on = *state;
    on->counter_fails = TLM_ERR_TOKEN_UNAVAILABLE;
    make_warden(on);
    run_for(on, 63 * SECOND); /* 1 + 2 + 4 + 8 + 16 + 32 */
    assert_in_range(atomic_load(&on->readings), 6, 8);
    run_for(on, HOUR);
    assert_in_range(atomic_load(&on->readings), 60, 70);
    assert_state(on, "ok");
    on->counter_fails = TLM_OK;
    run_for(on, MINUTE);
    assert_int_equal(counter_of(on), 41);
    assert_state(on, "ok");
}

static void a_token_that_has_no_counter_is_one_without(void **state)
{
    bench *on = *state;
    on->counter_fails = TLM_ERR_UNSUPPORTED;
    make_warden(on);
    run_for(on, HOUR);
    assert_int_equal(atomic_load(&on->readings), TLM_WARDEN_GONE);
    json_t *shown = state_of(on);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(shown, "counter"), "kind")), "none");
    json_decref(shown);
    assert_state(on, "ok");
}

static void a_counter_that_is_taken_away_is_missed(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    on->counter_fails = TLM_ERR_PERMISSION;
    consume(on);
    run_for(on, INTERVAL * SECOND);
    assert_state(on, "counter-lost");
}

/* Once is not for good: a token service that is just starting says so, too. */
static void a_counter_that_is_missed_once_is_read_again(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, HOUR);
    on->counter_fails = TLM_ERR_UNSUPPORTED;
    consume(on);
    (void)tlm_warden_turn(on->warden, atomic_load(&on->steady));
    on->counter_fails = TLM_OK;
    run_for(on, MINUTE);
    assert_state(on, "ok");
    assert_int_equal(counter_of(on), 42);
}

/* ---- anchors ---- */

static void the_log_is_anchored_at_the_start(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, SECOND);
    assert_int_equal(atomic_load(&on->proofs), 1);
    tlm_audit_report report = verify_log(on);
    assert_int_equal(report.anchors, 1);
    assert_int_equal(report.anchored_to, report.last);
}

static void new_entries_are_anchored_within_the_hour(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    consume(on);
    run_for(on, HOUR - 2 * MINUTE);
    assert_int_equal(atomic_load(&on->proofs), 1);
    run_for(on, 2 * MINUTE);
    assert_int_equal(atomic_load(&on->proofs), 2);
    run_for(on, 5 * HOUR); /* nothing new */
    assert_int_equal(atomic_load(&on->proofs), 2);
    tlm_audit_report report = verify_log(on);
    assert_int_equal(report.anchored_to, report.last);
}

static void many_entries_are_anchored_soon(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    for (int i = 0; i < TLM_WARDEN_ENTRIES; i++) {
        consume(on);
    }
    run_for(on, TLM_WARDEN_HEAD);
    assert_int_equal(atomic_load(&on->proofs), 2);
    tlm_audit_report report = verify_log(on);
    assert_int_equal(report.anchored_to, report.last);
}

static void the_end_is_anchored(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    consume(on);
    tlm_warden_stop(&on->warden);
    tlm_audit_report report = verify_log(on);
    assert_int_equal(report.anchors, 2);
    assert_int_equal(report.anchored_to, report.last);
}

static void a_token_that_does_not_sign_is_asked_again(void **state)
{
    bench *on = *state;
    on->prove_fails = TLM_ERR_TOKEN_UNAVAILABLE;
    make_warden(on);
    run_for(on, 10 * SECOND);
    assert_in_range(atomic_load(&on->proofs), 3, 5);
    on->prove_fails = TLM_OK;
    run_for(on, MINUTE);
    assert_int_equal(verify_log(on).anchors, 1);
}

static void a_host_that_cannot_sign_is_asked_seldom(void **state)
{
    bench *on = *state;
    on->prove_fails = TLM_ERR_UNSUPPORTED;
    make_warden(on);
    run_for(on, HOUR - MINUTE);
    assert_int_equal(atomic_load(&on->proofs), 1);
}

/* ---- the host, and threads ---- */

static void a_changed_component_reaches_the_ledger(void **state)
{
    bench *on = *state;
    make_warden(on);
    run_for(on, MINUTE);
    memcpy(on->components[1].sha256, "cc", 3);
    run_for(on, TLM_WARDEN_HOST);
    json_t *summary = tlm_ledger_summary(on->ledger);
    assert_non_null(summary);
    json_decref(summary);
    assert_state(on, "ok");
}

static void works_with_nothing_but_a_ledger(void **state)
{
    bench *on = *state;
    on->config = (tlm_warden_config){.ledger = on->ledger, .checkpoint_seconds = INTERVAL};
    make_warden(on);
    run_for(on, 2 * HOUR);
    assert_state(on, "ok");
}

static void its_threads_start_and_end(void **state)
{
    bench *on = *state;
    tlm_error error = {0};
    assert_int_equal(tlm_warden_start(&on->config, &on->warden, &error), TLM_OK);
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 20000 && atomic_load(&on->proofs) == 0; i++) {
        (void)nanosleep(&pause, NULL); /* until its first turn is over */
    }
    assert_int_equal(atomic_load(&on->proofs), 1);
    tlm_warden_stop(&on->warden);
    assert_null(on->warden);
    tlm_warden_stop(&on->warden);
    tlm_warden_stop(NULL);
    assert_int_equal(counter_of(on), 41);
}

static void an_end_before_the_first_turn_leaves_a_checkpoint(void **state)
{
    bench *on = *state;
    make_warden(on);
    tlm_warden_stop(&on->warden);
    assert_int_equal(counter_of(on), 41);
}

int main(void)
{
#define WARDEN_TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
    const struct CMUnitTest tests[] = {
        WARDEN_TEST(the_first_checkpoint_is_made_at_once),
        WARDEN_TEST(without_news_no_checkpoint_is_made),
        WARDEN_TEST(news_are_followed_by_a_checkpoint_and_not_more_often),
        WARDEN_TEST(the_last_checkpoint_is_made_at_the_end),
        WARDEN_TEST(a_reading_by_somebody_else_is_found),
        WARDEN_TEST(a_token_that_is_away_is_tried_later_and_later),
        WARDEN_TEST(a_token_that_has_no_counter_is_one_without),
        WARDEN_TEST(a_counter_that_is_taken_away_is_missed),
        WARDEN_TEST(a_counter_that_is_missed_once_is_read_again),
        WARDEN_TEST(the_log_is_anchored_at_the_start),
        WARDEN_TEST(new_entries_are_anchored_within_the_hour),
        WARDEN_TEST(many_entries_are_anchored_soon),
        WARDEN_TEST(the_end_is_anchored),
        WARDEN_TEST(a_token_that_does_not_sign_is_asked_again),
        WARDEN_TEST(a_host_that_cannot_sign_is_asked_seldom),
        WARDEN_TEST(a_changed_component_reaches_the_ledger),
        WARDEN_TEST(works_with_nothing_but_a_ledger),
        WARDEN_TEST(its_threads_start_and_end),
        WARDEN_TEST(an_end_before_the_first_turn_leaves_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
