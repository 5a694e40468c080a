/* SPDX-License-Identifier: BSD-2-Clause */
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

#include <tlm/log.h>

#include "server.h"
#include "test_http.h"

#define CONNECTIONS 8

static tlm_answers *answers;
static tlm_api *api;
static tlm_server *server;
static unsigned port;

/* The server alone: no service is ever handed a call here, test_serve.c does that. */
void tlm_licensing_submit(tlm_licensing *licensing, tlm_call *call)
{
    (void)licensing;
    call->done(call);
}

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
    assert_int_equal(tlm_api_new(TLM_ACCESS_OPEN, 0, &api, NULL), TLM_OK);
    assert_int_equal(tlm_listen("127.0.0.1", 0, &listener, NULL), TLM_OK);
    port = (unsigned)strtoul(strrchr(listener.bound, ':') + 1, NULL, 10);
    tlm_server_config config = {.listener = &listener,
                                .answers = answers,
                                .api = api,
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
    tlm_api_free(&api);
    tlm_api_free(&api);
    return 0;
}

static void many_requests_on_one_connection(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    for (int i = 0; i < 100; i++) {
        http_ask(file, "GET", "/health", &got);
        assert_int_equal(got.status, 200);
        assert_string_equal(got.body, "{\"status\":\"ok\"}");
        http_ask(file, "HEAD", "/fingerprint", &got);
        assert_int_equal(got.status, 200);
        assert_string_equal(got.body, "");
        http_ask(file, "GET", "/nowhere", &got);
        assert_int_equal(got.status, 404);
        http_ask(file, "DELETE", "/status", &got);
        assert_int_equal(got.status, 405);
    }
    assert_non_null(strstr(got.text, "\r\nAllow: GET, HEAD\r\n"));
    assert_non_null(strstr(got.text, "application/problem+json\r\n"));
    (void)close(file);
}

static void headers_of_the_answers(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    http_ask(file, "GET", "/health", &got);
    assert_non_null(strstr(got.text, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(got.text, "\r\nCache-Control: no-store\r\n"));
    assert_null(strstr(got.text, "Access-Control"));
    assert_null(strstr(got.text, "Connection:"));
    http_ask(file, "GET", "/ready", &got);
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(got.text, "\r\nRetry-After: 5\r\n"));
    assert_non_null(strstr(got.text, "\r\nContent-Type: application/problem+json\r\n"));
    (void)close(file);
}

static void answers_change_between_requests(void **state)
{
    (void)state;
    http_reply got;
    char body[64];
    int file = http_open(port);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(body, sizeof body, "{\"fingerprint\":\"%d\"}", i);
        set(TLM_DOCUMENT_FINGERPRINT, 200, body);
        http_ask(file, "GET", "/fingerprint", &got);
        assert_string_equal(got.body, body);
    }
    (void)close(file);
}

static void a_missing_body_changes_nothing(void **state)
{
    (void)state;
    http_reply got;
    tlm_error error;
    assert_int_equal(tlm_answers_set(answers, TLM_DOCUMENT_HEALTH, 200, NULL, &error),
                     TLM_ERR_MEMORY);
    assert_non_null(strstr(error.message, "/health"));
    int file = http_open(port);
    http_ask(file, "GET", "/health", &got);
    assert_string_equal(got.body, "{\"status\":\"ok\"}");
    (void)close(file);
}

static unsigned long uptime_in(const http_reply *got)
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
    http_reply got;
    int file = http_open(port);
    http_ask(file, "GET", "/status", &got);
    unsigned long first = uptime_in(&got);
    http_pause(1500);
    http_ask(file, "GET", "/status", &got);
    unsigned long second = uptime_in(&got);
    assert_true(second >= first + 1 && second <= first + 60);
    set(TLM_DOCUMENT_STATUS, 503, "{\"code\":\"x\"}");
    http_ask(file, "GET", "/status", &got);
    assert_string_equal(got.body, "{\"code\":\"x\"}");
    (void)close(file);
}

static void a_small_body_is_read_and_refused(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    http_send(file, "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 413);
    assert_non_null(strstr(got.body, "\"content-too-large\""));
    http_send(file, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 404);
    http_ask(file, "GET", "/health", &got);
    assert_int_equal(got.status, 200);
    (void)close(file);
}

static void a_large_body_is_refused_unread(void **state)
{
    (void)state;
    static const char *const heads[] = {"Content-Length: 65537", "Content-Length: 99999999999999",
                                        "Transfer-Encoding: chunked"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        http_reply got;
        char text[128];
        int file = http_open(port);
        (void)snprintf(text, sizeof text, "POST /health HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n",
                       heads[i]);
        http_send(file, text);
        http_receive(file, &got, false);
        assert_int_equal(got.status, 405);
        assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
        assert_true(http_closed(file));
        (void)close(file);
    }
}

static void a_dripping_client_is_told_and_closed(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    http_send(file, "GET /health HTTP/1.1\r\nX: ");
    for (int i = 0; i < 40 && server != NULL; i++) {
        http_pause(100);
        tlm_server_sweep(server);
        if (send(file, "x", 1, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    http_receive(file, &got, false);
    assert_int_equal(got.status, 408);
    assert_true(http_closed(file));
    (void)close(file);
}

static void clients_above_the_limit_get_503(void **state)
{
    (void)state;
    int files[CONNECTIONS];
    http_reply got;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        files[i] = http_open(port);
        http_ask(files[i], "GET", "/health", &got);
        assert_int_equal(got.status, 200);
    }
    int one_more = http_open(port);
    http_ask(one_more, "GET", "/health", &got);
    assert_int_equal(got.status, 503);
    assert_non_null(strstr(got.body, "\"too-many-connections\""));
    assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
    assert_true(http_closed(one_more));
    (void)close(one_more);
    http_ask(files[0], "GET", "/health", &got);
    assert_int_equal(got.status, 200);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        (void)close(files[i]);
    }
    got.status = 0;
    for (int i = 0; i < 100 && got.status != 200; i++) {
        http_pause(20);
        one_more = http_open(port);
        http_ask(one_more, "GET", "/health", &got);
        (void)close(one_more);
    }
    assert_int_equal(got.status, 200);
}

static void draining_closes_idle_and_finishes_busy(void **state)
{
    (void)state;
    http_reply got;
    int idle = http_open(port);
    http_ask(idle, "GET", "/health", &got);
    assert_int_equal(got.status, 200);
    int busy = http_open(port);
    http_send(busy, "GET /health HTTP/1.1\r\nHo");
    http_pause(200);
    tlm_answers_close(answers);
    set(TLM_DOCUMENT_HEALTH, 200, "{\"status\":\"ok\"}");
    assert_int_equal(tlm_server_drain(server, 300), 1);
    assert_true(http_closed(idle));
    http_send(busy, "st: x\r\n\r\n");
    http_receive(busy, &got, false);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
    assert_true(http_closed(busy));
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
