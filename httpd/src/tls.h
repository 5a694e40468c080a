/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TLS_H
#define TLM_TLS_H

/*
 * HTTPS: keeps certificate and key at hand, from files or from the token, and brings them back
 * after the token was away or a file changed.
 *
 * Whatever asks the token runs on a thread of its own, as the identity does. The server begins at
 * once; until the key is there handshakes fail with an alert.
 *
 *     tlm_tls_config config = {.sources = {.certificate = "pkcs11:object=tlm-attest",
 *                                          .key = "pkcs11:object=tlm-attest"},
 *                              .module = module, .token_uri = "pkcs11:", .changed = changed, …};
 *     tlm_tls *tls = NULL;
 *     result = tlm_tls_new(&config, &tls, &error);   // wrong settings are told here
 *     result = tlm_tls_start(tls, &error);           // when the module's environment is set
 *     tlm_tls_reload(tls);                           // SIGHUP
 *     tlm_tls_stop(&tls);                            // after the server
 */

#include <stdbool.h>
#include <time.h>

#include <tlm/result.h>

#include "connections.h"
#include "tls_credentials.h"

typedef struct tlm_tls tlm_tls;

typedef struct tlm_tls_config {
    tlm_tls_sources sources;
    const char *module; /* of the token; NULL: there is none, and no source may be a URI */
    const char *token_uri;
    const char *pin_file;           /* NULL: the token's own way */
    unsigned wait_seconds;          /* for the turn to sign, within one handshake */
    void (*changed)(void *context); /* from any thread; must not block */
    void *context;
} tlm_tls_config;

/* What the status shows. */
typedef struct tlm_tls_state {
    bool ready;           /* certificate and key were loaded once, and stay in use */
    bool key_in_token;    /* else in a file */
    time_t not_after;     /* 0 while there is no certificate */
    tlm_error error;      /* why the last load or signature failed; TLM_OK where it did not */
    tlm_error expiration; /* the certificate is too old, too young, or soon too old */
} tlm_tls_state;

/*
 * Checks settings and files (TLM_ERR_SETTING and the file's errors, which name the setting), and
 * that libmicrohttpd was built with TLS (TLM_ERR_UNSUPPORTED). Loads what are files alone. Copies
 * the texts.
 */
TLM_CHECKED tlm_result tlm_tls_new(const tlm_tls_config *config, tlm_tls **tls, tlm_error *error);

/* Starts the thread. */
TLM_CHECKED tlm_result tlm_tls_start(tlm_tls *tls, tlm_error *error);

/* Has everything read again; what is there stays in use until it was, and where it failed. */
void tlm_tls_reload(tlm_tls *tls);

void tlm_tls_get(tlm_tls *tls, tlm_tls_state *state);

/* For a connection that begins: the credentials of now, one count of them; NULL: none yet. */
tlm_tls_credentials *tlm_tls_current(tlm_tls *tls);

/* Ends the thread, frees all. The server must have been stopped. Accepts NULL. */
void tlm_tls_stop(tlm_tls **tls);

#endif
