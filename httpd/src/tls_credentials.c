/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <tlm/key.h>

#include "tls_files.h"

#define KEY_ID_SIZE 32U
#define SOON_DAYS 14

static const char *const certificate_name = "REST.Tls.Certificate";
static const char *const key_name = "REST.Tls.Key";
static const char *const client_ca_name = "REST.Tls.ClientCa";

bool tlm_tls_is_uri(const char *source)
{
    return strncasecmp(source, "pkcs11:", 7) == 0;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static tlm_result check_source(const char *name, const char *source, CK_OBJECT_CLASS class,
                               tlm_error *error)
{
    tlm_result result = tlm_tls_is_uri(source) ? tlm_uri_check(source, class, error) : TLM_OK;
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", name);
    }
    return result;
}

static tlm_result check_set(const tlm_tls_sources *sources, tlm_error *error)
{
    if (is_set(sources->certificate) != is_set(sources->key)) {
        bool lacks_key = is_set(sources->certificate);
        return tlm_error_set(
            error, TLM_ERR_SETTING,
            lacks_key ? "Name the certificate's key, a file or a URI: --rest-tls-key"
                      : "Name the key's certificate, a file or a URI: --rest-tls-certificate",
            "%s is set and %s is not", lacks_key ? certificate_name : key_name,
            lacks_key ? key_name : certificate_name);
    }
    if (!is_set(sources->certificate)) {
        return tlm_error_set(
            error, TLM_ERR_SETTING, "HTTPS needs both: --rest-tls-certificate, --rest-tls-key",
            "%s is set, but neither %s nor %s",
            is_set(sources->client_ca) ? client_ca_name : "REST.Tls.ClientOptional",
            certificate_name, key_name);
    }
    if (sources->client_optional && !is_set(sources->client_ca)) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "Name the authorities that client certificates are from: "
                             "--rest-tls-client-ca",
                             "REST.Tls.ClientOptional is set and %s is not", client_ca_name);
    }
    return TLM_OK;
}

/* Hex of the SHA-256 of a public key (RFC 5280 SubjectPublicKeyInfo), as far as tells it apart. */
static int key_id(gnutls_pubkey_t key, unsigned char id[KEY_ID_SIZE])
{
    size_t size = KEY_ID_SIZE;
    return gnutls_pubkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &size);
}

/* Whether the first certificate is one of the key. */
static tlm_result check_pair(const tlm_tls_sources *sources, const gnutls_pcert_st *certificate,
                             gnutls_pubkey_t public, tlm_error *error)
{
    unsigned char theirs[KEY_ID_SIZE] = {0};
    unsigned char ours[KEY_ID_SIZE] = {0};
    int code = key_id(certificate->pubkey, theirs);
    code = code == 0 ? key_id(public, ours) : code;
    if (code != 0) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "hashing a public key: %s",
                             gnutls_strerror(code));
    }
    if (memcmp(theirs, ours, KEY_ID_SIZE) == 0) {
        return TLM_OK;
    }
    char *of_certificate = tlm_hex_encode(theirs, 8);
    char *of_key = tlm_hex_encode(ours, 8);
    tlm_result result = tlm_error_set(
        error, TLM_ERR_SETTING,
        "Name the certificate of that key. Public keys: openssl x509 -in FILE -noout -pubkey",
        "certificate and key do not belong together: %s %s is of the public key %s…, %s %s is %s…",
        certificate_name, sources->certificate, of_certificate != NULL ? of_certificate : "?",
        key_name, sources->key, of_key != NULL ? of_key : "?");
    free(of_certificate);
    free(of_key);
    return result;
}

static tlm_result load_chain(const tlm_tls_sources *sources, tlm_tls_token *token,
                             tlm_tls_credentials *to, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (tlm_tls_is_uri(sources->certificate)) {
        gnutls_datum_t der;
        result = tlm_tls_token_certificate(token, sources->certificate, &der, error);
        int code = 0;
        if (result == TLM_OK) {
            code = gnutls_pcert_import_x509_raw(&to->chain[0], &der, GNUTLS_X509_FMT_DER, 0);
            gnutls_free(der.data);
            to->chain_size = code == 0 ? 1 : 0;
        }
        if (code != 0) {
            result = tlm_error_set(error, TLM_ERR_FORMAT, "Install another: tlm-token-init",
                                   "the certificate %s is not understood: %s", sources->certificate,
                                   gnutls_strerror(code));
        }
    } else {
        unsigned size = TLM_TLS_CHAIN_MAX;
        result = tlm_tls_file_chain(sources->certificate, to->chain, &size, error);
        to->chain_size = result == TLM_OK ? size : 0;
    }
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", certificate_name);
    }
    return result;
}

static tlm_result load_key(const tlm_tls_sources *sources, tlm_tls_token *token,
                           tlm_tls_credentials *to, tlm_error *error)
{
    gnutls_pubkey_t public = NULL;
    tlm_result result = tlm_tls_is_uri(sources->key)
                            ? tlm_tls_token_key(token, sources->key, &to->key, &public, error)
                            : tlm_tls_file_key(sources->key, &to->key, &public, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", key_name);
        return result;
    }
    result = check_pair(sources, &to->chain[0], public, error);
    gnutls_pubkey_deinit(public);
    return result;
}

static tlm_result load_trust(const tlm_tls_sources *sources, tlm_tls_credentials *to,
                             tlm_error *error)
{
    int code = gnutls_certificate_allocate_credentials(&to->trust);
    if (code == 0) {
        code = gnutls_session_ticket_key_generate(&to->ticket_key);
    }
    if (code != 0) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "preparing TLS: %s",
                             gnutls_strerror(code));
    }
    to->client_ca = is_set(sources->client_ca);
    to->client_optional = sources->client_optional;
    tlm_result result =
        to->client_ca ? tlm_tls_file_authorities(sources->client_ca, to->trust, error) : TLM_OK;
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", client_ca_name);
    }
    return result;
}

/* What the status tells of the certificate. */
static tlm_result describe(tlm_tls_credentials *to, tlm_error *error)
{
    gnutls_x509_crt_t certificate = NULL;
    int code = gnutls_pcert_export_x509(&to->chain[0], &certificate);
    if (code != 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s: the certificate: %s",
                             certificate_name, gnutls_strerror(code));
    }
    size_t size = sizeof to->subject;
    if (gnutls_x509_crt_get_dn(certificate, to->subject, &size) != 0) {
        (void)snprintf(to->subject, sizeof to->subject, "its name is too long");
    }
    to->not_before = gnutls_x509_crt_get_activation_time(certificate);
    to->not_after = gnutls_x509_crt_get_expiration_time(certificate);
    gnutls_x509_crt_deinit(certificate);
    return TLM_OK;
}

tlm_result tlm_tls_credentials_load(const tlm_tls_sources *sources, tlm_tls_token *token,
                                    tlm_tls_credentials **credentials, tlm_error *error)
{
    *credentials = NULL;
    tlm_tls_credentials *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a certificate");
    }
    atomic_init(&made->users, 1);
    tlm_result result = load_trust(sources, made, error);
    if (result == TLM_OK) {
        result = load_chain(sources, token, made, error);
    }
    if (result == TLM_OK) {
        result = load_key(sources, token, made, error);
    }
    if (result == TLM_OK) {
        result = describe(made, error);
    }
    if (result != TLM_OK) {
        tlm_tls_credentials_release(&made);
        return result;
    }
    *credentials = made;
    return TLM_OK;
}

/* The parts that are files, each by itself and as far as they can be compared. */
static tlm_result check_files(const tlm_tls_sources *sources, tlm_error *error)
{
    tlm_tls_credentials *part = calloc(1, sizeof *part);
    if (part == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a certificate");
    }
    atomic_init(&part->users, 1);
    bool key_file = !tlm_tls_is_uri(sources->key);
    bool chain_file = !tlm_tls_is_uri(sources->certificate);
    tlm_result result = load_trust(sources, part, error);
    if (result == TLM_OK && chain_file) {
        result = load_chain(sources, NULL, part, error);
    }
    if (result == TLM_OK && key_file && chain_file) {
        result = load_key(sources, NULL, part, error);
    } else if (result == TLM_OK && key_file) {
        gnutls_pubkey_t public = NULL;
        result = tlm_tls_file_key(sources->key, &part->key, &public, error);
        gnutls_pubkey_deinit(public);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "%s", key_name);
        }
    }
    tlm_tls_credentials_release(&part);
    return result;
}

tlm_result tlm_tls_sources_check(const tlm_tls_sources *sources, tlm_error *error)
{
    tlm_result result = check_set(sources, error);
    if (result == TLM_OK) {
        result = check_source(certificate_name, sources->certificate, CKO_CERTIFICATE, error);
    }
    if (result == TLM_OK) {
        result = check_source(key_name, sources->key, CKO_PRIVATE_KEY, error);
    }
    if (result == TLM_OK) {
        result = check_files(sources, error);
    }
    return result;
}

tlm_tls_credentials *tlm_tls_credentials_hold(tlm_tls_credentials *credentials)
{
    if (credentials != NULL) {
        (void)atomic_fetch_add(&credentials->users, 1);
    }
    return credentials;
}

void tlm_tls_credentials_release(tlm_tls_credentials **credentials)
{
    tlm_tls_credentials *self = *credentials;
    *credentials = NULL;
    if (self == NULL || atomic_fetch_sub(&self->users, 1) != 1) {
        return;
    }
    for (unsigned i = 0; i < self->chain_size; i++) {
        gnutls_pcert_deinit(&self->chain[i]);
    }
    gnutls_privkey_deinit(self->key);
    if (self->trust != NULL) {
        gnutls_certificate_free_credentials(self->trust);
    }
    if (self->ticket_key.data != NULL) {
        gnutls_memset(self->ticket_key.data, 0, self->ticket_key.size);
        gnutls_free(self->ticket_key.data);
    }
    free(self);
}

tlm_result tlm_tls_credentials_age(const tlm_tls_credentials *credentials, time_t now,
                                   tlm_error *error)
{
    bool early = now < credentials->not_before;
    time_t at = early ? credentials->not_before : credentials->not_after;
    if (!early && now + (time_t)SOON_DAYS * 86400 < at) {
        return TLM_OK;
    }
    struct tm parts;
    char text[32] = "?";
    if (gmtime_r(&at, &parts) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    const char *what = early ? "is not valid before" : now >= at ? "expired at" : "expires at";
    return tlm_error_set(error, TLM_ERR_SETTING,
                         early ? "Look at the clock of this host (date -u), or name another one."
                               : "Put a new one in its place, then: systemctl reload "
                                 "TLLicenseManager (SIGHUP)",
                         "the certificate of the REST interface (%s) %s %s", credentials->subject,
                         what, text);
}
