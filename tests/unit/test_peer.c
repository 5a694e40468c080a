/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "peer.h"

/* Who a child is before it connects; groups only where the test runs as root. */
typedef struct identity {
    uid_t uid;
    gid_t gid;
    size_t group_count;
    const char *name;
    bool vanish; /* has ended before it is asked about */
} identity;

typedef struct connection {
    int fd;
    pid_t child;
    int hold; /* the child lives until this is closed */
} connection;

#define FIRST_GROUP 70000U

static void become(const identity *who)
{
    gid_t groups[TLM_PEER_GROUPS_MAX + 1];
    for (size_t i = 0; i < who->group_count; i++) {
        groups[i] = FIRST_GROUP + (gid_t)i;
    }
    if (geteuid() == 0 && (setgroups(who->group_count, groups) != 0 || setgid(who->gid) != 0 ||
                           setuid(who->uid) != 0)) {
        _exit(2);
    }
    if (who->name != NULL) {
        (void)prctl(PR_SET_NAME, who->name);
    }
}

static void be_child(const identity *who, const struct sockaddr_un *address, socklen_t size,
                     int hold)
{
    char byte = 0;
    become(who);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)address, size) != 0) {
        _exit(3);
    }
    _exit(who->vanish || read(hold, &byte, 1) == 0 ? 0 : 4);
}

/* A child that is `who` and connects. The address is an abstract one that the kernel chooses. */
static connection connected(const identity *who)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address.sun_family;
    int pipes[2];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    size = sizeof address;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pipe(pipes), 0);
    connection made = {.child = fork(), .hold = pipes[1]};
    assert_true(made.child >= 0);
    if (made.child == 0) {
        (void)close(pipes[1]);
        be_child(who, &address, size, pipes[0]);
    }
    (void)close(pipes[0]);
    made.fd = accept(listener, NULL, NULL);
    assert_true(made.fd >= 0);
    (void)close(listener);
    if (who->vanish) {
        assert_int_equal(waitpid(made.child, NULL, 0), made.child);
    }
    return made;
}

static void end(connection *ended, const identity *who)
{
    int status = 0;
    (void)close(ended->hold);
    (void)close(ended->fd);
    if (!who->vanish) {
        assert_int_equal(waitpid(ended->child, &status, 0), ended->child);
        assert_int_equal(status, 0);
    }
}

static void test_who_connected(void **state)
{
    (void)state;
    identity who = {.uid = getuid(), .gid = getgid()};
    connection made = connected(&who);
    tlm_peer peer = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_peer_read(made.fd, &peer, &error), TLM_OK);
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.gid, getgid());
    assert_int_equal(peer.pid, made.child);
    char name[16] = ""; /* as much as the kernel keeps, of this program or of valgrind */
    assert_int_equal(prctl(PR_GET_NAME, name), 0);
    assert_string_equal(peer.program, name);
    gid_t groups[TLM_PEER_GROUPS_MAX];
    int count = geteuid() == 0 ? 0 : getgroups((int)TLM_PEER_GROUPS_MAX, groups);
    assert_int_equal(peer.group_count, count);
    for (int i = 0; i < count; i++) {
        assert_true(tlm_peer_in_group(&peer, groups[i]));
    }
    end(&made, &who);
}

static void test_another_user(void **state)
{
    (void)state;
    identity who = {.uid = 4321, .gid = 1234, .group_count = 3, .name = "some one"};
    if (geteuid() != 0) {
        who = (identity){.uid = getuid(), .gid = getgid(), .name = "some one"};
    }
    connection made = connected(&who);
    tlm_peer peer = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_peer_read(made.fd, &peer, &error), TLM_OK);
    assert_int_equal(peer.uid, who.uid);
    assert_int_equal(peer.gid, who.gid);
    assert_string_equal(peer.program, "some one");
    assert_true(tlm_peer_in_group(&peer, who.gid));
    for (unsigned i = 0; i < who.group_count; i++) {
        assert_true(tlm_peer_in_group(&peer, FIRST_GROUP + i));
    }
    assert_false(tlm_peer_in_group(&peer, FIRST_GROUP + 3));
    assert_false(tlm_peer_in_group(&peer, 4321));
    end(&made, &who);
}

/* The kernel, not the peer, says how many groups there are. */
static void test_groups_maximum(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        return; /* only root can have other groups than its own */
    }
    identity who = {.uid = 4321, .gid = 1234, .group_count = TLM_PEER_GROUPS_MAX};
    connection made = connected(&who);
    tlm_peer peer = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_peer_read(made.fd, &peer, &error), TLM_OK);
    assert_int_equal(peer.group_count, TLM_PEER_GROUPS_MAX);
    assert_true(tlm_peer_in_group(&peer, FIRST_GROUP + TLM_PEER_GROUPS_MAX - 1));
    end(&made, &who);
    who.group_count++;
    made = connected(&who);
    assert_int_equal(tlm_peer_read(made.fd, &peer, &error), TLM_ERR_TOO_LARGE);
    assert_non_null(strstr(error.message, "uid 4321"));
    assert_non_null(strstr(error.message, "64"));
    end(&made, &who);
}

static void test_program_cannot_forge_a_line(void **state)
{
    (void)state;
    identity who = {.uid = getuid(), .gid = getgid(), .name = "a\x1b[2J\xc3\xa4\tb"};
    connection made = connected(&who);
    tlm_peer peer = {0};
    assert_int_equal(tlm_peer_read(made.fd, &peer, NULL), TLM_OK);
    assert_string_equal(peer.program, "a?[2J???b");
    end(&made, &who);
}

static void test_peer_that_is_gone(void **state)
{
    (void)state;
    identity who = {.uid = getuid(), .gid = getgid(), .vanish = true};
    connection made = connected(&who);
    tlm_peer peer = {0};
    assert_int_equal(tlm_peer_read(made.fd, &peer, NULL), TLM_OK);
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.pid, made.child);
    assert_string_equal(peer.program, "?");
    end(&made, &who);
}

static void test_pair(void **state)
{
    (void)state;
    int pair[2];
    tlm_peer peer = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(tlm_peer_read(pair[0], &peer, NULL), TLM_OK);
    assert_int_equal(peer.pid, getpid());
    (void)close(pair[0]);
    (void)close(pair[1]);
}

static void refuse(int fd, tlm_result expected, const char *message)
{
    tlm_peer peer = {.pid = 1};
    tlm_error error = {0};
    assert_int_equal(tlm_peer_read(fd, &peer, &error), expected);
    assert_non_null(strstr(error.message, message));
    assert_int_equal(peer.pid, 0);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void test_no_peer(void **state)
{
    (void)state;
    int pipes[2];
    refuse(-1, TLM_ERR_IO, "who is connected");
    assert_int_equal(pipe(pipes), 0);
    (void)close(pipes[1]);
    refuse(pipes[0], TLM_ERR_IO, "who is connected");
    refuse(socket(AF_UNIX, SOCK_STREAM, 0), TLM_ERR_ARGUMENT, "no connected unix socket");
    refuse(socket(AF_INET, SOCK_STREAM, 0), TLM_ERR_ARGUMENT, "no connected unix socket");
    assert_int_equal(tlm_peer_read(0, NULL, NULL), TLM_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_connected),
        cmocka_unit_test(test_another_user),
        cmocka_unit_test(test_groups_maximum),
        cmocka_unit_test(test_program_cannot_forge_a_line),
        cmocka_unit_test(test_peer_that_is_gone),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_no_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
