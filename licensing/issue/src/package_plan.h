/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_PACKAGE_PLAN_H
#define TLM_ISSUE_PACKAGE_PLAN_H

/*
 * What `tlm-issue package` is to do: hosts, what each gets, and where it is written.
 *
 *     tlm_package_plan plan = {.now = now};
 *     result = tlm_package_plan_make(options, &plan, &error);
 *     tlm_package_run(&plan, jobs, &progress);
 *     tlm_package_plan_clear(&plan);
 */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/result.h>
#include <tlm/trust.h>

#include "container.h"
#include "description.h"
#include "options.h"
#include "progress.h"
#include "signer.h"

typedef enum tlm_package_outcome {
    TLM_PACKAGE_PENDING = 0, /* not reached: the run was given up */
    TLM_PACKAGE_MADE,
    TLM_PACKAGE_PRESENT, /* it was there already */
    TLM_PACKAGE_FAILED
} tlm_package_outcome;

typedef struct tlm_package_item {
    char *host;
    char *out; /* NULL: standard output */
    tlm_package_outcome outcome;
    tlm_error error;
    char fingerprint[65];
    char jti[37];
    json_t *licenses; /* their ids */
} tlm_package_item;

typedef struct tlm_package_plan {
    tlm_package_item *items;
    size_t count;
    bool many;
    bool force;
    int64_t now;
    tlm_signer *issuer;
    tlm_signer *vendor; /* NULL: the issuer's signs licenses, too */
    const char *iss;    /* NULL: the vendor of the first license */
    tlm_trust *trust;   /* NULL: nothing is verified */
    tlm_description *description;
    tlm_container *containers;
    size_t container_count;
} tlm_package_plan;

/* Reads and opens everything but the hosts' files. */
TLM_CHECKED tlm_result tlm_package_plan_make(const tlm_issue_options *options,
                                             tlm_package_plan *plan, tlm_error *error);
void tlm_package_plan_clear(tlm_package_plan *plan);

/* Trust files on top of what was compiled in. */
TLM_CHECKED tlm_result tlm_package_read_trust(const tlm_words *files, tlm_trust **trust,
                                              tlm_error *error);

/* Makes the package of one host; safe under threads. */
TLM_CHECKED tlm_result tlm_package_make(const tlm_package_plan *plan, tlm_package_item *item,
                                        tlm_error *error);

/*
 * Makes all of them with so many threads, each item's outcome and error kept with it. Ends early
 * where the key can sign no more or the disk is full: what is left is TLM_PACKAGE_PENDING.
 */
void tlm_package_run(tlm_package_plan *plan, unsigned jobs, tlm_progress *progress);

#endif
