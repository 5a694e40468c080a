/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_IDENTITY_FIXTURE_H
#define TLM_TEST_IDENTITY_FIXTURE_H

/*
 * Starts of an identity in directories of the test's own.
 *
 *     scene self;
 *     prepare(state, &self, "p");
 *     outcome first = run(&self, TLM_START_COLD);
 *     move(&self, "vault.bin", "away");
 *     outcome seen = run(&self, TLM_START_VAULT_MISSING);
 *
 * Link with WRAP tlm_process_find tlm_local_key_make.
 */

#include "rsa_keys.h"
#include "test_directory.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <tlm/file.h>
#include <tlm/identity.h>

/*
 * No token is provisioned behind these tests' back: without a TPM the key file is what there is,
 * unless a test puts a program of its own in the place of tlm-token-init.
 */
static const char *token_init;
char *__wrap_tlm_process_find(const char *name);

char *__wrap_tlm_process_find(const char *name)
{
    assert_string_equal(name, "tlm-token-init");
    return token_init == NULL ? NULL : strdup(token_init);
}

tlm_result __wrap_tlm_local_key_make(EVP_PKEY **key, tlm_error *error);

/*
 * Key pairs made beforehand, in turn: making them takes longer than all the rest. A start makes
 * two, so two directories have different ones.
 */
static EVP_PKEY *keys[3];
static size_t next_key;

tlm_result __wrap_tlm_local_key_make(EVP_PKEY **key, tlm_error *error)
{
    (void)error;
    *key = keys[next_key++ % 3];
    return EVP_PKEY_up_ref(*key) == 1 ? TLM_OK : TLM_ERR_MEMORY;
}

static inline int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        keys[i] = tlm_test_rsa(2048U);
        if (keys[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

static inline int free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY_free(keys[i]);
    }
    return 0;
}

typedef struct scene {
    char directory[TEST_PATH_MAX];
    char store[TEST_PATH_MAX];
    atomic_uint changes;
    tlm_identity_config config;
    tlm_identity *identity;
} scene;

static inline void changed(void *context)
{
    scene *self = context;
    (void)atomic_fetch_add(&self->changes, 1);
}

/* A start without a TPM in DIR/name. */
static inline void prepare(void **state, scene *self, const char *name)
{
    memset(self, 0, sizeof *self);
    in_directory(state, name, self->directory);
    int length = snprintf(self->store, sizeof self->store, "%s/token", self->directory);
    assert_in_range(length, 1, (int)sizeof self->store - 1);
    self->config = (tlm_identity_config){.persistence_dir = self->directory,
                                         .store_dir = self->store,
                                         .changed = changed,
                                         .context = self};
}

static inline void start(scene *self)
{
    tlm_error error = {0};
    assert_int_equal(tlm_identity_start(&self->config, &self->identity, &error), TLM_OK);
}

/* Waits until the state is there and, for a healthy one, both fingerprints. */
static inline const tlm_identity_view *await(scene *self, tlm_start_state wanted)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    const tlm_identity_view *view = NULL;
    for (int i = 0; i < 4000; i++) {
        view = tlm_identity_view_get(self->identity);
        if (view->state == wanted && (!view->ready || view->has_fallback)) {
            break;
        }
        if (i == 3999) {
            fail_msg("%s, not %s: %s", tlm_startup_describe(view->state)->name,
                     tlm_startup_describe(wanted)->name, view->error.message);
        }
        tlm_identity_view_release(&view);
        (void)nanosleep(&nap, NULL);
    }
    if (view == NULL) {
        abort(); /* never: the last round failed the test */
    }
    assert_true(view->ready == tlm_startup_describe(wanted)->healthy);
    assert_true(view->ready == (view->error.result == TLM_OK));
    return view;
}

/* Starts, waits for the state, keeps its error and fingerprint, stops. */
typedef struct outcome {
    tlm_error error;
    char fingerprint[65];
    char storage_id[37];
} outcome;

static inline outcome run(scene *self, tlm_start_state wanted)
{
    outcome seen = {0};
    start(self);
    const tlm_identity_view *view = await(self, wanted);
    seen.error = view->error;
    memcpy(seen.fingerprint, view->fingerprint.text, sizeof seen.fingerprint);
    memcpy(seen.storage_id, view->storage_id, sizeof seen.storage_id);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self->identity);
    assert_null(self->identity);
    return seen;
}

static inline const char *below(const scene *self, const char *name, char path[TEST_PATH_MAX])
{
    int length = snprintf(path, TEST_PATH_MAX, "%.400s/%.64s", self->directory, name);
    assert_in_range(length, 1, TEST_PATH_MAX - 1);
    return path;
}

static inline bool has(const scene *self, const char *name)
{
    char path[TEST_PATH_MAX];
    return tlm_file_exists(below(self, name, path));
}

static inline void take(const scene *self, const char *name)
{
    char path[TEST_PATH_MAX];
    assert_int_equal(unlink(below(self, name, path)), 0);
}

static inline void move(const scene *self, const char *from, const char *to)
{
    char source[TEST_PATH_MAX];
    char target[TEST_PATH_MAX];
    assert_int_equal(rename(below(self, from, source), below(self, to, target)), 0);
}

static inline void copy(const scene *from, const scene *to, const char *name)
{
    char source[TEST_PATH_MAX];
    char target[TEST_PATH_MAX];
    char content[8192];
    get_file(below(from, name, source), content, sizeof content);
    put_file(below(to, name, target), content);
}

/* Content and times of the files that hold data; equal where nobody touched them. */
typedef struct trace {
    char content[4][8192];
    struct timespec times[4];
} trace;

static inline void look(const scene *self, trace *seen)
{
    static const char *const names[] = {"persistence.bin", "vault.bin", "local.key", "local.mark"};
    memset(seen, 0, sizeof *seen);
    for (size_t i = 0; i < 4; i++) {
        char path[TEST_PATH_MAX];
        struct stat info;
        if (stat(below(self, names[i], path), &info) == 0) {
            seen->times[i] = info.st_mtim;
            get_file(path, seen->content[i], sizeof seen->content[i]);
        }
    }
}

static inline void assert_untouched(const scene *self, const trace *before)
{
    trace after;
    look(self, &after);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(after.content[i], before->content[i]);
        assert_memory_equal(&after.times[i], &before->times[i], sizeof after.times[i]);
    }
}

#endif
