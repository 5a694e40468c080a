/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_LOCAL_KEY_PRIVATE_H
#define TLM_LICENSING_LOCAL_KEY_PRIVATE_H

/* The local key pair: RSA, made here, kept as PKCS #8 in PEM. */

#include <stddef.h>

#include <openssl/evp.h>

#include <tlm/result.h>
#include <tlm/secret.h>

#include "pem_private.h"

#define TLM_LOCAL_PEM_MAX TLM_PEM_PRIVATE_MAX

/* 1024 bits are for test builds alone (-DFASTCRYPT=ON): there only the speed counts. */
#ifdef TLM_FASTCRYPT
#define TLM_LOCAL_KEY_BITS 1024U
#else
#define TLM_LOCAL_KEY_BITS 2048U
#endif

TLM_CHECKED tlm_result tlm_local_key_make(EVP_PKEY **key, tlm_error *error);

/* PKCS #8 in PEM (RFC 7468 section 10), not encrypted. */
TLM_CHECKED tlm_result tlm_local_key_to_pem(EVP_PKEY *key, tlm_secret **pem, tlm_error *error);
TLM_CHECKED tlm_result tlm_local_key_from_pem(const void *pem, size_t size, EVP_PKEY **key,
                                              tlm_error *error);

/* RSA-OAEP-256 with a key in memory; TLM_ERR_CRYPTO for any wrong cipher text. */
TLM_CHECKED tlm_result tlm_local_key_decrypt_oaep(EVP_PKEY *key, const unsigned char *cipher,
                                                  size_t size, tlm_secret **plain,
                                                  tlm_error *error);

#endif
