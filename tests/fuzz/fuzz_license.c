/* SPDX-License-Identifier: BSD-2-Clause */
/* Licenses, with their signature or with claims that get a good one: within every stated bound. */
#include "formats.h"

#include <tlm/license.h>

static void check_model(const tlm_model *model)
{
    json_t *object = tlm_model_json(model);
    fuzz_need(object != NULL);
    fuzz_need(model->amount >= -1 && model->amount <= TLM_LICENSE_NUMBER_MAX);
    fuzz_need(model->not_before < model->not_after);
    fuzz_need(strcmp(json_string_value(json_object_get(object, "type")),
                     tlm_model_name(model->type)) == 0);
    json_decref(object);
}

static void check(const tlm_license *license)
{
    fuzz_need(license->feature_count >= 1 && license->feature_count <= TLM_FEATURES_MAX);
    fuzz_need(strlen(license->jti) == 36 && strlen(license->fingerprint) == 64);
    fuzz_need(strlen(license->vendor) <= TLM_LICENSE_TEXT_MAX && license->issued >= 0);
    fuzz_need(license->not_before < license->expires);
    for (size_t i = 0; i < license->feature_count; i++) {
        const tlm_feature *feature = &license->features[i];
        fuzz_need(feature->id[0] != '\0' && feature->seats >= 0);
        fuzz_need(feature->memory == NULL || strlen(feature->memory) <= TLM_MEMORY_MAX);
        check_model(&feature->model);
    }
    tlm_error error = {.result = TLM_OK};
    (void)!tlm_license_check_time(license, 1750000000, 300, &error);
    (void)!tlm_license_check_time(license, INT64_MIN, INT64_MAX, &error);
    (void)!tlm_license_check_time(license, INT64_MAX, 0, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_license *license = NULL;
    tlm_error error = {.result = TLM_OK};
    size_t length = 0;
    char *text = fuzz_text(data, size, TLM_LICENSE_TYP, &length);
    tlm_result result = tlm_license_open(text, length, fuzz_formats_get()->trust, &license, &error);
    fuzz_check(result, &error, license);
    if (result == TLM_OK) {
        check(license);
    }
    tlm_license_free(&license);
    free(text);
    return 0;
}
