/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *tlm_json_text(const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return json_null();
    }
    json_t *value = json_string(text);
    if (value != NULL) {
        return value;
    }
    /* A path may hold any byte, and a cut message may end within a character. */
    char *clean = strdup(text);
    if (clean == NULL) {
        return NULL;
    }
    for (char *at = clean; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    value = json_string(clean);
    free(clean);
    return value;
}

json_t *tlm_json_time(time_t instant)
{
    struct tm parts;
    char text[32];
    if (instant == 0 || gmtime_r(&instant, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return json_null();
    }
    return json_string(text);
}

char *tlm_json_finish(json_t *object, int failed)
{
    char *text = failed != 0 ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
