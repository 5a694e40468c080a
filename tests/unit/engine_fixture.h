/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_ENGINE_FIXTURE_H
#define TLM_TEST_ENGINE_FIXTURE_H

/*
 * A container engine on a socket in a directory of the test program's own; as cmocka's setup and
 * teardown, of the group and of each test:
 *
 *     cmocka_unit_test_setup_teardown(knows_by_id, start_fake, stop_fake)
 *     cmocka_run_group_tests(tests, make_directory, remove_directory)
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/log.h>

#include "fake_engine.h"

static char directory[] = "/tmp/tlm-engine.XXXXXX";
static char path[64];
static char host[80];
static tlm_fake_engine fake;

static inline int make_directory(void **state)
{
    (void)state;
    tlm_log_set_level(TLM_LOG_FATAL);
    /* Everybody may go in: a test asks as another user. */
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/d.sock", directory);
    (void)snprintf(host, sizeof host, "unix://%s", path);
    return 0;
}

static inline int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static inline int start_fake(void **state)
{
    (void)state;
    tlm_fake_engine_new(&fake);
    tlm_fake_engine_vectors(&fake, "docker-20.10");
    tlm_fake_engine_start(&fake, path);
    return 0;
}

static inline int stop_fake(void **state)
{
    (void)state;
    tlm_fake_engine_stop(&fake);
    return 0;
}

#endif
