/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "listen.h"

static unsigned port_of(const tlm_listener *listener)
{
    const char *colon = strrchr(listener->bound, ':');
    assert_non_null(colon);
    unsigned long port = strtoul(colon + 1, NULL, 10);
    assert_in_range(port, 1, 65535);
    return (unsigned)port;
}

/* Whether an IPv4 client gets in. */
static int connects(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    int result = connect(file, (struct sockaddr *)&to, sizeof to);
    (void)close(file);
    return result == 0;
}

static void takes_a_free_port(void **state)
{
    (void)state;
    tlm_error error;
    tlm_listener listener;
    assert_int_equal(tlm_listen("127.0.0.1", 0, &listener, &error), TLM_OK);
    unsigned port = port_of(&listener);
    char text[64];
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", port);
    assert_string_equal(listener.bound, text);
    (void)snprintf(text, sizeof text, "http://127.0.0.1:%u", port);
    assert_string_equal(listener.url, text);
    assert_true(connects(port));
    tlm_listener_close(&listener);
    assert_int_equal(listener.file, -1);
    tlm_listener_close(&listener);
    assert_false(connects(port));
}

static void names_a_wildcard_by_loopback(void **state)
{
    (void)state;
    tlm_error error;
    tlm_listener listener;
    assert_int_equal(tlm_listen("0.0.0.0", 0, &listener, &error), TLM_OK);
    assert_memory_equal(listener.bound, "0.0.0.0:", 8);
    assert_memory_equal(listener.url, "http://127.0.0.1:", 17);
    tlm_listener_close(&listener);
    assert_int_equal(tlm_listen("localhost", 0, &listener, &error), TLM_OK);
    assert_memory_equal(listener.bound, "127.0.0.1:", 10);
    tlm_listener_close(&listener);
}

static void listens_on_ipv6(void **state)
{
    (void)state;
    tlm_error error;
    tlm_listener listener;
    static const char *const names[] = {"::1", "[::1]"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(tlm_listen(names[i], 0, &listener, &error), TLM_OK);
        assert_memory_equal(listener.bound, "[::1]:", 6);
        assert_memory_equal(listener.url, "http://[::1]:", 13);
        tlm_listener_close(&listener);
    }
    assert_int_equal(tlm_listen("::", 0, &listener, &error), TLM_OK);
    assert_memory_equal(listener.bound, "[::]:", 5);
    assert_memory_equal(listener.url, "http://[::1]:", 13);
    assert_true(connects(port_of(&listener)));
    tlm_listener_close(&listener);
}

static void says_who_has_the_port(void **state)
{
    (void)state;
    tlm_error error;
    tlm_listener first;
    tlm_listener second;
    char command[64];
    assert_int_equal(tlm_listen("127.0.0.1", 0, &first, &error), TLM_OK);
    unsigned port = port_of(&first);
    assert_int_equal(tlm_listen("127.0.0.1", port, &second, &error), TLM_ERR_BUSY);
    assert_int_equal(error.result, TLM_ERR_BUSY);
    assert_int_equal(second.file, -1);
    (void)snprintf(command, sizeof command, "ss -ltnp 'sport = :%u'", port);
    assert_non_null(strstr(error.hint, command));
    assert_non_null(strstr(error.hint, "--rest-port"));
    assert_int_equal(tlm_listen("127.0.0.1", port, &second, NULL), TLM_ERR_BUSY);
    tlm_listener_close(&first);
}

static void refuses_what_is_no_address(void **state)
{
    (void)state;
    static const char *const names[] = {"",          "nohost",     "1.2.3",     "1.2.3.4.5",
                                        "256.1.1.1", "[::1",       "::1]",      "[]",
                                        "::g",       "127.0.0.1 ", "1.2.3.4:80"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tlm_error error;
        tlm_listener listener;
        assert_int_equal(tlm_listen(names[i], 0, &listener, &error), TLM_ERR_SETTING);
        assert_int_equal(listener.file, -1);
        assert_non_null(strstr(error.message, names[i]));
    }
    tlm_listener listener;
    assert_int_equal(tlm_listen("127.0.0.1", 65536, &listener, NULL), TLM_ERR_SETTING);
}

static void says_when_the_address_is_not_ours(void **state)
{
    (void)state;
    tlm_error error;
    tlm_listener listener;
    /* TEST-NET-1 (RFC 5737) is nobody's. */
    assert_int_not_equal(tlm_listen("192.0.2.1", 0, &listener, &error), TLM_OK);
    assert_int_equal(listener.file, -1);
    assert_non_null(strstr(error.hint, "192.0.2.1"));
    assert_non_null(strstr(error.hint, "--rest-host"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_free_port),
        cmocka_unit_test(names_a_wildcard_by_loopback),
        cmocka_unit_test(listens_on_ipv6),
        cmocka_unit_test(says_who_has_the_port),
        cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(says_when_the_address_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
