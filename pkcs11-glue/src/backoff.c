/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <time.h>

int64_t tlm_clock_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tlm_backoff_reset(tlm_backoff *backoff)
{
    backoff->failures = 0;
    backoff->not_before = 0;
}

int64_t tlm_backoff_fail(tlm_backoff *backoff, int64_t now)
{
    int64_t wait = TLM_BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < backoff->failures && wait < TLM_BACKOFF_LAST_MS; i++) {
        wait *= 2;
    }
    if (wait > TLM_BACKOFF_LAST_MS) {
        wait = TLM_BACKOFF_LAST_MS;
    }
    if (backoff->failures < UINT32_MAX) {
        backoff->failures++;
    }
    backoff->not_before = now + wait;
    return wait;
}

void tlm_backoff_hold(tlm_backoff *backoff, int64_t now, int64_t wait)
{
    backoff->not_before = now + wait;
}

int64_t tlm_backoff_left(const tlm_backoff *backoff, int64_t now)
{
    return backoff->not_before > now ? backoff->not_before - now : 0;
}
