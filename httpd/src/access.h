/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ACCESS_H
#define TLM_ACCESS_H

/*
 * Who may ask for what: one decision, from what is known of a request.
 *
 *     tlm_access_facts facts = {.who = route->who, .mode = TLM_ACCESS_TOKEN, .caller = &caller,
 *                               .holder = tlm_bearer_judge(bearer, header)};
 *     bool administrator = false;
 *     if (tlm_access_judge(&facts, &administrator, &error) != TLM_OK) { … }
 */

#include <stdbool.h>

#include <tlm/result.h>

#include "bearer.h"
#include "caller.h"
#include "routes.h"

/* REST.Access: who counts as an application. */
typedef enum tlm_access_mode {
    TLM_ACCESS_OPEN = 0,
    TLM_ACCESS_TOKEN,
    TLM_ACCESS_CERTIFICATE
} tlm_access_mode;

typedef struct tlm_access_facts {
    tlm_who who; /* what the route asks for */
    tlm_access_mode mode;
    const tlm_caller *caller;
    tlm_bearer_holder holder;
    bool certificate; /* the peer showed one of REST.Tls.ClientCa */
    bool force;       /* an administrator's ?force=true */
} tlm_access_facts;

/* The mode by its word in the settings. */
tlm_access_mode tlm_access_mode_from_word(const char *word);

/*
 * TLM_OK and whether it is an administrator, TLM_ERR_UNAUTHORIZED where something is missing,
 * TLM_ERR_PERMISSION where it is the wrong thing. A token that is nobody's is refused everywhere:
 * its sender believes to be somebody.
 */
TLM_CHECKED tlm_result tlm_access_judge(const tlm_access_facts *facts, bool *administrator,
                                        tlm_error *error);

#endif
