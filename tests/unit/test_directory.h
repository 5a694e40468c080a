/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_DIRECTORY_H
#define TLM_TEST_DIRECTORY_H

/*
 * A directory of the test's own, made before each test and removed after it, as cmocka's setup and
 * teardown.
 *
 *     cmocka_unit_test_setup_teardown(replaces, directory_setup, directory_teardown)
 *
 *     static void replaces(void **state)
 *     {
 *         char path[TEST_PATH_MAX];
 *         in_directory(state, "vault.bin", path);
 */

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEST_PATH_MAX 512

static inline int directory_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(TEST_PATH_MAX);
    if (path == NULL) {
        return -1;
    }
    int size =
        snprintf(path, TEST_PATH_MAX - 64, "%s/tlm-test-XXXXXX", base != NULL ? base : "/tmp");
    if (size >= TEST_PATH_MAX - 64 || mkdtemp(path) == NULL) {
        free(path);
        return -1;
    }
    *state = path;
    return 0;
}

static inline int directory_remove_one(const char *path, const struct stat *info, int type,
                                       struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static inline int directory_teardown(void **state)
{
    int result = nftw(*state, directory_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    *state = NULL;
    return result;
}

/* Path of `name` inside the test's directory. */
static inline const char *in_directory(void **state, const char *name, char path[TEST_PATH_MAX])
{
    int size = snprintf(path, TEST_PATH_MAX, "%s/%s", (const char *)*state, name);
    assert_in_range(size, 1, TEST_PATH_MAX - 1);
    return path;
}

static inline void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The content as text, at most size - 1 bytes. */
static inline const char *get_file(const char *path, char *buffer, size_t size)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t got = fread(buffer, 1, size - 1, file);
    buffer[got] = '\0';
    assert_int_equal(fclose(file), 0);
    return buffer;
}

/* How many entries the test's directory has. */
static inline size_t count_entries(void **state)
{
    DIR *directory = opendir(*state);
    assert_non_null(directory);
    size_t count = 0;
    for (const struct dirent *entry = NULL; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count++;
        }
    }
    (void)closedir(directory);
    return count;
}

#endif
