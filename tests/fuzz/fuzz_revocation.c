/* SPDX-License-Identifier: BSD-2-Clause */
/* Revocation lists, with their signature or with claims that get a good one. */
#include "formats.h"

#include <tlm/revocation.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_revocation *list = NULL;
    tlm_error error = {.result = TLM_OK};
    size_t length = 0;
    char *text = fuzz_text(data, size, TLM_REVOCATION_TYP, &length);
    tlm_result result = tlm_revocation_open(text, length, fuzz_formats_get()->trust, &list, &error);
    fuzz_check(result, &error, list);
    if (result == TLM_OK) {
        fuzz_need(strcmp(list->vendor, "ACME") == 0 && list->serial >= 0);
        fuzz_need(list->count <= TLM_REVOKED_MAX);
        for (size_t i = 0; i < list->count; i++) {
            fuzz_need(strlen(list->revoked[i]) == 36);
        }
    }
    tlm_revocation_free(&list);
    free(text);
    return 0;
}
