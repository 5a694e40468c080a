/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_LEDGER_GUARD_FIXTURE_H
#define TLM_TEST_LEDGER_GUARD_FIXTURE_H

/*
 * A ledger of which only guard and audit log are there, with clocks and a counter that a test
 * moves:
 *
 *     bench *on = make(false);
 *     checkpoint(on);
 *     set_clock(on, -HOUR);
 *     assert_state(on, "clock-back");
 *     end(on);
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit_private.h"
#include "guard_private.h"
#include "sql_private.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START (INT64_C(1800000000) * SECOND)
#define TOLERANCE 300 /* seconds */

typedef struct bench {
    sqlite3 *db;
    tlm_guard guard;
    tlm_ledger_limits limits;
    int64_t wall;
    int64_t steady;
    uint64_t counter; /* the token's, with what every reader took */
    tlm_token_clock clock;
} bench;

static inline void run_sql(sqlite3 *db, const char *text)
{
    tlm_error error = {0};
    if (tlm_sql_execute(db, text, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
}

static inline void load(bench *on, bool missing)
{
    tlm_error error = {0};
    run_sql(on->db, "BEGIN IMMEDIATE");
    if (tlm_guard_load(&on->guard, on->db, &on->limits, missing, on->wall, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    run_sql(on->db, "COMMIT");
}

static inline bench *make(bool missing)
{
    bench *on = calloc(1, sizeof *on);
    assert_non_null(on);
    on->wall = START;
    on->steady = 5 * SECOND;
    on->counter = 40;
    on->limits = (tlm_ledger_limits){.clock_tolerance = TOLERANCE};
    on->clock = (tlm_token_clock){
        .counted = true, .tamper_proof = true, .clock_ms = 7 * DAY, .reset_count = 3, .safe = true};
    assert_int_equal(sqlite3_open(":memory:", &on->db), SQLITE_OK);
    run_sql(on->db, tlm_guard_schema);
    run_sql(on->db, tlm_audit_schema);
    load(on, missing);
    return on;
}

static inline void end(bench *on)
{
    assert_int_equal(sqlite3_close(on->db), SQLITE_OK);
    free(on);
}

static inline void observe(bench *on)
{
    tlm_error error = {0};
    run_sql(on->db, "BEGIN IMMEDIATE");
    if (tlm_guard_observe(&on->guard, on->db, on->wall, on->steady, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    run_sql(on->db, "COMMIT");
}

/* Time goes on; every clock knows. */
static inline void pass(bench *on, int64_t ms)
{
    on->wall += ms;
    on->steady += ms;
    on->clock.clock_ms += (uint64_t)ms;
    observe(on);
}

/* Somebody sets the wall clock. */
static inline void set_clock(bench *on, int64_t by)
{
    on->wall += by;
    observe(on);
}

/* The program ends, time passes, and it starts again on the ledger as it was committed. */
static inline void restart(bench *on, int64_t away)
{
    on->wall += away;
    on->clock.clock_ms += (uint64_t)away;
    on->steady = 3 * SECOND;
    on->guard = (tlm_guard){0};
    load(on, false);
    observe(on);
}

static inline void intend(bench *on)
{
    tlm_error error = {0};
    run_sql(on->db, "BEGIN IMMEDIATE");
    assert_int_equal(tlm_guard_intent(&on->guard, on->db, &error), TLM_OK);
    run_sql(on->db, "COMMIT");
}

static inline void commit_reading(bench *on, const tlm_checkpoint *reading)
{
    tlm_error error = {0};
    run_sql(on->db, "BEGIN IMMEDIATE");
    if (tlm_guard_checkpoint(&on->guard, on->db, reading, on->wall, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    run_sql(on->db, "COMMIT");
    observe(on);
}

static inline tlm_checkpoint reading_of(bench *on)
{
    on->counter++;
    return (tlm_checkpoint){.has_counter = true,
                            .counter = on->counter,
                            .tamper_proof = true,
                            .has_clock = true,
                            .clock = on->clock};
}

static inline void checkpoint(bench *on)
{
    intend(on);
    const tlm_checkpoint reading = reading_of(on);
    commit_reading(on, &reading);
}

/* The ledger's file is another one, of before: all that was committed since `copy` is gone. */
static inline sqlite3 *copy_of(const bench *on)
{
    sqlite3 *copy = NULL;
    assert_int_equal(sqlite3_open(":memory:", &copy), SQLITE_OK);
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", on->db, "main");
    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
    return copy;
}

static inline void put_back(bench *on, sqlite3 *copy)
{
    assert_int_equal(sqlite3_close(on->db), SQLITE_OK);
    on->db = copy;
    restart(on, SECOND);
}

static inline void assert_state(const bench *on, const char *name)
{
    assert_string_equal(tlm_guard_state_name(on->guard.state), name);
}

static inline tlm_result permit(const bench *on, bool consumable)
{
    tlm_error error = {0};
    tlm_result result = tlm_guard_permit(&on->guard, consumable, &error);
    assert_int_equal(error.result, result);
    assert_true(result == TLM_OK || (error.message[0] != '\0' && error.hint[0] != '\0'));
    return result;
}

static inline void accept(bench *on)
{
    tlm_error error = {0};
    run_sql(on->db, "BEGIN IMMEDIATE");
    assert_int_equal(
        tlm_guard_accept(&on->guard, on->db, on->wall, on->steady, "restored", "uid 0", &error),
        TLM_OK);
    run_sql(on->db, "COMMIT");
    observe(on);
}

/* How many entries of the audit log tell of the event. */
static inline int audited(const bench *on, const char *text)
{
    sqlite3_stmt *query = NULL;
    assert_int_equal(sqlite3_prepare_v2(on->db,
                                        "SELECT COUNT(*) FROM audit WHERE instr(entry, ?) > 0", -1,
                                        &query, NULL),
                     SQLITE_OK);
    (void)sqlite3_bind_text(query, 1, text, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    int count = sqlite3_column_int(query, 0);
    (void)sqlite3_finalize(query);
    return count;
}

#endif
