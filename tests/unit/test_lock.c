/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "../../licensing/src/lock_private.h"

/* Holds the lock as another daemon would, which wrote this into it; returns the open file. */
static int hold(void **state, const char *content)
{
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, TLM_LOCK_FILE, path), content);
    int file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(flock(file, LOCK_EX | LOCK_NB), 0);
    return file;
}

static void assert_refused(void **state, const char *content, const char *message, const char *hint)
{
    int held = hold(state, content);
    int file = -1;
    tlm_error error = {0};
    assert_int_equal(tlm_lock_take(*state, &file, &error), TLM_ERR_BUSY);
    assert_int_equal(file, -1);
    assert_non_null(strstr(error.message, message));
    assert_non_null(strstr(error.message, *state));
    assert_non_null(strstr(error.hint, hint));
    assert_int_equal(close(held), 0);
}

/* What the one who holds it wrote: its own PID and place. */
static void the_owner_is_named(void **state)
{
    char path[TEST_PATH_MAX];
    char content[512];
    char message[64];
    int first = -1;
    assert_int_equal(tlm_lock_take(*state, &first, NULL), TLM_OK);
    (void)get_file(in_directory(state, TLM_LOCK_FILE, path), content, sizeof content);
    assert_int_equal(strtol(content, NULL, 10), getpid());
    assert_non_null(strstr(content, "\npid:["));
    assert_int_equal(content[strlen(content) - 1], '\n');
    int second = -1;
    tlm_error error = {0};
    assert_int_equal(tlm_lock_take(*state, &second, &error), TLM_ERR_BUSY);
    (void)snprintf(message, sizeof message, "process %ld uses", (long)getpid());
    assert_non_null(strstr(error.message, message));
    assert_non_null(strstr(error.hint, "ps -fp"));
    assert_int_equal(close(first), 0);
    assert_int_equal(tlm_lock_take(*state, &second, NULL), TLM_OK);
    assert_int_equal(close(second), 0);
}

/* A PID of another namespace is nobody here: the container is what an operator can stop. */
static void an_owner_in_another_container_is_named_by_it(void **state)
{
    assert_refused(state, "1\npid:[4026532999] 3f4ac0f7a1b2\n",
                   "process 1 of container or host 3f4ac0f7a1b2 uses", "docker stop 3f4ac0f7a1b2");
    assert_refused(state, "1\npid:[4026532999] a;b$c\n", "container or host a?b?c", "a?b?c");
    assert_refused(state, "1\npid:[4026532999] \n", "process 1 of container or host",
                   "docker stop");
}

static void other_contents_are_no_reason_to_fail(void **state)
{
    char longest[1024];
    assert_refused(state, "17\n", "process 17 uses", "ps -fp 17");
    assert_refused(state, "17", "process 17 uses", "ps -fp 17");
    assert_refused(state, "17\nnonsense\n", "process 17 uses", "ps -fp 17");
    assert_refused(state, "", "another process uses", "fuser -v");
    assert_refused(state, "nobody\n", "another process uses", "fuser -v");
    (void)snprintf(longest, sizeof longest, "1\npid:[1] %0*d\n", 900, 0);
    assert_refused(state, longest, "process 1 of container or host 000", "docker stop 000");
}

static void a_missing_directory_has_no_lock(void **state)
{
    char path[TEST_PATH_MAX];
    int file = -1;
    assert_int_equal(tlm_lock_take(in_directory(state, "none", path), &file, NULL),
                     TLM_ERR_NOT_FOUND);
    assert_int_equal(file, -1);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(the_owner_is_named),
        WITH_DIRECTORY(an_owner_in_another_container_is_named_by_it),
        WITH_DIRECTORY(other_contents_are_no_reason_to_fail),
        WITH_DIRECTORY(a_missing_directory_has_no_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
