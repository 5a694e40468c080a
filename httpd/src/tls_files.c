/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls_files.h"

#include <stdlib.h>

#include <tlm/file.h>
#include <tlm/secret.h>

#define CERTIFICATES_MAX ((size_t)256 * 1024)
#define KEY_MAX 16384U

static tlm_result refuse(int code, const char *path, const char *what, const char *hint,
                         tlm_error *error)
{
    if (code == GNUTLS_E_MEMORY_ERROR) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", path);
    }
    return tlm_error_set(error, TLM_ERR_FORMAT, hint, "%s is not %s: %s", path, what,
                         gnutls_strerror(code));
}

/* What GnuTLS is given: the bytes without the zero behind them, as its sizes count. */
static tlm_result read_text(const char *path, gnutls_datum_t *text, tlm_error *error)
{
    char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, CERTIFICATES_MAX, &data, &size, error);
    if (result == TLM_OK) {
        *text = (gnutls_datum_t){(unsigned char *)data, (unsigned)size};
    }
    return result;
}

tlm_result tlm_tls_file_chain(const char *path, gnutls_pcert_st *chain, unsigned *size,
                              tlm_error *error)
{
    gnutls_datum_t text;
    tlm_result result = read_text(path, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    int code = gnutls_pcert_list_import_x509_raw(chain, size, &text, GNUTLS_X509_FMT_PEM,
                                                 GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED |
                                                     GNUTLS_X509_CRT_LIST_SORT);
    free(text.data);
    if (code < 0) {
        return refuse(code, path, "a chain of at most 16 certificates in PEM",
                      "Put the host's certificate and those above it there; to look at one: "
                      "openssl x509 -in FILE -noout -text",
                      error);
    }
    return TLM_OK;
}

static int import_key(const tlm_secret *text, gnutls_privkey_t *key, gnutls_pubkey_t *public)
{
    /* GnuTLS only reads it; the union takes the const away, which its type has no place for. */
    const union {
        const unsigned char *constant;
        unsigned char *plain;
    } bytes = {.constant = tlm_secret_bytes(text)};
    const gnutls_datum_t data = {bytes.plain, (unsigned)tlm_secret_size(text)};
    int code = gnutls_privkey_init(key);
    if (code == 0) {
        code = gnutls_privkey_import_x509_raw(*key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    if (code == 0) {
        code = gnutls_pubkey_init(public);
    }
    if (code == 0) {
        code = gnutls_pubkey_import_privkey(*public, *key, 0, 0);
    }
    if (code != 0) {
        gnutls_privkey_deinit(*key);
        gnutls_pubkey_deinit(*public);
        *key = NULL;
        *public = NULL;
    }
    return code;
}

tlm_result tlm_tls_file_key(const char *path, gnutls_privkey_t *key, gnutls_pubkey_t *public,
                            tlm_error *error)
{
    *key = NULL;
    *public = NULL;
    tlm_secret *text = NULL;
    tlm_result result = tlm_file_read_secret(path, KEY_MAX, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    int code = import_key(text, key, public);
    tlm_secret_free(&text);
    if (code != 0) {
        return refuse(code, path, "a private key in PEM without a password",
                      "Take the password away (openssl pkey -in FILE -out NEW), or keep the key on "
                      "the token: REST.Tls.Key \"pkcs11:object=tlm-attest\"",
                      error);
    }
    return TLM_OK;
}

tlm_result tlm_tls_file_authorities(const char *path, gnutls_certificate_credentials_t trust,
                                    tlm_error *error)
{
    gnutls_datum_t text;
    tlm_result result = read_text(path, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    int count = gnutls_certificate_set_x509_trust_mem(trust, &text, GNUTLS_X509_FMT_PEM);
    free(text.data);
    if (count <= 0) {
        return refuse(count < 0 ? count : GNUTLS_E_NO_CERTIFICATE_FOUND, path,
                      "a file of authorities' certificates in PEM",
                      "Put the certificate of the authority there whose clients may connect.",
                      error);
    }
    return TLM_OK;
}
