/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_TOKEN_FIXTURE_H
#define TLM_TEST_TOKEN_FIXTURE_H

/*
 * A SoftHSM token in a new directory, for unit tests, with fault_module.so before it.
 *
 *     tlm_token_fixture fixture;
 *     tlm_token_fixture_make(&fixture);
 *     tlm_token *token = tlm_token_fixture_open(&fixture);
 *     tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
 *     …
 *     assert_int_equal(tlm_token_fixture_calls(&fixture, "C_Login"), 2);
 *     tlm_token_close(&token);
 *     tlm_token_fixture_clear(&fixture);
 *
 * What goes wrong here fails the test at once.
 */

#include <tlm/token.h>

#define TLM_TEST_PIN "0123456789abcdef"

typedef struct tlm_token_fixture {
    char directory[64];
    char faults[96];
    char log[96];
    char pin[33];      /* what the PIN source gives; wrong ones on purpose */
    unsigned pin_asks; /* how often it was asked */
    tlm_token_config config;
} tlm_token_fixture;

void tlm_token_fixture_make(tlm_token_fixture *fixture);
void tlm_token_fixture_clear(tlm_token_fixture *fixture);

/* Adds a token of that label, with TLM_TEST_PIN. */
void tlm_token_fixture_add(tlm_token_fixture *fixture, const char *label);

tlm_token *tlm_token_fixture_open(tlm_token_fixture *fixture);

/* Sets the rules of fault_module.so; "" takes them away. */
void tlm_token_fixture_faults(tlm_token_fixture *fixture, const char *rules);

/* How often the module's function was called since the log was cleared. */
unsigned tlm_token_fixture_calls(const tlm_token_fixture *fixture, const char *function);
void tlm_token_fixture_clear_log(const tlm_token_fixture *fixture);

/* Removes a directory and all below it. */
void tlm_test_remove_tree(const char *directory);

#endif
