/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_SERVICE_PRIVATE_H
#define TLM_LICENSING_SERVICE_PRIVATE_H

/*
 * What the parts of the service share. A call becomes a job and goes its way:
 *
 *     service.c          taken, or refused because there is no ledger yet or any more
 *     service_input.c    what is asked for, checked member by member
 *     service_work.c     the worker: opens keys and ledger; packages, lists and return proofs
 *     (ledger)           decided and committed, on the writer's thread
 *     service_answer.c   said as docs/rest.md says it, and as a statement
 *     (prover)           signed, where there is a nonce
 *     service_job.c      back to the caller
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <tlm/ledger.h>
#include <tlm/licensing.h>
#include <tlm/prover.h>
#include <tlm/trust.h>

#include "keyring_private.h"
#include "view_private.h"
#include "warden_private.h"

/* Seconds after which to ask again. */
#define TLM_RETRY_STATE 5U  /* while keys or ledger cannot be used */
#define TLM_RETRY_BUSY 1U   /* while too many ask */
#define TLM_RETRY_SEATS 10U /* a place in the queue is kept three times as long */

/* Trusted keys with their users: the ledger has one of them, a package that is opened another. */
typedef struct tlm_trust_box {
    tlm_trust *trust;
    tlm_error error; /* the first file that could not be taken */
    atomic_uint users;
} tlm_trust_box;

typedef struct tlm_job {
    tlm_licensing *service;
    tlm_call *call;
    tlm_ledger_request request;
    tlm_package *package;
    tlm_revocation *list;
    const char *nonce; /* of the input */
    const char *proof; /* that a borrowed lease is returned; of the input */
    char jkt[44];      /* of the key that a lease is borrowed to */
    bool proven;       /* the answer carries a statement */
    struct tlm_job *next;
} tlm_job;

typedef enum tlm_service_phase {
    TLM_SERVICE_WAITING = 0, /* for an identity */
    TLM_SERVICE_FAILED,      /* keys or ledger cannot be opened; looked at again */
    TLM_SERVICE_READY
} tlm_service_phase;

struct tlm_licensing {
    char *persistence_dir;
    char *ledger_dir;
    char *trust_dir; /* NULL: none */
    tlm_ledger_limits limits;
    tlm_ledger_clock clock;
    unsigned checkpoint_seconds;
    void (*changed)(void *context);
    void *context;

    tlm_keyring *ring;
    tlm_prover *prover;
    pthread_t worker;

    pthread_mutex_t lock; /* of all that follows; held for moments only */
    pthread_cond_t wake;  /* of the worker, and of who waits for jobs to end */
    tlm_service_phase phase;
    tlm_identity_view *news;  /* a view that the worker has not seen yet */
    tlm_identity_view *known; /* the last one that it has seen; changed by it alone */
    tlm_error error;          /* why it is not ready */
    tlm_ledger *ledger;       /* set once */
    tlm_warden *warden;       /* likewise */
    tlm_job *first;           /* for the worker */
    tlm_job *last;
    tlm_call *parked; /* wait for the ledger to be opened; the last one first */
    unsigned jobs;    /* taken and not answered yet */
    json_t *told;     /* the ledger's state, as GET /api/v1/state has it; NULL before the first */
    tlm_ledger_request asking; /* for the next one */
    bool asked;                /* it is under way */
    bool stale;                /* and there was news meanwhile */
    bool stop;
    tlm_trust_box *trust;

    pthread_mutex_t trust_lock; /* one at a time exchanges the trust, or opens the ledger with it */

    /* Of the worker alone. */
    bool keys_open;
    bool note_due; /* the ledger's id is not in the vault yet */

    /* Written before the warden starts, and then of its thread. */
    tlm_fingerprint_type type;
    char fingerprint[65];
    tlm_fingerprint seen; /* the fallback of its last look */
};

/* ---- service.c ---- */

/* The same with another clock; NULL: the system's. */
TLM_CHECKED tlm_result tlm_licensing_start_at(const tlm_licensing_config *config,
                                              const tlm_ledger_clock *clock,
                                              tlm_licensing **licensing, tlm_error *error);
int64_t tlm_service_now(const tlm_licensing *service); /* milliseconds since 1970 */

/* Why there is no answer now, as the problem document has it: the code of the start-up state, or of
 * what is wrong with keys or ledger. With the lock. */
void tlm_service_refuse(tlm_licensing *service, tlm_call *call);

/* Submits anew what waited for the ledger: it is open, or will not be for now. */
void tlm_service_unpark(tlm_licensing *service);

/* ---- service_job.c ---- */

/* For a call that was counted among the service's jobs. NULL without memory; it is answered then.
 */
tlm_job *tlm_job_new(tlm_licensing *service, tlm_call *call);

/* Ledger, statement and answer; the job is the ledger's from now on. */
void tlm_job_submit(tlm_job *job);

/* Answers the call with what is in it, and frees the job. */
void tlm_job_finish(tlm_job *job);
void tlm_job_fail(tlm_job *job, const tlm_error *error);

/* ---- service_input.c ---- */

/* Checks id, text and members of a call and fills the job's request. TLM_ERR_ARGUMENT names the
 * member, and for one that there is not the nearest one. */
TLM_CHECKED tlm_result tlm_service_input(tlm_job *job, tlm_error *error);

/* ---- service_proof.c ---- */

/* The thumbprint of a borrower's key: a public P-256 key. */
TLM_CHECKED tlm_result tlm_service_borrower(const json_t *jwk, char jkt[44], tlm_error *error);

/* Whether `proof` is the word of the key with the thumbprint `jkt` that the lease is returned.
 * `now`: seconds since 1970. */
TLM_CHECKED tlm_result tlm_service_return(const char *proof, const char *lease, const char *jkt,
                                          int64_t now, tlm_error *error);

/* ---- service_answer.c ---- */

/* Fills the call's answer from what the ledger granted or said. */
TLM_CHECKED tlm_result tlm_service_answer(tlm_job *job, tlm_error *error);
/* What is known of a refusal: the place in the queue. */
void tlm_service_explain(tlm_job *job);
/* The statement of what was granted; NULL without memory. */
json_t *tlm_service_statement(const tlm_job *job);

/* ---- service_trust.c ---- */

/* Reads compiled-in and runtime trust; what could not be taken is in the box's error. NULL without
 * memory. */
tlm_trust_box *tlm_trust_box_load(const char *directory);
tlm_trust_box *tlm_trust_box_get(tlm_licensing *service);
void tlm_trust_box_release(tlm_trust_box **box);
/* Puts a newly read trust in the place of the one in force. */
TLM_CHECKED tlm_result tlm_service_trust_load(tlm_licensing *service, tlm_error *error);

/* ---- service_status.c ---- */

/* A tlm_ledger_config.changed: asks for the state anew, and tells the owner then. */
void tlm_service_news(void *licensing);

/* ---- service_work.c ---- */

void *tlm_service_work(void *licensing);

#endif
