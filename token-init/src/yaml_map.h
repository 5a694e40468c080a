/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_YAML_MAP_H
#define TLM_YAML_MAP_H

/*
 * The one shape of YAML that tpm2-pkcs11 writes: a canonical map of double-quoted scalars, with
 * sequences of such scalars as values.
 *
 *     ---
 *     !!map {
 *       ? !!str "transient"
 *       : !!bool "false",
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#define TLM_YAML_KEY_MAX 63U

/* `value` is not zero-terminated and NULL for a sequence. Returning false ends the reading. */
typedef bool (*tlm_yaml_visit)(void *context, const char *key, const char *value, size_t size);

/* Calls `visit` for each pair. False where the text is not of that shape, or where visit says so.
 */
bool tlm_yaml_map_read(const char *text, size_t size, tlm_yaml_visit visit, void *context);

#endif
