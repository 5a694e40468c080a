/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the shared library, in place of what the programs have: jansson's allocator is the whole
 * process's, and the process is the application's. Nothing that the library reads is secret.
 */
#include "json_private.h"

void tlm_json_protect(void)
{
}
