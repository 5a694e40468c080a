/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/log.h>

#include "engine.h"
#include "engine_fixture.h"

#define ID "98cad86ebcf415a2f91a958f6f0c9e20f4b0970c7cfd039a13aeb377cf856e35"
#define OTHER_ID "18cad86ebcf415a2f91a958f6f0c9e20f4b0970c7cfd039a13aeb377cf856e35"
#define LONG_MS 60000U
#define SHORT_MS 300U

static tlm_engine *open_engine(const char *where, const char *id, const char *hostname,
                               unsigned timeout_ms)
{
    tlm_engine_question question = {
        .host = where, .id = id, .hostname = hostname, .timeout_ms = timeout_ms};
    tlm_engine *engine = NULL;
    tlm_error error = {0};
    if (tlm_engine_open(&question, &engine, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return engine;
}

static void ask(tlm_engine *engine, tlm_engine_facts *facts)
{
    tlm_error error = {0};
    if (tlm_engine_ask(engine, facts, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
}

/* One ask that is to go wrong; the facts say it, too. */
static void ask_in_vain(unsigned timeout_ms, tlm_result expected, const char *words)
{
    tlm_engine *engine = open_engine(host, ID, NULL, timeout_ms);
    tlm_engine_facts facts;
    tlm_error error = {0};
    assert_int_equal(tlm_engine_ask(engine, &facts, &error), expected);
    if (strstr(error.message, words) == NULL) {
        fail_msg("%s", error.message);
    }
    assert_non_null(strstr(error.message, path));
    assert_int_equal(facts.state, TLM_ENGINE_UNREACHABLE);
    assert_int_equal(facts.error.result, expected);
    assert_string_equal(facts.error.message, error.message);
    assert_false(facts.known);
    assert_string_equal(facts.id, "");
    assert_string_equal(facts.engine_version, "");
    assert_null(facts.mounts);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void knows_by_id(void **state)
{
    (void)state;
    tlm_engine *engine = open_engine(host, ID, "elsewhere", LONG_MS);
    tlm_engine_facts facts;
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_ANSWERING);
    assert_string_equal(facts.host, host);
    assert_string_equal(facts.api_version, "1.41");
    assert_string_equal(facts.engine_version, "20.10.24+dfsg1");
    assert_string_equal(facts.engine_name, "Docker Engine");
    assert_int_equal(facts.access, TLM_ENGINE_ACCESS_WRITE);
    assert_true(facts.known);
    assert_false(facts.by_hostname);
    assert_string_equal(facts.name, "tl-license-manager");
    assert_string_equal(facts.id, ID);
    assert_int_equal(facts.mount_count, 3);
    assert_int_equal(facts.error.result, TLM_OK);
    assert_int_equal(tlm_fake_engine_count(&fake, &fake.asked), 4);
    assert_string_equal(fake.last, "POST /v1.41/containers/"
                                   "000000000000000000000000000000000000000000000000000000000000"
                                   "0000/wait HTTP/1.1");
    tlm_engine_facts_clear(&facts);
    /* Whether more than looking is allowed was asked. */
    ask(engine, &facts);
    assert_int_equal(facts.access, TLM_ENGINE_ACCESS_WRITE);
    assert_int_equal(tlm_fake_engine_count(&fake, &fake.posts), 1);
    assert_int_equal(tlm_fake_engine_count(&fake, &fake.asked), 7);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
    assert_null(engine);
}

static void takes_the_digest(void **state)
{
    (void)state;
    tlm_fake_engine_vector(&fake,
                           "GET /v1.41/images/sha256:943ebda682c6cfe3f210c1023eae8d6adfa650a3"
                           "93dea9bd0d6a67cf81618909/json ",
                           "docker-24-image");
    tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
    tlm_engine_facts facts;
    ask(engine, &facts);
    assert_string_equal(facts.image_digest,
                        "sha256:1111111111111111111111111111111111111111111111111111111111111111");
    tlm_engine_facts_clear(&facts);
    /* The image of a running container may be removed, or a proxy may not tell of it. */
    tlm_fake_engine_rule(&fake, "GET /v1.41/images/", 403, "no", TLM_FAKE_PLAIN);
    ask(engine, &facts);
    assert_true(facts.known);
    assert_string_equal(facts.image_digest, "");
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void is_another(void **state)
{
    (void)state;
    tlm_engine *engine = open_engine(host, OTHER_ID, "tl-license-manager", LONG_MS);
    tlm_engine_facts facts;
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_ANSWERING);
    assert_false(facts.known);
    assert_string_equal(facts.id, "");
    assert_string_equal(facts.name, "");
    assert_null(facts.mounts);
    assert_string_equal(facts.engine_version, "20.10.24+dfsg1");
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_rule(&fake, "GET /v1.41/containers/", 404,
                         "{\"message\":\"No such container\"}", TLM_FAKE_PLAIN);
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_ANSWERING);
    assert_false(facts.known);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static bool known_as(const char *hostname)
{
    tlm_engine *engine = open_engine(host, "", hostname, LONG_MS);
    tlm_engine_facts facts;
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_ANSWERING);
    assert_int_equal(facts.known, facts.by_hostname);
    assert_int_equal(facts.known, facts.id[0] != '\0');
    bool known = facts.known;
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
    return known;
}

static void knows_by_hostname(void **state)
{
    (void)state;
    assert_true(known_as("tl-license-manager"));
    /* The answer is of a container with another host name. */
    assert_false(known_as("98cad86ebcf4"));
    /* One that does not run is not the one this is asked in. */
    tlm_fake_engine_vector(&fake, "GET /v1.41/containers/", "podman-4.3-container");
    assert_false(known_as("tl-license-manager"));
}

static void strange_hostnames(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a/b", "..", ".a", "a?b", "a b", "a%2fb", "a\r\nb"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsigned before = tlm_fake_engine_count(&fake, &fake.asked);
        assert_false(known_as(names[i]));
        /* The version and the access: no path is made of it. */
        assert_int_equal(tlm_fake_engine_count(&fake, &fake.asked), before + 2);
    }
}

static void own_hostname(void **state)
{
    (void)state;
    char name[256];
    char expected[320];
    assert_int_equal(gethostname(name, sizeof name), 0);
    tlm_fake_engine_rule(&fake, "POST ", 403, "", TLM_FAKE_PLAIN);
    tlm_fake_engine_rule(&fake, "GET /v1.41/containers/", 500, "{\"message\":\"here\"}",
                         TLM_FAKE_PLAIN);
    tlm_engine *engine = open_engine(host, NULL, NULL, LONG_MS);
    tlm_engine_facts facts;
    tlm_error error = {0};
    assert_int_equal(tlm_engine_ask(engine, &facts, &error), TLM_ERR_IO);
    (void)snprintf(expected, sizeof expected, "GET /v1.41/containers/%s/json HTTP/1.1", name);
    assert_string_equal(fake.last, expected);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void access_is_read(void **state)
{
    (void)state;
    static const struct {
        int status;
        tlm_engine_access access;
        const char *body;
    } cases[] = {
        {404, TLM_ENGINE_ACCESS_WRITE, "{\"message\":\"No such container: 00\"}"},
        /* Podman. */
        {404, TLM_ENGINE_ACCESS_WRITE,
         "{\"cause\":\"no such container\",\"message\":\"no such container\"}"},
        /* A proxy that says not found for what it does not let pass. */
        {404, TLM_ENGINE_ACCESS_READ, "<html>Not Found</html>"},
        {403, TLM_ENGINE_ACCESS_READ, "<html>Forbidden</html>"},
        {405, TLM_ENGINE_ACCESS_READ, ""},
        {429, TLM_ENGINE_ACCESS_UNKNOWN, ""},
        {500, TLM_ENGINE_ACCESS_UNKNOWN, "{\"message\":\"no such container\"}"},
        {200, TLM_ENGINE_ACCESS_UNKNOWN, "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_fake_engine_forget_rules(&fake);
        tlm_fake_engine_vectors(&fake, "docker-20.10");
        tlm_fake_engine_rule(&fake, "POST ", cases[i].status, cases[i].body, TLM_FAKE_PLAIN);
        tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
        tlm_engine_facts facts;
        ask(engine, &facts);
        assert_int_equal(facts.access, cases[i].access);
        assert_true(facts.known);
        tlm_engine_facts_clear(&facts);
        tlm_engine_close(&engine);
    }
}

static void refuses_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        tlm_result result;
    } cases[] = {{"GET /version ", 500, TLM_ERR_IO},
                 {"GET /version ", 404, TLM_ERR_PERMISSION},
                 {"GET /version ", 403, TLM_ERR_PERMISSION},
                 {"GET /version ", 301, TLM_ERR_IO},
                 {"GET /v1.41/containers/", 500, TLM_ERR_IO},
                 {"GET /v1.41/containers/", 400, TLM_ERR_PERMISSION},
                 {"GET /v1.41/containers/", 302, TLM_ERR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[32];
        tlm_fake_engine_rule(&fake, cases[i].request, cases[i].status, "{\"message\":\"why not\"}",
                             TLM_FAKE_PLAIN);
        (void)snprintf(words, sizeof words, "status %d: why not", cases[i].status);
        unsigned before = tlm_fake_engine_count(&fake, &fake.asked);
        ask_in_vain(LONG_MS, cases[i].result, words);
        /* No redirect was followed. */
        assert_true(tlm_fake_engine_count(&fake, &fake.asked) <= before + 2);
        tlm_fake_engine_forget_rules(&fake);
        tlm_fake_engine_vectors(&fake, "docker-20.10");
    }
}

static void refuses_garbage(void **state)
{
    (void)state;
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "<html>hello</html>", TLM_FAKE_PLAIN);
    tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
    tlm_engine_facts facts;
    tlm_error error = {0};
    assert_int_equal(tlm_engine_ask(engine, &facts, &error), TLM_ERR_FORMAT);
    assert_int_equal(facts.state, TLM_ENGINE_UNREACHABLE);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "garbage\r\n\r\n", TLM_FAKE_NO_HTTP);
    ask_in_vain(LONG_MS, TLM_ERR_IO, "broke off");
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "", TLM_FAKE_NO_HTTP);
    ask_in_vain(LONG_MS, TLM_ERR_IO, "broke off");
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "{\"ApiVersion\":", TLM_FAKE_BREAK);
    ask_in_vain(LONG_MS, TLM_ERR_IO, "broke off");
}

static char *spaces(size_t size)
{
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    return text;
}

static void bounds_the_size(void **state)
{
    (void)state;
    static const char version[] = "{\"ApiVersion\":\"1.41\"}";
    char *text = spaces(TLM_ENGINE_ANSWER_MAX);
    memcpy(text, version, sizeof version - 1);
    tlm_fake_engine_rule_bytes(&fake, "GET /version ", 200, text, TLM_ENGINE_ANSWER_MAX,
                               TLM_FAKE_PLAIN);
    tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
    tlm_engine_facts facts;
    ask(engine, &facts);
    assert_true(facts.known);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
    text = spaces(TLM_ENGINE_ANSWER_MAX + 1);
    memcpy(text, version, sizeof version - 1);
    tlm_fake_engine_rule_bytes(&fake, "GET /version ", 200, text, TLM_ENGINE_ANSWER_MAX + 1,
                               TLM_FAKE_PLAIN);
    ask_in_vain(LONG_MS, TLM_ERR_TOO_LARGE, "1048576 bytes");
}

static void bounds_the_time(void **state)
{
    (void)state;
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "", TLM_FAKE_HANG);
    ask_in_vain(SHORT_MS, TLM_ERR_TIMEOUT, "in time");
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "{", TLM_FAKE_DRIP);
    ask_in_vain(SHORT_MS, TLM_ERR_TIMEOUT, "in time");
}

/* The time is that of the whole ask: one that is used up leaves none for the next request. */
static void bounds_the_sum(void **state)
{
    (void)state;
    tlm_fake_engine_rule(&fake, "GET /v1.41/containers/", 200, "{", TLM_FAKE_DRIP);
    ask_in_vain(2 * SHORT_MS, TLM_ERR_TIMEOUT, "in time");
}

static void no_socket(void **state)
{
    (void)state;
    tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
    tlm_engine_facts facts;
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_NONE);
    assert_string_equal(facts.host, host);
    assert_int_equal(facts.error.result, TLM_OK);
    tlm_engine_facts_clear(&facts);
    /* It comes, */
    tlm_fake_engine_new(&fake);
    tlm_fake_engine_vectors(&fake, "podman-4.3");
    tlm_fake_engine_start(&fake, path);
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_ANSWERING);
    assert_string_equal(facts.engine_name, "Podman Engine");
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_stop(&fake);
    /* and goes. */
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_NONE);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void nobody_listens(void **state)
{
    (void)state;
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(file, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(file);
    ask_in_vain(LONG_MS, TLM_ERR_IO, "Connection refused");
    assert_int_equal(unlink(path), 0);
}

/* Root may connect wherever it wants, so it stops being root for the while. */
static void closed_socket(void **state)
{
    (void)state;
    bool root = geteuid() == 0;
    assert_int_equal(chmod(path, root ? 0600 : 0), 0);
    if (root) {
        assert_int_equal(chown(path, 0, 4321), 0);
        assert_int_equal(chmod(path, 0660), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
    tlm_engine_facts facts;
    tlm_error error = {0};
    tlm_result result = tlm_engine_ask(engine, &facts, &error);
    if (root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(result, TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.message, "refuses uid "));
    if (root) {
        assert_non_null(strstr(error.message, "(uid 0, gid 4321, mode 0660) refuses uid 65534"));
        assert_non_null(strstr(error.hint, "--group-add 4321"));
    } else {
        assert_non_null(strstr(error.message, "mode 0000"));
        assert_null(strstr(error.hint, "--group-add"));
    }
    assert_int_equal(facts.state, TLM_ENGINE_UNREACHABLE);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void closed_directory(void **state)
{
    (void)state;
    bool root = geteuid() == 0;
    assert_int_equal(chmod(directory, root ? 0700 : 0), 0);
    if (root) {
        assert_int_equal(seteuid(65534), 0);
    }
    tlm_engine *engine = open_engine(host, ID, NULL, LONG_MS);
    tlm_engine_facts facts;
    tlm_error error = {0};
    tlm_result result = tlm_engine_ask(engine, &facts, &error);
    if (root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(chmod(directory, 0755), 0);
    assert_int_equal(result, TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.message, "is closed to uid"));
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void over_tcp(void **state)
{
    (void)state;
    char where[64];
    tlm_engine_facts facts;
    tlm_fake_engine_new(&fake);
    tlm_fake_engine_vectors(&fake, "docker-20.10");
    tlm_fake_engine_start(&fake, NULL);
    /* Nobody is at this proxy. */
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    (void)snprintf(where, sizeof where, "tcp://127.0.0.1:%u", fake.port);
    tlm_engine *engine = open_engine(where, ID, NULL, LONG_MS);
    ask(engine, &facts);
    assert_true(facts.known);
    assert_string_equal(facts.host, where);
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_stop(&fake);
    assert_int_equal(tlm_engine_ask(engine, &facts, NULL), TLM_ERR_IO);
    assert_int_equal(facts.state, TLM_ENGINE_UNREACHABLE);
    assert_non_null(strstr(facts.error.message, where));
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

/* TLS that finds no certificate does not go on without. */
static void over_tls(void **state)
{
    (void)state;
    char where[64];
    tlm_engine_facts facts;
    tlm_fake_engine_new(&fake);
    tlm_fake_engine_vectors(&fake, "docker-20.10");
    tlm_fake_engine_start(&fake, NULL);
    (void)snprintf(where, sizeof where, "tcp://127.0.0.1:%u", fake.port);
    tlm_engine_question question = {
        .host = where, .cert_path = directory, .id = ID, .timeout_ms = LONG_MS};
    tlm_engine *engine = NULL;
    assert_int_equal(tlm_engine_open(&question, &engine, NULL), TLM_OK);
    assert_int_equal(tlm_engine_ask(engine, &facts, NULL), TLM_ERR_SETTING);
    assert_non_null(strstr(facts.error.hint, "--docker-cert-path"));
    assert_int_equal(tlm_fake_engine_count(&fake, &fake.asked), 0);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
    tlm_fake_engine_stop(&fake);
}

static void *interrupt(void *context)
{
    while (tlm_fake_engine_count(&fake, &fake.hanging) == 0) {
        struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
    }
    tlm_engine_interrupt(context);
    return NULL;
}

static void is_broken_off(void **state)
{
    (void)state;
    pthread_t thread;
    tlm_engine_facts facts;
    tlm_error error = {0};
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "", TLM_FAKE_HANG);
    tlm_engine *engine = open_engine(host, ID, NULL, 3600 * 1000);
    assert_int_equal(pthread_create(&thread, NULL, interrupt, engine), 0);
    assert_int_equal(tlm_engine_ask(engine, &facts, &error), TLM_ERR_TIMEOUT);
    assert_non_null(strstr(error.message, "broken off"));
    assert_int_equal(pthread_join(thread, NULL), 0);
    tlm_engine_facts_clear(&facts);
    assert_int_equal(tlm_engine_ask(engine, &facts, &error), TLM_ERR_TIMEOUT);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

static void opening(void **state)
{
    (void)state;
    tlm_engine *engine = NULL;
    tlm_engine_facts facts;
    tlm_engine_question question = {.host = "ssh://host"};
    assert_int_equal(tlm_engine_open(&question, &engine, NULL), TLM_ERR_UNSUPPORTED);
    assert_null(engine);
    question.host = "nonsense";
    assert_int_equal(tlm_engine_open(&question, &engine, NULL), TLM_ERR_SETTING);
    question = (tlm_engine_question){.host = host, .id = "98cad86ebcf4"};
    assert_int_equal(tlm_engine_open(&question, &engine, NULL), TLM_ERR_ARGUMENT);
    question.id = "../../../../../../../../../../../../../../../../../../../../../x";
    assert_int_equal(tlm_engine_open(&question, &engine, NULL), TLM_ERR_ARGUMENT);
    assert_null(engine);
    tlm_engine_close(&engine);
    question = (tlm_engine_question){.host = "none"};
    assert_int_equal(tlm_engine_open(&question, &engine, NULL), TLM_OK);
    tlm_engine_interrupt(engine);
    ask(engine, &facts);
    assert_int_equal(facts.state, TLM_ENGINE_NONE);
    tlm_engine_facts_clear(&facts);
    tlm_engine_close(&engine);
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, start_fake, stop_fake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAKE(knows_by_id),       WITH_FAKE(takes_the_digest),      WITH_FAKE(is_another),
        WITH_FAKE(knows_by_hostname), WITH_FAKE(strange_hostnames),     WITH_FAKE(own_hostname),
        WITH_FAKE(access_is_read),    WITH_FAKE(refuses_statuses),      WITH_FAKE(refuses_garbage),
        WITH_FAKE(bounds_the_size),   WITH_FAKE(bounds_the_time),       WITH_FAKE(bounds_the_sum),
        WITH_FAKE(closed_socket),     WITH_FAKE(closed_directory),      WITH_FAKE(is_broken_off),
        cmocka_unit_test(no_socket),  cmocka_unit_test(nobody_listens), cmocka_unit_test(over_tcp),
        cmocka_unit_test(over_tls),   cmocka_unit_test(opening),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
