/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard_store.h"

#include <stdio.h>
#include <string.h>

#include "sql_private.h"

const char tlm_guard_schema[] =
    "CREATE TABLE guard ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " state TEXT NOT NULL,"
    " since INTEGER NOT NULL,"
    " detail TEXT NOT NULL,"
    " high_water INTEGER NOT NULL,"
    " wall INTEGER NOT NULL,"
    " behind_us INTEGER NOT NULL,"
    " intents INTEGER NOT NULL,"
    " tamper_proof INTEGER NOT NULL,"
    " counter INTEGER,"    /* NULL: there was no reading */
    " clock_wall INTEGER," /* NULL: nor one of the clock; the next five are of one moment */
    " clock_ms INTEGER NOT NULL,"
    " reset_count INTEGER NOT NULL,"
    " restart_count INTEGER NOT NULL,"
    " clock_safe INTEGER NOT NULL,"
    " clock_tamper_proof INTEGER NOT NULL"
    ") STRICT;";

static const char select_row[] =
    "SELECT state, since, detail, high_water, wall, behind_us, intents, tamper_proof, counter,"
    " clock_wall, clock_ms, reset_count, restart_count, clock_safe, clock_tamper_proof"
    " FROM guard WHERE one = 1";

static const char replace_row[] =
    "INSERT OR REPLACE INTO guard (state, since, detail, high_water, wall, behind_us, intents,"
    " tamper_proof, counter, clock_wall, clock_ms, reset_count, restart_count, clock_safe,"
    " clock_tamper_proof, one) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)";

/* The order of both. */
enum {
    COLUMN_STATE,
    COLUMN_SINCE,
    COLUMN_DETAIL,
    COLUMN_HIGH_WATER,
    COLUMN_WALL,
    COLUMN_BEHIND,
    COLUMN_INTENTS,
    COLUMN_TAMPER_PROOF,
    COLUMN_COUNTER,
    COLUMN_CLOCK_WALL,
    COLUMN_CLOCK_MS,
    COLUMN_RESETS,
    COLUMN_RESTARTS,
    COLUMN_SAFE,
    COLUMN_CLOCK_PROOF
};

static bool state_of(const char *name, tlm_guard_state *state)
{
    for (int i = 0; i < TLM_GUARD_STATE_COUNT; i++) {
        if (strcmp(name, tlm_guard_state_name((tlm_guard_state)i)) == 0) {
            *state = (tlm_guard_state)i;
            return true;
        }
    }
    return false;
}

static void take_clock(tlm_guard *guard, sqlite3_stmt *row)
{
    guard->has_clock = sqlite3_column_type(row, COLUMN_CLOCK_WALL) != SQLITE_NULL;
    guard->clock_wall = sqlite3_column_int64(row, COLUMN_CLOCK_WALL);
    guard->clock = (tlm_token_clock){
        .counted = guard->has_clock,
        .tamper_proof = sqlite3_column_int(row, COLUMN_CLOCK_PROOF) != 0,
        .clock_ms = (uint64_t)sqlite3_column_int64(row, COLUMN_CLOCK_MS),
        .reset_count = (uint32_t)sqlite3_column_int64(row, COLUMN_RESETS),
        .restart_count = (uint32_t)sqlite3_column_int64(row, COLUMN_RESTARTS),
        .safe = sqlite3_column_int(row, COLUMN_SAFE) != 0,
    };
}

/* The numbers are the bits of unsigned ones, as SQLite knows signed ones only. */
static tlm_result take(tlm_guard *guard, sqlite3_stmt *row, tlm_error *error)
{
    const char *name = (const char *)sqlite3_column_text(row, COLUMN_STATE);
    const char *detail = (const char *)sqlite3_column_text(row, COLUMN_DETAIL);
    if (name == NULL || detail == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the ledger's state");
    }
    if (!state_of(name, &guard->state)) {
        return tlm_error_set(error, TLM_ERR_NEWER, "install the newer program again",
                             "the ledger is in the state '%s', which this program does not know",
                             name);
    }
    (void)snprintf(guard->detail, sizeof guard->detail, "%s", detail);
    guard->since = sqlite3_column_int64(row, COLUMN_SINCE);
    guard->kept = (tlm_guard_marks){
        .high_water = sqlite3_column_int64(row, COLUMN_HIGH_WATER),
        .wall = sqlite3_column_int64(row, COLUMN_WALL),
        .behind_us = sqlite3_column_int64(row, COLUMN_BEHIND),
    };
    guard->intents = (unsigned)sqlite3_column_int64(row, COLUMN_INTENTS);
    guard->tamper_proof = sqlite3_column_int(row, COLUMN_TAMPER_PROOF) != 0;
    guard->has_counter = sqlite3_column_type(row, COLUMN_COUNTER) != SQLITE_NULL;
    guard->counter = (uint64_t)sqlite3_column_int64(row, COLUMN_COUNTER);
    take_clock(guard, row);
    return TLM_OK;
}

tlm_result tlm_guard_read(tlm_guard *guard, sqlite3 *db, bool *found, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    *found = false;
    tlm_result result = tlm_sql_prepare(db, select_row, &row, error);
    if (result == TLM_OK) {
        result = tlm_sql_row(row, found, error);
    }
    if (result == TLM_OK && *found) {
        result = take(guard, row, error);
    }
    (void)sqlite3_finalize(row);
    return result;
}

static void bind_number(sqlite3_stmt *statement, int column, int64_t value)
{
    /* Fails for a wrong index alone; parameters count from 1. */
    (void)sqlite3_bind_int64(statement, column + 1, value);
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    (void)sqlite3_bind_text(statement, column + 1, text, -1, SQLITE_STATIC);
}

tlm_result tlm_guard_write(tlm_guard *guard, sqlite3 *db, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    tlm_result result = tlm_sql_prepare(db, replace_row, &row, error);
    if (result != TLM_OK) {
        return result;
    }
    bind_text(row, COLUMN_STATE, tlm_guard_state_name(guard->state));
    bind_number(row, COLUMN_SINCE, guard->since);
    bind_text(row, COLUMN_DETAIL, guard->detail);
    bind_number(row, COLUMN_HIGH_WATER, guard->marks.high_water);
    bind_number(row, COLUMN_WALL, guard->marks.wall);
    bind_number(row, COLUMN_BEHIND, guard->marks.behind_us);
    bind_number(row, COLUMN_INTENTS, guard->intents);
    bind_number(row, COLUMN_TAMPER_PROOF, guard->tamper_proof);
    if (guard->has_counter) {
        bind_number(row, COLUMN_COUNTER, (int64_t)guard->counter);
    }
    if (guard->has_clock) {
        bind_number(row, COLUMN_CLOCK_WALL, guard->clock_wall);
    }
    bind_number(row, COLUMN_CLOCK_MS, (int64_t)guard->clock.clock_ms);
    bind_number(row, COLUMN_RESETS, guard->clock.reset_count);
    bind_number(row, COLUMN_RESTARTS, guard->clock.restart_count);
    bind_number(row, COLUMN_SAFE, guard->clock.safe);
    bind_number(row, COLUMN_CLOCK_PROOF, guard->clock.tamper_proof);
    result = tlm_sql_done(row, error);
    if (result == TLM_OK) {
        guard->kept = guard->marks;
    }
    return result;
}
