/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target over the files of a corpus, for builds without libFuzzer.
 *
 *     fuzz_settings tests/fuzz/corpus/settings
 *
 * Each file, each of its beginnings (so that a parser meets an end at every byte), and nothing.
 * An empty corpus is a failure: a test that ran over no file has shown nothing.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1U << 20)
/* Beginnings of longer files are taken in steps, so that the number of runs stays bounded. */
#define BEGINNINGS_MAX 128U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* On the heap at its exact size, so that a sanitizer sees the first byte read too far. */
static void run_once(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static bool run_file(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t size = fread(buffer, 1, INPUT_MAX, file);
    bool whole = feof(file) != 0 && ferror(file) == 0;
    (void)fclose(file);
    if (!whole) {
        (void)fprintf(stderr, "%s: cannot be read, or is larger than %u bytes\n", path, INPUT_MAX);
        return false;
    }
    size_t step = size / BEGINNINGS_MAX + 1;
    for (size_t end = 0; end < size; end += step) {
        run_once(buffer, end);
    }
    run_once(buffer, size);
    return true;
}

static bool run_directory(const char *path, uint8_t *buffer, size_t *count)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        perror(path);
        return false;
    }
    bool good = true;
    const struct dirent *entry = NULL;
    while (good && (entry = readdir(directory)) != NULL) {
        char file[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        int length = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        good = length > 0 && (size_t)length < sizeof file && run_file(file, buffer);
        *count += 1;
    }
    (void)closedir(directory);
    return good;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    bool good = argc > 1;
    uint8_t *buffer = malloc(INPUT_MAX);
    for (int i = 1; good && buffer != NULL && i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            good = run_directory(argv[i], buffer, &count);
        } else {
            good = run_file(argv[i], buffer);
            count++;
        }
    }
    free(buffer);
    (void)printf("%zu inputs\n", count);
    return good && buffer != NULL && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
