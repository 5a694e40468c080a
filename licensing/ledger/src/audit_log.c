/* SPDX-License-Identifier: BSD-2-Clause */
#include "audit_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_entry.h"
#include "sql_private.h"

const char tlm_audit_schema[] =
    "CREATE TABLE audit ("
    " seq INTEGER PRIMARY KEY,"
    " entry TEXT NOT NULL," /* canonical, without its hash */
    " hash TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE anchor ("
    " id INTEGER PRIMARY KEY,"
    " seq INTEGER NOT NULL,"
    " proof TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX anchor_seq ON anchor (seq);"
    "CREATE TRIGGER audit_kept BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
    "CREATE TRIGGER audit_whole BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
    "CREATE TRIGGER audit_next BEFORE INSERT ON audit"
    " WHEN NEW.seq <> (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
    "CREATE TRIGGER anchor_kept BEFORE UPDATE ON anchor"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;"
    "CREATE TRIGGER anchor_whole BEFORE DELETE ON anchor"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;";

#define INSTANT_SIZE 25U /* with milliseconds */

static const char *const own_members[] = {"seq", "at", "event", "prev", "hash"};

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the audit log");
}

tlm_result tlm_audit_head(sqlite3 *db, int64_t *seq, char hash[65], tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    bool found = false;
    tlm_result result =
        tlm_sql_prepare(db, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", &query, error);
    if (result == TLM_OK) {
        result = tlm_sql_row(query, &found, error);
    }
    if (result == TLM_OK) {
        const char *text = found ? (const char *)sqlite3_column_text(query, 1) : TLM_AUDIT_BEGIN;
        *seq = found ? sqlite3_column_int64(query, 0) : 0;
        (void)snprintf(hash, TLM_AUDIT_HASH_SIZE, "%s", text != NULL ? text : "");
    }
    (void)sqlite3_finalize(query);
    return result;
}

static bool instant_of(int64_t ms, char text[INSTANT_SIZE])
{
    int64_t part = ms % 1000;
    const time_t seconds = (time_t)(ms / 1000 - (part < 0 ? 1 : 0));
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, INSTANT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts) != INSTANT_SIZE - 6) {
        return false;
    }
    (void)snprintf(text + INSTANT_SIZE - 6, 6, ".%03dZ", (int)(part < 0 ? part + 1000 : part));
    return true;
}

/* The entry without its hash, from `members`, whose reference is taken. */
static tlm_result make_entry(json_t *members, int64_t seq, int64_t now, const char *event,
                             const char *prev, json_t **entry, tlm_error *error)
{
    char at[INSTANT_SIZE];
    json_t *made = members != NULL ? members : json_object();
    for (size_t i = 0; i < sizeof own_members / sizeof *own_members; i++) {
        if (json_object_get(made, own_members[i]) != NULL) {
            json_decref(made);
            return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                                 "an entry of the audit log has a member '%s' of its own",
                                 own_members[i]);
        }
    }
    if (!instant_of(now, at)) {
        json_decref(made);
        return tlm_error_set(error, TLM_ERR_FORMAT, "set the system's clock: timedatectl",
                             "the system's clock has no year of four digits");
    }
    if (json_object_set_new(made, "seq", json_integer(seq)) != 0 ||
        json_object_set_new(made, "at", json_string(at)) != 0 ||
        json_object_set_new(made, "event", json_string(event)) != 0 ||
        json_object_set_new(made, "prev", json_string(prev)) != 0) {
        json_decref(made);
        return no_memory(error);
    }
    *entry = made;
    return TLM_OK;
}

static tlm_result insert(sqlite3 *db, int64_t seq, const char *text, const char *hash,
                         tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    tlm_result result =
        tlm_sql_prepare(db, "INSERT INTO audit (seq, entry, hash) VALUES (?, ?, ?)", &row, error);
    if (result != TLM_OK) {
        return result;
    }
    (void)sqlite3_bind_int64(row, 1, seq);
    (void)sqlite3_bind_text(row, 2, text, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(row, 3, hash, -1, SQLITE_STATIC);
    return tlm_sql_done(row, error);
}

tlm_result tlm_audit_append(sqlite3 *db, int64_t now, const char *event, json_t *detail,
                            tlm_error *error)
{
    int64_t seq = 0;
    char prev[TLM_AUDIT_HASH_SIZE];
    char hash[TLM_AUDIT_HASH_SIZE];
    char *text = NULL;
    json_t *entry = NULL;
    tlm_result result = tlm_audit_head(db, &seq, prev, error);
    if (result != TLM_OK) {
        json_decref(detail);
        return result;
    }
    result = make_entry(detail, seq + 1, now, event, prev, &entry, error);
    if (result == TLM_OK) {
        result = tlm_audit_hash(entry, &text, hash, error);
    }
    if (result == TLM_OK) {
        result = insert(db, seq + 1, text, hash, error);
    }
    free(text);
    json_decref(entry);
    return result;
}

tlm_result tlm_audit_anchor(sqlite3 *db, const json_t *proof, tlm_error *error)
{
    const json_t *statement = json_object_get(proof, "statement");
    const json_t *number = json_object_get(statement, "seq");
    const char *hash = json_string_value(json_object_get(statement, "hash"));
    if (!json_is_integer(number) || hash == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "an anchor of the audit log names no entry");
    }
    char *text = json_dumps(proof, JSON_SORT_KEYS | JSON_COMPACT);
    if (text == NULL) {
        return no_memory(error);
    }
    sqlite3_stmt *row = NULL;
    tlm_result result = tlm_sql_prepare(db,
                                        "INSERT INTO anchor (seq, proof)"
                                        " SELECT seq, ? FROM audit WHERE seq = ? AND hash = ?",
                                        &row, error);
    if (result == TLM_OK) {
        (void)sqlite3_bind_text(row, 1, text, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(row, 2, json_integer_value(number));
        (void)sqlite3_bind_text(row, 3, hash, -1, SQLITE_STATIC);
        result = tlm_sql_done(row, error);
    }
    free(text);
    if (result == TLM_OK && sqlite3_changes(db) == 0) {
        result = tlm_error_set(error, TLM_ERR_CONFLICT, NULL,
                               "an anchor of the audit log is over an entry %" JSON_INTEGER_FORMAT
                               " that this ledger does not have",
                               json_integer_value(number));
    }
    return result;
}

/* ---- reading ---- */

static tlm_result damaged(int64_t seq, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED,
                         "Bring the directory licensing/ back from a backup.",
                         "entry %lld of the audit log is no JSON text", (long long)seq);
}

/* Adds the object that `text` is, with `hash` where it is an entry's. */
static tlm_result add(json_t *entries, int64_t seq, const char *text, const char *hash,
                      tlm_error *error)
{
    json_t *object = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_object(object)) {
        json_decref(object);
        return damaged(seq, error);
    }
    bool whole = true;
    if (hash != NULL) {
        whole = json_object_set_new(object, "hash", json_string(hash)) == 0;
    } else {
        object = json_pack("{s:o}", "anchor", object);
    }
    return json_array_append_new(entries, object) == 0 && whole ? TLM_OK : no_memory(error);
}

/* An entry and the newest anchor over it; the number of the entry that was read goes to *last. */
static const char select_entries[] =
    "SELECT seq, entry, hash,"
    " (SELECT proof FROM anchor WHERE anchor.seq = audit.seq ORDER BY id DESC LIMIT 1)"
    " FROM audit WHERE seq > ? ORDER BY seq LIMIT ?";

static tlm_result read_rows(sqlite3_stmt *query, json_t *entries, int64_t *last, tlm_error *error)
{
    bool found = true;
    tlm_result result = TLM_OK;
    while (result == TLM_OK) {
        result = tlm_sql_row(query, &found, error);
        if (result != TLM_OK || !found) {
            return result;
        }
        *last = sqlite3_column_int64(query, 0);
        const char *hash = (const char *)sqlite3_column_text(query, 2);
        const char *anchor = (const char *)sqlite3_column_text(query, 3);
        result = add(entries, *last, (const char *)sqlite3_column_text(query, 1),
                     hash != NULL ? hash : "", error);
        if (result == TLM_OK && anchor != NULL) {
            result = add(entries, *last, anchor, NULL, error);
        }
    }
    return result;
}

static int64_t from_the_end(int64_t newest, int64_t after)
{
    return after > -newest ? newest + after : 0;
}

tlm_result tlm_audit_read(sqlite3 *db, int64_t after, int64_t limit, json_t **answer,
                          tlm_error *error)
{
    sqlite3_stmt *query = NULL;
    int64_t last = 0;
    char hash[TLM_AUDIT_HASH_SIZE];
    json_t *entries = json_array();
    tlm_result result = entries != NULL ? tlm_audit_head(db, &last, hash, error) : no_memory(error);
    if (result == TLM_OK) {
        result = tlm_sql_prepare(db, select_entries, &query, error);
    }
    if (result == TLM_OK) {
        last = after >= 0 ? after : from_the_end(last, after);
        (void)sqlite3_bind_int64(query, 1, last);
        (void)sqlite3_bind_int64(query, 2, limit > 0 ? limit : 0);
        result = read_rows(query, entries, &last, error);
    }
    (void)sqlite3_finalize(query);
    if (result != TLM_OK) {
        json_decref(entries);
        return result;
    }
    *answer = json_pack("{s:o, s:I}", "entries", entries, "last", (json_int_t)last);
    return *answer != NULL ? TLM_OK : no_memory(error);
}
