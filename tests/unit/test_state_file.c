/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <jansson.h>

#include "state_file.h"

static json_t *read_back(const char *path)
{
    json_error_t cause;
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &cause);
    if (object == NULL) {
        fail_msg("%s: %s", path, cause.text);
    }
    return object;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void everything_is_written(void **state)
{
    char path[TEST_PATH_MAX];
    struct stat status;
    tlm_error cause = {0};
    (void)tlm_error_set(&cause, TLM_ERR_LOCKED, "wait", "the TPM is in \"lockout\"");
    json_t *tpm = json_pack("{s:b}", "connected", true);
    tlm_state_report report = {.state = TLM_TOKEND_UNAVAILABLE,
                               .since = 1000000000,
                               .backend = "tpm",
                               .label = "tlm",
                               .store = "/store",
                               .tcti = "device:/dev/tpmrm0",
                               .vault_policy = "SecureBoot",
                               .hardware_bound = true,
                               .error = &cause,
                               .tpm = tpm};
    mode_t before = umask(077);
    assert_int_equal(tlm_state_file_write(in_directory(state, "tokend.json", path), &report, NULL),
                     TLM_OK);
    (void)umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    json_t *object = read_back(path);
    assert_int_equal(json_integer_value(json_object_get(object, "version")), 1);
    assert_int_equal(json_integer_value(json_object_get(object, "pid")), getpid());
    assert_string_equal(text_of(object, "state"), "unavailable");
    assert_string_equal(text_of(object, "since"), "2001-09-09T01:46:40Z");
    assert_string_equal(text_of(object, "backend"), "tpm");
    assert_string_equal(text_of(object, "label"), "tlm");
    assert_string_equal(text_of(object, "store"), "/store");
    assert_string_equal(text_of(object, "tcti"), "device:/dev/tpmrm0");
    assert_string_equal(text_of(object, "vaultPolicy"), "SecureBoot");
    assert_true(json_is_false(json_object_get(object, "simulated")));
    assert_true(json_is_true(json_object_get(object, "hardwareBound")));
    const json_t *error = json_object_get(object, "error");
    assert_string_equal(text_of(error, "code"), "locked");
    assert_string_equal(text_of(error, "message"), "the TPM is in \"lockout\"");
    assert_string_equal(text_of(error, "hint"), "wait");
    assert_true(json_equal(json_object_get(object, "tpm"), tpm));
    json_decref(object);
    json_decref(tpm);
    tlm_state_file_remove(path);
    assert_int_not_equal(access(path, F_OK), 0);
    tlm_state_file_remove(path);
}

static void what_is_not_known_is_left_out(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_error cause = {0};
    (void)tlm_error_set(&cause, TLM_ERR_TOKEN, NULL, "of an earlier state");
    tlm_state_report report = {.state = TLM_TOKEND_READY, .label = "", .error = &cause};
    assert_int_equal(tlm_state_file_write(in_directory(state, "tokend.json", path), &report, NULL),
                     TLM_OK);
    json_t *object = read_back(path);
    assert_string_equal(text_of(object, "state"), "ready");
    static const char *const absent[] = {"backend", "label", "store",      "tcti",
                                         "error",   "tpm",   "vaultPolicy"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_null(json_object_get(object, absent[i]));
    }
    json_decref(object);
}

static void it_is_replaced_in_one_step(void **state)
{
    char path[TEST_PATH_MAX];
    char fresh[TEST_PATH_MAX];
    tlm_state_report report = {.state = TLM_TOKEND_STARTING};
    (void)in_directory(state, "tokend.json", path);
    (void)in_directory(state, "tokend.json.new", fresh);
    assert_int_equal(tlm_state_file_write(path, &report, NULL), TLM_OK);
    int open_before = open(path, O_RDONLY | O_CLOEXEC);
    report.state = TLM_TOKEND_READY;
    assert_int_equal(tlm_state_file_write(path, &report, NULL), TLM_OK);
    assert_int_not_equal(access(fresh, F_OK), 0);
    char text[4096] = "";
    assert_true(read(open_before, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "starting")); /* who was reading got one whole */
    (void)close(open_before);
}

static void a_place_that_cannot_be_written_to(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_error error = {0};
    tlm_state_report report = {.state = TLM_TOKEND_READY};
    (void)in_directory(state, "missing/tokend.json", path);
    assert_int_equal(tlm_state_file_write(path, &report, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "missing/tokend.json"));
    assert_true(error.hint[0] != '\0');
}

static void it_stands_beside_the_socket(void **state)
{
    (void)state;
    char *path = tlm_state_file_path("/run/tlm/pkcs11.sock");
    assert_string_equal(path, "/run/tlm/tokend.json");
    free(path);
    path = tlm_state_file_path("/pkcs11.sock");
    assert_string_equal(path, "/tokend.json");
    free(path);
    path = tlm_state_file_path("pkcs11.sock");
    assert_string_equal(path, "tokend.json");
    free(path);
    assert_string_equal(tlm_tokend_state_name(TLM_TOKEND_STARTING), "starting");
}

#define STATE_TEST(test) cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATE_TEST(everything_is_written),
        STATE_TEST(what_is_not_known_is_left_out),
        STATE_TEST(it_is_replaced_in_one_step),
        STATE_TEST(a_place_that_cannot_be_written_to),
        cmocka_unit_test(it_stands_beside_the_socket),
    };
    return cmocka_run_group_tests_name("state_file", tests, NULL, NULL);
}
