/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/prover.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/key.h>
#include <tlm/statement.h>

#include "json_private.h"
#include "text_private.h"

typedef unsigned char hash_bytes[TLM_HASH_SIZE];

typedef struct item {
    json_t *statement;
    tlm_prover_done done;
    void *context;
} item;

/* Those that wait, or those that are being signed. */
typedef struct batch {
    item items[TLM_BATCH_MAX];
    size_t count;
} batch;

typedef struct identification {
    char fingerprint[65];
    char kid[65];
} identification;

struct tlm_prover {
    tlm_prover_config config;
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows; nobody holds it while the token signs */
    pthread_cond_t wake;
    batch *waiting;
    batch *signing; /* of the thread alone */
    identification who;
    bool identified;
    bool stop;
    uint64_t signatures;
    uint64_t statements;
};

static int64_t system_now(void *context)
{
    (void)context;
    return (int64_t)time(NULL);
}

static void fail(const item *of, const tlm_error *error)
{
    json_decref(of->statement);
    of->done(of->context, NULL, error);
}

static void fail_all(batch *of, const tlm_error *error)
{
    for (size_t i = 0; i < of->count; i++) {
        fail(&of->items[i], error);
    }
    of->count = 0;
}

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to prove a statement");
}

/* ---- one batch ---- */

static tlm_result make_leaf(const item *of, const identification *who, int64_t now, hash_bytes leaf,
                            tlm_error *error)
{
    char *text = NULL;
    if (json_object_set_new(of->statement, "fingerprint", json_string(who->fingerprint)) != 0 ||
        json_object_set_new(of->statement, "iat", json_integer(now)) != 0) {
        return no_memory(error);
    }
    tlm_result result = tlm_statement_canonical(of->statement, &text, error);
    if (result == TLM_OK) {
        result = tlm_merkle_leaf(text, strlen(text), leaf, error);
    }
    free(text);
    return result;
}

/* Hashes the statements; one that has no canonical form fails alone and leaves the batch. */
static void make_leaves(batch *of, const identification *who, int64_t now, hash_bytes *leaves)
{
    size_t kept = 0;
    for (size_t i = 0; i < of->count; i++) {
        tlm_error error = {0};
        if (make_leaf(&of->items[i], who, now, leaves[kept], &error) != TLM_OK) {
            fail(&of->items[i], &error);
            continue;
        }
        of->items[kept] = of->items[i];
        kept++;
    }
    of->count = kept;
}

static json_t *hash_text(const hash_bytes hash)
{
    char *text = tlm_base64url_encode(hash, TLM_HASH_SIZE);
    json_t *value = text == NULL ? NULL : json_string(text);
    free(text);
    return value;
}

static tlm_result sign_root(tlm_prover *prover, const tlm_merkle *tree, size_t size,
                            const identification *who, int64_t now, char **root, tlm_error *error)
{
    const tlm_jws_header header = {.alg = "ES256", .kid = who->kid, .typ = TLM_ROOT_TYP};
    json_t *claims =
        json_pack("{s:o, s:I, s:I, s:s}", "root", hash_text(tlm_merkle_root(tree)), "size",
                  (json_int_t)size, "iat", (json_int_t)now, "fingerprint", who->fingerprint);
    if (claims == NULL) {
        return no_memory(error);
    }
    tlm_result result =
        tlm_jws_make(&header, claims, prover->config.sign, prover->config.context, root, error);
    json_decref(claims);
    return result;
}

static json_t *path_json(const tlm_merkle *tree, size_t index)
{
    hash_bytes path[TLM_PATH_MAX];
    size_t length = tlm_merkle_path(tree, index, path);
    json_t *list = json_array();
    for (size_t i = 0; i < length; i++) {
        if (json_array_append_new(list, hash_text(path[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void deliver(const item *to, const tlm_merkle *tree, size_t index, const char *root)
{
    json_t *proof = json_pack("{s:O, s:I, s:o, s:s}", "statement", to->statement, "index",
                              (json_int_t)index, "path", path_json(tree, index), "root", root);
    if (proof == NULL) {
        tlm_error error = {0};
        (void)no_memory(&error);
        fail(to, &error);
        return;
    }
    json_decref(to->statement);
    to->done(to->context, proof, NULL);
}

static void count(tlm_prover *prover, size_t statements)
{
    (void)pthread_mutex_lock(&prover->lock);
    prover->signatures++;
    prover->statements += statements;
    (void)pthread_mutex_unlock(&prover->lock);
}

static tlm_result prove_leaves(tlm_prover *prover, batch *of, const hash_bytes *leaves,
                               const identification *who, int64_t now, tlm_error *error)
{
    tlm_merkle *tree = NULL;
    char *root = NULL;
    tlm_result result = tlm_merkle_new(leaves, of->count, &tree, error);
    if (result == TLM_OK) {
        result = sign_root(prover, tree, of->count, who, now, &root, error);
    }
    if (result == TLM_OK) {
        count(prover, of->count); /* before the answers: who has one finds it counted */
        for (size_t i = 0; i < of->count; i++) {
            deliver(&of->items[i], tree, i, root);
        }
        of->count = 0;
    }
    free(root);
    tlm_merkle_free(&tree);
    return result;
}

static void prove_batch(tlm_prover *prover, batch *of, const identification *who)
{
    tlm_error error = {0};
    int64_t now = prover->config.now(prover->config.now_context);
    hash_bytes *leaves = calloc(of->count, sizeof *leaves);
    if (leaves == NULL) {
        (void)no_memory(&error);
        fail_all(of, &error);
        return;
    }
    make_leaves(of, who, now, leaves);
    if (of->count > 0 &&
        prove_leaves(prover, of, (const hash_bytes *)leaves, who, now, &error) != TLM_OK) {
        fail_all(of, &error);
    }
    free(leaves);
}

/* ---- the thread ---- */

static void *run(void *argument)
{
    tlm_prover *prover = argument;
    (void)pthread_mutex_lock(&prover->lock);
    for (;;) {
        while (prover->waiting->count == 0 && !prover->stop) {
            (void)pthread_cond_wait(&prover->wake, &prover->lock);
        }
        if (prover->stop) {
            break;
        }
        batch *taken = prover->waiting;
        prover->waiting = prover->signing;
        prover->signing = taken;
        const identification who = prover->who;
        (void)pthread_mutex_unlock(&prover->lock);
        prove_batch(prover, taken, &who);
        (void)pthread_mutex_lock(&prover->lock);
    }
    (void)pthread_mutex_unlock(&prover->lock);
    return NULL;
}

static void release(tlm_prover *prover)
{
    (void)pthread_cond_destroy(&prover->wake);
    (void)pthread_mutex_destroy(&prover->lock);
    free(prover->waiting);
    free(prover->signing);
    free(prover);
}

tlm_result tlm_prover_start(const tlm_prover_config *config, tlm_prover **prover, tlm_error *error)
{
    if (config == NULL || config->sign == NULL || prover == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a prover that nothing signs for");
    }
    tlm_json_protect();
    tlm_prover *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return no_memory(error);
    }
    made->config = *config;
    if (made->config.now == NULL) {
        made->config.now = system_now;
    }
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->wake, NULL);
    made->waiting = calloc(1, sizeof *made->waiting);
    made->signing = calloc(1, sizeof *made->signing);
    if (made->waiting == NULL || made->signing == NULL) {
        release(made);
        return no_memory(error);
    }
    int failed = pthread_create(&made->thread, NULL, run, made);
    if (failed != 0) {
        release(made);
        errno = failed;
        return tlm_error_set_errno(error, NULL, "starting the prover's thread");
    }
    *prover = made;
    return TLM_OK;
}

tlm_result tlm_prover_identify(tlm_prover *prover, const char *fingerprint, const char *kid,
                               tlm_error *error)
{
    if (!tlm_hex_valid(fingerprint, sizeof prover->who.fingerprint - 1) || kid[0] == '\0' ||
        strlen(kid) >= sizeof prover->who.kid) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "statements need a fingerprint of 64 digits and a key id");
    }
    (void)pthread_mutex_lock(&prover->lock);
    tlm_text_copy(prover->who.fingerprint, sizeof prover->who.fingerprint, fingerprint);
    tlm_text_copy(prover->who.kid, sizeof prover->who.kid, kid);
    prover->identified = true;
    (void)pthread_mutex_unlock(&prover->lock);
    return TLM_OK;
}

/* With the lock. */
static tlm_result take(tlm_prover *prover, const item *taken, tlm_error *error)
{
    batch *waiting = prover->waiting;
    if (prover->stop) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, NULL,
                             "the program ends; nothing is signed any more");
    }
    if (!prover->identified) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, "Wait a moment.",
                             "the key that signs statements is not open yet");
    }
    if (waiting->count == TLM_BATCH_MAX) {
        return tlm_error_set(error, TLM_ERR_BUSY, "Ask again in a moment.",
                             "%u statements wait for the token's signature already", TLM_BATCH_MAX);
    }
    waiting->items[waiting->count] = *taken;
    waiting->count++;
    (void)pthread_cond_signal(&prover->wake);
    return TLM_OK;
}

void tlm_prover_submit(tlm_prover *prover, json_t *statement, tlm_prover_done done, void *context)
{
    const item taken = {.statement = statement, .done = done, .context = context};
    tlm_error error = {0};
    if (!json_is_object(statement)) {
        (void)no_memory(&error); /* the one reason for which a caller has none */
        fail(&taken, &error);
        return;
    }
    (void)pthread_mutex_lock(&prover->lock);
    tlm_result result = take(prover, &taken, &error);
    (void)pthread_mutex_unlock(&prover->lock);
    if (result != TLM_OK) {
        fail(&taken, &error);
    }
}

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool here;
    json_t *proof;
    tlm_error error;
} waiter;

static void arrive(void *context, json_t *proof, const tlm_error *error)
{
    waiter *self = context;
    (void)pthread_mutex_lock(&self->lock);
    self->here = true;
    self->proof = proof;
    if (error != NULL) {
        self->error = *error;
    }
    (void)pthread_cond_signal(&self->arrived);
    (void)pthread_mutex_unlock(&self->lock);
}

tlm_result tlm_prover_prove(tlm_prover *prover, json_t *statement, json_t **proof, tlm_error *error)
{
    waiter self = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};
    tlm_prover_submit(prover, statement, arrive, &self);
    (void)pthread_mutex_lock(&self.lock);
    while (!self.here) {
        (void)pthread_cond_wait(&self.arrived, &self.lock);
    }
    (void)pthread_mutex_unlock(&self.lock);
    (void)pthread_cond_destroy(&self.arrived);
    (void)pthread_mutex_destroy(&self.lock);
    if (self.proof != NULL) {
        *proof = self.proof;
        return TLM_OK;
    }
    if (error != NULL) {
        *error = self.error;
    }
    return self.error.result;
}

void tlm_prover_counts(tlm_prover *prover, uint64_t *signatures, uint64_t *statements)
{
    (void)pthread_mutex_lock(&prover->lock);
    *signatures = prover->signatures;
    *statements = prover->statements;
    (void)pthread_mutex_unlock(&prover->lock);
}

void tlm_prover_stop(tlm_prover **prover)
{
    if (prover == NULL || *prover == NULL) {
        return;
    }
    tlm_prover *gone = *prover;
    tlm_error error = {0};
    (void)pthread_mutex_lock(&gone->lock);
    gone->stop = true;
    (void)pthread_cond_signal(&gone->wake);
    (void)pthread_mutex_unlock(&gone->lock);
    (void)pthread_join(gone->thread, NULL);
    (void)tlm_error_set(&error, TLM_ERR_TOKEN_UNAVAILABLE, NULL,
                        "the program ends; nothing is signed any more");
    fail_all(gone->waiting, &error);
    release(gone);
    *prover = NULL;
}
