/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's malloc: glibc's, after the guard was asked. The dynamic linker gives these
 * functions to every library of the process; glibc's manual, "Replacing malloc", says which must be
 * replaced together.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "guard.h"

/* glibc's own names, and its headers' for what they declare:
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

/* Memory that was given may be a little more than was asked for; that counts when it is freed. */
static void *counted(void *block, size_t asked)
{
    if (block == NULL) {
        tlm_guard_give(asked);
        return NULL;
    }
    size_t given = malloc_usable_size(block);
    if (given > asked) {
        (void)tlm_guard_take(given - asked);
    }
    return block;
}

void *malloc(size_t size)
{
    if (!tlm_guard_take(size)) {
        errno = ENOMEM;
        return NULL;
    }
    return counted(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    size_t all = 0;
    if (__builtin_mul_overflow(count, size, &all) || !tlm_guard_take(all)) {
        errno = ENOMEM;
        return NULL;
    }
    return counted(__libc_calloc(count, size), all);
}

void *realloc(void *block, size_t size)
{
    size_t before = block != NULL ? malloc_usable_size(block) : 0;
    if (size > before && !tlm_guard_take(size - before)) {
        errno = ENOMEM;
        return NULL;
    }
    void *made = __libc_realloc(block, size);
    if (made == NULL) {
        /* Of size 0 it was a free. */
        tlm_guard_give(size == 0 ? before : size > before ? size - before : 0);
        return NULL;
    }
    size_t given = malloc_usable_size(made);
    size_t taken = size > before ? size : before;
    if (given > taken) {
        (void)tlm_guard_take(given - taken);
    } else {
        tlm_guard_give(taken - given);
    }
    return made;
}

void free(void *block)
{
    if (block != NULL) {
        tlm_guard_give(malloc_usable_size(block));
    }
    __libc_free(block);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name)
 * NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
