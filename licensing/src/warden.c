/* SPDX-License-Identifier: BSD-2-Clause */
#include "warden_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/log.h>

#define MS_PER_S 1000

/* Something that is done again and again, and sooner where it failed. */
typedef struct duty {
    int64_t due;
    int64_t retry; /* the next pause after a failure */
} duty;

struct tlm_warden {
    tlm_warden_config config;

    duty checkpoint;
    int64_t checkpoint_earliest; /* while there is news; a failure sets `due` instead */
    bool checked;                /* the first one was made */
    unsigned gone;               /* how often in a row the token said that it has no counter */

    duty anchor;
    int64_t head_due;
    int64_t anchored; /* the last entry that is; 0: none that is known */
    int64_t anchored_at;
    bool anchored_once;

    int64_t look_due;
    char host[TLM_HOST_COMPONENTS][sizeof((tlm_host_component){0}.sha256)];
    bool host_known;

    bool threads;
    pthread_t keeper;
    pthread_t pulse;
    pthread_mutex_t lock; /* of stop alone */
    pthread_cond_t wake;
    bool stop;
};

/* ---- the ledger ---- */

static tlm_result run(tlm_warden *self, tlm_ledger_request *request, tlm_error *error)
{
    tlm_result result = tlm_ledger_run(self->config.ledger, request);
    if (result != TLM_OK && error != NULL) {
        *error = request->error;
    }
    return result;
}

static tlm_result run_simple(tlm_warden *self, tlm_ledger_op op, tlm_error *error)
{
    tlm_ledger_request request = {.op = op};
    tlm_result result = run(self, &request, error);
    tlm_ledger_request_clear(&request);
    return result;
}

/* ---- duties ---- */

static void put_off(duty *of, int64_t now)
{
    of->due = now + of->retry;
    of->retry = of->retry < TLM_WARDEN_RETRY_MAX / 2 ? 2 * of->retry : TLM_WARDEN_RETRY_MAX;
}

static void begin_again(duty *of)
{
    *of = (duty){.due = INT64_MAX, .retry = TLM_WARDEN_RETRY};
}

static void complain(const tlm_error *error, const char *event)
{
    static tlm_log_limit limit = {.burst = 5, .seconds = 300};
    unsigned suppressed = 0;
    if (tlm_log_allow(&limit, &suppressed)) {
        tlm_log_error(error, event, "suppressed=%u", suppressed);
    }
}

/* ---- checkpoints ---- */

/* Whether the answer says that there is no counter for us, not that it cannot be read now. */
static bool says_none(tlm_result result, const tlm_error *error)
{
    return result == TLM_ERR_UNSUPPORTED || result == TLM_ERR_PERMISSION ||
           (error->domain == TLM_DOMAIN_PKCS11 && error->native == CKR_FUNCTION_REJECTED);
}

static tlm_result read_counter(tlm_warden *self, tlm_checkpoint *reading, tlm_error *error)
{
    if (self->config.counter == NULL) {
        return TLM_OK;
    }
    tlm_result result = self->config.counter(self->config.context, &reading->counter,
                                             &reading->tamper_proof, error);
    reading->has_counter = result == TLM_OK;
    if (result == TLM_OK) {
        self->gone = 0;
        return TLM_OK;
    }
    if (!says_none(result, error)) {
        return result;
    }
    if (self->gone < TLM_WARDEN_GONE) {
        self->gone++;
    }
    return self->gone == TLM_WARDEN_GONE ? TLM_OK : result;
}

static tlm_result make_checkpoint(tlm_warden *self, tlm_error *error)
{
    tlm_ledger_request request = {.op = TLM_LEDGER_CHECKPOINT};
    tlm_checkpoint *reading = &request.checkpoint;
    tlm_result result = TLM_OK;
    if (self->config.counter != NULL) {
        result = run_simple(self, TLM_LEDGER_INTENT, error);
    }
    if (result == TLM_OK) {
        result = read_counter(self, reading, error);
    }
    if (result == TLM_OK && self->config.clock != NULL) {
        /* Without a clock the counter alone counts. */
        reading->has_clock =
            self->config.clock(self->config.context, &reading->clock, NULL) == TLM_OK;
    }
    if (result == TLM_OK) {
        result = run(self, &request, error);
    }
    tlm_ledger_request_clear(&request);
    return result;
}

static void checkpoint(tlm_warden *self, int64_t now)
{
    tlm_error error = {0};
    if (make_checkpoint(self, &error) == TLM_OK) {
        begin_again(&self->checkpoint);
        self->checked = true;
        self->checkpoint_earliest = now + (int64_t)self->config.checkpoint_seconds * MS_PER_S;
        return;
    }
    put_off(&self->checkpoint, now);
    if (self->gone == 0 || self->gone == TLM_WARDEN_GONE) {
        complain(&error, "checkpoint_failed");
    }
}

/* A failure is tried again when its pause is over; otherwise it waits for news and its interval. */
static bool checkpoint_is_due(const tlm_warden *self, int64_t now)
{
    if (self->checkpoint.due != INT64_MAX) {
        return now >= self->checkpoint.due;
    }
    return now >= self->checkpoint_earliest && tlm_ledger_dirty(self->config.ledger);
}

/* ---- anchors ---- */

typedef struct head {
    int64_t seq;
    char hash[65];
    bool anchored;
} head;

/* The newest entry of the audit log and the anchor that may stand behind it. */
static tlm_result read_head(tlm_warden *self, head *newest, tlm_error *error)
{
    tlm_ledger_request request = {.op = TLM_LEDGER_AUDIT, .after = -1, .limit = 1};
    tlm_result result = run(self, &request, error);
    if (result == TLM_OK) {
        const json_t *entries = json_object_get(request.answer, "entries");
        const json_t *entry = json_array_get(entries, 0);
        const char *hash = json_string_value(json_object_get(entry, "hash"));
        newest->seq = json_integer_value(json_object_get(entry, "seq"));
        newest->anchored = json_array_size(entries) > 1;
        if (hash != NULL && strlen(hash) < sizeof newest->hash) {
            memcpy(newest->hash, hash, strlen(hash) + 1);
        }
    }
    tlm_ledger_request_clear(&request);
    return result;
}

static tlm_result make_anchor(tlm_warden *self, const head *newest, tlm_error *error)
{
    json_t *proof = NULL;
    json_t *statement =
        json_pack("{s:s, s:I, s:s, s:s}", "type", "audit", "seq", (json_int_t)newest->seq, "hash",
                  newest->hash, "ledger", tlm_ledger_id(self->config.ledger));
    if (statement == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a statement");
    }
    tlm_result result = self->config.prove(self->config.context, statement, &proof, error);
    if (result == TLM_OK) {
        tlm_ledger_request request = {.op = TLM_LEDGER_ANCHOR, .proof = proof};
        result = run(self, &request, error);
        tlm_ledger_request_clear(&request);
    }
    json_decref(proof);
    return result;
}

static bool anchor_is_wanted(const tlm_warden *self, const head *newest, int64_t now, bool last)
{
    if (newest->seq == 0 || newest->anchored || newest->seq == self->anchored) {
        return false;
    }
    return last || !self->anchored_once || newest->seq - self->anchored >= TLM_WARDEN_ENTRIES ||
           now - self->anchored_at >= TLM_WARDEN_ANCHOR;
}

static void note_anchor(tlm_warden *self, const head *newest, int64_t now)
{
    begin_again(&self->anchor);
    self->anchored = newest->seq;
    self->anchored_at = now;
    self->anchored_once = true;
}

static void anchor(tlm_warden *self, int64_t now, bool last)
{
    head newest = {0};
    tlm_error error = {0};
    self->head_due = now + TLM_WARDEN_HEAD;
    tlm_result result = read_head(self, &newest, &error);
    if (result == TLM_OK && newest.anchored && !self->anchored_once) {
        note_anchor(self, &newest, now); /* by an earlier run */
    }
    if (result == TLM_OK && anchor_is_wanted(self, &newest, now, last)) {
        result = make_anchor(self, &newest, &error);
        if (result == TLM_OK) {
            note_anchor(self, &newest, now);
        }
    }
    if (result == TLM_OK) {
        return;
    }
    put_off(&self->anchor, now);
    self->head_due = self->anchor.due;
    if (result == TLM_ERR_UNSUPPORTED) {
        self->head_due = now + TLM_WARDEN_ANCHOR; /* a host that has only a key file */
        return;
    }
    complain(&error, "anchor_failed");
}

/* ---- the host ---- */

static bool has_changed(tlm_warden *self, const tlm_ledger_host *host)
{
    bool changed = !self->host_known;
    for (size_t i = 0; i < host->component_count && i < TLM_HOST_COMPONENTS; i++) {
        const tlm_host_component *component = &host->components[i];
        if (strcmp(self->host[i], component->sha256) != 0) {
            changed = true;
            if (self->host_known) {
                tlm_log(TLM_LOG_WARNING, "host_drift", "component=%s present=%s", component->id,
                        component->present ? "true" : "false");
            }
        }
    }
    return changed;
}

static void remember(tlm_warden *self, const tlm_ledger_host *host)
{
    for (size_t i = 0; i < host->component_count && i < TLM_HOST_COMPONENTS; i++) {
        memcpy(self->host[i], host->components[i].sha256, sizeof self->host[i]);
    }
    self->host_known = true;
}

static void look(tlm_warden *self, int64_t now)
{
    tlm_ledger_host host = {0};
    tlm_error error = {0};
    self->look_due = now + TLM_WARDEN_HOST;
    tlm_result result = self->config.look(self->config.context, &host, &error);
    if (result == TLM_OK && has_changed(self, &host)) {
        result = tlm_ledger_set_host(self->config.ledger, &host, &error);
        if (result == TLM_OK) {
            remember(self, &host);
        }
    }
    if (result != TLM_OK) {
        complain(&error, "host_look_failed");
    }
}

/* ---- turns ---- */

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

int64_t tlm_warden_turn(tlm_warden *self, int64_t now)
{
    if (checkpoint_is_due(self, now)) {
        checkpoint(self, now);
    }
    if (self->config.prove != NULL && now >= self->head_due) {
        anchor(self, now, false);
    }
    if (self->config.look != NULL && now >= self->look_due) {
        look(self, now);
    }
    /* News of the ledger is asked for each second. */
    int64_t next = earlier(now + TLM_WARDEN_TICK, self->checkpoint.due);
    next = self->config.prove != NULL ? earlier(next, self->head_due) : next;
    return self->config.look != NULL ? earlier(next, self->look_due) : next;
}

static int64_t steady_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / 1000000;
}

/* Waits, and returns whether the threads go on. The condition's clock stands still in suspension,
 * which only makes a pause longer by it. */
static bool wait_ms(tlm_warden *self, int64_t ms)
{
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / MS_PER_S);
    until.tv_nsec += (long)(ms % MS_PER_S) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&self->lock);
    int rc = 0;
    while (!self->stop && rc == 0) {
        rc = pthread_cond_timedwait(&self->wake, &self->lock, &until);
    }
    bool goes_on = !self->stop;
    (void)pthread_mutex_unlock(&self->lock);
    return goes_on;
}

static void *keep(void *warden)
{
    tlm_warden *self = warden;
    int64_t pause = 0;
    while (wait_ms(self, pause)) {
        int64_t next = tlm_warden_turn(self, steady_now());
        pause = next - steady_now();
        pause = pause > 0 ? pause : 0;
    }
    return NULL;
}

static void *beat(void *warden)
{
    tlm_warden *self = warden;
    do {
        tlm_error error = {0};
        if (run_simple(self, TLM_LEDGER_TICK, &error) != TLM_OK) {
            complain(&error, "tick_failed");
        }
    } while (wait_ms(self, TLM_WARDEN_TICK));
    return NULL;
}

/* ---- start and stop ---- */

static tlm_warden *new_warden(const tlm_warden_config *config)
{
    tlm_warden *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    pthread_condattr_t attributes;
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    self->config = *config;
    self->checkpoint = (duty){.retry = TLM_WARDEN_RETRY}; /* due at once */
    begin_again(&self->anchor);
    return self;
}

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the ledger's warden");
}

tlm_result tlm_warden_make(const tlm_warden_config *config, tlm_warden **warden, tlm_error *error)
{
    *warden = new_warden(config);
    return *warden != NULL ? TLM_OK : no_memory(error);
}

static void destroy(tlm_warden **warden)
{
    (void)pthread_cond_destroy(&(*warden)->wake);
    (void)pthread_mutex_destroy(&(*warden)->lock);
    free(*warden);
    *warden = NULL;
}

static void end_threads(tlm_warden *self)
{
    (void)pthread_mutex_lock(&self->lock);
    self->stop = true;
    (void)pthread_cond_broadcast(&self->wake);
    (void)pthread_mutex_unlock(&self->lock);
    (void)pthread_join(self->keeper, NULL);
}

tlm_result tlm_warden_start(const tlm_warden_config *config, tlm_warden **warden, tlm_error *error)
{
    tlm_warden *self = new_warden(config);
    if (self == NULL) {
        return no_memory(error);
    }
    int rc = pthread_create(&self->keeper, NULL, keep, self);
    if (rc == 0) {
        rc = pthread_create(&self->pulse, NULL, beat, self);
        if (rc != 0) {
            end_threads(self);
        }
    }
    if (rc != 0) {
        destroy(&self);
        return tlm_error_set(error, TLM_ERR_MEMORY, "look at the limits: ulimit -u",
                             "no thread for the ledger's warden");
    }
    self->threads = true;
    *warden = self;
    return TLM_OK;
}

static void last_turn(tlm_warden *self)
{
    tlm_error error = {0};
    if (self->config.prove != NULL) {
        anchor(self, steady_now(), true);
    }
    if ((!self->checked || tlm_ledger_dirty(self->config.ledger)) &&
        make_checkpoint(self, &error) != TLM_OK) {
        complain(&error, "checkpoint_failed");
    }
}

void tlm_warden_stop(tlm_warden **warden)
{
    if (warden == NULL || *warden == NULL) {
        return;
    }
    tlm_warden *self = *warden;
    if (self->threads) {
        end_threads(self);
        (void)pthread_join(self->pulse, NULL);
    }
    last_turn(self);
    destroy(warden);
}
