/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "connections.h"

#define LIMIT 2
#define IDLE_MS 60000
#define DEADLINE_MS 10000
#define START 5000 /* the tests' own clock */

static tlm_connections connections;

static int begin(void **state)
{
    (void)state;
    connections = (tlm_connections){.limit = LIMIT, .idle_ms = IDLE_MS, .deadline_ms = DEADLINE_MS};
    return pthread_mutex_init(&connections.lock, NULL);
}

static int end(void **state)
{
    (void)state;
    assert_null(connections.first);
    assert_int_equal(connections.count, 0);
    return pthread_mutex_destroy(&connections.lock);
}

/* Two ends of one TCP connection: only TCP counts bytes. */
typedef struct pair {
    int server;
    int client;
    tlm_connection *connection;
} pair;

static pair open_pair(int64_t now)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    pair made = {.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(connect(made.client, (struct sockaddr *)&at, sizeof at), 0);
    made.server = accept(listener, NULL, NULL);
    assert_true(made.server >= 0);
    assert_int_equal(close(listener), 0);
    made.connection = tlm_connections_add(&connections, made.server, now);
    assert_non_null(made.connection);
    return made;
}

static void close_pair(pair *of)
{
    tlm_connections_remove(&connections, of->connection);
    (void)close(of->server);
    (void)close(of->client);
}

/* What the client receives until the end of the stream; fails the test where there is none. */
static void read_all(int file, char *text, size_t size)
{
    struct timeval patience = {.tv_sec = 5};
    assert_int_equal(setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    size_t used = 0;
    ssize_t got = 0;
    while (used < size - 1 && (got = recv(file, text + used, size - 1 - used, 0)) > 0) {
        used += (size_t)got;
    }
    assert_int_equal(got, 0);
    text[used] = '\0';
}

static void drip(const pair *of)
{
    assert_int_equal(send(of->client, "G", 1, 0), 1);
}

static void assert_problem(const char *text, const char *status_line, const char *code)
{
    assert_memory_equal(text, status_line, strlen(status_line));
    assert_non_null(strstr(text, code));
    const char *body = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");
    assert_non_null(body);
    assert_non_null(length);
    assert_int_equal(strtoul(length + 16, NULL, 10), strlen(body + 4));
}

static void silent_one_is_left_to_the_idle_timeout(void **state)
{
    (void)state;
    pair one = open_pair(START);
    for (int64_t now = START; now < START + IDLE_MS + DEADLINE_MS; now += 1000) {
        tlm_sweep done = tlm_connections_sweep(&connections, now);
        assert_int_equal(done.late, 0);
        assert_int_equal(done.left, 1);
    }
    /* And is ended here all the same where that does not come: a kernel that counts no bytes. */
    assert_int_equal(tlm_connections_sweep(&connections, START + IDLE_MS + DEADLINE_MS).late, 1);
    assert_int_equal(tlm_connections_sweep(&connections, START + 2 * IDLE_MS).late, 0);
    close_pair(&one);
}

static void dripping_one_meets_its_deadline(void **state)
{
    (void)state;
    pair one = open_pair(START);
    int64_t now = START;
    for (; now < START + DEADLINE_MS; now += 1000) {
        drip(&one);
        assert_int_equal(tlm_connections_sweep(&connections, now).late, 0);
    }
    drip(&one);
    assert_int_equal(tlm_connections_sweep(&connections, now).late, 1);
    char text[1024];
    read_all(one.client, text, sizeof text);
    assert_problem(text, "HTTP/1.1 408 ", "\"request-timeout\"");
    close_pair(&one);
}

static void deadline_begins_with_the_first_byte(void **state)
{
    (void)state;
    pair one = open_pair(START);
    int64_t first = START + 50000;
    assert_int_equal(tlm_connections_sweep(&connections, first - 1000).late, 0);
    drip(&one);
    assert_int_equal(tlm_connections_sweep(&connections, first).late, 0);
    assert_int_equal(tlm_connections_sweep(&connections, first + DEADLINE_MS - 1).late, 0);
    assert_int_equal(tlm_connections_sweep(&connections, first + DEADLINE_MS).late, 1);
    close_pair(&one);
}

static void whole_requests_start_anew(void **state)
{
    (void)state;
    pair one = open_pair(START);
    for (int64_t now = START; now < START + 5 * DEADLINE_MS; now += 3000) {
        drip(&one);
        tlm_connection_served(one.connection);
        assert_int_equal(tlm_connections_sweep(&connections, now).late, 0);
    }
    close_pair(&one);
}

static void second_request_has_a_deadline_too(void **state)
{
    (void)state;
    pair one = open_pair(START);
    drip(&one);
    tlm_connection_served(one.connection);
    assert_int_equal(tlm_connections_sweep(&connections, START + 1000).late, 0);
    drip(&one);
    assert_int_equal(tlm_connections_sweep(&connections, START + 2000).late, 0);
    assert_int_equal(tlm_connections_sweep(&connections, START + 2000 + DEADLINE_MS).late, 1);
    close_pair(&one);
}

static void one_above_the_limit_is_told(void **state)
{
    (void)state;
    pair pairs[LIMIT + 1];
    for (size_t i = 0; i < LIMIT + 1; i++) {
        pairs[i] = open_pair(START);
        assert_int_equal(pairs[i].connection->over, i >= LIMIT);
    }
    assert_int_equal(tlm_connections_sweep(&connections, START + 999).over, 0);
    tlm_sweep done = tlm_connections_sweep(&connections, START + 1000);
    assert_int_equal(done.over, 1);
    assert_int_equal(done.late, 0);
    char text[1024];
    read_all(pairs[LIMIT].client, text, sizeof text);
    assert_problem(text, "HTTP/1.1 503 ", "\"too-many-connections\"");
    /* Out of order: the middle one, the newest, the oldest. */
    close_pair(&pairs[1]);
    close_pair(&pairs[2]);
    pair next = open_pair(START);
    assert_false(next.connection->over);
    close_pair(&pairs[0]);
    close_pair(&next);
}

static void drain_closes_idle_ones_alone(void **state)
{
    (void)state;
    pair idle = open_pair(START);
    pair busy = open_pair(START);
    drip(&busy);
    tlm_sweep done = tlm_connections_drain(&connections, START + 1);
    assert_int_equal(done.closed, 1);
    assert_int_equal(done.left, 2);
    char byte;
    assert_int_equal(recv(idle.server, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(recv(busy.server, &byte, 1, MSG_DONTWAIT), 1);
    tlm_connection_served(busy.connection);
    assert_int_equal(tlm_connections_drain(&connections, START + 20).closed, 1);
    assert_int_equal(tlm_connections_drain(&connections, START + 40).closed, 0);
    close_pair(&idle);
    close_pair(&busy);
    assert_int_equal(tlm_connections_drain(&connections, START + 60).left, 0);
}

static void one_that_sends_no_more_is_closed(void **state)
{
    (void)state;
    pair one = open_pair(START);
    drip(&one);
    assert_int_equal(shutdown(one.client, SHUT_WR), 0);
    assert_int_equal(tlm_connections_sweep(&connections, START + 1000).closed, 0);
    tlm_connection_served(one.connection); /* its last request is being answered: one more round */
    assert_int_equal(tlm_connections_sweep(&connections, START + 2000).closed, 0);
    tlm_sweep done = tlm_connections_sweep(&connections, START + 3000);
    assert_int_equal(done.closed, 1);
    assert_int_equal(done.late, 0);
    char text[16];
    read_all(one.client, text, sizeof text);
    assert_string_equal(text, "");
    assert_int_equal(tlm_connections_sweep(&connections, START + 4000).closed, 0);
    close_pair(&one);
}

static void half_a_request_that_ended_does_not_hold_up_a_drain(void **state)
{
    (void)state;
    pair one = open_pair(START);
    drip(&one);
    assert_int_equal(shutdown(one.client, SHUT_WR), 0);
    assert_int_equal(tlm_connections_drain(&connections, START).closed, 0);
    assert_int_equal(tlm_connections_drain(&connections, START + 20).closed, 1);
    close_pair(&one);
}

static int begin_tls(void **state)
{
    int result = begin(state);
    connections.tls = true;
    return result;
}

static void a_handshake_has_the_deadline_from_the_beginning(void **state)
{
    (void)state;
    pair silent = open_pair(START);
    pair begun = open_pair(START);
    drip(&begun);
    assert_int_equal(tlm_connections_sweep(&connections, START + DEADLINE_MS - 1).late, 0);
    assert_int_equal(tlm_connections_sweep(&connections, START + DEADLINE_MS).late, 2);
    /* Nothing but the end: what is not TLS would be a damaged record to the peer. */
    char text[16];
    read_all(silent.client, text, sizeof text);
    assert_string_equal(text, "");
    read_all(begun.client, text, sizeof text);
    assert_string_equal(text, "");
    close_pair(&silent);
    close_pair(&begun);
}

static void behind_the_handshake_requests_have_the_deadline(void **state)
{
    (void)state;
    pair one = open_pair(START);
    drip(&one);
    tlm_connection_secured(one.connection);
    /* Idle: the bytes of the handshake are no request. */
    for (int64_t now = START; now < START + IDLE_MS; now += 1000) {
        assert_int_equal(tlm_connections_sweep(&connections, now).late, 0);
    }
    drip(&one);
    assert_int_equal(tlm_connections_sweep(&connections, START + IDLE_MS).late, 0);
    int64_t late = START + IDLE_MS + DEADLINE_MS;
    assert_int_equal(tlm_connections_sweep(&connections, late - 1).late, 0);
    assert_int_equal(tlm_connections_sweep(&connections, late).late, 1);
    char text[16];
    read_all(one.client, text, sizeof text);
    assert_string_equal(text, "");
    close_pair(&one);
}

static void above_the_limit_a_handshake_may_end_first(void **state)
{
    (void)state;
    pair one = open_pair(START);
    pair two = open_pair(START);
    pair three = open_pair(START);
    assert_true(three.connection->over);
    assert_int_equal(tlm_connections_sweep(&connections, START + 2000).over, 0);
    tlm_connection_secured(three.connection);
    assert_int_equal(tlm_connections_sweep(&connections, START + 2000).over, 0);
    assert_int_equal(tlm_connections_sweep(&connections, START + 3000).over, 1);
    close_pair(&one);
    close_pair(&two);
    close_pair(&three);
}

static void nothing_is_no_connection(void **state)
{
    (void)state;
    tlm_connections_remove(&connections, NULL);
    tlm_sweep done = tlm_connections_sweep(&connections, START);
    assert_int_equal(done.left, 0);
}

/* It is the host that takes its time: the peer's deadline stands still. */
static void a_call_has_no_deadline(void **state)
{
    (void)state;
    pair one = open_pair(START);
    assert_int_equal(send(one.client, "POST", 4, 0), 4);
    tlm_connection_calling(one.connection, true);
    for (int i = 1; i < 20; i++) {
        tlm_sweep done = tlm_connections_sweep(&connections, START + (int64_t)i * DEADLINE_MS);
        assert_int_equal(done.late + done.closed, 0);
        done = tlm_connections_drain(&connections, START + (int64_t)i * DEADLINE_MS);
        assert_int_equal(done.closed, 0);
        assert_int_equal(done.left, 1);
        if (i < 3) {
            /* The next request, which nobody reads yet. */
            assert_int_equal(send(one.client, "GET", 3, 0), 3);
        }
    }
    int64_t now = START + (int64_t)20 * DEADLINE_MS;
    tlm_connection_calling(one.connection, false);
    tlm_sweep done = tlm_connections_sweep(&connections, now);
    assert_int_equal(done.late, 0);
    assert_int_equal(send(one.client, "GET", 3, 0), 3);
    (void)tlm_connections_sweep(&connections, now + 1);
    done = tlm_connections_sweep(&connections, now + 1 + DEADLINE_MS);
    assert_int_equal(done.late, 1);
    close_pair(&one);
}

/* Gone while its call is under way: found out when there is something to tell it. */
static void who_stops_sending_is_kept_during_a_call(void **state)
{
    (void)state;
    pair one = open_pair(START);
    tlm_connection_calling(one.connection, true);
    assert_int_equal(shutdown(one.client, SHUT_WR), 0);
    for (int i = 1; i < 5; i++) {
        tlm_sweep done = tlm_connections_sweep(&connections, START + (int64_t)i * 1000);
        assert_int_equal(done.closed, 0);
    }
    tlm_connection_calling(one.connection, false);
    (void)tlm_connections_sweep(&connections, START + 6000);
    tlm_sweep done = tlm_connections_sweep(&connections, START + 7000);
    assert_int_equal(done.closed, 1);
    close_pair(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silent_one_is_left_to_the_idle_timeout, begin, end),
        cmocka_unit_test_setup_teardown(dripping_one_meets_its_deadline, begin, end),
        cmocka_unit_test_setup_teardown(deadline_begins_with_the_first_byte, begin, end),
        cmocka_unit_test_setup_teardown(whole_requests_start_anew, begin, end),
        cmocka_unit_test_setup_teardown(second_request_has_a_deadline_too, begin, end),
        cmocka_unit_test_setup_teardown(a_call_has_no_deadline, begin, end),
        cmocka_unit_test_setup_teardown(who_stops_sending_is_kept_during_a_call, begin, end),
        cmocka_unit_test_setup_teardown(one_above_the_limit_is_told, begin, end),
        cmocka_unit_test_setup_teardown(drain_closes_idle_ones_alone, begin, end),
        cmocka_unit_test_setup_teardown(one_that_sends_no_more_is_closed, begin, end),
        cmocka_unit_test_setup_teardown(half_a_request_that_ended_does_not_hold_up_a_drain, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_handshake_has_the_deadline_from_the_beginning, begin_tls,
                                        end),
        cmocka_unit_test_setup_teardown(behind_the_handshake_requests_have_the_deadline, begin_tls,
                                        end),
        cmocka_unit_test_setup_teardown(above_the_limit_a_handshake_may_end_first, begin_tls, end),
        cmocka_unit_test_setup_teardown(nothing_is_no_connection, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
