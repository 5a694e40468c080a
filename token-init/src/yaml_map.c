/* SPDX-License-Identifier: BSD-2-Clause */
#include "yaml_map.h"

#include <string.h>

typedef struct reader {
    const char *at;
    const char *end;
} reader;

static void skip_blanks(reader *in)
{
    while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL && *in->at != '\0') {
        in->at++;
    }
}

static bool take(reader *in, const char *word)
{
    skip_blanks(in);
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) {
        return false;
    }
    in->at += length;
    return true;
}

/* !!tag "text" */
static bool take_scalar(reader *in, const char **value, size_t *size)
{
    if (!take(in, "!!")) {
        return false;
    }
    while (in->at < in->end && *in->at >= 'a' && *in->at <= 'z') {
        in->at++;
    }
    if (!take(in, "\"")) {
        return false;
    }
    *value = in->at;
    while (in->at < in->end && *in->at != '"') {
        in->at += *in->at == '\\' ? 2 : 1;
    }
    if (in->at >= in->end) {
        return false;
    }
    *size = (size_t)(in->at - *value);
    in->at++;
    return true;
}

static bool take_sequence(reader *in)
{
    if (!take(in, "!!seq") || !take(in, "[")) {
        return false;
    }
    while (!take(in, "]")) {
        const char *value = NULL;
        size_t size = 0;
        if (!take_scalar(in, &value, &size)) {
            return false;
        }
        (void)take(in, ",");
    }
    return true;
}

static bool take_pair(reader *in, tlm_yaml_visit visit, void *context)
{
    const char *text = NULL;
    size_t size = 0;
    char key[TLM_YAML_KEY_MAX + 1];
    if (!take(in, "?") || !take_scalar(in, &text, &size) || size > TLM_YAML_KEY_MAX) {
        return false;
    }
    memcpy(key, text, size);
    key[size] = '\0';
    if (!take(in, ":")) {
        return false;
    }
    const char *value = NULL;
    size_t length = 0;
    reader back = *in;
    if (!take_scalar(in, &value, &length)) {
        *in = back;
        value = NULL;
        length = 0;
        if (!take_sequence(in)) {
            return false;
        }
    }
    (void)take(in, ",");
    return visit(context, key, value, length);
}

bool tlm_yaml_map_read(const char *text, size_t size, tlm_yaml_visit visit, void *context)
{
    reader in = {text, text + size};
    if (!take(&in, "---") || !take(&in, "!!map") || !take(&in, "{")) {
        return false;
    }
    while (!take(&in, "}")) {
        if (!take_pair(&in, visit, context)) {
            return false;
        }
    }
    (void)take(&in, "...");
    skip_blanks(&in);
    return in.at == in.end;
}
