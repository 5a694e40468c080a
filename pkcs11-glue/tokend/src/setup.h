/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEND_SETUP_H
#define TLM_TOKEND_SETUP_H

/*
 * The parts of tlm-tokend and the order in which they are made: log, socket, provider, token. The
 * program itself is in tokend.c.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include <tlm/result.h>
#include <tlm/settings.h>

#include "access.h"
#include "backend.h"
#include "connections.h"
#include "endpoint.h"
#include "keeper.h"
#include "provider.h"

/* Access tables: the one in force, and former ones that clients may still look at. */
typedef struct tlm_access_list {
    struct tlm_access_list *next;
    tlm_access *access;
} tlm_access_list;

typedef struct tlm_tokend {
    const tlm_settings *settings;
    int argc;
    char **argv;
    int signals;   /* signalfd(2), or -1 */
    int wake_file; /* eventfd(2), or -1 */
    atomic_bool outdated;
    char *access_file;
    char *state_file;
    unsigned clients; /* Pkcs11.MaxClients, or what the limit of open files allows */
    tlm_endpoint endpoint;
    tlm_access_list *access;
    tlm_provider *provider;
    tlm_connections *connections;
    struct tlm_setup_paths *paths; /* of setup_harden.c */
    tlm_backend_source *source;
    tlm_keeper *keeper;
} tlm_tokend;

/* setup_harden.c: what is taken from the process before it does anything, and before the token. */
TLM_CHECKED tlm_result tlm_setup_harden_early(tlm_tokend *self, tlm_error *error);
TLM_CHECKED tlm_result tlm_setup_harden_late(tlm_tokend *self, tlm_error *error);

/* Level and format on standard error: for what is done before the log's file may be opened. */
void tlm_setup_log_early(const tlm_tokend *self);
/* A file that cannot be used is a warning: stderr goes on. */
TLM_CHECKED tlm_result tlm_setup_log(tlm_tokend *self, tlm_error *error);
/* The socket and the state file's place beside it. */
TLM_CHECKED tlm_result tlm_setup_socket(tlm_tokend *self, tlm_error *error);
/* Access table, provider, connections. */
TLM_CHECKED tlm_result tlm_setup_provider(tlm_tokend *self, tlm_error *error);
/* The environment of modules, the limits of this process, and then the first thread. */
TLM_CHECKED tlm_result tlm_setup_token(tlm_tokend *self, void (*outdated)(void *context),
                                       tlm_error *error);
/* Reads the access table; from then on it counts for new clients. */
TLM_CHECKED tlm_result tlm_setup_access(tlm_tokend *self, tlm_error *error);

void tlm_setup_harden_clear(tlm_tokend *self);
/* Frees what was made, also after an error. */
void tlm_setup_clear(tlm_tokend *self);

#endif
