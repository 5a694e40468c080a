/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_SQL_PRIVATE_H
#define TLM_LEDGER_SQL_PRIVATE_H

/*
 * Small helpers around SQLite's statements, so that each use of one is a few lines:
 *
 *     sqlite3_stmt *query = NULL;
 *     result = tlm_sql_prepare(db, "SELECT …", &query, &error);
 *     if (result == TLM_OK) { result = tlm_sql_row(query, &found, &error); }
 *     …
 *     (void)sqlite3_finalize(query);
 */

#include <stdbool.h>

#include <sqlite3.h>

#include <tlm/result.h>

/* What the last call on `db` said, as a result of ours with a remedy: NO_SPACE, DAMAGED, BUSY,
 * MEMORY, PERMISSION, IO. */
tlm_result tlm_sql_fail(sqlite3 *db, tlm_error *error);

TLM_CHECKED tlm_result tlm_sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement,
                                       tlm_error *error);

/* One step. *found is whether there is a row. */
TLM_CHECKED tlm_result tlm_sql_row(sqlite3_stmt *statement, bool *found, tlm_error *error);

/* The last step of a statement that gives no row; finalizes it in every case. */
TLM_CHECKED tlm_result tlm_sql_done(sqlite3_stmt *statement, tlm_error *error);

/* Statements without parameters. */
TLM_CHECKED tlm_result tlm_sql_execute(sqlite3 *db, const char *text, tlm_error *error);

#endif
