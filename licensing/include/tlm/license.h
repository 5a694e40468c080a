/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSE_H
#define TLM_LICENSE_H

/*
 * A license: one container of one vendor (docs/licenses.md), as its claims say. What is parsed here
 * is not to be believed before its signature was verified.
 *
 *     tlm_license *license = NULL;
 *     result = tlm_license_open(text, size, trust, &license, &error);   // signature and claims
 *     for (size_t i = 0; i < license->feature_count; i++) {
 *         puts(license->features[i].id);
 *     }
 *     tlm_license_free(&license);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/fingerprint.h>
#include <tlm/result.h>
#include <tlm/trust.h>

#define TLM_LICENSE_TYP "tlm-license+jwt"

/* Largest container in bytes, most features of one, longest texts, largest `memory` as it stands
 * in compact JSON. */
#define TLM_LICENSE_MAX 524288U
#define TLM_FEATURES_MAX 1024U
#define TLM_LICENSE_TEXT_MAX 256U
#define TLM_MEMORY_MAX 4096U
/* Largest number of seats, units, seconds or days in a license: exact in every JSON reader. */
#define TLM_LICENSE_NUMBER_MAX 9007199254740991LL
/* Most days of a model, some 10,000 years: with them no time leaves 64 bits. And of borrowing. */
#define TLM_LICENSE_DAYS_MAX 3650000LL
#define TLM_BORROW_DAYS_MAX 3650LL

typedef enum tlm_model_type {
    TLM_MODEL_PERPETUAL = 0,
    TLM_MODEL_PERIOD,
    TLM_MODEL_TRIAL,
    TLM_MODEL_ACTIVATION,
    TLM_MODEL_USAGE_TIME,
    TLM_MODEL_COUNTER_DOWN,
    TLM_MODEL_COUNTER_UP,
    TLM_MODEL_TOKENS,
    TLM_MODEL_LIST,
    TLM_MODEL_COUNT
} tlm_model_type;

typedef struct tlm_model {
    tlm_model_type type;
    int64_t not_before; /* period: seconds since 1970; INT64_MIN where there is none */
    int64_t not_after;  /* period */
    int64_t amount;     /* days, seconds, limit, amount, max; counter up without a limit: -1 */
} tlm_model;

typedef struct tlm_feature {
    char *id;
    char *name;    /* NULL where there is none */
    int64_t seats; /* 0: stand-alone */
    tlm_model model;
    char *memory;        /* compact JSON, NULL where there is none */
    int64_t borrow_days; /* most days that a seat may be borrowed; -1: the license does not say */
} tlm_feature;

typedef struct tlm_license {
    char *text; /* the container as it was signed */
    char *kid;
    char *vendor;       /* iss */
    char *customer;     /* sub */
    char *jti;          /* UUID, lower case */
    int64_t issued;     /* iat; times are seconds since 1970 */
    int64_t not_before; /* nbf; INT64_MIN where there is none */
    int64_t expires;    /* exp; INT64_MAX where there is none */
    char *product_id;
    char *product_name;    /* may be NULL */
    char *product_version; /* may be NULL */
    tlm_fingerprint_type binding;
    char fingerprint[65];
    unsigned min_components; /* 0: all of them */
    tlm_feature *features;
    size_t feature_count;
} tlm_license;

/*
 * Checks the claims of a container and takes them over. TLM_ERR_FORMAT names the member and what
 * is wrong with it. Members that are not of docs/licenses.md are ignored (RFC 7519 section 4),
 * except in `model`, where an unknown one could be a restriction.
 */
TLM_CHECKED tlm_result tlm_license_parse(const json_t *claims, tlm_license **license,
                                         tlm_error *error);

/*
 * Parses the compact JWS, verifies it with the vendor key that its kid names, checks `typ`, that
 * the key may sign for `iss`, and the claims. Times and binding are not looked at. The caller frees
 * the license.
 */
TLM_CHECKED tlm_result tlm_license_open(const char *text, size_t size, const tlm_trust *trust,
                                        tlm_license **license, tlm_error *error);
void tlm_license_free(tlm_license **license);

/*
 * TLM_ERR_EXPIRED says since when; TLM_ERR_NOT_YET from when on. An `iat` more than `tolerance`
 * seconds ahead of `now` is TLM_ERR_ROLLBACK: this host's clock is behind its issuer's.
 */
TLM_CHECKED tlm_result tlm_license_check_time(const tlm_license *license, int64_t now,
                                              int64_t tolerance, tlm_error *error);

/* "perpetual", "period" …; both counters are "counter". */
const char *tlm_model_name(tlm_model_type type);

/* The model as the object of the license has it; NULL without memory. */
json_t *tlm_model_json(const tlm_model *model);

#endif
