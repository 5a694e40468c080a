/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_REPLY_PRIVATE_H
#define TLM_CLIENT_REPLY_PRIVATE_H

/* What an answer of the daemon says: JSON objects, problem documents (RFC 9457), grants. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tlm-client.h>

typedef struct tlm_reply {
    long status;
    const char *text; /* NULL: empty */
    size_t size;
    unsigned retry_after;
    bool lease; /* of a lease: 404 not-found is TLM_CLIENT_GONE */
} tlm_reply;

/* The object of a 2xx answer, new; else the problem as an error. Nothing in here is believed: texts
 * are cut, and control characters of messages replaced. */
TLM_CLIENT_CHECKED tlm_client_result tlm_reply_read(const tlm_reply *reply, json_t **body,
                                                    tlm_client_error *error);

/* Members of a lease, a check or a use. TLM_CLIENT_FAILED names a member that is not as documented.
 * `grant` is overwritten; it is to be cleared in every case. */
TLM_CLIENT_CHECKED tlm_client_result tlm_reply_grant(const json_t *body, tlm_client_grant *grant,
                                                     tlm_client_error *error);

/* Seconds since 1970 of an RFC 3339 time in UTC; false where it is none. */
bool tlm_reply_instant(const char *text, long long *seconds);

/* A JSON object from anywhere, without repeated members, its nesting bounded; NULL otherwise. */
json_t *tlm_reply_object(const char *text, size_t size);

#endif
