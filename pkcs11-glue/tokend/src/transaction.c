/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <tlm/log.h>

#include "guard.h"

/*
 * The back end's troubles with its session, its login or its library are not those of the client,
 * whose own session and login are as they were.
 */
static bool is_ours(CK_RV rv)
{
    switch (rv) {
    case CKR_GENERAL_ERROR:
    case CKR_OPERATION_ACTIVE:
    case CKR_OPERATION_NOT_INITIALIZED:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_COUNT:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SLOT_ID_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_USER_ALREADY_LOGGED_IN:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_CRYPTOKI_ALREADY_INITIALIZED:
    case CKR_BUFFER_TOO_SMALL:
    case CKR_DEVICE_REMOVED:
    case CKR_PIN_INCORRECT:
    case CKR_PIN_LOCKED:
    case CKR_OK:
        return true;
    default:
        return false;
    }
}

CK_RV tlm_provider_rv(const tlm_error *error)
{
    switch (error->result) {
    case TLM_ERR_MEMORY:
        return CKR_HOST_MEMORY;
    case TLM_ERR_TOKEN_UNAVAILABLE:
    case TLM_ERR_PIN:
    case TLM_ERR_LOCKED:
        return CKR_DEVICE_ERROR;
    default:
        break;
    }
    if (error->domain == TLM_DOMAIN_PKCS11 && !is_ours((CK_RV)error->native)) {
        return (CK_RV)error->native;
    }
    return CKR_DEVICE_ERROR;
}

static void log_failure(const tlm_client *client, const tlm_error *error, CK_RV rv)
{
    static tlm_log_limit limit = {.burst = 5, .seconds = 60};
    unsigned suppressed = 0;
    if (rv == CKR_DEVICE_ERROR && tlm_log_allow(&limit, &suppressed)) {
        tlm_log_error(error, "call_failed", "uid=%lu pid=%ld suppressed=%u",
                      (unsigned long)client->peer.uid, (long)client->peer.pid, suppressed);
    }
}

/* In the gate. */
static void count(tlm_provider *provider, tlm_token *token)
{
    unsigned recoveries = tlm_token_recoveries(token);
    if (recoveries != provider->recoveries) {
        provider->recoveries = recoveries;
        atomic_store(&provider->operations, 0UL);
        return;
    }
    atomic_fetch_add(&provider->operations, 1UL);
}

static bool enter(tlm_provider *provider)
{
    if (!tlm_gate_enter(&provider->gate, provider->wait_ms)) {
        return false;
    }
    atomic_store(&provider->busy_since, (long long)tlm_clock_now());
    tlm_guard_pause();
    return true;
}

static void leave(tlm_provider *provider, tlm_token *token)
{
    tlm_guard_resume();
    count(provider, token);
    atomic_store(&provider->busy_since, 0LL);
    tlm_gate_leave(&provider->gate);
}

static tlm_result no_turn(const tlm_provider *provider, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_TIMEOUT,
                         "The TPM or token does not answer; run: tlm-token-init doctor",
                         "the calls of other clients have not returned in %lld s",
                         (long long)(provider->wait_ms / 1000));
}

typedef struct transaction {
    tlm_provider *provider;
    tlm_token_operation operation;
    void *context;
} transaction;

/* In the gate. */
static tlm_result run_transaction(tlm_token *token, void *context, tlm_error *error)
{
    const transaction *at = context;
    tlm_result result = at->operation(token, at->context, error);
    tlm_own_unmake(at->provider, token);
    return result;
}

CK_RV tlm_provider_run(tlm_client *client, tlm_token_operation operation, void *context)
{
    tlm_provider *provider = client->provider;
    tlm_token *token = atomic_load(&provider->token);
    tlm_error error = {0};
    tlm_result result = TLM_OK;
    if (token == NULL) {
        return CKR_TOKEN_NOT_PRESENT;
    }
    if (enter(provider)) {
        transaction at = {.provider = provider, .operation = operation, .context = context};
        result = tlm_token_run(token, run_transaction, &at, &error);
        leave(provider, token);
    } else {
        result = no_turn(provider, &error);
    }
    if (result == TLM_OK) {
        return CKR_OK;
    }
    CK_RV rv = tlm_provider_rv(&error);
    log_failure(client, &error, rv);
    return rv;
}

static tlm_result between(tlm_provider *provider, tlm_result (*work)(tlm_token *, tlm_error *),
                          tlm_error *error)
{
    tlm_token *token = atomic_load(&provider->token);
    if (token == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "there is no token yet");
    }
    if (!enter(provider)) {
        return no_turn(provider, error);
    }
    tlm_result result = work(token, error);
    leave(provider, token);
    return result;
}

tlm_result tlm_provider_restart_token(tlm_provider *provider, tlm_error *error)
{
    return between(provider, tlm_token_restart, error);
}

tlm_result tlm_provider_rest_token(tlm_provider *provider, tlm_error *error)
{
    return between(provider, tlm_token_rest, error);
}

int64_t tlm_provider_busy_ms(const tlm_provider *provider)
{
    long long since = atomic_load(&provider->busy_since);
    return since == 0 ? 0 : tlm_clock_now() - (int64_t)since;
}

unsigned long tlm_provider_operations(const tlm_provider *provider)
{
    return atomic_load(&provider->operations);
}
