/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <string.h>

/* Printable text: what a log, an audit line and a queue can hold. */
static bool plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            return false;
        }
    }
    return true;
}

static tlm_result check_text(const char *text, const char *what, size_t max, tlm_error *error)
{
    size_t length = text != NULL ? strnlen(text, max + 1) : 0;
    if (length == 0 || length > max || !plain(text)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "%s has to be 1 to %zu bytes without control characters", what, max);
    }
    json_t *utf8 = json_string(text);
    if (utf8 == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "%s is not UTF-8", what);
    }
    json_decref(utf8);
    return TLM_OK;
}

tlm_result tlm_ask_feature(const tlm_ledger_ask *ask, tlm_error *error)
{
    return check_text(ask->feature, "feature", TLM_LICENSE_TEXT_MAX, error);
}

tlm_result tlm_ask_client(const char *client, tlm_error *error)
{
    return check_text(client, "client", TLM_CLIENT_MAX, error);
}

tlm_result tlm_ask_id(const char *id, const char *what, tlm_error *error)
{
    return check_text(id, what, TLM_REQUEST_ID_MAX, error);
}

tlm_result tlm_ask_units(int64_t units, int64_t *wanted, tlm_error *error)
{
    if (units < 0 || units > TLM_LICENSE_NUMBER_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "units has to be 1 to %lld",
                             TLM_LICENSE_NUMBER_MAX);
    }
    *wanted = units != 0 ? units : 1;
    return TLM_OK;
}
