/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_DATABASE_H
#define TLM_LEDGER_DATABASE_H

/*
 * The ledger's file and its statements, each prepared once (query_texts.h).
 *
 *     result = tlm_query_run(database, TLM_Q_LEASE_REMOVE, &error, "s", lease->id);
 *
 *     bool found = false;
 *     result = tlm_query_rows(database, TLM_Q_LEASE_BY_ID, &row, &found, &error, "s", id);
 *     while (result == TLM_OK && found) {
 *         … sqlite3_column_int64(row, 0) …
 *         result = tlm_query_next(database, row, &found, &error);
 *     }
 *     tlm_query_end(row);
 *
 * One statement is used by one query at a time. Of one thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <tlm/result.h>

#include "query_texts.h"

typedef enum tlm_query {
#define TLM_Q_NAME(name, text) TLM_Q_##name,
    TLM_Q_STATEMENTS(TLM_Q_NAME)
#undef TLM_Q_NAME
        TLM_Q_COUNT
} tlm_query;

typedef struct tlm_database {
    sqlite3 *db;
    char *path;
    bool is_new; /* made by this opening */
    sqlite3_stmt *statements[TLM_Q_COUNT];
} tlm_database;

/* A kind of ledger file, and how it changed since the first. */
#define TLM_LEDGER_APPLICATION_ID 0x544C4D4C /* "TLML" */
#define TLM_LEDGER_FORMAT 1

/* The tables but those of guard and audit log. */
extern const char tlm_ledger_schema[];

/*
 * Opens or makes TLM_LEDGER_FILE in `directory`. TLM_ERR_PERMISSION for a file that others can use,
 * TLM_ERR_FOREIGN for a file of another program, TLM_ERR_NEWER, TLM_ERR_DAMAGED, TLM_ERR_BUSY; what
 * is there stays as it is then.
 */
TLM_CHECKED tlm_result tlm_database_open(const char *directory, const char *vfs,
                                         tlm_database *database, tlm_error *error);
void tlm_database_close(tlm_database *database);

/* The file at the path is not the one that is open any more. */
bool tlm_database_replaced(const tlm_database *database);

/* A failed SQLite call as a result: full disk, damage, memory, input and output. */
tlm_result tlm_database_error(const tlm_database *database, tlm_error *error, const char *what);

/* `types` has a letter for each parameter: i for int64_t, s for const char * (NULL is NULL). */
TLM_CHECKED tlm_result tlm_query_run(tlm_database *database, tlm_query which, tlm_error *error,
                                     const char *types, ...);
TLM_CHECKED tlm_result tlm_query_rows(tlm_database *database, tlm_query which, sqlite3_stmt **row,
                                      bool *found, tlm_error *error, const char *types, ...);
TLM_CHECKED tlm_result tlm_query_next(tlm_database *database, sqlite3_stmt *row, bool *found,
                                      tlm_error *error);
void tlm_query_end(sqlite3_stmt *row);

/* A column as text, "" for NULL; until the next step. */
const char *tlm_query_text(sqlite3_stmt *row, int column);

#endif
