/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_PROVIDER_FIXTURE_H
#define TLM_TEST_PROVIDER_FIXTURE_H

/*
 * A provider over a SoftHSM token with the keys tlm-srk (RSA-2048, id 1) and tlm-attest (P-256, id
 * 2), fault_module.so between them. Clients: `operator` may do all, `user` (uid 1000) may sign with
 * tlm-attest and read tlm-clock, `stranger` nothing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/log.h>

#include "../../pkcs11-glue/src/internal.h"
#include "provider.h"
#include "token_fixture.h"

#define TEST_SESSIONS 4U

static const char provider_rules[] =
    "{\"version\": 1, \"rules\": ["
    "{\"user\": 0, \"objects\": [\"*\"], \"operations\": [\"use\", \"manage\"]},"
    "{\"user\": 1000, \"objects\": [\"tlm-attest\"], \"operations\": [\"sign\"]},"
    "{\"user\": 1000, \"objects\": [\"tlm-counter\"], \"operations\": [\"see\"]}]}";

static const tlm_peer operator_peer = {.uid = 0, .gid = 0, .pid = 1, .program = "operator"};
static const tlm_peer user_peer = {.uid = 1000, .gid = 1000, .pid = 2, .program = "user"};
static const tlm_peer stranger_peer = {.uid = 2000, .gid = 2000, .pid = 3, .program = "stranger"};

static tlm_token_fixture fixture;
static tlm_token *token;
static tlm_access *access_table;
static tlm_provider *provider;
static tlm_client *client;
static CK_FUNCTION_LIST *p11;
static CK_SESSION_HANDLE session;
static EVP_PKEY *rsa_public;
static EVP_PKEY *ec_public;
static uint64_t test_counter;

static inline tlm_result count_up(void *context, uint64_t *value, tlm_error *error)
{
    (void)context;
    (void)error;
    *value = ++test_counter;
    return TLM_OK;
}

static const tlm_hardware test_hardware = {.tamper_proof = false, .count = count_up};

static inline void must(tlm_result result, const tlm_error *error)
{
    if (result != TLM_OK) {
        fail_msg("%s (%s)", error->message, error->hint);
    }
}

#define assert_rv(call, expected) assert_string_equal(rv_name(call), rv_name(expected))

static inline const char *rv_name(CK_RV rv)
{
    return tlm_pkcs11_rv_name(rv);
}

static inline EVP_PKEY *public_of(tlm_key *key)
{
    EVP_PKEY *public = tlm_key_public(key);
    assert_int_equal(EVP_PKEY_up_ref(public), 1);
    tlm_key_free(&key);
    return public;
}

static inline int make_fixture(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_key *key = NULL;
    tlm_log_set_level(TLM_LOG_FATAL);
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    must(tlm_key_generate_rsa(token, 2048, "tlm-srk", 1, &key, &error), &error);
    rsa_public = public_of(key);
    must(tlm_key_generate_p256(token, "tlm-attest", 2, &key, &error), &error);
    ec_public = public_of(key);
    tlm_token_close(&token);
    must(tlm_access_parse(provider_rules, strlen(provider_rules), "rules", &access_table, &error),
         &error);
    p11 = tlm_provider_functions();
    return 0;
}

static inline int clear_fixture(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa_public);
    EVP_PKEY_free(ec_public);
    tlm_access_free(&access_table);
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static inline void open_provider(void)
{
    tlm_error error = {0};
    tlm_provider_config config = {.access = access_table,
                                  .hardware = &test_hardware,
                                  .sessions = TEST_SESSIONS,
                                  .wait_seconds = 5};
    tlm_token_fixture_faults(&fixture, "");
    token = tlm_token_fixture_open(&fixture);
    must(tlm_provider_new(&config, &provider, &error), &error);
}

static inline void enter_client(const tlm_peer *peer)
{
    tlm_error error = {0};
    must(tlm_client_new(provider, peer, &client, &error), &error);
    tlm_client_enter(client);
    assert_rv(p11->C_Initialize(NULL), CKR_OK);
}

static inline CK_SESSION_HANDLE open_session(CK_FLAGS flags)
{
    CK_SESSION_HANDLE opened = 0;
    assert_rv(
        p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION | flags, NULL, NULL, &opened),
        CKR_OK);
    return opened;
}

/* As `peer`, logged in, with a session in which to write. */
static inline void open_as(const tlm_peer *peer)
{
    open_provider();
    tlm_provider_set_token(provider, token);
    enter_client(peer);
    session = open_session(CKF_RW_SESSION);
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 0), CKR_OK);
    tlm_token_fixture_clear_log(&fixture);
    fixture.pin_asks = 0;
}

static inline int open_operator(void **state)
{
    (void)state;
    open_as(&operator_peer);
    return 0;
}

static inline int open_user(void **state)
{
    (void)state;
    open_as(&user_peer);
    return 0;
}

static inline int close_provider(void **state)
{
    (void)state;
    tlm_token_fixture_faults(&fixture, "");
    tlm_client_enter(NULL);
    tlm_client_free(&client);
    tlm_provider_free(&provider);
    tlm_token_close(&token);
    return 0;
}

static inline unsigned calls(const char *function)
{
    return tlm_token_fixture_calls(&fixture, function);
}

static inline CK_ULONG find_all(CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *found,
                                CK_ULONG max)
{
    CK_ULONG got = 0;
    assert_rv(p11->C_FindObjectsInit(session, attributes, count), CKR_OK);
    assert_rv(p11->C_FindObjects(session, found, max, &got), CKR_OK);
    assert_rv(p11->C_FindObjectsFinal(session), CKR_OK);
    return got;
}

/* The one object of that class and label; 0 where the client sees none. */
static inline CK_OBJECT_HANDLE find_one(CK_OBJECT_CLASS class, const char *label)
{
    CK_OBJECT_HANDLE found[2] = {0};
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_LABEL, tlm_unconst(label), (CK_ULONG)strlen(label)}};
    CK_ULONG count = find_all(attributes, 2, found, 2);
    assert_true(count < 2);
    return count == 1 ? found[0] : 0;
}

#endif
