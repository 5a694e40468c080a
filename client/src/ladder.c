/* SPDX-License-Identifier: BSD-2-Clause */
#include "ladder_private.h"

#define SECOND 1000LL
#define GRACE (900 * SECOND)
#define RETRY_MAX (30 * SECOND)
/* Longest time that is calculated with: a century. Longer ones are not told apart. */
#define FAR (100LL * 366 * 86400 * SECOND)

static int64_t bounded(int64_t value, int64_t least, int64_t most)
{
    if (value < least) {
        return least;
    }
    return value > most ? most : value;
}

static int64_t step(int64_t seconds, int64_t otherwise)
{
    return seconds > 0 ? bounded(seconds, 1, FAR / SECOND) * SECOND : otherwise;
}

tlm_ladder tlm_ladder_make(int64_t warn, int64_t degraded, int64_t stop, int64_t ttl)
{
    ttl = bounded(ttl, SECOND, FAR);
    tlm_ladder ladder = {.warn = step(warn, ttl / 2),
                         .degraded = step(degraded, ttl),
                         .stop = step(stop, ttl + GRACE)};
    ladder.degraded = bounded(ladder.degraded, ladder.warn, INT64_MAX);
    ladder.stop = bounded(ladder.stop, ladder.degraded, INT64_MAX);
    return ladder;
}

tlm_client_level tlm_ladder_level(const tlm_ladder *ladder, int64_t age)
{
    if (age >= ladder->stop) {
        return TLM_CLIENT_STOP;
    }
    if (age >= ladder->degraded) {
        return TLM_CLIENT_DEGRADED;
    }
    return age >= ladder->warn ? TLM_CLIENT_WARN : TLM_CLIENT_FINE;
}

int64_t tlm_ladder_next(const tlm_ladder *ladder, int64_t age)
{
    switch (tlm_ladder_level(ladder, age)) {
    case TLM_CLIENT_FINE:
        return ladder->warn - age;
    case TLM_CLIENT_WARN:
        return ladder->degraded - age;
    case TLM_CLIENT_DEGRADED:
        return ladder->stop - age;
    case TLM_CLIENT_STOP:
        break;
    }
    return INT64_MAX;
}

/* `least` plus a part of `spread` that the random number chooses. */
static int64_t between(int64_t least, int64_t spread, uint32_t random)
{
    return spread <= 0 ? least : least + (int64_t)random % (spread + 1);
}

int64_t tlm_ladder_renew(int64_t ttl, uint32_t random)
{
    int64_t third = bounded(ttl, 3, FAR) / 3;
    return between(third - third / 5, third / 5, random);
}

int64_t tlm_ladder_retry(int64_t ttl, unsigned failures, uint32_t random)
{
    int64_t most = bounded(ttl / 3, 2, RETRY_MAX);
    int64_t delay = bounded(SECOND, 2, most);
    for (unsigned i = 1; i < failures && delay < most; i++) {
        delay = bounded(2 * delay, 2, most);
    }
    return between(delay - delay / 2, delay / 2, random);
}
