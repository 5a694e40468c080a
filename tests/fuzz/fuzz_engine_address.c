/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine_address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* DOCKER_HOST, which whoever starts the program sets. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];
    tlm_engine_address address;
    if (size == 0 || size >= sizeof text) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (tlm_engine_address_parse(text, data[0] == 't', &address, NULL) != TLM_OK ||
        address.nobody) {
        return 0;
    }
    /* A URL of one host and one port, whatever was in the text. */
    const char *host = strstr(address.base, "://");
    if (host == NULL || strncmp(address.base, "http", 4) != 0 ||
        strpbrk(host + 3, "/?#@ \\\r\n") != NULL ||
        (address.tls && strncmp(address.base, "https", 5) != 0)) {
        abort();
    }
    return 0;
}
