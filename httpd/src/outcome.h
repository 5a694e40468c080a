/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_OUTCOME_H
#define TLM_OUTCOME_H

/*
 * What a call came to, as HTTP says it.
 *
 *     tlm_reply_head head = {.end = TLM_REPLY_KEEP};
 *     char *text = tlm_outcome_text(&call, media, url, &head);      // fills head.status
 */

#include <tlm/licensing.h>

#include "reply.h"
#include "routes.h"

/* The HTTP status of a result; `media`: of what came with the request. */
unsigned tlm_outcome_status(tlm_result result, tlm_media media);

/*
 * The answer of a call that is done, or its problem document; the caller frees it. NULL where
 * memory is out. Fills in the head's status and retry_after.
 */
char *tlm_outcome_text(const tlm_call *call, tlm_media media, const char *url,
                       tlm_reply_head *head);

/* The problem document of an error alone. */
char *tlm_outcome_problem(const tlm_error *error, const char *url, tlm_reply_head *head);

#endif
