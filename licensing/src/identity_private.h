/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_IDENTITY_PRIVATE_H
#define TLM_LICENSING_IDENTITY_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include <tlm/identity.h>

#include "holder_private.h"
#include "storage_private.h"

/* ---- identity_view.c ---- */

typedef struct tlm_view_box tlm_view_box;

/* A box with an empty view and one user; NULL where memory is out. */
tlm_view_box *tlm_view_box_new(void);
tlm_identity_view *tlm_view_box_edit(tlm_view_box *box);
const tlm_identity_view *tlm_view_box_get(tlm_view_box *box);
void tlm_view_box_release(tlm_view_box *box);

/* ---- identity_config.c ---- */

/*
 * Copies the strings, paths as absolute ones; false without memory, to be cleared all the same. The
 * words for tlm-tokend are the supervisor's: here counts whether there are any.
 */
bool tlm_identity_config_copy(const tlm_identity_config *from, tlm_identity_config *to);
void tlm_identity_config_clear(tlm_identity_config *config);

/* ---- identity_watch.c ---- */

/* When something that a start-up reads was changed: restored, mounted, provisioned, removed. */
#define TLM_WATCH_FILES 8
typedef struct tlm_watched {
    bool there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
} tlm_watched;

typedef struct tlm_watch {
    tlm_watched files[TLM_WATCH_FILES + 1]; /* the last one is tokend.json */
} tlm_watch;

void tlm_watch_look(const tlm_identity_config *config, tlm_watch *watch);
/* Of the files of a start, which tokend.json is not: its changes are the token's. */
bool tlm_watch_same(const tlm_watch *left, const tlm_watch *right);
bool tlm_watch_same_report(const tlm_watch *left, const tlm_watch *right);

/* ---- identity.c and identity_work.c ---- */

/* What the doctor said of the present failure; retries show it until it is asked again. */
typedef struct tlm_diagnosis {
    struct timespec when; /* CLOCK_MONOTONIC */
    tlm_error cause;      /* what the module said */
    tlm_error detail;
    tlm_found_token found;
    bool asked;
    bool known; /* the doctor found what is behind it */
} tlm_diagnosis;

struct tlm_identity {
    tlm_identity_config config; /* its strings are the identity's */
    pthread_t thread;
    pthread_mutex_t lock; /* of stop and current */
    pthread_cond_t wake;
    tlm_view_box *current;
    tlm_supervisor *supervisor; /* NULL without a socket */

    /* Of the thread alone. */
    tlm_holder holder;
    tlm_storage storage; /* open from the decision until both fingerprints are made */
    tlm_watch watch;     /* of the files when the state was decided */
    tlm_fingerprint fingerprint;
    tlm_fingerprint fallback;
    time_t state_since;
    tlm_error error;
    tlm_error detail; /* the error without the state's words before it */
    tlm_diagnosis diagnosis;
    tlm_start_state state;
    tlm_start_state settled; /* cold or warm, to come back to after the token was away */
    tlm_found_token token_found;
    unsigned recoveries;
    int lock_file; /* -1 while the directory is not locked */
    char storage_id[TLM_UUID_SIZE];
    char mark[TLM_UUID_SIZE]; /* storage id on the token, as it was read last */
    bool lock_refused;
    bool holder_open;
    bool has_fingerprint;
    bool has_fallback;

    bool stop;   /* under the lock */
    bool roused; /* likewise: something changed, so look before the time is out */
};

/* Asked by what runs long on the thread: whether it shall end. */
tlm_stop_check tlm_identity_stop_check(tlm_identity *identity);

/* Decides the state from scratch and does its action; afterwards state and error are set. */
void tlm_identity_evaluate(tlm_identity *identity);

/* What a healthy start leaves for after the first answer: fallback fingerprint, tidying. */
void tlm_identity_finish(tlm_identity *identity);

/* Asks a token that was usable whether it still is. Returns whether anything changed. */
bool tlm_identity_probe(tlm_identity *identity);

/* Sets state and error; a detail is put behind the state's message. */
void tlm_identity_enter(tlm_identity *identity, tlm_start_state state, const tlm_error *detail);

/* Publishes what the thread knows as a new view. */
void tlm_identity_publish(tlm_identity *identity);

#endif
