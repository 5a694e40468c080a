/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_BORROW_PRIVATE_H
#define TLM_CLIENT_BORROW_PRIVATE_H

/* The key pair of a borrower: P-256, in a file PATH.key of mode 0600. */

#include <openssl/evp.h>

#include <tlm-client.h>

/* PATH.key as a new string; NULL without memory. */
char *tlm_borrow_key_path(const char *path);

/* Makes a key in a file that must not exist; reads one. The caller frees the key. */
TLM_CLIENT_CHECKED tlm_client_result tlm_borrow_key_make(const char *path, EVP_PKEY **key,
                                                         tlm_client_error *error);
TLM_CLIENT_CHECKED tlm_client_result tlm_borrow_key_read(const char *path, EVP_PKEY **key,
                                                         tlm_client_error *error);

/* Thumbprint (RFC 7638), base64url. */
TLM_CLIENT_CHECKED tlm_client_result tlm_borrow_thumbprint(EVP_PKEY *key, char thumbprint[44],
                                                           tlm_client_error *error);

/* The borrower's word that a lease is returned: ES256, typ tlm-return+jwt. Freed with free(). */
TLM_CLIENT_CHECKED tlm_client_result tlm_borrow_word(EVP_PKEY *key, const char *lease, char **word,
                                                     tlm_client_error *error);

#endif
