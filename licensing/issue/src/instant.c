/* SPDX-License-Identifier: BSD-2-Clause */
#include "instant.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY 86400

/* Whether the text has the form, where d stands for a digit and s for a sign. */
static bool has_form(const char *text, const char *form)
{
    if (strlen(text) != strlen(form)) {
        return false;
    }
    for (; *form != '\0'; form++, text++) {
        bool digit = *text >= '0' && *text <= '9';
        bool sign = *text == '+' || *text == '-';
        if (*form == 'd' ? !digit : *form == 's' ? !sign : *text != *form) {
            return false;
        }
    }
    return true;
}

static int number(const char *text, size_t digits)
{
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

/* The begin of a day; false where no calendar has it. */
static bool parse_day(const char *text, int64_t *seconds)
{
    struct tm day = {.tm_year = number(text, 4) - 1900,
                     .tm_mon = number(text + 5, 2) - 1,
                     .tm_mday = number(text + 8, 2)};
    struct tm same = day;
    time_t when = timegm(&same);
    *seconds = (int64_t)when;
    return when >= 0 && same.tm_year == day.tm_year && same.tm_mon == day.tm_mon &&
           same.tm_mday == day.tm_mday;
}

bool tlm_instant_parse(const char *text, bool end, int64_t *seconds)
{
    int64_t day = 0;
    if (has_form(text, "dddd-dd-dd")) {
        bool known = parse_day(text, &day);
        *seconds = day + (end ? DAY : 0);
        return known;
    }
    bool utc = has_form(text, "dddd-dd-ddTdd:dd:ddZ");
    if ((!utc && !has_form(text, "dddd-dd-ddTdd:dd:ddsdd:dd")) || !parse_day(text, &day)) {
        return false;
    }
    int hour = number(text + 11, 2);
    int minute = number(text + 14, 2);
    int second = number(text + 17, 2);
    int offset_hours = utc ? 0 : number(text + 20, 2);
    int offset_minutes = utc ? 0 : number(text + 23, 2);
    if (hour > 23 || minute > 59 || second > 59 || offset_hours > 23 || offset_minutes > 59) {
        return false;
    }
    int offset = 3600 * offset_hours + 60 * offset_minutes;
    int local = 3600 * hour + 60 * minute + second;
    *seconds = day + local - (text[19] == '-' ? -offset : offset);
    return *seconds >= 0;
}

const char *tlm_instant_text(int64_t seconds, char text[TLM_INSTANT_TEXT])
{
    struct tm parts;
    time_t when = (time_t)seconds;
    if (seconds < -62167219200LL || seconds > 253402300799LL || gmtime_r(&when, &parts) == NULL ||
        strftime(text, TLM_INSTANT_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(text, TLM_INSTANT_TEXT, "?");
    }
    return text;
}
