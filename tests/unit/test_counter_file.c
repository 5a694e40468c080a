/* SPDX-License-Identifier: BSD-2-Clause */
/* The counter of a store without a TPM: no number twice, whatever fails, and no silent restart. */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <tlm/counter_file.h>

#define THREADS 4
#define READINGS 100

/* The system call that fails: the one of that name, at its turn; with `after`, once it is done. */
static const char *failing;
static unsigned turn;
static unsigned seen;
static bool after;

int __real_fsync(int file);
int __wrap_fsync(int file);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);

static bool fails(const char *name)
{
    return failing != NULL && strcmp(failing, name) == 0 && ++seen == turn;
}

static int no_space(void)
{
    errno = ENOSPC;
    return -1;
}

int __wrap_fsync(int file)
{
    bool due = fails("fsync");
    int done = due && !after ? -1 : __real_fsync(file);
    return due ? no_space() : done;
}

int __wrap_rename(const char *from, const char *to)
{
    bool due = fails("rename");
    int done = due && !after ? -1 : __real_rename(from, to);
    return due ? no_space() : done;
}

ssize_t __wrap_write(int file, const void *data, size_t size)
{
    if (!fails("write")) {
        return __real_write(file, data, size);
    }
    if (after) {
        assert_int_equal(__real_write(file, data, size / 2), size / 2); /* torn */
    }
    return no_space();
}

static uint64_t micros_now(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

static uint64_t next(void **state)
{
    uint64_t value = 0;
    tlm_error error = {0};
    if (tlm_counter_file_next(*state, &value, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return value;
}

/* A file of the documented form, made here from the number. */
static void put_counter(void **state, const char *name, uint64_t number)
{
    char path[TEST_PATH_MAX];
    unsigned char bytes[16];
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(number >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)~bytes[i];
    }
    FILE *file = fopen(in_directory(state, name, path), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
}

static void test_counts_from_what_stands_there(void **state)
{
    put_counter(state, "counter", 0x0102030405060708ULL);
    uint64_t value = 0;
    assert_int_equal(tlm_counter_file_read(*state, &value, NULL), TLM_OK);
    assert_true(value == 0x0102030405060708ULL);
    assert_true(next(state) == 0x0102030405060709ULL);
    assert_true(next(state) == 0x010203040506070aULL);
    char path[TEST_PATH_MAX];
    char text[32];
    static const unsigned char expected[16] = {1,    2,    3,    4,    5,    6,    7,    0x0a,
                                               0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8, 0xf5};
    (void)get_file(in_directory(state, "counter", path), text, sizeof text);
    assert_memory_equal(text, expected, sizeof expected);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777U, 0600);
    assert_int_equal(info.st_size, 16);
}

static void test_a_new_one_begins_at_the_time(void **state)
{
    uint64_t before = micros_now();
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    uint64_t value = next(state);
    assert_true(value > before && value < before + 3600000000ULL);
    tlm_error error = {0};
    assert_int_equal(tlm_counter_file_make(*state, &error), TLM_ERR_EXISTS);
    assert_true(next(state) == value + 1);
}

/* The system's clock may have been set back since the lost one was made. */
static void test_a_new_one_is_above_the_backup(void **state)
{
    uint64_t future = micros_now() + 86400000000ULL;
    put_counter(state, "counter", future);
    uint64_t last = next(state);
    char path[TEST_PATH_MAX];
    assert_int_equal(unlink(in_directory(state, "counter", path)), 0);
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    assert_true(next(state) > last);
}

static void test_missing_is_never_begun_anew(void **state)
{
    uint64_t value = 7;
    tlm_error error = {0};
    assert_int_equal(tlm_counter_file_next(*state, &value, &error), TLM_ERR_NOT_FOUND);
    assert_true(value == 7);
    assert_non_null(strstr(error.message, *state));
    assert_non_null(strstr(error.message, "/counter"));
    assert_non_null(strstr(error.hint, "tlm-token-init provision --replace"));
    assert_int_equal(tlm_counter_file_read(*state, &value, NULL), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_counter_file_next("/nowhere", &value, &error), TLM_ERR_NOT_FOUND);
}

static void refuses(void **state, const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    uint64_t value = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_counter_file_next(*state, &value, &error), TLM_ERR_DAMAGED);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(tlm_counter_file_read(*state, &value, NULL), TLM_ERR_DAMAGED);
}

static void test_damaged_is_refused(void **state)
{
    char path[TEST_PATH_MAX];
    char good[17];
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    (void)get_file(in_directory(state, "counter", path), good, sizeof good);
    static const char zeros[16];
    refuses(state, path, zeros, sizeof zeros);
    refuses(state, path, good, 17);
    for (size_t size = 0; size < 16; size++) {
        refuses(state, path, good, size);
    }
    for (size_t bit = 0; bit < 128; bit++) {
        char bad[16];
        memcpy(bad, good, sizeof bad);
        bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << (bit % 8)));
        refuses(state, path, bad, sizeof bad);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(tlm_counter_file_read(*state, &(uint64_t){0}, NULL), TLM_ERR_DAMAGED);
    assert_int_equal(rmdir(path), 0);
}

static void test_discards_what_is_damaged_alone(void **state)
{
    char path[TEST_PATH_MAX];
    assert_int_equal(tlm_counter_file_discard(*state, NULL), TLM_OK);
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    assert_int_equal(tlm_counter_file_discard(*state, NULL), TLM_ERR_EXISTS);
    uint64_t value = next(state);
    put_file(in_directory(state, "counter", path), "torn");
    assert_int_equal(tlm_counter_file_discard(*state, NULL), TLM_OK);
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    assert_true(next(state) > value);
}

static void test_the_end_is_not_passed(void **state)
{
    put_counter(state, "counter", UINT64_MAX - 1);
    assert_true(next(state) == UINT64_MAX);
    uint64_t value = 0;
    assert_int_equal(tlm_counter_file_next(*state, &value, NULL), TLM_ERR_TOO_LARGE);
    assert_int_equal(tlm_counter_file_next(*state, &value, NULL), TLM_ERR_TOO_LARGE);
}

/* Each call of that name fails in turn: an error, and no number that was told comes again. */
static void survives(void **state, const char *call)
{
    unsigned failures = 0;
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    uint64_t last = next(state);
    for (turn = 1;; turn++) {
        uint64_t value = 0;
        tlm_error error = {0};
        seen = 0;
        failing = call;
        tlm_result result = tlm_counter_file_next(*state, &value, &error);
        failing = NULL;
        if (result == TLM_OK) {
            assert_true(value > last);
            break;
        }
        assert_int_equal(result, TLM_ERR_NO_SPACE);
        assert_non_null(strstr(error.message, "counter"));
        assert_true(value == 0);
        value = next(state);
        assert_true(value > last);
        last = value;
        failures++;
        assert_in_range(failures, 1, 20);
    }
    assert_in_range(failures, 1, 20);
}

static void test_survives_failing_calls(void **state)
{
    static const char *const calls[] = {"write", "fsync", "rename"};
    char path[TEST_PATH_MAX];
    for (size_t i = 0; i < 2 * sizeof calls / sizeof calls[0]; i++) {
        after = i % 2 == 1;
        survives(state, calls[i / 2]);
        assert_int_equal(unlink(in_directory(state, "counter", path)), 0);
    }
    after = false;
}

typedef struct reader {
    pthread_t thread;
    const char *directory;
    uint64_t values[READINGS];
    tlm_error error;
} reader;

static void *read_many(void *context)
{
    reader *self = context;
    for (size_t i = 0; i < READINGS; i++) {
        if (tlm_counter_file_next(self->directory, &self->values[i], &self->error) != TLM_OK) {
            break;
        }
    }
    return NULL;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Each call opens the lock anew, so threads are to each other as processes are. */
static void test_four_at_a_time_never_share_a_number(void **state)
{
    static reader readers[THREADS];
    static uint64_t all[THREADS * READINGS];
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    uint64_t first = next(state);
    for (size_t i = 0; i < THREADS; i++) {
        readers[i].directory = *state;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_many, &readers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_string_equal(readers[i].error.message, "");
        memcpy(all + i * (size_t)READINGS, readers[i].values, sizeof readers[i].values);
        for (size_t j = 1; j < READINGS; j++) {
            assert_true(readers[i].values[j] > readers[i].values[j - 1]);
        }
    }
    qsort(all, sizeof all / sizeof all[0], sizeof all[0], compare);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(all[i] == first + 1 + i);
    }
}

static void test_waits_for_the_lock(void **state)
{
    char path[TEST_PATH_MAX];
    assert_int_equal(tlm_counter_file_make(*state, NULL), TLM_OK);
    reader other = {.directory = *state};
    (void)next(state);
    int lock = open(in_directory(state, "counter.lock", path), O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(pthread_create(&other.thread, NULL, read_many, &other), 0);
    const struct timespec pause = {.tv_nsec = 100000000L};
    (void)nanosleep(&pause, NULL);
    uint64_t before = 0;
    assert_int_equal(tlm_counter_file_read(*state, &before, NULL), TLM_OK);
    assert_int_equal(close(lock), 0);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    assert_string_equal(other.error.message, "");
    assert_true(other.values[0] == before + 1);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_counts_from_what_stands_there),
        IN_DIRECTORY(test_a_new_one_begins_at_the_time),
        IN_DIRECTORY(test_a_new_one_is_above_the_backup),
        IN_DIRECTORY(test_missing_is_never_begun_anew),
        IN_DIRECTORY(test_damaged_is_refused),
        IN_DIRECTORY(test_discards_what_is_damaged_alone),
        IN_DIRECTORY(test_the_end_is_not_passed),
        IN_DIRECTORY(test_survives_failing_calls),
        IN_DIRECTORY(test_four_at_a_time_never_share_a_number),
        IN_DIRECTORY(test_waits_for_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
