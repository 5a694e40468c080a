/* SPDX-License-Identifier: BSD-2-Clause */
#include "key_auth.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "tpm2_store_rows.h"

#define WRAPPING_SIZE 32U
#define DIGEST_SIZE 32U
#define AUTH_DIGITS 32U /* the first half of the digest, as digits */
#define IV_SIZE 12U
#define TAG_SIZE 16U
#define CIPHER_MAX 64U

static void put_digits(const unsigned char *data, size_t size, unsigned char *digits)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        digits[2 * i] = (unsigned char)hex[data[i] >> 4];
        digits[2 * i + 1] = (unsigned char)hex[data[i] & 0x0FU];
    }
}

/* Of the sealed wrapping key: the begin of SHA-256(PIN || salt) as digits. */
static tlm_result make_seal_auth(const tlm_secret *pin, const char *salt, tlm_secret **auth,
                                 tlm_error *error)
{
    tlm_secret *digest = NULL;
    tlm_secret *digits = NULL;
    tlm_result result = tlm_secret_new(DIGEST_SIZE, &digest, error);
    if (result == TLM_OK) {
        result = tlm_secret_new(AUTH_DIGITS, &digits, error);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (result == TLM_OK &&
        (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
         EVP_DigestUpdate(context, tlm_secret_bytes(pin), tlm_secret_size(pin)) != 1 ||
         EVP_DigestUpdate(context, salt, strlen(salt)) != 1 ||
         EVP_DigestFinal_ex(context, tlm_secret_data(digest), NULL) != 1)) {
        ERR_clear_error();
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "SHA-256 of the PIN failed");
    }
    EVP_MD_CTX_free(context);
    if (result == TLM_OK) {
        put_digits(tlm_secret_bytes(digest), AUTH_DIGITS / 2, tlm_secret_data(digits));
        *auth = digits;
        digits = NULL;
    }
    tlm_secret_free(&digits);
    tlm_secret_free(&digest);
    return result;
}

/* What is sealed are the digits of the wrapping key. */
static tlm_result take_wrapping(const tlm_secret *digits, tlm_secret **wrapping, tlm_error *error)
{
    tlm_secret *made = NULL;
    size_t size = 0;
    tlm_result result = tlm_secret_new(WRAPPING_SIZE, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    const unsigned char *text = tlm_secret_bytes(digits);
    if (!tlm_tpm2_from_hex((const char *)text, tlm_secret_size(digits), tlm_secret_data(made),
                           WRAPPING_SIZE, &size) ||
        size != WRAPPING_SIZE) {
        tlm_secret_free(&made);
        return tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                             "the wrapping key of the token has another form than is known");
    }
    *wrapping = made;
    return TLM_OK;
}

static tlm_result unseal_wrapping(tlm_job *job, tlm_key_auth *auth, tlm_error *error)
{
    tlm_tpm2_key row;
    tlm_secret *seal_auth = NULL;
    tlm_secret *digits = NULL;
    tlm_result result = tlm_tpm2_store_read_wrapping(auth->rows, auth->token_label, &row, error);
    if (result == TLM_OK) {
        result = make_seal_auth(job->secrets.user_pin, row.wrapped_auth, &seal_auth, error);
    }
    if (result == TLM_OK) {
        const tlm_attest_parent parent = {.handle = TLM_HANDLE_SRK, .auth = job->secrets.tpm_auth};
        const tlm_attest_object object = {.public = {row.public_area, row.public_size},
                                          .private = {row.private_area, row.private_size},
                                          .auth = seal_auth};
        result = tlm_attest_unseal(job->tpm, &parent, &object, &digits, error);
    }
    if (result == TLM_OK) {
        result = take_wrapping(digits, &auth->wrapping, error);
    }
    tlm_secret_free(&digits);
    tlm_secret_free(&seal_auth);
    return result;
}

tlm_result tlm_key_auth_open(tlm_job *job, tlm_key_auth *auth, tlm_error *error)
{
    *auth = (tlm_key_auth){.token_label = job->store.label};
    if (job->secrets.user_pin == NULL || job->secrets.tpm_auth == NULL) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE, "restore the store from a backup",
                             "the secrets of the store %s lack the PIN or TPM_AUTH",
                             job->directory);
    }
    tlm_result result = tlm_tpm2_store_open(job->directory, &auth->rows, error);
    if (result == TLM_OK) {
        result = unseal_wrapping(job, auth, error);
    }
    if (result != TLM_OK) {
        tlm_key_auth_close(auth);
    }
    return result;
}

void tlm_key_auth_close(tlm_key_auth *auth)
{
    tlm_secret_free(&auth->wrapping);
    tlm_tpm2_store_close(&auth->rows);
}

typedef struct wrapped {
    unsigned char iv[IV_SIZE];
    unsigned char tag[TAG_SIZE];
    unsigned char cipher[CIPHER_MAX];
    size_t cipher_size;
} wrapped;

static bool split(const char *text, wrapped *parts)
{
    const char *tag = strchr(text, ':');
    const char *cipher = tag != NULL ? strchr(tag + 1, ':') : NULL;
    size_t iv_size = 0;
    size_t tag_size = 0;
    return cipher != NULL &&
           tlm_tpm2_from_hex(text, (size_t)(tag - text), parts->iv, IV_SIZE, &iv_size) &&
           tlm_tpm2_from_hex(tag + 1, (size_t)(cipher - tag - 1), parts->tag, TAG_SIZE,
                             &tag_size) &&
           tlm_tpm2_from_hex(cipher + 1, strlen(cipher + 1), parts->cipher, CIPHER_MAX,
                             &parts->cipher_size) &&
           iv_size == IV_SIZE && tag_size == TAG_SIZE && parts->cipher_size > 0;
}

static bool decrypt(const tlm_secret *key, wrapped *parts, unsigned char *plain)
{
    int size = 0;
    int rest = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool done =
        context != NULL &&
        EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, tlm_secret_bytes(key), parts->iv) ==
            1 &&
        EVP_DecryptUpdate(context, plain, &size, parts->cipher, (int)parts->cipher_size) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)TAG_SIZE, parts->tag) == 1 &&
        EVP_DecryptFinal_ex(context, plain + size, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return done;
}

tlm_result tlm_key_auth_read(const tlm_key_auth *auth, const char *label, tlm_tpm2_key *key,
                             tlm_secret **secret, tlm_error *error)
{
    wrapped parts = {.cipher_size = 0};
    tlm_secret *plain = NULL;
    tlm_result result = tlm_tpm2_store_read_key(auth->rows, auth->token_label, label, key, error);
    if (result != TLM_OK) {
        return result;
    }
    bool whole = split(key->wrapped_auth, &parts);
    if (whole) {
        result = tlm_secret_new(parts.cipher_size, &plain, error);
    }
    if (result == TLM_OK && (!whole || !decrypt(auth->wrapping, &parts, tlm_secret_data(plain)))) {
        /* The authorization is authenticated, so a wrong one never reaches the TPM's counter. */
        tlm_secret_free(&plain);
        result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                               "the authorization of key '%s' in the token's database was changed",
                               label);
    }
    if (result == TLM_OK) {
        *secret = plain;
    }
    return result;
}
