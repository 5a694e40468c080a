/* SPDX-License-Identifier: BSD-2-Clause */
#include "query.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#define AFTER_MAX 9007199254740991LL /* exact in every JSON reader */

typedef enum parameter {
    PARAMETER_FORCE,
    PARAMETER_AFTER,
    PARAMETER_LIMIT,
    PARAMETER_COUNT
} parameter;

static const struct {
    const char *name;
    tlm_query query;
    int64_t minimum;
    int64_t maximum;
    const char *hint;
} parameters[PARAMETER_COUNT] = {
    [PARAMETER_FORCE] = {"force", TLM_QUERY_FORCE, 0, 0, "write force=true or force=false"},
    [PARAMETER_AFTER] = {"after", TLM_QUERY_PAGE, 0, AFTER_MAX, "write after=NUMBER, 0 or more"},
    [PARAMETER_LIMIT] = {"limit", TLM_QUERY_PAGE, 1, TLM_QUERY_LIMIT_MAX,
                         "write limit=NUMBER, from 1 to 1000"},
};

/* Decimal digits alone: strtoll takes blanks and signs. */
static bool read_number(const char *text, int64_t minimum, int64_t maximum, int64_t *number)
{
    size_t length = strlen(text);
    if (length == 0 || length > 16 || strspn(text, "0123456789") != length) {
        return false;
    }
    *number = strtoll(text, NULL, 10);
    return *number >= minimum && *number <= maximum;
}

static bool store(parameter which, const char *value, tlm_query_values *values)
{
    if (which == PARAMETER_FORCE) {
        values->force = strcmp(value, "true") == 0;
        return values->force || strcmp(value, "false") == 0;
    }
    return read_number(value, parameters[which].minimum, parameters[which].maximum,
                       which == PARAMETER_AFTER ? &values->after : &values->limit);
}

tlm_result tlm_query_take(tlm_query allowed, const char *name, const char *value,
                          tlm_query_values *values, tlm_error *error)
{
    char quoted[80];
    for (int i = 0; i < PARAMETER_COUNT; i++) {
        if (parameters[i].query != allowed || strcmp(parameters[i].name, name) != 0) {
            continue;
        }
        if ((values->given & 1U << (unsigned)i) != 0) {
            return tlm_error_set(error, TLM_ERR_ARGUMENT, parameters[i].hint,
                                 "%s stands in the query twice", name);
        }
        values->given |= 1U << (unsigned)i;
        if (value != NULL && store((parameter)i, value, values)) {
            return TLM_OK;
        }
        return tlm_error_set(error, TLM_ERR_ARGUMENT, parameters[i].hint, "%s cannot be %s", name,
                             tlm_log_quote(value, quoted, sizeof quoted));
    }
    return tlm_error_set(error, TLM_ERR_ARGUMENT, "leave it out, or look at docs/rest.md",
                         "the query of this path has no %s",
                         tlm_log_quote(name, quoted, sizeof quoted));
}

typedef struct reading {
    tlm_query allowed;
    tlm_query_values *values;
    tlm_error *error;
    tlm_result result;
} reading;

/* An MHD_KeyValueIterator. */
static enum MHD_Result take_one(void *context, enum MHD_ValueKind kind, const char *name,
                                const char *value)
{
    (void)kind;
    reading *self = context;
    self->result = tlm_query_take(self->allowed, name, value, self->values, self->error);
    return self->result == TLM_OK ? MHD_YES : MHD_NO;
}

tlm_result tlm_query_read(struct MHD_Connection *connection, tlm_query allowed,
                          tlm_query_values *values, tlm_error *error)
{
    *values = (tlm_query_values){.limit = TLM_QUERY_LIMIT_MAX};
    reading self = {.allowed = allowed, .values = values, .error = error};
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_one, &self);
    return self.result;
}
