/* SPDX-License-Identifier: BSD-2-Clause */
#include "database.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

static const char *const texts[TLM_Q_COUNT] = {
#define TLM_Q_TEXT(name, text) [TLM_Q_##name] = (text),
    TLM_Q_STATEMENTS(TLM_Q_TEXT)
#undef TLM_Q_TEXT
};

static tlm_result result_of(int code, int number)
{
    switch (code & 0xFF) {
    case SQLITE_FULL:
        return TLM_ERR_NO_SPACE;
    case SQLITE_NOMEM:
        return TLM_ERR_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return TLM_ERR_DAMAGED;
    case SQLITE_CONSTRAINT:
        return TLM_ERR_CONFLICT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return TLM_ERR_BUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return TLM_ERR_PERMISSION;
    case SQLITE_CANTOPEN:
        return number == EACCES || number == EROFS ? TLM_ERR_PERMISSION : TLM_ERR_IO;
    default:
        return number == ENOSPC || number == EDQUOT ? TLM_ERR_NO_SPACE : TLM_ERR_IO;
    }
}

static const char *hint_of(tlm_result result)
{
    switch (result) {
    case TLM_ERR_NO_SPACE:
        return "make room on its file system: df -h";
    case TLM_ERR_DAMAGED:
        return "stop the daemon, keep the directory, restore the ledger from a backup, and accept "
               "the state: tlm state accept";
    case TLM_ERR_CONFLICT:
        return "see the log of the daemon's start: a license there could not be read";
    case TLM_ERR_BUSY:
        return "end the other process that has it open: fuser -v FILE";
    case TLM_ERR_PERMISSION:
        return "the service's user needs to write the directory and its files: ls -la DIRECTORY";
    default:
        return "look at the kernel's messages for the disk: dmesg";
    }
}

tlm_result tlm_database_error(const tlm_database *database, tlm_error *error, const char *what)
{
    int code = sqlite3_extended_errcode(database->db);
    int number = sqlite3_system_errno(database->db);
    tlm_result result = result_of(code, number);
    return tlm_error_set(error, result, hint_of(result), "%s in %s: %s (SQLite %d, errno %d)", what,
                         database->path, sqlite3_errmsg(database->db), code, number);
}

static tlm_result prepared(tlm_database *database, tlm_query which, sqlite3_stmt **statement,
                           tlm_error *error)
{
    sqlite3_stmt **kept = &database->statements[which];
    if (*kept == NULL && sqlite3_prepare_v3(database->db, texts[which], -1,
                                            SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK) {
        return tlm_database_error(database, error, "preparing a statement");
    }
    *statement = *kept;
    return TLM_OK;
}

static tlm_result bind(tlm_database *database, sqlite3_stmt *statement, tlm_error *error,
                       const char *types, va_list arguments)
{
    int rc = SQLITE_OK;
    for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++) {
        if (types[i] == 'i') {
            rc = sqlite3_bind_int64(statement, i + 1, va_arg(arguments, int64_t));
        } else {
            rc = sqlite3_bind_text(statement, i + 1, va_arg(arguments, const char *), -1,
                                   SQLITE_STATIC);
        }
    }
    return rc == SQLITE_OK ? TLM_OK : tlm_database_error(database, error, "binding a value");
}

tlm_result tlm_query_next(tlm_database *database, sqlite3_stmt *row, bool *found, tlm_error *error)
{
    int rc = sqlite3_step(row);
    *found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        return TLM_OK;
    }
    tlm_result result = tlm_database_error(database, error, "reading or writing");
    (void)sqlite3_reset(row);
    return result;
}

void tlm_query_end(sqlite3_stmt *row)
{
    (void)sqlite3_reset(row); /* tells an error of the step once more */
}

tlm_result tlm_query_run(tlm_database *database, tlm_query which, tlm_error *error,
                         const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    va_list arguments;
    tlm_result result = prepared(database, which, &statement, error);
    if (result != TLM_OK) {
        return result;
    }
    va_start(arguments, types);
    result = bind(database, statement, error, types, arguments);
    va_end(arguments);
    if (result == TLM_OK) {
        result = tlm_query_next(database, statement, &found, error);
    }
    tlm_query_end(statement);
    return result;
}

tlm_result tlm_query_rows(tlm_database *database, tlm_query which, sqlite3_stmt **row, bool *found,
                          tlm_error *error, const char *types, ...)
{
    va_list arguments;
    *found = false;
    *row = NULL;
    tlm_result result = prepared(database, which, row, error);
    if (result != TLM_OK) {
        return result;
    }
    va_start(arguments, types);
    result = bind(database, *row, error, types, arguments);
    va_end(arguments);
    return result == TLM_OK ? tlm_query_next(database, *row, found, error) : result;
}

const char *tlm_query_text(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    return text != NULL ? (const char *)text : "";
}
