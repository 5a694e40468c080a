/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#define SECOND_MS 1000
#define DAY_MS 86400000LL

int64_t tlm_time_add(int64_t instant, int64_t span)
{
    int64_t sum = 0;
    return __builtin_add_overflow(instant, span, &sum) ? TLM_NEVER : sum;
}

int64_t tlm_time_of(int64_t number, int64_t unit)
{
    int64_t product = 0;
    if (number == INT64_MIN || number == INT64_MAX) {
        return number;
    }
    return __builtin_mul_overflow(number, unit, &product) ? TLM_NEVER : product;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t tlm_pool_begins(const tlm_pool *pool)
{
    int64_t license = tlm_time_of(pool->record->license->not_before, SECOND_MS);
    if (pool->feature == NULL || pool->feature->model.type != TLM_MODEL_PERIOD) {
        return license;
    }
    int64_t period = tlm_time_of(pool->feature->model.not_before, SECOND_MS);
    return period > license ? period : license;
}

int64_t tlm_pool_ends(const tlm_pool *pool, int64_t now)
{
    int64_t license = tlm_time_of(pool->record->license->expires, SECOND_MS);
    if (pool->feature == NULL) {
        return license;
    }
    const tlm_model *model = &pool->feature->model;
    switch (model->type) {
    case TLM_MODEL_PERIOD:
        return earlier(license, tlm_time_of(model->not_after, SECOND_MS));
    case TLM_MODEL_TRIAL: {
        int64_t first = pool->first_use != 0 ? pool->first_use : now;
        return earlier(license, tlm_time_add(first, tlm_time_of(model->amount, DAY_MS)));
    }
    case TLM_MODEL_ACTIVATION:
        return earlier(license,
                       tlm_time_add(pool->record->activated, tlm_time_of(model->amount, DAY_MS)));
    default:
        return license;
    }
}

bool tlm_pool_consumable(const tlm_pool *pool)
{
    return pool->feature == NULL || pool->feature->model.type != TLM_MODEL_PERPETUAL ||
           pool->record->license->expires != INT64_MAX;
}

bool tlm_pool_counts(const tlm_pool *pool)
{
    return pool->model == TLM_MODEL_COUNTER_DOWN || pool->model == TLM_MODEL_COUNTER_UP ||
           pool->model == TLM_MODEL_TOKENS;
}

int64_t tlm_pool_time_left(const tlm_pool *pool)
{
    if (pool->feature == NULL || pool->feature->model.type != TLM_MODEL_USAGE_TIME) {
        return TLM_NEVER;
    }
    int64_t all = tlm_time_of(pool->feature->model.amount, SECOND_MS);
    return all > pool->used ? all - pool->used : 0;
}

void tlm_pool_figures(const tlm_pool *pool, int64_t *used, int64_t *remaining)
{
    bool time = pool->model == TLM_MODEL_USAGE_TIME;
    *used = -1;
    *remaining = -1;
    if (!tlm_pool_counts(pool) && !time && pool->model != TLM_MODEL_LIST) {
        return;
    }
    /* A second that has begun is not promised to anybody else. */
    *used = time ? pool->used / SECOND_MS + (pool->used % SECOND_MS != 0) : pool->used;
    int64_t amount = pool->feature != NULL ? pool->feature->model.amount : 0;
    if (amount >= 0) {
        *remaining = amount > *used ? amount - *used : 0;
    }
}
