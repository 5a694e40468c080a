/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOOL_OPTIONS_PRIVATE_H
#define TLM_TOOL_OPTIONS_PRIVATE_H

/* The table of options, for those who parse and those who describe. */

#include <stdbool.h>
#include <stddef.h>

#define TLM_TOOL_ANY "*"

typedef struct tlm_tool_row {
    const char *commands; /* names between commas, or TLM_TOOL_ANY */
    const char *flag;
    const char *argument; /* NULL for a switch */
    size_t member;
    const char *help;
} tlm_tool_row;

/* Ends with a row without flag. */
extern const tlm_tool_row tlm_tool_rows[];

bool tlm_tool_row_fits(const tlm_tool_row *row, const char *command);

/* The row that the first one or two words name, and how many they were; NULL where there is none.
 */
const struct tlm_tool_command *tlm_tool_find(char *const words[], size_t *used);

/* Bytes of the group in "group word"; 0 where the name is one word. */
size_t tlm_tool_group(const char *name);

#endif
