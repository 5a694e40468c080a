/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tlm/log.h>

#include "audit_private.h"
#include "guard_store.h"

#define US_PER_MS INT64_C(1000)
#define MS_PER_S INT64_C(1000)

/* Marks are written when they moved by a fifth of the tolerance, within these bounds. */
#define KEEP_SHARE 5
#define KEEP_LEAST_MS (1 * MS_PER_S)
#define KEEP_MOST_MS (60 * MS_PER_S)

/* The part by which two of the host's clocks may differ: what a steady clock gains while something
 * steps the wall clock back to the right time again and again. */
#define DRIFT_US_PER_MS 1

/* The part by which a TPM's oscillator may run too fast and be in order: 15 of 100. */
#define TPM_FAST 15
#define TPM_WHOLE 100

/* Every tie to the clocks begins now. */
static void begin_marks(tlm_guard *guard, int64_t wall)
{
    guard->marks = (tlm_guard_marks){.high_water = wall, .wall = wall};
    guard->has_clock = false;
}

static int64_t behind_ms(const tlm_guard *guard)
{
    return guard->marks.behind_us / US_PER_MS;
}

/* ---- states ---- */

static tlm_result note(tlm_guard *guard, sqlite3 *db, tlm_guard_state found, int64_t wall,
                       const char *detail, tlm_error *error)
{
    json_t *members = json_pack("{s:s, s:s, s:s}", "state", tlm_guard_state_name(found), "was",
                                tlm_guard_state_name(guard->state), "detail", detail);
    if (members == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                             "no memory for an entry of the audit log");
    }
    tlm_log(found == TLM_GUARD_OK ? TLM_LOG_INFO : TLM_LOG_WARNING, "ledger_state",
            "state=%s was=%s detail=\"%s\"", tlm_guard_state_name(found),
            tlm_guard_state_name(guard->state), detail);
    return tlm_audit_append(db, wall, "state", members, error);
}

/* Whether what was found takes the place of the state that is. */
static bool is_graver(const tlm_guard *guard, tlm_guard_state found)
{
    return guard->state == TLM_GUARD_OK ||
           (guard->state == TLM_GUARD_CLOCK_BACK && found != TLM_GUARD_CLOCK_BACK);
}

static tlm_result enter(tlm_guard *guard, sqlite3 *db, tlm_guard_state found, int64_t wall,
                        const char *detail, tlm_error *error)
{
    tlm_result result = note(guard, db, found, wall, detail, error);
    if (result != TLM_OK) {
        return result;
    }
    if (is_graver(guard, found)) {
        guard->state = found;
        guard->since = wall;
        (void)snprintf(guard->detail, sizeof guard->detail, "%s", detail);
    }
    return TLM_OK;
}

static tlm_result leave(tlm_guard *guard, sqlite3 *db, int64_t wall, tlm_error *error)
{
    tlm_result result = note(guard, db, TLM_GUARD_OK, wall, "the clock is right again", error);
    if (result == TLM_OK) {
        guard->state = TLM_GUARD_OK;
        guard->since = wall;
        guard->detail[0] = '\0';
    }
    return result;
}

/* ---- load ---- */

static tlm_result make_row(tlm_guard *guard, sqlite3 *db, bool missing, int64_t wall,
                           tlm_error *error)
{
    guard->since = wall;
    begin_marks(guard, wall);
    tlm_result result = TLM_OK;
    if (missing) {
        result = enter(guard, db, TLM_GUARD_LEDGER_MISSING, wall,
                       "the files of this host name a ledger, and there was none", error);
    }
    return result == TLM_OK ? tlm_guard_write(guard, db, error) : result;
}

tlm_result tlm_guard_load(tlm_guard *guard, sqlite3 *db, const tlm_ledger_limits *limits,
                          bool missing, int64_t wall, tlm_error *error)
{
    tlm_guard loaded = {.policy = limits->policy,
                        .tolerance = limits->clock_tolerance * MS_PER_S,
                        .checked = guard->checked};
    if (loaded.tolerance < MS_PER_S) {
        loaded.tolerance = MS_PER_S; /* less is within what reading two clocks takes */
    }
    bool found = false;
    tlm_result result = tlm_guard_read(&loaded, db, &found, error);
    if (result == TLM_OK && !found) {
        result = make_row(&loaded, db, missing, wall, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    loaded.marks = loaded.kept;
    if (guard->loaded) {
        /* What was seen stays seen, though it was not committed. */
        loaded.marks = guard->begun ? loaded.kept : guard->marks;
        loaded.begun = guard->begun;
        loaded.observed = guard->observed;
        loaded.last_steady = guard->last_steady;
        /* A part of the transaction may have been undone, and not the checkpoint. */
        loaded.fresh = guard->fresh && loaded.has_counter && loaded.counter == guard->counter;
    }
    loaded.loaded = true;
    *guard = loaded;
    return TLM_OK;
}

/* ---- clocks ---- */

/* How far the clock fell behind since the last look. */
static void look(tlm_guard *guard, int64_t wall, int64_t steady)
{
    tlm_guard_marks *marks = &guard->marks;
    if (guard->observed) {
        int64_t passed = steady > guard->last_steady ? steady - guard->last_steady : 0;
        int64_t moved = wall - marks->wall;
        marks->behind_us += (passed - moved) * US_PER_MS - passed * DRIFT_US_PER_MS;
    } else if (wall < marks->wall) {
        marks->behind_us += (marks->wall - wall) * US_PER_MS;
    }
    if (marks->behind_us < 0) {
        marks->behind_us = 0;
    }
    guard->observed = true;
    guard->last_steady = steady;
    marks->wall = wall;
    if (wall < marks->high_water) {
        return;
    }
    marks->high_water = wall;
    if (behind_ms(guard) > guard->tolerance) {
        /* Waited out: every instant that was seen has come. Nothing is left of the tolerance, so
         * that the same minutes cannot be had again and again. */
        marks->behind_us = (guard->tolerance - MS_PER_S) * US_PER_MS;
        guard->has_clock = false;
    }
}

/* Enters or leaves clock-back; *changed is whether the row has to be written. */
static tlm_result judge_clock(tlm_guard *guard, sqlite3 *db, bool *changed, tlm_error *error)
{
    const tlm_guard_marks *marks = &guard->marks;
    int64_t below = marks->high_water - marks->wall;
    bool back = behind_ms(guard) > guard->tolerance || below > guard->tolerance;
    *changed = false;
    if (back && guard->state == TLM_GUARD_OK) {
        char detail[sizeof guard->detail];
        int64_t by = behind_ms(guard) > below ? behind_ms(guard) : below;
        (void)snprintf(detail, sizeof detail,
                       "the clock is %" PRId64 " seconds behind, and %" PRId64 " are tolerated",
                       by / MS_PER_S, guard->tolerance / MS_PER_S);
        *changed = true;
        return enter(guard, db, TLM_GUARD_CLOCK_BACK, marks->wall, detail, error);
    }
    if (!back && guard->state == TLM_GUARD_CLOCK_BACK) {
        *changed = true;
        return leave(guard, db, marks->wall, error);
    }
    return TLM_OK;
}

static int64_t distance(int64_t left, int64_t right)
{
    return left > right ? left - right : right - left;
}

static bool moved_by(const tlm_guard *guard, int64_t least)
{
    return distance(guard->marks.wall, guard->kept.wall) >= least ||
           distance(guard->marks.behind_us, guard->kept.behind_us) >= least * US_PER_MS ||
           guard->marks.high_water - guard->kept.high_water >= least;
}

static int64_t granularity(const tlm_guard *guard)
{
    int64_t share = guard->tolerance / KEEP_SHARE;
    if (share < KEEP_LEAST_MS) {
        return KEEP_LEAST_MS;
    }
    return share < KEEP_MOST_MS ? share : KEEP_MOST_MS;
}

tlm_result tlm_guard_observe(tlm_guard *guard, sqlite3 *db, int64_t wall, int64_t steady,
                             tlm_error *error)
{
    /* The transaction before this one was committed, or the guard would have been loaded. */
    guard->checked = guard->checked || guard->fresh;
    guard->fresh = false;
    guard->begun = false;
    look(guard, wall, steady);
    bool changed = false;
    tlm_result result = judge_clock(guard, db, &changed, error);
    if (result == TLM_OK && (changed || moved_by(guard, granularity(guard)))) {
        result = tlm_guard_write(guard, db, error);
    }
    return result;
}

tlm_result tlm_guard_keep(tlm_guard *guard, sqlite3 *db, tlm_error *error)
{
    return moved_by(guard, KEEP_LEAST_MS) ? tlm_guard_write(guard, db, error) : TLM_OK;
}

/* ---- counter ---- */

tlm_result tlm_guard_intent(tlm_guard *guard, sqlite3 *db, tlm_error *error)
{
    if (guard->intents < TLM_GUARD_INTENTS_MAX) {
        guard->intents++;
    }
    return tlm_guard_write(guard, db, error);
}

/* What the reading says of the ledger; the text is its reason. */
static tlm_guard_state judge_counter(const tlm_guard *guard, const tlm_checkpoint *reading,
                                     char *detail, size_t size)
{
    if (!guard->has_counter) {
        return TLM_GUARD_OK;
    }
    if (!reading->has_counter) {
        (void)snprintf(detail, size, "the token has no counter any more; it was at %" PRIu64,
                       guard->counter);
        return TLM_GUARD_COUNTER_LOST;
    }
    if (guard->tamper_proof && !reading->tamper_proof) {
        (void)snprintf(detail, size, "the counter is not the TPM's any more, which was at %" PRIu64,
                       guard->counter);
        return TLM_GUARD_COUNTER_LOST;
    }
    if (reading->counter <= guard->counter) {
        (void)snprintf(detail, size,
                       "the token's counter is at %" PRIu64 " and was at %" PRIu64 " before",
                       reading->counter, guard->counter);
        return TLM_GUARD_COUNTER_LOST;
    }
    if (reading->counter - guard->counter > guard->intents) {
        (void)snprintf(detail, size,
                       "the token's counter is at %" PRIu64 ", and this ledger knows of %" PRIu64
                       " and %u later readings: %" PRIu64 " were made without it",
                       reading->counter, guard->counter, guard->intents,
                       reading->counter - guard->counter - guard->intents);
        return TLM_GUARD_ROLLED_BACK;
    }
    return TLM_GUARD_OK;
}

/* Whether the time between two readings of the token's clock means anything. */
static bool comparable(const tlm_guard *guard, const tlm_token_clock *now)
{
    return guard->has_clock && guard->clock.safe && now->safe &&
           guard->clock.reset_count == now->reset_count && now->clock_ms >= guard->clock.clock_ms &&
           now->clock_ms - guard->clock.clock_ms < (uint64_t)INT64_MAX / TPM_WHOLE;
}

/* The TPM was powered for some time: at least so long ago, less its error, was the last reading.
 * Compared with what the wall clock should have shown then, so that what falls behind adds up. */
static void look_at_token(tlm_guard *guard, const tlm_token_clock *now, int64_t wall)
{
    if (comparable(guard, now)) {
        int64_t powered = (int64_t)(now->clock_ms - guard->clock.clock_ms);
        int64_t due = guard->clock_wall + powered / TPM_WHOLE * (TPM_WHOLE - TPM_FAST);
        if (due - wall > behind_ms(guard)) {
            guard->marks.behind_us = (due - wall) * US_PER_MS;
            guard->marks.high_water = due > guard->marks.high_water ? due : guard->marks.high_water;
        }
    }
    guard->has_clock = now->counted;
    guard->clock = *now;
    guard->clock_wall = wall + behind_ms(guard);
}

tlm_result tlm_guard_checkpoint(tlm_guard *guard, sqlite3 *db, const tlm_checkpoint *reading,
                                int64_t wall, tlm_error *error)
{
    char detail[sizeof guard->detail] = "";
    tlm_guard_state found = judge_counter(guard, reading, detail, sizeof detail);
    tlm_result result =
        found != TLM_GUARD_OK ? enter(guard, db, found, wall, detail, error) : TLM_OK;
    if (result != TLM_OK) {
        return result;
    }
    guard->has_counter = reading->has_counter;
    guard->tamper_proof = reading->has_counter && reading->tamper_proof;
    guard->counter = reading->has_counter ? reading->counter : 0;
    guard->intents = 0;
    if (reading->has_clock) {
        look_at_token(guard, &reading->clock, wall);
    }
    bool changed = false;
    result = judge_clock(guard, db, &changed, error);
    if (result == TLM_OK) {
        result = tlm_guard_write(guard, db, error);
    }
    guard->fresh = result == TLM_OK;
    return result;
}

tlm_result tlm_guard_replaced(tlm_guard *guard, sqlite3 *db, int64_t wall, tlm_error *error)
{
    if (!is_graver(guard, TLM_GUARD_REPLACED)) {
        return TLM_OK;
    }
    tlm_result result =
        enter(guard, db, TLM_GUARD_REPLACED, wall,
              "the file is not the one that was open, or that this host's files name", error);
    return result == TLM_OK ? tlm_guard_write(guard, db, error) : result;
}

/* ---- accept ---- */

static bool put(json_t *object, const char *name, const char *text)
{
    return text == NULL || json_object_set_new(object, name, json_string(text)) == 0;
}

tlm_result tlm_guard_accept(tlm_guard *guard, sqlite3 *db, int64_t wall, int64_t steady,
                            const char *reason, const char *peer, tlm_error *error)
{
    json_t *members = json_object();
    if (!put(members, "state", tlm_guard_state_name(guard->state)) ||
        !put(members, "detail", guard->detail[0] != '\0' ? guard->detail : NULL) ||
        !put(members, "reason", reason) || !put(members, "peer", peer)) {
        json_decref(members);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL,
                             "no memory for an entry of the audit log, or a reason that is no text "
                             "in UTF-8");
    }
    tlm_result result = tlm_audit_append(db, wall, "accepted", members, error);
    if (result != TLM_OK) {
        return result;
    }
    guard->state = TLM_GUARD_OK;
    guard->since = wall;
    guard->detail[0] = '\0';
    begin_marks(guard, wall);
    guard->begun = true;
    guard->observed = true;
    guard->last_steady = steady;
    return tlm_guard_write(guard, db, error);
}
