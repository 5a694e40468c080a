/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tpm_private.h"

/* The TPM is played by these: what it answers next, and how often it was asked. */
static TSS2_RC answers[64];
static size_t answer_count;
static size_t asked;
static unsigned waited_ms;
static uint32_t lockout_interval;

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
TSS2_RC __wrap_Esys_GetRandom(ESYS_CONTEXT *context, ESYS_TR one, ESYS_TR two, ESYS_TR three,
                              UINT16 size, TPM2B_DIGEST **bytes);
TSS2_RC __wrap_Esys_GetCapability(ESYS_CONTEXT *context, ESYS_TR one, ESYS_TR two, ESYS_TR three,
                                  TPM2_CAP capability, UINT32 property, UINT32 count,
                                  TPMI_YES_NO *more, TPMS_CAPABILITY_DATA **data);

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)left;
    waited_ms += (unsigned)(wanted->tv_sec * 1000 + wanted->tv_nsec / 1000000);
    return 0;
}

TSS2_RC __wrap_Esys_GetRandom(ESYS_CONTEXT *context, ESYS_TR one, ESYS_TR two, ESYS_TR three,
                              UINT16 size, TPM2B_DIGEST **bytes)
{
    (void)context;
    (void)one;
    (void)two;
    (void)three;
    /* The last answer is repeated for ever. */
    TSS2_RC rc = answers[asked < answer_count ? asked : answer_count - 1];
    asked++;
    if (rc == TSS2_RC_SUCCESS) {
        *bytes = calloc(1, sizeof **bytes);
        assert_non_null(*bytes);
        (*bytes)->size = size;
        memset((*bytes)->buffer, 0xA5, size);
    }
    return rc;
}

TSS2_RC __wrap_Esys_GetCapability(ESYS_CONTEXT *context, ESYS_TR one, ESYS_TR two, ESYS_TR three,
                                  TPM2_CAP capability, UINT32 property, UINT32 count,
                                  TPMI_YES_NO *more, TPMS_CAPABILITY_DATA **data)
{
    (void)context;
    (void)one;
    (void)two;
    (void)three;
    (void)count;
    *more = TPM2_NO;
    *data = calloc(1, sizeof **data);
    assert_non_null(*data);
    (*data)->capability = capability;
    (*data)->data.tpmProperties.count = 1;
    (*data)->data.tpmProperties.tpmProperty[0].property = property;
    (*data)->data.tpmProperties.tpmProperty[0].value = lockout_interval;
    return TSS2_RC_SUCCESS;
}

static int reset(void **state)
{
    (void)state;
    answer_count = 0;
    asked = 0;
    waited_ms = 0;
    lockout_interval = 0;
    return 0;
}

static void answer(TSS2_RC rc)
{
    answers[answer_count++] = rc;
}

static tlm_result ask(tlm_error *error)
{
    struct tlm_tpm tpm = {0};
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_new(16, &secret, NULL), TLM_OK);
    tlm_result result = tlm_tpm_random(&tpm, secret, error);
    if (result == TLM_OK) {
        assert_int_equal(tlm_secret_bytes(secret)[0], 0xA5);
        assert_int_equal(tlm_secret_bytes(secret)[15], 0xA5);
    }
    tlm_secret_free(&secret);
    return result;
}

static void waits_for_a_busy_tpm(void **state)
{
    (void)state;
    answer(TPM2_RC_RETRY);
    answer(TPM2_RC_YIELDED);
    answer(TPM2_RC_TESTING);
    answer(TSS2_RC_SUCCESS);
    tlm_error error = {0};
    assert_int_equal(ask(&error), TLM_OK);
    assert_int_equal(asked, 4);
    assert_in_range(waited_ms, 60, 1000); /* 20, 40, 80 */
}

static void waits_for_a_busy_resource_manager(void **state)
{
    (void)state;
    answer(TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_RETRY);
    answer(TSS2_RC_SUCCESS);
    assert_int_equal(ask(NULL), TLM_OK);
    assert_int_equal(asked, 2);
}

static void stops_waiting_after_ten_seconds(void **state)
{
    (void)state;
    static const TSS2_RC busy[] = {TPM2_RC_RETRY, TPM2_RC_YIELDED, TPM2_RC_TESTING,
                                   TPM2_RC_NV_RATE};
    for (size_t i = 0; i < sizeof busy / sizeof busy[0]; i++) {
        assert_int_equal(reset(NULL), 0);
        answer(busy[i]);
        tlm_error error = {0};
        assert_int_equal(ask(&error), TLM_ERR_TIMEOUT);
        assert_in_range(waited_ms, TLM_TPM_WAIT_MS, TLM_TPM_WAIT_MS + 1000);
        assert_in_range(asked, 10, 40);
        assert_non_null(strstr(error.message, "TPM2_GetRandom of 16 bytes"));
        assert_non_null(strstr(error.hint, "try again"));
    }
}

static void does_not_repeat_other_answers(void **state)
{
    (void)state;
    static const TSS2_RC others[] = {TPM2_RC_FAILURE, TPM2_RC_LOCKOUT, TPM2_RC_BAD_AUTH,
                                     TSS2_TCTI_RC_IO_ERROR, TPM2_RC_OBJECT_MEMORY};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(reset(NULL), 0);
        answer(others[i]);
        assert_int_not_equal(ask(NULL), TLM_OK);
        assert_int_equal(asked, 1);
        assert_int_equal(waited_ms, 0);
    }
}

static void tells_the_seconds_of_a_lockout(void **state)
{
    (void)state;
    answer(TPM2_RC_LOCKOUT);
    lockout_interval = 7200;
    tlm_error error = {0};
    assert_int_equal(ask(&error), TLM_ERR_LOCKED);
    assert_non_null(strstr(error.hint, "7200 seconds"));
    assert_int_equal(error.domain, TLM_DOMAIN_TPM);
    assert_int_equal(error.native, TPM2_RC_LOCKOUT);
}

static void asks_until_it_has_enough(void **state)
{
    (void)state;
    answer(TSS2_RC_SUCCESS);
    struct tlm_tpm tpm = {0};
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_new(64, &secret, NULL), TLM_OK);
    assert_int_equal(tlm_tpm_random(&tpm, secret, NULL), TLM_OK);
    assert_int_equal(asked, 2); /* 32 bytes at a time */
    assert_int_equal(tlm_secret_bytes(secret)[63], 0xA5);
    tlm_secret_free(&secret);
}

static void strips_layer_and_numbers(void **state)
{
    (void)state;
    /* Session 1, handle 2, parameter 3. */
    assert_int_equal(tlm_tpm_rc_base(TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1), TPM2_RC_BAD_AUTH);
    assert_int_equal(tlm_tpm_rc_base(TPM2_RC_HANDLE | TPM2_RC_H | TPM2_RC_2), TPM2_RC_HANDLE);
    assert_int_equal(tlm_tpm_rc_base(TPM2_RC_VALUE | TPM2_RC_P | TPM2_RC_3), TPM2_RC_VALUE);
    assert_int_equal(tlm_tpm_rc_base(TPM2_RC_LOCKOUT), TPM2_RC_LOCKOUT);
    assert_int_equal(tlm_tpm_rc_base(TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_LOCKOUT), TPM2_RC_LOCKOUT);
    assert_int_equal(tlm_tpm_rc_base(TSS2_ESYS_RC_BAD_VALUE), TSS2_ESYS_RC_BAD_VALUE);
}

static void names_code_and_remedy(void **state)
{
    (void)state;
    static const struct {
        TSS2_RC rc;
        tlm_result result;
        const char *hint;
    } cases[] = {
        {TPM2_RC_LOCKOUT, TLM_ERR_LOCKED, "tpm2_dictionarylockout"},
        {TPM2_RC_NV_SPACE, TLM_ERR_NO_SPACE, "tpm2_getcap handles-persistent"},
        {TPM2_RC_OBJECT_MEMORY, TLM_ERR_NO_SPACE, "tpm2_flushcontext -t"},
        {TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1, TLM_ERR_PERMISSION, "--owner-auth-file"},
        {TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, TLM_ERR_PERMISSION, "--owner-auth-file"},
        {TPM2_RC_HIERARCHY | TPM2_RC_H | TPM2_RC_1, TLM_ERR_PERMISSION, "firmware"},
        {TPM2_RC_TESTING, TLM_ERR_TIMEOUT, "tpm2_selftest"},
        {TPM2_RC_NV_RATE, TLM_ERR_TIMEOUT, "spares its memory"},
        {TPM2_RC_FAILURE, TLM_ERR_TPM, "off and on"},
        {TPM2_RC_SIZE, TLM_ERR_TPM, ""},
        {TSS2_TCTI_RC_IO_ERROR, TLM_ERR_TPM_UNAVAILABLE, "doctor"},
        {TSS2_ESYS_RC_IO_ERROR, TLM_ERR_TPM_UNAVAILABLE, "doctor"},
        {TSS2_ESYS_RC_MEMORY, TLM_ERR_MEMORY, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_error error = {0};
        assert_int_equal(tlm_error_set_tss(&error, cases[i].rc, "TPM2_Try", "of %d", 7),
                         cases[i].result);
        assert_int_equal(error.native, cases[i].rc);
        assert_memory_equal(error.message, "TPM2_Try of 7: ", 15);
        assert_non_null(strstr(error.message, "(0x"));
        assert_non_null(strstr(error.hint, cases[i].hint));
        assert_int_equal(tlm_error_set_tss(NULL, cases[i].rc, "TPM2_Try", "of %d", 7),
                         cases[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(waits_for_a_busy_tpm, reset),
        cmocka_unit_test_setup(waits_for_a_busy_resource_manager, reset),
        cmocka_unit_test_setup(stops_waiting_after_ten_seconds, reset),
        cmocka_unit_test_setup(does_not_repeat_other_answers, reset),
        cmocka_unit_test_setup(tells_the_seconds_of_a_lockout, reset),
        cmocka_unit_test_setup(asks_until_it_has_enough, reset),
        cmocka_unit_test(strips_layer_and_numbers),
        cmocka_unit_test(names_code_and_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
