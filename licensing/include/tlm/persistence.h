/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PERSISTENCE_H
#define TLM_PERSISTENCE_H

/*
 * persistence.bin: the key of the vault, encrypted to the host's identity key.
 *
 * A compact JWE (RSA-OAEP-256, A256GCM) whose `kid` is the identity key's thumbprint; the payload
 * is a JSON object, docs/formats.md gives its members.
 *
 *     tlm_persistence persistence = {0};
 *     result = tlm_persistence_open(text, size, public_key, unwrap, srk, &persistence, &error);
 *     if (result == TLM_OK) {
 *         open_vault(persistence.vault, persistence.vault_key);
 *     } else if (result == TLM_ERR_FOREIGN) {
 *         fprintf(stderr, "%s\n", error.message); // names both thumbprints
 *     }
 *     tlm_persistence_clear(&persistence);
 */

#include <stddef.h>

#include <openssl/evp.h>

#include <tlm/result.h>
#include <tlm/secret.h>

#define TLM_PERSISTENCE_FILE "persistence.bin"
#define TLM_PERSISTENCE_VERSION 1
#define TLM_PERSISTENCE_TYPE "tlm-persistence"
#define TLM_VAULT_KEY_SIZE 32U
#define TLM_UUID_SIZE 37U    /* text of a UUID with its zero byte */
#define TLM_INSTANT_SIZE 21U /* "2026-01-31T12:00:00Z" with its zero byte */

typedef struct tlm_persistence {
    char storage_id[TLM_UUID_SIZE]; /* names the files of one installation */
    char vault[64];                 /* file name of the vault, "vault.bin" */
    tlm_secret *vault_key;
    char thumbprint[65]; /* of the identity key, hexadecimal */
    char created[TLM_INSTANT_SIZE];
} tlm_persistence;

/*
 * Decrypts a content key with the identity key. TLM_ERR_CRYPTO says that it was not encrypted to
 * this key; every other error, that the key could not be used now.
 */
typedef tlm_result (*tlm_unwrap)(void *context, const unsigned char *wrapped, size_t size,
                                 tlm_secret **key, tlm_error *error);

/* A new storage id and vault key for the identity key `public_key`. */
TLM_CHECKED tlm_result tlm_persistence_make(EVP_PKEY *public_key, tlm_persistence *persistence,
                                            tlm_error *error);

/* Seals to `public_key`. The caller frees the text with free(). */
TLM_CHECKED tlm_result tlm_persistence_seal(const tlm_persistence *persistence,
                                            EVP_PKEY *public_key, char **text, tlm_error *error);

/*
 * Opens the text with one call of `unwrap`. TLM_ERR_DAMAGED: changed or torn. TLM_ERR_FOREIGN:
 * whole as far as can be seen, but for another key. TLM_ERR_NEWER: authentic, of a newer version.
 * Any other error is unwrap's: the key could not be used.
 */
TLM_CHECKED tlm_result tlm_persistence_open(const char *text, size_t size, EVP_PKEY *public_key,
                                            tlm_unwrap unwrap, void *context,
                                            tlm_persistence *persistence, tlm_error *error);

/* The payload alone, authentic already: TLM_ERR_NEWER or TLM_ERR_DAMAGED where it is not ours. */
TLM_CHECKED tlm_result tlm_persistence_parse(const void *payload, size_t size,
                                             tlm_persistence *persistence, tlm_error *error);

/* The `kid` of a persistence text, or TLM_ERR_FORMAT; nothing is decrypted. */
TLM_CHECKED tlm_result tlm_persistence_kid(const char *text, size_t size, char kid[44],
                                           tlm_error *error);

/* Wipes the vault key and empties the record; accepts NULL. */
void tlm_persistence_clear(tlm_persistence *persistence);

#endif
