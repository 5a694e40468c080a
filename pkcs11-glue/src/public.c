/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define OAEP_OVERHEAD (2 * TLM_DIGEST_SIZE + 2)

tlm_result tlm_error_set_openssl(tlm_error *error, tlm_result result, const char *what)
{
    char reason[160] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, reason, sizeof reason);
    }
    ERR_clear_error();
    return tlm_error_set(error, result, NULL, "%s: OpenSSL says %s", what, reason);
}

tlm_result tlm_digest_sha256(const void *data, size_t size, unsigned char digest[TLM_DIGEST_SIZE],
                             tlm_error *error)
{
    unsigned int length = TLM_DIGEST_SIZE;
    if (EVP_Digest(data, size, digest, &length, EVP_sha256(), NULL) != 1) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "hashing with SHA-256");
    }
    return TLM_OK;
}

static bool is_rsa(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") == 1;
}

static bool is_ec(EVP_PKEY *key, const char *curve, const char *alias)
{
    char group[32] = "";
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           (strcmp(group, curve) == 0 || strcmp(group, alias) == 0);
}

static bool fits(EVP_PKEY *key, tlm_jwa algorithm)
{
    switch (algorithm) {
    case TLM_JWA_ES256:
        return is_ec(key, "P-256", "prime256v1");
    case TLM_JWA_ES384:
        return is_ec(key, "P-384", "secp384r1");
    default:
        return is_rsa(key);
    }
}

tlm_result tlm_public_encrypt_oaep(EVP_PKEY *key, const void *plain, size_t size,
                                   unsigned char *cipher, size_t *cipher_size, tlm_error *error)
{
    if (key == NULL || plain == NULL || size == 0 || cipher == NULL || cipher_size == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "encrypting takes a key and at least one byte");
    }
    int modulus = EVP_PKEY_get_size(key);
    if (!is_rsa(key) || modulus < (int)(OAEP_OVERHEAD + 1) || modulus > (int)TLM_SIGNATURE_MAX) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA key of 2048 to 4096 bits.",
                             "RSA-OAEP-256 cannot be done with this key");
    }
    size_t max = (size_t)modulus - OAEP_OVERHEAD;
    if (size > max) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, "Encrypt a content key, not the content.",
                             "%zu bytes are more than the %zu that RSA-OAEP-256 takes", size, max);
    }
    size_t room = TLM_SIGNATURE_MAX;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool done = context != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
                EVP_PKEY_encrypt(context, cipher, &room, plain, size) == 1;
    EVP_PKEY_CTX_free(context);
    if (!done) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "encrypting with RSA-OAEP-256");
    }
    *cipher_size = room;
    return TLM_OK;
}

/* r || s (RFC 7518 section 3.4) as the DER that OpenSSL verifies. The caller frees *der. */
static tlm_result concat_to_der(const unsigned char *signature, int half, unsigned char **der,
                                int *der_size, tlm_error *error)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, half, NULL);
    BIGNUM *s = BN_bin2bn(signature + half, half, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "reading an ECDSA signature");
    }
    *der = NULL;
    *der_size = i2d_ECDSA_SIG(pair, der);
    ECDSA_SIG_free(pair);
    if (*der_size <= 0) {
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "encoding an ECDSA signature");
    }
    return TLM_OK;
}

static tlm_result verify(EVP_PKEY *key, tlm_jwa algorithm, const void *data, size_t size,
                         const unsigned char *signature, size_t signature_size, tlm_error *error)
{
    const EVP_MD *hash = algorithm == TLM_JWA_ES384 ? EVP_sha384() : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL; /* owned by the context */
    bool ready = context != NULL && EVP_DigestVerifyInit(context, &options, hash, NULL, key) == 1;
    if (ready && algorithm == TLM_JWA_PS256) {
        ready = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    int verified = ready ? EVP_DigestVerify(context, signature, signature_size, data, size) : -1;
    EVP_MD_CTX_free(context);
    if (!ready) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "verifying a signature");
    }
    ERR_clear_error();
    if (verified != 1) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL, "the signature does not verify");
    }
    return TLM_OK;
}

tlm_result tlm_public_verify(EVP_PKEY *key, tlm_jwa algorithm, const void *data, size_t size,
                             const unsigned char *signature, size_t signature_size,
                             tlm_error *error)
{
    if (key == NULL || (data == NULL && size > 0) || signature == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "verifying takes a key, data and a signature");
    }
    if (!fits(key, algorithm)) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "ES256 needs a P-256 key, ES384 a P-384 key, RS256 and PS256 an RSA "
                             "key.",
                             "a public key does not fit the signature algorithm");
    }
    const void *bytes = data != NULL ? data : "";
    if (algorithm == TLM_JWA_RS256 || algorithm == TLM_JWA_PS256) {
        return verify(key, algorithm, bytes, size, signature, signature_size, error);
    }
    int half = algorithm == TLM_JWA_ES384 ? 48 : 32;
    if (signature_size != 2 * (size_t)half) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "an ECDSA signature of %zu bytes, not %d", signature_size, 2 * half);
    }
    unsigned char *der = NULL;
    int der_size = 0;
    tlm_result result = concat_to_der(signature, half, &der, &der_size, error);
    if (result == TLM_OK) {
        result = verify(key, algorithm, bytes, size, der, (size_t)der_size, error);
    }
    OPENSSL_free(der);
    return result;
}

tlm_result tlm_public_to_pem(EVP_PKEY *key, char **pem, tlm_error *error)
{
    if (key == NULL || pem == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a PEM export takes a key");
    }
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    long size = 0;
    if (memory == NULL || PEM_write_bio_PUBKEY(memory, key) != 1) {
        BIO_free(memory);
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "writing a public key as PEM");
    }
    size = BIO_get_mem_data(memory, &text);
    char *made = size > 0 ? calloc((size_t)size + 1, 1) : NULL;
    if (made != NULL) {
        memcpy(made, text, (size_t)size);
    }
    BIO_free(memory);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a PEM");
    }
    *pem = made;
    return TLM_OK;
}
