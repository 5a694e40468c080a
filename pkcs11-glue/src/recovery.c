/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

bool tlm_error_is_recoverable(const tlm_error *error)
{
    if (error->domain != TLM_DOMAIN_PKCS11) {
        return false;
    }
    switch ((CK_RV)error->native) {
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_MEMORY:
    case CKR_DEVICE_REMOVED:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_OPERATION_ACTIVE:
    case CKR_SESSION_CLOSED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
        return true;
    default:
        return false;
    }
}

/* Whether a failure says something about the PIN or its lockout, and not about the way there. */
static bool is_about_pin(tlm_result result)
{
    return result == TLM_ERR_PIN || result == TLM_ERR_LOCKED;
}

static tlm_result away(tlm_token *token, tlm_error *error)
{
    int64_t left = tlm_backoff_left(&token->backoff, token->clock());
    *error = token->down;
    if (!is_about_pin(error->result)) {
        error->result = TLM_ERR_TOKEN_UNAVAILABLE;
        tlm_error_prefix(error, "the token is unavailable");
        tlm_error_set_hint(error,
                           "It is tried again in %lld ms; to find the cause: tlm-token-init doctor",
                           (long long)left);
    }
    return error->result;
}

/* Keeps the cause and sets the time of the next attempt. */
static tlm_result go_down(tlm_token *token, const tlm_error *cause, tlm_error *error)
{
    int64_t now = token->clock();
    token->down = *cause;
    token->restart_next = true;
    tlm_session_close(token);
    (void)tlm_backoff_fail(&token->backoff, now);
    if (is_about_pin(cause->result)) {
        tlm_backoff_hold(&token->backoff, now, TLM_BACKOFF_LOCKED_MS);
    }
    atomic_store(&token->available, false);
    return away(token, error);
}

/* First rung. *login_spent says that a login was tried, and so that no other may be. */
static tlm_result cycle_session(tlm_token *token, bool *login_spent, tlm_error *error)
{
    tlm_session_close(token);
    tlm_result result = tlm_session_open(token, error);
    if (result == TLM_OK) {
        result = tlm_session_read_info(token, error);
    }
    if (result == TLM_OK) {
        *login_spent = true;
        result = tlm_session_login(token, error);
    }
    return result;
}

/* Second rung: where another token of the module restarted it already, its restart is ours too. */
static tlm_result restart_module(tlm_token *token, tlm_error *error)
{
    tlm_session_close(token);
    tlm_result result = TLM_OK;
    if (token->epoch == token->module->epoch || !token->module->initialized) {
        result = tlm_module_restart(token->module, error);
    }
    token->epoch = token->module->epoch;
    atomic_fetch_add(&token->recoveries, 1U);
    if (result == TLM_OK) {
        result = tlm_session_find_slot(token, error);
    }
    if (result == TLM_OK) {
        result = tlm_session_open(token, error);
    }
    if (result == TLM_OK) {
        result = tlm_session_login(token, error);
    }
    return result;
}

static void note_up(tlm_token *token)
{
    tlm_backoff_reset(&token->backoff);
    token->restart_next = false;
    token->mechanism_count = 0;
    atomic_store(&token->available, true);
}

tlm_result tlm_token_recover(tlm_token *token, tlm_error *error)
{
    tlm_result result = TLM_ERR_TOKEN;
    bool login_spent = false;
    if (!token->restart_next && token->epoch == token->module->epoch) {
        result = cycle_session(token, &login_spent, error);
    }
    if (result != TLM_OK && !login_spent) {
        result = restart_module(token, error);
    }
    if (result != TLM_OK) {
        tlm_error cause = *error;
        return go_down(token, &cause, error);
    }
    note_up(token);
    return TLM_OK;
}

tlm_result tlm_token_ready(tlm_token *token, bool *recovered, tlm_error *error)
{
    *recovered = false;
    if (token->pin_refused) {
        *error = token->down;
        return error->result;
    }
    if (tlm_backoff_left(&token->backoff, token->clock()) > 0) {
        return away(token, error);
    }
    bool current = token->epoch == token->module->epoch;
    if (current && token->state == TLM_SESSION_READY) {
        return TLM_OK;
    }
    if (current && token->state == TLM_SESSION_ACTIVE &&
        tlm_session_exchange(token, error) == TLM_OK) {
        return TLM_OK;
    }
    /* A spent login is no incident: the operation still has its own recovery. */
    *recovered = !current || token->state != TLM_SESSION_SPENT;
    return tlm_token_recover(token, error);
}

/*
 * The operation failed again on a session that was just made. Where the token still answers, the
 * failure is the operation's own; the next incident then starts with the module's restart.
 */
static tlm_result judge(tlm_token *token, tlm_error *error)
{
    tlm_error silence = {0};
    if (tlm_session_ping(token, &silence) != TLM_OK) {
        return go_down(token, &silence, error);
    }
    token->state = TLM_SESSION_ACTIVE;
    token->restart_next = true;
    return error->result;
}

static tlm_result run(tlm_token *token, tlm_token_operation operation, void *context,
                      tlm_error *error)
{
    bool recovered = false;
    tlm_result result = tlm_token_ready(token, &recovered, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_module_doing("an operation on the token");
    result = operation(token, context, error);
    if (result != TLM_OK && tlm_error_is_recoverable(error) && !recovered) {
        result = tlm_token_recover(token, error);
        if (result != TLM_OK) {
            return result;
        }
        tlm_module_doing("an operation on the token");
        result = operation(token, context, error);
    }
    if (result != TLM_OK && tlm_error_is_recoverable(error)) {
        return judge(token, error);
    }
    return result;
}

tlm_result tlm_token_run(tlm_token *token, tlm_token_operation operation, void *context,
                         tlm_error *error)
{
    tlm_error local;
    local.domain = TLM_DOMAIN_NONE;
    local.hint[0] = '\0';
    tlm_result result = tlm_module_enter(token->generation, &local);
    if (result == TLM_OK) {
        result = run(token, operation, context, &local);
        tlm_module_leave();
    }
    if (result != TLM_OK && error != NULL) {
        *error = local;
    }
    return result;
}

/* Under the lock. Where the token is away already, a restart waits for its turn like any call. */
static tlm_result restart(tlm_token *token, tlm_error *error)
{
    if (token->pin_refused) {
        *error = token->down;
        return error->result;
    }
    if (tlm_backoff_left(&token->backoff, token->clock()) > 0) {
        return away(token, error);
    }
    token->restart_next = true;
    return tlm_token_recover(token, error);
}

void tlm_token_note_use(tlm_token *token, unsigned long *warm, CK_RV rv)
{
    if (rv == CKR_OK) {
        *warm = token->login;
        token->keyed = token->login;
    } else if (*warm != 0 && *warm >= token->since &&
               (rv == CKR_GENERAL_ERROR || rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_FAILED)) {
        token->restart_next = true;
    }
}

/* Under the lock. What is away or broken is the ladder's to bring back, and not this one's. */
static tlm_result rest(tlm_token *token, tlm_error *error)
{
    bool keyed = token->state != TLM_SESSION_NONE && token->keyed == token->login;
    unsigned long since = token->since;
    if (!keyed || token->epoch != token->module->epoch || token->restart_next) {
        return TLM_OK;
    }
    unsigned recoveries = atomic_load(&token->recoveries);
    tlm_result result = tlm_token_recover(token, error);
    if (result == TLM_OK && atomic_load(&token->recoveries) == recoveries) {
        token->since = since;
    }
    return result;
}

static tlm_result run_apart(tlm_token *token, tlm_result (*work)(tlm_token *, tlm_error *),
                            tlm_error *error)
{
    tlm_error local = {0};
    tlm_result result = tlm_module_enter(token->generation, &local);
    if (result == TLM_OK) {
        result = work(token, &local);
        tlm_module_leave();
    }
    if (result != TLM_OK && error != NULL) {
        *error = local;
    }
    return result;
}

tlm_result tlm_token_restart(tlm_token *token, tlm_error *error)
{
    return run_apart(token, restart, error);
}

tlm_result tlm_token_rest(tlm_token *token, tlm_error *error)
{
    return run_apart(token, rest, error);
}
