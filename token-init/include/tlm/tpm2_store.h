/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM2_STORE_H
#define TLM_TPM2_STORE_H

/*
 * The database of tpm2-pkcs11 (schema version 8), seen from beside the module: the row that names
 * our primary, the setting for PSS, and what can be read without a login.
 *
 * The module makes the database; here only rows are read and written, after the schema's version
 * was compared. The module must not be initialized in this process while rows are written.
 *
 *     tlm_tpm2_store *rows = NULL;
 *     if (tlm_tpm2_store_open(directory, &rows, &error) == TLM_OK) {
 *         result = tlm_tpm2_store_put_primary(rows, blob, size, tpm_auth, &error);
 *     }
 *     tlm_tpm2_store_close(&rows);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlm/primary.h>
#include <tlm/result.h>
#include <tlm/secret.h>

#define TLM_TPM2_STORE_FILE "tpm2_pkcs11.sqlite3"
#define TLM_TPM2_STORE_SCHEMA 8

typedef struct tlm_tpm2_store tlm_tpm2_store;

/*
 * TLM_ERR_NOT_FOUND where there is no database, TLM_ERR_INCOMPLETE where its schema is half made,
 * TLM_ERR_NEWER and TLM_ERR_UNSUPPORTED for another schema, TLM_ERR_DAMAGED for no database at all.
 */
TLM_CHECKED tlm_result tlm_tpm2_store_open(const char *directory, tlm_tpm2_store **store,
                                           tlm_error *error);
void tlm_tpm2_store_close(tlm_tpm2_store **store);

/*
 * Names our primary: hierarchy o, the object as Esys_TR_Serialize writes it, its authorization. The
 * same primary again changes nothing; another one there is TLM_ERR_FOREIGN.
 */
TLM_CHECKED tlm_result tlm_tpm2_store_put_primary(tlm_tpm2_store *store, const unsigned char *blob,
                                                  size_t size, const tlm_secret *auth,
                                                  tlm_error *error);

/* Handle and name of the primary in the store; TLM_ERR_NOT_FOUND where no row names one. */
TLM_CHECKED tlm_result tlm_tpm2_store_get_primary(tlm_tpm2_store *store, uint32_t *handle,
                                                  tlm_tpm_name *name, tlm_error *error);

typedef struct tlm_tpm2_token {
    bool present;
    bool user_pin; /* C_InitPIN was done */
    bool pss;      /* pss-sigs-good is true */
} tlm_tpm2_token;

TLM_CHECKED tlm_result tlm_tpm2_store_read_token(tlm_tpm2_store *store, const char *label,
                                                 tlm_tpm2_token *token, tlm_error *error);

/* How many tokens the store holds. */
TLM_CHECKED tlm_result tlm_tpm2_store_count_tokens(tlm_tpm2_store *store, size_t *count,
                                                   tlm_error *error);

/* Adds pss-sigs-good to the token's settings; done already is success. */
TLM_CHECKED tlm_result tlm_tpm2_store_set_pss(tlm_tpm2_store *store, const char *label,
                                              tlm_error *error);

typedef struct tlm_object_entry {
    char label[65];
    char id[65];              /* hexadecimal */
    const char *object_class; /* "private-key", "public-key", "certificate", "data", "other" */
} tlm_object_entry;

#define TLM_OBJECTS_MAX 64U

/* The token's objects, at most TLM_OBJECTS_MAX of them. */
TLM_CHECKED tlm_result tlm_tpm2_store_list(tlm_tpm2_store *store, const char *label,
                                           tlm_object_entry objects[TLM_OBJECTS_MAX], size_t *count,
                                           tlm_error *error);

/*
 * What the module needs to load a private key: TPM2B_PUBLIC and TPM2B_PRIVATE, and the key's
 * authorization, encrypted with the token's wrapping key: IV, tag and cipher text of AES-256-GCM as
 * hexadecimal digits with colons between.
 */
typedef struct tlm_tpm2_key {
    unsigned char public_area[1024];
    size_t public_size;
    unsigned char private_area[2048];
    size_t private_size;
    char wrapped_auth[512];
} tlm_tpm2_key;

/* TLM_ERR_NOT_FOUND where the token has no private key of that label, TLM_ERR_DAMAGED. */
TLM_CHECKED tlm_result tlm_tpm2_store_read_key(tlm_tpm2_store *store, const char *token_label,
                                               const char *label, tlm_tpm2_key *key,
                                               tlm_error *error);

/*
 * The wrapping key, sealed for the user: its authorization is made from PIN and salt. wrapped_auth
 * holds the salt.
 */
TLM_CHECKED tlm_result tlm_tpm2_store_read_wrapping(tlm_tpm2_store *store, const char *token_label,
                                                    tlm_tpm2_key *key, tlm_error *error);

/*
 * Reads every row as the module would: one that it cannot parse disables every token. Then
 * TLM_ERR_DAMAGED, with table and row in the message.
 */
TLM_CHECKED tlm_result tlm_tpm2_store_verify(tlm_tpm2_store *store, tlm_error *error);

/* Class of an object by the number of PKCS#11. */
const char *tlm_object_class_name(unsigned long number);

#endif
