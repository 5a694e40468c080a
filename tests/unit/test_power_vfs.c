/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VFS that cuts the power is an instrument of other tests; this shows that it measures: with
 * syncs no commit is lost, and without them some are, and databases are torn.
 */
#include "test_directory.h"

#include <sqlite3.h>

#include "power_vfs.h"

#define COMMITS 6

static sqlite3 *open_database(const char *path, const char *settings)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, POWER_VFS) !=
            SQLITE_OK ||
        sqlite3_exec(db, settings, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, text TEXT)", NULL,
                     NULL, NULL) != SQLITE_OK) {
        (void)sqlite3_close(db);
        return NULL;
    }
    return db;
}

/* How many commits were acknowledged before the power went. */
static int write_rows(const char *path, const char *settings)
{
    int done = 0;
    sqlite3 *db = open_database(path, settings);
    while (db != NULL && done < COMMITS &&
           sqlite3_exec(db, "INSERT INTO t (text) VALUES (hex(zeroblob(3000)))", NULL, NULL,
                        NULL) == SQLITE_OK) {
        done++;
    }
    (void)sqlite3_close(db);
    return done;
}

/* Rows of a whole database; -1 for one that is torn. */
static int count_rows(const char *path, const char *settings)
{
    sqlite3 *db = open_database(path, settings);
    sqlite3_stmt *query = NULL;
    int count = -1;
    if (db != NULL &&
        sqlite3_prepare_v2(db,
                           "SELECT (SELECT COUNT(*) FROM t), integrity_check FROM "
                           "pragma_integrity_check",
                           -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW &&
        strcmp((const char *)sqlite3_column_text(query, 1), "ok") == 0) {
        count = sqlite3_column_int(query, 0);
    }
    (void)sqlite3_finalize(query);
    (void)sqlite3_close(db);
    return count;
}

static void remove_files(const char *path)
{
    char beside[TEST_PATH_MAX + 8];
    (void)unlink(path);
    (void)snprintf(beside, sizeof beside, "%s-wal", path);
    (void)unlink(beside);
    (void)snprintf(beside, sizeof beside, "%s-shm", path);
    (void)unlink(beside);
}

/* Cuts at every operation under many seeds; how often a commit that was acknowledged was missing,
 * or the database torn. */
static int losses(const char *path, const char *settings)
{
    int lost = 0;
    for (unsigned n = 1; n < 200; n++) {
        for (unsigned seed = 1; seed <= 4; seed++) {
            power_begin(seed + 100 * n);
            power_cut_at(n);
            int acknowledged = write_rows(path, settings);
            bool whole = !power_was_cut();
            power_on();
            int found = count_rows(path, settings);
            lost += found < acknowledged ? 1 : 0;
            assert_true(found <= COMMITS);
            power_begin(0);
            remove_files(path);
            if (whole) {
                assert_int_equal(acknowledged, COMMITS);
                return lost;
            }
        }
    }
    fail_msg("there was no end");
    return -1;
}

static void nothing_is_lost_with_syncs(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "a.db", path);
    assert_int_equal(losses(path, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = FULL"),
                     0);
    assert_int_equal(losses(path, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"), 0);
    assert_int_equal(losses(path, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA"), 0);
}

static void much_is_lost_without(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "a.db", path);
    assert_true(losses(path, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF") > 10);
    assert_true(losses(path, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF") > 10);
}

static void a_full_disk_is_told_and_passes(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "a.db", path);
    power_begin(1);
    sqlite3 *db = open_database(path, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    assert_non_null(db);
    power_full_at(power_operations() + 1);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t (text) VALUES ('a')", NULL, NULL, NULL),
                     SQLITE_FULL);
    power_full_at(0);
    power_fail_at(power_operations() + 1);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t (text) VALUES ('a')", NULL, NULL, NULL),
                     SQLITE_IOERR);
    assert_int_equal(sqlite3_exec(db, "INSERT INTO t (text) VALUES ('a')", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_false(power_was_cut());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost_with_syncs, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(much_is_lost_without, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_and_passes, directory_setup,
                                        directory_teardown),
    };
    power_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
