/* SPDX-License-Identifier: BSD-2-Clause */
#include "license_private.h"

#include <string.h>

#include "text_private.h"

/* What the members of each model are: one of them is a number, `amount`. */
static const struct {
    const char *name;
    const char *amount; /* NULL: none */
    int64_t most;
} models[TLM_MODEL_COUNT] = {
    [TLM_MODEL_PERPETUAL] = {"perpetual", NULL, 0},
    [TLM_MODEL_PERIOD] = {"period", NULL, 0},
    [TLM_MODEL_TRIAL] = {"trial", "days", TLM_LICENSE_DAYS_MAX},
    [TLM_MODEL_ACTIVATION] = {"activation", "days", TLM_LICENSE_DAYS_MAX},
    [TLM_MODEL_USAGE_TIME] = {"usageTime", "seconds", TLM_LICENSE_NUMBER_MAX},
    [TLM_MODEL_COUNTER_DOWN] = {"counter", "limit", TLM_LICENSE_NUMBER_MAX},
    [TLM_MODEL_COUNTER_UP] = {"counter", "limit", TLM_LICENSE_NUMBER_MAX},
    [TLM_MODEL_TOKENS] = {"tokens", "amount", TLM_LICENSE_NUMBER_MAX},
    [TLM_MODEL_LIST] = {"list", "max", TLM_LICENSE_NUMBER_MAX},
};

const char *tlm_model_name(tlm_model_type type)
{
    return (unsigned)type < TLM_MODEL_COUNT ? models[type].name : "unknown";
}

static bool is_counter(tlm_model_type type)
{
    return type == TLM_MODEL_COUNTER_DOWN || type == TLM_MODEL_COUNTER_UP;
}

static tlm_result read_direction(const tlm_claims *claims, tlm_model_type *type, tlm_error *error)
{
    char *direction = NULL;
    tlm_result result =
        tlm_claims_text(claims, "direction", TLM_LICENSE_TEXT_MAX, &direction, error);
    if (result != TLM_OK) {
        return result;
    }
    bool down = strcmp(direction, "down") == 0;
    bool up = strcmp(direction, "up") == 0;
    free(direction);
    if (!down && !up) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s.direction is neither down nor up",
                             claims->path);
    }
    *type = down ? TLM_MODEL_COUNTER_DOWN : TLM_MODEL_COUNTER_UP;
    return TLM_OK;
}

static tlm_result read_type(const tlm_claims *claims, tlm_model_type *type, tlm_error *error)
{
    char *name = NULL;
    tlm_result result = tlm_claims_text(claims, "type", TLM_LICENSE_TEXT_MAX, &name, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_model_type found = TLM_MODEL_COUNT;
    for (int i = TLM_MODEL_COUNT - 1; i >= 0; i--) {
        found = strcmp(models[i].name, name) == 0 ? (tlm_model_type)i : found;
    }
    free(name);
    if (found == TLM_MODEL_COUNT) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "%s.type is none of perpetual, period, trial, activation, usageTime, "
                             "counter, tokens, list",
                             claims->path);
    }
    *type = found;
    return is_counter(found) ? read_direction(claims, type, error) : TLM_OK;
}

/* A member that is not known here could restrict what is granted, so it is not passed over. */
static tlm_result refuse_unknown(json_t *object, const char *path, tlm_model_type type,
                                 tlm_error *error)
{
    const char *name = NULL;
    const json_t *value = NULL;
    json_object_foreach(object, name, value)
    {
        bool amount = models[type].amount != NULL && strcmp(name, models[type].amount) == 0;
        bool direction = is_counter(type) && strcmp(name, "direction") == 0;
        bool instant = type == TLM_MODEL_PERIOD &&
                       (strcmp(name, "notBefore") == 0 || strcmp(name, "notAfter") == 0);
        if (!amount && !direction && !instant && strcmp(name, "type") != 0) {
            char shown[64];
            tlm_text_show(shown, sizeof shown, name);
            return tlm_error_set(
                error, TLM_ERR_FORMAT, "A newer version of this program may know it.",
                "%s.%s is no member of the model %s", path, shown, models[type].name);
        }
    }
    return TLM_OK;
}

static tlm_result read_period(const tlm_claims *claims, tlm_model *model, tlm_error *error)
{
    tlm_result result = tlm_claims_time(claims, "notAfter", &model->not_after, error);
    if (result == TLM_OK && tlm_claims_has(claims, "notBefore")) {
        result = tlm_claims_time(claims, "notBefore", &model->not_before, error);
    }
    if (result == TLM_OK && model->not_after <= model->not_before) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s.notAfter is not after notBefore",
                             claims->path);
    }
    return result;
}

tlm_result tlm_model_parse(json_t *object, const char *path, tlm_model *model, tlm_error *error)
{
    tlm_claims claims = tlm_claims_at(object, "%s", path);
    *model = (tlm_model){.not_before = INT64_MIN, .not_after = INT64_MAX};
    tlm_result result = read_type(&claims, &model->type, error);
    if (result == TLM_OK) {
        result = refuse_unknown(object, path, model->type, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (model->type == TLM_MODEL_PERIOD) {
        return read_period(&claims, model, error);
    }
    const char *amount = models[model->type].amount;
    if (model->type == TLM_MODEL_COUNTER_UP && !tlm_claims_has(&claims, amount)) {
        model->amount = -1;
        return TLM_OK;
    }
    return amount == NULL ? TLM_OK
                          : tlm_claims_integer(&claims, amount, 1, models[model->type].most,
                                               &model->amount, error);
}

json_t *tlm_model_json(const tlm_model *model)
{
    if ((unsigned)model->type >= TLM_MODEL_COUNT) {
        return NULL;
    }
    json_t *object = json_pack("{s:s}", "type", models[model->type].name);
    int failed = object == NULL ? -1 : 0;
    if (is_counter(model->type)) {
        const char *direction = model->type == TLM_MODEL_COUNTER_DOWN ? "down" : "up";
        failed |= json_object_set_new(object, "direction", json_string(direction));
    }
    if (model->type == TLM_MODEL_PERIOD) {
        failed |= model->not_before == INT64_MIN
                      ? 0
                      : json_object_set_new(object, "notBefore", json_integer(model->not_before));
        failed |= json_object_set_new(object, "notAfter", json_integer(model->not_after));
    }
    if (models[model->type].amount != NULL && model->amount >= 0) {
        failed |=
            json_object_set_new(object, models[model->type].amount, json_integer(model->amount));
    }
    if (failed != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}
