/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_session.h"

#include <sys/socket.h>

#include <tlm/log.h>

/* Sessions are resumed this long, in seconds: without a signature and without the token. */
#define RESUMPTION_SECONDS 3600

static tlm_log_limit refusal_limit = {.burst = 5, .seconds = 10};

/* The socket whose handshake this thread is in: set when the certificate is given, which is just
 * before the signature. A connection has its thread to itself. */
static _Thread_local int handshake_file = -1;

/* GnuTLS has one pointer of ours for a session; that of its database, which is not used, is it. */
static tlm_connection *connection_of(gnutls_session_t session)
{
    return gnutls_db_get_ptr(session);
}

static void log_refusal(const char *reason)
{
    char quoted[256];
    unsigned suppressed = 0;
    if (tlm_log_allow(&refusal_limit, &suppressed)) {
        tlm_log(TLM_LOG_INFO, "tls_refused", "reason=%s suppressed=%u",
                tlm_log_quote(reason, quoted, sizeof quoted), suppressed);
    }
}

static int refuse(gnutls_session_t session, gnutls_alert_description_t alert, const char *reason)
{
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
    log_refusal(reason);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static bool is_tls13(gnutls_session_t session)
{
    return gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
}

static gnutls_alert_description_t alert_of(unsigned status)
{
    if ((status & GNUTLS_CERT_EXPIRED) != 0) {
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    }
    if ((status & GNUTLS_CERT_REVOKED) != 0) {
        return GNUTLS_A_CERTIFICATE_REVOKED;
    }
    return (status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0 ? GNUTLS_A_UNKNOWN_CA
                                                        : GNUTLS_A_BAD_CERTIFICATE;
}

/* A gnutls_certificate_verify_function: a client certificate must be one for clients, of our CA. */
static int verify_client(gnutls_session_t session)
{
    unsigned count = 0;
    unsigned status = 0;
    if (gnutls_certificate_get_peers(session, &count) == NULL || count == 0) {
        return 0; /* finished() judges whether there must be one */
    }
    char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st wanted = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose, 0};
    int code = gnutls_certificate_verify_peers(session, &wanted, 1, &status);
    if (code != 0) {
        return refuse(session, GNUTLS_A_BAD_CERTIFICATE, gnutls_strerror(code));
    }
    if (status == 0) {
        return 0;
    }
    gnutls_datum_t text = {NULL, 0};
    (void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
    code = refuse(session, alert_of(status),
                  text.data != NULL ? (const char *)text.data : "untrusted client certificate");
    gnutls_free(text.data);
    return code;
}

/* The peer's last message of a handshake is in. A resumed session was judged when it was new. */
static int finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                    const gnutls_datum_t *message)
{
    (void)type;
    (void)when;
    (void)message;
    tlm_connection *connection = connection_of(session);
    if (incoming == 0 || connection == NULL) {
        return 0;
    }
    const tlm_tls_credentials *credentials = connection->credentials;
    unsigned count = 0;
    bool must = credentials != NULL && credentials->client_ca && !credentials->client_optional;
    if (must && gnutls_session_is_resumed(session) == 0 &&
        (gnutls_certificate_get_peers(session, &count) == NULL || count == 0)) {
        return refuse(
            session, is_tls13(session) ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE,
            "the client has no certificate");
    }
    tlm_connection_secured(connection);
    return 0;
}

int tlm_tls_session_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *request,
                                gnutls_pcert_st **chain, unsigned *chain_size,
                                gnutls_ocsp_data_st **ocsp, unsigned *ocsp_size,
                                gnutls_privkey_t *key, unsigned *flags)
{
    (void)request;
    const tlm_connection *connection = connection_of(session);
    tlm_tls_credentials *credentials = connection != NULL ? connection->credentials : NULL;
    if (credentials == NULL) {
        return refuse(session, GNUTLS_A_INTERNAL_ERROR, "there is no certificate and key yet");
    }
    handshake_file = connection->file;
    *chain = credentials->chain;
    *chain_size = credentials->chain_size;
    *key = credentials->key;
    *ocsp = NULL;
    *ocsp_size = 0;
    *flags = 0;
    return 0;
}

void tlm_tls_session_begin(gnutls_session_t session, tlm_connection *connection,
                           tlm_tls_credentials *credentials)
{
    connection->credentials = credentials;
    gnutls_db_set_ptr(session, connection);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       finished);
    if (credentials == NULL) {
        return;
    }
    int code = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials->trust);
    if (code == 0) {
        gnutls_db_set_cache_expiration(session, RESUMPTION_SECONDS);
        code = gnutls_session_ticket_enable_server(session, &credentials->ticket_key);
    }
    if (code != 0) {
        /* Without memory: the handshake then finds no certificate and ends. */
        log_refusal(gnutls_strerror(code));
        tlm_tls_credentials_release(&connection->credentials);
        return;
    }
    if (credentials->client_ca) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        gnutls_session_set_verify_function(session, verify_client);
    }
}

void tlm_tls_session_end(tlm_connection *connection)
{
    if (connection != NULL) {
        tlm_tls_credentials_release(&connection->credentials);
    }
}

bool tlm_tls_session_has_client(gnutls_session_t session, const tlm_connection *connection)
{
    unsigned count = 0;
    return connection->credentials != NULL && connection->credentials->client_ca &&
           gnutls_certificate_get_peers(session, &count) != NULL && count > 0;
}

void tlm_tls_session_give_up(void)
{
    /*
     * The server's messages wait in GnuTLS until its signature is among them. A peer that has seen
     * none of them understands a plain record alone (RFC 8446 section 5.1: alert, fatal,
     * internal_error), which GnuTLS at this point would encrypt already.
     */
    static const unsigned char alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x50};
    if (handshake_file >= 0) {
        (void)send(handshake_file, alert, sizeof alert, MSG_DONTWAIT | MSG_NOSIGNAL);
        handshake_file = -1;
    }
}
