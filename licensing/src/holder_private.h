/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_HOLDER_PRIVATE_H
#define TLM_LICENSING_HOLDER_PRIVATE_H

/*
 * What holds the identity key: a token of the store, a token of a module that the operator named,
 * or a key file. Above it all are the same: a public key, a way to decrypt, and a mark that says
 * which files belong to it.
 */

#include <stdbool.h>

#include <openssl/evp.h>

#include <tlm/identity.h>
#include <tlm/key.h>
#include <tlm/store.h>
#include <tlm/tokend_report.h>

#include "child_private.h"
#include "storage_private.h"
#include "supervisor_private.h"

#define TLM_SRK_LABEL "tlm-srk"
#define TLM_ATTEST_LABEL "tlm-attest"
#define TLM_MARK_LABEL "tlm-storage"
#define TLM_LOCAL_KEY_FILE "local.key"
#define TLM_LOCAL_MARK_FILE "local.mark"

typedef struct tlm_holder {
    tlm_key_holder kind;
    tlm_store store;          /* TPM and SoftHSM */
    bool served;              /* the token is used through tlm-tokend */
    tlm_tokend_report report; /* what that said when the token was opened */
    tlm_token *token;
    tlm_key *srk;
    EVP_PKEY *local;
    EVP_PKEY *public_key; /* of srk or local; NULL while there is none */
} tlm_holder;

/* ---- holder_choose.c ---- */

/*
 * Decides what holds the key and loads the store or the key file; opens no token. May provision a
 * SoftHSM token through tlm-token-init where no TPM is wanted and nothing is there yet.
 * TLM_ERR_NOT_PROVISIONED: there is none; TLM_ERR_FOREIGN: it is a TPM's, and none is wanted.
 */
TLM_CHECKED tlm_result tlm_holder_choose(const tlm_identity_config *config,
                                         const tlm_stop_check *stop, tlm_holder *holder,
                                         tlm_error *error);

/*
 * Loads what holds the key for a second user of it, once the identity has found that it is `kind`:
 * decides nothing, provisions nothing, waits for nobody.
 */
TLM_CHECKED tlm_result tlm_holder_choose_again(const tlm_identity_config *config,
                                               tlm_key_holder kind, tlm_holder *holder,
                                               tlm_error *error);

/* ---- holder_served.c ---- */

/*
 * Takes the token that tlm-tokend serves, for a daemon that has no token store to look into; false
 * where nobody serves one.
 */
bool tlm_holder_take_served(const tlm_identity_config *config, tlm_holder *holder);

/*
 * Waits until tlm-tokend serves the holder's token, and has one started where nobody does; else
 * says why it is not served, in tlm-tokend's own words where it has some.
 */
TLM_CHECKED tlm_result tlm_holder_await(tlm_supervisor *supervisor, const tlm_stop_check *stop,
                                        tlm_holder *holder, tlm_error *error);

/* After a token of tlm-tokend was not found or failed: puts the cause in the place of the symptom.
 */
void tlm_holder_explain(tlm_supervisor *supervisor, const tlm_holder *holder, tlm_error *error);

/* ---- holder_token.c ---- */

/*
 * Opens the token of a chosen holder and finds the key. Key files are open already. `supervisor` is
 * used for all but a module that the operator named.
 */
TLM_CHECKED tlm_result tlm_holder_open(const tlm_identity_config *config,
                                       tlm_supervisor *supervisor, const tlm_stop_check *stop,
                                       tlm_holder *holder, tlm_error *error);

/*
 * Opens once more what the identity has open, with a session of its own. Closed again on failure.
 */
TLM_CHECKED tlm_result tlm_holder_open_again(const tlm_identity_config *config, tlm_key_holder kind,
                                             tlm_holder *holder, tlm_error *error);

/*
 * Asks the token why it cannot be used, through `tlm-token-init doctor`: only the TPM knows a
 * lockout or a foreign token from a failed line. Replaces message and hint where it finds something
 * and returns what was found, else `found`.
 */
tlm_found_token tlm_holder_diagnose(const tlm_identity_config *config, const tlm_stop_check *stop,
                                    const tlm_holder *holder, tlm_found_token found,
                                    tlm_error *error);

/* ---- holder.c ---- */

/* What an error of the token means for the start-up. */
tlm_found_token tlm_holder_found(const tlm_error *error);

tlm_opener tlm_holder_opener(tlm_holder *holder);

/* Makes the key file where a local holder has none. */
TLM_CHECKED tlm_result tlm_holder_prepare(const char *directory, tlm_holder *holder,
                                          tlm_error *error);

/* The storage id that the holder is marked with; *marked false where there is none. */
TLM_CHECKED tlm_result tlm_holder_read_mark(const char *directory, tlm_holder *holder,
                                            char storage_id[TLM_UUID_SIZE], bool *marked,
                                            tlm_error *error);
TLM_CHECKED tlm_result tlm_holder_write_mark(const char *directory, tlm_holder *holder,
                                             const char *storage_id, tlm_error *error);

void tlm_holder_close(tlm_holder *holder);

#endif
