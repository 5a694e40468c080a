/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tlm/license.h>
#include <tlm/settings.h>
#include <tlm/statement.h>

#define TEXT_MAX TLM_LICENSE_TEXT_MAX
#define REASON_MAX 256U
#define PROOF_MAX 2048U
#define AUDIT_LIMIT 1000

typedef struct member member;
typedef tlm_result (*take)(const member *is, const json_t *value, tlm_job *job, tlm_error *error);

/* What a member may be, and where it goes. */
struct member {
    const char *name;
    take take;
    size_t offset; /* in the job */
    int64_t min;   /* of a number, or of a text's length in bytes */
    int64_t max;
};

#define AT(field) offsetof(tlm_job, request.field)

static tlm_result wrong(tlm_error *error, const member *is, const char *what)
{
    return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "the member \"%s\" is %s", is->name, what);
}

static void *place(const member *is, tlm_job *job)
{
    return (char *)job + is->offset;
}

/* ---- kinds of members ---- */

static tlm_result check_text(const member *is, const json_t *value, tlm_error *error)
{
    size_t length = json_string_length(value);
    if (!json_is_string(value)) {
        return wrong(error, is, "not a text");
    }
    if ((int64_t)length < is->min || (int64_t)length > is->max ||
        strlen(json_string_value(value)) != length) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "the member \"%s\" has %zu bytes, not %lld to %lld", is->name, length,
                             (long long)is->min, (long long)is->max);
    }
    return TLM_OK;
}

static tlm_result take_text(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    tlm_result result = check_text(is, value, error);
    if (result == TLM_OK) {
        const char *text = json_string_value(value);
        memcpy(place(is, job), &text, sizeof text);
    }
    return result;
}

static tlm_result check_number(const member *is, const json_t *value, tlm_error *error)
{
    if (!json_is_integer(value)) {
        return wrong(error, is, "not a whole number");
    }
    if (json_integer_value(value) < is->min || json_integer_value(value) > is->max) {
        return tlm_error_set(
            error, TLM_ERR_ARGUMENT, NULL, "the member \"%s\" is %lld, not %lld to %lld", is->name,
            (long long)json_integer_value(value), (long long)is->min, (long long)is->max);
    }
    return TLM_OK;
}

static tlm_result take_number(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    tlm_result result = check_number(is, value, error);
    if (result == TLM_OK) {
        int64_t number = json_integer_value(value);
        memcpy(place(is, job), &number, sizeof number);
    }
    return result;
}

static tlm_result take_nonce(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    size_t characters = 0;
    tlm_result result = check_text(is, value, error);
    if (result != TLM_OK) {
        return result;
    }
    const char *text = json_string_value(value);
    for (size_t i = 0; text[i] != '\0'; i++) {
        characters += ((unsigned char)text[i] & 0xc0U) != 0x80U ? 1 : 0;
    }
    if (characters > TLM_NONCE_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "the member \"nonce\" has %zu characters, not 1 to %u", characters,
                             TLM_NONCE_MAX);
    }
    job->nonce = text;
    job->proven = true;
    return TLM_OK;
}

static tlm_result take_proof(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    job->proof = json_string_value(value);
    return check_text(is, value, error);
}

static tlm_result take_force(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    if (!json_is_boolean(value)) {
        return wrong(error, is, "neither true nor false");
    }
    if (json_is_true(value) && !job->call->administrator) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "Ask with the token of admin.token, or through the admin socket.",
                             "only an administrator ends somebody's lease");
    }
    job->request.ask.force = json_is_true(value);
    return TLM_OK;
}

static tlm_result take_action(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    const char *text = json_string_value(value);
    bool takes = text != NULL && strcmp(text, "take") == 0;
    job->request.ask.give_back = text != NULL && strcmp(text, "return") == 0;
    return takes || job->request.ask.give_back
               ? TLM_OK
               : wrong(error, is, "neither \"take\" nor \"return\"");
}

/* ---- members of an object ---- */

/* Members that an object may have, by their number in `all`. */
typedef struct shape {
    const member *all;
    unsigned allowed; /* bits */
    unsigned needed;
} shape;

#define MEMBERS_MAX 16U

static tlm_result unknown(const shape *of, const char *name, tlm_error *error)
{
    const char *candidates[MEMBERS_MAX];
    size_t count = 0;
    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        if ((of->allowed & (1U << i)) != 0) {
            candidates[count] = of->all[i].name;
            count++;
        }
    }
    tlm_result result =
        tlm_error_set(error, TLM_ERR_ARGUMENT, count == 0 ? "No member is expected here." : NULL,
                      "there is no member \"%.64s\"", name);
    if (error != NULL && count > 0) {
        tlm_settings_suggest(name, candidates, count, error);
    }
    return result;
}

static tlm_result take_member(const shape *of, const char *name, const json_t *value,
                              unsigned *seen, tlm_job *job, tlm_error *error)
{
    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        if ((of->allowed & (1U << i)) != 0 && strcmp(of->all[i].name, name) == 0) {
            *seen |= 1U << i;
            return of->all[i].take(&of->all[i], value, job, error);
        }
    }
    return unknown(of, name, error);
}

static tlm_result take_object(const shape *of, const json_t *from, tlm_job *job, tlm_error *error)
{
    /* Read only; jansson walks objects through a pointer that is not const. */
    const union {
        const json_t *from;
        json_t *object;
    } both = {.from = from};
    json_t *object = both.object;
    unsigned seen = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(object, name, value)
    {
        tlm_result result = take_member(of, name, value, &seen, job, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    unsigned missing = of->needed & ~seen;
    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        if ((missing & (1U << i)) != 0) {
            return wrong(error, &of->all[i], "missing");
        }
    }
    return TLM_OK;
}

/* ---- borrowing ---- */

static tlm_result take_key(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    (void)is;
    tlm_result result = tlm_service_borrower(value, job->jkt, error);
    job->request.ask.borrow_jkt = job->jkt;
    return result;
}

static tlm_result take_borrow(const member *is, const json_t *value, tlm_job *job, tlm_error *error)
{
    static const member members[MEMBERS_MAX] = {
        {"seconds", take_number, AT(ask.borrow), 1, TLM_LICENSE_NUMBER_MAX},
        {"key", take_key, 0, 0, 0}};
    static const shape borrow = {members, 3U, 3U};
    if (!json_is_object(value)) {
        return wrong(error, is, "not an object of seconds and key");
    }
    tlm_result result = take_object(&borrow, value, job, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "borrow");
    }
    job->proven = true; /* out of contact the statement is all there is of the lease */
    return result;
}

/* ---- the members of all calls ---- */

enum {
    FEATURE = 1U << 0,
    CLIENT = 1U << 1,
    UNITS = 1U << 2,
    TTL = 1U << 3,
    VENDOR = 1U << 4,
    PRODUCT = 1U << 5,
    LICENSE = 1U << 6,
    NONCE = 1U << 7,
    BORROW = 1U << 8,
    REQUEST = 1U << 9,
    ACTION = 1U << 10,
    REASON = 1U << 11,
    FORCE = 1U << 12,
    PROOF = 1U << 13,
    AFTER = 1U << 14,
    LIMIT = 1U << 15
};
#define CHOICE ((unsigned)(VENDOR | PRODUCT | LICENSE))

static const member members[MEMBERS_MAX] = {
    {"feature", take_text, AT(ask.feature), 1, TEXT_MAX},
    {"client", take_text, AT(ask.client), 1, TLM_CLIENT_MAX},
    {"units", take_number, AT(ask.units), 1, TLM_LICENSE_NUMBER_MAX},
    {"ttl", take_number, AT(ask.ttl), 1, TLM_LICENSE_NUMBER_MAX},
    {"vendor", take_text, AT(ask.vendor), 1, TEXT_MAX},
    {"product", take_text, AT(ask.product), 1, TEXT_MAX},
    {"license", take_text, AT(ask.license), 1, TEXT_MAX},
    {"nonce", take_nonce, 0, 1, 4LL * TLM_NONCE_MAX},
    {"borrow", take_borrow, 0, 0, 0},
    {"request", take_text, AT(ask.request), 1, TLM_REQUEST_ID_MAX},
    {"action", take_action, 0, 0, 0},
    {"reason", take_text, AT(ask.reason), 1, REASON_MAX},
    {"force", take_force, 0, 0, 0},
    {"proof", take_proof, 0, 1, PROOF_MAX},
    {"after", take_number, AT(after), 0, TLM_LICENSE_NUMBER_MAX},
    {"limit", take_number, AT(limit), 1, AUDIT_LIMIT}};

/* What each call is for the ledger, what of the path and the body it needs. */
typedef struct form {
    tlm_ledger_op op;
    unsigned allowed;
    unsigned needed;
    bool text; /* a compact text is the body */
    size_t id; /* where the id of the path goes; 0: there is none */
} form;

static const form forms[TLM_CALL_COUNT] = {
    [TLM_CALL_ACQUIRE] = {TLM_LEDGER_ACQUIRE,
                          (unsigned)(FEATURE | CLIENT | UNITS | TTL | NONCE | BORROW) | CHOICE,
                          (unsigned)(FEATURE | CLIENT), false, 0},
    [TLM_CALL_RENEW] = {TLM_LEDGER_RENEW, (unsigned)(TTL | NONCE), 0, false, AT(ask.lease)},
    [TLM_CALL_RELEASE] = {TLM_LEDGER_RELEASE, (unsigned)(FORCE | PROOF), 0, false, AT(ask.lease)},
    [TLM_CALL_LEASE] = {TLM_LEDGER_LEASE, 0, 0, false, AT(ask.lease)},
    [TLM_CALL_LEASES] = {TLM_LEDGER_LEASES, 0, 0, false, 0},
    [TLM_CALL_CHECK] = {TLM_LEDGER_CHECK, (unsigned)(FEATURE | CLIENT | NONCE) | CHOICE, FEATURE,
                        false, 0},
    [TLM_CALL_USE] = {TLM_LEDGER_USE,
                      (unsigned)(FEATURE | CLIENT | UNITS | NONCE | REQUEST | ACTION) | CHOICE,
                      (unsigned)(FEATURE | CLIENT | REQUEST), false, 0},
    [TLM_CALL_ATTEST] = {TLM_LEDGER_STATE, NONCE, NONCE, false, 0},
    [TLM_CALL_KEYS] = {TLM_LEDGER_STATE, 0, 0, false, 0},
    [TLM_CALL_ACTIVATE] = {TLM_LEDGER_ACTIVATE, 0, 0, true, 0},
    [TLM_CALL_LICENSES] = {TLM_LEDGER_LICENSES, 0, 0, false, 0},
    [TLM_CALL_LICENSE] = {TLM_LEDGER_LICENSE, 0, 0, false, AT(ask.license)},
    [TLM_CALL_REMOVE] = {TLM_LEDGER_REMOVE, 0, 0, false, AT(ask.license)},
    [TLM_CALL_REVOKE] = {TLM_LEDGER_REVOKE, 0, 0, true, 0},
    [TLM_CALL_REVOCATIONS] = {TLM_LEDGER_REVOCATIONS, 0, 0, false, 0},
    [TLM_CALL_STATE] = {TLM_LEDGER_STATE, 0, 0, false, 0},
    [TLM_CALL_ACCEPT] = {TLM_LEDGER_ACCEPT, REASON, 0, false, 0},
    [TLM_CALL_AUDIT] = {TLM_LEDGER_AUDIT, (unsigned)(AFTER | LIMIT), 0, false, 0},
};

/* Calls of an administrator; the others are for everybody who reaches this far. */
static bool needs_administrator(tlm_call_op op)
{
    switch (op) {
    case TLM_CALL_LEASES:
    case TLM_CALL_ACTIVATE:
    case TLM_CALL_REMOVE:
    case TLM_CALL_REVOKE:
    case TLM_CALL_ACCEPT:
    case TLM_CALL_AUDIT:
        return true;
    default:
        return false;
    }
}

static tlm_result check_outside(const form *of, const tlm_call *call, tlm_error *error)
{
    if (needs_administrator(call->op) && !call->administrator) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "Ask with the token of admin.token, or through the admin socket.",
                             "this is for administrators");
    }
    if (of->id != 0 && call->id == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "the path has no id");
    }
    if (of->text && (call->text == NULL || call->size == 0)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the body is empty");
    }
    if (call->input != NULL && !json_is_object(call->input)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the body is not a JSON object");
    }
    return TLM_OK;
}

tlm_result tlm_service_input(tlm_job *job, tlm_error *error)
{
    const tlm_call *call = job->call;
    if ((unsigned)call->op >= TLM_CALL_COUNT) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "there is no such call");
    }
    const form *of = &forms[call->op];
    tlm_result result = check_outside(of, call, error);
    if (result != TLM_OK) {
        return result;
    }
    job->request.op = of->op;
    job->request.limit = call->op == TLM_CALL_AUDIT ? AUDIT_LIMIT : 0;
    job->request.ask.local = call->local;
    job->request.ask.peer = call->peer;
    if (of->id != 0) {
        memcpy((char *)job + of->id, &call->id, sizeof call->id);
    }
    const shape body = {members, of->allowed, of->needed};
    return take_object(&body, call->input, job, error);
}
