/* SPDX-License-Identifier: BSD-2-Clause */
#include "provisioned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_secrets.h"

const char *tlm_provisioned_env(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        fail_msg("%s is not set: run this through tests/support/with-token", name);
    }
    return value;
}

/* A tlm_token_pin_source: who serves the token knows the PIN. */
static tlm_result no_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    (void)context;
    (void)error;
    *pin = NULL;
    return TLM_OK;
}

/* Unsealed once: later the token's keys may have taken every object slot of a simulated TPM. */
static tlm_result read_secrets(tlm_provisioned *at, const char *tcti, tlm_error *error)
{
    static tlm_store_secrets kept;
    tlm_result result =
        kept.user_pin != NULL ? TLM_OK : tlm_test_secrets(&at->store, tcti, &kept, error);
    return result == TLM_OK ? tlm_test_pin(&kept, &at->secrets.user_pin, error) : result;
}

void tlm_provisioned_open(tlm_provisioned *at)
{
    tlm_error error = {0};
    *at = (tlm_provisioned){.token = NULL};
    if (tlm_store_load(tlm_provisioned_env("TLM_TEST_STORE"), &at->store, &error) != TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
    tlm_token_config config = {
        .module = getenv("TLM_TEST_CLIENT"), .uri = at->store.uri, .pin = no_pin};
    if (config.module == NULL) {
        config.module = at->store.module;
        config.pin = tlm_test_pin;
        config.context = &at->secrets;
        const char *tcti = tlm_provisioned_env("TLM_TEST_TCTI");
        if (read_secrets(at, tcti, &error) != TLM_OK ||
            tlm_store_export_environment(&at->store, tcti, &error) != TLM_OK) {
            fail_msg("%s (%s)", error.message, error.hint);
        }
    }
    if (tlm_token_open(&config, &at->token, &error) != TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
}

void tlm_provisioned_close(tlm_provisioned *at)
{
    tlm_token_close(&at->token);
    tlm_store_secrets_clear(&at->secrets);
    tlm_store_clear(&at->store);
}

tlm_key *tlm_provisioned_key(const tlm_provisioned *at, const char *label)
{
    tlm_key *key = NULL;
    tlm_error error = {0};
    if (tlm_key_find(at->token, label, &key, &error) != TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
    return key;
}

tlm_result tlm_provisioned_sign(tlm_key *key, tlm_jwa algorithm, tlm_error *error)
{
    static const char text[] = "what this host says";
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_result result = tlm_key_sign(key, algorithm, text, sizeof text, signature, &size, error);
    if (result == TLM_OK) {
        result = tlm_public_verify(tlm_key_public(key), algorithm, text, sizeof text, signature,
                                   size, error);
    }
    return result;
}
