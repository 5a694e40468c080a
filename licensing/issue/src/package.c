/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "output.h"
#include "package_plan.h"

#define JOBS_MAX 64L

static tlm_result read_jobs(const char *text, unsigned *jobs, tlm_error *error)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    char *end = NULL;
    long number = text != NULL ? strtol(text, &end, 10) : processors;
    if (text != NULL && (*end != '\0' || number < 1 || number > JOBS_MAX)) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--jobs is a number from 1 to %ld",
                             JOBS_MAX);
    }
    *jobs = number < 1 ? 1 : number > JOBS_MAX ? (unsigned)JOBS_MAX : (unsigned)number;
    return TLM_OK;
}

static const char *outcome_name(tlm_package_outcome outcome)
{
    static const char *const names[] = {"pending", "made", "present", "failed"};
    return names[outcome];
}

static size_t count_of(const tlm_package_plan *plan, tlm_package_outcome outcome)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        count += plan->items[i].outcome == outcome;
    }
    return count;
}

static json_t *item_json(const tlm_package_item *item)
{
    bool made = item->outcome == TLM_PACKAGE_MADE;
    json_t *object = json_pack("{s:s, s:s, s:s?}", "host", item->host, "result",
                               outcome_name(item->outcome), "file", item->out);
    if (made) {
        (void)json_object_set_new(object, "package", json_string(item->jti));
        (void)json_object_set_new(object, "fingerprint", json_string(item->fingerprint));
        (void)json_object_set(object, "licenses", item->licenses);
    } else if (item->outcome == TLM_PACKAGE_FAILED) {
        (void)json_object_set_new(object, "code", json_string(tlm_result_code(item->error.result)));
        (void)json_object_set_new(object, "message", json_string(item->error.message));
    }
    return object;
}

static json_t *plan_json(const tlm_package_plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->count; i++) {
        (void)json_array_append_new(list, item_json(&plan->items[i]));
    }
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "packages", list, "made",
                     (json_int_t)count_of(plan, TLM_PACKAGE_MADE), "present",
                     (json_int_t)count_of(plan, TLM_PACKAGE_PRESENT), "failed",
                     (json_int_t)count_of(plan, TLM_PACKAGE_FAILED), "pending",
                     (json_int_t)count_of(plan, TLM_PACKAGE_PENDING));
}

/* Containers that no host got are an error: their customers wait for them. */
static size_t unused(const tlm_package_plan *plan)
{
    size_t count = 0;
    if (count_of(plan, TLM_PACKAGE_MADE) != plan->count) {
        return 0; /* those of hosts that were passed over or failed are not known */
    }
    for (size_t i = 0; i < plan->container_count; i++) {
        if (!plan->containers[i].used) {
            tlm_output_warning("license %s is bound to none of these hosts, but to %.16s…",
                               plan->containers[i].license->jti,
                               plan->containers[i].license->fingerprint);
            count++;
        }
    }
    return count;
}

static int finish(const tlm_issue_options *options, const tlm_package_plan *plan)
{
    size_t made = count_of(plan, TLM_PACKAGE_MADE);
    size_t present = count_of(plan, TLM_PACKAGE_PRESENT);
    size_t left = count_of(plan, TLM_PACKAGE_PENDING);
    size_t failed = count_of(plan, TLM_PACKAGE_FAILED);
    bool printed = true;
    if (options->json) {
        printed = tlm_output_json(plan_json(plan));
    } else if (plan->many && !options->quiet) {
        (void)printf("%zu hosts: %zu packages made, %zu present, %zu failed%s\n", plan->count, made,
                     present, failed, left > 0 ? ", the others not reached" : "");
    }
    bool complete = made + present == plan->count && unused(plan) == 0;
    return printed && fflush(stdout) == 0 && complete ? TLM_EXIT_DONE : TLM_EXIT_FAILED;
}

int tlm_issue_package(const tlm_issue_options *options)
{
    tlm_error error = {0};
    tlm_package_plan plan = {.now = (int64_t)time(NULL)};
    unsigned jobs = 1;
    int status = TLM_EXIT_FAILED;
    tlm_result result = read_jobs(options->jobs, &jobs, &error);
    if (result == TLM_OK && options->json && options->out == NULL) {
        result = tlm_error_set(&error, TLM_ERR_SETTING, "add --out FILE",
                               "the package and --json cannot both go to standard output");
    }
    if (result == TLM_OK) {
        result = tlm_package_plan_make(options, &plan, &error);
    }
    if (result != TLM_OK) {
        status = tlm_output_failure(&error);
    } else {
        bool talks = plan.many && !options->quiet && !options->json;
        bool terminal = isatty(STDERR_FILENO) == 1;
        tlm_progress progress = {.stream = stderr,
                                 .bar = talks && terminal,
                                 .lines = talks && !terminal,
                                 .total = plan.count};
        tlm_package_run(&plan, jobs, &progress);
        status = finish(options, &plan);
    }
    tlm_package_plan_clear(&plan);
    return status;
}
