/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
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

static void its_directory_is_made(void **state)
{
    char path[TEST_PATH_MAX];
    char directory[TEST_PATH_MAX];
    struct stat status;
    tlm_admin_socket admin;
    in_directory(state, "run", directory);
    in_directory(state, "run/admin.sock", path);
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
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
    assert_int_equal(flock(first.lock, LOCK_UN), 0);
    assert_int_equal(tlm_admin_socket_open(path, &second, &error), TLM_ERR_BUSY);
    tlm_admin_socket_close(&second);
    assert_true(can_connect(path));
    tlm_admin_socket_close(&first);
}

static void what_a_killed_one_left_is_replaced(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_admin_socket admin;
    in_directory(state, "admin.sock", path);
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    /* The kernel closes its files, and the names stay. */
    assert_int_equal(close(admin.listener.file), 0);
    assert_int_equal(close(admin.lock), 0);
    assert_false(can_connect(path));
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    assert_true(can_connect(path));
    tlm_admin_socket_close(&admin);
}

static void another_kind_of_file_is_left_alone(void **state)
{
    char path[TEST_PATH_MAX];
    struct stat status;
    tlm_admin_socket admin;
    in_directory(state, "admin.sock", path);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_ERR_EXISTS);
    tlm_admin_socket_close(&admin);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
}

static void a_path_has_a_form_and_a_length(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_admin_socket admin;
    static const char *const wrong[] = {"a.sock", "./a.sock", "/tmp/", "/"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(tlm_admin_socket_open(wrong[i], &admin, NULL), TLM_ERR_SETTING);
        tlm_admin_socket_close(&admin);
    }
    in_directory(state, "", path);
    size_t size = strlen(path);
    memset(path + size, 'a', 108 - size);
    path[108] = '\0';
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_ERR_SETTING);
    tlm_admin_socket_close(&admin);
    path[107] = '\0';
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    assert_true(can_connect(path));
    tlm_admin_socket_close(&admin);
}

static void one_that_was_replaced_is_not_removed(void **state)
{
    char path[TEST_PATH_MAX];
    struct stat status;
    tlm_admin_socket admin;
    in_directory(state, "admin.sock", path);
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    assert_int_equal(unlink(path), 0);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    tlm_admin_socket_close(&admin);
    assert_int_equal(stat(path, &status), 0);
}

#define SOCKET_TEST(test) cmocka_unit_test_setup_teardown(test, setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(owner_and_group_may_connect),
        SOCKET_TEST(its_directory_is_made),
        SOCKET_TEST(a_served_one_is_not_taken_over),
        SOCKET_TEST(what_a_killed_one_left_is_replaced),
        SOCKET_TEST(another_kind_of_file_is_left_alone),
        SOCKET_TEST(a_path_has_a_form_and_a_length),
        SOCKET_TEST(one_that_was_replaced_is_not_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
