/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_STORE_SECRETS_H
#define TLM_TEST_STORE_SECRETS_H

/*
 * The secrets of a token store for tests and measurements, from the clear file or unsealed.
 *
 *     tlm_store_secrets secrets = {0};
 *     if (tlm_test_secrets(&store, "swtpm:path=/tmp/sock", &secrets, &error) == TLM_OK) { … }
 *     tlm_store_secrets_clear(&secrets);
 */

#include <tlm/secrets.h>

/* The TPM behind `tcti` is open only inside. Settings of the environment are not looked at. */
TLM_CHECKED tlm_result tlm_test_secrets(const tlm_store *store, const char *tcti,
                                        tlm_store_secrets *secrets, tlm_error *error);

/* A tlm_token_pin_source; the context is the tlm_store_secrets. */
tlm_result tlm_test_pin(void *context, tlm_secret **pin, tlm_error *error);

#endif
