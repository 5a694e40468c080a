/* SPDX-License-Identifier: BSD-2-Clause */
#include "problem.h"

#include <string.h>

#include <microhttpd.h>

#include "json_text.h"

/* What says more of this problem; it must not say another thing than the members of each problem.
 */
static int add_members(json_t *object, json_t *members)
{
    int failed = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(members, name, value)
    {
        if (strcmp(name, "code") == 0 || json_object_get(object, name) == NULL) {
            failed |= json_object_set(object, name, value);
        }
    }
    return failed;
}

char *tlm_problem_text(const tlm_problem *problem)
{
    json_t *object = json_object();
    /* The type about:blank says that the status is all there is to it; `code` tells them apart. */
    int failed = json_object_set_new(object, "type", json_string("about:blank"));
    failed |= json_object_set_new(object, "title",
                                  json_string(MHD_get_reason_phrase_for(problem->status)));
    failed |= json_object_set_new(object, "status", json_integer((json_int_t)problem->status));
    failed |= json_object_set_new(object, "code", tlm_json_text(problem->code));
    failed |= json_object_set_new(object, "detail", tlm_json_text(problem->detail));
    if (problem->hint != NULL && problem->hint[0] != '\0') {
        failed |= json_object_set_new(object, "hint", tlm_json_text(problem->hint));
    }
    if (problem->instance != NULL && problem->instance[0] != '\0') {
        failed |= json_object_set_new(object, "instance", tlm_json_text(problem->instance));
    }
    failed |= add_members(object, problem->members);
    return tlm_json_finish(object, failed);
}
