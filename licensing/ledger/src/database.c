/* SPDX-License-Identifier: BSD-2-Clause */
#include "database.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/ledger.h>

#include "audit_private.h"
#include "guard_private.h"

#define BUSY_TIMEOUT_MS 2000

/* The directory is ours and nobody else writes it; a link in its place would lead elsewhere. */
static tlm_result check_directory(const char *directory, tlm_error *error)
{
    tlm_result result = tlm_directory_make(directory, 0700, error);
    if (result != TLM_OK) {
        return result;
    }
    struct stat info;
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return tlm_error_set_errno(error, "it has to be a directory of the service's user, no link",
                                   "opening %s", directory);
    }
    int rc = fstat(file, &info);
    (void)close(file);
    if (rc != 0) {
        return tlm_error_set_errno(error, NULL, "looking at %s", directory);
    }
    if ((info.st_uid != geteuid() && info.st_uid != 0) || (info.st_mode & 0022U) != 0) {
        tlm_result refused =
            tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                          "%s belongs to user %u with mode %04o: others can exchange its files",
                          directory, (unsigned)info.st_uid, (unsigned)info.st_mode & 07777U);
        tlm_error_set_hint(error, "chown %u %s && chmod 0700 %s", (unsigned)geteuid(), directory,
                           directory);
        return refused;
    }
    return TLM_OK;
}

/* Makes the file with its mode, or sees that the one that is there is ours alone. Closed before
 * SQLite opens it: closing it later would drop SQLite's locks. */
static tlm_result check_file(const char *path, bool *empty, tlm_error *error)
{
    struct stat info;
    int file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (file < 0) {
        return tlm_error_set_errno(error, "it has to be a file of the service's user, no link",
                                   "opening %s", path);
    }
    int rc = fstat(file, &info);
    (void)close(file);
    if (rc != 0) {
        return tlm_error_set_errno(error, NULL, "looking at %s", path);
    }
    if (!S_ISREG(info.st_mode) || info.st_nlink != 1) {
        return tlm_error_set(error, TLM_ERR_PERMISSION, "put the ledger's own file there",
                             "%s is not a regular file with one name", path);
    }
    if ((info.st_uid != geteuid() && info.st_uid != 0) || (info.st_mode & 0077U) != 0) {
        tlm_result refused =
            tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                          "%s belongs to user %u with mode %04o: others can use it", path,
                          (unsigned)info.st_uid, (unsigned)info.st_mode & 07777U);
        tlm_error_set_hint(error, "chown %u %s && chmod 0600 %s", (unsigned)geteuid(), path, path);
        return refused;
    }
    *empty = info.st_size == 0;
    return TLM_OK;
}

static tlm_result execute(const tlm_database *database, const char *sql, const char *what,
                          tlm_error *error)
{
    return sqlite3_exec(database->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? TLM_OK
               : tlm_database_error(database, error, what);
}

/* One value of a pragma or query; `text` may be NULL. */
static tlm_result ask(const tlm_database *database, const char *sql, int64_t *number, char *text,
                      size_t size, tlm_error *error)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(database->db, sql, -1, &row, NULL) != SQLITE_OK ||
        sqlite3_step(row) != SQLITE_ROW) {
        tlm_result result = tlm_database_error(database, error, "reading the ledger");
        (void)sqlite3_finalize(row);
        return result;
    }
    if (text != NULL) {
        (void)snprintf(text, size, "%s", tlm_query_text(row, 0));
    } else {
        *number = sqlite3_column_int64(row, 0);
    }
    (void)sqlite3_finalize(row);
    return TLM_OK;
}

static tlm_result check_format(const tlm_database *database, bool *blank, tlm_error *error)
{
    int64_t application = 0;
    int64_t format = 0;
    int64_t tables = 0;
    tlm_result result = ask(database, "PRAGMA application_id", &application, NULL, 0, error);
    if (result == TLM_OK) {
        result = ask(database, "PRAGMA user_version", &format, NULL, 0, error);
    }
    if (result == TLM_OK) {
        result = ask(database, "SELECT COUNT(*) FROM sqlite_master", &tables, NULL, 0, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    *blank = application == 0 && format == 0 && tables == 0;
    if (*blank) {
        return TLM_OK;
    }
    if (application != TLM_LEDGER_APPLICATION_ID) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, "put the ledger of this host there",
                             "%s is a database of another program (application id %lld)",
                             database->path, (long long)application);
    }
    if (format > TLM_LEDGER_FORMAT) {
        return tlm_error_set(error, TLM_ERR_NEWER,
                             "install the version that wrote it, or a later one",
                             "%s has format %lld, and this program knows formats up to %d",
                             database->path, (long long)format, TLM_LEDGER_FORMAT);
    }
    if (format != TLM_LEDGER_FORMAT) {
        return tlm_error_set(error, TLM_ERR_DAMAGED, "restore the ledger from a backup",
                             "%s has format %lld, which there never was", database->path,
                             (long long)format);
    }
    return TLM_OK;
}

static tlm_result check_integrity(const tlm_database *database, tlm_error *error)
{
    char verdict[256];
    tlm_result result =
        ask(database, "PRAGMA quick_check(1)", NULL, verdict, sizeof verdict, error);
    if (result == TLM_OK && strcmp(verdict, "ok") != 0) {
        return tlm_error_set(
            error, TLM_ERR_DAMAGED,
            "stop the daemon, keep the directory, restore the ledger from a backup, "
            "and accept the state: tlm state accept",
            "%s is damaged: %s", database->path, verdict);
    }
    return result;
}

static tlm_result make_tables(tlm_database *database, tlm_error *error)
{
    char versions[96];
    (void)snprintf(versions, sizeof versions,
                   "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                   TLM_LEDGER_APPLICATION_ID, TLM_LEDGER_FORMAT);
    const struct {
        const char *sql;
        const char *what;
    } steps[] = {
        {"BEGIN IMMEDIATE", "making the ledger"}, {tlm_ledger_schema, "making the tables"},
        {tlm_guard_schema, "making the tables"},  {tlm_audit_schema, "making the tables"},
        {versions, "making the ledger"},          {"COMMIT", "making the ledger"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        tlm_result result = execute(database, steps[i].sql, steps[i].what, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    database->is_new = true;
    return TLM_OK;
}

/* In this order: nothing is written before the file is known to be ours and whole. */
static tlm_result prepare(tlm_database *database, bool empty, tlm_error *error)
{
    bool blank = false;
    tlm_result result = execute(database,
                                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
                                "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;",
                                "opening", error);
    if (result == TLM_OK) {
        result = check_format(database, &blank, error);
    }
    if (result == TLM_OK && !empty && !blank) {
        result = check_integrity(database, error);
    }
    if (result == TLM_OK) {
        result = execute(database,
                         "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                         "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
                         "opening", error);
    }
    if (result == TLM_OK && blank) {
        result = make_tables(database, error);
    }
    return result;
}

static tlm_result open_file(const char *vfs, tlm_database *database, bool empty, tlm_error *error)
{
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(database->path, &database->db, flags, vfs) != SQLITE_OK) {
        return database->db != NULL
                   ? tlm_database_error(database, error, "opening")
                   : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the ledger");
    }
    (void)sqlite3_busy_timeout(database->db, BUSY_TIMEOUT_MS);
    /* A refused file keeps its log as it is, too. */
    (void)sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_db_config(database->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    tlm_result result = prepare(database, empty, error);
    if (result == TLM_OK) {
        (void)sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    return result;
}

tlm_result tlm_database_open(const char *directory, const char *vfs, tlm_database *database,
                             tlm_error *error)
{
    bool empty = false;
    *database = (tlm_database){0};
    tlm_result result = check_directory(directory, error);
    if (result != TLM_OK) {
        return result;
    }
    database->path = tlm_path_join(directory, TLM_LEDGER_FILE);
    if (database->path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the ledger's path");
    }
    result = check_file(database->path, &empty, error);
    if (result == TLM_OK) {
        result = open_file(vfs, database, empty, error);
    }
    if (result != TLM_OK) {
        tlm_database_close(database);
    }
    return result;
}

void tlm_database_close(tlm_database *database)
{
    for (size_t i = 0; i < TLM_Q_COUNT; i++) {
        (void)sqlite3_finalize(database->statements[i]);
    }
    (void)sqlite3_close(database->db);
    free(database->path);
    *database = (tlm_database){0};
}

bool tlm_database_replaced(const tlm_database *database)
{
    int moved = 0;
    return sqlite3_file_control(database->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
               SQLITE_OK &&
           moved != 0;
}
