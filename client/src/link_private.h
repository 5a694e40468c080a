/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_LINK_PRIVATE_H
#define TLM_CLIENT_LINK_PRIVATE_H

/* Requests to the daemon over libcurl: one call, one answer that is JSON or a problem document. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tlm-client.h>

typedef struct tlm_link_request {
    const char *method;  /* "GET", "POST" … */
    const char *path;    /* "/api/v1/leases" */
    const json_t *body;  /* JSON, or NULL */
    const char *text;    /* instead of it: a compact JOSE text */
    size_t size;         /* of the text */
    unsigned tries;      /* 0 is 1; more only for what may be sent twice */
    long timeout;        /* milliseconds; 0: the client's option */
    bool last;           /* goes on although the client is stopping */
    const char *address; /* of the lease in `path`: 404 is TLM_CLIENT_GONE then */
} tlm_link_request;

typedef struct tlm_link_answer {
    json_t *body; /* object, new */
    long status;
} tlm_link_answer;

/*
 * TLM_CLIENT_OK: a status of 2xx and a JSON object of at most TLM_CLIENT_ANSWER_MAX bytes, the
 * caller's to json_decref. What the daemon refuses is its problem document in `error`; what is
 * neither is TLM_CLIENT_AWAY (nothing came, or 5xx) or TLM_CLIENT_FAILED. Redirects are not
 * followed, and proxies of the environment not used. Members of `answer` are set in every case.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_link_call(tlm_client *client,
                                                   const tlm_link_request *request,
                                                   tlm_link_answer *answer,
                                                   tlm_client_error *error);

/* Initializes libcurl, once. */
void tlm_link_start(void);

/* Closes the connections that are kept. */
void tlm_link_close(tlm_client *client);

#endif
