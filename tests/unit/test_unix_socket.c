/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <tlm/log.h>
#include <tlm/unix_socket.h>

static const tlm_unix_socket_config config = {
    .mode = 0660, .backlog = 4, .option = "--some-socket PATH", .example = "/run/tlm/some.sock"};

/* What the kernel answers about groups: an errno, or those of `fake_groups`. */
static int fake_errno;
static size_t fake_count;
static const gid_t fake_groups[] = {70001, 70002, 70003};

int __real_getsockopt(int file, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int file, int level, int name, void *value, socklen_t *size);

int __wrap_getsockopt(int file, int level, int name, void *value, socklen_t *size)
{
    size_t wanted = fake_count * sizeof fake_groups[0];
    if (name != SO_PEERGROUPS || (fake_errno == 0 && fake_count == 0)) {
        return __real_getsockopt(file, level, name, value, size);
    }
    if (fake_errno != 0 || *size < wanted) {
        errno = fake_errno != 0 ? fake_errno : ERANGE;
        return -1;
    }
    memcpy(value, fake_groups, wanted);
    *size = (socklen_t)wanted;
    return 0;
}

static int setup(void **state)
{
    tlm_log_set_level(TLM_LOG_FATAL);
    fake_errno = 0;
    fake_count = 0;
    return directory_setup(state);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    assert_true(size <= sizeof address.sun_path);
    memcpy(address.sun_path, path, size);
    return address;
}

static bool can_connect(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(file, (struct sockaddr *)&address, sizeof address) == 0;
    assert_int_equal(close(file), 0);
    return connected;
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void opens(const char *path, tlm_unix_socket *served)
{
    tlm_error error = {0};
    tlm_result result = tlm_unix_socket_open(path, &config, served, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, TLM_OK);
}

/* The error is the caller's to look at. */
static tlm_error refuses(const char *path, tlm_result expected)
{
    tlm_unix_socket served;
    tlm_error error = {0};
    assert_int_equal(tlm_unix_socket_open(path, &config, &served, &error), expected);
    tlm_unix_socket_close(&served);
    assert_int_equal(served.file, -1);
    assert_int_equal(served.lock, -1);
    return error;
}

static void makes_directory_socket_and_lock(void **state)
{
    char directory[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    char lock[TEST_PATH_MAX];
    tlm_unix_socket served;
    mode_t before = umask(077);
    (void)in_directory(state, "run", directory);
    (void)in_directory(state, "run/s.sock", path);
    (void)in_directory(state, "run/s.sock.lock", lock);
    opens(path, &served);
    assert_int_equal(umask(before), 077);
    assert_int_equal(mode_of(directory), 0755);
    assert_int_equal(mode_of(lock), 0600);
    assert_string_equal(served.path, path);
    assert_true(fcntl(served.file, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(served.file, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(served.lock, F_GETFD) & FD_CLOEXEC);
    assert_true(can_connect(path));
    tlm_unix_socket_close(&served);
    assert_int_equal(served.file, -1);
    assert_int_equal(served.lock, -1);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(lock, F_OK), 0);
    tlm_unix_socket_close(&served);
}

static void the_mode_is_the_one_asked_for(void **state)
{
    static const mode_t modes[] = {0600, 0660, 0666};
    static const mode_t masks[] = {0, 022, 0177};
    char path[TEST_PATH_MAX];
    (void)in_directory(state, "s.sock", path);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        tlm_unix_socket_config asked = config;
        tlm_unix_socket served;
        asked.mode = modes[i];
        mode_t before = umask(masks[i]);
        assert_int_equal(tlm_unix_socket_open(path, &asked, &served, NULL), TLM_OK);
        assert_int_equal(umask(before), masks[i]);
        assert_int_equal(mode_of(path), modes[i]);
        tlm_unix_socket_close(&served);
    }
}

static void a_directory_that_is_there_keeps_its_mode(void **state)
{
    char directory[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    tlm_unix_socket served;
    assert_int_equal(mkdir(in_directory(state, "run", directory), 0700), 0);
    opens(in_directory(state, "run/s.sock", path), &served);
    assert_int_equal(mode_of(directory), 0700);
    tlm_unix_socket_close(&served);
}

static void a_directory_that_cannot_be_made_is_told(void **state)
{
    char file[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, "file", file), "");
    tlm_unix_socket served;
    tlm_error error = {0};
    assert_int_not_equal(tlm_unix_socket_open(in_directory(state, "file/run/s.sock", path), &config,
                                              &served, &error),
                         TLM_OK);
    tlm_unix_socket_close(&served);
    assert_non_null(strstr(error.hint, "RuntimeDirectory="));
    assert_non_null(strstr(error.hint, config.option));
}

static void the_second_is_refused(void **state)
{
    char path[TEST_PATH_MAX];
    char lock[TEST_PATH_MAX];
    tlm_unix_socket first;
    tlm_unix_socket second;
    (void)in_directory(state, "s.sock", path);
    (void)in_directory(state, "s.sock.lock", lock);
    opens(path, &first);
    tlm_error error = refuses(path, TLM_ERR_BUSY);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, "ss -xlp"));
    assert_non_null(strstr(error.hint, config.option));
    assert_true(can_connect(path));
    /* Whoever listens without the lock serves it all the same. */
    assert_int_equal(flock(first.lock, LOCK_UN), 0);
    (void)refuses(path, TLM_ERR_BUSY);
    assert_int_equal(unlink(lock), 0);
    (void)refuses(path, TLM_ERR_BUSY);
    assert_true(can_connect(path));
    tlm_unix_socket_close(&first);
    opens(path, &second);
    tlm_unix_socket_close(&second);
}

/* A lock alone says that somebody is about to listen. */
static void a_held_lock_is_enough(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_unix_socket first;
    opens(in_directory(state, "s.sock", path), &first);
    assert_int_equal(unlink(path), 0);
    (void)refuses(path, TLM_ERR_BUSY);
    assert_int_not_equal(access(path, F_OK), 0);
    tlm_unix_socket_close(&first);
}

static void a_full_backlog_is_somebody(void **state)
{
    char path[TEST_PATH_MAX];
    struct sockaddr_un address = address_of(in_directory(state, "s.sock", path));
    int busy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(busy, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(busy, 0), 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    (void)refuses(path, TLM_ERR_BUSY);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(close(waiting) | close(busy), 0);
}

static void what_a_killed_one_left_is_replaced(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_unix_socket served;
    opens(in_directory(state, "s.sock", path), &served);
    /* The kernel closes its files, and the names stay. */
    assert_int_equal(close(served.file), 0);
    assert_int_equal(close(served.lock), 0);
    assert_false(can_connect(path));
    opens(path, &served);
    assert_true(can_connect(path));
    tlm_unix_socket_close(&served);
}

static void one_that_only_bound_is_replaced(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_unix_socket served;
    struct sockaddr_un address = address_of(in_directory(state, "s.sock", path));
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(close(stale), 0);
    opens(path, &served);
    assert_true(can_connect(path));
    tlm_unix_socket_close(&served);
}

static void what_took_its_place_stays(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_unix_socket served;
    struct stat status;
    opens(in_directory(state, "s.sock", path), &served);
    assert_int_equal(unlink(path), 0);
    put_file(path, "another's");
    tlm_unix_socket_close(&served);
    assert_int_equal(access(path, F_OK), 0);
    tlm_error error = refuses(path, TLM_ERR_EXISTS);
    assert_non_null(strstr(error.message, "is not a socket"));
    assert_non_null(strstr(error.hint, config.option));
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));
}

static void a_lock_file_that_is_a_link_is_not_followed(void **state)
{
    char path[TEST_PATH_MAX];
    char lock[TEST_PATH_MAX];
    char target[TEST_PATH_MAX];
    (void)in_directory(state, "s.sock", path);
    (void)in_directory(state, "target", target);
    assert_int_equal(symlink(target, in_directory(state, "s.sock.lock", lock)), 0);
    tlm_error error = refuses(path, TLM_ERR_IO);
    assert_non_null(strstr(error.message, lock));
    assert_non_null(strstr(error.hint, config.option));
    assert_int_not_equal(access(target, F_OK), 0);
}

static void refuses_paths_that_are_none(void **state)
{
    (void)state;
    char longest[TLM_UNIX_SOCKET_PATH_MAX + 2];
    const char *const paths[] = {NULL, "", "a.sock", "./a.sock", "/tmp/", "/", longest};
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[TLM_UNIX_SOCKET_PATH_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        tlm_error error = refuses(paths[i], TLM_ERR_SETTING);
        assert_non_null(strstr(error.message, "cannot be the path of a unix socket"));
        assert_non_null(strstr(error.hint, "107 bytes"));
        assert_non_null(strstr(error.hint, config.example));
    }
}

static void the_longest_path_is_one(void **state)
{
    char path[TLM_UNIX_SOCKET_PATH_MAX + 1];
    tlm_unix_socket served;
    int length = snprintf(path, sizeof path, "%s/", (const char *)*state);
    memset(path + length, 'x', sizeof path - (size_t)length);
    path[TLM_UNIX_SOCKET_PATH_MAX] = '\0';
    opens(path, &served);
    assert_string_equal(served.path, path);
    assert_true(can_connect(path));
    tlm_unix_socket_close(&served);
}

/* A server that took the file over closes it; the name is still removed here. */
static void a_file_that_was_taken_over_is_not_closed(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_unix_socket served;
    opens(in_directory(state, "s.sock", path), &served);
    int taken = served.file;
    served.file = -1;
    tlm_unix_socket_close(&served);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(close(taken), 0);
}

static void a_peer_is_who_connected(void **state)
{
    (void)state;
    int pair[2];
    struct ucred peer;
    gid_t own[256];
    gid_t groups[256];
    size_t count = sizeof groups / sizeof groups[0];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(tlm_unix_socket_peer(pair[0], &peer, NULL), TLM_OK);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    int owned = getgroups(sizeof own / sizeof own[0], own);
    assert_true(owned >= 0);
    assert_int_equal(tlm_unix_socket_groups(pair[0], &peer, groups, &count, NULL), TLM_OK);
    assert_int_equal(count, owned);
    for (size_t i = 0; i < count; i++) {
        assert_true(tlm_unix_socket_has_group(groups, count, own[i]));
    }
    assert_int_equal(close(pair[0]) | close(pair[1]), 0);
}

static void no_peer_is_no_root(void **state)
{
    (void)state;
    int pipes[2];
    int none[] = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                  socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct ucred peer = {0};
    tlm_error error = {0};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        peer.uid = 0;
        assert_int_equal(tlm_unix_socket_peer(none[i], &peer, &error), TLM_ERR_ARGUMENT);
        assert_non_null(strstr(error.message, "no connected unix socket"));
        assert_int_not_equal(peer.uid, 0);
        assert_int_equal(close(none[i]), 0);
    }
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    peer.uid = 0;
    assert_int_equal(tlm_unix_socket_peer(pipes[0], &peer, &error), TLM_ERR_IO);
    assert_int_not_equal(peer.uid, 0);
    assert_int_equal(close(pipes[0]) | close(pipes[1]), 0);
    assert_int_equal(tlm_unix_socket_peer(-1, &peer, &error), TLM_ERR_IO);
}

static void groups_have_room_or_are_refused(void **state)
{
    (void)state;
    static const struct ucred peer = {.uid = 4321, .gid = 1234, .pid = 99};
    gid_t groups[3];
    tlm_error error = {0};
    size_t count = 3;
    fake_count = 3;
    assert_int_equal(tlm_unix_socket_groups(-1, &peer, groups, &count, &error), TLM_OK);
    assert_int_equal(count, 3);
    assert_true(tlm_unix_socket_has_group(groups, count, 70001));
    assert_true(tlm_unix_socket_has_group(groups, count, 70003));
    assert_false(tlm_unix_socket_has_group(groups, count, 70004));
    assert_false(tlm_unix_socket_has_group(groups, 2, 70003));
    assert_false(tlm_unix_socket_has_group(groups, 0, 70001));
    count = 2;
    assert_int_equal(tlm_unix_socket_groups(-1, &peer, groups, &count, &error), TLM_ERR_TOO_LARGE);
    assert_int_equal(count, 0);
    assert_string_equal(error.message,
                        "process 99 of uid 4321 has more than 2 supplementary groups");
    fake_errno = ENOPROTOOPT;
    count = 3;
    assert_int_equal(tlm_unix_socket_groups(-1, &peer, groups, &count, &error), TLM_ERR_IO);
    assert_int_equal(count, 0);
    assert_non_null(strstr(error.hint, "Linux 4.13"));
}

#define SOCKET_TEST(test) cmocka_unit_test_setup_teardown(test, setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(makes_directory_socket_and_lock),
        SOCKET_TEST(the_mode_is_the_one_asked_for),
        SOCKET_TEST(a_directory_that_is_there_keeps_its_mode),
        SOCKET_TEST(a_directory_that_cannot_be_made_is_told),
        SOCKET_TEST(the_second_is_refused),
        SOCKET_TEST(a_held_lock_is_enough),
        SOCKET_TEST(a_full_backlog_is_somebody),
        SOCKET_TEST(what_a_killed_one_left_is_replaced),
        SOCKET_TEST(one_that_only_bound_is_replaced),
        SOCKET_TEST(what_took_its_place_stays),
        SOCKET_TEST(a_lock_file_that_is_a_link_is_not_followed),
        SOCKET_TEST(refuses_paths_that_are_none),
        SOCKET_TEST(the_longest_path_is_one),
        SOCKET_TEST(a_file_that_was_taken_over_is_not_closed),
        SOCKET_TEST(a_peer_is_who_connected),
        SOCKET_TEST(no_peer_is_no_root),
        SOCKET_TEST(groups_have_room_or_are_refused),
    };
    return cmocka_run_group_tests_name("unix_socket", tests, NULL, NULL);
}
