/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FORMATS_CLAIMS_PRIVATE_H
#define TLM_FORMATS_CLAIMS_PRIVATE_H

/*
 * Reads members of claims into C, and says what is wrong with one by its path:
 * "features[2].model.days is a text, not an integer". `path` is that of the object ("" at the top),
 * and is not kept. What is read must be of the right kind where it is there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/result.h>

#define TLM_CLAIMS_PATH_MAX 64U

/* The last second of the year 9999: later than that no time can be written. */
#define TLM_CLAIMS_TIME_MAX 253402300799LL

typedef struct tlm_claims {
    const json_t *object;
    char path[TLM_CLAIMS_PATH_MAX];
} tlm_claims;

tlm_claims tlm_claims_at(const json_t *object, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "is missing" or "is an array, not a text": the message for a member of the wrong kind. */
tlm_result tlm_claims_wrong(const tlm_claims *claims, const char *name, const char *wanted,
                            tlm_error *error);

/* A text of 1 to `max` bytes without control characters, as a new string. */
TLM_CHECKED tlm_result tlm_claims_text(const tlm_claims *claims, const char *name, size_t max,
                                       char **text, tlm_error *error);
/* An integer from `least` to `most`. */
TLM_CHECKED tlm_result tlm_claims_integer(const tlm_claims *claims, const char *name, int64_t least,
                                          int64_t most, int64_t *value, tlm_error *error);
/* A NumericDate without a fraction. */
TLM_CHECKED tlm_result tlm_claims_time(const tlm_claims *claims, const char *name, int64_t *time,
                                       tlm_error *error);
/* A UUID (RFC 9562) in either case, as a new string in lower case. */
TLM_CHECKED tlm_result tlm_claims_uuid(const tlm_claims *claims, const char *name, char **uuid,
                                       tlm_error *error);
/* 64 lower case hexadecimal digits. */
TLM_CHECKED tlm_result tlm_claims_fingerprint(const tlm_claims *claims, const char *name,
                                              char fingerprint[65], tlm_error *error);
/* An object, whose members are read next. */
TLM_CHECKED tlm_result tlm_claims_object(const tlm_claims *claims, const char *name, tlm_claims *to,
                                         tlm_error *error);
/* An array of `least` to `most` elements. */
TLM_CHECKED tlm_result tlm_claims_array(const tlm_claims *claims, const char *name, size_t least,
                                        size_t most, const json_t **array, tlm_error *error);

bool tlm_claims_has(const tlm_claims *claims, const char *name);

/* Lower case of a UUID in either case; false where it is none. */
bool tlm_claims_uuid_copy(const char *from, char to[37]);

#endif
