/* SPDX-License-Identifier: BSD-2-Clause */
#include "keyring_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/log.h>

#include "identity_private.h"
#include "text_private.h"
#include "view_private.h"

/* A TPM may take a minute to make a key for somebody else. */
#define PATIENCE_MS 60000
#define STOP_MS 1000
#define KID_SIZE 44U
/* Largest text that is signed: the claims of a root. */
#define SIGNED_MAX 4096U

typedef enum errand_kind {
    ERRAND_OPEN,
    ERRAND_UNWRAP,
    ERRAND_SIGN,
    ERRAND_COUNTER,
    ERRAND_CLOCK,
    ERRAND_LOOK,
    ERRAND_LEDGER,
    ERRAND_NOTE_LEDGER
} errand_kind;

/*
 * One call, with memory of its own: who asked may be gone when it comes back. Owned by the asker
 * and, from being queued on, by the thread; the last one frees it.
 */
typedef struct errand {
    errand_kind kind;
    char text[TLM_JWS_TEXT_MAX + 1]; /* kid, alg or id */
    unsigned char data[SIGNED_MAX];
    size_t size;
    tlm_identity_view *view;

    tlm_error error;
    tlm_secret *secret;
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t signature_size;
    uint64_t counter;
    bool tamper_proof;
    tlm_token_clock clock;
    tlm_fingerprint fallback;
    char ledger[TLM_UUID_SIZE];

    bool done;
    bool forsaken; /* the asker is gone */
    struct errand *next;
} errand;

struct tlm_keyring {
    tlm_identity_config identity; /* its strings are ours */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    errand *first;
    errand *last;
    int64_t entered;  /* when the errand under way began; 0: none is */
    int64_t deadline; /* for all waiting; 0: none */
    bool stop;
    bool ended;    /* the thread is about to return */
    bool forsaken; /* nobody joins the thread: it frees the ring */
    bool open;
    char attest_kid[KID_SIZE];
    json_t *jwks;

    tlm_host_keys *keys; /* of the thread alone */
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct timespec timespec_of(int64_t milliseconds)
{
    return (struct timespec){.tv_sec = (time_t)(milliseconds / 1000),
                             .tv_nsec = (long)(milliseconds % 1000 * 1000000)};
}

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask the token");
}

static tlm_result ends(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, NULL, "the program ends");
}

/* ---- the thread ---- */

static void free_errand(errand *gone)
{
    tlm_view_forget(&gone->view);
    tlm_secret_free(&gone->secret);
    tlm_fingerprint_clear(&gone->fallback);
    free(gone);
}

static void open_keys(tlm_keyring *ring, errand *of)
{
    const tlm_host_keys_config config = {.identity = &ring->identity, .view = of->view};
    json_t *jwks = NULL;
    tlm_host_keys_close(&ring->keys);
    tlm_result result = tlm_host_keys_open(&config, &ring->keys, &of->error);
    if (result == TLM_OK) {
        result = tlm_host_keys_jwks(ring->keys, &jwks, &of->error);
    }
    (void)pthread_mutex_lock(&ring->lock);
    json_decref(ring->jwks);
    ring->jwks = jwks;
    ring->open = result == TLM_OK;
    tlm_text_copy(ring->attest_kid, sizeof ring->attest_kid,
                  ring->open ? tlm_host_keys_attest_kid(ring->keys) : "");
    (void)pthread_mutex_unlock(&ring->lock);
}

static tlm_result run_with_keys(tlm_host_keys *keys, errand *of)
{
    switch (of->kind) {
    case ERRAND_UNWRAP:
        return tlm_host_keys_unwrap(keys, of->text, of->data, of->size, &of->secret, &of->error);
    case ERRAND_SIGN:
        return tlm_host_keys_sign(keys, of->text, of->data, of->size, of->signature,
                                  &of->signature_size, &of->error);
    case ERRAND_COUNTER:
        return tlm_host_keys_counter(keys, &of->counter, &of->tamper_proof, &of->error);
    case ERRAND_CLOCK:
        return tlm_host_keys_clock(keys, &of->clock, &of->error);
    case ERRAND_LOOK:
        return tlm_host_keys_look(keys, &of->fallback, &of->error);
    case ERRAND_LEDGER:
        return tlm_host_keys_ledger(keys, of->ledger, &of->error);
    case ERRAND_NOTE_LEDGER:
        return tlm_host_keys_note_ledger(keys, of->text, &of->error);
    case ERRAND_OPEN:
        break;
    }
    return TLM_OK;
}

static void run_errand(tlm_keyring *ring, errand *of)
{
    if (of->kind == ERRAND_OPEN) {
        open_keys(ring, of);
        return;
    }
    if (ring->keys == NULL) {
        (void)tlm_error_set(&of->error, TLM_ERR_TOKEN_UNAVAILABLE, "Wait a moment.",
                            "the host's keys are not open yet");
        return;
    }
    (void)!run_with_keys(ring->keys, of); /* the error says it, too */
}

static void release(tlm_keyring *ring)
{
    tlm_identity_config_clear(&ring->identity);
    json_decref(ring->jwks);
    (void)pthread_cond_destroy(&ring->changed);
    (void)pthread_mutex_destroy(&ring->lock);
    free(ring);
}

/* With the lock: the errand came back. */
static void finish(tlm_keyring *ring, errand *of)
{
    ring->entered = 0;
    of->done = true;
    if (of->forsaken) {
        free_errand(of);
    }
    (void)pthread_cond_broadcast(&ring->changed);
}

static void *run(void *argument)
{
    tlm_keyring *ring = argument;
    (void)pthread_mutex_lock(&ring->lock);
    while (!ring->stop) {
        errand *of = ring->first;
        if (of == NULL) {
            (void)pthread_cond_wait(&ring->changed, &ring->lock);
            continue;
        }
        ring->first = of->next;
        ring->last = ring->first == NULL ? NULL : ring->last;
        ring->entered = now_ms();
        bool forsaken = of->forsaken;
        (void)pthread_mutex_unlock(&ring->lock);
        if (!forsaken) {
            run_errand(ring, of);
        }
        (void)pthread_mutex_lock(&ring->lock);
        finish(ring, of);
    }
    while (ring->first != NULL) {
        errand *gone = ring->first;
        ring->first = gone->next;
        (void)ends(&gone->error);
        finish(ring, gone);
    }
    (void)pthread_mutex_unlock(&ring->lock);
    tlm_host_keys_close(&ring->keys);
    (void)pthread_mutex_lock(&ring->lock);
    ring->ended = true;
    (void)pthread_cond_broadcast(&ring->changed);
    bool forsaken = ring->forsaken;
    (void)pthread_mutex_unlock(&ring->lock);
    if (forsaken) {
        release(ring);
    }
    return NULL;
}

/* ---- asking ---- */

static tlm_result hangs(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, "Find out why: tlm-token-init doctor",
                         "the token does not answer");
}

/* With the lock. When to give up: by now where the token hangs already. */
static int64_t until(const tlm_keyring *ring, int64_t since)
{
    int64_t end = since + PATIENCE_MS;
    if (ring->entered != 0 && ring->entered + PATIENCE_MS < end) {
        end = ring->entered + PATIENCE_MS;
    }
    return ring->deadline != 0 && ring->deadline < end ? ring->deadline : end;
}

/* With the lock. False where it was given up. */
static bool await(tlm_keyring *ring, const errand *of)
{
    int64_t since = now_ms();
    while (!of->done) {
        int64_t end = until(ring, since);
        if (now_ms() >= end) {
            return false;
        }
        const struct timespec at = timespec_of(end);
        (void)pthread_cond_timedwait(&ring->changed, &ring->lock, &at);
    }
    return true;
}

/* Has the thread do it. False where it was given up, and the errand is the thread's alone. */
static bool ask(tlm_keyring *ring, errand *of)
{
    (void)pthread_mutex_lock(&ring->lock);
    if (ring->stop) {
        (void)ends(&of->error);
        (void)pthread_mutex_unlock(&ring->lock);
        return true;
    }
    if (ring->last != NULL) {
        ring->last->next = of;
    } else {
        ring->first = of;
    }
    ring->last = of;
    (void)pthread_cond_broadcast(&ring->changed);
    bool back = await(ring, of);
    of->forsaken = !back;
    (void)pthread_mutex_unlock(&ring->lock);
    return back;
}

typedef struct question {
    errand_kind kind;
    const char *text;
    const void *data;
    size_t size;
    const tlm_identity_view *view;
} question;

static errand *new_errand(const question *of)
{
    errand *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->kind = of->kind;
    made->size = of->size;
    tlm_text_copy(made->text, sizeof made->text, of->text != NULL ? of->text : "");
    if (of->size > 0) {
        memcpy(made->data, of->data, of->size);
    }
    if (of->view != NULL) {
        made->view = tlm_view_keep(of->view);
        if (made->view == NULL) {
            free(made);
            return NULL;
        }
    }
    return made;
}

/* The answered errand, for the caller to take from and to free; NULL with *result set. */
static errand *answered(tlm_keyring *ring, const question *of, tlm_result *result, tlm_error *error)
{
    if (of->size > SIGNED_MAX || (of->text != NULL && strlen(of->text) > TLM_JWS_TEXT_MAX)) {
        *result = tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                                "%zu bytes for the token, or a key id of more than %u", of->size,
                                TLM_JWS_TEXT_MAX);
        return NULL;
    }
    errand *made = new_errand(of);
    if (made == NULL) {
        *result = no_memory(error);
        return NULL;
    }
    if (!ask(ring, made)) {
        *result = hangs(error);
        return NULL;
    }
    *result = made->error.result;
    if (*result != TLM_OK) {
        if (error != NULL) {
            *error = made->error;
        }
        free_errand(made);
        return NULL;
    }
    return made;
}

tlm_result tlm_keyring_open(tlm_keyring *ring, const tlm_identity_view *view, tlm_error *error)
{
    tlm_result result = TLM_OK;
    errand *done = answered(ring, &(question){.kind = ERRAND_OPEN, .view = view}, &result, error);
    if (done != NULL) {
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                              size_t size, tlm_secret **key, tlm_error *error)
{
    tlm_result result = TLM_OK;
    const question of = {.kind = ERRAND_UNWRAP, .text = kid, .data = wrapped, .size = size};
    errand *done = answered(context, &of, &result, error);
    if (done != NULL) {
        *key = done->secret;
        done->secret = NULL;
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_sign(void *context, const char *alg, const void *data, size_t size,
                            unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    tlm_result result = TLM_OK;
    const question of = {.kind = ERRAND_SIGN, .text = alg, .data = data, .size = size};
    errand *done = answered(context, &of, &result, error);
    if (done != NULL) {
        memcpy(signature, done->signature, done->signature_size);
        *signature_size = done->signature_size;
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_counter(tlm_keyring *ring, uint64_t *value, bool *tamper_proof,
                               tlm_error *error)
{
    tlm_result result = TLM_OK;
    errand *done = answered(ring, &(question){.kind = ERRAND_COUNTER}, &result, error);
    if (done != NULL) {
        *value = done->counter;
        *tamper_proof = done->tamper_proof;
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_clock(tlm_keyring *ring, tlm_token_clock *clock, tlm_error *error)
{
    tlm_result result = TLM_OK;
    errand *done = answered(ring, &(question){.kind = ERRAND_CLOCK}, &result, error);
    if (done != NULL) {
        *clock = done->clock;
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_look(tlm_keyring *ring, tlm_fingerprint *fallback, tlm_error *error)
{
    tlm_result result = TLM_OK;
    errand *done = answered(ring, &(question){.kind = ERRAND_LOOK}, &result, error);
    if (done != NULL) {
        *fallback = done->fallback;
        memset(&done->fallback, 0, sizeof done->fallback);
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_ledger(tlm_keyring *ring, char id[37], tlm_error *error)
{
    tlm_result result = TLM_OK;
    errand *done = answered(ring, &(question){.kind = ERRAND_LEDGER}, &result, error);
    if (done != NULL) {
        memcpy(id, done->ledger, sizeof done->ledger);
        free_errand(done);
    }
    return result;
}

tlm_result tlm_keyring_note_ledger(tlm_keyring *ring, const char *id, tlm_error *error)
{
    tlm_result result = TLM_OK;
    errand *done =
        answered(ring, &(question){.kind = ERRAND_NOTE_LEDGER, .text = id}, &result, error);
    if (done != NULL) {
        free_errand(done);
    }
    return result;
}

void tlm_keyring_attest_kid(tlm_keyring *ring, char kid[KID_SIZE])
{
    (void)pthread_mutex_lock(&ring->lock);
    memcpy(kid, ring->attest_kid, KID_SIZE);
    (void)pthread_mutex_unlock(&ring->lock);
}

tlm_result tlm_keyring_jwks(tlm_keyring *ring, json_t **jwks, tlm_error *error)
{
    (void)pthread_mutex_lock(&ring->lock);
    bool open = ring->open;
    *jwks = open ? json_deep_copy(ring->jwks) : NULL;
    (void)pthread_mutex_unlock(&ring->lock);
    if (!open) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, "Wait a moment.",
                             "the host's keys are not open yet");
    }
    return *jwks != NULL ? TLM_OK : no_memory(error);
}

/* ---- start and stop ---- */

tlm_result tlm_keyring_start(const tlm_identity_config *identity, tlm_keyring **ring,
                             tlm_error *error)
{
    tlm_keyring *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return no_memory(error);
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (!tlm_identity_config_copy(identity, &made->identity)) {
        release(made);
        return no_memory(error);
    }
    int failed = pthread_create(&made->thread, NULL, run, made);
    if (failed != 0) {
        release(made);
        errno = failed;
        return tlm_error_set_errno(error, NULL, "starting the thread of the host's keys");
    }
    *ring = made;
    return TLM_OK;
}

void tlm_keyring_hurry(tlm_keyring *ring, unsigned milliseconds)
{
    (void)pthread_mutex_lock(&ring->lock);
    ring->deadline = now_ms() + milliseconds;
    (void)pthread_cond_broadcast(&ring->changed);
    (void)pthread_mutex_unlock(&ring->lock);
}

void tlm_keyring_stop(tlm_keyring **ring)
{
    if (ring == NULL || *ring == NULL) {
        return;
    }
    tlm_keyring *gone = *ring;
    *ring = NULL;
    (void)pthread_mutex_lock(&gone->lock);
    gone->stop = true;
    (void)pthread_cond_broadcast(&gone->changed);
    const struct timespec at =
        timespec_of(gone->deadline != 0 ? gone->deadline : now_ms() + STOP_MS);
    int waited = 0;
    while (!gone->ended && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&gone->changed, &gone->lock, &at);
    }
    bool ended = gone->ended;
    gone->forsaken = !ended;
    pthread_t thread = gone->thread;
    (void)pthread_mutex_unlock(&gone->lock);
    if (ended) {
        (void)pthread_join(thread, NULL);
        release(gone);
        return;
    }
    (void)pthread_detach(thread);
    tlm_log(TLM_LOG_WARNING, "token_left_hanging", "reason=\"%s\"",
            "a call of the token has not returned; the program ends without it");
}
