/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ACCESS_INTERNAL_H
#define TLM_ACCESS_INTERNAL_H

/*
 * The table as it is kept, for its parser (access_parse.c), the names in it (access_names.c) and
 * the questions about it (access.c).
 */

#include <stdbool.h>
#include <stddef.h>

#include "access.h"

/* Enough for any table that a person can still oversee. */
#define TLM_ACCESS_RULES_MAX 256U
#define TLM_ACCESS_OBJECTS_MAX 64U
#define TLM_ACCESS_USE_ALL                                                                         \
    ((unsigned)TLM_USE_SEE | (unsigned)TLM_USE_SIGN | (unsigned)TLM_USE_DECRYPT |                  \
     (unsigned)TLM_USE_DERIVE | (unsigned)TLM_USE_COUNTER)

typedef struct tlm_access_rule {
    bool is_group;
    unsigned id;   /* uid or gid */
    unsigned uses; /* of tlm_use; any of them includes TLM_USE_SEE */
    bool every_object;
    char **objects; /* labels */
    size_t object_count;
} tlm_access_rule;

struct tlm_access {
    tlm_access_rule *rules;
    size_t count;
};

/* A table with room for `count` rules that say nothing yet; NULL where memory is out. */
tlm_access *tlm_access_new(size_t count);

/*
 * The number of a user or group by its name. Unknown ones are TLM_ERR_SETTING, with the nearest
 * name of /etc/passwd or /etc/group; `place` is for the message ("rule 2 in …").
 */
TLM_CHECKED tlm_result tlm_access_find_user(const char *name, const char *place, unsigned *id,
                                            tlm_error *error);
TLM_CHECKED tlm_result tlm_access_find_group(const char *name, const char *place, unsigned *id,
                                             tlm_error *error);

#endif
