/* SPDX-License-Identifier: BSD-2-Clause */
/* The access table's parser over any bytes: a table that can be asked, or a reason. */
#include <stdint.h>
#include <stdlib.h>

#include "access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tlm_peer nobody = {.uid = 4294967295U, .gid = 4294967295U};
    static const tlm_peer root = {.uid = 0, .gid = 0};
    tlm_access *access = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_access_parse((const char *)data, size, "/fuzz.json", &access, &error);
    if (result != TLM_OK) {
        if (access != NULL || error.result != result || error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    /* No table is about the number that stands for nobody. */
    if (tlm_access_knows(access, &nobody) ||
        tlm_access_allows(access, &nobody, "tlm-srk", TLM_USE_SEE)) {
        abort();
    }
    /* What may be used may be seen. */
    if (tlm_access_allows(access, &root, "tlm-srk", TLM_USE_SIGN) &&
        !tlm_access_allows(access, &root, "tlm-srk", TLM_USE_SEE)) {
        abort();
    }
    tlm_access_free(&access);
    return 0;
}
