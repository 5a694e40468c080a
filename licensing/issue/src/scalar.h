/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_SCALAR_H
#define TLM_ISSUE_SCALAR_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/*
 * What a scalar means: number, boolean or null where it is not quoted and JSON has it so (an empty
 * one and ~ are null), a text otherwise. NULL without memory, for a text that is not UTF-8 or holds
 * a zero byte, and for a number out of range.
 */
json_t *tlm_scalar_value(const char *text, size_t size, bool quoted);

#endif
