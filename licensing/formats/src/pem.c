/* SPDX-License-Identifier: BSD-2-Clause */
#include "pem_private.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

tlm_result tlm_pem_write_private(EVP_PKEY *key, tlm_secret **pem, tlm_error *error)
{
    /* A memory BIO wipes what it frees, also when it grows. */
    BIO *memory = BIO_new(BIO_s_secmem());
    char *text = NULL;
    long size = 0;
    if (memory != NULL && key != NULL &&
        PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1) {
        size = BIO_get_mem_data(memory, &text);
    }
    tlm_result result = TLM_OK;
    if (size <= 0 || (unsigned long)size > TLM_PEM_PRIVATE_MAX) {
        char reason[160] = "no reason given";
        unsigned long code = ERR_peek_last_error();
        if (code != 0) {
            ERR_error_string_n(code, reason, sizeof reason);
        }
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL,
                               "writing a private key as PEM: OpenSSL says %s", reason);
    } else {
        result = tlm_secret_from(text, (size_t)size, pem, error);
    }
    BIO_free_all(memory);
    ERR_clear_error();
    return result;
}

/* Without it OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

EVP_PKEY *tlm_pem_read_private(const void *pem, size_t size)
{
    if (size == 0 || size > TLM_PEM_PRIVATE_MAX) {
        return NULL;
    }
    BIO *memory = BIO_new_mem_buf(pem, (int)size);
    EVP_PKEY *key =
        memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, no_passphrase, NULL) : NULL;
    BIO_free(memory);
    ERR_clear_error();
    return key;
}
