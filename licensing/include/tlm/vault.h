/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_VAULT_H
#define TLM_VAULT_H

/*
 * vault.bin: the local key pair, the salt of the fallback fingerprint and the id of the licenses'
 * ledger, under the vault key.
 *
 * A compact JWE (dir, A256GCM) whose `kid` is the storage id; the payload is a JSON object,
 * docs/formats.md gives its members.
 *
 *     tlm_vault vault = {0};
 *     if (tlm_vault_open(text, size, persistence.vault_key, persistence.storage_id, &vault,
 *                        &error) == TLM_OK) {
 *         result = tlm_fingerprint_fallback(vault.local, components, count, &print, &error);
 *     }
 *     tlm_vault_clear(&vault);
 */

#include <stddef.h>

#include <openssl/evp.h>

#include <tlm/persistence.h>
#include <tlm/result.h>
#include <tlm/secret.h>

#define TLM_VAULT_FILE "vault.bin"
#define TLM_VAULT_VERSION 2 /* newest one; written is the oldest that fits */
#define TLM_VAULT_TYPE "tlm-vault"
#define TLM_SALT_SIZE 32U

typedef struct tlm_vault {
    char storage_id[TLM_UUID_SIZE];
    EVP_PKEY *local;      /* local key pair, RSA */
    char *srk_public_key; /* PEM, public half of the identity key */
    unsigned char salt[TLM_SALT_SIZE];
    char created[TLM_INSTANT_SIZE];
    char ledger[TLM_UUID_SIZE]; /* id of the ledger that belongs to these files, "" before it */
} tlm_vault;

/*
 * A new vault for `storage_id`: makes the local key pair (RSA-2048; some 100 ms) and the salt.
 * `public_key` is the identity key's.
 */
TLM_CHECKED tlm_result tlm_vault_make(const char *storage_id, EVP_PKEY *public_key,
                                      tlm_vault *vault, tlm_error *error);

/* Seals under `key` (TLM_VAULT_KEY_SIZE bytes). The caller frees the text with free(). */
TLM_CHECKED tlm_result tlm_vault_seal(const tlm_vault *vault, const tlm_secret *key, char **text,
                                      tlm_error *error);

/*
 * Opens the text. TLM_ERR_DAMAGED: changed or torn. TLM_ERR_FOREIGN: of another installation than
 * `storage_id`. TLM_ERR_NEWER: authentic, of a newer version.
 */
TLM_CHECKED tlm_result tlm_vault_open(const char *text, size_t size, const tlm_secret *key,
                                      const char *storage_id, tlm_vault *vault, tlm_error *error);

/* The payload alone, authentic already: TLM_ERR_NEWER or TLM_ERR_DAMAGED where it is not ours. */
TLM_CHECKED tlm_result tlm_vault_parse(const void *payload, size_t size, tlm_vault *vault,
                                       tlm_error *error);

/* Seals and replaces the file in one step; the previous generation stays as PATH.bak. */
TLM_CHECKED tlm_result tlm_vault_write(const char *path, const tlm_vault *vault,
                                       const tlm_secret *key, tlm_error *error);

/* Frees the key pair and empties the record; accepts NULL. */
void tlm_vault_clear(tlm_vault *vault);

#endif
