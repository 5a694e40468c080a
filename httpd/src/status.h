/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STATUS_H
#define TLM_STATUS_H

/*
 * What the daemon says about itself: the texts of /health, /ready and /status, and the problem that
 * stands for a document that cannot be given at present.
 *
 *     tlm_status_source source = {.view = view, .about = &about, .notices = &notices, …};
 *     char *text = tlm_status_text(&source);
 */

#include <stdbool.h>
#include <time.h>

#include <jansson.h>

#include <tlm/identity.h>

#include "about.h"
#include "engine.h"
#include "notices.h"

/* Of the REST interface itself. */
typedef struct tlm_status_tls {
    bool enabled;
    bool ready;         /* certificate and key were loaded */
    time_t not_after;   /* of the certificate; 0 while it was not loaded */
    const char *key_in; /* "token" or "file"; NULL without TLS */
} tlm_status_tls;

typedef struct tlm_status_source {
    const tlm_identity_view *view;
    const tlm_about *about;
    const tlm_notices *notices;
    const tlm_notices *warnings;    /* NULL: none */
    const tlm_engine_facts *engine; /* NULL: nobody was asked */
    const char *facts;              /* object of `tlm-token-init status --json`, or NULL */
    time_t facts_as_of;
    const char *config_dir;
    const char *config_file; /* NULL where none was read */
    const char *persistence_dir;
    const char *log_file;
    const char *token_store;
    const char *admin_socket;  /* NULL or "" where there is none */
    const tlm_status_tls *tls; /* NULL: plain HTTP */
    json_t *licensing;         /* what the service says of itself; NULL: it does not run yet */
} tlm_status_source;

/* Why the view is not healthy; false where it is, or where nothing is decided yet. */
typedef struct tlm_ailment {
    const char *code;
    const char *message;
    const char *hint;
} tlm_ailment;
bool tlm_status_ailment(const tlm_identity_view *view, tlm_ailment *ailment);

/* "pending", "cold", "warm" or "degraded". */
const char *tlm_status_kind(const tlm_identity_view *view);

/* Texts in JSON; the caller frees them. NULL where memory is out. */
char *tlm_status_health_text(const tlm_identity_view *view);
char *tlm_status_ready_text(const tlm_identity_view *view);
char *tlm_status_text(const tlm_status_source *source);

/* The problem (503) of a path that cannot be answered in this state. */
char *tlm_status_problem_text(const tlm_identity_view *view, const char *path);

#endif
