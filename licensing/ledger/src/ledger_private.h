/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_PRIVATE_H
#define TLM_LEDGER_PRIVATE_H

/*
 * What the parts of the ledger share. The file is the truth about leases, uses and revocations; of
 * licenses and of what their pools have given out there is a copy in memory, changed after the row
 * was and read anew after a rollback (tlm_records_load).
 *
 * One request goes its way on the writer's thread:
 *
 *     writer.c    savepoint, the op's function, back or on; commit; answers
 *     choose.c    which pool of which license, or why none
 *     model.c     what a pool still has, from when and until when
 *     lease.c, use.c, activate.c, withdraw.c, answers.c, upkeep.c   the ops
 */

#include <pthread.h>
#include <stdatomic.h>

#include <tlm/ledger.h>
#include <tlm/persistence.h>

#include "database.h"
#include "guard_private.h"
#include "map.h"
#include "queue.h"

#define TLM_NEVER INT64_MAX
#define TLM_FENCE_MAX 9007199254740991LL
#define TLM_USES_KEPT_MS (30LL * 86400 * 1000)

/* Ops of the ledger's own, behind the public ones. */
enum { TLM_LEDGER_SET_HOST = TLM_LEDGER_OP_COUNT, TLM_LEDGER_SET_TRUST, TLM_LEDGER_ALL_OPS };

typedef enum tlm_license_state {
    TLM_LICENSE_ACTIVE = 0,
    TLM_LICENSE_PENDING,
    TLM_LICENSE_EXPIRED,
    TLM_LICENSE_REVOKED,
    TLM_LICENSE_REMOVED,
    TLM_LICENSE_UNBOUND,
    TLM_LICENSE_UNTRUSTED,
    TLM_LICENSE_STATE_COUNT
} tlm_license_state;

typedef struct tlm_record tlm_record;

/* What was given out of one feature of one license; also of one that a revision took away. */
typedef struct tlm_pool {
    int64_t id;
    tlm_record *record;
    const tlm_feature *feature; /* of the license in force; NULL: it has none of this name */
    char *name;
    tlm_model_type model;     /* that `used` and `first_use` are of */
    int64_t in_use;           /* seats of the leases */
    int64_t used;             /* units, tokens that are out, entries, milliseconds of usage time */
    int64_t first_use;        /* 0: never */
    struct tlm_pool *next;    /* of the same feature, in another license */
    struct tlm_pool *sibling; /* of the same license */
    /* Of the choice that is being made. */
    tlm_result refusal;
    int64_t room;
} tlm_pool;

struct tlm_record {
    int64_t id;
    tlm_license *license;
    int64_t activated;
    int64_t removed; /* 0: it is not */
    bool revoked;
    bool untrusted;
    bool unbound;
    unsigned drift; /* components that are not as its fingerprint has them; bits of the host's */
    tlm_pool *pools;
    tlm_record *next;
};

/* A fallback fingerprint that this host has shown, with what it was made of. */
typedef struct tlm_fallback_part {
    char id[16];
    char sha256[65];
} tlm_fallback_part;

typedef struct tlm_fallback {
    char fingerprint[65];
    tlm_fallback_part parts[TLM_HOST_COMPONENTS];
    size_t count;
    struct tlm_fallback *next;
} tlm_fallback;

typedef struct tlm_ledger_own_host {
    tlm_fingerprint_type type;
    char fingerprint[65];
    char fallback[65]; /* "": not known */
    tlm_host_component components[TLM_HOST_COMPONENTS];
    size_t component_count;
} tlm_ledger_own_host;

/* What the status shows, taken after each commit. */
typedef struct tlm_ledger_figures {
    int64_t licenses[TLM_LICENSE_STATE_COUNT];
    int64_t leases;
    int64_t seats;
    size_t waiting;
    uint64_t commits;
    uint64_t requests;
    unsigned drift;
    tlm_ledger_own_host host;
    tlm_guard_state state;
    int64_t counted; /* when the licenses were */
} tlm_ledger_figures;

struct tlm_ledger {
    tlm_database database;
    char id[TLM_UUID_SIZE];
    bool is_new;
    const tlm_trust *trust;
    tlm_ledger_limits limits;
    tlm_ledger_clock clock;
    void (*changed)(void *context);
    void *context;

    pthread_t thread;
    pthread_mutex_t lock; /* of the waiting requests, and of `figures` */
    pthread_cond_t wake;
    tlm_ledger_request *first;
    tlm_ledger_request *last;
    bool stopping;
    tlm_ledger_figures figures;
    atomic_bool dirty;

    /* Of the writer's thread alone from here on. */
    int64_t now;    /* of this batch; does not go back within the tolerance */
    int64_t steady; /* of this batch */
    int64_t last_now;
    int64_t fence; /* the last one that was given */
    bool fence_moved;
    bool touched; /* memory is ahead of what a rollback would leave */
    bool stale;   /* memory has to be read anew before anything else */
    bool news;    /* licenses or state changed */
    bool consumed;
    tlm_guard guard;
    tlm_ledger_own_host host;
    tlm_fallback *fallbacks;
    tlm_record *records;
    tlm_map by_jti;     /* tlm_record */
    tlm_map by_feature; /* tlm_pool, the first of its list */
    tlm_pool **by_id;   /* pools by their id */
    size_t by_id_size;
    tlm_queue queue;
    int64_t lease_count;
    int64_t seat_count;
    uint64_t commits;
    uint64_t requests;
};

/* ---- records.c: licenses and pools in memory ---- */

/* Reads everything from the file; licenses that are in memory already are not verified again. */
TLM_CHECKED tlm_result tlm_records_load(tlm_ledger *ledger, tlm_error *error);
void tlm_records_free(tlm_ledger *ledger);
tlm_record *tlm_records_find(const tlm_ledger *ledger, const char *jti);
tlm_pool *tlm_records_pool(const tlm_ledger *ledger, int64_t id);

/* A container as a license, believed or not. */
TLM_CHECKED tlm_result tlm_records_parse(const tlm_trust *trust, const char *text, bool *untrusted,
                                         tlm_license **license, tlm_error *error);

/* Takes a license in, with rows for its pools. `license` is the ledger's from here on, also on
 * failure, as it is of tlm_records_replace. */
TLM_CHECKED tlm_result tlm_records_add(tlm_ledger *ledger, tlm_license *license,
                                       tlm_record **record, tlm_error *error);

/* Puts a newer revision in the place of the one that is there. */
TLM_CHECKED tlm_result tlm_records_replace(tlm_ledger *ledger, tlm_record *record,
                                           tlm_license *license, tlm_error *error);

/* Writes what a pool has given out. */
TLM_CHECKED tlm_result tlm_pool_save(tlm_ledger *ledger, const tlm_pool *pool, tlm_error *error);

tlm_license_state tlm_record_state(const tlm_record *record, int64_t now);
const char *tlm_license_state_name(tlm_license_state state);

/* Trust and revocations anew. */
void tlm_records_trust(tlm_ledger *ledger);
TLM_CHECKED tlm_result tlm_records_revoked(tlm_ledger *ledger, tlm_error *error);

/* ---- binding.c: whether licenses are for this host ---- */

TLM_CHECKED tlm_result tlm_host_take(tlm_ledger_own_host *host, const tlm_ledger_host *from,
                                     tlm_error *error);
TLM_CHECKED tlm_result tlm_fallbacks_load(tlm_ledger *ledger, tlm_error *error);
void tlm_fallbacks_free(tlm_ledger *ledger);
/* Keeps what the fallback fingerprint of now is made of. */
TLM_CHECKED tlm_result tlm_fallback_keep(tlm_ledger *ledger, tlm_error *error);

/* TLM_ERR_FOREIGN says what the license is for and what this host is. */
TLM_CHECKED tlm_result tlm_binding_check(const tlm_ledger *ledger, const tlm_license *license,
                                         unsigned *drift, tlm_error *error);

/* Whether a package for this fingerprint may be for this host. */
bool tlm_binding_destination(const tlm_ledger *ledger, const char *fingerprint);

/* Judges every license, keeps this host's components, and tells what changed in the audit log. */
TLM_CHECKED tlm_result tlm_binding_judge(tlm_ledger *ledger, tlm_error *error);
json_t *tlm_drift_json(const tlm_ledger_own_host *host, unsigned drift);
unsigned tlm_drift_of(const tlm_ledger *ledger);

/* ---- model.c ---- */

/* Milliseconds, cut to what fits. */
int64_t tlm_time_add(int64_t instant, int64_t span);
int64_t tlm_time_of(int64_t number, int64_t unit);

/* From when and until when, in milliseconds; INT64_MIN and TLM_NEVER for no limit. */
int64_t tlm_pool_begins(const tlm_pool *pool);
int64_t tlm_pool_ends(const tlm_pool *pool, int64_t now);
/* Timed or used up: what a state that was set back could give twice. */
bool tlm_pool_consumable(const tlm_pool *pool);
/* As the answers have them; -1 for what there is not. */
void tlm_pool_figures(const tlm_pool *pool, int64_t *used, int64_t *remaining);
/* Milliseconds of usage time that nobody has; TLM_NEVER for other models. */
int64_t tlm_pool_time_left(const tlm_pool *pool);
bool tlm_pool_counts(const tlm_pool *pool);

/* ---- choose.c ---- */

typedef enum tlm_purpose { TLM_FOR_LEASE, TLM_FOR_CHECK, TLM_FOR_USE } tlm_purpose;

typedef struct tlm_choice {
    tlm_purpose purpose;
    const tlm_ledger_ask *ask;
    int64_t units;
    const tlm_pool *own; /* whose lease the client has: only this one counts */
    int64_t own_units;   /* seats that it gives up for the new ones */
} tlm_choice;

bool tlm_ask_matches(const tlm_ledger_ask *ask, const tlm_pool *pool);

/* The pool to take from, or the most useful of the refusals; on TLM_ERR_SEATS *position is the
 * client's place in the queue. */
TLM_CHECKED tlm_result tlm_choose(tlm_ledger *ledger, const tlm_choice *choice, tlm_pool **pool,
                                  unsigned *position, tlm_error *error);

/* Whether this pool, of which the client has a lease, can go on with so many units. */
TLM_CHECKED tlm_result tlm_judge(tlm_ledger *ledger, const tlm_choice *choice, tlm_pool *pool,
                                 unsigned *position, tlm_error *error);

/* ---- ask.c: what is asked for, as it should be ---- */

TLM_CHECKED tlm_result tlm_ask_feature(const tlm_ledger_ask *ask, tlm_error *error);
TLM_CHECKED tlm_result tlm_ask_client(const char *client, tlm_error *error);
TLM_CHECKED tlm_result tlm_ask_id(const char *id, const char *what, tlm_error *error);
TLM_CHECKED tlm_result tlm_ask_units(int64_t units, int64_t *wanted, tlm_error *error);

/* ---- leases ---- */

typedef struct tlm_lease {
    char id[TLM_UUID_SIZE];
    tlm_pool *pool;
    char client[TLM_CLIENT_MAX + 1];
    int64_t units;
    int64_t granted;
    int64_t renewed;
    int64_t expires;
    int64_t fence;
    int64_t reserved; /* milliseconds of usage time, over all units */
    char jkt[44];     /* "": not borrowed */
} tlm_lease;

/* lease_rows.c. TLM_ERR_NOT_FOUND for none, and for one that ran out. */
TLM_CHECKED tlm_result tlm_lease_read(tlm_ledger *ledger, const char *id, tlm_lease *lease,
                                      tlm_error *error);
TLM_CHECKED tlm_result tlm_lease_row(const tlm_ledger *ledger, sqlite3_stmt *row, tlm_lease *lease,
                                     tlm_error *error);
/* The lease that the client has of what it asks for; *found is false where it has none. */
TLM_CHECKED tlm_result tlm_lease_of_client(tlm_ledger *ledger, const tlm_ledger_ask *ask,
                                           tlm_lease *lease, bool *found, tlm_error *error);
TLM_CHECKED tlm_result tlm_lease_add(tlm_ledger *ledger, const tlm_lease *lease, tlm_error *error);
TLM_CHECKED tlm_result tlm_lease_update(tlm_ledger *ledger, const tlm_lease *lease,
                                        int64_t units_before, tlm_error *error);
TLM_CHECKED tlm_result tlm_lease_remove(tlm_ledger *ledger, const tlm_lease *lease,
                                        tlm_error *error);
/* Ends what ran out. */
TLM_CHECKED tlm_result tlm_leases_expire(tlm_ledger *ledger, tlm_error *error);
/* A clock that was set back beyond what is tolerated: no lease lasts longer than it was given. */
TLM_CHECKED tlm_result tlm_ledger_rebase(tlm_ledger *ledger, tlm_error *error);

/* use.c: what the first use of a trial, or a new client of a list, leaves behind. The caller saves
 * the pool. */
TLM_CHECKED tlm_result tlm_first_use(tlm_ledger *ledger, tlm_pool *pool, const char *client,
                                     tlm_error *error);

/* grant.c: fills the answer. `lease` is NULL for checks and uses. */
TLM_CHECKED tlm_result tlm_grant_fill(const tlm_ledger *ledger, const tlm_pool *pool,
                                      const tlm_lease *lease, tlm_ledger_request *request);
void tlm_grant_clear(tlm_grant *grant);

/* ---- the ops ---- */

typedef tlm_result (*tlm_ledger_apply)(tlm_ledger *ledger, tlm_ledger_request *request);

tlm_result tlm_op_acquire(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_renew(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_release(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_lease(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_leases(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_check(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_use(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_activate(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_licenses(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_license(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_remove(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_revoke(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_revocations(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_state(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_accept(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_audit(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_intent(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_checkpoint(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_anchor(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_tick(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_set_host(tlm_ledger *ledger, tlm_ledger_request *request);
tlm_result tlm_op_set_trust(tlm_ledger *ledger, tlm_ledger_request *request);

/* ---- texts, writer, summary ---- */

/* An instant of the answers, RFC 3339 with milliseconds, or seconds for those of licenses; null for
 * INT64_MIN and TLM_NEVER. New reference. */
json_t *tlm_instant_json(int64_t milliseconds);
json_t *tlm_instant_json_seconds(int64_t seconds);

/* Adds to the audit log; `detail` is taken. Without memory for it: TLM_ERR_MEMORY. */
TLM_CHECKED tlm_result tlm_ledger_audit(tlm_ledger *ledger, const char *event, json_t *detail,
                                        tlm_error *error);

/* Sets the answer; takes the reference. */
TLM_CHECKED tlm_result tlm_ledger_answer(tlm_ledger_request *request, json_t *answer);

/* Meta values. */
TLM_CHECKED tlm_result tlm_meta_get(tlm_ledger *ledger, const char *name, char *text, size_t size,
                                    tlm_error *error);
TLM_CHECKED tlm_result tlm_meta_set(tlm_ledger *ledger, const char *name, const char *text,
                                    tlm_error *error);

/* The time that counts: the clock's, but what was seen where it is behind that by no more than is
 * tolerated, so that nothing is given twice for a clock that is corrected. */
int64_t tlm_ledger_time(const tlm_ledger *ledger, int64_t wall);
int64_t tlm_ledger_wall(const tlm_ledger *ledger);
int64_t tlm_ledger_steady(const tlm_ledger *ledger);

/* Somebody who waits for their request, and what an op of the ledger's own is about. */
typedef struct tlm_waiting {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
    const void *given;
} tlm_waiting;
const void *tlm_waiting_given(const tlm_ledger_request *request);

void *tlm_writer_run(void *context); /* the ledger */

/* figures.c: takes what the status shows; `recount` counts the licenses, too. */
void tlm_figures_take(tlm_ledger *ledger, bool recount);

#endif
