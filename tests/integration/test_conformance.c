/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PKCS#11 v2.40, call by call: the bare module against the provider over the same token, or against
 * a module whose path is given. What the bare module does right, ours does right. Prints the table.
 *
 *     with-token softhsm -- test_conformance
 *     P11_KIT_SERVER_ADDRESS=unix:path=… test_conformance …/p11-kit-client.so START
 *
 * p11-kit 0.24 answers a few rows itself, and wrongly; they stand in the table as it has them.
 * START is a program that is run when the bare module is through with the token, and that returns
 * when tlm-tokend serves it: the two do not share a TPM's few slots.
 */
#include "conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <p11-kit/p11-kit.h>

#include <tlm/log.h>
#include <tlm/process.h>

#include "provider.h"
#include "provisioned.h"
#include "store_secrets.h"

static const char rules[] = "{\"version\": 1, \"rules\": [{\"user\": 0, \"objects\": [\"*\"],"
                            " \"operations\": [\"use\", \"manage\"]}]}";

static side bare = {.name = "bare"};
static side ours = {.name = "ours", .ours = true};
static const char *other_module;
static const char *start_program;

void record(side *at, const char *text, CK_RV rv, const CK_RV *answers)
{
    assert_true(at->count < ROWS_MAX);
    row *made = &at->rows[at->count++];
    *made = (row){.section = at->section, .text = text, .rv = rv};
    for (size_t i = 0; answers[i] != ROW_END; i++) {
        made->right = made->right || answers[i] == rv;
    }
}

CK_OBJECT_HANDLE find_by_id(side *at, CK_OBJECT_CLASS class, CK_BYTE id)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, &id, sizeof id}};
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG count = 0;
    if (f->C_FindObjectsInit(at->session, wanted, 2) != CKR_OK) {
        return 0;
    }
    CK_RV rv = f->C_FindObjects(at->session, &found, 1, &count);
    (void)f->C_FindObjectsFinal(at->session);
    return rv == CKR_OK && count == 1 ? found : 0;
}

void fresh(side *at, bool writable, bool logged_in)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0UL);
    CK_ATTRIBUTE modulus = {.type = CKA_MODULUS};
    (void)f->C_CloseAllSessions(at->slot);
    assert_int_equal(f->C_OpenSession(at->slot, flags, NULL, NULL, &at->session), CKR_OK);
    if (logged_in) {
        assert_int_equal(f->C_Login(at->session, CKU_USER, at->pin, at->pin_size), CKR_OK);
    }
    at->rsa_private = find_by_id(at, CKO_PRIVATE_KEY, 1);
    at->rsa_public = find_by_id(at, CKO_PUBLIC_KEY, 1);
    at->ec_private = find_by_id(at, CKO_PRIVATE_KEY, 2);
    at->ec_public = find_by_id(at, CKO_PUBLIC_KEY, 2);
    at->certificate = find_by_id(at, CKO_CERTIFICATE, 1);
    assert_int_equal(f->C_GetAttributeValue(at->session, at->rsa_public, &modulus, 1), CKR_OK);
    at->rsa_size = modulus.ulValueLen;
}

static void find_slot(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_SLOT_ID slots[16];
    CK_ULONG count = 16;
    assert_int_equal(f->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info = {0};
        if (f->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
            memcmp(info.label, "tlm     ", 8) == 0) {
            at->slot = slots[i];
            return;
        }
    }
    fail_msg("%s: no token 'tlm'", at->name);
}

/* The module is not initialized before, nor afterwards. */
static void run_rows(side *at)
{
    static const struct {
        const char *name;
        void (*rows)(side *at);
    } sections[] = {
        {"slot", rows_slots},         {"session", rows_sessions}, {"object", rows_objects},
        {"create", rows_new_objects}, {"digest", rows_digest},    {"sign", rows_sign},
        {"verify", rows_verify},      {"encrypt", rows_encrypt},  {"decrypt", rows_decrypt},
        {"random", rows_random},
    };
    at->section = "general";
    rows_general(at);
    assert_int_equal(at->functions->C_Initialize(NULL), CKR_OK);
    find_slot(at);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        at->section = sections[i].name;
        sections[i].rows(at);
    }
    assert_int_equal(at->functions->C_Finalize(NULL), CKR_OK);
}

static void run_bare(tlm_store *store)
{
    tlm_store_secrets secrets = {0};
    tlm_error error = {0};
    if (tlm_test_secrets(store, tlm_provisioned_env("TLM_TEST_TCTI"), &secrets, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    bare.fragile = store->backend == TLM_BACKEND_TPM;
    bare.functions = p11_kit_module_load(store->module, P11_KIT_MODULE_UNMANAGED);
    assert_non_null(bare.functions);
    bare.pin = tlm_secret_data(secrets.user_pin);
    bare.pin_size = (CK_ULONG)tlm_secret_size(secrets.user_pin);
    run_rows(&bare);
    p11_kit_module_release(bare.functions);
    tlm_store_secrets_clear(&secrets);
}

static void run_provider(void)
{
    static const tlm_peer peer = {.pid = 1, .program = "test"};
    tlm_provisioned at;
    tlm_access *access = NULL;
    tlm_provider *provider = NULL;
    tlm_client *client = NULL;
    tlm_error error = {0};
    tlm_provisioned_open(&at);
    assert_int_equal(tlm_access_parse(rules, strlen(rules), "rules", &access, &error), TLM_OK);
    tlm_provider_config config = {.access = access, .sessions = 16};
    assert_int_equal(tlm_provider_new(&config, &provider, &error), TLM_OK);
    tlm_provider_set_token(provider, at.token);
    assert_int_equal(tlm_client_new(provider, &peer, &client, &error), TLM_OK);
    tlm_client_enter(client);
    ours.functions = tlm_provider_functions();
    run_rows(&ours);
    tlm_client_enter(NULL);
    tlm_client_free(&client);
    tlm_provider_free(&provider);
    tlm_access_free(&access);
    tlm_provisioned_close(&at);
}

static void run_other(void)
{
    const char *const argv[] = {start_program, NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    if (start_program != NULL && tlm_process_run(argv, 60000, 65536, &output, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(output.status, 0);
    tlm_process_output_clear(&output);
    ours.remote = true;
    ours.functions = p11_kit_module_load(other_module, P11_KIT_MODULE_UNMANAGED);
    assert_non_null(ours.functions);
    run_rows(&ours);
    p11_kit_module_release(ours.functions);
}

/* Prints the table; returns the rows that the bare module does right and ours does not. */
static unsigned print_table(void)
{
    unsigned worse = 0;
    unsigned better = 0;
    unsigned wrong = 0;
    (void)printf("%-8s %-66s %-32s %-32s %s\n", "section", "row", "bare", "ours", "verdict");
    for (size_t i = 0; i < ours.count; i++) {
        const row *theirs = &bare.rows[i];
        const row *own = &ours.rows[i];
        assert_string_equal(theirs->text, own->text);
        const char *verdict = own->right ? "right" : "both wrong";
        verdict = own->right && !theirs->right ? "better" : verdict;
        verdict = !own->right && theirs->right ? "WORSE" : verdict;
        worse += !own->right && theirs->right ? 1U : 0U;
        better += own->right && !theirs->right ? 1U : 0U;
        wrong += own->right ? 0U : 1U;
        (void)printf("%-8s %-66s %-32s %-32s %s\n", own->section, own->text,
                     theirs->rv == CRASHED ? "crash" : tlm_pkcs11_rv_name(theirs->rv),
                     tlm_pkcs11_rv_name(own->rv), verdict);
    }
    (void)printf("%zu rows: %zu right, %u of them wrong in the bare module, %u worse, %u wrong\n",
                 ours.count, ours.count - wrong, better, worse, wrong);
    return worse;
}

static void test_conformance(void **state)
{
    (void)state;
    tlm_store store = {0};
    tlm_error error = {0};
    if (tlm_store_load(tlm_provisioned_env("TLM_TEST_STORE"), &store, &error) != TLM_OK ||
        tlm_store_export_environment(&store, tlm_provisioned_env("TLM_TEST_TCTI"), &error) !=
            TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
    run_bare(&store);
    if (other_module != NULL) {
        run_other();
    } else {
        run_provider();
    }
    tlm_store_clear(&store);
    assert_int_equal(bare.count, ours.count);
    assert_true(ours.count > 100);
    assert_int_equal(print_table(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conformance)};
    other_module = argc > 1 ? argv[1] : NULL;
    start_program = argc > 2 ? argv[2] : NULL;
    tlm_log_set_level(TLM_LOG_WARNING); /* without a line for each use of a key */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
