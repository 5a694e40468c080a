/* SPDX-License-Identifier: BSD-2-Clause */
#include "package_plan.h"

#include <pthread.h>
#include <string.h>

#include "output.h"

#define JOBS_MAX 64U

/* What the threads share; under the lock. */
typedef struct run {
    pthread_mutex_t lock;
    tlm_package_plan *plan;
    tlm_progress *progress;
    size_t next;
    bool given_up;
} run;

/* After these the next host fares no better, and a PIN is not tried again. */
static bool is_fatal(tlm_result result)
{
    switch (result) {
    case TLM_ERR_PIN:
    case TLM_ERR_LOCKED:
    case TLM_ERR_TOKEN:
    case TLM_ERR_TOKEN_UNAVAILABLE:
    case TLM_ERR_NO_SPACE:
    case TLM_ERR_MEMORY:
    case TLM_ERR_SIGNATURE: /* of ours, with --trust: the key is not the trusted one */
    case TLM_ERR_UNTRUSTED:
        return true;
    default:
        return false;
    }
}

static void report(run *self, const tlm_package_item *item)
{
    if (item->outcome == TLM_PACKAGE_FAILED) {
        tlm_progress_hide(self->progress);
        tlm_output_error(&item->error);
    } else if (self->progress->lines && item->out != NULL) {
        const char *id = json_string_value(json_array_get(item->licenses, 0));
        size_t count = json_array_size(item->licenses);
        const char *word = item->outcome == TLM_PACKAGE_MADE ? "made" : "present";
        (void)printf("%s %s%s%s%s\n", word, item->out, id != NULL ? " " : "", id != NULL ? id : "",
                     count > 1 ? " …" : "");
    }
    tlm_progress_step(self->progress, item->outcome == TLM_PACKAGE_FAILED);
}

static void *work(void *context)
{
    run *self = context;
    (void)pthread_mutex_lock(&self->lock);
    while (!self->given_up && self->next < self->plan->count) {
        tlm_package_item *item = &self->plan->items[self->next++];
        (void)pthread_mutex_unlock(&self->lock);
        tlm_result result = tlm_package_make(self->plan, item, &item->error);
        (void)pthread_mutex_lock(&self->lock);
        self->given_up = self->given_up || is_fatal(result);
        report(self, item);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return NULL;
}

void tlm_package_run(tlm_package_plan *plan, unsigned jobs, tlm_progress *progress)
{
    run self = {.plan = plan, .progress = progress};
    pthread_t threads[JOBS_MAX];
    unsigned started = 0;
    (void)pthread_mutex_init(&self.lock, NULL);
    jobs = jobs > plan->count ? (unsigned)plan->count : jobs;
    /* This thread is one of them, so that it goes on with fewer, too. */
    while (started + 1 < jobs && started < JOBS_MAX &&
           pthread_create(&threads[started], NULL, work, &self) == 0) {
        started++;
    }
    (void)work(&self);
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    (void)pthread_mutex_destroy(&self.lock);
    tlm_progress_hide(progress);
}
