/* SPDX-License-Identifier: BSD-2-Clause */
#include "local_key_private.h"

#include <limits.h>
#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include <tlm/key.h>

static tlm_result openssl_error(tlm_error *error, const char *what)
{
    char reason[160] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, reason, sizeof reason);
    }
    ERR_clear_error();
    return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "%s: OpenSSL says %s", what, reason);
}

tlm_result tlm_local_key_make(EVP_PKEY **key, tlm_error *error)
{
    EVP_PKEY *made = EVP_RSA_gen(TLM_LOCAL_KEY_BITS);
    if (made == NULL) {
        return openssl_error(error, "making the local key pair");
    }
    *key = made;
    return TLM_OK;
}

tlm_result tlm_local_key_to_pem(EVP_PKEY *key, tlm_secret **pem, tlm_error *error)
{
    tlm_result result = tlm_pem_write_private(key, pem, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "keeping the local key pair");
    }
    return result;
}

tlm_result tlm_local_key_from_pem(const void *pem, size_t size, EVP_PKEY **key, tlm_error *error)
{
    if (size == 0 || size > TLM_LOCAL_PEM_MAX) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "a local key of %zu bytes of PEM", size);
    }
    EVP_PKEY *read = tlm_pem_read_private(pem, size);
    bool fits = read != NULL && EVP_PKEY_is_a(read, "RSA") == 1 &&
                EVP_PKEY_get_bits(read) >= (int)TLM_LOCAL_KEY_BITS &&
                EVP_PKEY_get_size(read) <= (int)TLM_SIGNATURE_MAX;
    if (!fits) {
        EVP_PKEY_free(read);
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "not an RSA private key in PEM of %u to 4096 bits",
                             TLM_LOCAL_KEY_BITS);
    }
    *key = read;
    return TLM_OK;
}

tlm_result tlm_local_key_decrypt_oaep(EVP_PKEY *key, const unsigned char *cipher, size_t size,
                                      tlm_secret **plain, tlm_error *error)
{
    tlm_secret *opened = NULL;
    tlm_result result = tlm_secret_new(TLM_SIGNATURE_MAX, &opened, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t length = TLM_SIGNATURE_MAX;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool ready = context != NULL && EVP_PKEY_decrypt_init(context) == 1 &&
                 EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
    bool done =
        ready && EVP_PKEY_decrypt(context, tlm_secret_data(opened), &length, cipher, size) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    if (!done || length == 0) {
        tlm_secret_free(&opened);
        return tlm_error_set(error, ready ? TLM_ERR_CRYPTO : TLM_ERR_MEMORY, NULL,
                             "the cipher text does not decrypt with the local key");
    }
    tlm_secret_shrink(opened, length);
    *plain = opened;
    return TLM_OK;
}
