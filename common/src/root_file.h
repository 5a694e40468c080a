/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ROOT_FILE_H
#define TLM_ROOT_FILE_H

/* Small files below a root directory: the system's, or one that a test made. */

#include <stdbool.h>
#include <stddef.h>

/* The whole of ROOT/path, at most `max` bytes, for the caller to free; NULL where it cannot be had.
 */
char *tlm_root_text(const char *root, const char *path, size_t max);

/* Its first line without blanks at both ends, cut to `size`; false where it is empty. */
bool tlm_root_line(const char *root, const char *path, char *line, size_t size);

bool tlm_root_exists(const char *root, const char *path);

/* A variable of this process for "/", else out of ROOT/proc/self/environ; false where not set. */
bool tlm_root_variable(const char *root, const char *name, char *value, size_t size);

#endif
