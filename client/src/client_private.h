/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_PRIVATE_H
#define TLM_CLIENT_PRIVATE_H

/* What the files of the client library share. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm-client.h>
#include <tlm/result.h>

#include "ladder_private.h"
#include "target_private.h"

#define TLM_CLIENT_HANDLES 4U          /* idle connections that are kept */
#define TLM_CLIENT_ANSWER_MAX 1048576U /* bytes of an answer */
#define TLM_CLIENT_FILE_MAX 262144U    /* bytes of a file with keys or a borrowed lease */
#define TLM_CLIENT_NONCE_SIZE 44U      /* 32 random bytes in base64url */
#define TLM_CLIENT_FAREWELL_MS 2000    /* for returning every lease at the end */

/* Where a number counts; see tlm_client_option. */
typedef union tlm_client_value {
    char *text;
    long long number;
} tlm_client_value;

struct tlm_client_lease {
    struct tlm_client_lease *next;
    tlm_client *client;
    tlm_client_ask ask; /* texts are this lease's own */
    tlm_client_grant grant;
    tlm_ladder ladder;
    int64_t contact; /* steady clock, ms: when the request of the last grant was sent */
    int64_t due;     /* steady clock, ms: next request */
    unsigned failures;
    bool lost;    /* the daemon has no such lease any more: to be taken anew */
    bool refused; /* the license does not allow it any more */
    tlm_client_level told;
    bool news; /* a callback is due whatever the level */
    tlm_client_error cause;
};

struct tlm_client {
    struct tlm_client *next; /* in the list of the process's clients */
    unsigned generation;     /* of the process that made it */
    tlm_target target;
    tlm_client_value options[TLM_CLIENT_OPTION_COUNT];
    char name[129];
    tlm_client_changed changed;
    void *context;
    atomic_bool used;     /* a request was made: options are settled */
    atomic_bool stopping; /* requests under way end */

    pthread_mutex_t link_lock;
    void *handles[TLM_CLIENT_HANDLES];
    size_t handle_count;

    pthread_mutex_t key_lock;
    json_t *keys;     /* JWKS of the host, once known */
    json_t *received; /* JWKS that came with a borrowed lease, only to match a pinned kid */

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t idle;  /* `working` ended */
    tlm_client_lease *leases;
    tlm_client_lease *working; /* the thread's: not to be freed */
    pthread_t thread;
    bool running;
    int timer;
    int wake;
};

/* ---- error.c ---- */

/* Fills `error` (may be NULL) and returns `result`; `hint` may be NULL. */
tlm_client_result tlm_trouble(tlm_client_error *error, tlm_client_result result, const char *code,
                              const char *hint, const char *format, ...) TLM_PRINTF(5, 6);
/* Takes over an error of the libraries below. */
tlm_client_result tlm_trouble_of(tlm_client_error *error, const tlm_error *from);
tlm_client_result tlm_trouble_memory(tlm_client_error *error);
/* What a code of the daemon with this HTTP status means to an application. */
tlm_client_result tlm_trouble_class(const char *code, long status);

/* ---- client.c ---- */

/* TLM_CLIENT_ARGUMENT without a client, TLM_CLIENT_FORKED in another process. Settles options. */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_begin(tlm_client *client, tlm_client_error *error);
const char *tlm_client_text(const tlm_client *client, tlm_client_option option);
long long tlm_client_number(const tlm_client *client, tlm_client_option option);

/* Milliseconds that count through suspension and are never set. */
int64_t tlm_steady_now(void);
/* Random number below `bound`. */
uint32_t tlm_random_below(uint32_t bound);
TLM_CLIENT_CHECKED tlm_client_result tlm_random_text(char text[TLM_CLIENT_NONCE_SIZE],
                                                     tlm_client_error *error);

/* ---- exits.c ---- */

unsigned tlm_fork_generation(void);
void tlm_exits_add(tlm_client *client);
void tlm_exits_remove(tlm_client *client);

/* ---- keeper.c ---- */

/* Starts the thread where it does not run, and tells it to look at its leases. */
TLM_CLIENT_CHECKED tlm_client_result tlm_keeper_start(tlm_client *client, tlm_client_error *error);
void tlm_keeper_wake(tlm_client *client);
/* Ends the thread; does nothing in the thread itself. */
void tlm_keeper_stop(tlm_client *client);

/* ---- lease.c ---- */

/* Takes over an answer to a request that was sent at `sent`. With the client's lock held. */
void tlm_lease_renewed(tlm_client_lease *lease, tlm_client_grant *grant, int64_t sent);
/* One request for the lease: renews, or takes anew what is lost. Without the lock. */
TLM_CLIENT_CHECKED tlm_client_result tlm_lease_request(tlm_client *client,
                                                       const tlm_client_ask *ask, const char *lease,
                                                       tlm_client_grant *grant,
                                                       tlm_client_error *error);
/* A new lease, queued for as long as `ask` says; `sent` (may be NULL) is when the request was. */
TLM_CLIENT_CHECKED tlm_client_result tlm_lease_obtain(tlm_client *client, const tlm_client_ask *ask,
                                                      tlm_client_grant *grant, int64_t *sent,
                                                      tlm_client_error *error);
void tlm_lease_free(tlm_client_lease *lease);
/* The level of a lease at a moment of the steady clock. With the client's lock held. */
tlm_client_level tlm_lease_level_at(const tlm_client_lease *lease, int64_t now);
/* Returns every lease of the client within TLM_CLIENT_FAREWELL_MS; they stay in the list. */
void tlm_lease_farewell(tlm_client *client);

#endif
