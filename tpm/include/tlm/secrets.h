/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SECRETS_H
#define TLM_SECRETS_H

/*
 * The secrets of a token store, wherever they rest: sealed into the TPM (sealed.json), or in the
 * clear file of a SoftHSM store and of a store that was not sealed yet (secrets.json).
 *
 *     tlm_store_secrets secrets = {0};
 *     if (tlm_secrets_open(&store, tpm, &secrets, &error) == TLM_OK) {
 *         log_in_with(secrets.user_pin);
 *     }
 *     tlm_store_secrets_clear(&secrets);
 */

#include <tlm/seal.h>
#include <tlm/store.h>

typedef enum tlm_secrets_place {
    TLM_SECRETS_NONE = 0,
    TLM_SECRETS_CLEAR, /* secrets.json */
    TLM_SECRETS_SEALED /* sealed.json */
} tlm_secrets_place;

/* Where they rest; a clear file counts before a sealed one, whose making was then interrupted. */
tlm_secrets_place tlm_secrets_where(const tlm_store *store);

/*
 * Reads them into `secrets`, which the caller clears. `tpm` may be NULL where they are not sealed.
 * TLM_ERR_INCOMPLETE where there are none; otherwise the results of tlm_store_secrets_load and
 * tlm_seal_open. Refused authorizations do not count towards the TPM's lockout.
 */
TLM_CHECKED tlm_result tlm_secrets_open(const tlm_store *store, tlm_tpm *tpm,
                                        tlm_store_secrets *secrets, tlm_error *error);

/* The same of a sealed store by the recovery key. */
TLM_CHECKED tlm_result tlm_secrets_recover(const tlm_store *store, tlm_tpm *tpm,
                                           const tlm_secret *recovery, tlm_store_secrets *secrets,
                                           tlm_error *error);

/*
 * Seals them under the present PCR values, unseals them again (also by `recovery`) and compares,
 * and only then writes sealed.json, in place of the one before. The parent must stand at its handle
 * (tlm_seal_place_parent). Removes nothing else.
 */
TLM_CHECKED tlm_result tlm_secrets_seal(const tlm_store *store, tlm_tpm *tpm,
                                        tlm_vault_policy policy, const tlm_secret *recovery,
                                        const tlm_store_secrets *secrets, tlm_error *error);

/* Reads sealed.json of the store, for what is public in it. */
TLM_CHECKED tlm_result tlm_secrets_read_sealed(const tlm_store *store, tlm_sealed *sealed,
                                               tlm_error *error);

/* Overwrites and removes secrets.json; done already is success. */
TLM_CHECKED tlm_result tlm_secrets_wipe_clear(const tlm_store *store, tlm_error *error);

/*
 * The plain text that is sealed: version 1, a mask of what is there, then user PIN, SO PIN,
 * TPM_AUTH and TPM_SEED with 16 bytes each.
 */
TLM_CHECKED tlm_result tlm_secrets_pack(const tlm_store_secrets *secrets, tlm_secret **plain,
                                        tlm_error *error);
TLM_CHECKED tlm_result tlm_secrets_unpack(const tlm_secret *plain, tlm_store_secrets *secrets,
                                          tlm_error *error);

#endif
