/* SPDX-License-Identifier: BSD-2-Clause */
/* The hardware feature objects: which there are, what a search shows, each case of reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <feature.h>

typedef struct fake {
    uint64_t value;
    unsigned counts;
    unsigned clocks;
    tlm_result answer;
    tlm_hardware_clock clock;
} fake;

static tlm_result fake_count(void *context, uint64_t *value, tlm_error *error)
{
    fake *state = context;
    state->counts++;
    if (state->answer != TLM_OK) {
        return tlm_error_set(error, state->answer, NULL, "the fake counter fails");
    }
    *value = ++state->value;
    return TLM_OK;
}

static tlm_result fake_clock(void *context, tlm_hardware_clock *now, tlm_error *error)
{
    fake *state = context;
    state->clocks++;
    if (state->answer != TLM_OK) {
        return tlm_error_set(error, state->answer, NULL, "the fake clock fails");
    }
    *now = state->clock;
    now->clock_ms += state->clocks;
    return TLM_OK;
}

static fake behind;
static tlm_hardware hardware;
#define COUNTER 0U
#define CLOCK 1U

static int setup(void **state)
{
    (void)state;
    behind = (fake){.value = 0x0102030405060700ULL,
                    .clock = {.system_seconds = 1790000000,
                              .clock_ms = 0x1122334455667700ULL,
                              .reset_count = 0xA0B0C0D0U,
                              .restart_count = 7,
                              .safe = true}};
    hardware = (tlm_hardware){
        .tamper_proof = true, .count = fake_count, .clock = fake_clock, .context = &behind};
    return 0;
}

static CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, void *data, size_t size)
{
    return (CK_ATTRIBUTE){.type = type, .pValue = data, .ulValueLen = size};
}

static void test_objects_are_what_the_back_end_has(void **state)
{
    (void)state;
    assert_int_equal(tlm_feature_count(NULL), 0);
    assert_int_equal(tlm_feature_count(&hardware), TLM_FEATURES_MAX);
    assert_string_equal(tlm_feature_label(&hardware, COUNTER), TLM_COUNTER_LABEL);
    assert_string_equal(tlm_feature_label(&hardware, CLOCK), TLM_CLOCK_LABEL);
    assert_null(tlm_feature_label(&hardware, 2));
    assert_null(tlm_feature_label(NULL, 0));
    hardware.count = NULL;
    assert_int_equal(tlm_feature_count(&hardware), 1);
    assert_string_equal(tlm_feature_label(&hardware, 0), TLM_CLOCK_LABEL);
    hardware.clock = NULL;
    assert_int_equal(tlm_feature_count(&hardware), 0);
    assert_int_equal(tlm_feature_get(&hardware, 0, NULL, 0), CKR_OBJECT_HANDLE_INVALID);
}

static void test_search_needs_the_class(void **state)
{
    (void)state;
    CK_OBJECT_CLASS class = CKO_HW_FEATURE;
    CK_HW_FEATURE_TYPE type = CKH_CLOCK;
    CK_ATTRIBUTE template[] = {attribute(CKA_CLASS, &class, sizeof class),
                               attribute(CKA_HW_FEATURE_TYPE, &type, sizeof type)};
    assert_false(tlm_feature_matches(&hardware, COUNTER, NULL, 0));
    assert_false(tlm_feature_matches(&hardware, CLOCK, template + 1, 1));
    assert_true(tlm_feature_matches(&hardware, COUNTER, template, 1));
    assert_true(tlm_feature_matches(&hardware, CLOCK, template, 1));
    assert_false(tlm_feature_matches(&hardware, COUNTER, template, 2));
    assert_true(tlm_feature_matches(&hardware, CLOCK, template, 2));
    assert_false(tlm_feature_matches(&hardware, 2, template, 1));
    class = CKO_PRIVATE_KEY;
    assert_false(tlm_feature_matches(&hardware, CLOCK, template, 1));
    class = CKO_HW_FEATURE;
    template[0].ulValueLen = sizeof class - 1;
    assert_false(tlm_feature_matches(&hardware, CLOCK, template, 1));
    template[0] = attribute(CKA_CLASS, NULL, sizeof class);
    assert_false(tlm_feature_matches(&hardware, CLOCK, template, 1));
}

static void test_search_by_other_attributes(void **state)
{
    (void)state;
    CK_OBJECT_CLASS class = CKO_HW_FEATURE;
    CK_BBOOL no = CK_FALSE;
    CK_BBOOL yes = CK_TRUE;
    char label[] = TLM_COUNTER_LABEL;
    unsigned char next[8] = {1, 2, 3, 4, 5, 6, 7, 1};
    const CK_ATTRIBUTE first = attribute(CKA_CLASS, &class, sizeof class);
    const struct {
        CK_ATTRIBUTE second;
        bool found;
    } cases[] = {
        {attribute(CKA_HAS_RESET, &no, sizeof no), true},
        {attribute(CKA_HAS_RESET, &yes, sizeof yes), false},
        {attribute(CKA_TLM_TAMPER_PROOF, &yes, sizeof yes), true},
        {attribute(CKA_LABEL, label, sizeof label - 1), true},
        {attribute(CKA_LABEL, label, sizeof label - 2), false},
        {attribute(CKA_PRIVATE, &no, sizeof no), true},
        {attribute(CKA_TOKEN, &no, sizeof no), false},
        {attribute(CKA_ID, next, sizeof next), false},
        {attribute(CKA_VALUE, next, sizeof next), false},
        {attribute(CKA_TLM_CLOCK_SAFE, &yes, sizeof yes), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const CK_ATTRIBUTE template[] = {first, cases[i].second};
        assert_int_equal(tlm_feature_matches(&hardware, COUNTER, template, 2), cases[i].found);
    }
    assert_int_equal(behind.counts, 0); /* a search never counts */
}

static void test_each_reading_counts_once(void **state)
{
    (void)state;
    unsigned char bytes[16];
    CK_ATTRIBUTE value = attribute(CKA_VALUE, NULL, 0);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, &value, 1), CKR_OK);
    assert_int_equal(value.ulValueLen, 8);
    value = attribute(CKA_VALUE, bytes, 7);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, &value, 1), CKR_BUFFER_TOO_SMALL);
    assert_true(value.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(behind.counts, 0);

    static const unsigned char first[8] = {1, 2, 3, 4, 5, 6, 7, 1};
    value = attribute(CKA_VALUE, bytes, sizeof bytes);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, &value, 1), CKR_OK);
    assert_int_equal(value.ulValueLen, 8);
    assert_memory_equal(bytes, first, sizeof first);
    value = attribute(CKA_VALUE, bytes, 8);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, &value, 1), CKR_OK);
    assert_int_equal(bytes[7], 2);
    assert_int_equal(behind.counts, 2);
}

static void test_all_attributes_are_processed(void **state)
{
    (void)state;
    CK_OBJECT_CLASS class = 0;
    CK_BBOOL reset = 9;
    CK_BBOOL on_init = 9;
    unsigned char small[2];
    unsigned char value[8] = {0};
    CK_ATTRIBUTE template[] = {
        attribute(CKA_CLASS, &class, sizeof class), attribute(CKA_MODULUS, small, sizeof small),
        attribute(CKA_LABEL, small, sizeof small),  attribute(CKA_HAS_RESET, &reset, 1),
        attribute(CKA_RESET_ON_INIT, &on_init, 1),  attribute(CKA_TLM_CLOCK_MS, NULL, 0),
        attribute(CKA_HW_FEATURE_TYPE, NULL, 0),    attribute(CKA_VALUE, value, sizeof value),
    };
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, template, 8), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_int_equal(class, CKO_HW_FEATURE);
    assert_true(template[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_true(template[2].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(reset, CK_FALSE);
    assert_int_equal(on_init, CK_FALSE);
    assert_true(template[5].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(template[6].ulValueLen, sizeof(CK_HW_FEATURE_TYPE));
    assert_int_equal(value[7], 1);
    template[2].ulValueLen = sizeof small;
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, template + 2, 1), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, NULL, 0), CKR_OK);
}

static void test_files_can_be_reset(void **state)
{
    (void)state;
    hardware.tamper_proof = false;
    CK_BBOOL reset = 9;
    CK_BBOOL proof = 9;
    CK_ATTRIBUTE template[] = {attribute(CKA_HAS_RESET, &reset, 1),
                               attribute(CKA_TLM_TAMPER_PROOF, &proof, 1)};
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, template, 2), CKR_OK);
    assert_int_equal(reset, CK_TRUE);
    assert_int_equal(proof, CK_FALSE);
}

static void test_clock_is_of_one_moment(void **state)
{
    (void)state;
    char text[17] = "";
    unsigned char ms[8];
    unsigned char again[8];
    unsigned char resets[4];
    unsigned char restarts[4];
    CK_BBOOL safe = 9;
    CK_ATTRIBUTE template[] = {
        attribute(CKA_VALUE, text, 16),
        attribute(CKA_TLM_CLOCK_MS, ms, sizeof ms),
        attribute(CKA_TLM_RESET_COUNT, resets, sizeof resets),
        attribute(CKA_TLM_RESTART_COUNT, restarts, sizeof restarts),
        attribute(CKA_TLM_CLOCK_SAFE, &safe, sizeof safe),
        attribute(CKA_TLM_CLOCK_MS, again, sizeof again),
    };
    assert_int_equal(tlm_feature_get(&hardware, CLOCK, template, 6), CKR_OK);
    assert_string_equal(text, "2026092114132000");
    static const unsigned char expected[8] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x01};
    assert_memory_equal(ms, expected, sizeof ms);
    assert_memory_equal(again, expected, sizeof ms);
    static const unsigned char counts[4] = {0xA0, 0xB0, 0xC0, 0xD0};
    assert_memory_equal(resets, counts, sizeof counts);
    static const unsigned char seven[4] = {0, 0, 0, 7};
    assert_memory_equal(restarts, seven, sizeof seven);
    assert_int_equal(safe, CK_TRUE);
    assert_int_equal(behind.clocks, 1);
    CK_ATTRIBUTE reset = attribute(CKA_HAS_RESET, &safe, 1);
    assert_int_equal(tlm_feature_get(&hardware, CLOCK, &reset, 1), CKR_ATTRIBUTE_TYPE_INVALID);
}

static void test_clock_sizes_ask_nobody(void **state)
{
    (void)state;
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        size_t size;
    } cases[] = {{CKA_VALUE, 16},
                 {CKA_TLM_CLOCK_MS, 8},
                 {CKA_TLM_RESET_COUNT, 4},
                 {CKA_TLM_RESTART_COUNT, 4},
                 {CKA_TLM_CLOCK_SAFE, 1}};
    unsigned char bytes[16];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CK_ATTRIBUTE one = attribute(cases[i].type, NULL, 0);
        assert_int_equal(tlm_feature_get(&hardware, CLOCK, &one, 1), CKR_OK);
        assert_int_equal(one.ulValueLen, cases[i].size);
        one = attribute(cases[i].type, bytes, cases[i].size - 1);
        assert_int_equal(tlm_feature_get(&hardware, CLOCK, &one, 1), CKR_BUFFER_TOO_SMALL);
        assert_true(one.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    }
    assert_int_equal(behind.clocks, 0);
}

static void test_a_failing_device_is_told(void **state)
{
    (void)state;
    unsigned char bytes[16];
    CK_OBJECT_CLASS class = 0;
    behind.answer = TLM_ERR_TPM_UNAVAILABLE;
    CK_ATTRIBUTE template[] = {attribute(CKA_MODULUS, NULL, 0),
                               attribute(CKA_VALUE, bytes, sizeof bytes),
                               attribute(CKA_CLASS, &class, sizeof class)};
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, template, 3), CKR_DEVICE_ERROR);
    assert_true(template[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(class, CKO_HW_FEATURE);
    template[1] = attribute(CKA_VALUE, bytes, sizeof bytes);
    assert_int_equal(tlm_feature_get(&hardware, CLOCK, template + 1, 1), CKR_DEVICE_ERROR);
    static const CK_ATTRIBUTE_TYPE others[] = {CKA_TLM_CLOCK_MS, CKA_TLM_RESET_COUNT,
                                               CKA_TLM_RESTART_COUNT, CKA_TLM_CLOCK_SAFE};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CK_ATTRIBUTE one = attribute(others[i], bytes, sizeof bytes);
        assert_int_equal(tlm_feature_get(&hardware, CLOCK, &one, 1), CKR_DEVICE_ERROR);
        assert_true(one.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    }
    static const struct {
        tlm_result result;
        CK_RV rv;
    } answers[] = {
        {TLM_ERR_TPM, CKR_DEVICE_ERROR},
        {TLM_ERR_BUSY, CKR_DEVICE_ERROR},
        {TLM_ERR_IO, CKR_DEVICE_ERROR},
        {TLM_ERR_TIMEOUT, CKR_DEVICE_ERROR},
        {TLM_ERR_NOT_FOUND, CKR_FUNCTION_REJECTED},
        {TLM_ERR_DAMAGED, CKR_FUNCTION_REJECTED},
        {TLM_ERR_FOREIGN, CKR_FUNCTION_REJECTED},
        {TLM_ERR_NO_SPACE, CKR_FUNCTION_REJECTED},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        behind.answer = answers[i].result;
        template[0].ulValueLen = 0;
        template[1] = attribute(CKA_VALUE, bytes, sizeof bytes);
        assert_int_equal(tlm_feature_get(&hardware, COUNTER, template, 2), answers[i].rv);
    }
    behind.answer = TLM_ERR_MEMORY;
    template[1] = attribute(CKA_VALUE, bytes, sizeof bytes);
    assert_int_equal(tlm_feature_get(&hardware, COUNTER, template + 1, 1), CKR_HOST_MEMORY);
}

static void test_years_without_four_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t seconds;
        const char *text; /* NULL: refused */
    } cases[] = {{0, "1970010100000000"},
                 {253402300799, "9999123123595900"},
                 {253402300800, NULL},
                 {UINT64_MAX, NULL},
                 {INT64_MAX, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[17] = "";
        CK_ATTRIBUTE value = attribute(CKA_VALUE, text, 16);
        behind.clock.system_seconds = cases[i].seconds;
        CK_RV rv = tlm_feature_get(&hardware, CLOCK, &value, 1);
        assert_int_equal(rv, cases[i].text == NULL ? CKR_FUNCTION_REJECTED : CKR_OK);
        assert_string_equal(text, cases[i].text == NULL ? "" : cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_objects_are_what_the_back_end_has, setup),
        cmocka_unit_test_setup(test_search_needs_the_class, setup),
        cmocka_unit_test_setup(test_search_by_other_attributes, setup),
        cmocka_unit_test_setup(test_each_reading_counts_once, setup),
        cmocka_unit_test_setup(test_all_attributes_are_processed, setup),
        cmocka_unit_test_setup(test_files_can_be_reset, setup),
        cmocka_unit_test_setup(test_clock_is_of_one_moment, setup),
        cmocka_unit_test_setup(test_clock_sizes_ask_nobody, setup),
        cmocka_unit_test_setup(test_a_failing_device_is_told, setup),
        cmocka_unit_test_setup(test_years_without_four_digits, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
