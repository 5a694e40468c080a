/* SPDX-License-Identifier: BSD-2-Clause */
#include "scalar.h"

#include <string.h>

#define NUMBER_MAX 64U

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* RFC 8259 section 6. */
static bool is_number(const char *text)
{
    text += *text == '-' ? 1 : 0;
    size_t whole = digits(text);
    if (whole == 0 || (whole > 1 && *text == '0')) {
        return false;
    }
    text += whole;
    if (*text == '.') {
        size_t fraction = digits(text + 1);
        if (fraction == 0) {
            return false;
        }
        text += 1 + fraction;
    }
    if (*text == 'e' || *text == 'E') {
        text += text[1] == '+' || text[1] == '-' ? 2 : 1;
        size_t exponent = digits(text);
        if (exponent == 0) {
            return false;
        }
        text += exponent;
    }
    return *text == '\0';
}

json_t *tlm_scalar_value(const char *text, size_t size, bool quoted)
{
    if (strlen(text) != size) {
        return NULL;
    }
    if (quoted) {
        return json_stringn(text, size);
    }
    if (size == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0) {
        return json_null();
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        return json_boolean(text[0] == 't');
    }
    if (size <= NUMBER_MAX && is_number(text)) {
        /* An integer that does not fit 64 bits is one of no use here; jansson refuses it. */
        return json_loadb(text, size, JSON_DECODE_ANY, NULL);
    }
    return json_stringn(text, size);
}
