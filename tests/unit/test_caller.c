/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"

/* The kernel's answers about the peer of a unix socket, as the test wants them. */
static bool faked;
static struct ucred fake_user;
static gid_t fake_groups[3];
static size_t fake_group_count;
static bool too_many_groups;

int __real_getsockopt(int file, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int file, int level, int name, void *value, socklen_t *size);

int __wrap_getsockopt(int file, int level, int name, void *value, socklen_t *size)
{
    if (!faked || level != SOL_SOCKET) {
        return __real_getsockopt(file, level, name, value, size);
    }
    if (name == SO_PEERCRED) {
        assert_true(*size >= sizeof fake_user);
        memcpy(value, &fake_user, sizeof fake_user);
        return 0;
    }
    assert_int_equal(name, SO_PEERGROUPS);
    if (too_many_groups) {
        return -1;
    }
    *size = (socklen_t)(fake_group_count * sizeof fake_groups[0]);
    memcpy(value, fake_groups, *size);
    return 0;
}

static tlm_caller of(const char *address)
{
    struct sockaddr_storage any;
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    tlm_caller caller;
    memset(&any, 0, sizeof any);
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
        memcpy(&any, &four, sizeof four);
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &six.sin6_addr), 1);
        memcpy(&any, &six, sizeof six);
    }
    tlm_caller_from_address(&any, &caller);
    assert_false(caller.unix_socket);
    assert_false(caller.trusted);
    return caller;
}

static void loopback_is_local_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        const char *name;
        bool local;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.255.255.254", "127.255.255.254", true},
        {"126.255.255.255", "126.255.255.255", false},
        {"128.0.0.1", "128.0.0.1", false},
        {"0.0.0.0", "0.0.0.0", false},
        {"192.0.2.7", "192.0.2.7", false},
        {"::1", "::1", true},
        {"::2", "::2", false},
        {"::", "::", false},
        {"fe80::1", "fe80::1", false},
        {"::ffff:127.0.0.9", "127.0.0.9", true},
        {"::ffff:192.0.2.7", "192.0.2.7", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_caller caller = of(cases[i].address);
        assert_int_equal(caller.local, cases[i].local);
        assert_string_equal(caller.name, cases[i].name);
    }
}

static bool same_key(const char *left, const char *right)
{
    tlm_caller one = of(left);
    tlm_caller two = of(right);
    return memcmp(one.key, two.key, sizeof one.key) == 0;
}

static void a_network_of_ipv6_counts_as_one(void **state)
{
    (void)state;
    assert_true(same_key("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"));
    assert_false(same_key("2001:db8:0:1::1", "2001:db8:0:2::1"));
    assert_true(same_key("192.0.2.7", "::ffff:192.0.2.7"));
    assert_false(same_key("192.0.2.7", "192.0.2.8"));
    assert_false(same_key("::1", "127.0.0.1"));
    assert_false(same_key("::", "0.0.0.0"));
}

static tlm_caller behind_a_socket(void)
{
    int files[2];
    tlm_caller caller;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
    tlm_caller_read(files[0], &caller);
    assert_int_equal(close(files[0]) | close(files[1]), 0);
    assert_true(caller.unix_socket);
    return caller;
}

static void this_process_is_its_own_user(void **state)
{
    (void)state;
    char name[32];
    tlm_caller caller = behind_a_socket();
    (void)snprintf(name, sizeof name, "uid %u", (unsigned)geteuid());
    assert_true(caller.trusted);
    assert_true(caller.local);
    assert_string_equal(caller.name, name);
}

static void user_and_groups_decide(void **state)
{
    (void)state;
    const uid_t stranger = geteuid() + 4711;
    const gid_t foreign = getegid() + 4711;
    faked = true;
    fake_group_count = 2;
    fake_groups[0] = foreign + 1;
    fake_groups[1] = foreign + 2;
    fake_user = (struct ucred){.uid = stranger, .gid = foreign};
    assert_false(behind_a_socket().trusted);
    assert_true(behind_a_socket().local);
    fake_user.gid = getegid();
    assert_true(behind_a_socket().trusted);
    fake_user.gid = foreign;
    fake_groups[1] = getegid();
    assert_true(behind_a_socket().trusted);
    too_many_groups = true;
    assert_false(behind_a_socket().trusted);
    fake_user.uid = 0;
    assert_true(behind_a_socket().trusted);
    fake_user.uid = (uid_t)-1;
    assert_false(behind_a_socket().trusted);
    faked = false;
    too_many_groups = false;
}

static void who_cannot_be_told_is_a_stranger(void **state)
{
    (void)state;
    tlm_caller caller;
    tlm_caller_read(-1, &caller);
    assert_false(caller.local);
    assert_false(caller.trusted);
    assert_string_equal(caller.name, "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_local_and_nothing_else),
        cmocka_unit_test(a_network_of_ipv6_counts_as_one),
        cmocka_unit_test(this_process_is_its_own_user),
        cmocka_unit_test(user_and_groups_decide),
        cmocka_unit_test(who_cannot_be_told_is_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
