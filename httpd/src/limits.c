/* SPDX-License-Identifier: BSD-2-Clause */
#include "limits.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SETS 1024U /* a power of two */
#define WAYS 4U
#define WRONG_MS ((int64_t)TLM_LIMITS_WRONG_SECONDS * 1000)

typedef struct entry {
    uint64_t key[2];
    uint64_t seen;    /* the turn in which it was last looked for */
    int64_t full_us;  /* when its bucket of requests is full again */
    int64_t wrong_ms; /* when the first of the wrong tokens came */
    unsigned wrong;
    bool used;
} entry;

struct tlm_limits {
    pthread_mutex_t lock;
    uint64_t seed; /* so that nobody can choose which addresses are neighbors */
    unsigned rate;
    uint64_t turns;
    entry sets[SETS][WAYS];
};

tlm_result tlm_limits_new(unsigned rate, tlm_limits **limits, tlm_error *error)
{
    *limits = NULL;
    tlm_limits *self = calloc(1, sizeof *self);
    if (self == NULL || pthread_mutex_init(&self->lock, NULL) != 0) {
        free(self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the limits of peers");
    }
    self->rate = rate;
    if (getrandom(&self->seed, sizeof self->seed, 0) != (ssize_t)sizeof self->seed) {
        self->seed = (uintptr_t)self;
    }
    *limits = self;
    return TLM_OK;
}

void tlm_limits_free(tlm_limits **limits)
{
    if (limits == NULL || *limits == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&(*limits)->lock);
    free(*limits);
    *limits = NULL;
}

/* The finalizer of splitmix64: every bit of the input changes half of the output's. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

/* Under the lock. The entry of this address, a new one where there was none. */
static entry *find(tlm_limits *self, const uint64_t key[2])
{
    uint64_t hash = mix(mix(key[0] ^ self->seed) ^ key[1]);
    entry *set = self->sets[hash & (SETS - 1)];
    entry *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        entry *at = &set[i];
        if (at->used && at->key[0] == key[0] && at->key[1] == key[1]) {
            at->seen = ++self->turns;
            return at;
        }
        if (oldest->used && (!at->used || at->seen < oldest->seen)) {
            oldest = at;
        }
    }
    *oldest = (entry){.key = {key[0], key[1]}, .seen = ++self->turns, .used = true};
    /* A bucket that was never drawn from is full. */
    oldest->full_us = INT64_MIN / 2;
    return oldest;
}

bool tlm_limits_take(tlm_limits *limits, const uint64_t key[2], int64_t now_ms)
{
    if (limits->rate == 0) {
        return true;
    }
    /*
     * A bucket of two seconds' worth, kept as the instant at which it will be full again: one
     * number, and nothing to refill.
     */
    const int64_t step = 1000000 / (int64_t)limits->rate;
    const int64_t depth = 2 * step * (int64_t)limits->rate;
    const int64_t now = now_ms * 1000;
    (void)pthread_mutex_lock(&limits->lock);
    entry *found = find(limits, key);
    int64_t full = found->full_us > now ? found->full_us : now;
    bool taken = full + step - now <= depth;
    if (taken) {
        found->full_us = full + step;
    }
    (void)pthread_mutex_unlock(&limits->lock);
    return taken;
}

void tlm_limits_wrong(tlm_limits *limits, const uint64_t key[2], int64_t now_ms)
{
    (void)pthread_mutex_lock(&limits->lock);
    entry *found = find(limits, key);
    if (found->wrong == 0 || now_ms - found->wrong_ms >= WRONG_MS) {
        found->wrong = 0;
        found->wrong_ms = now_ms;
    }
    found->wrong++;
    (void)pthread_mutex_unlock(&limits->lock);
}

unsigned tlm_limits_barred(tlm_limits *limits, const uint64_t key[2], int64_t now_ms)
{
    unsigned seconds = 0;
    (void)pthread_mutex_lock(&limits->lock);
    const entry *found = find(limits, key);
    int64_t left = found->wrong_ms + WRONG_MS - now_ms;
    if (found->wrong >= TLM_LIMITS_WRONG && left > 0) {
        seconds = (unsigned)((left + 999) / 1000);
    }
    (void)pthread_mutex_unlock(&limits->lock);
    return seconds;
}
