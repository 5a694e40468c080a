/* SPDX-License-Identifier: BSD-2-Clause */
#include "credential.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define KEY_SIZE 16U /* AES-128 */
#define DIGEST_SIZE 32U
#define COORDINATE_SIZE 32U

/* OAEP and KDFe take the label with its zero byte. */
static const unsigned char identity[] = "IDENTITY";

static tlm_result fail(const char *what, tlm_error *error)
{
    char reason[160] = "OpenSSL gives no reason";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, reason, sizeof reason);
    }
    ERR_clear_error();
    return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "making a challenge, %s: %s", what, reason);
}

/* OSSL_PARAM has no const; the values are only read. */
static OSSL_PARAM octets(const char *name, const void *data, size_t size)
{
    union {
        const void *constant;
        void *plain;
    } view = {.constant = data};
    return OSSL_PARAM_construct_octet_string(name, view.plain, size);
}

static bool derive(const char *name, const OSSL_PARAM *parameters, unsigned char *out, size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    bool done = context != NULL && EVP_KDF_derive(context, out, size, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done;
}

tlm_result tlm_credential_kdfa(const unsigned char *key, size_t key_size, const char *label,
                               const unsigned char *context, size_t context_size,
                               unsigned char *out, size_t size, tlm_error *error)
{
    /* SP 800-108 in counter mode; the zero byte behind the label is KBKDF's separator. */
    char digest[] = "SHA256";
    char mac[] = "HMAC";
    char mode[] = "counter";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        octets(OSSL_KDF_PARAM_KEY, key, key_size),
        octets(OSSL_KDF_PARAM_SALT, label, strlen(label)),
        octets(OSSL_KDF_PARAM_INFO, context, context_size),
        OSSL_PARAM_construct_end(),
    };
    return derive("KBKDF", parameters, out, size) ? TLM_OK : fail("KDFa", error);
}

/* AES-128-CFB with a zero IV over the secret as a TPM2B_DIGEST. */
static bool encrypt(const unsigned char key[KEY_SIZE],
                    const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE], unsigned char *out)
{
    static const unsigned char zero[16];
    static const unsigned char length[2] = {0, TLM_CREDENTIAL_SECRET_SIZE};
    int first = 0;
    int second = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done = context != NULL &&
                EVP_EncryptInit_ex(context, EVP_aes_128_cfb128(), NULL, key, zero) == 1 &&
                EVP_EncryptUpdate(context, out, &first, length, sizeof length) == 1 &&
                EVP_EncryptUpdate(context, out + first, &second, secret,
                                  (int)TLM_CREDENTIAL_SECRET_SIZE) == 1;
    EVP_CIPHER_CTX_free(context);
    return done && first + second == (int)(2 + TLM_CREDENTIAL_SECRET_SIZE);
}

tlm_result tlm_credential_protect(const unsigned char seed[TLM_CREDENTIAL_SEED_SIZE],
                                  const tlm_tpm_name *name,
                                  const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE],
                                  tlm_credential *credential, tlm_error *error)
{
    unsigned char key[KEY_SIZE];
    unsigned char mac_key[DIGEST_SIZE];
    unsigned char signed_part[2 + TLM_CREDENTIAL_SECRET_SIZE + TLM_TPM_NAME_MAX];
    unsigned char *mac = credential->id_object + 2;
    unsigned char *identity_part = mac + DIGEST_SIZE;
    tlm_result result = tlm_credential_kdfa(seed, TLM_CREDENTIAL_SEED_SIZE, "STORAGE", name->bytes,
                                            name->size, key, sizeof key, error);
    if (result == TLM_OK) {
        result = tlm_credential_kdfa(seed, TLM_CREDENTIAL_SEED_SIZE, "INTEGRITY", NULL, 0, mac_key,
                                     sizeof mac_key, error);
    }
    if (result == TLM_OK && !encrypt(key, secret, identity_part)) {
        result = fail("encrypting the secret", error);
    }
    if (result == TLM_OK) {
        unsigned size = 0;
        memcpy(signed_part, identity_part, 2 + TLM_CREDENTIAL_SECRET_SIZE);
        memcpy(signed_part + 2 + TLM_CREDENTIAL_SECRET_SIZE, name->bytes, name->size);
        if (HMAC(EVP_sha256(), mac_key, sizeof mac_key, signed_part,
                 2 + TLM_CREDENTIAL_SECRET_SIZE + name->size, mac, &size) == NULL) {
            result = fail("its HMAC", error);
        }
        credential->id_object[0] = 0;
        credential->id_object[1] = DIGEST_SIZE;
        credential->id_size = TLM_CREDENTIAL_ID_SIZE;
    }
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(mac_key, sizeof mac_key);
    return result;
}

static tlm_result seed_for_rsa(EVP_PKEY *ek, unsigned char seed[TLM_CREDENTIAL_SEED_SIZE],
                               tlm_credential *credential, tlm_error *error)
{
    if (RAND_priv_bytes(seed, TLM_CREDENTIAL_SEED_SIZE) != 1) {
        return fail("random bytes", error);
    }
    credential->encrypted_size = sizeof credential->encrypted;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ek, NULL);
    unsigned char *label = OPENSSL_memdup(identity, sizeof identity);
    bool done = context != NULL && label != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
    if (done && EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int)sizeof identity) == 1) {
        label = NULL; /* the context's now */
        done = EVP_PKEY_encrypt(context, credential->encrypted, &credential->encrypted_size, seed,
                                TLM_CREDENTIAL_SEED_SIZE) == 1;
    } else {
        done = false;
    }
    OPENSSL_free(label);
    EVP_PKEY_CTX_free(context);
    return done ? TLM_OK : fail("encrypting the seed", error);
}

static void put_part(tlm_credential *credential, const unsigned char *data)
{
    unsigned char *to = credential->encrypted + credential->encrypted_size;
    to[0] = 0;
    to[1] = COORDINATE_SIZE;
    memcpy(to + 2, data, COORDINATE_SIZE);
    credential->encrypted_size += 2 + COORDINATE_SIZE;
}

static bool agree(EVP_PKEY *own, EVP_PKEY *ek, unsigned char shared[COORDINATE_SIZE])
{
    size_t size = COORDINATE_SIZE;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
    bool done = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer(context, ek) == 1 &&
                EVP_PKEY_derive(context, shared, &size) == 1 && size == COORDINATE_SIZE;
    EVP_PKEY_CTX_free(context);
    return done;
}

/* KDFe (Part 1 section 11.4.10.3) over an ephemeral key; its public point is what is sent. */
static tlm_result seed_for_ecc(const tlm_wire_public *area, EVP_PKEY *ek,
                               unsigned char seed[TLM_CREDENTIAL_SEED_SIZE],
                               tlm_credential *credential, tlm_error *error)
{
    unsigned char point[1 + 2 * COORDINATE_SIZE];
    unsigned char shared[COORDINATE_SIZE];
    unsigned char info[sizeof identity + COORDINATE_SIZE + COORDINATE_SIZE];
    size_t size = 0;
    char digest[] = "SHA256";
    EVP_PKEY *own = EVP_EC_gen("P-256");
    bool done = own != NULL &&
                EVP_PKEY_get_octet_string_param(own, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                                &size) == 1 &&
                size == sizeof point && agree(own, ek, shared);
    EVP_PKEY_free(own);
    if (!done) {
        return fail("agreeing on a seed", error);
    }
    memcpy(info, identity, sizeof identity);
    memcpy(info + sizeof identity, point + 1, COORDINATE_SIZE);
    memcpy(info + sizeof identity + COORDINATE_SIZE, area->x.data, COORDINATE_SIZE);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_SECRET, shared, sizeof shared),
        octets(OSSL_KDF_PARAM_INFO, info, sizeof info),
        OSSL_PARAM_construct_end(),
    };
    done = derive("SSKDF", parameters, seed, TLM_CREDENTIAL_SEED_SIZE);
    OPENSSL_cleanse(shared, sizeof shared);
    credential->encrypted_size = 0;
    put_part(credential, point + 1);
    put_part(credential, point + 1 + COORDINATE_SIZE);
    return done ? TLM_OK : fail("KDFe", error);
}

tlm_result tlm_credential_make(const tlm_wire_public *ek, const tlm_tpm_name *name,
                               const unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE],
                               tlm_credential *credential, tlm_error *error)
{
    unsigned char seed[TLM_CREDENTIAL_SEED_SIZE];
    EVP_PKEY *key = NULL;
    memset(credential, 0, sizeof *credential);
    if (ek->symmetric != TLM_WIRE_ALG_AES || ek->symmetric_bits != 8 * KEY_SIZE ||
        name->size > TLM_TPM_NAME_MAX) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                             "challenges are made for endorsement keys with AES-128 only");
    }
    tlm_result result = tlm_wire_to_key(ek, &key, error);
    if (result == TLM_OK) {
        result = ek->type == TLM_WIRE_ALG_RSA ? seed_for_rsa(key, seed, credential, error)
                                              : seed_for_ecc(ek, key, seed, credential, error);
    }
    if (result == TLM_OK) {
        result = tlm_credential_protect(seed, name, secret, credential, error);
    }
    OPENSSL_cleanse(seed, sizeof seed);
    EVP_PKEY_free(key);
    return result;
}
