/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests below /api/v1, before a service that answers when the test says so. */
#include <pthread.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "test_directory.h"
#include "test_http.h"

#include <tlm/log.h>

#include "admin_socket.h"
#include "server.h"

#define ID "0190f3a1-2b4c-7d5e-8f60-718293a4b5c6"
#define ADMINISTRATOR "Authorization: Bearer aaaaaaaaaaaaaaaaaaaaaaaa\r\n"
#define CLIENT "Authorization: Bearer cccccccccccccccccccccccc\r\n"
#define WRONG "Authorization: Bearer xxxxxxxxxxxxxxxxxxxxxxxx\r\n"
#define JSON "Content-Type: application/json\r\n"
#define JOSE "Content-Type: application/jose\r\n"
#define HELD_MAX 16

/* The service: calls are answered at once, or held until the test answers them. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hold;
    tlm_call *held[HELD_MAX];
    size_t count;
    tlm_call last; /* what was seen of the newest call; its texts are in the next two */
    char id[40];
    char input[256];
    char text[64];
    tlm_result result; /* of the answers */
    bool created;
} service = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void finish(tlm_call *call)
{
    if (service.result == TLM_OK) {
        call->answer = json_pack("{s:s}", "answer", "yes");
        call->created = service.created;
    } else {
        (void)tlm_error_set(&call->error, service.result, "hint", "refused by the test");
        call->answer = json_pack("{s:i}", "position", 3);
        call->retry_after = 9;
    }
    call->done(call);
}

void tlm_licensing_submit(tlm_licensing *licensing, tlm_call *call)
{
    (void)licensing;
    (void)pthread_mutex_lock(&service.lock);
    service.last = *call;
    (void)snprintf(service.id, sizeof service.id, "%s", call->id != NULL ? call->id : "none");
    (void)snprintf(service.text, sizeof service.text, "%s", call->text != NULL ? call->text : "");
    char *text =
        call->input != NULL ? json_dumps(call->input, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    (void)snprintf(service.input, sizeof service.input, "%s", text != NULL ? text : "none");
    free(text);
    bool hold = service.hold;
    if (hold) {
        assert_true(service.count < HELD_MAX);
        service.held[service.count++] = call;
        (void)pthread_cond_signal(&service.changed);
    }
    (void)pthread_mutex_unlock(&service.lock);
    if (!hold) {
        finish(call);
    }
}

/* Waits until so many calls are held. */
static void await_held(size_t count)
{
    (void)pthread_mutex_lock(&service.lock);
    while (service.count < count) {
        (void)pthread_cond_wait(&service.changed, &service.lock);
    }
    (void)pthread_mutex_unlock(&service.lock);
}

static void let_go(void)
{
    (void)pthread_mutex_lock(&service.lock);
    size_t count = service.count;
    service.count = 0;
    (void)pthread_mutex_unlock(&service.lock);
    for (size_t i = 0; i < count; i++) {
        finish(service.held[i]);
    }
}

static tlm_answers *answers;
static tlm_api *api;
static tlm_server *server;
static tlm_server *admin_server;
static tlm_admin_socket admin;
static unsigned port;

static void put_token(void **state, tlm_bearer_holder holder, const char *header)
{
    char path[TEST_PATH_MAX];
    char text[64];
    in_directory(state, tlm_bearer_file(holder), path);
    (void)snprintf(text, sizeof text, "%s", strstr(header, "Bearer ") + 7);
    put_file(path, text);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(tlm_bearer_load(tlm_api_bearer(api), holder, *state, false, NULL), TLM_OK);
}

static void start_server(tlm_listener *listener, tlm_server **to)
{
    tlm_server_config config = {.listener = listener,
                                .answers = answers,
                                .api = api,
                                .connections = 64,
                                .idle_seconds = 30,
                                .deadline_seconds = 1};
    assert_int_equal(tlm_server_start(&config, to, NULL), TLM_OK);
}

static void start_with(void **state, tlm_access_mode mode, unsigned rate)
{
    static const char *const body = "{\"status\":\"ok\"}";
    static int somebody;
    tlm_listener listener;
    tlm_log_set_level(TLM_LOG_FATAL);
    service.hold = false;
    service.result = TLM_OK;
    service.created = false;
    assert_int_equal(tlm_answers_new(&answers, NULL), TLM_OK);
    for (int i = 0; i < TLM_DOCUMENT_COUNT; i++) {
        assert_int_equal(tlm_answers_set(answers, (tlm_document)i, 200, strdup(body), NULL),
                         TLM_OK);
    }
    assert_int_equal(tlm_api_new(mode, rate, &api, NULL), TLM_OK);
    put_token(state, TLM_BEARER_ADMINISTRATOR, ADMINISTRATOR);
    put_token(state, TLM_BEARER_CLIENT, CLIENT);
    tlm_api_open(api, (tlm_licensing *)(void *)&somebody);
    assert_int_equal(tlm_listen("127.0.0.1", 0, &listener, NULL), TLM_OK);
    port = (unsigned)strtoul(strrchr(listener.bound, ':') + 1, NULL, 10);
    start_server(&listener, &server);
}

static int start(void **state)
{
    int result = directory_setup(state);
    if (result == 0) {
        start_with(state, TLM_ACCESS_OPEN, 0);
    }
    return result;
}

static int start_token(void **state)
{
    int result = directory_setup(state);
    if (result == 0) {
        start_with(state, TLM_ACCESS_TOKEN, 0);
    }
    return result;
}

static int start_limited(void **state)
{
    int result = directory_setup(state);
    if (result == 0) {
        start_with(state, TLM_ACCESS_OPEN, 5);
    }
    return result;
}

static int stop(void **state)
{
    tlm_api_close(api);
    let_go();
    tlm_server_stop(&admin_server);
    tlm_server_stop(&server);
    tlm_answers_free(&answers);
    tlm_api_free(&api);
    return directory_teardown(state);
}

/* Sends a request with a body of its length. */
static void send_request(int file, const char *line, const char *headers, const char *body)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                   line, headers, strlen(body));
    http_send(file, text);
    http_send(file, body);
}

static unsigned request(int file, const char *line, const char *headers, const char *body,
                        http_reply *got)
{
    send_request(file, line, headers, body);
    http_receive(file, got, strncmp(line, "HEAD", 4) == 0);
    return got->status;
}

static void a_call_gets_what_the_request_says(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    assert_int_equal(request(file, "POST /api/v1/leases", JSON, " {\"feature\":\"pro\"}\r\n", &got),
                     200);
    assert_string_equal(got.body, "{\"answer\":\"yes\"}");
    assert_non_null(strstr(got.text, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(got.text, "\r\nCache-Control: no-store\r\n"));
    assert_int_equal(service.last.op, TLM_CALL_ACQUIRE);
    assert_string_equal(service.input, "{\"feature\":\"pro\"}");
    assert_string_equal(service.id, "none");
    assert_string_equal(service.last.peer, "127.0.0.1");
    assert_true(service.last.local);
    assert_false(service.last.administrator);
    assert_int_equal(request(file, "PUT /api/v1/leases/" ID, "", "", &got), 200);
    assert_int_equal(service.last.op, TLM_CALL_RENEW);
    assert_string_equal(service.id, ID);
    assert_string_equal(service.input, "none");
    assert_int_equal(request(file, "DELETE /api/v1/leases/" ID, JSON, "{\"proof\":\"x\"}", &got),
                     200);
    assert_string_equal(service.input, "{\"force\":false,\"proof\":\"x\"}");
    assert_int_equal(
        request(file, "DELETE /api/v1/leases/" ID "?force=true", ADMINISTRATOR, "", &got), 200);
    assert_string_equal(service.input, "{\"force\":true}");
    assert_true(service.last.administrator);
    assert_int_equal(request(file, "GET /api/v1/audit?after=7&limit=9", ADMINISTRATOR, "", &got),
                     200);
    assert_string_equal(service.input, "{\"after\":7,\"limit\":9}");
    assert_int_equal(request(file, "POST /api/v1/licenses", ADMINISTRATOR JOSE, "a.b.c\n", &got),
                     200);
    assert_string_equal(service.text, "a.b.c");
    assert_int_equal(service.last.size, 5);
    (void)close(file);
}

static void outcomes_are_answers_of_http(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    service.created = true;
    assert_int_equal(request(file, "POST /api/v1/leases", JSON, "{}", &got), 201);
    service.result = TLM_ERR_SEATS;
    assert_int_equal(request(file, "POST /api/v1/leases", JSON, "{}", &got), 409);
    assert_non_null(strstr(got.body, "\"code\":\"seats-exhausted\""));
    assert_non_null(strstr(got.body, "\"position\":3"));
    assert_non_null(strstr(got.text, "\r\nRetry-After: 9\r\n"));
    assert_non_null(strstr(got.text, "\r\nContent-Type: application/problem+json\r\n"));
    assert_null(strstr(got.text, "WWW-Authenticate"));
    (void)close(file);
}

static void many_calls_on_one_connection(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    for (int i = 0; i < 200; i++) {
        service.hold = i % 2 == 0;
        send_request(file, "POST /api/v1/check", JSON, "{\"feature\":\"f\"}");
        if (service.hold) {
            await_held(1);
            let_go();
        }
        http_receive(file, &got, false);
        assert_int_equal(got.status, 200);
        service.hold = false;
        assert_int_equal(request(file, "HEAD /api/v1/keys", "", "", &got), 200);
        assert_string_equal(got.body, "");
        assert_int_equal(request(file, "GET /health", "", "", &got), 200);
        assert_int_equal(request(file, "GET /api/v1/leases", "", "", &got), 401);
        assert_int_equal(request(file, "POST /api/v1/check", "", "{}", &got), 415);
        assert_int_equal(request(file, "PATCH /api/v1/check", "", "{}", &got), 405);
    }
    assert_non_null(strstr(got.text, "\r\nAllow: POST\r\n"));
    (void)close(file);
}

static void one_slow_call_keeps_nobody_waiting(void **state)
{
    (void)state;
    http_reply got;
    int files[8];
    service.hold = true;
    for (size_t i = 0; i < 8; i++) {
        files[i] = http_open(port);
        send_request(files[i], "POST /api/v1/leases", JSON, "{}");
    }
    await_held(8);
    service.hold = false;
    int other = http_open(port);
    assert_int_equal(request(other, "POST /api/v1/leases", JSON, "{}", &got), 200);
    assert_int_equal(request(other, "GET /health", "", "", &got), 200);
    let_go();
    for (size_t i = 0; i < 8; i++) {
        http_receive(files[i], &got, false);
        assert_int_equal(got.status, 200);
        (void)close(files[i]);
    }
    (void)close(other);
}

static void pipelined_calls_are_answered_in_turn(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    service.hold = true;
    http_send(file, "GET /api/v1/keys HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /api/v1/nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    await_held(1);
    let_go();
    http_receive(file, &got, false);
    assert_int_equal(got.status, 200);
    if (strstr(got.text, "404 Not Found") == NULL) {
        http_receive(file, &got, false);
        assert_int_equal(got.status, 404);
    }
    (void)close(file);
}

static void who_went_away_during_a_call_is_let_go(void **state)
{
    (void)state;
    http_reply got;
    service.hold = true;
    for (size_t i = 1; i <= 4; i++) {
        int file = http_open(port);
        send_request(file, "POST /api/v1/leases", JSON, "{}");
        await_held(i);
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        if (i % 2 == 0) {
            assert_int_equal(setsockopt(file, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        }
        (void)close(file);
        tlm_server_sweep(server);
    }
    service.hold = false;
    let_go();
    int file = http_open(port);
    assert_int_equal(request(file, "GET /api/v1/keys", "", "", &got), 200);
    (void)close(file);
    assert_int_equal(tlm_server_drain(server, 5000), 0);
}

static void a_call_outlasts_the_deadline_of_requests(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    service.hold = true;
    send_request(file, "POST /api/v1/leases", JSON, "{}");
    await_held(1);
    for (int i = 0; i < 15; i++) {
        http_pause(100);
        tlm_server_sweep(server);
    }
    let_go();
    http_receive(file, &got, false);
    assert_int_equal(got.status, 200);
    service.hold = false;
    assert_int_equal(request(file, "GET /api/v1/keys", "", "", &got), 200);
    (void)close(file);
}

static void a_dripping_body_is_ended_at_the_deadline(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    http_send(file,
              "POST /api/v1/leases HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 500\r\n\r\n");
    for (int i = 0; i < 40; i++) {
        http_pause(100);
        tlm_server_sweep(server);
        if (send(file, " ", 1, MSG_NOSIGNAL) < 0) {
            break;
        }
    }
    http_receive(file, &got, false);
    assert_int_equal(got.status, 408);
    assert_true(http_closed(file));
    (void)close(file);
}

static void send_blanks(int file, size_t size)
{
    char text[1025];
    memset(text, ' ', 1024);
    while (size > 0) {
        size_t part = size < 1024 ? size : 1024;
        text[part] = '\0';
        http_send(file, text);
        text[part] = ' ';
        size -= part;
    }
}

static unsigned sized(int file, size_t size, http_reply *got)
{
    char text[256];
    (void)snprintf(
        text, sizeof text,
        "POST /api/v1/leases HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: %zu\r\n\r\n{}", size);
    http_send(file, text);
    send_blanks(file, size - 2);
    http_receive(file, got, false);
    return got->status;
}

static void a_body_has_a_largest_size(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    assert_int_equal(sized(file, 16384, &got), 200);
    assert_string_equal(service.input, "{}");
    assert_int_equal(sized(file, 16385, &got), 413);
    assert_non_null(strstr(got.body, "\"content-too-large\""));
    assert_int_equal(sized(file, 65536, &got), 413);
    assert_int_equal(request(file, "GET /api/v1/keys", "", "x", &got), 413);
    assert_int_equal(request(file, "GET /api/v1/keys", "", "", &got), 200);
    http_send(file, "POST /api/v1/leases HTTP/1.1\r\nHost: x\r\n" JSON
                    "Content-Length: 99999999999\r\n\r\n");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 413);
    assert_true(http_closed(file));
    (void)close(file);
}

static void a_chunked_body_is_counted_as_it_comes(void **state)
{
    (void)state;
    static const char head[] =
        "POST /api/v1/leases HTTP/1.1\r\nHost: x\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n";
    http_reply got;
    int file = http_open(port);
    http_send(file, head);
    http_send(file, "1\r\n{\r\n");
    http_send(file, "e\r\n\"feature\":\"f\"\r\n1\r\n}\r\n0\r\n\r\n");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 200);
    assert_string_equal(service.input, "{\"feature\":\"f\"}");
    http_send(file, head);
    http_send(file, "4001\r\n");
    send_blanks(file, 0x4001);
    http_send(file, "\r\n0\r\n\r\n");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 413);
    http_send(file, head);
    char chunk[1035];
    memset(chunk, ' ', sizeof chunk);
    memcpy(chunk, "400\r\n", 5);
    memcpy(chunk + 5 + 1024, "\r\n", 3);
    bool open = true;
    for (size_t i = 0; i < 4096 && open; i++) {
        open = send(file, chunk, 5 + 1024 + 2, MSG_NOSIGNAL) > 0;
    }
    assert_false(open);
    (void)close(file);
    file = http_open(port);
    http_send(file, "GET /api/v1/keys HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 413);
    assert_true(http_closed(file));
    (void)close(file);
}

static void wrong_bodies_and_queries_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *headers;
        const char *body;
        unsigned status;
        const char *says;
    } rows[] = {
        {"POST /api/v1/leases", JSON, "{\"a\":1,\"a\":2}", 400, "\"format\""},
        {"POST /api/v1/leases", JSON, "[]", 400, "\"format\""},
        {"POST /api/v1/leases", JSON, "{}{}", 400, "\"format\""},
        {"POST /api/v1/leases", "Content-Type: text/plain\r\n", "{}", 415, "\"media-type\""},
        {"POST /api/v1/leases", "Content-Type: application/jsonx\r\n", "{}", 415, "\"media-type\""},
        {"POST /api/v1/leases", JOSE, "{}", 415, "application/json"},
        {"POST /api/v1/licenses", ADMINISTRATOR JSON, "{}", 415, "application/jose"},
        {"POST /api/v1/licenses", ADMINISTRATOR, "", 400, "\"format\""},
        {"POST /api/v1/licenses", ADMINISTRATOR JOSE, " \n", 400, "\"format\""},
        {"POST /api/v1/leases?x=1", JSON, "{}", 400, "\"argument\""},
        {"DELETE /api/v1/leases/" ID "?force=1", ADMINISTRATOR, "", 400, "\"argument\""},
        {"DELETE /api/v1/leases/" ID, ADMINISTRATOR JSON, "{\"force\":true}", 400, "\"argument\""},
        {"DELETE /api/v1/leases/" ID "?force=true", "", "", 401, "\"unauthorized\""},
        {"GET /api/v1/audit?limit=1001", ADMINISTRATOR, "", 400, "limit"},
        {"GET /api/v1/audit?limit=1001", "", "", 401, "\"unauthorized\""},
        {"GET /api/v1/leases/nothing", "", "", 404, "\"not-found\""},
    };
    http_reply got;
    int file = http_open(port);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(request(file, rows[i].line, rows[i].headers, rows[i].body, &got),
                         rows[i].status);
        assert_non_null(strstr(got.body, rows[i].says));
    }
    assert_int_equal(request(file, "POST /api/v1/leases",
                             "Content-Type: Application/JSON; charset=utf-8\r\n", "{}", &got),
                     200);
    (void)close(file);
}

static void tokens_open_what_they_are_for(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    assert_int_equal(request(file, "POST /api/v1/leases", JSON, "{}", &got), 401);
    assert_non_null(strstr(got.text, "\r\nWWW-Authenticate: Bearer\r\n"));
    assert_int_equal(request(file, "POST /api/v1/leases", CLIENT JSON, "{}", &got), 200);
    assert_false(service.last.administrator);
    assert_int_equal(request(file, "POST /api/v1/leases", ADMINISTRATOR JSON, "{}", &got), 200);
    assert_true(service.last.administrator);
    assert_int_equal(request(file, "GET /api/v1/leases", CLIENT, "", &got), 403);
    assert_int_equal(request(file, "GET /api/v1/keys", "", "", &got), 200);
    assert_int_equal(request(file, "GET /api/v1/keys", WRONG, "", &got), 403);
    /* A large body of somebody who may not is not waited for. */
    http_send(file, "POST /api/v1/licenses HTTP/1.1\r\nHost: x\r\n" CLIENT JOSE
                    "Content-Length: 1000000\r\n\r\n");
    http_receive(file, &got, false);
    assert_int_equal(got.status, 403);
    assert_true(http_closed(file));
    (void)close(file);
}

static void ten_wrong_tokens_bar_tokens_of_that_address(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(request(file, "GET /api/v1/keys", WRONG, "", &got), 403);
    }
    assert_int_equal(request(file, "GET /api/v1/keys", WRONG, "", &got), 429);
    assert_non_null(strstr(got.text, "\r\nRetry-After: "));
    assert_int_equal(request(file, "GET /api/v1/leases", ADMINISTRATOR, "", &got), 429);
    assert_non_null(strstr(got.body, "\"too-many-requests\""));
    assert_int_equal(request(file, "GET /api/v1/keys", "", "", &got), 200);
    (void)close(file);
}

static void requests_have_a_rate(void **state)
{
    (void)state;
    http_reply got;
    unsigned served = 0;
    int file = http_open(port);
    for (int i = 0; i < 50; i++) {
        served += request(file, "GET /api/v1/keys", "", "", &got) == 200 ? 1U : 0U;
        assert_int_equal(request(file, "GET /health", "", "", &got), 200);
    }
    assert_in_range(served, 10, 20);
    for (int i = 0; i < 50 && got.status != 429; i++) {
        (void)request(file, "GET /api/v1/nowhere", "", "", &got);
    }
    assert_int_equal(got.status, 429);
    assert_non_null(strstr(got.text, "\r\nRetry-After: 1\r\n"));
    (void)close(file);
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(file, (struct sockaddr *)&address, sizeof address), 0);
    http_patience(file);
    return file;
}

static void the_unix_socket_is_for_administrators(void **state)
{
    char path[TEST_PATH_MAX];
    char name[32];
    http_reply got;
    in_directory(state, "admin.sock", path);
    assert_int_equal(tlm_admin_socket_open(path, &admin, NULL), TLM_OK);
    start_server(&admin.listener, &admin_server);
    int file = open_unix(path);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(request(file, "GET /api/v1/leases", "", "", &got), 200);
    }
    (void)snprintf(name, sizeof name, "uid %u", (unsigned)geteuid());
    assert_string_equal(service.last.peer, name);
    assert_true(service.last.administrator);
    assert_true(service.last.local);
    service.hold = true;
    send_request(file, "POST /api/v1/licenses", JOSE, "a.b.c");
    await_held(1);
    tlm_server_sweep(admin_server);
    let_go();
    http_receive(file, &got, false);
    assert_int_equal(got.status, 200);
    assert_int_equal(request(file, "GET /health", "", "", &got), 200);
    (void)close(file);
    tlm_server_stop(&admin_server);
    tlm_admin_socket_close(&admin);
}

static void without_a_service_calls_are_503(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    tlm_api_close(api);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(request(file, "GET /api/v1/keys", "", "", &got), 503);
        assert_non_null(strstr(got.body, "\"busy\""));
        assert_non_null(strstr(got.text, "\r\nRetry-After: 5\r\n"));
    }
    assert_int_equal(request(file, "GET /health", "", "", &got), 200);
    (void)close(file);
}

static void draining_waits_for_calls(void **state)
{
    (void)state;
    http_reply got;
    int file = http_open(port);
    service.hold = true;
    send_request(file, "POST /api/v1/leases", JSON, "{}");
    await_held(1);
    tlm_answers_close(answers);
    assert_int_equal(tlm_server_drain(server, 100), 1);
    tlm_api_close(api);
    let_go();
    http_receive(file, &got, false);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.text, "\r\nConnection: close\r\n"));
    assert_int_equal(tlm_server_drain(server, 5000), 0);
    (void)close(file);
}

#define SERVE_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVE_TEST(a_call_gets_what_the_request_says),
        SERVE_TEST(outcomes_are_answers_of_http),
        SERVE_TEST(many_calls_on_one_connection),
        SERVE_TEST(one_slow_call_keeps_nobody_waiting),
        SERVE_TEST(pipelined_calls_are_answered_in_turn),
        SERVE_TEST(who_went_away_during_a_call_is_let_go),
        SERVE_TEST(a_call_outlasts_the_deadline_of_requests),
        SERVE_TEST(a_dripping_body_is_ended_at_the_deadline),
        SERVE_TEST(a_body_has_a_largest_size),
        SERVE_TEST(a_chunked_body_is_counted_as_it_comes),
        SERVE_TEST(wrong_bodies_and_queries_are_refused),
        cmocka_unit_test_setup_teardown(tokens_open_what_they_are_for, start_token, stop),
        SERVE_TEST(ten_wrong_tokens_bar_tokens_of_that_address),
        cmocka_unit_test_setup_teardown(requests_have_a_rate, start_limited, stop),
        SERVE_TEST(the_unix_socket_is_for_administrators),
        SERVE_TEST(without_a_service_calls_are_503),
        SERVE_TEST(draining_waits_for_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
