/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TCTI_INTERNAL_H
#define TLM_TCTI_INTERNAL_H

/*
 * What tcti.c (the order of trial) and tcti_check.c (what is wrong with a candidate) share.
 *
 *     char name[32];
 *     const char *rest = NULL;
 *     tlm_tcti_split("swtpm:path=/run/swtpm", name, sizeof name, &rest);   // "swtpm", "path=/…"
 */

#include <stddef.h>

/* The TCTI's short name, and what stands behind the first colon ("" where there is none). */
void tlm_tcti_split(const char *conf, char *name, size_t size, const char **rest);

#endif
