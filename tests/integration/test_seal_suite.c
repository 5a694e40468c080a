/* SPDX-License-Identifier: BSD-2-Clause */
/* Sealing on two simulated TPMs: what opens, what does not, and what is said then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/process.h>
#include <tlm/seal.h>
#include <tlm/settings.h>

#include "provisioned.h"

static tlm_tpm *open_tpm(const char *tcti)
{
    static char program[] = "seal";
    static char flag[] = "--tcti";
    char value[256];
    (void)snprintf(value, sizeof value, "%s", tcti);
    char *argv[] = {program, flag, value, NULL};
    tlm_settings settings;
    tlm_settings_outcome outcome;
    tlm_tcti_list list = {0};
    const tlm_tcti *used = NULL;
    tlm_tpm *tpm = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_settings_load(TLM_PROGRAM_TOKEN, 3, argv, &settings, &outcome, &error),
                     TLM_OK);
    if (tlm_tpm_open(&settings, &list, &used, &tpm, &error) != TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
    tlm_tcti_list_clear(&list);
    tlm_settings_clear(&settings);
    return tpm;
}

static int setup(void **state)
{
    *state = open_tpm(tlm_provisioned_env("TLM_TEST_TCTI"));
    bool changed = false;
    return tlm_seal_place_parent(*state, NULL, false, &changed, NULL) == TLM_OK ? 0 : -1;
}

static int teardown(void **state)
{
    tlm_tpm *tpm = *state;
    tlm_tpm_close(&tpm);
    return 0;
}

/* Another program on the same TPM; its exit status. */
static int try_tool(const char *const argv[])
{
    tlm_process_output output = {0};
    tlm_error error = {0};
    if (tlm_process_run(argv, 30000, 16384, &output, &error) != TLM_OK) {
        fail_msg("%s: %s", argv[0], error.message);
    }
    int status = output.status;
    tlm_process_output_clear(&output);
    return status;
}

static void run_tool(const char *const argv[])
{
    int status = try_tool(argv);
    if (status != 0) {
        fail_msg("%s: status %d", argv[0], status);
    }
}

static void extend(unsigned index)
{
    char what[128];
    (void)snprintf(what, sizeof what, "%u:sha256=%064x", index, 7);
    const char *const argv[] = {"tpm2_pcrextend", "-T", tlm_provisioned_env("TLM_TEST_TCTI"), what,
                                NULL};
    run_tool(argv);
}

static void evict(unsigned handle)
{
    char text[16];
    (void)snprintf(text, sizeof text, "0x%08X", handle);
    const char *const argv[] = {"tpm2_evictcontrol",
                                "-T",
                                tlm_provisioned_env("TLM_TEST_TCTI"),
                                "-C",
                                "o",
                                "-c",
                                text,
                                NULL};
    run_tool(argv);
}

static tlm_secret *secret_of(size_t size, unsigned char first)
{
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_new(size, &secret, NULL), TLM_OK);
    for (size_t i = 0; i < size; i++) {
        tlm_secret_data(secret)[i] = (unsigned char)(first + i);
    }
    return secret;
}

/* Unseals and wants a result; with TLM_OK the data too. Leaves the error to look at. */
static void assert_opens(tlm_tpm *tpm, const tlm_sealed *sealed, const tlm_secret *recovery,
                         const tlm_secret *data, tlm_result wanted, tlm_error *error)
{
    tlm_secret *again = NULL;
    memset(error, 0, sizeof *error);
    tlm_result result = tlm_seal_open(tpm, sealed, recovery, &again, error);
    if (result != wanted) {
        fail_msg("%s instead of %s: %s (%s)", tlm_result_code(result), tlm_result_code(wanted),
                 error->message, error->hint);
    }
    assert_int_equal(again != NULL, wanted == TLM_OK);
    if (wanted == TLM_OK) {
        assert_true(tlm_secret_equal(data, again));
    } else {
        assert_true(error->message[0] != '\0' && error->hint[0] != '\0');
    }
    tlm_secret_free(&again);
}

static tlm_sealed seal(tlm_tpm *tpm, tlm_vault_policy policy, const tlm_secret *recovery,
                       const tlm_secret *data)
{
    tlm_sealed sealed;
    tlm_error error = {0};
    if (tlm_seal_make(tpm, policy, recovery, data, &sealed, &error) != TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
    return sealed;
}

static void assert_nothing_counted_or_left(tlm_tpm *tpm)
{
    tlm_tpm_facts facts;
    assert_int_equal(tlm_tpm_read_facts(tpm, &facts, NULL), TLM_OK);
    assert_int_equal(facts.lockout_counter, 0);
    assert_int_equal(facts.transient_count, 0);
    const char *const argv[] = {"tpm2_getcap", "-T", tlm_provisioned_env("TLM_TEST_TCTI"),
                                "handles-loaded-session", NULL};
    tlm_process_output output = {0};
    assert_int_equal(tlm_process_run(argv, 30000, 16384, &output, NULL), TLM_OK);
    assert_int_equal(output.status, 0);
    assert_int_equal(output.size, 0);
    tlm_process_output_clear(&output);
}

static void every_size_comes_back(void **state)
{
    tlm_error error;
    for (size_t size = 1; size <= TLM_SEAL_DATA_MAX; size += size < 3 ? 1 : 25) {
        tlm_secret *data = secret_of(size, 1);
        tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
        assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
        tlm_secret_free(&data);
    }
    tlm_secret *data = secret_of(TLM_SEAL_DATA_MAX, 9);
    tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
    assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
    tlm_secret_free(&data);
    assert_nothing_counted_or_left(*state);
}

static void input_outside_the_contract_is_refused(void **state)
{
    tlm_secret *large = secret_of(TLM_SEAL_DATA_MAX + 1, 1);
    tlm_secret *data = secret_of(16, 1);
    tlm_secret *key = secret_of(TLM_SEAL_RECOVERY_SIZE, 1);
    tlm_secret *odd = secret_of(TLM_SEAL_RECOVERY_SIZE - 1, 1);
    const struct {
        tlm_vault_policy policy;
        const tlm_secret *recovery;
        const tlm_secret *data;
    } rows[] = {
        {TLM_VAULT_NONE, NULL, large},      {TLM_VAULT_NONE, NULL, NULL},
        {TLM_VAULT_NONE, key, data},        {TLM_VAULT_SECURE_BOOT, NULL, data},
        {TLM_VAULT_SECURE_BOOT, odd, data}, {TLM_VAULT_COUNT, key, data},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_sealed sealed;
        assert_int_equal(
            tlm_seal_make(*state, rows[i].policy, rows[i].recovery, rows[i].data, &sealed, NULL),
            TLM_ERR_ARGUMENT);
    }
    tlm_secret_free(&large);
    tlm_secret_free(&data);
    tlm_secret_free(&key);
    tlm_secret_free(&odd);
}

static void a_changed_register_is_named(void **state)
{
    static const struct {
        tlm_vault_policy policy;
        unsigned bound[3];
        unsigned free[3]; /* of 0, 2 and 7, ended by 99 */
    } rows[] = {
        {TLM_VAULT_SECURE_BOOT, {7, 99, 99}, {0, 2, 99}},
        {TLM_VAULT_FIRMWARE_BOOT, {0, 7, 99}, {2, 99, 99}},
        {TLM_VAULT_BOOT_SEQUENCE, {0, 2, 7}, {99, 99, 99}},
        {TLM_VAULT_NONE, {99, 99, 99}, {0, 2, 7}},
    };
    tlm_error error;
    tlm_secret *data = secret_of(66, 3);
    tlm_secret *key = secret_of(TLM_SEAL_RECOVERY_SIZE, 0xF8); /* ends in 07, begins in F8 */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const tlm_secret *recovery = rows[i].policy == TLM_VAULT_NONE ? NULL : key;
        tlm_sealed sealed = seal(*state, rows[i].policy, recovery, data);
        assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
        for (size_t j = 0; j < 3 && rows[i].free[j] != 99; j++) {
            extend(rows[i].free[j]);
            assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
        }
        for (size_t j = 0; j < 3 && rows[i].bound[j] != 99; j++) {
            char named[32];
            sealed = seal(*state, rows[i].policy, recovery, data);
            extend(rows[i].bound[j]);
            assert_opens(*state, &sealed, NULL, data, TLM_ERR_PCR, &error);
            (void)snprintf(named, sizeof named, "PCR %u changed", rows[i].bound[j]);
            assert_non_null(strstr(error.message, named));
            assert_non_null(strstr(error.message, tlm_vault_policy_name(rows[i].policy)));
            assert_non_null(strstr(error.hint, "reseal --recovery-key"));
            assert_opens(*state, &sealed, key, data, TLM_OK, &error);
        }
    }
    tlm_sealed sealed = seal(*state, TLM_VAULT_BOOT_SEQUENCE, key, data);
    extend(0);
    extend(7);
    assert_opens(*state, &sealed, NULL, data, TLM_ERR_PCR, &error);
    assert_non_null(strstr(error.message, "PCR 0, 7 changed"));
    tlm_secret_free(&data);
    tlm_secret_free(&key);
    assert_nothing_counted_or_left(*state);
}

static void a_wrong_recovery_key_is_refused_and_not_counted(void **state)
{
    tlm_error error;
    tlm_secret *data = secret_of(66, 3);
    tlm_secret *key = secret_of(TLM_SEAL_RECOVERY_SIZE, 1);
    tlm_secret *wrong = secret_of(TLM_SEAL_RECOVERY_SIZE, 2);
    tlm_sealed sealed = seal(*state, TLM_VAULT_SECURE_BOOT, key, data);
    for (unsigned i = 0; i < 10; i++) {
        assert_opens(*state, &sealed, wrong, data, TLM_ERR_PERMISSION, &error);
        assert_non_null(strstr(error.message, "recovery key"));
    }
    assert_nothing_counted_or_left(*state);
    assert_opens(*state, &sealed, key, data, TLM_OK, &error);
    tlm_secret_free(&data);
    tlm_secret_free(&key);
    tlm_secret_free(&wrong);
}

/* The values the file names are bound to the sealed object, so nobody can write others there. */
static void changed_values_and_policies_are_damage(void **state)
{
    tlm_error error;
    tlm_secret *data = secret_of(66, 3);
    tlm_secret *key = secret_of(TLM_SEAL_RECOVERY_SIZE, 1);
    tlm_sealed sealed = seal(*state, TLM_VAULT_FIRMWARE_BOOT, key, data);
    tlm_sealed other = sealed;
    other.pcrs[1].sha256[31] ^= 1;
    assert_opens(*state, &other, NULL, data, TLM_ERR_DAMAGED, &error);
    assert_opens(*state, &other, key, data, TLM_ERR_DAMAGED, &error);
    other = sealed;
    other.policy = TLM_VAULT_NONE;
    other.pcr_count = 0;
    assert_opens(*state, &other, NULL, data, TLM_ERR_DAMAGED, &error);
    other = sealed;
    other.parent.bytes[5] ^= 1;
    assert_opens(*state, &other, NULL, data, TLM_ERR_FOREIGN, &error);
    tlm_secret_free(&data);
    tlm_secret_free(&key);
}

static void every_changed_byte_is_damage(void **state)
{
    tlm_error error;
    tlm_secret *data = secret_of(66, 3);
    tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
    for (size_t i = 0; i < sealed.public_size; i++) {
        tlm_sealed other = sealed;
        other.public_area[i] ^= 0x10;
        assert_opens(*state, &other, NULL, data, TLM_ERR_DAMAGED, &error);
    }
    for (size_t i = 0; i < sealed.private_size; i++) {
        tlm_sealed other = sealed;
        other.private_area[i] ^= 0x10;
        assert_opens(*state, &other, NULL, data, TLM_ERR_DAMAGED, &error);
    }
    for (size_t size = 1; size < sealed.private_size; size++) {
        tlm_sealed other = sealed;
        other.private_size = size;
        assert_opens(*state, &other, NULL, data, TLM_ERR_DAMAGED, &error);
    }
    assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
    tlm_secret_free(&data);
    assert_nothing_counted_or_left(*state);
}

static void another_tpm_is_told(void **state)
{
    tlm_error error;
    bool changed = false;
    tlm_secret *data = secret_of(66, 3);
    tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
    tlm_tpm *other = open_tpm(tlm_provisioned_env("TLM_TEST_OTHER_TCTI"));
    /* With nothing at its handle, and with its own parent there. */
    assert_opens(other, &sealed, NULL, data, TLM_ERR_FOREIGN, &error);
    assert_int_equal(tlm_seal_place_parent(other, &sealed.parent, true, &changed, &error),
                     TLM_ERR_FOREIGN);
    assert_false(changed);
    assert_int_equal(tlm_seal_place_parent(other, NULL, false, &changed, &error), TLM_OK);
    assert_true(changed);
    assert_opens(other, &sealed, NULL, data, TLM_ERR_FOREIGN, &error);
    assert_non_null(strstr(error.message, "another TPM"));
    tlm_tpm_close(&other);
    tlm_secret_free(&data);
}

static void the_parent_comes_back_the_same(void **state)
{
    tlm_error error;
    tlm_tpm_object before;
    tlm_tpm_object after;
    bool changed = true;
    tlm_secret *data = secret_of(66, 3);
    tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
    assert_int_equal(tlm_seal_place_parent(*state, NULL, false, &changed, &error), TLM_OK);
    assert_false(changed);
    assert_int_equal(tlm_tpm_read_object(*state, TLM_HANDLE_SEAL, &before, &error), TLM_OK);
    evict(TLM_HANDLE_SEAL);
    /* Without it the same key is made for the moment; it is not put there. */
    assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
    assert_int_equal(tlm_tpm_read_object(*state, TLM_HANDLE_SEAL, &after, &error), TLM_OK);
    assert_false(after.present);
    assert_int_equal(tlm_seal_place_parent(*state, NULL, false, &changed, &error), TLM_OK);
    assert_true(changed);
    assert_int_equal(tlm_tpm_read_object(*state, TLM_HANDLE_SEAL, &after, &error), TLM_OK);
    assert_true(tlm_tpm_name_equal(&before.name, &after.name));
    assert_true(tlm_tpm_name_equal(&sealed.parent, &after.name));
    tlm_secret_free(&data);
    assert_nothing_counted_or_left(*state);
}

/* docs/formats.md: standard tools make the same parent. */
static void standard_tools_make_the_same_parent(void **state)
{
    tlm_tpm_object before;
    tlm_tpm_object after;
    char context[256];
    tlm_tpm *tpm = *state;
    const char *tcti = tlm_provisioned_env("TLM_TEST_TCTI");
    (void)snprintf(context, sizeof context, "%s/parent.ctx", tlm_provisioned_env("TLM_TEST_DIR"));
    assert_int_equal(tlm_tpm_read_object(tpm, TLM_HANDLE_SEAL, &before, NULL), TLM_OK);
    evict(TLM_HANDLE_SEAL);
    const char *const create[] = {
        "tpm2_createprimary",
        "-T",
        tcti,
        "-C",
        "o",
        "-g",
        "sha256",
        "-G",
        "ecc256:null:aes128cfb",
        "-a",
        "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt",
        "-c",
        context,
        NULL};
    run_tool(create);
    const char *const persist[] = {"tpm2_evictcontrol", "-T", tcti, "-C", "o", "-c", context,
                                   "0x810003E9",        NULL};
    run_tool(persist);
    const char *const flush[] = {"tpm2_flushcontext", "-T", tcti, "-t", NULL};
    run_tool(flush);
    assert_int_equal(tlm_tpm_read_object(tpm, TLM_HANDLE_SEAL, &after, NULL), TLM_OK);
    assert_true(tlm_tpm_name_equal(&before.name, &after.name));
}

static void a_foreign_object_is_never_replaced_unasked(void **state)
{
    tlm_error error;
    tlm_tpm_object there;
    tlm_tpm_object still;
    bool changed = true;
    char context[256];
    tlm_secret *data = secret_of(66, 3);
    const char *tcti = tlm_provisioned_env("TLM_TEST_TCTI");
    tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
    evict(TLM_HANDLE_SEAL);
    (void)snprintf(context, sizeof context, "%s/foreign.ctx", tlm_provisioned_env("TLM_TEST_DIR"));
    const char *const create[] = {
        "tpm2_createprimary", "-T", tcti, "-C", "o", "-G", "ecc256", "-c", context, NULL};
    run_tool(create);
    const char *const persist[] = {"tpm2_evictcontrol", "-T", tcti, "-C", "o", "-c", context,
                                   "0x810003E9",        NULL};
    run_tool(persist);
    const char *const flush[] = {"tpm2_flushcontext", "-T", tcti, "-t", NULL};
    run_tool(flush);
    assert_int_equal(tlm_tpm_read_object(*state, TLM_HANDLE_SEAL, &there, NULL), TLM_OK);
    assert_opens(*state, &sealed, NULL, data, TLM_ERR_EXISTS, &error);
    assert_non_null(strstr(error.message, "0x810003E9"));
    assert_non_null(strstr(error.hint, "recover --replace"));
    assert_int_equal(tlm_seal_place_parent(*state, NULL, false, &changed, &error), TLM_ERR_EXISTS);
    assert_false(changed);
    tlm_sealed made;
    assert_int_equal(tlm_seal_make(*state, TLM_VAULT_NONE, NULL, data, &made, &error),
                     TLM_ERR_EXISTS);
    assert_int_equal(tlm_tpm_read_object(*state, TLM_HANDLE_SEAL, &still, NULL), TLM_OK);
    assert_true(tlm_tpm_name_equal(&there.name, &still.name));
    assert_int_equal(tlm_seal_place_parent(*state, NULL, true, &changed, &error), TLM_OK);
    assert_true(changed);
    assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
    tlm_secret_free(&data);
    assert_nothing_counted_or_left(*state);
}

/* Sealed data has no dictionary attack protection, so it opens even then. */
static void lockout_does_not_reach_sealed_data(void **state)
{
    tlm_error error;
    tlm_tpm_facts facts;
    tlm_secret *data = secret_of(66, 3);
    const char *tcti = tlm_provisioned_env("TLM_TEST_TCTI");
    tlm_sealed sealed = seal(*state, TLM_VAULT_NONE, NULL, data);
    char context[256];
    (void)snprintf(context, sizeof context, "%s/guarded.ctx", tlm_provisioned_env("TLM_TEST_DIR"));
    const char *const create[] = {"tpm2_createprimary",
                                  "-T",
                                  tcti,
                                  "-C",
                                  "o",
                                  "-G",
                                  "ecc256",
                                  "-p",
                                  "right",
                                  "-c",
                                  context,
                                  NULL};
    run_tool(create);
    const char *const guess[] = {"tpm2_create", "-T", tcti, "-C", context, "-P", "wrong", NULL};
    const char *const flush[] = {"tpm2_flushcontext", "-T", tcti, "-t", NULL};
    run_tool(flush);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_not_equal(try_tool(guess), 0);
        run_tool(flush);
    }
    assert_int_equal(tlm_tpm_read_facts(*state, &facts, NULL), TLM_OK);
    assert_true(facts.in_lockout);
    assert_opens(*state, &sealed, NULL, data, TLM_OK, &error);
    const char *const clear[] = {"tpm2_dictionarylockout", "-T", tcti, "--clear-lockout", NULL};
    run_tool(clear);
    tlm_secret_free(&data);
    assert_nothing_counted_or_left(*state);
}

int main(void)
{
    (void)setenv("TSS2_LOG", "all+none", 0); /* most of what happens here is meant to fail */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_back),
        cmocka_unit_test(input_outside_the_contract_is_refused),
        cmocka_unit_test(a_changed_register_is_named),
        cmocka_unit_test(a_wrong_recovery_key_is_refused_and_not_counted),
        cmocka_unit_test(changed_values_and_policies_are_damage),
        cmocka_unit_test(every_changed_byte_is_damage),
        cmocka_unit_test(another_tpm_is_told),
        cmocka_unit_test(the_parent_comes_back_the_same),
        cmocka_unit_test(standard_tools_make_the_same_parent),
        cmocka_unit_test(a_foreign_object_is_never_replaced_unasked),
        cmocka_unit_test(lockout_does_not_reach_sealed_data),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
