/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROBLEM_H
#define TLM_PROBLEM_H

/*
 * Problem documents (RFC 9457) with a stable `code` and a `hint`.
 *
 *     tlm_problem problem = {.status = 404, .code = "not-found", .detail = "no route '/helth'",
 *                            .hint = "the nearest route is /health", .instance = url};
 *     char *text = tlm_problem_text(&problem);
 */

#include <jansson.h>

typedef struct tlm_problem {
    unsigned status;      /* HTTP status; gives the title (RFC 9457 section 4.2.1) */
    const char *code;     /* stable, for machines */
    const char *detail;   /* what happened, to what */
    const char *hint;     /* what the client or operator does next; may be NULL */
    const char *instance; /* path of the request; may be NULL */
    json_t *members;      /* further members (RFC 9457 section 3.2); may be NULL */
} tlm_problem;

/* One line of JSON, in which a `code` among the further members stands for the problem's own; the
 * caller frees it. NULL where memory is out. */
char *tlm_problem_text(const tlm_problem *problem);

#endif
