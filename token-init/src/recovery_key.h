/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_RECOVERY_KEY_H
#define TLM_RECOVERY_KEY_H

/*
 * The recovery key of a vault policy, in a file that an operator keeps away from the machine: 32
 * hexadecimal digits and a newline, mode 0600.
 *
 *     tlm_secret *key = NULL;
 *     if (tlm_recovery_key_make(tpm, "/mnt/stick/host.key", &key, &error) == TLM_OK) {
 *         result = tlm_secrets_seal(&store, tpm, policy, key, &secrets, &error);
 *     }
 *     tlm_secret_free(&key);
 */

#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/tpm.h>

/* TLM_SEAL_RECOVERY_SIZE random bytes, written to a file that must not exist. */
TLM_CHECKED tlm_result tlm_recovery_key_make(tlm_tpm *tpm, const char *path, tlm_secret **key,
                                             tlm_error *error);

/* TLM_ERR_FORMAT where the file holds anything else than such a key. */
TLM_CHECKED tlm_result tlm_recovery_key_read(const char *path, tlm_secret **key, tlm_error *error);

#endif
