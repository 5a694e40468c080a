/* SPDX-License-Identifier: BSD-2-Clause */
#include "container.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/jws.h>

#include "input.h"

static tlm_result keep(const tlm_jws *jws, tlm_container *container, tlm_error *error)
{
    const tlm_jws_header *header = tlm_jws_get_header(jws);
    if (strcmp(header->typ, TLM_LICENSE_TYP) != 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, "make one with: tlm-issue license",
                             "its typ is %s, not " TLM_LICENSE_TYP, header->typ);
    }
    tlm_result result = tlm_license_parse(tlm_jws_claims(jws), &container->license, error);
    if (result == TLM_OK) {
        container->text = strdup(tlm_jws_text(jws));
        if (container->text == NULL) {
            result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a container");
        }
    }
    return result;
}

tlm_result tlm_container_parse(const char *text, size_t size, const char *name,
                               tlm_container *container, tlm_error *error)
{
    tlm_jws *jws = NULL;
    tlm_result result = tlm_jws_parse(text, size, TLM_LICENSE_MAX, &jws, error);
    if (result == TLM_OK) {
        result = keep(jws, container, error);
    }
    tlm_jws_free(&jws);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the container %s", name);
        tlm_container_clear(container);
    }
    return result;
}

tlm_result tlm_container_read(const char *path, tlm_container *container, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_LICENSE_MAX + 16, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_container_parse(text, size, tlm_input_name(path), container, error);
        free(text);
    }
    return result;
}

void tlm_container_clear(tlm_container *container)
{
    free(container->text);
    container->text = NULL;
    tlm_license_free(&container->license);
}
