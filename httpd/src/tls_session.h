/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TLS_SESSION_H
#define TLM_TLS_SESSION_H

/*
 * The TLS side of one connection: what is shown to the peer, what is asked of it, and an alert for
 * every refusal, which libmicrohttpd would leave out.
 *
 *     tlm_tls_session_begin(session, connection, credentials);    // the connection is new
 *     MHD_OPTION_HTTPS_CERT_CALLBACK2, tlm_tls_session_certificate
 *     tlm_tls_session_end(connection);                            // before it is removed
 */

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "connections.h"
#include "tls_credentials.h"

/* TLS 1.2 and 1.3, forward secrecy and authenticated encryption alone. */
#define TLM_TLS_PRIORITIES                                                                         \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"               \
    "-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/*
 * Prepares a new session, before its first byte. Takes one count of `credentials`, which may be
 * NULL while there are none: the handshake then fails with an alert, unless it resumes a session.
 */
void tlm_tls_session_begin(gnutls_session_t session, tlm_connection *connection,
                           tlm_tls_credentials *credentials);

/* Gives the credentials back. Accepts NULL. */
void tlm_tls_session_end(tlm_connection *connection);

/* A gnutls_certificate_retrieve_function3. */
int tlm_tls_session_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *request,
                                gnutls_pcert_st **chain, unsigned *chain_size,
                                gnutls_ocsp_data_st **ocsp, unsigned *ocsp_size,
                                gnutls_privkey_t *key, unsigned *flags);

/* Whether the peer showed a certificate; one that is not of our authorities ended the handshake. */
bool tlm_tls_session_has_client(gnutls_session_t session, const tlm_connection *connection);

/*
 * Tells the peer of the handshake that this thread is in that it failed inside this host. For the
 * key's signature, while nothing of the server's answer has left.
 */
void tlm_tls_session_give_up(void);

#endif
