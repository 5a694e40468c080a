/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_BEARER_H
#define TLM_BEARER_H

/*
 * The two bearer tokens (RFC 6750): files of the persistence directory, each made once from 256
 * random bits, and never written again.
 *
 *     tlm_bearer *bearer = NULL;
 *     result = tlm_bearer_new(&bearer, &error);
 *     result = tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, directory, true, &error);
 *     if (tlm_bearer_judge(bearer, "Bearer l8x…") == TLM_BEARER_ADMINISTRATOR) { … }
 *     tlm_bearer_free(&bearer);
 */

#include <stdbool.h>

#include <tlm/result.h>

/* Fewest and most bytes of a token that an operator wrote. */
#define TLM_BEARER_MIN 22U
#define TLM_BEARER_MAX 256U

typedef struct tlm_bearer tlm_bearer;

/* Whose token a request carries. */
typedef enum tlm_bearer_holder {
    TLM_BEARER_NONE = 0, /* no token at all */
    TLM_BEARER_WRONG,    /* one that is nobody's */
    TLM_BEARER_CLIENT,
    TLM_BEARER_ADMINISTRATOR
} tlm_bearer_holder;

TLM_CHECKED tlm_result tlm_bearer_new(tlm_bearer **bearer, tlm_error *error);
void tlm_bearer_free(tlm_bearer **bearer);

/* "admin.token" or "client.token". */
const char *tlm_bearer_file(tlm_bearer_holder holder);

/*
 * Reads the holder's token (CLIENT or ADMINISTRATOR) from its file in `directory`; where there is
 * none and `make` says so, makes it, mode 0600. The file must be its owner's alone and belong to
 * root or the effective user. On failure nobody is this holder any more. Safe beside
 * tlm_bearer_judge.
 */
TLM_CHECKED tlm_result tlm_bearer_load(tlm_bearer *bearer, tlm_bearer_holder holder,
                                       const char *directory, bool make, tlm_error *error);

/*
 * Judges the value of an Authorization header; NULL, or another scheme than Bearer, is NONE. In a
 * time that depends on its length alone.
 */
tlm_bearer_holder tlm_bearer_judge(tlm_bearer *bearer, const char *authorization);

#endif
