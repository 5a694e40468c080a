/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/health.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_directory.h"

#define GENEROUS_MS 60000
#define READY "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"ready\":true}"
#define AWAY                                                                                       \
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n{\"code\":\"token-unavailable\"}"

/* Somebody who listens, and gives one client one answer, whatever it asks. */
typedef struct peer {
    int listener;
    uint16_t port;
    char path[TEST_PATH_MAX];
    const char *answer;
    size_t piece; /* bytes sent at a time; 0 for all */
    char asked[512];
    pthread_t thread;
} peer;

static void send_piecewise(const peer *self, int client)
{
    size_t size = strlen(self->answer);
    size_t piece = self->piece != 0 ? self->piece : size;
    for (size_t sent = 0; sent < size; sent += piece) {
        size_t part = size - sent < piece ? size - sent : piece;
        assert_int_equal(send(client, self->answer + sent, part, MSG_NOSIGNAL), part);
    }
}

static void *serve(void *context)
{
    peer *self = context;
    int client = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client >= 0) {
        ssize_t got = recv(client, self->asked, sizeof self->asked - 1, 0);
        self->asked[got > 0 ? got : 0] = '\0';
        send_piecewise(self, client);
        (void)close(client);
    }
    return NULL;
}

static void listen_on(peer *self, int family, const struct sockaddr *address, socklen_t size)
{
    self->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(self->listener >= 0);
    assert_int_equal(bind(self->listener, address, size), 0);
    assert_int_equal(listen(self->listener, 4), 0);
}

static void open_port(peer *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listen_on(self, AF_INET, (struct sockaddr *)&address, size);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&address, &size), 0);
    self->port = ntohs(address.sin_port);
}

static void open_path(peer *self, const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(self->path, sizeof self->path, "%s/admin.sock", directory);
    assert_true(strlen(self->path) < sizeof address.sun_path);
    memcpy(address.sun_path, self->path, strlen(self->path) + 1);
    listen_on(self, AF_UNIX, (struct sockaddr *)&address, sizeof address);
}

static void begin(peer *self, const char *answer)
{
    self->answer = answer;
    assert_int_equal(pthread_create(&self->thread, NULL, serve, self), 0);
}

static void end(peer *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    (void)close(self->listener);
}

static bool get(const peer *port, const char *socket, unsigned timeout_ms, tlm_health_answer *out)
{
    tlm_health_ask ask = {
        .path = "/ready", .port = port->port, .socket = socket, .timeout_ms = timeout_ms};
    return tlm_health_get(&ask, out);
}

static void answers_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool healthy;
        int status;
        const char *text;
    } rows[] = {
        {READY, true, 200, "{\"ready\":true}"},
        {AWAY, false, 503, "{\"code\":\"token-unavailable\"}"},
        {"HTTP/1.0 404 Not Found\r\n\r\n", false, 404, ""},
        {"HTTP/1.1 200 OK\r\n\r\na\x1b[1mb\nc", true, 200, "a [1mb c"},
        {"", false, 0, "not HTTP"},
        {"SSH-2.0-OpenSSH\r\n", false, 0, "not HTTP"},
        {"HTTP/2 200 OK\r\n\r\n", false, 0, "not HTTP"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            peer self = {.piece = piece};
            tlm_health_answer answer;
            open_port(&self);
            begin(&self, rows[i].answer);
            assert_int_equal(get(&self, NULL, GENEROUS_MS, &answer), rows[i].healthy);
            end(&self);
            assert_int_equal(answer.status, rows[i].status);
            assert_non_null(strstr(answer.text, rows[i].text));
            assert_non_null(strstr(self.asked, "GET /ready HTTP/1.1\r\n"));
            assert_non_null(strstr(self.asked, "\r\n\r\n"));
        }
    }
}

static void more_than_fits_is_cut(void **state)
{
    (void)state;
    static char reply[64 * 1024];
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    memset(reply, 'x', sizeof reply - 1);
    memcpy(reply, head, sizeof head - 1);
    /* No more than what is read, or the peer could not send the rest. */
    reply[4096] = '\0';
    peer self = {0};
    tlm_health_answer answer;
    open_port(&self);
    begin(&self, reply);
    assert_true(get(&self, NULL, GENEROUS_MS, &answer));
    end(&self);
    assert_int_equal(strlen(answer.text), TLM_HEALTH_TEXT - 1);
}

static void a_silent_peer_costs_no_more_than_the_deadline(void **state)
{
    (void)state;
    peer self = {0};
    tlm_health_answer answer;
    open_port(&self); /* the kernel accepts, nobody answers */
    assert_false(get(&self, NULL, 50, &answer));
    assert_int_equal(answer.status, 0);
    assert_non_null(strstr(answer.text, "no answer in time"));
    (void)close(self.listener);
}

static void nobody_there(void **state)
{
    (void)state;
    peer self = {0};
    tlm_health_answer answer;
    open_port(&self);
    (void)close(self.listener);
    assert_false(get(&self, NULL, GENEROUS_MS, &answer));
    assert_int_equal(answer.status, 0);
    assert_non_null(strstr(answer.text, "Connection refused"));
    assert_non_null(strstr(answer.text, "127.0.0.1:"));
}

/* A port that speaks TLS takes our line for a bad handshake: the administrators' socket is asked.
 */
static void where_the_port_speaks_tls_the_socket_is_asked(void **state)
{
    const char *directory = *state;
    static const struct {
        const char *answer;
        bool healthy;
        int status;
    } rows[] = {{READY, true, 200}, {AWAY, false, 503}, {"nothing", false, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peer port = {0};
        peer admin = {0};
        tlm_health_answer answer;
        open_port(&port);
        open_path(&admin, directory);
        begin(&port, "\x15\x03\x03\x01\x02\x02\x46");
        begin(&admin, rows[i].answer);
        assert_int_equal(get(&port, admin.path, GENEROUS_MS, &answer), rows[i].healthy);
        end(&port);
        end(&admin);
        assert_int_equal(unlink(admin.path), 0);
        assert_int_equal(answer.status, rows[i].status);
    }
}

static void a_port_that_answers_in_http_is_believed(void **state)
{
    const char *directory = *state;
    char nowhere[TEST_PATH_MAX];
    (void)snprintf(nowhere, sizeof nowhere, "%s/none.sock", directory);
    peer port = {0};
    tlm_health_answer answer;
    open_port(&port);
    begin(&port, AWAY);
    assert_false(get(&port, nowhere, GENEROUS_MS, &answer));
    end(&port);
    assert_int_equal(answer.status, 503);
}

static void connecting_alone(void **state)
{
    const char *directory = *state;
    peer admin = {0};
    tlm_health_answer answer;
    open_path(&admin, directory);
    assert_true(tlm_health_connect(admin.path, GENEROUS_MS, &answer));
    (void)close(admin.listener);
    assert_false(tlm_health_connect(admin.path, GENEROUS_MS, &answer));
    assert_non_null(strstr(answer.text, "Connection refused"));
    assert_int_equal(unlink(admin.path), 0);
    assert_false(tlm_health_connect(admin.path, GENEROUS_MS, &answer));
    assert_non_null(strstr(answer.text, "No such file"));
    char path[110];
    memset(path, 'a', sizeof path);
    path[108] = '\0';
    assert_false(tlm_health_connect(path, GENEROUS_MS, &answer));
    assert_non_null(strstr(answer.text, "1 to 107 bytes"));
    assert_false(tlm_health_connect("", GENEROUS_MS, &answer));
    assert_non_null(strstr(answer.text, "1 to 107 bytes"));
}

static void a_path_that_is_too_long_is_not_cut(void **state)
{
    (void)state;
    char path[1024];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    peer self = {0};
    tlm_health_answer answer;
    open_port(&self);
    tlm_health_ask ask = {.path = path, .port = self.port, .timeout_ms = GENEROUS_MS};
    assert_false(tlm_health_get(&ask, &answer));
    assert_non_null(strstr(answer.text, "too long"));
    (void)close(self.listener);
}

static void statuses(void **state)
{
    (void)state;
    assert_int_equal(tlm_health_status("HTTP/1.1 200 OK"), 200);
    assert_int_equal(tlm_health_status("HTTP/1.0 503\r\n"), 503);
    static const char whole[] = "HTTP/1.1 200 ";
    for (size_t length = 0; length < sizeof whole - 1; length++) {
        char part[sizeof whole] = {0};
        memcpy(part, whole, length);
        assert_int_equal(tlm_health_status(part), 0);
    }
    assert_int_equal(tlm_health_status(whole), 200);
    assert_int_equal(tlm_health_status("HTTP/1.2 200 "), 0);
    assert_int_equal(tlm_health_status("HTTP/1.1 20x "), 0);
    assert_int_equal(tlm_health_status("HTTP/1.1 2000 "), 0);
}

static void ports(void **state)
{
    (void)state;
    assert_int_equal(tlm_health_port(NULL, 52014), 52014);
    assert_int_equal(tlm_health_port("", 52014), 52014);
    assert_int_equal(tlm_health_port("1", 52014), 1);
    assert_int_equal(tlm_health_port("65535", 52014), 65535);
    assert_int_equal(tlm_health_port("65536", 52014), 0);
    assert_int_equal(tlm_health_port("0", 52014), 0);
    assert_int_equal(tlm_health_port("-1", 52014), 0);
    assert_int_equal(tlm_health_port(" 1", 52014), 0);
    assert_int_equal(tlm_health_port("1x", 52014), 0);
    assert_int_equal(tlm_health_port("99999999999999999999999", 52014), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_told),
        cmocka_unit_test(more_than_fits_is_cut),
        cmocka_unit_test(a_silent_peer_costs_no_more_than_the_deadline),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test_setup_teardown(where_the_port_speaks_tls_the_socket_is_asked,
                                        directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(a_port_that_answers_in_http_is_believed, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(connecting_alone, directory_setup, directory_teardown),
        cmocka_unit_test(a_path_that_is_too_long_is_not_cut),
        cmocka_unit_test(statuses),
        cmocka_unit_test(ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
