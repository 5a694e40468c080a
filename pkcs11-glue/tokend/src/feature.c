/* SPDX-License-Identifier: BSD-2-Clause */
#include "feature.h"

#include <string.h>
#include <time.h>

#include <tlm/log.h>

/* Room for every attribute there is; labels are the longest. */
#define VALUE_MAX 32U

#define COUNTER_SIZE 8U
#define CLOCK_TEXT_SIZE 16U

typedef struct feature_value {
    unsigned char bytes[VALUE_MAX];
    size_t size;
} feature_value;

/* One C_GetAttributeValue: all attributes of the clock in it are of one moment. */
typedef struct reading {
    const tlm_hardware *hardware;
    CK_HW_FEATURE_TYPE type;
    bool clock_known;
    CK_RV clock_rv;
    tlm_hardware_clock clock;
} reading;

static void put_bytes(feature_value *value, const void *data, size_t size)
{
    memcpy(value->bytes, data, size);
    value->size = size;
}

static void put_ulong(feature_value *value, CK_ULONG number)
{
    put_bytes(value, &number, sizeof number);
}

static void put_bool(feature_value *value, bool truth)
{
    const CK_BBOOL byte = truth ? CK_TRUE : CK_FALSE;
    put_bytes(value, &byte, sizeof byte);
}

static void put_big_endian(feature_value *value, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        value->bytes[i] = (unsigned char)(number >> (8 * (size - 1 - i)));
    }
    value->size = size;
}

/* What another attempt, or a token that was brought back, may mend. */
static bool may_pass(tlm_result result)
{
    return result == TLM_ERR_TPM_UNAVAILABLE || result == TLM_ERR_TPM || result == TLM_ERR_IO ||
           result == TLM_ERR_TIMEOUT || result == TLM_ERR_BUSY;
}

/* The applications get a code alone, so what happened goes to the log. */
static CK_RV failed(const tlm_error *error, const char *label)
{
    static tlm_log_limit limit = {.burst = 5, .seconds = 60};
    unsigned suppressed = 0;
    if (tlm_log_allow(&limit, &suppressed)) {
        tlm_log_error(error, "hardware_feature_failed", "object=%s suppressed=%u", label,
                      suppressed);
    }
    if (error->result == TLM_ERR_MEMORY) {
        return CKR_HOST_MEMORY;
    }
    return may_pass(error->result) ? CKR_DEVICE_ERROR : CKR_FUNCTION_REJECTED;
}

static CK_RV fill_class(reading *now, feature_value *value)
{
    (void)now;
    put_ulong(value, CKO_HW_FEATURE);
    return CKR_OK;
}

static CK_RV fill_type(reading *now, feature_value *value)
{
    put_ulong(value, now->type);
    return CKR_OK;
}

static CK_RV fill_label(reading *now, feature_value *value)
{
    const char *label = now->type == CKH_CLOCK ? TLM_CLOCK_LABEL : TLM_COUNTER_LABEL;
    put_bytes(value, label, strlen(label));
    return CKR_OK;
}

static CK_RV fill_true(reading *now, feature_value *value)
{
    (void)now;
    put_bool(value, true);
    return CKR_OK;
}

static CK_RV fill_false(reading *now, feature_value *value)
{
    (void)now;
    put_bool(value, false);
    return CKR_OK;
}

static CK_RV fill_has_reset(reading *now, feature_value *value)
{
    put_bool(value, !now->hardware->tamper_proof);
    return CKR_OK;
}

static CK_RV fill_tamper_proof(reading *now, feature_value *value)
{
    put_bool(value, now->hardware->tamper_proof);
    return CKR_OK;
}

static CK_RV fill_count(reading *now, feature_value *value)
{
    tlm_error error = {0};
    uint64_t number = 0;
    if (now->hardware->count(now->hardware->context, &number, &error) != TLM_OK) {
        return failed(&error, TLM_COUNTER_LABEL);
    }
    put_big_endian(value, number, COUNTER_SIZE);
    return CKR_OK;
}

static CK_RV read_clock(reading *now)
{
    if (!now->clock_known) {
        tlm_error error = {0};
        now->clock_known = true;
        now->clock_rv = CKR_OK;
        if (now->hardware->clock(now->hardware->context, &now->clock, &error) != TLM_OK) {
            now->clock_rv = failed(&error, TLM_CLOCK_LABEL);
        }
    }
    return now->clock_rv;
}

/* PKCS#11 v2.40 section 4.3.2: YYYYMMDDhhmmss in UTC, and two reserved digits. */
static CK_RV fill_time(reading *now, feature_value *value)
{
    CK_RV rv = read_clock(now);
    if (rv != CKR_OK) {
        return rv;
    }
    const time_t seconds = (time_t)now->clock.system_seconds;
    struct tm parts;
    char text[CLOCK_TEXT_SIZE + 1] = "";
    if (now->clock.system_seconds > INT64_MAX || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y%m%d%H%M%S00", &parts) != CLOCK_TEXT_SIZE) {
        tlm_error error = {0};
        (void)tlm_error_set(&error, TLM_ERR_FORMAT, "set the system's clock: timedatectl",
                            "the system's clock is at %llu seconds since 1970, which has no year "
                            "of four digits",
                            (unsigned long long)now->clock.system_seconds);
        return failed(&error, TLM_CLOCK_LABEL);
    }
    put_bytes(value, text, CLOCK_TEXT_SIZE);
    return CKR_OK;
}

static CK_RV fill_clock_ms(reading *now, feature_value *value)
{
    CK_RV rv = read_clock(now);
    put_big_endian(value, now->clock.clock_ms, 8);
    return rv;
}

static CK_RV fill_reset_count(reading *now, feature_value *value)
{
    CK_RV rv = read_clock(now);
    put_big_endian(value, now->clock.reset_count, 4);
    return rv;
}

static CK_RV fill_restart_count(reading *now, feature_value *value)
{
    CK_RV rv = read_clock(now);
    put_big_endian(value, now->clock.restart_count, 4);
    return rv;
}

static CK_RV fill_clock_safe(reading *now, feature_value *value)
{
    CK_RV rv = read_clock(now);
    put_bool(value, now->clock.safe);
    return rv;
}

#define OF_COUNTER 1U
#define OF_CLOCK 2U
#define OF_BOTH (OF_COUNTER | OF_CLOCK)

/*
 * `live` is the size of what the hardware has to be asked for: it is not asked where only the size
 * is wanted or the buffer is too small, and no search compares it. 0: the value never changes.
 */
typedef struct attribute_row {
    CK_ATTRIBUTE_TYPE type;
    unsigned features;
    size_t live;
    CK_RV (*fill)(reading *now, feature_value *value);
} attribute_row;

static const attribute_row rows[] = {
    {CKA_CLASS, OF_BOTH, 0, fill_class},
    {CKA_TOKEN, OF_BOTH, 0, fill_true},
    {CKA_PRIVATE, OF_BOTH, 0, fill_false},
    {CKA_MODIFIABLE, OF_BOTH, 0, fill_false},
    {CKA_LABEL, OF_BOTH, 0, fill_label},
    {CKA_HW_FEATURE_TYPE, OF_BOTH, 0, fill_type},
    {CKA_TLM_TAMPER_PROOF, OF_BOTH, 0, fill_tamper_proof},
    {CKA_RESET_ON_INIT, OF_COUNTER, 0, fill_false},
    {CKA_HAS_RESET, OF_COUNTER, 0, fill_has_reset},
    {CKA_VALUE, OF_COUNTER, COUNTER_SIZE, fill_count},
    {CKA_VALUE, OF_CLOCK, CLOCK_TEXT_SIZE, fill_time},
    {CKA_TLM_CLOCK_MS, OF_CLOCK, 8, fill_clock_ms},
    {CKA_TLM_RESET_COUNT, OF_CLOCK, 4, fill_reset_count},
    {CKA_TLM_RESTART_COUNT, OF_CLOCK, 4, fill_restart_count},
    {CKA_TLM_CLOCK_SAFE, OF_CLOCK, sizeof(CK_BBOOL), fill_clock_safe},
};

static const attribute_row *find_row(CK_HW_FEATURE_TYPE feature, CK_ATTRIBUTE_TYPE type)
{
    const unsigned mask = feature == CKH_CLOCK ? OF_CLOCK : OF_COUNTER;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].type == type && (rows[i].features & mask) != 0) {
            return &rows[i];
        }
    }
    return NULL;
}

size_t tlm_feature_count(const tlm_hardware *hardware)
{
    if (hardware == NULL) {
        return 0;
    }
    return (hardware->count != NULL ? 1U : 0U) + (hardware->clock != NULL ? 1U : 0U);
}

/* The counter comes first where there is one. */
static bool begin_reading(const tlm_hardware *hardware, size_t number, reading *now)
{
    if (number >= tlm_feature_count(hardware)) {
        return false;
    }
    *now = (reading){.hardware = hardware,
                     .type = number == 0 && hardware->count != NULL ? CKH_MONOTONIC_COUNTER
                                                                    : CKH_CLOCK};
    return true;
}

const char *tlm_feature_label(const tlm_hardware *hardware, size_t number)
{
    reading now;
    if (!begin_reading(hardware, number, &now)) {
        return NULL;
    }
    return now.type == CKH_CLOCK ? TLM_CLOCK_LABEL : TLM_COUNTER_LABEL;
}

static bool same_value(reading *now, const CK_ATTRIBUTE *attribute)
{
    const attribute_row *row = find_row(now->type, attribute->type);
    feature_value value = {.size = 0};
    if (row == NULL || row->live > 0 || row->fill(now, &value) != CKR_OK) {
        return false;
    }
    return attribute->pValue != NULL && attribute->ulValueLen == value.size &&
           memcmp(attribute->pValue, value.bytes, value.size) == 0;
}

bool tlm_feature_matches(const tlm_hardware *hardware, size_t number,
                         const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    reading now;
    if (!begin_reading(hardware, number, &now)) {
        return false;
    }
    bool class_named = false;
    for (CK_ULONG i = 0; i < count; i++) {
        if (!same_value(&now, &attributes[i])) {
            return false;
        }
        class_named = class_named || attributes[i].type == CKA_CLASS;
    }
    return class_named;
}

/* One attribute by the five cases of PKCS#11 v2.40 section 5.7, C_GetAttributeValue. */
static CK_RV get_one(reading *now, CK_ATTRIBUTE *attribute)
{
    const attribute_row *row = find_row(now->type, attribute->type);
    if (row == NULL) {
        attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    feature_value value = {.size = row->live};
    CK_RV rv = row->live == 0 ? row->fill(now, &value) : CKR_OK;
    if (rv == CKR_OK && attribute->pValue == NULL) {
        attribute->ulValueLen = value.size;
        return CKR_OK;
    }
    if (rv == CKR_OK && attribute->ulValueLen < value.size) {
        rv = CKR_BUFFER_TOO_SMALL;
    }
    if (rv == CKR_OK && row->live > 0) {
        rv = row->fill(now, &value);
    }
    if (rv != CKR_OK) {
        attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return rv;
    }
    memcpy(attribute->pValue, value.bytes, value.size);
    attribute->ulValueLen = value.size;
    return CKR_OK;
}

static bool is_about_attribute(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL;
}

/* Any of several codes may be answered; a failing device is the one that must not be missed. */
static CK_RV graver(CK_RV first, CK_RV second)
{
    return first == CKR_OK || !is_about_attribute(second) ? second : first;
}

CK_RV tlm_feature_get(const tlm_hardware *hardware, size_t number, CK_ATTRIBUTE *attributes,
                      CK_ULONG count)
{
    reading now;
    if (!begin_reading(hardware, number, &now)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (attributes == NULL && count > 0) {
        return CKR_ARGUMENTS_BAD;
    }
    CK_RV answer = CKR_OK;
    for (CK_ULONG i = 0; i < count; i++) {
        answer = graver(answer, get_one(&now, &attributes[i]));
    }
    return answer;
}
