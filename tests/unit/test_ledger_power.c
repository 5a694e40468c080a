/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A script of everything that changes a ledger, cut at each operation on its files. Whatever was
 * acknowledged is there afterwards, nothing is there twice, the audit log verifies, nobody is
 * alarmed, and the rest of the script ends as it does without a cut. The same with a disk that is
 * full, or fails once.
 */
#include "ledger_fixture.h"

#include <tlm/audit.h>
#include <tlm/log.h>

#include "power_vfs.h"

#define FEATURES                                                                                   \
    "[{'id':'pro','seats':2,'model':{'type':'perpetual'}},"                                        \
    "{'id':'calls','seats':0,'model':{'type':'counter','direction':'down','limit':10}},"           \
    "{'id':'tok','seats':0,'model':{'type':'tokens','amount':5}},"                                 \
    "{'id':'hours','seats':1,'model':{'type':'usageTime','seconds':1000}},"                        \
    "{'id':'names','seats':3,'model':{'type':'list','max':2}}]"

/* Where all is slow only some of the cuts are made. */
#ifndef TLM_POWER_STRIDE
#define TLM_POWER_STRIDE 1U
#endif
#define SEEDS 2U

enum { CLIENTS = 5 };
static const char *const clients[CLIENTS] = {"c0", "c1", "c2", "c3", "c4"};

/* What was acknowledged, and where the script is. */
typedef struct script {
    fixture *f;
    tlm_package *package;
    size_t step;
    uint64_t counter; /* the token's */
    char leases[CLIENTS][37];
    bool returned[CLIENTS];
    int64_t fence; /* the largest one */
    int64_t calls;
    int64_t tokens;
    int64_t audit_seq;
    char audit_hash[65];
} script;

/* ---- steps: each can be done again after a failure ---- */

static tlm_result op(script *s, tlm_ledger_op what, tlm_ledger_request *request)
{
    tlm_ledger_request_clear(request);
    request->op = what;
    return tlm_ledger_run(s->f->ledger, request);
}

static tlm_result activate(script *s)
{
    tlm_ledger_request request = {.package = s->package};
    tlm_result result = op(s, TLM_LEDGER_ACTIVATE, &request);
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result take_seat(script *s, const char *feature, int client)
{
    tlm_ledger_request request = {
        .ask = {.feature = feature, .client = clients[client], .local = true}};
    tlm_result result = op(s, TLM_LEDGER_ACQUIRE, &request);
    if (result == TLM_OK) {
        (void)snprintf(s->leases[client], sizeof s->leases[client], "%s", request.grant.lease);
        if (!request.grant.repeated) {
            assert_true(request.grant.fence > s->fence);
        }
        s->fence = request.grant.fence > s->fence ? request.grant.fence : s->fence;
    }
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result give_seat(script *s, int client)
{
    tlm_ledger_request request = {.ask = {.lease = s->leases[client], .local = true}};
    tlm_result result = op(s, TLM_LEDGER_RELEASE, &request);
    /* The answer was lost, and not the deed. */
    result = result == TLM_ERR_NOT_FOUND ? TLM_OK : result;
    s->returned[client] = s->returned[client] || result == TLM_OK;
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result use(script *s, const char *feature, const char *id, int64_t units, bool back,
                      int64_t *total)
{
    tlm_ledger_request request = {.ask = {.feature = feature,
                                          .client = "c0",
                                          .request = id,
                                          .units = units,
                                          .give_back = back,
                                          .local = true}};
    tlm_result result = op(s, TLM_LEDGER_USE, &request);
    if (result == TLM_OK) {
        *total += back ? -units : units;
        assert_int_equal(request.grant.used, *total);
    }
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result checkpoint(script *s)
{
    tlm_ledger_request request = {0};
    tlm_result result = op(s, TLM_LEDGER_INTENT, &request);
    if (result == TLM_OK) {
        s->counter++; /* counted, whatever becomes of it */
        request.checkpoint =
            (tlm_checkpoint){.has_counter = true, .counter = s->counter, .tamper_proof = true};
        result = op(s, TLM_LEDGER_CHECKPOINT, &request);
    }
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result seat_0(script *s)
{
    return take_seat(s, "pro", 0);
}

static tlm_result seat_1(script *s)
{
    return take_seat(s, "pro", 1);
}

static tlm_result no_third_seat(script *s)
{
    tlm_result result = take_seat(s, "pro", 2);
    return result == TLM_ERR_SEATS ? TLM_OK : (result == TLM_OK ? TLM_ERR_CONFLICT : result);
}

static tlm_result use_calls(script *s)
{
    return use(s, "calls", "r1", 3, false, &s->calls);
}

static tlm_result use_more_calls(script *s)
{
    return use(s, "calls", "r2", 2, false, &s->calls);
}

static tlm_result renew_0(script *s)
{
    tlm_ledger_request request = {.ask = {.lease = s->leases[0], .local = true}};
    tlm_result result = op(s, TLM_LEDGER_RENEW, &request);
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result return_1(script *s)
{
    return give_seat(s, 1);
}

static tlm_result seat_2(script *s)
{
    return take_seat(s, "pro", 2);
}

static tlm_result take_tokens(script *s)
{
    return use(s, "tok", "r3", 3, false, &s->tokens);
}

static tlm_result return_tokens(script *s)
{
    return use(s, "tok", "r4", 1, true, &s->tokens);
}

static tlm_result hours_3(script *s)
{
    return take_seat(s, "hours", 3);
}

static tlm_result ten_seconds(script *s)
{
    pass(s->f, 10);
    return TLM_OK;
}

static tlm_result return_3(script *s)
{
    return give_seat(s, 3);
}

static tlm_result name_4(script *s)
{
    return take_seat(s, "names", 4);
}

static tlm_result accept_state(script *s)
{
    tlm_ledger_request request = {.ask = {.reason = "test", .peer = "uid 0"}};
    tlm_result result = op(s, TLM_LEDGER_ACCEPT, &request);
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result remove_license(script *s)
{
    tlm_ledger_request request = {.ask = {.license = tlm_issued_jti(1)}};
    tlm_result result = op(s, TLM_LEDGER_REMOVE, &request);
    tlm_ledger_request_clear(&request);
    return result == TLM_ERR_NOT_FOUND ? TLM_OK : result;
}

static tlm_result (*const steps[])(script *) = {
    checkpoint,  activate, seat_0,         seat_1,       no_third_seat,  use_calls,     renew_0,
    return_1,    seat_2,   use_more_calls, take_tokens,  checkpoint,     return_tokens, hours_3,
    ten_seconds, return_3, name_4,         accept_state, remove_license, activate,      checkpoint,
};

#define STEPS (sizeof steps / sizeof *steps)

/* ---- what has to be true ---- */

static void read_head(script *s)
{
    tlm_ledger_request request = {.after = -1, .limit = 1};
    assert_int_equal(op(s, TLM_LEDGER_AUDIT, &request), TLM_OK);
    const json_t *entry = json_array_get(json_object_get(request.answer, "entries"), 0);
    s->audit_seq = json_integer_value(json_object_get(entry, "seq"));
    (void)snprintf(s->audit_hash, sizeof s->audit_hash, "%s",
                   json_string_value(json_object_get(entry, "hash")));
    tlm_ledger_request_clear(&request);
}

/* The log is whole and goes on from the entry that was the newest. */
static void assert_log(script *s)
{
    tlm_ledger_request request = {.limit = 1000};
    assert_runs(s->f, TLM_LEDGER_AUDIT, &request);
    const json_t *entries = json_object_get(request.answer, "entries");
    char *text = calloc(1, 1 << 18);
    assert_non_null(text);
    size_t length = 0;
    size_t index;
    json_t *line;
    json_array_foreach(entries, index, line)
    {
        length += json_dumpb(line, text + length, (1 << 18) - length, JSON_COMPACT);
        text[length++] = '\n';
    }
    tlm_audit_report report = {0};
    tlm_error error = {0};
    if (tlm_audit_verify(text, length, NULL, &report, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(text);
    assert_true(report.last >= s->audit_seq);
    if (s->audit_seq > 0) {
        const json_t *entry = json_array_get(entries, (size_t)s->audit_seq - 1);
        assert_string_equal(json_string_value(json_object_get(entry, "hash")), s->audit_hash);
    }
    tlm_ledger_request_clear(&request);
}

static json_int_t figure_of(script *s, const char *feature, const char *name)
{
    tlm_ledger_request request = {.ask = {.license = tlm_issued_jti(1)}};
    json_int_t found = -1;
    if (op(s, TLM_LEDGER_LICENSE, &request) == TLM_OK) {
        size_t index;
        json_t *one;
        json_array_foreach(json_object_get(request.answer, "features"), index, one)
        {
            if (strcmp(json_string_value(json_object_get(one, "id")), feature) == 0) {
                found = json_integer_value(json_object_get(one, name));
            }
        }
    }
    tlm_ledger_request_clear(&request);
    return found;
}

/* Leases that were acknowledged are there, returned ones are not, and seats are counted right. */
static void assert_leases(script *s)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (s->leases[i][0] != '\0') {
            tlm_ledger_request request = {.ask = {.lease = s->leases[i], .local = true}};
            tlm_result result = op(s, TLM_LEDGER_LEASE, &request);
            tlm_ledger_request_clear(&request);
            assert_true(s->returned[i] ? result == TLM_ERR_NOT_FOUND
                                       : result == TLM_OK || result == TLM_ERR_NOT_FOUND);
        }
    }
    tlm_ledger_request request = {0};
    assert_runs(s->f, TLM_LEDGER_LEASES, &request);
    json_int_t seats = 0;
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(request.answer, "leases"), index, one)
    {
        bool pro = strcmp(json_string_value(json_object_get(one, "feature")), "pro") == 0;
        seats += pro ? json_integer_value(json_object_get(one, "units")) : 0;
    }
    tlm_ledger_request_clear(&request);
    assert_true(seats <= 2);
    json_int_t in_use = figure_of(s, "pro", "inUse");
    assert_true(in_use == -1 || in_use == seats);
}

static void assert_kept(script *s)
{
    json_int_t calls = figure_of(s, "calls", "used");
    json_int_t tokens = figure_of(s, "tok", "used");
    assert_true(calls == -1 ? s->calls == 0 : calls >= s->calls && calls <= s->calls + 3);
    assert_true(tokens == -1 ? s->tokens == 0 : tokens >= s->tokens - 1);
    assert_leases(s);
    assert_log(s);
}

static void assert_no_alarm(script *s)
{
    tlm_ledger_request request = {0};
    assert_runs(s->f, TLM_LEDGER_STATE, &request);
    assert_string_equal(json_string_value(json_object_get(request.answer, "state")), "ok");
    tlm_ledger_request_clear(&request);
}

/* As it ends without a cut. */
static void assert_end(script *s)
{
    assert_int_equal(s->calls, 5);
    assert_int_equal(s->tokens, 2);
    assert_int_equal(figure_of(s, "calls", "used"), 5);
    assert_int_equal(figure_of(s, "tok", "used"), 2);
    assert_int_equal(figure_of(s, "hours", "used"), 10);
    assert_int_equal(figure_of(s, "names", "used"), 1);
    assert_kept(s);
    assert_no_alarm(s);
}

/* ---- running ---- */

static void begin_script(script *s, fixture *f, tlm_package *package)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    *s = (script){.f = f, .package = package, .counter = 40};
    f->wall = TEST_BEGIN;
    f->steady = 1000000;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[TEST_PATH_MAX];
        (void)snprintf(path, sizeof path, "%.400s/" TLM_LEDGER_FILE "%s", f->directory, endings[i]);
        (void)unlink(path);
    }
}

/* Goes on until the end or the first failure. */
static tlm_result go_on(script *s)
{
    tlm_result result = TLM_OK;
    while (s->step < STEPS && result == TLM_OK) {
        result = steps[s->step](s);
        if (result == TLM_OK) {
            s->step++;
            read_head(s);
        }
    }
    return result;
}

/* Opens and goes on; what fails is what was told to. */
static tlm_result start(script *s)
{
    tlm_error error = {0};
    tlm_result result = try_open(s->f, &error);
    return result == TLM_OK ? go_on(s) : result;
}

/* After a cut: opens as the service does, with a first checkpoint. */
static void recover(script *s)
{
    tlm_error error = {0};
    if (try_open(s->f, &error) != TLM_OK) {
        fail_msg("after the cut: %s (%s)", error.message, tlm_result_code(error.result));
    }
    assert_kept(s);
    assert_int_equal(checkpoint(s), TLM_OK);
    assert_no_alarm(s);
}

static void finish(script *s)
{
    tlm_result result = go_on(s);
    if (result != TLM_OK) {
        fail_msg("step %zu after recovery: %s", s->step, tlm_result_code(result));
    }
    assert_end(s);
    tlm_ledger_close(&s->f->ledger);
    power_on();
}

typedef struct bench {
    fixture *f;
    tlm_package *package;
} bench;

static int setup(void **state)
{
    bench *on = calloc(1, sizeof *on);
    void *made = NULL;
    if (on == NULL || ledger_setup(&made) != 0) {
        free(on);
        return -1;
    }
    on->f = made;
    tlm_ledger_close(&on->f->ledger);
    on->f->config.vfs = POWER_VFS;
    char *container = tlm_issued_license(on->f->issued, claims_of(on->f, 1, FEATURES));
    on->package = tlm_issued_package(on->f->issued, TEST_FINGERPRINT, &container, 1);
    free(container);
    tlm_log_set_level(TLM_LOG_FATAL);
    *state = on;
    return 0;
}

static int teardown(void **state)
{
    bench *on = *state;
    void *made = on->f;
    tlm_package_free(&on->package);
    free(on);
    power_begin(0);
    return ledger_teardown(&made);
}

static unsigned count_operations(bench *on)
{
    script s;
    power_begin(1);
    begin_script(&s, on->f, on->package);
    assert_int_equal(start(&s), TLM_OK);
    assert_end(&s);
    tlm_ledger_close(&s.f->ledger);
    unsigned operations = power_operations();
    assert_true(operations > 100);
    power_on();
    return operations;
}

static void the_script_ends_as_it_should(void **state)
{
    (void)count_operations(*state);
}

static void a_cut_at_each_operation_loses_nothing(void **state)
{
    bench *on = *state;
    const unsigned operations = count_operations(on);
    for (unsigned n = 1; n <= operations; n += TLM_POWER_STRIDE) {
        for (unsigned seed = 0; seed < SEEDS; seed++) {
            script s;
            power_begin(SEEDS * n + seed);
            begin_script(&s, on->f, on->package);
            power_cut_at(n);
            (void)start(&s);
            tlm_ledger_close(&s.f->ledger);
            power_on();
            recover(&s);
            finish(&s);
        }
    }
}

/* The power goes again while the ledger is opened after a cut. */
static void a_second_cut_while_opening_loses_nothing(void **state)
{
    bench *on = *state;
    const unsigned operations = count_operations(on);
    for (unsigned n = 2; n <= operations; n += 11 * TLM_POWER_STRIDE) {
        for (unsigned again = 1; again <= 24; again += 1 + n % 3) {
            script s;
            power_begin(1000 + n + again);
            begin_script(&s, on->f, on->package);
            power_cut_at(n);
            (void)start(&s);
            tlm_ledger_close(&s.f->ledger);
            power_on();
            power_cut_at(power_operations() + again);
            tlm_error error = {0};
            if (try_open(s.f, &error) == TLM_OK) {
                (void)checkpoint(&s);
            }
            tlm_ledger_close(&s.f->ledger);
            power_on();
            recover(&s);
            finish(&s);
        }
    }
}

/* What was answered with an error did not happen, and there is room again later. */
static void a_full_disk_at_each_operation_loses_nothing(void **state)
{
    bench *on = *state;
    const unsigned operations = count_operations(on);
    for (unsigned n = 1; n <= operations; n += TLM_POWER_STRIDE) {
        script s;
        power_begin(n);
        begin_script(&s, on->f, on->package);
        power_full_at(n);
        tlm_result result = start(&s);
        if (s.f->ledger == NULL) {
            assert_int_equal(result, TLM_ERR_NO_SPACE);
            power_full_at(0);
            recover(&s);
        } else if (s.step < STEPS) {
            assert_int_equal(result, TLM_ERR_NO_SPACE);
            assert_kept(&s);
            power_full_at(0);
        }
        power_full_at(0);
        finish(&s);
    }
}

static void one_failed_operation_loses_nothing(void **state)
{
    bench *on = *state;
    const unsigned operations = count_operations(on);
    for (unsigned n = 1; n <= operations; n += TLM_POWER_STRIDE) {
        script s;
        power_begin(n);
        begin_script(&s, on->f, on->package);
        power_fail_at(n);
        (void)start(&s);
        if (s.f->ledger == NULL) {
            recover(&s);
        }
        finish(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_script_ends_as_it_should, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_at_each_operation_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_cut_while_opening_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_at_each_operation_loses_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_failed_operation_loses_nothing, setup, teardown),
    };
    power_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
