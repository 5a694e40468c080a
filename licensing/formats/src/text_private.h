/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_TEXT_PRIVATE_H
#define TLM_LICENSING_TEXT_PRIVATE_H

/* Small texts of the files: UUID (RFC 9562), instant (RFC 3339, UTC), hexadecimal. */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <tlm/persistence.h>
#include <tlm/result.h>

TLM_CHECKED tlm_result tlm_uuid_make(char uuid[TLM_UUID_SIZE], tlm_error *error);
/* Exactly the form tlm_uuid_make writes: lower case, with dashes. */
bool tlm_uuid_valid(const char *uuid, size_t length);

bool tlm_instant_make(time_t when, char instant[TLM_INSTANT_SIZE]);
bool tlm_instant_valid(const char *instant);

/* A text for people without control characters: each becomes a question mark. Cut to fit. */
void tlm_text_show(char *to, size_t size, const char *from);
bool tlm_text_has_controls(const char *text);

/* Leaves out blanks and line ends around a text. */
void tlm_text_trim(const char **text, size_t *size);

/* Exactly `digits` lower case hexadecimal digits. */
bool tlm_hex_valid(const char *text, size_t digits);

/* Copies a text that is known to fit. */
void tlm_text_copy(char *to, size_t size, const char *from);

/*
 * The result of reading a file, where a missing directory (ENOTDIR, too) is a missing file. `error`
 * is the reader's and may be NULL.
 */
TLM_CHECKED tlm_result tlm_error_missing(tlm_result result, const tlm_error *error);

#endif
