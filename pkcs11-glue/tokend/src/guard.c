/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard.h"

/* Constant where it begins, so that malloc may use it from the first call of a thread on. */
static _Thread_local struct {
    bool active;
    bool refused;
    unsigned paused;
    size_t budget;
    size_t used;
} guard;

void tlm_guard_begin(size_t budget)
{
    guard.budget = budget;
    guard.used = 0;
    guard.paused = 0;
    guard.refused = false;
    guard.active = true;
}

bool tlm_guard_end(void)
{
    guard.active = false;
    return guard.refused;
}

void tlm_guard_next(void)
{
    guard.used = 0;
}

void tlm_guard_pause(void)
{
    guard.paused++;
}

void tlm_guard_resume(void)
{
    guard.paused--;
}

bool tlm_guard_take(size_t size)
{
    if (!guard.active || guard.paused > 0) {
        return true;
    }
    if (size > guard.budget - guard.used) {
        guard.refused = true;
        return false;
    }
    guard.used += size;
    return true;
}

void tlm_guard_give(size_t size)
{
    if (guard.active && guard.paused == 0) {
        /* What came before the message, or from another thread, was not taken here. */
        guard.used -= size < guard.used ? size : guard.used;
    }
}
