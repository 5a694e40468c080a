/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading counter and clock through a module, which here is SoftHSM with features put before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/hardware_feature.h>

#include "../../pkcs11-glue/src/internal.h"
#include "token_fixture.h"

#define FEATURE_HANDLE 0x7000UL

typedef struct given {
    CK_ATTRIBUTE_TYPE type;
    const void *data;
    CK_ULONG size;
} given;

static tlm_token_fixture fixture;
static tlm_token *token;
static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST list;

/* What the feature has; the search finds it where it has the type asked for. */
static CK_HW_FEATURE_TYPE feature_type;
static given attributes[8];
static size_t attribute_count;
static CK_RV answers[4]; /* of C_GetAttributeValue, in this order; CKR_OK is its own answer */
static size_t reads;
static bool searching;

static const void *value_of(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type == type && template[i].ulValueLen == sizeof(CK_ULONG)) {
            return template[i].pValue;
        }
    }
    return NULL;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
    const CK_OBJECT_CLASS *class = value_of(template, count, CKA_CLASS);
    const CK_HW_FEATURE_TYPE *type = value_of(template, count, CKA_HW_FEATURE_TYPE);
    searching = class != NULL && *class == CKO_HW_FEATURE && type != NULL && *type == feature_type;
    return real->C_FindObjectsInit(session, template, count);
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max,
                  CK_ULONG *count)
{
    if (!searching) {
        return real->C_FindObjects(session, objects, max, count);
    }
    *count = 1;
    *objects = FEATURE_HANDLE;
    searching = false;
    return CKR_OK;
}

static CK_RV get_one(CK_ATTRIBUTE *attribute)
{
    for (size_t i = 0; i < attribute_count; i++) {
        if (attributes[i].type != attribute->type) {
            continue;
        }
        if (attribute->ulValueLen < attributes[i].size) {
            attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
            return CKR_BUFFER_TOO_SMALL;
        }
        memcpy(attribute->pValue, attributes[i].data, attributes[i].size);
        attribute->ulValueLen = attributes[i].size;
        return CKR_OK;
    }
    attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

static CK_RV get(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                 CK_ULONG count)
{
    if (object != FEATURE_HANDLE) {
        return real->C_GetAttributeValue(session, object, template, count);
    }
    CK_RV answer = CKR_OK;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV rv = get_one(&template[i]);
        answer = rv != CKR_OK ? rv : answer;
    }
    CK_RV given_answer =
        reads < sizeof answers / sizeof answers[0] ? answers[reads] : (CK_RV)CKR_OK;
    reads++;
    if (given_answer == CKR_ATTRIBUTE_SENSITIVE) {
        for (CK_ULONG i = 0; i < count; i++) {
            template[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        }
    }
    return given_answer != CKR_OK ? given_answer : answer;
}

static void put(CK_ATTRIBUTE_TYPE type, const void *data, CK_ULONG size)
{
    attributes[attribute_count++] = (given){.type = type, .data = data, .size = size};
}

static int setup(void **state)
{
    (void)state;
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    real = token->module->functions;
    list = *real;
    list.C_FindObjectsInit = find_init;
    list.C_FindObjects = find;
    list.C_GetAttributeValue = get;
    token->module->functions = &list;
    feature_type = CKH_VENDOR_DEFINED;
    attribute_count = 0;
    reads = 0;
    memset(answers, 0, sizeof answers);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    token->module->functions = real;
    tlm_token_close(&token);
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static const unsigned char eight[] = {0xF1, 2, 3, 4, 5, 6, 7, 8, 9};
static const CK_BBOOL yes = CK_TRUE;

static void test_a_token_without(void **state)
{
    (void)state;
    uint64_t value = 7;
    bool proof = false;
    tlm_token_clock clock;
    tlm_error error = {0};
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, &error), TLM_ERR_UNSUPPORTED);
    assert_true(value == 7);
    assert_non_null(strstr(error.message, "pkcs11:token=tlm has no monotonic counter"));
    assert_non_null(strstr(error.hint, "tlm-tokend"));
    assert_int_equal(tlm_token_clock_read(token, &clock, &error), TLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "has no clock"));
    assert_int_equal(tlm_token_counter_next(NULL, &value, &proof, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_counter_next(token, NULL, &proof, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_counter_next(token, &value, NULL, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_clock_read(NULL, &clock, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_token_clock_read(token, NULL, NULL), TLM_ERR_ARGUMENT);
}

static void test_counter(void **state)
{
    (void)state;
    uint64_t value = 0;
    bool proof = false;
    feature_type = CKH_MONOTONIC_COUNTER;
    put(CKA_VALUE, eight, 8);
    put(CKA_TLM_TAMPER_PROOF, &yes, sizeof yes);
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, NULL), TLM_OK);
    assert_true(value == 0xF102030405060708ULL);
    assert_true(proof);
    assert_int_equal(reads, 1);
    attributes[0].size = 3; /* another maker's may be shorter, and says nothing of tampering */
    attribute_count = 1;
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, NULL), TLM_OK);
    assert_true(value == 0xF10203);
    assert_false(proof);
}

static void test_counter_of_other_sizes(void **state)
{
    (void)state;
    uint64_t value = 7;
    bool proof = false;
    tlm_error error = {0};
    feature_type = CKH_MONOTONIC_COUNTER;
    put(CKA_VALUE, eight, 9);
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, &error), TLM_ERR_UNSUPPORTED);
    attributes[0].size = 0;
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, &error), TLM_ERR_UNSUPPORTED);
    assert_true(value == 7);
    attribute_count = 0;
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, &error), TLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "CKR_ATTRIBUTE_TYPE_INVALID"));
    assert_true(tlm_token_available(token));
}

static void test_refusals(void **state)
{
    (void)state;
    uint64_t value = 7;
    bool proof = false;
    tlm_error error = {0};
    feature_type = CKH_MONOTONIC_COUNTER;
    put(CKA_VALUE, eight, 8);
    answers[0] = CKR_ATTRIBUTE_SENSITIVE;
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, &error), TLM_ERR_PERMISSION);
    assert_int_equal(error.result, TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "access.json"));
    reads = 0;
    answers[0] = CKR_FUNCTION_REJECTED; /* the counter is missing: the token is not */
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, &error), TLM_ERR_TOKEN);
    assert_non_null(strstr(error.hint, "tlm-token-init doctor"));
    assert_int_equal(reads, 1);
    assert_int_equal(tlm_token_recoveries(token), 0);
    assert_true(tlm_token_available(token));
    assert_true(value == 7);
}

static void test_a_lost_device_is_brought_back(void **state)
{
    (void)state;
    uint64_t value = 0;
    bool proof = false;
    feature_type = CKH_MONOTONIC_COUNTER;
    put(CKA_VALUE, eight, 8);
    answers[0] = CKR_DEVICE_ERROR;
    assert_int_equal(tlm_token_counter_next(token, &value, &proof, NULL), TLM_OK);
    assert_int_equal(reads, 2);
    assert_true(value == 0xF102030405060708ULL);
}

/* Who takes account of each number hears of a reading that may have taken one. */
static void test_once_is_once(void **state)
{
    (void)state;
    uint64_t value = 7;
    bool proof = false;
    tlm_error error = {0};
    feature_type = CKH_MONOTONIC_COUNTER;
    put(CKA_VALUE, eight, 8);
    answers[0] = CKR_DEVICE_ERROR;
    assert_int_equal(tlm_token_counter_once(token, &value, &proof, &error),
                     TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(reads, 1);
    assert_true(value == 7);
    assert_non_null(strstr(error.message, "went away while"));
    assert_true(tlm_token_available(token));
    assert_int_equal(tlm_token_counter_once(token, &value, &proof, &error), TLM_OK);
    assert_int_equal(reads, 2);
    assert_true(value == 0xF102030405060708ULL);
    assert_int_equal(tlm_token_counter_once(NULL, &value, &proof, NULL), TLM_ERR_ARGUMENT);
}

static void test_clock(void **state)
{
    (void)state;
    tlm_token_clock clock = {0};
    static const unsigned char resets[] = {0xA0, 0, 0, 1};
    static const unsigned char restarts[] = {0, 0, 1, 0};
    feature_type = CKH_CLOCK;
    put(CKA_VALUE, "2026092114132000", 16);
    assert_int_equal(tlm_token_clock_read(token, &clock, NULL), TLM_OK);
    assert_true(clock.system_seconds == 1790000000);
    assert_false(clock.counted || clock.safe || clock.tamper_proof);
    put(CKA_TLM_CLOCK_MS, eight, 8);
    put(CKA_TLM_RESET_COUNT, resets, 4);
    put(CKA_TLM_CLOCK_SAFE, &yes, sizeof yes);
    put(CKA_TLM_TAMPER_PROOF, &yes, sizeof yes);
    assert_int_equal(tlm_token_clock_read(token, &clock, NULL), TLM_OK);
    assert_false(clock.counted); /* one of them is missing */
    put(CKA_TLM_RESTART_COUNT, restarts, 4);
    assert_int_equal(tlm_token_clock_read(token, &clock, NULL), TLM_OK);
    assert_true(clock.counted && clock.safe && clock.tamper_proof);
    assert_true(clock.clock_ms == 0xF102030405060708ULL);
    assert_int_equal(clock.reset_count, 0xA0000001U);
    assert_int_equal(clock.restart_count, 256);
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tlm_result result;
        uint64_t seconds;
    } cases[] = {
        {"1970010100000000", TLM_OK, 0},
        {"2000022923595900", TLM_OK, 951868799},
        {"9999123123595900", TLM_OK, 253402300799},
        {"2016123123596000", TLM_OK, 1483228800}, /* a second was inserted */
        {"1969123123595900", TLM_ERR_FORMAT, 0},
        {"2026063100000000", TLM_ERR_FORMAT, 0},
        {"2026023000000000", TLM_ERR_FORMAT, 0},
        {"2026130100000000", TLM_ERR_FORMAT, 0},
        {"2026010124000000", TLM_ERR_FORMAT, 0},
        {"2026010100600000", TLM_ERR_FORMAT, 0},
        {"2026010100006100", TLM_ERR_FORMAT, 0},
        {"2026-1-100000000", TLM_ERR_FORMAT, 0},
        {"202601010000000", TLM_ERR_FORMAT, 0},
        {"20260101000000000", TLM_ERR_UNSUPPORTED, 0},
        {"", TLM_ERR_FORMAT, 0},
    };
    feature_type = CKH_CLOCK;
    put(CKA_VALUE, "", 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_token_clock clock = {.system_seconds = 7};
        attributes[0].data = cases[i].text;
        attributes[0].size = strlen(cases[i].text);
        assert_int_equal(tlm_token_clock_read(token, &clock, NULL), cases[i].result);
        assert_true(clock.system_seconds == (cases[i].result == TLM_OK ? cases[i].seconds : 7));
    }
}

#define WITH_TOKEN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TOKEN(test_a_token_without),
        WITH_TOKEN(test_counter),
        WITH_TOKEN(test_counter_of_other_sizes),
        WITH_TOKEN(test_refusals),
        WITH_TOKEN(test_a_lost_device_is_brought_back),
        WITH_TOKEN(test_once_is_once),
        WITH_TOKEN(test_clock),
        WITH_TOKEN(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
