/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/key.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes must encode to the very same text: there is one spelling of every value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *bytes = NULL;
    size_t bytes_size = 0;
    if (tlm_base64url_decode((const char *)data, size, &bytes, &bytes_size, NULL) != TLM_OK) {
        return 0;
    }
    char *text = tlm_base64url_encode(bytes, bytes_size);
    if (text != NULL && (strlen(text) != size || memcmp(text, data, size) != 0)) {
        abort();
    }
    free(text);
    free(bytes);
    return 0;
}
