/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <tlm/tokend_report.h>

#define PATH "tokend.json"

static tlm_result parse(const char *text, tlm_tokend_report *report, tlm_error *error)
{
    return tlm_tokend_report_parse(text, strlen(text), PATH, report, error);
}

static void takes_every_member(void **state)
{
    (void)state;
    tlm_tokend_report report;
    tlm_error error = {0};
    assert_int_equal(
        parse("{\"version\": 1, \"pid\": 812, \"state\": \"unavailable\", \"backend\": \"tpm\","
              " \"label\": \"tlm\", \"store\": \"/x/token\", \"simulated\": true,"
              " \"hardwareBound\": false, \"error\": {\"code\": \"locked\", \"message\": \"m\","
              " \"hint\": \"h\"}, \"tpm\": {}, \"later\": 1}",
              &report, &error),
        TLM_OK);
    assert_int_equal(report.phase, TLM_TOKEND_UNAVAILABLE);
    assert_int_equal(report.backend, TLM_TOKEND_TPM);
    assert_int_equal(report.pid, 812);
    assert_string_equal(report.label, "tlm");
    assert_string_equal(report.store, "/x/token");
    assert_true(report.simulated);
    assert_false(report.hardware_bound);
    assert_int_equal(report.error.result, TLM_ERR_LOCKED);
    assert_string_equal(report.error.message, "m");
    assert_string_equal(report.error.hint, "h");
}

static void little_is_enough(void **state)
{
    (void)state;
    tlm_tokend_report report;
    assert_int_equal(parse("{\"version\":1,\"state\":\"starting\"}", &report, NULL), TLM_OK);
    assert_int_equal(report.phase, TLM_TOKEND_STARTING);
    assert_int_equal(report.backend, TLM_TOKEND_UNKNOWN);
    assert_int_equal(report.pid, 0);
    assert_string_equal(report.label, "");
    assert_int_equal(report.error.result, TLM_OK);
    assert_int_equal(parse("{\"version\":1,\"state\":\"ready\",\"backend\":\"softhsm\","
                           "\"error\":{\"code\":\"pin\"}}",
                           &report, NULL),
                     TLM_OK);
    assert_int_equal(report.backend, TLM_TOKEND_SOFTHSM);
    assert_int_equal(report.error.result, TLM_OK); /* of a token that is ready */
    assert_int_equal(parse("{\"version\":1,\"state\":\"unavailable\",\"backend\":\"module\","
                           "\"error\":{\"code\":\"of-tomorrow\"}}",
                           &report, NULL),
                     TLM_OK);
    assert_int_equal(report.backend, TLM_TOKEND_MODULE);
    assert_int_equal(report.error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    assert_true(report.error.message[0] != '\0');
}

static void every_code_comes_back(void **state)
{
    (void)state;
    for (int i = TLM_OK + 1; i < TLM_RESULT_COUNT; i++) {
        tlm_tokend_report report;
        char text[160];
        (void)snprintf(text, sizeof text,
                       "{\"version\":1,\"state\":\"unavailable\",\"error\":{\"code\":\"%s\"}}",
                       tlm_result_code((tlm_result)i));
        assert_int_equal(parse(text, &report, NULL), TLM_OK);
        assert_int_equal(report.error.result, i);
    }
}

static void refuses_what_it_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tlm_result result;
    } cases[] = {{"", TLM_ERR_FORMAT},
                 {"[]", TLM_ERR_FORMAT},
                 {"{}", TLM_ERR_FORMAT},
                 {"{\"version\":0,\"state\":\"ready\"}", TLM_ERR_FORMAT},
                 {"{\"version\":\"1\",\"state\":\"ready\"}", TLM_ERR_FORMAT},
                 {"{\"version\":1}", TLM_ERR_FORMAT},
                 {"{\"version\":1,\"state\":\"Ready\"}", TLM_ERR_FORMAT},
                 {"{\"version\":1,\"state\":7}", TLM_ERR_FORMAT},
                 {"{\"version\":1,\"version\":1,\"state\":\"ready\"}", TLM_ERR_FORMAT},
                 {"{\"version\":2,\"state\":\"ready\"}", TLM_ERR_NEWER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tlm_tokend_report report;
        tlm_error error = {0};
        assert_int_equal(parse(cases[i].text, &report, &error), cases[i].result);
        assert_non_null(strstr(error.message, PATH));
        assert_true(error.hint[0] != '\0');
    }
}

static void too_long_texts_are_left_out(void **state)
{
    (void)state;
    tlm_tokend_report report;
    char text[2000];
    char label[40];
    memset(label, 'x', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    for (size_t length = 32; length <= 33; length++) {
        (void)snprintf(text, sizeof text, "{\"version\":1,\"state\":\"ready\",\"label\":\"%.*s\"}",
                       (int)length, label);
        assert_int_equal(parse(text, &report, NULL), TLM_OK);
        assert_int_equal(strlen(report.label), length == 32 ? 32 : 0);
    }
}

static void cut_off_at_every_byte(void **state)
{
    (void)state;
    static const char whole[] = "{\"version\":1,\"state\":\"ready\",\"pid\":1}";
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        tlm_tokend_report report;
        assert_int_equal(tlm_tokend_report_parse(whole, size, PATH, &report, NULL), TLM_ERR_FORMAT);
    }
}

static void stands_beside_the_socket(void **state)
{
    char socket_path[TEST_PATH_MAX];
    char path[TEST_PATH_MAX];
    tlm_tokend_report report;
    char *found = tlm_tokend_report_path(in_directory(state, "pkcs11.sock", socket_path));
    assert_string_equal(found, in_directory(state, PATH, path));
    assert_int_equal(tlm_tokend_report_read(found, &report, NULL), TLM_ERR_NOT_FOUND);
    put_file(found, "{\"version\":1,\"state\":\"ready\"}");
    assert_int_equal(tlm_tokend_report_read(found, &report, NULL), TLM_OK);
    free(found);
    found = tlm_tokend_report_path("/pkcs11.sock");
    assert_string_equal(found, "/tokend.json");
    free(found);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(file, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(file, 1), 0);
    return file;
}

static void tells_whether_somebody_serves(void **state)
{
    char path[TEST_PATH_MAX];
    char below[TEST_PATH_MAX];
    tlm_error error = {0};
    (void)in_directory(state, "s", path);
    assert_int_equal(tlm_tokend_connect(path, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, "--pkcs11-socket"));
    int file = listen_at(path);
    /* More than the queue has room for: somebody is there all the same. */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(tlm_tokend_connect(path, &error), TLM_OK);
    }
    (void)close(file);
    assert_int_equal(tlm_tokend_connect(path, &error), TLM_ERR_NOT_FOUND);
    put_file(in_directory(state, "file", below), "");
    assert_int_equal(tlm_tokend_connect(in_directory(state, "file/s", below), &error),
                     TLM_ERR_NOT_FOUND);
}

static void a_path_that_no_socket_has(void **state)
{
    (void)state;
    char path[TLM_TOKEND_SOCKET_MAX + 2];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(tlm_tokend_connect(path, NULL), TLM_ERR_ARGUMENT);
    path[TLM_TOKEND_SOCKET_MAX] = '\0';
    assert_int_equal(tlm_tokend_connect(path, NULL), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_tokend_connect("", NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_tokend_connect(NULL, NULL), TLM_ERR_ARGUMENT);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_member),
        cmocka_unit_test(little_is_enough),
        cmocka_unit_test(every_code_comes_back),
        cmocka_unit_test(refuses_what_it_is_not),
        cmocka_unit_test(too_long_texts_are_left_out),
        cmocka_unit_test(cut_off_at_every_byte),
        WITH_DIRECTORY(stands_beside_the_socket),
        WITH_DIRECTORY(tells_whether_somebody_serves),
        cmocka_unit_test(a_path_that_no_socket_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
