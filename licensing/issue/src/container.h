/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_CONTAINER_H
#define TLM_ISSUE_CONTAINER_H

/* Containers that were made before: their text, and what they say. */

#include <stdatomic.h>
#include <stddef.h>

#include <tlm/license.h>
#include <tlm/result.h>

typedef struct tlm_container {
    char *text; /* the compact JWS */
    tlm_license *license;
    atomic_bool used; /* a package has it */
} tlm_container;

/*
 * Reads a container. Its form and claims are checked, its signature is not: the issuer need not
 * have the vendor's key.
 */
TLM_CHECKED tlm_result tlm_container_read(const char *path, tlm_container *container,
                                          tlm_error *error);
/* The same from a text; messages call it `name`. */
TLM_CHECKED tlm_result tlm_container_parse(const char *text, size_t size, const char *name,
                                           tlm_container *container, tlm_error *error);
void tlm_container_clear(tlm_container *container);

#endif
