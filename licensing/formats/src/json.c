/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_private.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void wiping_free(void *memory)
{
    if (memory != NULL) {
        explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
    }
}

static void protect_once(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

void tlm_json_protect(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, protect_once);
}

json_t *tlm_json_load(const void *data, size_t size)
{
    tlm_json_protect();
    json_t *value = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

const char *tlm_json_member(const json_t *object, const char *name, size_t max)
{
    const json_t *value = json_object_get(object, name);
    size_t length = json_string_length(value);
    return length >= 1 && length <= max ? json_string_value(value) : NULL;
}

bool tlm_json_only(const json_t *object, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_object_get(object, names[i]) == NULL) {
            return false;
        }
    }
    return json_object_size(object) == count;
}

tlm_result tlm_json_dump(const json_t *object, tlm_secret **text, tlm_error *error)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    size_t size = object == NULL ? 0 : json_dumpb(object, NULL, 0, flags);
    if (size == 0) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JSON text");
    }
    tlm_secret *made = NULL;
    tlm_result result = tlm_secret_new(size, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    if (json_dumpb(object, (char *)tlm_secret_data(made), size, flags) != size) {
        tlm_secret_free(&made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JSON text");
    }
    *text = made;
    return TLM_OK;
}
