/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_REVOCATION_H
#define TLM_REVOCATION_H

/*
 * Revocation lists: licenses that their vendor took back. A compact JWS of the vendor with a
 * `serial` that never goes down.
 *
 *     tlm_revocation *list = NULL;
 *     result = tlm_revocation_open(text, size, trust, &list, &error);
 *     if (result == TLM_OK && list->serial < known_serial) { … TLM_ERR_REPLAYED … }
 *     tlm_revocation_free(&list);
 */

#include <stddef.h>
#include <stdint.h>

#include <tlm/result.h>
#include <tlm/trust.h>

#define TLM_REVOCATION_TYP "tlm-revocation+jwt"
#define TLM_REVOCATION_MAX 8388608U /* bytes */
#define TLM_REVOKED_MAX 100000U     /* licenses of one list */

typedef struct tlm_revocation {
    char *vendor; /* iss */
    char *kid;
    int64_t issued; /* iat */
    int64_t serial; /* 0 or more */
    char **revoked; /* jti of each, lower case UUIDs */
    size_t count;
} tlm_revocation;

/* Verifies with the vendor key that the kid names, and checks the claims. */
TLM_CHECKED tlm_result tlm_revocation_open(const char *text, size_t size, const tlm_trust *trust,
                                           tlm_revocation **list, tlm_error *error);
void tlm_revocation_free(tlm_revocation **list);

#endif
