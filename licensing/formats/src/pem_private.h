/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_PEM_PRIVATE_H
#define TLM_LICENSING_PEM_PRIVATE_H

/*
 * Private keys in memory as PKCS #8 in PEM (RFC 7468 section 10), not encrypted.
 *
 *     tlm_secret *pem = NULL;
 *     if (tlm_pem_write_private(key, &pem, &error) == TLM_OK) {
 *         EVP_PKEY *same = tlm_pem_read_private(tlm_secret_bytes(pem), tlm_secret_size(pem));
 *     }
 *     tlm_secret_free(&pem);
 */

#include <stddef.h>

#include <openssl/evp.h>

#include <tlm/result.h>
#include <tlm/secret.h>

/* More than RSA-4096 needs. */
#define TLM_PEM_PRIVATE_MAX 8192U

/* TLM_ERR_CRYPTO with OpenSSL's reason. The caller frees the secret. */
TLM_CHECKED tlm_result tlm_pem_write_private(EVP_PKEY *key, tlm_secret **pem, tlm_error *error);

/*
 * A private key of any type, to be freed with EVP_PKEY_free. NULL where there is none in 1 to
 * TLM_PEM_PRIVATE_MAX bytes, or one that wants a passphrase: nobody is asked for it.
 */
EVP_PKEY *tlm_pem_read_private(const void *pem, size_t size);

#endif
