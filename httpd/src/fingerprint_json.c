/* SPDX-License-Identifier: BSD-2-Clause */
#include "fingerprint_json.h"

#include "json_text.h"

static json_t *component_object(const tlm_host_component *component)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "id", tlm_json_text(component->id));
    failed |= json_object_set_new(object, "weight", json_integer((json_int_t)component->weight));
    failed |= json_object_set_new(object, "present", json_boolean(component->present));
    failed |= json_object_set_new(object, "sha256",
                                  tlm_json_text(component->present ? component->sha256 : NULL));
    if (failed != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *component_array(const tlm_fingerprint *fingerprint)
{
    json_t *array = json_array();
    int failed = 0;
    for (size_t i = 0; i < fingerprint->component_count; i++) {
        failed |= json_array_append_new(array, component_object(&fingerprint->components[i]));
    }
    if (failed != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}

char *tlm_fingerprint_text(const tlm_fingerprint *fingerprint, bool hardware_bound)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "fingerprint", tlm_json_text(fingerprint->text));
    failed |= json_object_set_new(object, "kid", tlm_json_text(fingerprint->kid));
    failed |= json_object_set_new(object, "type",
                                  json_string(tlm_fingerprint_type_name(fingerprint->type)));
    failed |= json_object_set_new(object, "hardwareBound", json_boolean(hardware_bound));
    failed |= json_object_set_new(object, "publicKey", tlm_json_text(fingerprint->public_key));
    json_t *jwk = fingerprint->jwk != NULL ? json_loads(fingerprint->jwk, 0, NULL) : json_null();
    failed |= json_object_set_new(object, "jwk", jwk);
    if (fingerprint->type == TLM_FINGERPRINT_FALLBACK) {
        failed |= json_object_set_new(object, "components", component_array(fingerprint));
    }
    return tlm_json_finish(object, failed);
}
