/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_token.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/crypto.h>

#include <tlm/key.h>
#include <tlm/token.h>

#define RS_SIZE 32U /* r and s of a P-256 signature */

struct tlm_tls_token {
    char *module;
    char *uri;
    char *pin_file;
    int64_t wait_ms;
    void (*failed)(void *context, const tlm_error *error);
    void *context;
    tlm_token *token; /* NULL until it was opened */

    /* One signature at a time; the others wait here, where the wait has an end. */
    pthread_mutex_t lock;
    pthread_cond_t next;
    bool busy;
};

/* What GnuTLS holds of a key. */
typedef struct signer {
    tlm_tls_token *token;
    tlm_key *key;
    bool rsa;
    bool pss;
} signer;

tlm_result tlm_tls_token_new(const tlm_tls_token_config *config, tlm_tls_token **token,
                             tlm_error *error)
{
    *token = NULL;
    tlm_tls_token *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the token of HTTPS");
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->next, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    self->module = strdup(config->module);
    self->uri = strdup(config->uri);
    self->pin_file = config->pin_file != NULL ? strdup(config->pin_file) : NULL;
    self->wait_ms = config->wait_ms;
    self->failed = config->failed;
    self->context = config->context;
    if (self->module == NULL || self->uri == NULL ||
        (self->pin_file == NULL && config->pin_file != NULL)) {
        tlm_tls_token_free(&self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the token of HTTPS");
    }
    *token = self;
    return TLM_OK;
}

void tlm_tls_token_free(tlm_tls_token **token)
{
    tlm_tls_token *self = *token;
    *token = NULL;
    if (self == NULL) {
        return;
    }
    tlm_token_close(&self->token);
    (void)pthread_cond_destroy(&self->next);
    (void)pthread_mutex_destroy(&self->lock);
    free(self->module);
    free(self->uri);
    free(self->pin_file);
    free(self);
}

tlm_result tlm_tls_token_open(tlm_tls_token *token, tlm_error *error)
{
    if (token->token != NULL) {
        return TLM_OK;
    }
    tlm_token_config config = {.module = token->module,
                               .uri = token->uri,
                               .pin =
                                   token->pin_file != NULL ? tlm_pin_from_file : tlm_pin_of_token,
                               .context = token->pin_file};
    return tlm_token_open(&config, &token->token, error);
}

tlm_result tlm_tls_token_probe(tlm_tls_token *token, tlm_error *error)
{
    return tlm_token_probe(token->token, error);
}

unsigned tlm_tls_token_recoveries(const tlm_tls_token *token)
{
    return token->token != NULL ? tlm_token_recoveries(token->token) : 0;
}

/* Waits for the turn to sign. */
static bool enter(tlm_tls_token *self)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + self->wait_ms % 1000 * 1000000;
    until.tv_sec += (time_t)(self->wait_ms / 1000 + nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);
    (void)pthread_mutex_lock(&self->lock);
    int waited = 0;
    while (self->busy && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&self->next, &self->lock, &until);
    }
    bool mine = !self->busy;
    if (mine) {
        self->busy = true;
    }
    (void)pthread_mutex_unlock(&self->lock);
    return mine;
}

static void leave(tlm_tls_token *self)
{
    (void)pthread_mutex_lock(&self->lock);
    self->busy = false;
    (void)pthread_cond_signal(&self->next);
    (void)pthread_mutex_unlock(&self->lock);
}

/* The one algorithm of ours that is a TLS signature's, or false where it is none of them. */
static bool algorithm_of(gnutls_sign_algorithm_t signature, const signer *with, tlm_jwa *algorithm)
{
    switch (signature) {
    case GNUTLS_SIGN_ECDSA_SHA256:
    case GNUTLS_SIGN_ECDSA_SECP256R1_SHA256:
        *algorithm = TLM_JWA_ES256;
        return !with->rsa;
    case GNUTLS_SIGN_RSA_SHA256:
    case GNUTLS_SIGN_RSA_RAW:
        *algorithm = TLM_JWA_RS256;
        return with->rsa;
    case GNUTLS_SIGN_RSA_PSS_RSAE_SHA256:
    case GNUTLS_SIGN_RSA_PSS_SHA256:
        *algorithm = TLM_JWA_PS256;
        return with->rsa && with->pss;
    default:
        return false;
    }
}

static tlm_result sign_in_turn(const signer *with, tlm_jwa algorithm, const unsigned char *digest,
                               unsigned char *signature, size_t *size, tlm_error *error)
{
    tlm_tls_token *self = with->token;
    if (!enter(self)) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                             "The TPM or token does not answer; run: tlm-token-init doctor",
                             "a handshake waited %lld ms for the token to sign",
                             (long long)self->wait_ms);
    }
    tlm_result result = tlm_key_sign_digest(with->key, algorithm, digest, signature, size, error);
    leave(self);
    return result;
}

/* In the form that TLS has: ECDSA as DER (RFC 3279 section 2.2.3). */
static int encode(tlm_jwa algorithm, unsigned char *raw, size_t size, gnutls_datum_t *signature)
{
    if (algorithm == TLM_JWA_ES256) {
        const gnutls_datum_t r = {raw, RS_SIZE};
        const gnutls_datum_t s = {raw + RS_SIZE, RS_SIZE};
        return gnutls_encode_rs_value(signature, &r, &s);
    }
    signature->data = gnutls_malloc(size);
    if (signature->data == NULL) {
        return GNUTLS_E_MEMORY_ERROR;
    }
    memcpy(signature->data, raw, size);
    signature->size = (unsigned)size;
    return 0;
}

/*
 * The SHA-256 digest in what GnuTLS wants signed, or NULL. For PKCS #1 v1.5 it asks for
 * GNUTLS_SIGN_RSA_RAW, with the digest inside its DigestInfo (RFC 8017 section 9.2).
 */
static const unsigned char *digest_of(gnutls_sign_algorithm_t wanted, const gnutls_datum_t *hash)
{
    static const unsigned char info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    if (wanted != GNUTLS_SIGN_RSA_RAW) {
        return hash->size == TLM_DIGEST_SIZE ? hash->data : NULL;
    }
    bool known =
        hash->size == sizeof info + TLM_DIGEST_SIZE && memcmp(hash->data, info, sizeof info) == 0;
    return known ? hash->data + sizeof info : NULL;
}

/* A gnutls_privkey_sign_hash_func. */
static int sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t wanted, void *context,
                     unsigned flags, const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
    (void)key;
    (void)flags;
    const signer *with = context;
    tlm_jwa algorithm = TLM_JWA_ES256;
    const unsigned char *digest = digest_of(wanted, hash);
    if (digest == NULL || !algorithm_of(wanted, with, &algorithm)) {
        return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
    }
    unsigned char raw[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_error error = {0};
    if (sign_in_turn(with, algorithm, digest, raw, &size, &error) != TLM_OK) {
        with->token->failed(with->token->context, &error);
        return GNUTLS_E_PK_SIGN_FAILED;
    }
    return encode(algorithm, raw, size, signature);
}

/* A gnutls_privkey_info_func: TLS chooses among what the token can do. */
static int inform(gnutls_privkey_t key, unsigned flags, void *context)
{
    (void)key;
    const signer *with = context;
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) {
        return with->rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA;
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) {
        return EVP_PKEY_get_bits(tlm_key_public(with->key));
    }
    if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
        tlm_jwa algorithm = TLM_JWA_ES256;
        return algorithm_of((gnutls_sign_algorithm_t)GNUTLS_FLAGS_TO_SIGN_ALGO(flags), with,
                            &algorithm)
                   ? 1
                   : 0;
    }
    return -1;
}

static void drop(gnutls_privkey_t key, void *context)
{
    (void)key;
    signer *with = context;
    tlm_key_free(&with->key);
    free(with);
}

static tlm_result refuse_gnutls(int code, const char *what, tlm_error *error)
{
    return tlm_error_set(error, code == GNUTLS_E_MEMORY_ERROR ? TLM_ERR_MEMORY : TLM_ERR_CRYPTO,
                         NULL, "%s: %s", what, gnutls_strerror(code));
}

static tlm_result import_public(EVP_PKEY *key, gnutls_pubkey_t *public, tlm_error *error)
{
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    if (size <= 0) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "the token's public key has no DER form");
    }
    const gnutls_datum_t data = {der, (unsigned)size};
    int code = gnutls_pubkey_init(public);
    if (code == 0) {
        code = gnutls_pubkey_import(*public, &data, GNUTLS_X509_FMT_DER);
    }
    OPENSSL_free(der);
    return code == 0 ? TLM_OK : refuse_gnutls(code, "taking the token's public key over", error);
}

tlm_result tlm_tls_token_key(tlm_tls_token *token, const char *uri, gnutls_privkey_t *key,
                             gnutls_pubkey_t *public, tlm_error *error)
{
    *key = NULL;
    *public = NULL;
    signer *with = calloc(1, sizeof *with);
    if (with == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the key of HTTPS");
    }
    with->token = token;
    tlm_result result = tlm_key_find_by_uri(token->token, uri, &with->key, error);
    if (result == TLM_OK) {
        with->rsa = EVP_PKEY_is_a(tlm_key_public(with->key), "RSA") == 1;
        with->pss = tlm_token_has_mechanism(token->token, CKM_RSA_PKCS_PSS, CKF_SIGN);
        result = import_public(tlm_key_public(with->key), public, error);
    }
    if (result == TLM_OK) {
        int code = gnutls_privkey_init(key);
        if (code == 0) {
            code = gnutls_privkey_import_ext4(*key, with, NULL, sign_hash, NULL, drop, inform, 0);
        }
        result = code == 0 ? TLM_OK : refuse_gnutls(code, "handing the token's key over", error);
    }
    if (result != TLM_OK) {
        gnutls_privkey_deinit(*key);
        gnutls_pubkey_deinit(*public);
        *key = NULL;
        *public = NULL;
        tlm_key_free(&with->key);
        free(with);
    }
    return result;
}

tlm_result tlm_tls_token_certificate(tlm_tls_token *token, const char *uri, gnutls_datum_t *der,
                                     tlm_error *error)
{
    X509 *certificate = NULL;
    unsigned char *data = NULL;
    *der = (gnutls_datum_t){NULL, 0};
    tlm_result result = tlm_certificate_find_by_uri(token->token, uri, &certificate, error);
    if (result != TLM_OK) {
        return result;
    }
    int size = i2d_X509(certificate, &data);
    X509_free(certificate);
    unsigned char *copy = size > 0 ? gnutls_malloc((size_t)size) : NULL;
    if (copy == NULL) {
        OPENSSL_free(data);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a certificate");
    }
    memcpy(copy, data, (size_t)size);
    OPENSSL_free(data);
    *der = (gnutls_datum_t){copy, (unsigned)size};
    return TLM_OK;
}
