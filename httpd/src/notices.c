/* SPDX-License-Identifier: BSD-2-Clause */
#include "notices.h"

#include <string.h>

static tlm_notice *find(tlm_notices *notices, const char *code)
{
    for (size_t i = 0; i < TLM_NOTICES_MAX; i++) {
        tlm_notice *notice = &notices->items[i];
        if (notice->code != NULL && strcmp(notice->code, code) == 0) {
            return notice;
        }
    }
    return NULL;
}

static tlm_notice *find_free(tlm_notices *notices)
{
    for (size_t i = 0; i < TLM_NOTICES_MAX; i++) {
        if (notices->items[i].code == NULL) {
            return &notices->items[i];
        }
    }
    return NULL;
}

bool tlm_notices_raise(tlm_notices *notices, const char *code, const tlm_error *error)
{
    tlm_notice *notice = find(notices, code);
    if (notice != NULL) {
        bool same = strcmp(notice->error.message, error->message) == 0 &&
                    strcmp(notice->error.hint, error->hint) == 0;
        notice->error = *error;
        return !same;
    }
    notice = find_free(notices);
    if (notice == NULL) {
        return false;
    }
    *notice = (tlm_notice){.code = code, .error = *error, .since = time(NULL)};
    return true;
}

bool tlm_notices_clear(tlm_notices *notices, const char *code)
{
    tlm_notice *notice = find(notices, code);
    if (notice == NULL) {
        return false;
    }
    *notice = (tlm_notice){.code = NULL};
    return true;
}
