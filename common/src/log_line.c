/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_internal.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A text that is being composed; what does not fit is left out whole, never cut inside. */
typedef struct composer {
    char *start;
    size_t used;
    size_t size; /* without the closing zero byte */
    bool full;
} composer;

static bool put(composer *to, const char *bytes, size_t size)
{
    if (to->full || size > to->size - to->used) {
        to->full = true;
        return false;
    }
    memcpy(to->start + to->used, bytes, size);
    to->used += size;
    return true;
}

static bool put_string(composer *to, const char *string)
{
    return put(to, string, strlen(string));
}

/* Length of the valid UTF-8 sequence at `at` (RFC 3629), 0 where there is none. */
static size_t sequence(const unsigned char *at)
{
    static const struct {
        unsigned char first, last, low, high;
        size_t length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last) {
            continue;
        }
        if (forms[i].length > 1 && (at[1] < forms[i].low || at[1] > forms[i].high)) {
            return 0;
        }
        for (size_t n = 2; n < forms[i].length; n++) {
            if (at[n] < 0x80 || at[n] > 0xbf) {
                return 0;
            }
        }
        return forms[i].length;
    }
    return 0;
}

/* C0, DEL, and C1 as UTF-8: a terminal that shows the log would obey them. */
static bool is_control(const unsigned char *at, size_t length)
{
    return (length == 1 && (at[0] < 0x20 || at[0] == 0x7f)) ||
           (length == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/*
 * Writes one character so that it can neither end the line nor, where `quoted`, the value. The
 * escapes are those of JSON (RFC 8259 section 7) in both formats. Returns the bytes taken.
 */
static size_t put_character(composer *to, const char *from, bool quoted)
{
    const unsigned char *at = (const unsigned char *)from;
    char escape[8];
    size_t length = sequence(at);
    if (length == 0) {
        (void)put_string(to, "\\ufffd");
        return 1;
    }
    if (quoted && (at[0] == '"' || at[0] == '\\')) {
        escape[0] = '\\';
        escape[1] = from[0];
        (void)put(to, escape, 2);
    } else if (at[0] == '\n') {
        (void)put_string(to, "\\n");
    } else if (at[0] == '\t') {
        (void)put_string(to, "\\t");
    } else if (is_control(at, length)) {
        (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(length == 2 ? at[1] : at[0]));
        (void)put_string(to, escape);
    } else {
        (void)put(to, from, length);
    }
    return length;
}

static void put_escaped(composer *to, const char *from, size_t size, bool quoted)
{
    const char *end = from + size;
    while (from < end && !to->full) {
        from += put_character(to, from, quoted);
    }
}

static void put_quoted(composer *to, const char *from)
{
    (void)put_string(to, "\"");
    put_escaped(to, from, strlen(from), true);
    (void)put_string(to, "\"");
}

char *tlm_log_quote(const char *text, char *buffer, size_t size)
{
    if (buffer == NULL || size == 0) {
        return buffer;
    }
    buffer[0] = '\0';
    if (size < 3) {
        return buffer;
    }
    composer to = {.start = buffer, .size = size - 2}; /* room for the quote that closes */
    (void)put_string(&to, "\"");
    if (text != NULL) {
        put_escaped(&to, text, strlen(text), true);
    }
    buffer[to.used] = '"';
    buffer[to.used + 1] = '\0';
    return buffer;
}

static const char *native_name(tlm_error_domain domain)
{
    switch (domain) {
    case TLM_DOMAIN_ERRNO:
        return "errno";
    case TLM_DOMAIN_PKCS11:
        return "ckr";
    case TLM_DOMAIN_TPM:
        return "tpmRc";
    case TLM_DOMAIN_NONE:
        break;
    }
    return NULL;
}

/* errno in decimal, CK_RV and TSS2_RC in hexadecimal, as their documents write them. */
static void native_text(const tlm_error *error, char *buffer, size_t size)
{
    if (error->domain == TLM_DOMAIN_ERRNO) {
        (void)snprintf(buffer, size, "%lu", error->native);
    } else {
        (void)snprintf(buffer, size, "0x%lx", error->native);
    }
}

static void time_text(const struct timespec *time, char *buffer, size_t size)
{
    struct tm parts;
    char seconds[32];
    if (gmtime_r(&time->tv_sec, &parts) == NULL ||
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        (void)snprintf(seconds, sizeof seconds, "0000-00-00T00:00:00");
    }
    (void)snprintf(buffer, size, "%s.%03ldZ", seconds, time->tv_nsec / 1000000);
}

static void text_line(const tlm_log_record *record, composer *to)
{
    char buffer[64];
    time_text(&record->time, buffer, sizeof buffer);
    (void)put_string(to, buffer);
    (void)put_string(to, " ");
    for (const char *name = tlm_log_level_name(record->level); *name != '\0'; name++) {
        char upper = (char)(*name - 'a' + 'A');
        (void)put(to, &upper, 1);
    }
    (void)put_string(to, " ");
    (void)put_string(to, record->function);
    (void)put_string(to, " ");
    put_escaped(to, record->event, strlen(record->event), false);
    const tlm_error *error = record->error;
    if (error != NULL) {
        (void)put_string(to, " code=");
        (void)put_string(to, tlm_result_code(error->result));
        if (native_name(error->domain) != NULL) {
            native_text(error, buffer, sizeof buffer);
            (void)put_string(to, " ");
            (void)put_string(to, native_name(error->domain));
            (void)put_string(to, "=");
            (void)put_string(to, buffer);
        }
        (void)put_string(to, " message=");
        put_quoted(to, error->message);
        if (error->hint[0] != '\0') {
            (void)put_string(to, " hint=");
            put_quoted(to, error->hint);
        }
    }
    if (record->detail[0] != '\0') {
        (void)put_string(to, " ");
        put_escaped(to, record->detail, strlen(record->detail), false);
    }
}

static void member(composer *to, const char *name, const char *value)
{
    (void)put_string(to, to->used > 1 ? ",\"" : "\"");
    (void)put_string(to, name);
    (void)put_string(to, "\":");
    put_quoted(to, value);
}

/* One key=value pair of a detail; the value without its quotes. */
typedef struct pair {
    const char *key;
    size_t key_size;
    const char *value;
    size_t value_size;
    bool quoted;
} pair;

/* Members that the line has by itself: a value must not be able to stand in for them. */
static bool reserved(const pair *found)
{
    static const char *const names[] = {"time", "level", "function", "event", "code",  "errno",
                                        "ckr",  "tpmRc", "message",  "hint",  "detail"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == found->key_size &&
            memcmp(names[i], found->key, found->key_size) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the next pair off `*at`; false where what stands there is not one. */
static bool next_pair(const char **at, pair *found)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *next = *at;
    *found = (pair){.key = next, .key_size = strspn(next, name)};
    if (found->key_size == 0 || strchr(letters, *next) == NULL || next[found->key_size] != '=' ||
        reserved(found)) {
        return false;
    }
    next += found->key_size + 1;
    found->quoted = *next == '"';
    if (!found->quoted) {
        found->value = next;
        found->value_size = strcspn(next, " \"");
        next += found->value_size;
    } else {
        found->value = ++next;
        while (*next != '\0' && *next != '"') {
            next += next[0] == '\\' && next[1] != '\0' ? 2 : 1;
        }
        if (*next != '"') {
            return false;
        }
        found->value_size = (size_t)(next - found->value);
        next++;
    }
    if (*next != '\0' && *next != ' ') {
        return false;
    }
    *at = next + (*next == ' ' ? 1 : 0);
    return true;
}

/* A quoted value has JSON's escapes already where tlm_log_quote wrote it; others are escaped. */
static void put_quoted_value(composer *to, const pair *found)
{
    const char *at = found->value;
    const char *end = at + found->value_size;
    while (at < end && !to->full) {
        static const char plain[] = "\"\\/bfnrt";
        bool escape = at[0] == '\\' && end - at > 1;
        if (escape && strchr(plain, at[1]) != NULL) {
            (void)put(to, at, 2);
            at += 2;
        } else if (escape && at[1] == 'u' && end - at > 5 &&
                   strspn(at + 2, "0123456789abcdefABCDEF") >= 4) {
            (void)put(to, at, 6);
            at += 6;
        } else {
            at += put_character(to, at, true);
        }
    }
}

/* The detail as members where all of it is pairs, else as the text it is. */
static void detail_members(composer *to, const char *detail)
{
    const char *at = detail;
    pair found;
    while (*at != '\0') {
        if (!next_pair(&at, &found)) {
            member(to, "detail", detail);
            return;
        }
    }
    at = detail;
    while (*at != '\0' && next_pair(&at, &found)) {
        (void)put_string(to, ",\"");
        (void)put(to, found.key, found.key_size);
        (void)put_string(to, "\":\"");
        if (found.quoted) {
            put_quoted_value(to, &found);
        } else {
            put_escaped(to, found.value, found.value_size, true);
        }
        (void)put_string(to, "\"");
    }
}

static void json_line(const tlm_log_record *record, composer *to, const char *detail)
{
    char buffer[64];
    (void)put_string(to, "{");
    time_text(&record->time, buffer, sizeof buffer);
    member(to, "time", buffer);
    member(to, "level", tlm_log_level_name(record->level));
    member(to, "function", record->function);
    member(to, "event", record->event);
    const tlm_error *error = record->error;
    if (error != NULL) {
        member(to, "code", tlm_result_code(error->result));
        if (native_name(error->domain) != NULL) {
            native_text(error, buffer, sizeof buffer);
            member(to, native_name(error->domain), buffer);
        }
        member(to, "message", error->message);
        if (error->hint[0] != '\0') {
            member(to, "hint", error->hint);
        }
    }
    if (detail[0] != '\0') {
        detail_members(to, detail);
    }
    (void)put_string(to, "}");
}

size_t tlm_log_format_line(tlm_log_format format, const tlm_log_record *record, char *line,
                           size_t size)
{
    composer to = {.start = line, .size = size - 1}; /* room for the newline */
    if (format == TLM_LOG_JSON) {
        json_line(record, &to, record->detail);
        if (to.full) {
            /* Half a JSON object is none: the line without its detail always fits. */
            to = (composer){.start = line, .size = size - 1};
            json_line(record, &to, "truncated=true");
        }
    } else {
        text_line(record, &to);
    }
    line[to.used] = '\n';
    return to.used + 1;
}
