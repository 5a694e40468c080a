/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"

#include <time.h>

#define WIDTH 40
#define EVERY_MS 100

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void draw(const tlm_progress *progress)
{
    static const char full[] = "########################################";
    static const char empty[] = "........................................";
    int filled = progress->total > 0 ? (int)(WIDTH * progress->done / progress->total) : WIDTH;
    (void)fprintf(progress->stream, "\r[%.*s%.*s] %zu/%zu", filled, full, WIDTH - filled, empty,
                  progress->done, progress->total);
    if (progress->failed > 0) {
        (void)fprintf(progress->stream, ", %zu failed", progress->failed);
    }
    (void)fflush(progress->stream);
}

void tlm_progress_step(tlm_progress *progress, bool failed)
{
    progress->done++;
    progress->failed += failed ? 1 : 0;
    int64_t now = now_ms();
    if (progress->bar && (progress->done == progress->total || now - progress->drawn >= EVERY_MS)) {
        draw(progress);
        progress->drawn = now;
    }
}

void tlm_progress_hide(tlm_progress *progress)
{
    if (progress->bar) {
        (void)fprintf(progress->stream, "\r\033[K");
        (void)fflush(progress->stream);
        progress->drawn = 0;
    }
}
