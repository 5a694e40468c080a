/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/notify.h>

static char directory[] = "/tmp/tlm-notify.XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

/* A service manager's socket at `name`, of which a leading '@' stands for an abstract one. */
static int open_manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    assert_true(size < sizeof address.sun_path);
    memcpy(address.sun_path, name, size);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(file >= 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    assert_int_equal(bind(file, (struct sockaddr *)&address, length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return file;
}

static void receive(int file, char *text, size_t size)
{
    ssize_t got = recv(file, text, size - 1, 0);
    assert_true(got > 0);
    text[got] = '\0';
}

static void sends_to_a_path(void **state)
{
    (void)state;
    char name[64];
    char text[2048];
    (void)snprintf(name, sizeof name, "%s/socket", directory);
    int file = open_manager(name);
    tlm_notify("READY=1\nSTATUS=serving %s", "http://127.0.0.1:1");
    receive(file, text, sizeof text);
    assert_string_equal(text, "READY=1\nSTATUS=serving http://127.0.0.1:1");
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(name), 0);
    tlm_notify("READY=1"); /* nobody there any more: no harm */
}

static void sends_to_an_abstract_name(void **state)
{
    (void)state;
    char name[64];
    char text[2048];
    (void)snprintf(name, sizeof name, "@tlm-notify-test-%d", (int)getpid());
    int file = open_manager(name);
    tlm_notify("STOPPING=1");
    receive(file, text, sizeof text);
    assert_string_equal(text, "STOPPING=1");
    assert_int_equal(close(file), 0);
}

static void tells_when_it_reloads(void **state)
{
    (void)state;
    char name[64];
    char text[2048];
    (void)snprintf(name, sizeof name, "%s/socket", directory);
    int file = open_manager(name);
    tlm_notify_reloading();
    receive(file, text, sizeof text);
    static const char start[] = "RELOADING=1\nMONOTONIC_USEC=";
    assert_memory_equal(text, start, sizeof start - 1);
    char *after = NULL;
    assert_true(strtoull(text + sizeof start - 1, &after, 10) > 0);
    assert_string_equal(after, "");
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(name), 0);
}

static void cuts_what_is_too_long(void **state)
{
    (void)state;
    char name[64];
    char text[4096];
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)snprintf(name, sizeof name, "%s/socket", directory);
    int file = open_manager(name);
    tlm_notify("STATUS=%s", longer);
    receive(file, text, sizeof text);
    assert_int_equal(strlen(text), 1023);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(name), 0);
}

static void does_nothing_without_a_manager(void **state)
{
    (void)state;
    static const char *const names[] = {"", "@", "relative", "/nowhere/at/all"};
    char longer[200];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        tlm_notify("READY=1");
    }
    assert_int_equal(setenv("NOTIFY_SOCKET", longer, 1), 0);
    tlm_notify("READY=1");
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    tlm_notify("READY=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_to_a_path),
        cmocka_unit_test(sends_to_an_abstract_name),
        cmocka_unit_test(tells_when_it_reloads),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(does_nothing_without_a_manager),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
