/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exchange_private.h"
#include "reply_private.h"
#include "target_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses what kind of answer it is; a URL is the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 201, 400, 404, 409, 503};
    json_t *body = NULL;
    tlm_client_error error;
    tlm_client_grant grant;
    tlm_target target;
    char path[TLM_EXCHANGE_PATH_SIZE];
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    const tlm_reply reply = {.status = statuses[data[0] % (sizeof statuses / sizeof statuses[0])],
                             .text = text,
                             .size = size - 1,
                             .lease = (data[0] & 0x80U) != 0};
    if (tlm_reply_read(&reply, &body, &error) == TLM_CLIENT_OK) {
        if (tlm_reply_grant(body, &grant, &error) == TLM_CLIENT_OK) {
            (void)tlm_exchange_path(grant.lease, path);
        }
        tlm_client_grant_clear(&grant);
        json_decref(body);
    }
    if (tlm_target_parse(text, &target, &error) == TLM_CLIENT_OK && strlen(target.base) < 8) {
        abort();
    }
    free(text);
    return 0;
}
