/* SPDX-License-Identifier: BSD-2-Clause */
#include "borrow_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <tlm/file.h>
#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/secret.h>

#include "client_private.h"

#define KEY_FILE_MAX 4096U
#define RETURN_TYP "tlm-return+jwt"

char *tlm_borrow_key_path(const char *path)
{
    char *made = NULL;
    return asprintf(&made, "%s.key", path) > 0 ? made : NULL;
}

static tlm_client_result crypto(tlm_client_error *error, const char *what, const char *path)
{
    return tlm_trouble(error, TLM_CLIENT_FAILED, "crypto", NULL, "%s: %s", path, what);
}

tlm_client_result tlm_borrow_key_make(const char *path, EVP_PKEY **key, tlm_client_error *error)
{
    char *pem = NULL;
    EVP_PKEY *made = EVP_EC_gen("P-256");
    BIO *memory = BIO_new(BIO_s_secmem());
    bool written = made != NULL && memory != NULL &&
                   PEM_write_bio_PrivateKey(memory, made, NULL, NULL, 0, NULL, NULL) == 1;
    long size = written ? BIO_get_mem_data(memory, &pem) : 0;
    tlm_client_result result = TLM_CLIENT_OK;
    tlm_error cause = {0};
    if (size <= 0) {
        result = crypto(error, "OpenSSL made no P-256 key", path);
    } else if (tlm_file_create(path, pem, (size_t)size, 0600, &cause) != TLM_OK) {
        result = tlm_trouble_of(error, &cause);
    }
    BIO_free(memory);
    if (result != TLM_CLIENT_OK) {
        EVP_PKEY_free(made);
        return result;
    }
    *key = made;
    return TLM_CLIENT_OK;
}

/* A key that wants a passphrase is none of ours: nobody is to be asked for it. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

tlm_client_result tlm_borrow_key_read(const char *path, EVP_PKEY **key, tlm_client_error *error)
{
    tlm_secret *pem = NULL;
    tlm_error cause = {0};
    if (tlm_file_read_secret(path, KEY_FILE_MAX, &pem, &cause) != TLM_OK) {
        return tlm_trouble_of(error, &cause);
    }
    BIO *memory = BIO_new_mem_buf(tlm_secret_bytes(pem), (int)tlm_secret_size(pem));
    EVP_PKEY *made =
        memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, no_passphrase, NULL) : NULL;
    BIO_free(memory);
    tlm_secret_free(&pem);
    if (made == NULL || EVP_PKEY_get_base_id(made) != EVP_PKEY_EC ||
        EVP_PKEY_get_bits(made) != 256) {
        EVP_PKEY_free(made);
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "format", NULL,
                           "%s is not a P-256 private key in PEM", path);
    }
    *key = made;
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_borrow_thumbprint(EVP_PKEY *key, char thumbprint[44], tlm_client_error *error)
{
    unsigned char bytes[TLM_THUMBPRINT_SIZE];
    tlm_error cause = {0};
    if (tlm_public_thumbprint(key, bytes, &cause) != TLM_OK) {
        return tlm_trouble_of(error, &cause);
    }
    char *text = tlm_base64url_encode(bytes, sizeof bytes);
    if (text == NULL) {
        return tlm_trouble_memory(error);
    }
    (void)snprintf(thumbprint, 44, "%s", text);
    free(text);
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_borrow_word(EVP_PKEY *key, const char *lease, char **word,
                                  tlm_client_error *error)
{
    char thumbprint[44];
    tlm_client_result result = tlm_borrow_thumbprint(key, thumbprint, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    json_t *claims = json_pack("{s:s, s:I}", "lease", lease, "iat", (json_int_t)time(NULL));
    if (claims == NULL) {
        return tlm_trouble_memory(error);
    }
    const tlm_jws_header header = {.alg = "ES256", .kid = thumbprint, .typ = RETURN_TYP};
    tlm_error cause = {0};
    if (tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key, word, &cause) != TLM_OK) {
        result = tlm_trouble_of(error, &cause);
    }
    json_decref(claims);
    return result;
}
