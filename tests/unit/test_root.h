/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_ROOT_H
#define TLM_TEST_ROOT_H

/*
 * The test's directory (test_directory.h) as the root of a system that the test makes up:
 *
 *     put(state, "proc/self/cgroup", "0::/\n");
 *     assert_false(tlm_container_look(*state, &container));
 */

#include "test_directory.h"

#include <tlm/file.h>

/* Writes ROOT/name with the directories above it. */
static inline void put(void **state, const char *name, const char *text)
{
    char path[TEST_PATH_MAX];
    char above[TEST_PATH_MAX];
    in_directory(state, name, path);
    memcpy(above, path, sizeof above);
    *strrchr(above, '/') = '\0';
    assert_int_equal(tlm_directory_make(above, 0755, NULL), TLM_OK);
    put_file(path, text);
}

#endif
