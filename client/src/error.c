/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tlm_client_result tlm_trouble(tlm_client_error *error, tlm_client_result result, const char *code,
                              const char *hint, const char *format, ...)
{
    if (error == NULL) {
        return result;
    }
    memset(error, 0, sizeof *error);
    error->result = result;
    (void)snprintf(error->code, sizeof error->code, "%s", code);
    (void)snprintf(error->hint, sizeof error->hint, "%s", hint != NULL ? hint : "");
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return result;
}

tlm_client_result tlm_trouble_memory(tlm_client_error *error)
{
    return tlm_trouble(error, TLM_CLIENT_FAILED, tlm_result_code(TLM_ERR_MEMORY), NULL,
                       "out of memory");
}

/* What codes of the daemon and results of the libraries below mean to an application. */
static const struct {
    const char *code;
    tlm_client_result result;
} classes[] = {
    {"seats-exhausted", TLM_CLIENT_SEATS},
    {"unlicensed", TLM_CLIENT_REFUSED},
    {"expired", TLM_CLIENT_REFUSED},
    {"not-yet-valid", TLM_CLIENT_REFUSED},
    {"revoked", TLM_CLIENT_REFUSED},
    {"exhausted", TLM_CLIENT_REFUSED},
    {"not-local", TLM_CLIENT_REFUSED},
    {"rollback", TLM_CLIENT_REFUSED},
    {"foreign", TLM_CLIENT_REFUSED},
    {"unauthorized", TLM_CLIENT_DENIED},
    {"permission", TLM_CLIENT_DENIED},
    {"too-many-requests", TLM_CLIENT_AWAY},
    {"busy", TLM_CLIENT_AWAY},
    {"argument", TLM_CLIENT_ARGUMENT},
    {"format", TLM_CLIENT_ARGUMENT},
    {"setting", TLM_CLIENT_ARGUMENT},
    {"signature", TLM_CLIENT_UNPROVEN},
    {"untrusted", TLM_CLIENT_UNPROVEN},
};

tlm_client_result tlm_trouble_class(const char *code, long status)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strcmp(classes[i].code, code) == 0) {
            return classes[i].result;
        }
    }
    if (status == 401 || status == 403) {
        return TLM_CLIENT_DENIED;
    }
    return status == 408 || status == 429 || status >= 500 ? TLM_CLIENT_AWAY : TLM_CLIENT_FAILED;
}

tlm_client_result tlm_trouble_of(tlm_client_error *error, const tlm_error *from)
{
    const char *code = tlm_result_code(from->result);
    tlm_client_result result = tlm_trouble_class(code, 0);
    if (from->result == TLM_ERR_PERMISSION) {
        result = TLM_CLIENT_FAILED; /* of a file here, not the daemon's word */
    }
    return tlm_trouble(error, result, code, from->hint, "%s", from->message);
}

const char *tlm_client_result_text(tlm_client_result result)
{
    switch (result) {
    case TLM_CLIENT_OK:
        return "success";
    case TLM_CLIENT_FAILED:
        return "it failed";
    case TLM_CLIENT_ARGUMENT:
        return "an argument, option or file is not what it should be";
    case TLM_CLIENT_REFUSED:
        return "the licenses do not allow it";
    case TLM_CLIENT_SEATS:
        return "every seat is taken";
    case TLM_CLIENT_AWAY:
        return "the daemon cannot be reached or is not ready";
    case TLM_CLIENT_DENIED:
        return "the daemon wants a token or certificate, or another one";
    case TLM_CLIENT_UNPROVEN:
        return "an answer is not proven by the host's key, or that key is not known";
    case TLM_CLIENT_GONE:
        return "there is no such lease any more";
    case TLM_CLIENT_FORKED:
        return "the client is another process's";
    }
    return "unknown result";
}

const char *tlm_client_level_text(tlm_client_level level)
{
    switch (level) {
    case TLM_CLIENT_FINE:
        return "fine";
    case TLM_CLIENT_WARN:
        return "warn";
    case TLM_CLIENT_DEGRADED:
        return "degraded";
    case TLM_CLIENT_STOP:
        return "stop";
    }
    return "unknown level";
}
