/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_H
#define TLM_LICENSING_H

/*
 * The licensing service: what the REST interface asks for under /api/v1, docs/rest.md. One call
 * with JSON in and JSON out for each route; nothing in here knows HTTP.
 *
 *     tlm_licensing *licensing = NULL;
 *     result = tlm_licensing_start(&config, &licensing, &error);
 *     tlm_licensing_identity(licensing, view);        // whenever there is a new view
 *     …
 *     call->op = TLM_CALL_ACQUIRE;
 *     call->input = body;                             // {"feature": "pro", "client": "c1"}
 *     call->done = resume;                            // called once, from a thread of the service
 *     tlm_licensing_submit(licensing, call);          // never blocks
 *     …
 *     tlm_licensing_stop(&licensing);
 *
 * Threads: the ledger's writer (the one that commits), the prover (the token's signatures), the
 * warden (counter, clock, anchors, drift), and one that opens packages and keys. Answers come only
 * after what they say is durable.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/identity.h>
#include <tlm/ledger.h>
#include <tlm/result.h>

typedef struct tlm_licensing tlm_licensing;

typedef struct tlm_licensing_config {
    const char *persistence_dir;         /* the ledger is in licensing/ below it */
    const char *trust_dir;               /* *.jwks, in builds with runtime trust */
    const tlm_identity_config *identity; /* how the identity's keys are reached; copied */
    tlm_ledger_limits limits;
    unsigned checkpoint_seconds;    /* between two readings of the counter while there is news */
    void (*changed)(void *context); /* the status is another one; called from service threads, must
                                       not block */
    void *context;
} tlm_licensing_config;

typedef enum tlm_call_op {
    TLM_CALL_ACQUIRE = 0, /* POST   /api/v1/leases */
    TLM_CALL_RENEW,       /* PUT    /api/v1/leases/{id} */
    TLM_CALL_RELEASE,     /* DELETE /api/v1/leases/{id}; input.force: the administrator's */
    TLM_CALL_LEASE,       /* GET    /api/v1/leases/{id} */
    TLM_CALL_LEASES,      /* GET    /api/v1/leases */
    TLM_CALL_CHECK,       /* POST   /api/v1/check */
    TLM_CALL_USE,         /* POST   /api/v1/usage */
    TLM_CALL_ATTEST,      /* POST   /api/v1/attest */
    TLM_CALL_KEYS,        /* GET    /api/v1/keys */
    TLM_CALL_ACTIVATE,    /* POST   /api/v1/licenses, text */
    TLM_CALL_LICENSES,    /* GET    /api/v1/licenses */
    TLM_CALL_LICENSE,     /* GET    /api/v1/licenses/{jti} */
    TLM_CALL_REMOVE,      /* DELETE /api/v1/licenses/{jti} */
    TLM_CALL_REVOKE,      /* POST   /api/v1/revocations, text */
    TLM_CALL_REVOCATIONS, /* GET    /api/v1/revocations */
    TLM_CALL_STATE,       /* GET    /api/v1/state */
    TLM_CALL_ACCEPT,      /* POST   /api/v1/state/accept */
    TLM_CALL_AUDIT,       /* GET    /api/v1/audit; input: after, limit */
    TLM_CALL_COUNT
} tlm_call_op;

typedef struct tlm_call {
    tlm_call_op op;
    const char *id;   /* of the path, or NULL */
    json_t *input;    /* object, or NULL where there is no body; the caller's */
    const char *text; /* compact JOSE text of ACTIVATE and REVOKE */
    size_t size;
    bool local;         /* the peer is on this host: loopback or unix socket */
    bool administrator; /* was authorized as one */
    char peer[64];      /* for log and audit: "192.0.2.7", "uid 0" */

    /* The answer. */
    tlm_error error;      /* result TLM_OK: done */
    json_t *answer;       /* object; on failure members for the problem document, or NULL */
    bool created;         /* something new came to be: 201 */
    unsigned retry_after; /* seconds, for 409 and 503; 0: none */

    void (*done)(struct tlm_call *call);
    void *context;
    struct tlm_call *next; /* the service's */
} tlm_call;

/*
 * Starts the threads; opens nothing before the first healthy view. What is wrong with the ledger is
 * a state (tlm_licensing_status), not an error here.
 */
TLM_CHECKED tlm_result tlm_licensing_start(const tlm_licensing_config *config,
                                           tlm_licensing **licensing, tlm_error *error);

/* Tells of a new view; keeps nothing of it and does not block. */
void tlm_licensing_identity(tlm_licensing *licensing, const tlm_identity_view *view);

/*
 * Takes a call; everything it points to stays the caller's until `done`. `done` is called exactly
 * once, perhaps before this returns. One that comes while the ledger is being opened waits for
 * that. After tlm_licensing_stop began: TLM_ERR_BUSY.
 */
void tlm_licensing_submit(tlm_licensing *licensing, tlm_call *call);

/* The member `licensing` of /status; a new reference, NULL without memory. Never blocks long. */
json_t *tlm_licensing_status(tlm_licensing *licensing);

/* Reads the runtime trust again (SIGHUP) and tells whether all of it could be taken. */
TLM_CHECKED tlm_result tlm_licensing_reload(tlm_licensing *licensing, tlm_error *error);

/* Finishes what was taken, writes a last checkpoint, closes. Accepts NULL. */
void tlm_licensing_stop(tlm_licensing **licensing);

#endif
