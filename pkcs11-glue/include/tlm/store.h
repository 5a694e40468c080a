/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STORE_H
#define TLM_STORE_H

/*
 * The token store: one directory (mode 0700) with all that a provisioned token needs on disk.
 *
 *     token.json            what stands here: version, back end, label, module, thumbprint (public)
 *     secrets.json          PINs, TPM_AUTH and TPM_SEED in clear, mode 0600
 *     sealed.json           TPM back end: the same, sealed into the TPM (tlm/secrets.h)
 *     srk.pem               public half of tlm-srk
 *     tpm2_pkcs11.sqlite3   TPM back end: the store of tpm2-pkcs11
 *     softhsm2.conf tokens/ SoftHSM back end
 *     counter counter.lock  SoftHSM back end: the counter (tlm/counter_file.h)
 *
 * Written by tlm-token-init, read by whoever opens the token.
 *
 *     tlm_store store = {0};
 *     if (tlm_store_load(directory, &store, &error) == TLM_OK) {
 *         tlm_store_export_environment(&store, "device:/dev/tpmrm0", &error);
 *         tlm_token_config config = {.module = store.module, .uri = store.uri,
 *                                    .pin = tlm_store_user_pin, .context = &store};
 *         …
 *     }
 *     tlm_store_clear(&store);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>
#include <tlm/secret.h>

typedef enum tlm_backend { TLM_BACKEND_TPM = 1, TLM_BACKEND_SOFTHSM } tlm_backend;

#define TLM_STORE_VERSION 1

typedef struct tlm_store {
    char *directory; /* absolute */
    tlm_backend backend;
    char *label;
    char *uri;        /* pkcs11:token=LABEL */
    char *module;     /* path of the back end's PKCS#11 module */
    char *thumbprint; /* of tlm-srk, 64 hexadecimal digits; NULL while provisioning */
    char *created;    /* RFC 3339 */
    bool complete;    /* provisioning reached its end */
    bool counter;     /* SoftHSM: the file `counter` was made, so it must be there */
} tlm_store;

/* "tpm" and "softhsm". */
const char *tlm_backend_name(tlm_backend backend);
bool tlm_backend_from_name(const char *name, tlm_backend *backend);

/* The path of the back end's module on this system, or NULL where it is not installed. */
const char *tlm_backend_module(tlm_backend backend);

/*
 * The module of a store that was made with the one at `recorded`: that path, except where a
 * distribution has it in one of the places known here and this system has it in another one. So a
 * store goes along to another release, or into a container of one.
 */
const char *tlm_backend_module_of(tlm_backend backend, const char *recorded);

/*
 * The path of p11-kit's client module, through which a token is used that tlm-tokend serves, or
 * NULL where it is not installed.
 */
const char *tlm_client_module(void);

/*
 * Sets what the client module reads from the environment: P11_KIT_SERVER_ADDRESS, the unix socket
 * `socket` (an absolute path). The module reads it once, when it is loaded. Call it before the
 * program has threads.
 */
TLM_CHECKED tlm_result tlm_client_export_environment(const char *socket, tlm_error *error);

/*
 * Reads token.json. TLM_ERR_NOT_PROVISIONED where there is none (hint: the command that makes
 * one), TLM_ERR_NEWER, TLM_ERR_FORMAT, TLM_ERR_PERMISSION (store of another owner).
 */
TLM_CHECKED tlm_result tlm_store_load(const char *directory, tlm_store *store, tlm_error *error);

/* Writes token.json in one step. */
TLM_CHECKED tlm_result tlm_store_save(const tlm_store *store, tlm_error *error);
void tlm_store_clear(tlm_store *store);

/*
 * Sets what the back end's module reads from the environment (TPM2_PKCS11_STORE, _TCTI, _BACKEND,
 * or SOFTHSM2_CONF, whose file is brought up to date when the directory moved). Call it before the
 * program has threads. Nothing secret is set.
 */
TLM_CHECKED tlm_result tlm_store_export_environment(const tlm_store *store, const char *tcti,
                                                    tlm_error *error);

/*
 * The secrets behind one small interface, so that where they rest can change: each is optional.
 * PINs are 32 hexadecimal digits (128 bits), tpm_auth likewise, tpm_seed 16 bytes.
 */
typedef struct tlm_store_secrets {
    tlm_secret *user_pin;
    tlm_secret *so_pin;
    tlm_secret *tpm_auth;
    tlm_secret *tpm_seed;
} tlm_store_secrets;

/*
 * Reads secrets.json. TLM_ERR_UNSUPPORTED where they are sealed into the TPM (tlm/secrets.h opens
 * both), TLM_ERR_INCOMPLETE where they are missing, TLM_ERR_PERMISSION, TLM_ERR_FORMAT.
 */
TLM_CHECKED tlm_result tlm_store_secrets_load(const tlm_store *store, tlm_store_secrets *secrets,
                                              tlm_error *error);
/* Never overwrites: TLM_ERR_EXISTS where secrets of the store are there. */
TLM_CHECKED tlm_result tlm_store_secrets_create(const tlm_store *store,
                                                const tlm_store_secrets *secrets, tlm_error *error);
void tlm_store_secrets_clear(tlm_store_secrets *secrets);

/* A tlm_token_pin_source; the context is the tlm_store. */
tlm_result tlm_store_user_pin(void *context, tlm_secret **pin, tlm_error *error);

#endif
