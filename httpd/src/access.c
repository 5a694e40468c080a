/* SPDX-License-Identifier: BSD-2-Clause */
#include "access.h"

#include <string.h>

#define ADMINISTRATOR_HINT                                                                         \
    "send Authorization: Bearer with the token in admin.token of the persistence directory, or "   \
    "ask through the administrators' unix socket"

tlm_access_mode tlm_access_mode_from_word(const char *word)
{
    if (strcmp(word, "token") == 0) {
        return TLM_ACCESS_TOKEN;
    }
    return strcmp(word, "certificate") == 0 ? TLM_ACCESS_CERTIFICATE : TLM_ACCESS_OPEN;
}

static tlm_result judge_administrator(const tlm_access_facts *facts, tlm_error *error)
{
    if (facts->holder == TLM_BEARER_NONE) {
        return tlm_error_set(error, TLM_ERR_UNAUTHORIZED, ADMINISTRATOR_HINT,
                             "only administrators may do this");
    }
    return tlm_error_set(error, TLM_ERR_PERMISSION, ADMINISTRATOR_HINT,
                         "only administrators may do this, and the token is an application's");
}

static tlm_result judge_application(const tlm_access_facts *facts, tlm_error *error)
{
    switch (facts->mode) {
    case TLM_ACCESS_OPEN:
        return TLM_OK;
    case TLM_ACCESS_TOKEN:
        if (facts->holder == TLM_BEARER_CLIENT) {
            return TLM_OK;
        }
        return tlm_error_set(error, TLM_ERR_UNAUTHORIZED,
                             "send Authorization: Bearer with the token in client.token of the "
                             "persistence directory",
                             "only applications with a token may do this");
    case TLM_ACCESS_CERTIFICATE:
        if (facts->certificate) {
            return TLM_OK;
        }
        return tlm_error_set(
            error, facts->holder == TLM_BEARER_NONE ? TLM_ERR_UNAUTHORIZED : TLM_ERR_PERMISSION,
            "connect with a certificate of REST.Tls.ClientCa",
            "only applications with a client certificate may do this");
    }
    return tlm_error_set(error, TLM_ERR_PERMISSION, NULL, "nobody may do this");
}

tlm_result tlm_access_judge(const tlm_access_facts *facts, bool *administrator, tlm_error *error)
{
    const tlm_caller *caller = facts->caller;
    *administrator = false;
    if (caller->unix_socket && !caller->trusted) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "ask as root, as the service's user, or as one of its group",
                             "%s may not use the administrators' socket", caller->name);
    }
    if (facts->holder == TLM_BEARER_WRONG) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "take the token from admin.token or client.token of the persistence "
                             "directory",
                             "the bearer token of the request is nobody's");
    }
    *administrator = caller->trusted || facts->holder == TLM_BEARER_ADMINISTRATOR;
    if (*administrator || facts->who == TLM_WHO_ANYBODY) {
        return TLM_OK;
    }
    if (facts->who == TLM_WHO_ADMINISTRATORS || facts->force) {
        return judge_administrator(facts, error);
    }
    return judge_application(facts, error);
}
