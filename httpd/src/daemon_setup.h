/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DAEMON_SETUP_H
#define TLM_DAEMON_SETUP_H

/*
 * The steps of the start, in the order of daemon.c: each makes one part from the settings.
 *
 *     tlm_setup_log(self);
 *     result = tlm_setup_listener(self, &error);
 */

#include <stdbool.h>

#include <tlm/identity.h>
#include <tlm/licensing.h>
#include <tlm/settings.h>
#include <tlm/tcti.h>

#include "about.h"
#include "admin_socket.h"
#include "answers.h"
#include "api.h"
#include "engine_watch.h"
#include "facts.h"
#include "listen.h"
#include "notices.h"
#include "server.h"
#include "status.h"
#include "tls.h"
#include "tokend_words.h"

/* Connections of the administrators' socket at a time. */
#define TLM_DAEMON_ADMINISTRATORS 32U

typedef struct tlm_daemon {
    const tlm_settings *settings;
    int argc;
    char **argv;
    int wake_file; /* eventfd: identity or facts changed */
    char url[80];
    unsigned connections; /* how many are served at a time */

    tlm_about about;
    tlm_notices notices;
    tlm_notices warnings;    /* of the container */
    tlm_engine_facts engine; /* what the container engine said last */
    tlm_engine_watch *watch; /* NULL outside of a container */
    tlm_listener listener;
    tlm_answers *answers;
    tlm_server *server;
    tlm_api *api;
    tlm_admin_socket admin_socket;
    tlm_server *admin_server;     /* NULL: there is no such socket */
    tlm_licensing *licensing;     /* NULL until it was started */
    bool tokens_loaded;           /* the bearer tokens, for */
    tlm_start_state tokens_state; /* this state */
    tlm_identity *identity;
    tlm_facts *facts;
    tlm_tls *tls; /* NULL: plain HTTP */
    tlm_status_tls tls_status;

    tlm_status_source source;
    char *config_file; /* NULL where there is none */
    char *log_file;
    char *token_store;
    tlm_tcti_list interfaces;
    const tlm_tcti *interface; /* NULL without a TPM */

    bool told_ready;
    const char *told_kind;
    tlm_start_state told_state;
} tlm_daemon;

typedef void (*tlm_setup_wake)(void *context);

TLM_CHECKED tlm_result tlm_setup_paths(tlm_daemon *self, tlm_error *error);

/* A log file that cannot be opened is a notice: standard error goes on. */
void tlm_setup_log(tlm_daemon *self);
TLM_CHECKED tlm_result tlm_setup_listener(tlm_daemon *self, tlm_error *error);

/* Raises the limit of open files as far as it may, and lowers ours where that is not enough. */
void tlm_setup_limits(tlm_daemon *self);
TLM_CHECKED tlm_result tlm_setup_server(tlm_daemon *self, tlm_error *error);

/* How the identity's keys are reached; `words` and the daemon outlive `config`. */
void tlm_setup_identity_config(const tlm_daemon *self, tlm_tokend_words *words,
                               tlm_identity_config *config);
TLM_CHECKED tlm_result tlm_setup_identity(tlm_daemon *self, tlm_setup_wake changed,
                                          tlm_error *error);
TLM_CHECKED tlm_result tlm_setup_facts(tlm_daemon *self, tlm_setup_wake changed, tlm_error *error);

/* Ends and frees whatever of it is there. */
void tlm_setup_clear(tlm_daemon *self);

#endif
