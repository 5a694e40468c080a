/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_STORAGE_PRIVATE_H
#define TLM_LICENSING_STORAGE_PRIVATE_H

/*
 * The two files in their directory.
 *
 * A cold start makes both in DIR/.new, then moves vault.bin and persistence.bin, in this order, to
 * their places. Whatever is cut off can be told from what stands there, and is rolled forward.
 */

#include <stdbool.h>

#include <openssl/evp.h>

#include <tlm/persistence.h>
#include <tlm/result.h>
#include <tlm/startup.h>
#include <tlm/vault.h>

#define TLM_STAGING_DIRECTORY ".new"

/* What opens persistence.bin. */
typedef struct tlm_opener {
    EVP_PKEY *public_key;
    tlm_unwrap unwrap;
    void *context;
} tlm_opener;

typedef struct tlm_storage {
    tlm_found persistence_found;
    tlm_found vault_found;
    tlm_persistence persistence; /* filled where it was opened */
    tlm_vault vault;
    tlm_error error; /* why a file is not good; the first one that counts */
} tlm_storage;

/*
 * Looks at both files and opens them; `opener` NULL only looks. Writes nothing. An error is the
 * opener's (the key could not be used) or memory; what is wrong with files is in `storage`.
 */
TLM_CHECKED tlm_result tlm_storage_inspect(const char *directory, const tlm_opener *opener,
                                           tlm_storage *storage, tlm_error *error);

/*
 * Makes both files; the directory exists. Opens what it sealed before it moves anything, so that a
 * key that cannot decrypt is found out. On failure nothing is left, or enough to roll forward.
 */
TLM_CHECKED tlm_result tlm_storage_create(const char *directory, const tlm_opener *opener,
                                          tlm_storage *storage, tlm_error *error);

/* Moves to its place what is staged. Nothing that stands there is replaced. */
TLM_CHECKED tlm_result tlm_storage_complete(const char *directory, tlm_storage *storage,
                                            tlm_error *error);

/* Removes what a finished cold start left in the staging directory, and only that. */
void tlm_storage_tidy(const char *directory);

/*
 * Where the backup of the missing or damaged file opens, replaces the error's hint by the command
 * that restores it. `storage` is of tlm_storage_inspect.
 */
void tlm_storage_hint_backup(const char *directory, const tlm_opener *opener,
                             const tlm_storage *storage, tlm_start_state state, tlm_error *error);

void tlm_storage_clear(tlm_storage *storage);

#endif
