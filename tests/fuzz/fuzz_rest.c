/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bearer.h"
#include "body.h"
#include "query.h"
#include "routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 4096U

static void as_body(const char *text, size_t size)
{
    tlm_body body;
    json_t *object = NULL;
    const char *start = NULL;
    size_t length = 0;
    tlm_body_begin(&body, BODY_MAX);
    /* In two parts, as a network may cut it. */
    tlm_body_add(&body, text, size / 2);
    tlm_body_add(&body, text + size / 2, size - size / 2);
    if (body.size > BODY_MAX || (body.over > 0) != (size > BODY_MAX)) {
        abort();
    }
    if (tlm_body_object(&body, &object, NULL) == TLM_OK && object != NULL &&
        !json_is_object(object)) {
        abort();
    }
    json_decref(object);
    if (tlm_body_text(&body, &start, &length, NULL) == TLM_OK && length > body.size) {
        abort();
    }
    tlm_body_clear(&body);
}

/* "NAME=VALUE" for every kind of query. */
static void as_query(char *text)
{
    char *value = strchr(text, '=');
    if (value != NULL) {
        *value++ = '\0';
    }
    for (int i = TLM_QUERY_NONE; i <= TLM_QUERY_PAGE; i++) {
        tlm_query_values values = {.limit = 1};
        if (tlm_query_take((tlm_query)i, text, value, &values, NULL) == TLM_OK &&
            (values.after < 0 || values.limit < 1 || values.limit > TLM_QUERY_LIMIT_MAX)) {
            abort();
        }
    }
}

static void as_path(const char *text)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};
    char shown[64];
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        tlm_route_match match;
        tlm_route_result result = tlm_route_find(methods[i], text, &match);
        if ((result == TLM_ROUTE_FOUND) != (match.route != NULL)) {
            abort();
        }
    }
    (void)tlm_route_nearest(text);
    (void)tlm_route_log_path(text, shown, sizeof shown);
}

static void as_authorization(const char *text)
{
    static tlm_bearer *nobody;
    if (nobody == NULL && tlm_bearer_new(&nobody, NULL) != TLM_OK) {
        return;
    }
    if (tlm_bearer_judge(nobody, text) > TLM_BEARER_WRONG) {
        abort();
    }
}

/* The first byte says as what of a request the rest is read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0]) {
    case 'q':
        as_query(text);
        break;
    case 'p':
        as_path(text);
        break;
    case 'a':
        as_authorization(text);
        break;
    default:
        as_body(text, size - 1);
        break;
    }
    free(text);
    return 0;
}
