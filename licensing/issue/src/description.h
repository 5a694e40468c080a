/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_DESCRIPTION_H
#define TLM_ISSUE_DESCRIPTION_H

/*
 * From a license's description, as a person writes it, to the claims of its container.
 *
 *     result = tlm_description_read("license.yaml", &description, &error);
 *     result = tlm_description_claims(description, host, now, &claims, &error);
 *     result = tlm_jws_make(&header, claims, …);
 *     json_decref(claims);
 *     tlm_description_free(&description);
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/result.h>

#include "document.h"
#include "host_file.h"

typedef struct tlm_description {
    tlm_document *document;
} tlm_description;

/* Reads and checks against the schema: TLM_ERR_FORMAT names path, line, column and member. */
TLM_CHECKED tlm_result tlm_description_read(const char *path, tlm_description **description,
                                            tlm_error *error);
TLM_CHECKED tlm_result tlm_description_parse(const char *text, size_t size, const char *path,
                                             tlm_description **description, tlm_error *error);
void tlm_description_free(tlm_description **description);

/* Whether it has an id, so that it describes one license and not one of many. */
bool tlm_description_has_id(const tlm_description *description);

/*
 * The claims, with a new `jti` where the description has no id and `now` as `iat` where it has no
 * issued. `host` (may be NULL) fills in what the binding leaves out, and contradicting it is an
 * error. New reference.
 */
TLM_CHECKED tlm_result tlm_description_claims(const tlm_description *description,
                                              const tlm_host_file *host, int64_t now,
                                              json_t **claims, tlm_error *error);

#endif
