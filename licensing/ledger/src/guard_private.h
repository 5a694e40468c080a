/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_GUARD_PRIVATE_H
#define TLM_LEDGER_GUARD_PRIVATE_H

/*
 * Whether the ledger is as new as it should be, and the clock not older than it was.
 *
 * Three ties: the wall clock as it was seen last and at its highest, the steady clock beside it
 * while the program runs, and the token's counter and clock at checkpoints. The counter can only be
 * read by counting, so a reading has two steps: an intent is committed, the counter is read, the
 * reading is committed. A ledger that was put back has a number that is too small by more than its
 * open intents explain.
 *
 *     tlm_guard guard = {0};
 *     result = tlm_guard_load(&guard, db, &limits, missing, wall, &error);
 *
 *     before the counter is read:   tlm_guard_intent(&guard, db, &error)
 *     after it:                     tlm_guard_checkpoint(&guard, db, &reading, wall, &error)
 *     first in each transaction:    tlm_guard_observe(&guard, db, wall, steady, &error)
 *     before something is granted:  tlm_guard_permit(&guard, timed, &error)
 *     last in one that wrote:       tlm_guard_keep(&guard, db, &error)
 *
 * Everything is of the writer's thread, inside its transaction; after a rollback, of all or
 * of a part, the writer loads the guard again into the same struct: what the process itself saw of
 * the clocks stays.
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <sqlite3.h>

#include <tlm/ledger.h>

/* Most open intents that explain a gap. One for each reading that was begun and not committed; a
 * copy of a ledger with open ones can be put back for as many checkpoints, so they are few. */
#define TLM_GUARD_INTENTS_MAX 16U

typedef enum tlm_guard_state {
    TLM_GUARD_OK = 0,
    TLM_GUARD_CLOCK_BACK,     /* "clock-back": the clock is behind what was seen */
    TLM_GUARD_ROLLED_BACK,    /* "rolled-back": the counter has gone on without this ledger */
    TLM_GUARD_COUNTER_LOST,   /* "counter-lost": the token's counter is below ours, or is gone */
    TLM_GUARD_REPLACED,       /* "replaced": the file is not the one that was in use */
    TLM_GUARD_LEDGER_MISSING, /* "ledger-missing": one was noted, and there was none */
    TLM_GUARD_STATE_COUNT
} tlm_guard_state;

/* The wall clock's marks, as they stand in the ledger. */
typedef struct tlm_guard_marks {
    int64_t high_water; /* highest wall clock seen, or known to have been reached */
    int64_t wall;       /* wall clock seen last */
    int64_t behind_us;  /* how far it is behind what other clocks say, in microseconds */
} tlm_guard_marks;

typedef struct tlm_guard {
    tlm_guard_state state; /* the first that was found and not yet accepted; any of the others
                              takes the place of clock-back, which ends by itself */
    int64_t since;         /* when it was found */
    char detail[256];      /* with the numbers */
    int64_t tolerance;     /* milliseconds */
    tlm_rollback_policy policy;

    tlm_guard_marks marks;
    tlm_guard_marks kept; /* what of them is in the ledger */
    bool observed;        /* this process has looked at the clocks */
    bool begun;           /* the marks were begun anew, and that is not known to be committed */
    int64_t last_steady;

    bool has_counter; /* there was a reading */
    bool tamper_proof;
    uint64_t counter;
    unsigned intents; /* readings that may have happened without being committed */
    bool has_clock;
    tlm_token_clock clock; /* of the last checkpoint */
    int64_t clock_wall;    /* what the wall clock should have shown then */
    bool loaded;
    bool checked; /* a checkpoint of this process was committed */
    bool fresh;   /* one was made, and is not known to be committed */
} tlm_guard;

/* Tables of the guard, for the ledger's schema. */
extern const char tlm_guard_schema[];

/* Reads what the ledger has, or makes the row of a new one. `missing`: in the state for that. The
 * struct is all zero before the first time. */
TLM_CHECKED tlm_result tlm_guard_load(tlm_guard *guard, sqlite3 *db,
                                      const tlm_ledger_limits *limits, bool missing, int64_t wall,
                                      tlm_error *error);

/* Looks at the clocks. Finding the clock set back is a state and an audit entry, not an error. A
 * clock that is right again leaves "clock-back" by itself. Writes only when the clock moved by a
 * fifth of the tolerance, at most a minute, or the state changed. */
TLM_CHECKED tlm_result tlm_guard_observe(tlm_guard *guard, sqlite3 *db, int64_t wall,
                                         int64_t steady, tlm_error *error);

/* Writes the marks to the second, for transactions that write anyway. */
TLM_CHECKED tlm_result tlm_guard_keep(tlm_guard *guard, sqlite3 *db, tlm_error *error);

TLM_CHECKED tlm_result tlm_guard_intent(tlm_guard *guard, sqlite3 *db, tlm_error *error);
TLM_CHECKED tlm_result tlm_guard_checkpoint(tlm_guard *guard, sqlite3 *db,
                                            const tlm_checkpoint *reading, int64_t wall,
                                            tlm_error *error);

/* The file of the open ledger is another one than its path names now, or than was noted. */
TLM_CHECKED tlm_result tlm_guard_replaced(tlm_guard *guard, sqlite3 *db, int64_t wall,
                                          tlm_error *error);

/* An administrator takes the state as it is: the marks begin anew from now. `reason` and `peer` may
 * be NULL. */
TLM_CHECKED tlm_result tlm_guard_accept(tlm_guard *guard, sqlite3 *db, int64_t wall, int64_t steady,
                                        const char *reason, const char *peer, tlm_error *error);

/*
 * TLM_ERR_ROLLBACK with state and remedy where the policy forbids a grant: `consumable` says that
 * the feature is timed (by its model or its license's end) or used up. TLM_ERR_TOKEN_UNAVAILABLE
 * where it would be forbidden in a ledger that was put back, and this process did not read the
 * counter yet.
 */
TLM_CHECKED tlm_result tlm_guard_permit(const tlm_guard *guard, bool consumable, tlm_error *error);

const char *tlm_guard_state_name(tlm_guard_state state);

/* Members state, since, message, hint, policy, counter, clock of GET /api/v1/state. New reference;
 * NULL without memory. */
json_t *tlm_guard_json(const tlm_guard *guard);

#endif
