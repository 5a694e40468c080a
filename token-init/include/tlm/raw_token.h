/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_RAW_TOKEN_H
#define TLM_RAW_TOKEN_H

/*
 * What provisioning needs of a PKCS#11 module and nobody else does: C_InitToken, C_InitPIN, and a
 * count and removal of objects that an interrupted run left in halves.
 *
 * Not beside an open tlm_token of the same process. The back end's environment must be exported
 * before (tlm_store_export_environment). One thread.
 *
 *     tlm_raw_token *raw = NULL;
 *     if (tlm_raw_open(store.module, &raw, &error) == TLM_OK) {
 *         result = tlm_raw_init_token(raw, "tlm", so_pin, &error);
 *     }
 *     tlm_raw_close(&raw);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/tpm2_store.h>

typedef struct tlm_raw_token tlm_raw_token;

/* Loads and initializes the module. */
TLM_CHECKED tlm_result tlm_raw_open(const char *module, tlm_raw_token **raw, tlm_error *error);

/* Ends session and login, finalizes, unloads. Accepts NULL. */
void tlm_raw_close(tlm_raw_token **raw);

typedef struct tlm_raw_state {
    bool present;  /* a token of that label is initialized */
    bool user_pin; /* and its user PIN too, as far as the token's flags tell */
} tlm_raw_state;

TLM_CHECKED tlm_result tlm_raw_read_state(tlm_raw_token *raw, const char *label,
                                          tlm_raw_state *state, tlm_error *error);

/* C_InitToken in the first slot whose token is not initialized; TLM_ERR_NO_SPACE without one. */
TLM_CHECKED tlm_result tlm_raw_init_token(tlm_raw_token *raw, const char *label, tlm_secret *so_pin,
                                          tlm_error *error);

/* Logs in as security officer, C_InitPIN, logs out. */
TLM_CHECKED tlm_result tlm_raw_init_pin(tlm_raw_token *raw, const char *label, tlm_secret *so_pin,
                                        tlm_secret *user_pin, tlm_error *error);

/* Opens the token's session; with a PIN as user, without one for public objects only. */
TLM_CHECKED tlm_result tlm_raw_login(tlm_raw_token *raw, const char *label, tlm_secret *user_pin,
                                     tlm_error *error);

typedef struct tlm_raw_census {
    size_t private_keys;
    size_t public_keys;
    size_t certificates;
} tlm_raw_census;

/* After tlm_raw_login: how many objects have the label. */
TLM_CHECKED tlm_result tlm_raw_count(tlm_raw_token *raw, const char *label, tlm_raw_census *census,
                                     tlm_error *error);

/* After tlm_raw_login: destroys the objects that have the label. */
TLM_CHECKED tlm_result tlm_raw_remove(tlm_raw_token *raw, const char *label, tlm_error *error);

/*
 * After tlm_raw_login: destroys the objects that have neither label nor id; *removed counts them.
 * SoftHSM leaves one where it is killed while it writes a key. Only for a token that is not
 * complete: none of ours is without a name.
 */
TLM_CHECKED tlm_result tlm_raw_remove_nameless(tlm_raw_token *raw, size_t *removed,
                                               tlm_error *error);

/* After tlm_raw_login: the objects this login sees, at most TLM_OBJECTS_MAX. */
TLM_CHECKED tlm_result tlm_raw_list(tlm_raw_token *raw, tlm_object_entry objects[TLM_OBJECTS_MAX],
                                    size_t *count, tlm_error *error);

#endif
