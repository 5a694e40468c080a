/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>

#include <tlm/provision.h>

/* The system call that fails: the one of that name, at its turn. */
static const char *failing;
static unsigned turn;
static unsigned seen;

int __real_fsync(int file);
int __wrap_fsync(int file);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);

static bool fails(const char *name)
{
    if (failing == NULL || strcmp(failing, name) != 0 || ++seen != turn) {
        return false;
    }
    errno = ENOSPC;
    return true;
}

int __wrap_fsync(int file)
{
    return fails("fsync") ? -1 : __real_fsync(file);
}

int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

ssize_t __wrap_write(int file, const void *data, size_t size)
{
    return file != STDERR_FILENO && fails("write") ? -1 : __real_write(file, data, size);
}

static tlm_result provision(void **state, tlm_provision_report *report, tlm_error *error)
{
    static char program[] = "tlm-token-init";
    static char flag[] = "--persistence-dir";
    static char config_flag[] = "--config-dir";
    static char level_flag[] = "--log-level";
    static char level[] = "fatal";
    char *argv[] = {program, flag, *state, config_flag, *state, level_flag, level, NULL};
    tlm_settings settings;
    tlm_settings_outcome outcome;
    (void)unsetenv("TLM_TOKEN_STORE");
    (void)unsetenv("TLM_TOKEN_LABEL");
    (void)unsetenv("TLM_CONFIG");
    assert_int_equal(tlm_settings_load(TLM_PROGRAM_TOKEN, 7, argv, &settings, &outcome, NULL),
                     TLM_OK);
    tlm_provision_request request = {
        .settings = &settings, .backend = TLM_BACKEND_SOFTHSM, .rsa_bits = 2048};
    tlm_result result = tlm_provision(&request, report, error);
    tlm_settings_clear(&settings);
    return result;
}

/* With each of the calls failing in turn: an error that says so, and the next run completes it. */
static void completes_after_each_failure(void **state, const char *call)
{
    unsigned failures = 0;
    failing = call;
    for (turn = 1;; turn++) {
        tlm_provision_report report = {0};
        tlm_error error = {0};
        seen = 0;
        tlm_result result = provision(state, &report, &error);
        if (result == TLM_OK) {
            assert_int_equal(strlen(report.fingerprint), 64);
            tlm_provision_report_clear(&report);
            break;
        }
        assert_int_equal(result, TLM_ERR_NO_SPACE);
        assert_non_null(strstr(error.message, "No space left"));
        tlm_provision_report_clear(&report);
        failures++;
        assert_in_range(failures, 1, 200);
    }
    failing = NULL;
    assert_in_range(failures, 2, 200);
    tlm_provision_report report = {0};
    assert_int_equal(provision(state, &report, NULL), TLM_OK);
    assert_true(report.unchanged);
    tlm_provision_report_clear(&report);
}

static void completes_after_failing_fsync(void **state)
{
    completes_after_each_failure(state, "fsync");
}

static void completes_after_failing_rename(void **state)
{
    completes_after_each_failure(state, "rename");
}

static void completes_after_failing_write(void **state)
{
    completes_after_each_failure(state, "write");
}

static void clears_an_empty_report(void **state)
{
    (void)state;
    tlm_provision_report report = {0};
    tlm_provision_report_clear(&report);
    tlm_provision_report_clear(&report);
    assert_null(report.label);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(completes_after_failing_fsync),
        IN_DIRECTORY(completes_after_failing_rename),
        IN_DIRECTORY(completes_after_failing_write),
        cmocka_unit_test(clears_an_empty_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
