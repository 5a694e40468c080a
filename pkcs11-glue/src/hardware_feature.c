/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/hardware_feature.h>

#include <string.h>
#include <time.h>

#include "internal.h"

#define NUMBER_SIZE 8U
#define TIME_DIGITS 14U
#define TIME_SIZE 16U

static tlm_result find_feature(tlm_token *token, CK_HW_FEATURE_TYPE type, const char *name,
                               CK_OBJECT_HANDLE *handle, tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_HW_FEATURE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_HW_FEATURE_TYPE, &type, sizeof type},
    };
    CK_ULONG count = 0;
    tlm_result result = tlm_object_find(token, template, 2, handle, 1, &count, error);
    if (result == TLM_OK && count == 0) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "reach the token through tlm-tokend, which has one",
                             "the token %s has no %s", token->uri_text, name);
    }
    return result;
}

/*
 * C_GetAttributeValue, where vendor attributes may be lacking: their ulValueLen is
 * CK_UNAVAILABLE_INFORMATION then. The first attribute must be there.
 */
static tlm_result read_attributes(tlm_token *token, CK_OBJECT_HANDLE handle,
                                  CK_ATTRIBUTE *attributes, CK_ULONG count, const char *name,
                                  tlm_error *error)
{
    CK_RV rv =
        token->module->functions->C_GetAttributeValue(token->session, handle, attributes, count);
    bool partial = rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE;
    if (rv == CKR_OK || (partial && attributes[0].ulValueLen != CK_UNAVAILABLE_INFORMATION)) {
        return TLM_OK;
    }
    if (rv == CKR_BUFFER_TOO_SMALL || rv == CKR_ATTRIBUTE_TYPE_INVALID) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                             "the %s of %s has no value, or a longer one than is known here (%s)",
                             name, token->uri_text, tlm_pkcs11_rv_name(rv));
    }
    tlm_result result = tlm_error_set_rv(error, rv, "C_GetAttributeValue", "of the %s", name);
    if (rv == CKR_ATTRIBUTE_SENSITIVE) {
        error->result = TLM_ERR_PERMISSION;
        result = TLM_ERR_PERMISSION;
        tlm_error_set_hint(error,
                           "give this user the use \"counter\" in access.json of tlm-tokend");
    }
    return result;
}

static uint64_t number_of(const unsigned char *bytes, CK_ULONG size)
{
    uint64_t number = 0;
    for (CK_ULONG i = 0; i < size && i < NUMBER_SIZE; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static bool is_true(const CK_ATTRIBUTE *attribute, CK_BBOOL value)
{
    return attribute->ulValueLen == sizeof value && value == CK_TRUE;
}

typedef struct counter_reading {
    bool once;
    bool asked;
    uint64_t value;
    bool tamper_proof;
} counter_reading;

static tlm_result read_counter(tlm_token *token, void *context, tlm_error *error)
{
    static const char name[] = "monotonic counter";
    counter_reading *reading = context;
    CK_OBJECT_HANDLE handle = 0;
    unsigned char bytes[NUMBER_SIZE] = {0};
    CK_BBOOL proof = CK_FALSE;
    CK_ATTRIBUTE attributes[] = {
        {CKA_VALUE, bytes, sizeof bytes},
        {CKA_TLM_TAMPER_PROOF, &proof, sizeof proof},
    };
    if (reading->once && reading->asked) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE, "try again: the token is back",
                             "the token %s went away while its %s was read", token->uri_text, name);
    }
    tlm_result result = find_feature(token, CKH_MONOTONIC_COUNTER, name, &handle, error);
    if (result == TLM_OK) {
        reading->asked = true;
        result = read_attributes(token, handle, attributes, 2, name, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (attributes[0].ulValueLen == 0 || attributes[0].ulValueLen > sizeof bytes) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                             "the %s of %s has a value of %lu bytes", name, token->uri_text,
                             attributes[0].ulValueLen);
    }
    reading->value = number_of(bytes, attributes[0].ulValueLen);
    reading->tamper_proof = is_true(&attributes[1], proof);
    return TLM_OK;
}

static tlm_result count(tlm_token *token, counter_reading *reading, uint64_t *value,
                        bool *tamper_proof, tlm_error *error)
{
    if (token == NULL || value == NULL || tamper_proof == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "reading a counter without its place");
    }
    tlm_result result = tlm_token_run(token, read_counter, reading, error);
    if (result == TLM_OK) {
        *value = reading->value;
        *tamper_proof = reading->tamper_proof;
    }
    return result;
}

tlm_result tlm_token_counter_next(tlm_token *token, uint64_t *value, bool *tamper_proof,
                                  tlm_error *error)
{
    /* Run twice after a recovery, it leaves a number out. */
    counter_reading reading = {0};
    return count(token, &reading, value, tamper_proof, error);
}

tlm_result tlm_token_counter_once(tlm_token *token, uint64_t *value, bool *tamper_proof,
                                  tlm_error *error)
{
    counter_reading reading = {.once = true};
    return count(token, &reading, value, tamper_proof, error);
}

/* Two digits of the time; -1 where they are none. */
static int two_digits(const char *text)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return -1;
    }
    return 10 * (text[0] - '0') + (text[1] - '0');
}

/* YYYYMMDDhhmmss in UTC, PKCS#11 v2.40 section 4.3.2. */
static bool parse_time(const char text[TIME_SIZE], uint64_t *seconds)
{
    int parts[TIME_DIGITS / 2];
    for (size_t i = 0; i < TIME_DIGITS / 2; i++) {
        parts[i] = two_digits(text + 2 * i);
        if (parts[i] < 0) {
            return false;
        }
    }
    /* timegm knows no inserted second, and mends what is no date. */
    const bool inserted = parts[6] == 60;
    struct tm time = {.tm_year = 100 * parts[0] + parts[1] - 1900,
                      .tm_mon = parts[2] - 1,
                      .tm_mday = parts[3],
                      .tm_hour = parts[4],
                      .tm_min = parts[5],
                      .tm_sec = inserted ? 59 : parts[6]};
    const struct tm asked = time;
    const time_t made = timegm(&time);
    if (made < 0 || asked.tm_mon != time.tm_mon || asked.tm_mday != time.tm_mday ||
        asked.tm_hour != time.tm_hour || asked.tm_min != time.tm_min ||
        asked.tm_sec != time.tm_sec) {
        return false;
    }
    *seconds = (uint64_t)made + (inserted ? 1U : 0U);
    return true;
}

static tlm_result read_clock(tlm_token *token, void *context, tlm_error *error)
{
    static const char name[] = "clock";
    tlm_token_clock *clock = context;
    CK_OBJECT_HANDLE handle = 0;
    char text[TIME_SIZE] = "";
    unsigned char ms[8] = {0};
    unsigned char resets[4] = {0};
    unsigned char restarts[4] = {0};
    CK_BBOOL safe = CK_FALSE;
    CK_BBOOL proof = CK_FALSE;
    CK_ATTRIBUTE attributes[] = {
        {CKA_VALUE, text, sizeof text},
        {CKA_TLM_CLOCK_MS, ms, sizeof ms},
        {CKA_TLM_RESET_COUNT, resets, sizeof resets},
        {CKA_TLM_RESTART_COUNT, restarts, sizeof restarts},
        {CKA_TLM_CLOCK_SAFE, &safe, sizeof safe},
        {CKA_TLM_TAMPER_PROOF, &proof, sizeof proof},
    };
    tlm_result result = find_feature(token, CKH_CLOCK, name, &handle, error);
    if (result == TLM_OK) {
        result = read_attributes(token, handle, attributes, 6, name, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    *clock = (tlm_token_clock){.tamper_proof = is_true(&attributes[5], proof)};
    if (attributes[0].ulValueLen != sizeof text || !parse_time(text, &clock->system_seconds)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "the clock of %s does not tell a time of the form YYYYMMDDhhmmss00",
                             token->uri_text);
    }
    clock->counted = attributes[1].ulValueLen == sizeof ms &&
                     attributes[2].ulValueLen == sizeof resets &&
                     attributes[3].ulValueLen == sizeof restarts;
    if (clock->counted) {
        clock->clock_ms = number_of(ms, sizeof ms);
        clock->reset_count = (uint32_t)number_of(resets, sizeof resets);
        clock->restart_count = (uint32_t)number_of(restarts, sizeof restarts);
        clock->safe = is_true(&attributes[4], safe);
    }
    return TLM_OK;
}

tlm_result tlm_token_clock_read(tlm_token *token, tlm_token_clock *clock, tlm_error *error)
{
    if (token == NULL || clock == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "reading a clock without its place");
    }
    tlm_token_clock now = {0};
    tlm_result result = tlm_token_run(token, read_clock, &now, error);
    if (result == TLM_OK) {
        *clock = now;
    }
    return result;
}
