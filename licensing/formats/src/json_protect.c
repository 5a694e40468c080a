/* SPDX-License-Identifier: BSD-2-Clause */
/* Apart from the rest: a library in somebody else's process leaves jansson as it is there. */
#include "json_private.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void wiping_free(void *memory)
{
    if (memory != NULL) {
        explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
    }
}

static void protect_once(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

void tlm_json_protect(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, protect_once);
}
