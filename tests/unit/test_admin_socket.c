/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "test_directory.h"

#include <tlm/log.h>

#include "admin_socket.h"

static int setup(void **state)
{
    tlm_log_set_level(TLM_LOG_FATAL);
    return directory_setup(state);
}

static bool can_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(file, (struct sockaddr *)&address, sizeof address) == 0;
    assert_int_equal(close(file), 0);
    return connected;
}

static void owner_and_group_may_connect(void **state)
{
    char path[TEST_PATH_MAX];
    struct stat status;
    tlm_admin_socket admin;
    mode_t before = umask(0);
    in_directory(state, "admin.sock", path);
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    assert_int_equal(umask(before), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0660);
    assert_true(can_connect(path));
    tlm_admin_socket_close(&admin);
    assert_int_equal(admin.listener.file, -1);
    assert_int_not_equal(stat(path, &status), 0);
    tlm_admin_socket_close(&admin);
}

static void a_served_one_is_not_taken_over(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_admin_socket first;
    tlm_admin_socket second;
    tlm_error error = {0};
    in_directory(state, "admin.sock", path);
    assert_int_equal(tlm_admin_socket_open(path, &first, NULL), TLM_OK);
    assert_int_equal(tlm_admin_socket_open(path, &second, &error), TLM_ERR_BUSY);
    assert_non_null(strstr(error.hint, "--admin-socket"));
    tlm_admin_socket_close(&second);
    assert_true(can_connect(path));
    /* One that holds no lock file, tlm-tokend for example, serves it all the same. */
    assert_int_equal(flock(first.socket.lock, LOCK_UN), 0);
    assert_int_equal(tlm_admin_socket_open(path, &second, &error), TLM_ERR_BUSY);
    tlm_admin_socket_close(&second);
    assert_true(can_connect(path));
    tlm_admin_socket_close(&first);
}

static void a_refused_path_says_what_to_name(void **state)
{
    (void)state;
    tlm_admin_socket admin;
    tlm_error error = {0};
    assert_int_equal(tlm_admin_socket_open("./a.sock", &admin, &error), TLM_ERR_SETTING);
    assert_non_null(strstr(error.hint, "--admin-socket /run/tlm/admin.sock"));
    assert_int_equal(admin.listener.file, -1);
    tlm_admin_socket_close(&admin);
}

#define SOCKET_TEST(test) cmocka_unit_test_setup_teardown(test, setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(owner_and_group_may_connect),
        SOCKET_TEST(a_served_one_is_not_taken_over),
        SOCKET_TEST(a_refused_path_says_what_to_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
