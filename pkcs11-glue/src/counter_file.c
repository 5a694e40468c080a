/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/counter_file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <tlm/file.h>

#define NUMBER_SIZE sizeof(uint64_t)
#define FILE_SIZE (2 * NUMBER_SIZE)

#define LOCK_WAIT_MS 10000
#define LOCK_PAUSE_MS 2

#define REMEDY                                                                                     \
    "nothing tells what was counted last; to begin anew above it, with the system's clock right, " \
    "run: tlm-token-init provision --replace"

static char *path_of(const char *directory, const char *name, tlm_error *error)
{
    char *path = tlm_path_join(directory, name);
    if (path == NULL) {
        (void)tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the path of %s", name);
    }
    return path;
}

static void encode(uint64_t number, unsigned char bytes[FILE_SIZE])
{
    for (size_t i = 0; i < NUMBER_SIZE; i++) {
        bytes[i] = (unsigned char)(number >> (8 * (NUMBER_SIZE - 1 - i)));
        bytes[NUMBER_SIZE + i] = (unsigned char)~bytes[i];
    }
}

static bool decode(const char *data, size_t size, uint64_t *number)
{
    unsigned char bytes[FILE_SIZE];
    unsigned char again[FILE_SIZE];
    if (size != FILE_SIZE) {
        return false;
    }
    memcpy(bytes, data, FILE_SIZE);
    *number = 0;
    for (size_t i = 0; i < NUMBER_SIZE; i++) {
        *number = *number << 8 | bytes[i];
    }
    encode(*number, again);
    return memcmp(bytes, again, FILE_SIZE) == 0;
}

static tlm_result read_number(const char *path, uint64_t *number, tlm_error *error)
{
    char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, FILE_SIZE, &data, &size, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, REMEDY, "the counter %s is missing", path);
    }
    if (result == TLM_ERR_TOO_LARGE || result == TLM_ERR_FORMAT ||
        (result == TLM_OK && !decode(data, size, number))) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, REMEDY,
                               "the counter %s is damaged: it is not a number of %zu bytes and its "
                               "inverse",
                               path, NUMBER_SIZE);
    }
    free(data);
    return result;
}

static tlm_result wait_for_lock(int file, const char *path, tlm_error *error)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    for (int waited = 0; flock(file, LOCK_EX | LOCK_NB) != 0; waited += LOCK_PAUSE_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return tlm_error_set_errno(error, NULL, "locking %s", path);
        }
        if (waited >= LOCK_WAIT_MS) {
            tlm_result result = tlm_error_set(error, TLM_ERR_BUSY, NULL,
                                              "another process holds the lock %s for %d seconds",
                                              path, LOCK_WAIT_MS / 1000);
            tlm_error_set_hint(error, "see which one with: fuser -v %s", path);
            return result;
        }
        (void)nanosleep(&pause, NULL);
    }
    return TLM_OK;
}

/* The lock is a file of its own: the counter itself is another file after each step. */
static tlm_result take_lock(const char *directory, int *lock, tlm_error *error)
{
    *lock = -1;
    char *path = path_of(directory, TLM_COUNTER_LOCK_FILE, error);
    if (path == NULL) {
        return TLM_ERR_MEMORY;
    }
    tlm_result result = TLM_OK;
    int file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) {
        result = tlm_error_set_errno(error, NULL, "opening the lock %s", path);
    } else {
        result = wait_for_lock(file, path, error);
    }
    free(path);
    if (result != TLM_OK && file >= 0) {
        (void)close(file);
        file = -1;
    }
    *lock = file;
    return result;
}

static void give_lock(int lock)
{
    if (lock >= 0) {
        (void)close(lock);
    }
}

static uint64_t first_number(const char *directory)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t micros =
        now.tv_sec > 0 ? (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U : 1U;
    uint64_t former = 0;
    char *path = tlm_path_join(directory, TLM_COUNTER_FILE ".bak");
    /* counter.bak is the number before the last one told. */
    bool known = path != NULL && read_number(path, &former, NULL) == TLM_OK;
    free(path);
    return known && former >= micros && former < UINT64_MAX - 1 ? former + 1 : micros;
}

tlm_result tlm_counter_file_make(const char *directory, tlm_error *error)
{
    char *path = path_of(directory, TLM_COUNTER_FILE, error);
    if (path == NULL) {
        return TLM_ERR_MEMORY;
    }
    unsigned char bytes[FILE_SIZE];
    encode(first_number(directory), bytes);
    tlm_result result = tlm_file_create(path, bytes, sizeof bytes, 0600, error);
    free(path);
    return result;
}

tlm_result tlm_counter_file_read(const char *directory, uint64_t *value, tlm_error *error)
{
    char *path = path_of(directory, TLM_COUNTER_FILE, error);
    if (path == NULL) {
        return TLM_ERR_MEMORY;
    }
    tlm_result result = read_number(path, value, error);
    free(path);
    return result;
}

static tlm_result step(const char *path, uint64_t *value, tlm_error *error)
{
    uint64_t number = 0;
    tlm_result result = read_number(path, &number, error);
    if (result != TLM_OK) {
        return result;
    }
    if (number == UINT64_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "the counter %s is at its end", path);
    }
    unsigned char bytes[FILE_SIZE];
    encode(number + 1, bytes);
    /* Where syncing the directory fails the number is written and not told: nobody gets it. */
    result = tlm_file_replace(path, bytes, sizeof bytes, 0600, error);
    if (result == TLM_OK) {
        *value = number + 1;
    }
    return result;
}

tlm_result tlm_counter_file_next(const char *directory, uint64_t *value, tlm_error *error)
{
    int lock = -1;
    char *path = path_of(directory, TLM_COUNTER_FILE, error);
    tlm_result result = path != NULL ? take_lock(directory, &lock, error) : TLM_ERR_MEMORY;
    if (result == TLM_OK) {
        result = step(path, value, error);
    }
    give_lock(lock);
    free(path);
    return result;
}

tlm_result tlm_counter_file_discard(const char *directory, tlm_error *error)
{
    int lock = -1;
    uint64_t number = 0;
    char *path = path_of(directory, TLM_COUNTER_FILE, error);
    tlm_result result = path != NULL ? take_lock(directory, &lock, error) : TLM_ERR_MEMORY;
    if (result == TLM_OK) {
        result = read_number(path, &number, error);
        if (result == TLM_OK) {
            result = tlm_error_set(error, TLM_ERR_EXISTS, "nothing needs to be done",
                                   "the counter %s is good", path);
        } else if (result == TLM_ERR_NOT_FOUND) {
            result = TLM_OK;
        } else if (result == TLM_ERR_DAMAGED) {
            result =
                unlink(path) == 0 ? TLM_OK : tlm_error_set_errno(error, NULL, "removing %s", path);
        }
    }
    give_lock(lock);
    free(path);
    return result;
}
