/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine.h"
#include "engine_address.h"

static void expect(const char *text, bool certificates, const char *shown, const char *base,
                   const char *socket)
{
    tlm_engine_address address;
    tlm_error error = {0};
    assert_int_equal(tlm_engine_address_parse(text, certificates, &address, &error), TLM_OK);
    assert_string_equal(address.shown, shown);
    assert_string_equal(address.base, base);
    assert_string_equal(address.socket, socket);
    assert_int_equal(address.tls, strncmp(base, "https", 5) == 0);
    assert_false(address.nobody);
}

static void sockets(void **state)
{
    (void)state;
    expect(NULL, false, "unix:///var/run/docker.sock", "http://localhost", TLM_ENGINE_SOCKET);
    expect("", true, "unix:///var/run/docker.sock", "http://localhost", TLM_ENGINE_SOCKET);
    expect("unix:///run/podman/podman.sock", true, "unix:///run/podman/podman.sock",
           "http://localhost", "/run/podman/podman.sock");
}

static void hosts(void **state)
{
    (void)state;
    expect("tcp://engine:2375", false, "tcp://engine:2375", "http://engine:2375", "");
    expect("tcp://engine", false, "tcp://engine:2375", "http://engine:2375", "");
    expect("tcp://engine/", true, "https://engine:2376", "https://engine:2376", "");
    expect("tcp://engine:1", true, "https://engine:1", "https://engine:1", "");
    expect("http://10.0.0.1:65535/", true, "tcp://10.0.0.1:65535", "http://10.0.0.1:65535", "");
    expect("https://a-b.example_c", false, "https://a-b.example_c:2376",
           "https://a-b.example_c:2376", "");
    expect("tcp://[fd00::1]:2375", false, "tcp://[fd00::1]:2375", "http://[fd00::1]:2375", "");
    expect("tcp://[::ffff:10.0.0.1]", false, "tcp://[::ffff:10.0.0.1]:2375",
           "http://[::ffff:10.0.0.1]:2375", "");
}

static void nobody(void **state)
{
    (void)state;
    tlm_engine_address address;
    assert_int_equal(tlm_engine_address_parse("none", false, &address, NULL), TLM_OK);
    assert_true(address.nobody);
}

static void other_ways(void **state)
{
    (void)state;
    static const char *const texts[] = {"ssh://root@host", "fd://", "npipe:////./pipe/engine"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tlm_engine_address address;
        tlm_error error = {0};
        assert_int_equal(tlm_engine_address_parse(texts[i], false, &address, &error),
                         TLM_ERR_UNSUPPORTED);
        assert_non_null(strstr(error.hint, "tcp://"));
        assert_null(strstr(error.message, "root@host"));
    }
}

static void no_address(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "None",
        "docker",
        "/var/run/docker.sock",
        "unix:/var/run/docker.sock",
        "unix://",
        "unix://var/run/docker.sock",
        "tcp://",
        "tcp://:2375",
        "tcp://engine:",
        "tcp://engine:0",
        "tcp://engine:65536",
        "tcp://engine:123456",
        "tcp://engine:12345678901234567890",
        "tcp://engine:23x",
        "tcp://engine:+1",
        "tcp://user:password@engine:2375",
        "tcp://engine:2375/path",
        "tcp://engine:2375?query",
        "tcp://engine:2375#part",
        "tcp://engine 2375",
        "tcp://[fd00::1",
        "tcp://[]:2375",
        "tcp://[fd00::1]2375",
        "tcp://engine\\@other",
        "file:///etc/passwd",
        "gopher://engine",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tlm_engine_address address;
        tlm_error error = {0};
        print_message("%s\n", texts[i]);
        assert_int_equal(tlm_engine_address_parse(texts[i], false, &address, &error),
                         TLM_ERR_SETTING);
        assert_non_null(strstr(error.message, "is no address of a container engine: "));
        assert_non_null(strstr(error.hint, "none to ask nobody"));
    }
}

static void at_the_limits(void **state)
{
    (void)state;
    tlm_engine_address address;
    char text[400] = "unix:///";
    memset(text + 8, 's', 106);
    text[8 + 106] = '\0';
    assert_int_equal(tlm_engine_address_parse(text, false, &address, NULL), TLM_OK);
    assert_int_equal(strlen(address.socket), 107);
    text[8 + 106] = 's';
    text[8 + 107] = '\0';
    assert_int_equal(tlm_engine_address_parse(text, false, &address, NULL), TLM_ERR_SETTING);

    memset(text, 'h', sizeof text);
    memcpy(text, "tcp://", 6);
    text[6 + 240] = '\0';
    assert_int_equal(tlm_engine_address_parse(text, true, &address, NULL), TLM_OK);
    assert_string_equal(address.shown + strlen(address.shown) - 5, ":2376");
    assert_string_equal(address.base + strlen(address.base) - 5, ":2376");
    text[6 + 240] = 'h';
    text[6 + 241] = '\0';
    assert_int_equal(tlm_engine_address_parse(text, true, &address, NULL), TLM_ERR_SETTING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets),    cmocka_unit_test(hosts),      cmocka_unit_test(nobody),
        cmocka_unit_test(other_ways), cmocka_unit_test(no_address), cmocka_unit_test(at_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
