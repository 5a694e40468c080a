/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_H
#define TLM_LEDGER_H

/*
 * The ledger: which licenses are in force, who holds their seats, and what was used of them. State
 * in SQLite (WAL, synchronous FULL) in a directory of its own; one writer thread commits whatever
 * is waiting in one transaction, and answers after the commit.
 *
 *     tlm_ledger *ledger = NULL;
 *     result = tlm_ledger_open(&config, &ledger, &error);
 *     tlm_ledger_request request = {.op = TLM_LEDGER_ACQUIRE,
 *                                   .ask = {.feature = "pro", .client = "c1", .units = 1}};
 *     result = tlm_ledger_run(ledger, &request);        // or tlm_ledger_submit
 *     if (result == TLM_OK) { puts(request.grant.lease); }
 *     tlm_ledger_request_clear(&request);
 *     tlm_ledger_close(&ledger);
 *
 * Every instant in here is in milliseconds since 1970 unless its name says seconds, and comes from
 * the configured clock, so that tests move it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/hardware_feature.h>
#include <tlm/host.h>
#include <tlm/license.h>
#include <tlm/package.h>
#include <tlm/result.h>
#include <tlm/revocation.h>
#include <tlm/trust.h>

#define TLM_LEDGER_DIRECTORY "licensing" /* below the persistence directory */
#define TLM_LEDGER_FILE "ledger.db"

#define TLM_CLIENT_MAX 128U     /* bytes of a client's name, UTF-8 without control characters */
#define TLM_REQUEST_ID_MAX 128U /* bytes of the id of a use */

typedef struct tlm_ledger tlm_ledger;

/* What is granted while the state or the clock may have been set back. */
typedef enum tlm_rollback_policy {
    TLM_ROLLBACK_STRICT = 0, /* perpetual features go on; nothing consumable or timed is granted */
    TLM_ROLLBACK_WARN,       /* everything goes on, and the status says so */
    TLM_ROLLBACK_STOP        /* nothing is granted */
} tlm_rollback_policy;

typedef struct tlm_ledger_limits {
    int64_t ttl;             /* seconds of a lease that asks for none */
    int64_t ttl_max;         /* seconds that a lease may ask for */
    int64_t borrow_max;      /* seconds that a lease may be borrowed; 0: none is */
    int64_t clock_tolerance; /* seconds the clock may go back unnoticed */
    tlm_rollback_policy policy;
    bool audit_leases; /* each lease is a line of the audit log */
} tlm_ledger_limits;

/* The two clocks; NULL functions are the system's. */
typedef struct tlm_ledger_clock {
    int64_t (*wall)(void *context);   /* milliseconds since 1970 */
    int64_t (*steady)(void *context); /* milliseconds, never set, counting through suspension */
    void *context;
} tlm_ledger_clock;

/* Which host this is; what licenses are bound to. */
typedef struct tlm_ledger_host {
    tlm_fingerprint_type type; /* of `fingerprint` */
    const char *fingerprint;
    const char *fallback; /* NULL while it is not known */
    const tlm_host_component *components;
    size_t component_count;
} tlm_ledger_host;

typedef struct tlm_ledger_config {
    const char *directory;   /* made with mode 0700 where it is missing */
    const char *storage_id;  /* of the files beside it; another one in the ledger is FOREIGN */
    const char *expected_id; /* the ledger id that was noted, or NULL: a missing ledger with one is
                                made anew in the state "ledger-missing" */
    const tlm_trust *trust;  /* outlives the ledger; tlm_ledger_set_trust exchanges it */
    tlm_ledger_host host;    /* copied */
    tlm_ledger_limits limits;
    tlm_ledger_clock clock;
    const char *vfs;                /* SQLite's VFS, for tests; NULL: its default */
    void (*changed)(void *context); /* licenses or state changed; from the writer's thread */
    void *context;
} tlm_ledger_config;

typedef enum tlm_ledger_op {
    TLM_LEDGER_ACQUIRE = 0, /* ask → grant */
    TLM_LEDGER_RENEW,       /* ask.lease, ask.ttl → grant */
    TLM_LEDGER_RELEASE,     /* ask.lease, ask.force, ask.proof → answer */
    TLM_LEDGER_LEASE,       /* ask.lease → grant */
    TLM_LEDGER_LEASES,      /* → answer */
    TLM_LEDGER_CHECK,       /* ask → grant */
    TLM_LEDGER_USE,         /* ask → grant.used, grant.remaining, grant.repeated */
    TLM_LEDGER_ACTIVATE,    /* package → answer */
    TLM_LEDGER_LICENSES,    /* → answer */
    TLM_LEDGER_LICENSE,     /* ask.license → answer */
    TLM_LEDGER_REMOVE,      /* ask.license → answer */
    TLM_LEDGER_REVOKE,      /* list → answer */
    TLM_LEDGER_REVOCATIONS, /* → answer */
    TLM_LEDGER_STATE,       /* → answer */
    TLM_LEDGER_ACCEPT,      /* ask.reason → answer */
    TLM_LEDGER_AUDIT,       /* after, limit → answer */
    TLM_LEDGER_INTENT,      /* before the counter is read: see guard_private.h */
    TLM_LEDGER_CHECKPOINT,  /* checkpoint */
    TLM_LEDGER_ANCHOR,      /* proof: a proven statement over the audit log's head */
    TLM_LEDGER_TICK,        /* looks at the clock, ends what ran out */
    TLM_LEDGER_OP_COUNT
} tlm_ledger_op;

/* What somebody asks for; texts are the caller's until the answer. NULL where not given. */
typedef struct tlm_ledger_ask {
    const char *feature;
    const char *vendor; /* narrows the choice of the license, as the next two */
    const char *product;
    const char *license; /* jti */
    const char *client;
    const char *lease;
    const char *request; /* id of a use */
    const char *reason;
    int64_t units;          /* seats, or what a use takes; 1 where 0 */
    int64_t ttl;            /* seconds; 0: the limits' */
    int64_t borrow;         /* seconds; 0: not borrowed */
    const char *borrow_jkt; /* thumbprint of the borrower's key, base64url */
    bool give_back;         /* a use that returns tokens */
    bool local;             /* asked from this host */
    bool force;             /* an administrator ends somebody's lease */
    bool proven;            /* the borrower's key was shown: a borrowed lease may be returned */
    const char *peer;       /* for the audit log */
} tlm_ledger_ask;

/* What was granted. */
typedef struct tlm_grant {
    char lease[37]; /* "" for checks and uses */
    char license[37];
    char *feature; /* new strings, freed by tlm_ledger_request_clear */
    char *client;  /* may be NULL */
    char *vendor;
    char *product;
    char *memory; /* compact JSON, may be NULL */
    tlm_model_type model;
    int64_t units;
    int64_t granted;
    int64_t expires; /* of the lease; for a check when the feature ends; INT64_MAX: never */
    int64_t fence;   /* larger with each new lease, below 2^53 */
    bool borrowed;
    char jkt[44]; /* of a borrowed lease */
    int64_t used; /* counters, tokens, usage time (seconds), list (entries); -1: no such model */
    int64_t remaining; /* of the same; -1: no limit */
    bool repeated;     /* a lease that was held already, a use that was counted before */
    unsigned position; /* on TLM_ERR_SEATS: place in the queue, from 1 */
} tlm_grant;

/* A reading of the token's counter and clock, by the warden. */
typedef struct tlm_checkpoint {
    bool has_counter;
    uint64_t counter;
    bool tamper_proof;
    bool has_clock;
    tlm_token_clock clock;
} tlm_checkpoint;

typedef struct tlm_ledger_request {
    tlm_ledger_op op;
    tlm_ledger_ask ask;
    const tlm_package *package;
    const tlm_revocation *list;
    tlm_checkpoint checkpoint;
    const json_t *proof;
    int64_t after; /* of the audit log: the last number that is known already; -n: the newest n */
    int64_t limit;

    tlm_error error;
    tlm_grant grant;
    json_t *answer;

    /* Called from the writer's thread after the commit, or the rollback; must not block. */
    void (*done)(struct tlm_ledger_request *request);
    void *context;
    struct tlm_ledger_request *next; /* the ledger's */
} tlm_ledger_request;

/*
 * Opens or makes the ledger and verifies every license in it anew. TLM_ERR_FOREIGN (of another
 * installation or host), TLM_ERR_NEWER, TLM_ERR_DAMAGED, TLM_ERR_BUSY, TLM_ERR_NO_SPACE …: nothing
 * that is there is changed then. The strings of `config` are copied.
 */
TLM_CHECKED tlm_result tlm_ledger_open(const tlm_ledger_config *config, tlm_ledger **ledger,
                                       tlm_error *error);

/* Takes a request; done is called once. Never blocks on the disk. */
void tlm_ledger_submit(tlm_ledger *ledger, tlm_ledger_request *request);

/* Submits and waits; `done` is the ledger's then. Returns request->error.result. */
TLM_CHECKED tlm_result tlm_ledger_run(tlm_ledger *ledger, tlm_ledger_request *request);

/* Frees what an answer holds; the request can be used again. */
void tlm_ledger_request_clear(tlm_ledger_request *request);

/* The id of this ledger, a UUID; and whether it was made by this opening. */
const char *tlm_ledger_id(const tlm_ledger *ledger);
bool tlm_ledger_is_new(const tlm_ledger *ledger);

/* A new host (a component changed), a new trust: licenses are judged anew. Copied, or kept. */
TLM_CHECKED tlm_result tlm_ledger_set_host(tlm_ledger *ledger, const tlm_ledger_host *host,
                                           tlm_error *error);
TLM_CHECKED tlm_result tlm_ledger_set_trust(tlm_ledger *ledger, const tlm_trust *trust,
                                            tlm_error *error);

/* Whether something was consumed since the last checkpoint. Never blocks. */
bool tlm_ledger_dirty(const tlm_ledger *ledger);

/* A summary for the status: licenses, leases, state, drift, commits. New reference. */
json_t *tlm_ledger_summary(tlm_ledger *ledger);

/* Commits what was taken, and closes. Accepts NULL. */
void tlm_ledger_close(tlm_ledger **ledger);

#endif
