/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptions of licenses over any bytes: what is taken becomes claims that a host's parser takes,
 * what is refused has a message. */
#include <stdint.h>
#include <stdlib.h>

#include <tlm/license.h>

#include "description.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const tlm_description *description)
{
    json_t *claims = NULL;
    tlm_license *license = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_description_claims(description, NULL, 1769860800, &claims, &error);
    if (result != TLM_OK) {
        if (claims != NULL || error.result != result || error.message[0] == '\0') {
            abort();
        }
        return;
    }
    if (tlm_license_parse(claims, &license, NULL) != TLM_OK || license->feature_count == 0) {
        abort();
    }
    tlm_license_free(&license);
    json_decref(claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_description *description = NULL;
    tlm_error error = {0};
    tlm_result result =
        tlm_description_parse((const char *)data, size, "file", &description, &error);
    if (result != TLM_OK) {
        if (description != NULL || error.result != result || error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    check(description);
    tlm_description_free(&description);
    return 0;
}
