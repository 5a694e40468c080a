/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guard's state means for those who ask: names, messages, remedies, permission. */
#include "guard_private.h"

#include <time.h>

#include "text_private.h"

#define MS_PER_S 1000

#define ACCEPT "tlm state accept --reason TEXT"

typedef struct state_row {
    const char *name;
    const char *message;
    const char *hint;
} state_row;

static const state_row states[TLM_GUARD_STATE_COUNT] = {
    [TLM_GUARD_OK] = {"ok", "State and clock are as new as they should be", NULL},
    [TLM_GUARD_CLOCK_BACK] =
        {"clock-back", "The clock was set back",
         "Set it right: timedatectl. That ends this state. Where it is right and had been wrong "
         "before: " ACCEPT},
    [TLM_GUARD_ROLLED_BACK] =
        {"rolled-back",
         "The ledger is older than the token's counter: it was restored from a copy, or another "
         "program reads the counter",
         "Bring the newest ledger back, where there is one. Let nobody but this service read the "
         "counter (access.json, operation \"counter\"). Then: " ACCEPT},
    [TLM_GUARD_COUNTER_LOST] =
        {"counter-lost",
         "The token's counter is lower than the ledger's, is another one, or is gone",
         "See what became of it: tlm-token-init doctor. Bring the token and the ledger of one "
         "moment back, or: " ACCEPT},
    [TLM_GUARD_REPLACED] =
        {"replaced", "The ledger's file is not the one that was in use",
         "Stop the service, bring the file of before back, and start it: it judges what is there. "
         "Where this one is right: " ACCEPT},
    [TLM_GUARD_LEDGER_MISSING] =
        {"ledger-missing", "The ledger of this host is gone, and an empty one took its place",
         "Stop the service, bring the directory licensing/ back, start it. Where it is lost, "
         "activate the packages again and: " ACCEPT},
};

static const char *const policies[] = {
    [TLM_ROLLBACK_STRICT] = "strict",
    [TLM_ROLLBACK_WARN] = "warn",
    [TLM_ROLLBACK_STOP] = "stop",
};

const char *tlm_guard_state_name(tlm_guard_state state)
{
    return states[state].name;
}

static bool is_forbidden(const tlm_guard *guard, bool consumable)
{
    return guard->policy == TLM_ROLLBACK_STOP ||
           (guard->policy == TLM_ROLLBACK_STRICT && consumable);
}

tlm_result tlm_guard_permit(const tlm_guard *guard, bool consumable, tlm_error *error)
{
    if (!is_forbidden(guard, consumable)) {
        return TLM_OK;
    }
    if (guard->state != TLM_GUARD_OK) {
        const state_row *row = &states[guard->state];
        return tlm_error_set(error, TLM_ERR_ROLLBACK, row->hint, "%s (%s): %s", row->message,
                             row->name, guard->detail);
    }
    if (guard->has_counter && !guard->checked) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                             "Ask again in a moment. Where it stays so, see why the token cannot "
                             "be used: tlm-token-init doctor",
                             "the token's counter was not read since the start, so it is not known "
                             "whether the ledger is the newest");
    }
    return TLM_OK;
}

static json_t *instant(int64_t ms)
{
    char text[TLM_INSTANT_SIZE];
    return tlm_instant_make((time_t)(ms / MS_PER_S), text) ? json_string(text) : json_null();
}

/* A number of hardware that tells resets is a TPM's, simulated or not. */
static const char *kind_of(const tlm_guard *guard)
{
    if (!guard->has_counter) {
        return "none";
    }
    return guard->tamper_proof || guard->clock.reset_count > 0 || guard->clock.safe ? "tpm"
                                                                                    : "file";
}

static const char *worth_of(const tlm_guard *guard)
{
    if (!guard->has_counter) {
        return "There is no counter: the clock is compared with itself, and an older copy of the "
               "ledger is not noticed";
    }
    if (!guard->tamper_proof) {
        return "The counter is kept in a file: an older copy of the ledger is noticed, but not "
               "one that was put back together with the counter's file";
    }
    return "The counter is the TPM's: an older copy of the ledger is noticed";
}

static json_t *counter_of(const tlm_guard *guard)
{
    bool shown = guard->has_counter && guard->counter <= INT64_MAX;
    json_t *value = shown ? json_integer((json_int_t)guard->counter) : json_null();
    return json_pack("{s:s, s:b, s:o, s:b, s:s}", "kind", kind_of(guard), "tamperProof",
                     guard->tamper_proof ? 1 : 0, "value", value, "checked",
                     guard->checked || guard->fresh ? 1 : 0, "message", worth_of(guard));
}

static json_t *clock_of(const tlm_guard *guard)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:b}", "seen", instant(guard->marks.wall), "highest",
                     instant(guard->marks.high_water), "behind",
                     (json_int_t)(guard->marks.behind_us / 1000 / MS_PER_S), "tolerance",
                     (json_int_t)(guard->tolerance / MS_PER_S), "token",
                     guard->has_clock && guard->clock.safe ? 1 : 0);
}

json_t *tlm_guard_json(const tlm_guard *guard)
{
    const state_row *row = &states[guard->state];
    return json_pack("{s:s, s:o, s:s, s:s*, s:s?, s:s, s:o, s:o}", "state", row->name, "since",
                     instant(guard->since), "message", row->message, "detail",
                     guard->detail[0] != '\0' ? guard->detail : NULL, "hint", row->hint, "policy",
                     policies[guard->policy], "counter", counter_of(guard), "clock",
                     clock_of(guard));
}
