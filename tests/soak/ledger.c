/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ten thousand clients that take, renew, return and forget leases and use counters and tokens, many
 * at a time, while clients die and the machine loses its power at steps of chance. Everything that
 * was told is kept in a model of the test's, and held against the ledger:
 *
 *   - the leases that were told and last never have more seats than there are,
 *   - what is used is the sum of what was told to be used, each id once,
 *   - no usage time is had that was not bought,
 *   - fencing numbers grow.
 *
 * TLM_SOAK_SEED and TLM_SOAK_ROUNDS choose another run; the seed is printed.
 */
#include "ledger_fixture.h"

#include <pthread.h>
#include <time.h>

#include "faulty_vfs.h"

#define CLIENTS 10000
#define AT_ONCE 250
#define PRO_SEATS 400
#define TIME_SEATS 150
#define TIME_SECONDS 2000000
#define TOKENS 3000

typedef enum kind { KIND_PRO, KIND_TIME, KIND_COUNT } kind;

static const char *const features[KIND_COUNT] = {"pro", "time"};
static const int64_t seats_of[KIND_COUNT] = {PRO_SEATS, TIME_SEATS};

typedef struct held {
    char lease[37]; /* "": none that is known */
    int64_t units;
    int64_t granted;
    int64_t expires;
    bool forgotten; /* by a client that died */
} held;

typedef struct client {
    char name[16];
    held held[KIND_COUNT];
    int64_t tokens;
} client;

typedef struct job {
    tlm_ledger_request request;
    client *client;
    kind kind;
    bool done;
    bool known; /* answered before the power was cut */
    tlm_ledger_ask ask;
    char id[32];
    char lease[37];
} job;

static client clients[CLIENTS];
static uint64_t random_state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static unsigned waiting;

/* The model. */
static int64_t last_fence;
static int64_t counted; /* by the counter */
static int64_t tokens_out;
static int64_t time_had; /* milliseconds times seats */
static uint64_t next_id;
static unsigned granted_count;
static unsigned refused_count;
static unsigned cuts;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13U;
    random_state ^= random_state >> 7U;
    random_state ^= random_state << 17U;
    return random_state;
}

static uint64_t below(uint64_t limit)
{
    return random_number() % limit;
}

static void done(tlm_ledger_request *request)
{
    job *self = request->context;
    (void)pthread_mutex_lock(&lock);
    self->done = true;
    self->known = !atomic_load(&faulty_disk.dead);
    if (--waiting == 0) {
        (void)pthread_cond_signal(&wake);
    }
    (void)pthread_mutex_unlock(&lock);
}

static void choose_lease_job(job *j)
{
    held *h = &j->client->held[j->kind];
    j->ask = (tlm_ledger_ask){.feature = features[j->kind], .client = j->client->name};
    if (h->lease[0] == '\0' || h->forgotten || below(10) == 0) {
        j->request.op = TLM_LEDGER_ACQUIRE;
        j->ask.ttl = (int64_t)below(600) + 1;
        j->ask.units = (int64_t)below(3); /* 0: as before, or one */
        return;
    }
    (void)snprintf(j->lease, sizeof j->lease, "%s", h->lease);
    j->ask.lease = j->lease;
    switch (below(4)) {
    case 0:
        j->request.op = TLM_LEDGER_RELEASE;
        break;
    case 1:
        h->forgotten = true; /* it dies, and what it asks is what its successor asks */
        j->request.op = TLM_LEDGER_LEASE;
        break;
    default:
        j->request.op = TLM_LEDGER_RENEW;
        j->ask.ttl = (int64_t)below(600) + 1;
        break;
    }
}

static void choose_use_job(job *j)
{
    j->request.op = TLM_LEDGER_USE;
    (void)snprintf(j->id, sizeof j->id, "use-%llu", (unsigned long long)next_id++);
    j->ask = (tlm_ledger_ask){.client = j->client->name,
                              .request = j->id,
                              .units = (int64_t)below(5) + 1,
                              .feature = "count"};
    if (below(2) == 0) {
        j->ask.feature = "tokens";
        j->ask.give_back = j->client->tokens > 0 && below(2) == 0;
    }
}

static void choose_job(job *j, client *who)
{
    *j = (job){.client = who, .kind = below(2) == 0 ? KIND_PRO : KIND_TIME};
    if (below(3) == 0) {
        choose_use_job(j);
    } else {
        choose_lease_job(j);
    }
}

static void submit(fixture *f, job *jobs, size_t count)
{
    waiting = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        jobs[i].request.ask = jobs[i].ask;
        jobs[i].request.done = done;
        jobs[i].request.context = &jobs[i];
        jobs[i].done = false;
        tlm_ledger_submit(f->ledger, &jobs[i].request);
    }
    (void)pthread_mutex_lock(&lock);
    while (waiting > 0) {
        (void)pthread_cond_wait(&wake, &lock);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* A lease ends, by being returned or running out: so long its seats were had. */
static void end_lease(held *h, kind which, int64_t when)
{
    if (which == KIND_TIME && h->lease[0] != '\0') {
        time_had += (when - h->granted) * h->units;
    }
    h->lease[0] = '\0';
}

static void learn_grant(const job *j, int64_t now)
{
    const tlm_grant *grant = &j->request.grant;
    held *h = &j->client->held[j->kind];
    if (!grant->repeated && j->request.op == TLM_LEDGER_ACQUIRE) {
        assert_true(grant->fence > last_fence);
        last_fence = grant->fence;
        end_lease(h, j->kind, h->expires);
        h->granted = grant->granted;
        granted_count++;
    } else if (h->units != grant->units && j->kind == KIND_TIME && h->lease[0] != '\0') {
        time_had += (now - h->granted) * h->units;
        h->granted = now;
    } else if (h->lease[0] == '\0') {
        h->granted = now; /* it was granted in an answer that got lost */
    }
    (void)snprintf(h->lease, sizeof h->lease, "%s", grant->lease);
    h->units = grant->units;
    h->expires = grant->expires;
    h->forgotten = h->forgotten && j->request.op == TLM_LEDGER_LEASE;
    assert_true(h->expires > now);
}

static void learn_use(const job *j)
{
    const tlm_ledger_ask *ask = &j->ask;
    if (strcmp(ask->feature, "count") == 0) {
        counted += ask->units;
    } else {
        int64_t change = ask->give_back ? -ask->units : ask->units;
        tokens_out += change;
        j->client->tokens += change;
        assert_true(tokens_out >= 0 && tokens_out <= TOKENS);
        assert_true(j->client->tokens >= 0);
    }
}

/* What an answer tells. One that came after the cut was never heard. */
static void learn(const job *j, int64_t now)
{
    held *h = &j->client->held[j->kind];
    tlm_result result = j->request.error.result;
    if (result != TLM_OK) {
        refused_count++;
        if (result == TLM_ERR_NOT_FOUND) {
            /* It ran out, as the model knows, or its end was asked for in a lost answer. */
            end_lease(h, j->kind, h->expires < now ? h->expires : now);
        } else if (result != TLM_ERR_SEATS && result != TLM_ERR_EXHAUSTED &&
                   result != TLM_ERR_CONFLICT) {
            fail_msg("%s: %s", tlm_result_code(result), j->request.error.message);
        }
        return;
    }
    switch (j->request.op) {
    case TLM_LEDGER_ACQUIRE:
    case TLM_LEDGER_RENEW:
    case TLM_LEDGER_LEASE:
        learn_grant(j, now);
        break;
    case TLM_LEDGER_RELEASE:
        end_lease(h, j->kind, now);
        break;
    default:
        learn_use(j);
        break;
    }
}

static void assert_seats(int64_t now)
{
    for (int which = 0; which < KIND_COUNT; which++) {
        int64_t live = 0;
        for (size_t i = 0; i < CLIENTS; i++) {
            held *h = &clients[i].held[which];
            if (h->lease[0] != '\0' && h->expires <= now) {
                end_lease(h, (kind)which, h->expires);
            }
            live += h->lease[0] != '\0' ? h->units : 0;
        }
        if (live > seats_of[which]) {
            fail_msg("%lld seats of %s are in use, and there are %lld", (long long)live,
                     features[which], (long long)seats_of[which]);
        }
    }
    assert_true(time_had <= TIME_SECONDS * 1000LL);
}

static void assert_used(fixture *f)
{
    assert_int_equal(figure(f, 3, "used"), counted);
    assert_int_equal(figure(f, 4, "used"), tokens_out);
    assert_true(figure(f, 2, "used") * 1000 >= time_had);
    assert_true(figure(f, 2, "used") <= TIME_SECONDS);
    assert_true(figure(f, 1, "inUse") <= PRO_SEATS);
    assert_true(figure(f, 2, "inUse") <= TIME_SEATS);
}

/* The machine comes back; what was not answered is asked again, uses under their ids. */
static void power_on(fixture *f, job *jobs, size_t count)
{
    size_t again = 0;
    cuts++;
    tlm_ledger_close(&f->ledger);
    faulty_vfs_power_on(f->directory, true);
    faulty_disk_mend();
    faulty_disk.keep_synced = true;
    open_ledger(f);
    for (size_t i = 0; i < count; i++) {
        job *j = &jobs[i];
        if (j->known) {
            continue;
        }
        tlm_ledger_op op = j->request.op;
        tlm_ledger_request_clear(&j->request);
        j->request.op = op;
        if (op == TLM_LEDGER_USE) {
            submit(f, j, 1);
            assert_true(j->known);
            learn(j, f->wall);
            again++;
        } else if (op == TLM_LEDGER_RELEASE) {
            submit(f, j, 1);
            learn(j, f->wall);
        }
    }
    assert_used(f);
    print_message("cut %u: %zu uses asked again\n", cuts, again);
}

static void one_round(fixture *f, job *jobs)
{
    bool cut = below(12) == 0;
    size_t first = below(CLIENTS - AT_ONCE);
    for (size_t i = 0; i < AT_ONCE; i++) {
        choose_job(&jobs[i], &clients[first + i]);
    }
    if (cut) {
        faulty_disk.cut_at = atomic_load(&faulty_disk.steps) + 1 + (unsigned)below(40);
    }
    submit(f, jobs, AT_ONCE);
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (jobs[i].known) {
            learn(&jobs[i], f->wall);
        }
    }
    assert_seats(f->wall);
    if (cut) {
        atomic_store(&faulty_disk.dead, true);
        power_on(f, jobs, AT_ONCE);
    } else if (below(50) == 0) {
        reopen(f);
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        tlm_ledger_request_clear(&jobs[i].request);
    }
    pass_ms(f, (int64_t)below(20000));
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void grants_nothing_twice_and_loses_nothing(void **state)
{
    fixture *f = *state;
    uint64_t seed = number_of("TLM_SOAK_SEED", (uint64_t)time(NULL));
    uint64_t rounds = number_of("TLM_SOAK_ROUNDS", 400);
    random_state = seed * 2654435761U + 1;
    print_message("TLM_SOAK_SEED=%llu TLM_SOAK_ROUNDS=%llu\n", (unsigned long long)seed,
                  (unsigned long long)rounds);
    for (size_t i = 0; i < CLIENTS; i++) {
        (void)snprintf(clients[i].name, sizeof clients[i].name, "client-%zu", i);
    }
    f->config.vfs = faulty_vfs_register();
    reopen(f);
    put_feature(f, 1, "[{'id':'pro','seats':400,'model':{'type':'perpetual'}}]");
    put_feature(f, 2, "[{'id':'time','seats':150,'model':{'type':'usageTime','seconds':2000000}}]");
    put_feature(f, 3, "[{'id':'count','seats':1,'model':{'type':'counter','direction':'up'}}]");
    put_feature(f, 4, "[{'id':'tokens','seats':1,'model':{'type':'tokens','amount':3000}}]");
    faulty_disk.keep_synced = true;
    reopen(f);
    job *jobs = calloc(AT_ONCE, sizeof *jobs);
    assert_non_null(jobs);
    for (uint64_t round = 0; round < rounds; round++) {
        one_round(f, jobs);
    }
    assert_used(f);
    assert_true(granted_count > rounds);
    print_message("%u leases granted, %u refusals, %u cuts, %lld units counted\n", granted_count,
                  refused_count, cuts, (long long)counted);
    free(jobs);
}

static int teardown(void **state)
{
    faulty_disk_mend();
    return ledger_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(grants_nothing_twice_and_loses_nothing, ledger_setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
