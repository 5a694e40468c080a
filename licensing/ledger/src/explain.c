/* SPDX-License-Identifier: BSD-2-Clause */
#include "explain.h"

#include <stdio.h>

#define WHEN_SIZE 32

/* An instant for a message. */
static const char *when(int64_t milliseconds, char text[WHEN_SIZE])
{
    json_t *instant = tlm_instant_json_seconds(milliseconds / 1000);
    (void)snprintf(text, WHEN_SIZE, "%s",
                   json_is_string(instant) ? json_string_value(instant) : "an unknown time");
    json_decref(instant);
    return text;
}

static tlm_result unlicensed(const tlm_ledger *ledger, const tlm_choice *choice,
                             const tlm_pool *pool, tlm_error *error)
{
    const char *feature = choice->ask->feature;
    const char *jti = pool->record->license->jti;
    tlm_error why = {0};
    unsigned drift = 0;
    switch (tlm_record_state(pool->record, ledger->now)) {
    case TLM_LICENSE_REMOVED:
        return tlm_error_set(error, TLM_ERR_UNLICENSED, "activate it again: tlm activate FILE",
                             "license %s, which has %s, was removed here", jti, feature);
    case TLM_LICENSE_UNTRUSTED:
        return tlm_error_set(error, TLM_ERR_UNLICENSED,
                             "give the vendor's JWKS back to the trust: see tlm status",
                             "the key %s that signed license %s, which has %s, is not trusted",
                             pool->record->license->kid, jti, feature);
    case TLM_LICENSE_UNBOUND:
        if (tlm_binding_check(ledger, pool->record->license, &drift, &why) == TLM_OK) {
            break; /* not decided yet: the host's fallback fingerprint is not known */
        }
        return tlm_error_set(error, TLM_ERR_UNLICENSED, why.hint, "%s", why.message);
    default:
        break;
    }
    return tlm_error_set(error, TLM_ERR_UNLICENSED, NULL,
                         "the revision of license %s that is in force has no feature %s", jti,
                         feature);
}

static tlm_result argument(const tlm_choice *choice, const tlm_pool *pool, tlm_error *error)
{
    const char *feature = choice->ask->feature;
    const char *model = tlm_model_name(pool->model);
    if (choice->purpose == TLM_FOR_CHECK && pool->feature->seats > 0) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "take a lease: POST /api/v1/leases",
                             "%s has seats, so it cannot be used without a lease", feature);
    }
    if (pool->model == TLM_MODEL_USAGE_TIME && choice->purpose == TLM_FOR_CHECK) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "take a lease: POST /api/v1/leases",
                             "%s runs down while it is leased, so it cannot be used without a "
                             "lease",
                             feature);
    }
    if (choice->purpose != TLM_FOR_USE) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "say which: \"client\"",
                             "%s is for a list of clients, and no client was named", feature);
    }
    if (choice->ask->give_back && tlm_pool_counts(pool)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "%s is a counter, and only tokens can be returned", feature);
    }
    return tlm_error_set(error, TLM_ERR_ARGUMENT, "take a lease or check for it",
                         "%s is of the model %s, which has nothing to count", feature, model);
}

static tlm_result exhausted(const tlm_choice *choice, const tlm_pool *pool, tlm_error *error)
{
    int64_t used = 0;
    int64_t remaining = 0;
    tlm_pool_figures(pool, &used, &remaining);
    return tlm_error_set(error, TLM_ERR_EXHAUSTED,
                         "ask the vendor for a larger license; what is left: tlm licenses",
                         "of the %s of %s in license %s %lld are used and %lld are left",
                         pool->model == TLM_MODEL_USAGE_TIME ? "seconds"
                         : pool->model == TLM_MODEL_LIST     ? "places"
                                                             : "units",
                         choice->ask->feature, pool->record->license->jti, (long long)used,
                         (long long)(remaining >= 0 ? remaining : 0));
}

tlm_result tlm_explain(const tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                       tlm_error *error)
{
    char text[WHEN_SIZE];
    const char *feature = choice->ask->feature;
    const char *jti = pool->record->license->jti;
    switch (pool->refusal) {
    case TLM_ERR_SEATS:
        return tlm_error_set(error, TLM_ERR_SEATS,
                             "ask again within 30 seconds to keep the place in the queue",
                             "the %lld seats of %s are taken or kept for others: %lld are leased",
                             (long long)pool->feature->seats, feature, (long long)pool->in_use);
    case TLM_ERR_ROLLBACK:
    case TLM_ERR_TOKEN_UNAVAILABLE:
        return tlm_guard_permit(&ledger->guard, tlm_pool_consumable(pool), error);
    case TLM_ERR_EXHAUSTED:
        return exhausted(choice, pool, error);
    case TLM_ERR_CONFLICT:
        return tlm_error_set(error, TLM_ERR_CONFLICT, NULL,
                             "%s did not take as many tokens of %s as it returns",
                             choice->ask->client, feature);
    case TLM_ERR_PERMISSION:
        return tlm_error_set(error, TLM_ERR_PERMISSION, "ask for fewer seconds",
                             "license %s allows a seat of %s to be borrowed for %lld days at most",
                             jti, feature, (long long)pool->feature->borrow_days);
    case TLM_ERR_NOT_LOCAL:
        return tlm_error_set(error, TLM_ERR_NOT_LOCAL,
                             "ask from this host, through 127.0.0.1 or the unix socket",
                             "%s is stand-alone: it is for programs of the licensed host", feature);
    case TLM_ERR_NOT_YET:
        return tlm_error_set(error, TLM_ERR_NOT_YET, NULL,
                             "%s of license %s cannot be used before %s", feature, jti,
                             when(tlm_pool_begins(pool), text));
    case TLM_ERR_EXPIRED:
        return tlm_error_set(error, TLM_ERR_EXPIRED, "ask the vendor for a new license",
                             "%s of license %s ended at %s", feature, jti,
                             when(tlm_pool_ends(pool, ledger->now), text));
    case TLM_ERR_REVOKED:
        return tlm_error_set(error, TLM_ERR_REVOKED, "ask the vendor for a new license",
                             "%s revoked license %s, which has %s", pool->record->license->vendor,
                             jti, feature);
    case TLM_ERR_ARGUMENT:
        return argument(choice, pool, error);
    default:
        return unlicensed(ledger, choice, pool, error);
    }
}

tlm_result tlm_explain_none(const tlm_ledger *ledger, const tlm_ledger_ask *ask, tlm_error *error)
{
    if (tlm_map_get(&ledger->by_feature, ask->feature) != NULL) {
        return tlm_error_set(error, TLM_ERR_UNLICENSED, "what is here: tlm licenses",
                             "no license here has the feature %s with this vendor, product and "
                             "license",
                             ask->feature);
    }
    return tlm_error_set(error, TLM_ERR_UNLICENSED,
                         "activate a license that has it: tlm activate FILE",
                         "no license here has the feature %s", ask->feature);
}
