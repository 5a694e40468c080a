/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENGINE_LINK_H
#define TLM_ENGINE_LINK_H

/*
 * HTTP requests to a container engine, each with a bound on time and size, that another thread can
 * break off. No redirect is followed and no proxy used, whatever the environment says.
 *
 *     tlm_engine_reply reply;
 *     result = tlm_engine_link_send(link, "GET", "/version", 5000, &reply, &error);
 *     if (result == TLM_OK && reply.status == 200) {
 *         parse(reply.text, reply.size);
 *     }
 *     tlm_engine_reply_clear(&reply);
 */

#include <stddef.h>

#include <tlm/result.h>

#include "engine_address.h"

typedef struct tlm_engine_link tlm_engine_link;

typedef struct tlm_engine_reply {
    long status;
    char *text; /* ends with a zero byte; never NULL after TLM_OK */
    size_t size;
} tlm_engine_reply;

/* `cert_path`: directory of ca.pem, cert.pem and key.pem, or NULL for the system's authorities. */
TLM_CHECKED tlm_result tlm_engine_link_new(const tlm_engine_address *address, const char *cert_path,
                                           tlm_engine_link **link, tlm_error *error);

/*
 * One request on a connection of its own. TLM_OK for any status. Otherwise TLM_ERR_NOT_FOUND where
 * the socket is not there, TLM_ERR_PERMISSION where it refuses us (with the numbers),
 * TLM_ERR_TIMEOUT, TLM_ERR_TOO_LARGE beyond TLM_ENGINE_ANSWER_MAX, TLM_ERR_UNTRUSTED for a
 * certificate, TLM_ERR_IO. The reply is to be cleared in any case.
 */
TLM_CHECKED tlm_result tlm_engine_link_send(tlm_engine_link *link, const char *method,
                                            const char *path, unsigned timeout_ms,
                                            tlm_engine_reply *reply, tlm_error *error);
void tlm_engine_reply_clear(tlm_engine_reply *reply);

/* From another thread: breaks off the request that is under way, and each later one. */
void tlm_engine_link_interrupt(tlm_engine_link *link);

/* Accepts a pointer to NULL. */
void tlm_engine_link_free(tlm_engine_link **link);

#endif
