/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_QUERY_H
#define TLM_QUERY_H

/*
 * What stands behind the question mark of a call.
 *
 *     tlm_query_values values;
 *     result = tlm_query_read(connection, TLM_QUERY_PAGE, &values, &error);
 */

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include <tlm/result.h>

#include "routes.h"

#define TLM_QUERY_LIMIT_MAX 1000

typedef struct tlm_query_values {
    bool force;
    int64_t after; /* 0 where it is not given */
    int64_t limit; /* TLM_QUERY_LIMIT_MAX where it is not given */
    unsigned given;
} tlm_query_values;

/* One name and value into `values`; the value may be NULL. TLM_ERR_ARGUMENT names what is wrong. */
TLM_CHECKED tlm_result tlm_query_take(tlm_query allowed, const char *name, const char *value,
                                      tlm_query_values *values, tlm_error *error);

/* All of a request. A name that the route does not know, or one that comes twice, is an error. */
TLM_CHECKED tlm_result tlm_query_read(struct MHD_Connection *connection, tlm_query allowed,
                                      tlm_query_values *values, tlm_error *error);

#endif
