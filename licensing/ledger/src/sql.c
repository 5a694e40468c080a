/* SPDX-License-Identifier: BSD-2-Clause */
#include "sql_private.h"

#include <stddef.h>

typedef struct failure {
    int code; /* SQLite's primary code */
    tlm_result result;
    const char *hint;
} failure;

static const failure failures[] = {
    {SQLITE_FULL, TLM_ERR_NO_SPACE, "Make room on the disk of the persistence directory: df -h"},
    {SQLITE_CORRUPT, TLM_ERR_DAMAGED, "Bring the directory licensing/ back from a backup."},
    {SQLITE_NOTADB, TLM_ERR_DAMAGED, "Bring the directory licensing/ back from a backup."},
    {SQLITE_BUSY, TLM_ERR_BUSY, "See which process has it open: fuser -v licensing/ledger.db"},
    {SQLITE_LOCKED, TLM_ERR_BUSY, "See which process has it open: fuser -v licensing/ledger.db"},
    {SQLITE_NOMEM, TLM_ERR_MEMORY, NULL},
    {SQLITE_PERM, TLM_ERR_PERMISSION, "Give the directory licensing/ to the service's user."},
    {SQLITE_READONLY, TLM_ERR_PERMISSION, "Give the directory licensing/ to the service's user."},
    {SQLITE_AUTH, TLM_ERR_PERMISSION, "Give the directory licensing/ to the service's user."},
    {SQLITE_CANTOPEN, TLM_ERR_PERMISSION, "Give the directory licensing/ to the service's user."},
};

tlm_result tlm_sql_fail(sqlite3 *db, tlm_error *error)
{
    const int code = sqlite3_extended_errcode(db);
    tlm_result result = TLM_ERR_IO;
    const char *hint = "Look at the disk of the persistence directory: dmesg";
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        if (failures[i].code == (code & 0xff)) {
            result = failures[i].result;
            hint = failures[i].hint;
        }
    }
    return tlm_error_set(error, result, hint, "the ledger: %s (SQLite %d)", sqlite3_errmsg(db),
                         code);
}

tlm_result tlm_sql_prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement,
                           tlm_error *error)
{
    return sqlite3_prepare_v2(db, text, -1, statement, NULL) == SQLITE_OK ? TLM_OK
                                                                          : tlm_sql_fail(db, error);
}

tlm_result tlm_sql_row(sqlite3_stmt *statement, bool *found, tlm_error *error)
{
    const int code = sqlite3_step(statement);
    *found = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? TLM_OK
               : tlm_sql_fail(sqlite3_db_handle(statement), error);
}

tlm_result tlm_sql_done(sqlite3_stmt *statement, tlm_error *error)
{
    bool found = false;
    tlm_result result = tlm_sql_row(statement, &found, error);
    (void)sqlite3_finalize(statement);
    return result;
}

tlm_result tlm_sql_execute(sqlite3 *db, const char *text, tlm_error *error)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK ? TLM_OK : tlm_sql_fail(db, error);
}
