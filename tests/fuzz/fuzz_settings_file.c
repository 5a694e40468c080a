/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file's parser over any bytes: it accepts or refuses, and says where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/src/settings_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_settings settings = {0};
    tlm_error error = {0};
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    tlm_result result = tlm_settings_parse(text, size, "/fuzz.json", &settings, &error);
    /* A refusal without a reason would leave the user alone. */
    if (result != TLM_OK && (error.result != result || error.message[0] == '\0')) {
        abort();
    }
    tlm_settings_clear(&settings);
    free(text);
    return 0;
}
