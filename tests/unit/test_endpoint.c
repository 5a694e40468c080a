/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "endpoint.h"

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    assert_true(size < sizeof address.sun_path);
    memcpy(address.sun_path, path, size);
    return address;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    if (connect(file, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(file);
        return -1;
    }
    return file;
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void makes_directory_socket_and_lock(void **state)
{
    char directory[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    char lock[TEST_PATH_MAX];
    tlm_endpoint endpoint;
    tlm_error error = {0};
    mode_t before = umask(077);
    (void)in_directory(state, "run", directory);
    (void)in_directory(state, "run/p.sock", path);
    (void)in_directory(state, "run/p.sock.lock", lock);
    assert_int_equal(tlm_endpoint_open(path, &endpoint, &error), TLM_OK);
    assert_int_equal(umask(before), 077);
    assert_int_equal(mode_of(directory), 0755);
    assert_int_equal(mode_of(path), 0666);
    assert_int_equal(mode_of(lock), 0600);
    assert_string_equal(endpoint.socket.path, path);
    assert_false(endpoint.inherited);
    int peer = connect_to(path);
    assert_true(peer >= 0);
    (void)close(peer);
    tlm_endpoint_close(&endpoint);
    assert_int_equal(endpoint.socket.file, -1);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(lock, F_OK), 0);
    tlm_endpoint_close(&endpoint);
}

static void the_second_is_refused(void **state)
{
    char path[TEST_PATH_MAX];
    char lock[TEST_PATH_MAX];
    tlm_endpoint first;
    tlm_endpoint second;
    tlm_error error = {0};
    (void)in_directory(state, "p.sock", path);
    (void)in_directory(state, "p.sock.lock", lock);
    assert_int_equal(tlm_endpoint_open(path, &first, &error), TLM_OK);
    assert_int_equal(tlm_endpoint_open(path, &second, &error), TLM_ERR_BUSY);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, "ss -xlp"));
    assert_non_null(strstr(error.hint, "--pkcs11-socket"));
    tlm_endpoint_close(&second);
    /* Somebody who listens counts without a lock, too. */
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(tlm_endpoint_open(path, &second, &error), TLM_ERR_BUSY);
    tlm_endpoint_close(&second);
    int peer = connect_to(path);
    assert_true(peer >= 0);
    (void)close(peer);
    tlm_endpoint_close(&first);
    assert_int_equal(tlm_endpoint_open(path, &second, &error), TLM_OK);
    tlm_endpoint_close(&second);
}

static void refuses_paths_that_are_none(void **state)
{
    (void)state;
    char longest[TLM_UNIX_SOCKET_PATH_MAX + 3];
    const char *const paths[] = {NULL, "", "relative", "/directory/", longest};
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[TLM_UNIX_SOCKET_PATH_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        tlm_endpoint endpoint;
        tlm_error error = {0};
        assert_int_equal(tlm_endpoint_open(paths[i], &endpoint, &error), TLM_ERR_SETTING);
        assert_non_null(strstr(error.hint, "/run/tlm/pkcs11.sock"));
        tlm_endpoint_close(&endpoint);
    }
}

static void takes_one_unix_socket_from_the_manager(void **state)
{
    char pid[16];
    char path[TEST_PATH_MAX];
    tlm_endpoint endpoint;
    tlm_error error = {0};
    (void)in_directory(state, "p.sock", path);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    /* For another process: ours makes a socket of its own. */
    assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
    assert_int_equal(tlm_endpoint_open(path, &endpoint, &error), TLM_OK);
    assert_false(endpoint.inherited);
    assert_null(getenv("LISTEN_FDS"));
    tlm_endpoint_close(&endpoint);
    /* Two, or what does not listen. */
    assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", "2", 1), 0);
    assert_int_equal(tlm_endpoint_open(path, &endpoint, &error), TLM_ERR_SETTING);
    assert_non_null(strstr(error.hint, "ListenStream="));
    tlm_endpoint_close(&endpoint);
}

#define ENDPOINT_TEST(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENDPOINT_TEST(makes_directory_socket_and_lock),
        ENDPOINT_TEST(the_second_is_refused),
        ENDPOINT_TEST(refuses_paths_that_are_none),
        ENDPOINT_TEST(takes_one_unix_socket_from_the_manager),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
