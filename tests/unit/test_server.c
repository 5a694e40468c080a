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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/log.h>

#include "server.h"

#define CONNECTIONS 8

static tlm_answers *answers;
static tlm_server *server;
static unsigned port;

static void set(tlm_document document, unsigned status, const char *body)
{
    assert_int_equal(tlm_answers_set(answers, document, status, strdup(body), NULL), TLM_OK);
}

static int start(void **state)
{
    (void)state;
    tlm_log_set_level(TLM_LOG_FATAL);
    tlm_listener listener;
    assert_int_equal(tlm_answers_new(&answers, NULL), TLM_OK);
    set(TLM_DOCUMENT_HEALTH, 200, "{\"status\":\"ok\"}");
    set(TLM_DOCUMENT_READY, 503, "{\"code\":\"pending\"}");
    set(TLM_DOCUMENT_STATUS, 200, "{\"service\":\"x\"}");
    set(TLM_DOCUMENT_FINGERPRINT, 200, "{\"fingerprint\":\"1\"}");
    set(TLM_DOCUMENT_FALLBACK, 200, "{\"fingerprint\":\"2\"}");
    assert_int_equal(tlm_listen("127.0.0.1", 0, &listener, NULL), TLM_OK);
    port = (unsigned)strtoul(strrchr(listener.bound, ':') + 1, NULL, 10);
    tlm_server_config config = {.listener = &listener,
                                .answers = answers,
                                .connections = CONNECTIONS,
                                .idle_seconds = 30,
                                .deadline_seconds = 1};
    assert_int_equal(tlm_server_start(&config, &server, NULL), TLM_OK);
    assert_int_equal(listener.file, -1);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tlm_server_stop(&server);
    assert_null(server);
    tlm_server_stop(&server);
    tlm_answers_free(&answers);
    tlm_answers_free(&answers);
    return 0;
}

static int open_client(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    struct timeval patience = {.tv_sec = 10};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    assert_int_equal(connect(file, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    return file;
}

static void send_text(int file, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t done = send(file, text, size, MSG_NOSIGNAL);
        assert_true(done > 0);
        text += done;
        size -= (size_t)done;
    }
}

/* One answer, whole by its Content-Length; "" where the connection ended first. */
typedef struct reply {
    char text[4096];
    unsigned status;
    const char *body;
} reply;

static bool is_whole(const reply *got, size_t used, bool head)
{
    const char *end = strstr(got->text, "\r\n\r\n");
    const char *length = strstr(got->text, "Content-Length: ");
    if (end == NULL || length == NULL) {
        return false;
    }
    size_t body = head ? 0 : strtoul(length + 16, NULL, 10);
    return used >= (size_t)(end + 4 - got->text) + body;
}

static void receive(int file, reply *got, bool head)
{
    size_t used = 0;
    *got = (reply){.status = 0};
    got->body = got->text;
    while (used < sizeof got->text - 1 && !is_whole(got, used, head)) {
        ssize_t more = recv(file, got->text + used, sizeof got->text - 1 - used, 0);
        if (more <= 0) {
            return;
        }
        used += (size_t)more;
        got->text[used] = '\0';
    }
    assert_memory_equal(got->text, "HTTP/1.1 ", 9);
    got->status = (unsigned)strtoul(got->text + 9, NULL, 10);
    got->body = strstr(got->text, "\r\n\r\n") + 4;
}

static void ask(int file, const char *method, const char *path, reply *got)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path);
    send_text(file, text);
    receive(file, got, strcmp(method, "HEAD") == 0);
}

static bool is_closed(int file)
{
    char byte;
    return recv(file, &byte, 1, 0) <= 0;
}

static void pause_ms(long ms)
{
    struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&step, NULL);
}

static void many_requests_on_one_connection(void **state)
{
    (void)state;
    reply got;
    int file = open_client();
    for (int i = 0; i < 100; i++) {
        ask(file, "GET", "/health", &got);
        assert_int_equal(got.status, 200);
        assert_string_equal(got.body, "{\"status\":\"ok\"}");
        ask(file, "HEAD", "/fingerprint", &got);
        assert_int_equal(got.status, 200);
        assert_string_equal(got.body, "");
        ask(file, "GET", "/nowhere", &got);
        assert_int_equal(got.status, 404);
        ask(file, "DELETE", "/status", &got);
        assert_int_equal(got.status, 405);
    }
    assert_non_null(strstr(got.text, "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(got.text, "application/problem+json\r\n"));
    (void)close(file);
}

static void headers_of_the_answers(void **state)
{
    (void)state;
    reply got;
    int file = open_client();
    ask(file, "GET", "/health", &got);
    assert_non_null(strstr(got.text, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(got.text, "\r\nCache-Control: no-store\r\n"));
    assert_null(strstr(got.text, "Access-Control"));
    assert_null(strstr(got.text, "Connection:"));
    ask(file, "GET", "/ready", &got);
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(got.text, "\r\nRetry-After: 5\r\n"));
    assert_non_null(strstr(got.text, "\r\nContent-Type: application/problem+json\r\n"));
    (void)close(file);
}

static void answers_change_between_requests(void **state)
{
    (void)state;
    reply got;
    char body[64];
    int file = open_client();
    for (int i = 0; i < 200; i++) {
        (void)snprintf(body, sizeof body, "{\"fingerprint\":\"%d\"}", i);
        set(TLM_DOCUMENT_FINGERPRINT, 200, body);
        ask(file, "GET", "/fingerprint", &got);
        assert_string_equal(got.body, body);
    }
    (void)close(file);
}

static void a_missing_body_changes_nothing(void **state)
{
    (void)state;
    reply got;
    tlm_error error;
    assert_int_equal(tlm_answers_set(answers, TLM_DOCUMENT_HEALTH, 200, NULL, &error),
                     TLM_ERR_MEMORY);
    assert_non_null(strstr(error.message, "/health"));
    int file = open_client();
    ask(file, "GET", "/health", &got);
    assert_string_equal(got.body, "{\"status\":\"ok\"}");
    (void)close(file);
}

static unsigned long uptime_in(const reply *got)
{
    static const char start[] = "{\"service\":\"x\",\"uptimeSeconds\":";
    char *after = NULL;
    assert_memory_equal(got->body, start, sizeof start - 1);
    unsigned long uptime = strtoul(got->body + sizeof start - 1, &after, 10);
    assert_string_equal(after, "}");
    return uptime;
}

static void status_tells_the_uptime(void **state)
{
    (void)state;
    reply got;
    int file = open_client();
    ask(file, "GET", "/status", &got);
    unsigned long first = uptime_in(&got);
    pause_ms(1500);
    ask(file, "GET", "/status", &got);
    unsigned long second = uptime_in(&got);
    assert_true(second >= first + 1 && second <= first + 60);
    set(TLM_DOCUMENT_STATUS, 503, "{\"code\":\"x\"}");
    ask(file, "GET", "/status", &got);
    assert_string_equal(got.body, "{\"code\":\"x\"}");
    (void)close(file);
}

static void a_small_body_is_read_and_refused(void **state)
{
    (void)state;
    reply got;
    int file = open_client();
    send_text(file, "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    receive(file, &got, false);
    assert_int_equal(got.status, 413);
    assert_non_null(strstr(got.body, "\"content-too-large\""));
    send_text(file, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    receive(file, &got, false);
    assert_int_equal(got.status, 404);
    ask(file, "GET", "/health", &got);
    assert_int_equal(got.status, 200);
    (void)close(file);
}

static void a_large_body_is_refused_unread(void **state)
{
    (void)state;
    static const char *const heads[] = {"Content-Length: 65537", "Content-Length: 99999999999999",
                                        "Transfer-Encoding: chunked"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        reply got;
        char text[128];
        int file = open_client();
        (void)snprintf(text, sizeof text, "POST /health HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n",
                       heads[i]);
        send_text(file, text);
        receive(file, &got, false);
        assert_int_equal(got.status, 405);
        assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
        assert_true(is_closed(file));
        (void)close(file);
    }
}

static void a_dripping_client_is_told_and_closed(void **state)
{
    (void)state;
    reply got;
    int file = open_client();
    send_text(file, "GET /health HTTP/1.1\r\nX: ");
    for (int i = 0; i < 40 && server != NULL; i++) {
        pause_ms(100);
        tlm_server_sweep(server);
        if (send(file, "x", 1, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    receive(file, &got, false);
    assert_int_equal(got.status, 408);
    assert_true(is_closed(file));
    (void)close(file);
}

static void clients_above_the_limit_get_503(void **state)
{
    (void)state;
    int files[CONNECTIONS];
    reply got;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        files[i] = open_client();
        ask(files[i], "GET", "/health", &got);
        assert_int_equal(got.status, 200);
    }
    int one_more = open_client();
    ask(one_more, "GET", "/health", &got);
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(got.body, "\"too-many-connections\""));
    assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
    assert_true(is_closed(one_more));
    (void)close(one_more);
    ask(files[0], "GET", "/health", &got);
    assert_int_equal(got.status, 200);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        (void)close(files[i]);
    }
    got.status = 0;
    for (int i = 0; i < 100 && got.status != 200; i++) {
        pause_ms(20);
        one_more = open_client();
        ask(one_more, "GET", "/health", &got);
        (void)close(one_more);
    }
    assert_int_equal(got.status, 200);
}

static void draining_closes_idle_and_finishes_busy(void **state)
{
    (void)state;
    reply got;
    int idle = open_client();
    ask(idle, "GET", "/health", &got);
    assert_int_equal(got.status, 200);
    int busy = open_client();
    send_text(busy, "GET /health HTTP/1.1\r\nHo");
    pause_ms(200);
    tlm_answers_close(answers);
    set(TLM_DOCUMENT_HEALTH, 200, "{\"status\":\"ok\"}");
    assert_int_equal(tlm_server_drain(server, 300), 1);
    assert_true(is_closed(idle));
    send_text(busy, "st: x\r\n\r\n");
    receive(busy, &got, false);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
    assert_true(is_closed(busy));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_not_equal(connect(late, (struct sockaddr *)&to, sizeof to), 0);
    (void)close(late);
    (void)close(idle);
    (void)close(busy);
}

static void room_for_saying_503(void **state)
{
    (void)state;
    assert_int_equal(tlm_server_files(8), 8 + 32);
    assert_int_equal(tlm_server_files(2048), 2048 + 512);
    assert_int_equal(tlm_server_files(100000), 100000 + 1024);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(many_requests_on_one_connection),
        WITH_SERVER(headers_of_the_answers),
        WITH_SERVER(answers_change_between_requests),
        WITH_SERVER(a_missing_body_changes_nothing),
        WITH_SERVER(status_tells_the_uptime),
        WITH_SERVER(a_small_body_is_read_and_refused),
        WITH_SERVER(a_large_body_is_refused_unread),
        WITH_SERVER(a_dripping_client_is_told_and_closed),
        WITH_SERVER(clients_above_the_limit_get_503),
        WITH_SERVER(draining_closes_idle_and_finishes_busy),
        cmocka_unit_test(room_for_saying_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
