/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_LINK_SETUP_PRIVATE_H
#define TLM_CLIENT_LINK_SETUP_PRIVATE_H

/* What one request needs of libcurl, and where its answer goes. */

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "link_private.h"

typedef struct tlm_link_setup {
    tlm_client *client;
    bool last;
    struct curl_slist *headers;
    char *body;
    char *data; /* of the answer, zero-terminated */
    size_t size;
    size_t room;
    unsigned retry_after;
    char words[CURL_ERROR_SIZE];
} tlm_link_setup;

/* Sets every option. `setup` begins with `client` and `last` and is to be released in every case.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_link_prepare(tlm_link_setup *setup, CURL *handle,
                                                      const tlm_link_request *request,
                                                      tlm_client_error *error);
void tlm_link_release(tlm_link_setup *setup);

#endif
