/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The floor of what is durable: SQLite as the ledger uses it (WAL, synchronous FULL), one insert
 * for each transaction, nobody else. Prints commits per second, and microseconds of one: median, 99
 * %.
 *
 *     bench-floor-commit DIRECTORY MILLISECONDS
 *
 * The file is made in DIRECTORY, which is to be on the ledger's file system, and removed again.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define SAMPLES_MAX 1000000U
#define PATH_SIZE 4096

static const char *const endings[] = {"", "-wal", "-shm"};
static int64_t samples[SAMPLES_MAX];

static int64_t now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void remove_files(const char *directory)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/floor.db%s", directory, endings[i]);
        (void)unlink(path);
    }
}

static sqlite3 *open_database(const char *directory)
{
    char path[PATH_SIZE];
    sqlite3 *database = NULL;
    (void)snprintf(path, sizeof path, "%s/floor.db", directory);
    if (sqlite3_open(path, &database) != SQLITE_OK ||
        sqlite3_exec(database,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "CREATE TABLE row(id INTEGER PRIMARY KEY, client TEXT, until INTEGER)",
                     NULL, NULL, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "bench-floor-commit: %s: %s\n", path, sqlite3_errmsg(database));
        (void)sqlite3_close(database);
        return NULL;
    }
    return database;
}

static bool measure(sqlite3 *database, int64_t duration)
{
    sqlite3_stmt *insert = NULL;
    size_t count = 0;
    int code = sqlite3_prepare_v2(database, "INSERT INTO row(client, until) VALUES (?1, ?2)", -1,
                                  &insert, NULL);
    int64_t begun = now();
    int64_t end = begun;
    while (code == SQLITE_OK && end - begun < duration && count < SAMPLES_MAX) {
        int64_t before = end;
        (void)sqlite3_bind_text(insert, 1, "one of the clients", -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(insert, 2, before);
        code = sqlite3_step(insert) == SQLITE_DONE ? sqlite3_reset(insert) : SQLITE_ERROR;
        end = now();
        samples[count++] = end - before;
    }
    (void)sqlite3_finalize(insert);
    if (code != SQLITE_OK || count == 0) {
        (void)fprintf(stderr, "bench-floor-commit: %s\n", sqlite3_errmsg(database));
        return false;
    }
    qsort(samples, count, sizeof samples[0], compare);
    (void)printf("%.0f %lld %lld\n", (double)count * 1e9 / (double)(end - begun),
                 (long long)samples[count / 2] / 1000, (long long)samples[count * 99 / 100] / 1000);
    return true;
}

int main(int argc, char **argv)
{
    long milliseconds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (milliseconds < 1 || milliseconds > 600000) {
        (void)fputs("bench-floor-commit DIRECTORY MILLISECONDS\n", stderr);
        return 2;
    }
    remove_files(argv[1]);
    sqlite3 *database = open_database(argv[1]);
    bool done = database != NULL && measure(database, (int64_t)milliseconds * 1000000);
    (void)sqlite3_close(database);
    remove_files(argv[1]);
    return done ? 0 : 1;
}
