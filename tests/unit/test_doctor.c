/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>

#include <tlm/doctor.h>
#include <tlm/settings.h>

/* What the kernel says to the one path, which stands for a device node or a store. */
static char special[TEST_PATH_MAX];
static int open_errno;
static int access_errno;
static bool as_device;

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __real_stat(const char *path, struct stat *info);
int __wrap_stat(const char *path, struct stat *info);
int __real_faccessat(int directory, const char *path, int mode, int flags);
int __wrap_faccessat(int directory, const char *path, int mode, int flags);

int __wrap_open(const char *path, int flags, mode_t mode)
{
    if (open_errno != 0 && strcmp(path, special) == 0) {
        errno = open_errno;
        return -1;
    }
    return __real_open(path, flags, mode);
}

int __wrap_stat(const char *path, struct stat *info)
{
    int result = __real_stat(path, info);
    if (as_device && strcmp(path, special) == 0) {
        info->st_mode = S_IFCHR | 0660;
        info->st_uid = 0;
        info->st_gid = 60113;
    }
    return result;
}

int __wrap_faccessat(int directory, const char *path, int mode, int flags)
{
    if (access_errno != 0 && strcmp(path, special) == 0) {
        errno = access_errno;
        return -1;
    }
    return __real_faccessat(directory, path, mode, flags);
}

static int setup(void **state)
{
    static const char *const names[] = {"TLM_TCTI",   "TSS2_TCTI",     "TPM_DEVICE",
                                        "TLM_CONFIG", "TPM_HOST",      "TLM_TOKEN_STORE",
                                        "TPM_PORT",   "TLM_CONFIG_DIR"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    open_errno = 0;
    access_errno = 0;
    as_device = false;
    special[0] = '\0';
    return directory_setup(state);
}

/* Examines a store in the test's directory with `device` as the TPM. */
static void examine(void **state, const char *device, bool container, tlm_findings *findings)
{
    static char program[] = "tlm-token-init";
    static char device_flag[] = "--tpm-device";
    static char store_flag[] = "--token-store";
    static char config_flag[] = "--config-dir";
    char path[TEST_PATH_MAX];
    char store[TEST_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", device);
    (void)in_directory(state, "token", store);
    char *argv[] = {program, device_flag, path, store_flag, store, config_flag, *state, NULL};
    tlm_settings settings;
    tlm_settings_outcome outcome;
    assert_int_equal(tlm_settings_load(TLM_PROGRAM_TOKEN, 7, argv, &settings, &outcome, NULL),
                     TLM_OK);
    tlm_doctor_run(&settings, container, findings);
    tlm_settings_clear(&settings);
}

static const tlm_finding *find(const tlm_findings *findings, const char *id)
{
    size_t place = 0;
    while (place < findings->count && strcmp(findings->items[place].id, id) != 0) {
        place++;
    }
    if (place == findings->count) {
        fail_msg("there is no finding %s among %zu", id, findings->count);
    }
    return &findings->items[place % TLM_FINDINGS_MAX];
}

static void assert_command(void **state, const char *device, bool container, const char *id,
                           const char *command)
{
    tlm_findings findings;
    examine(state, device, container, &findings);
    const tlm_finding *finding = find(&findings, id);
    assert_int_equal(finding->severity, TLM_FINDING_PROBLEM);
    assert_true(finding->cause[0] != '\0' && finding->evidence[0] != '\0');
    if (strstr(finding->command, command) == NULL) {
        fail_msg("%s: '%s' is not in '%s'", id, command, finding->command);
    }
    assert_true(tlm_findings_have_problem(&findings));
}

static void a_store_that_is_not_there(void **state)
{
    assert_command(state, "/dev/null", false, "not-provisioned", "tlm-token-init provision");
    assert_command(state, "/dev/null", true, "not-provisioned",
                   "docker exec CONTAINER tlm-token-init provision");
}

static void a_device_that_was_passed_as_a_volume(void **state)
{
    char path[TEST_PATH_MAX];
    char command[2 * TEST_PATH_MAX];
    put_file(in_directory(state, "tpmrm0", path), "");
    assert_command(state, path, false, "device-no-node", "mv ");
    (void)snprintf(command, sizeof command, "docker run --device %.200s:", path);
    assert_command(state, path, true, "device-no-node", command);
    (void)snprintf(special, sizeof special, "%s", path);
    as_device = true;
    open_errno = EPERM; /* the answer of the device cgroup */
    assert_command(state, path, false, "device-volume", command);
    assert_command(state, path, true, "device-volume", command);
}

static void a_device_of_another_group(void **state)
{
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, "tpmrm0", path), "");
    (void)snprintf(special, sizeof special, "%s", path);
    as_device = true;
    open_errno = EACCES;
    /* By another name where this host has the usual one for another number. */
    assert_command(state, path, false, "device-permission",
                   getgrnam("tss") == NULL ? "groupadd -g 60113 tss && usermod -aG tss "
                                           : "groupadd -g 60113 tpm && usermod -aG tpm ");
    assert_command(state, path, true, "device-permission", "docker run --group-add 60113 ");
    tlm_findings findings;
    examine(state, path, true, &findings);
    assert_non_null(strstr(find(&findings, "device-permission")->evidence,
                           "owner uid 0, gid 60113, mode 0660"));
}

static void a_device_that_somebody_has_for_himself(void **state)
{
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, "tpm0", path), "");
    (void)snprintf(special, sizeof special, "%s", path);
    as_device = true;
    open_errno = EBUSY;
    assert_command(state, path, false, "device-busy", "fuser -v");
}

static void a_device_that_is_missing(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_findings findings;
    examine(state, in_directory(state, "none", path), true, &findings);
    bool found = false;
    for (size_t i = 0; i < findings.count; i++) {
        if (strncmp(findings.items[i].id, "no-", 3) == 0) {
            assert_non_null(strstr(findings.items[i].command, "docker run --device"));
            assert_non_null(strstr(findings.items[i].evidence, path));
            found = true;
        }
    }
    assert_true(found);
}

static void a_store_that_cannot_be_written(void **state)
{
    char path[TEST_PATH_MAX];
    assert_int_equal(mkdir(in_directory(state, "token", path), 0700), 0);
    (void)snprintf(special, sizeof special, "%s", path);
    access_errno = EROFS;
    assert_command(state, "/dev/null", false, "store-read-only", "mount -o remount,rw");
    assert_command(state, "/dev/null", true, "store-read-only", "docker run -v");
    access_errno = EACCES;
    assert_command(state, "/dev/null", false, "store-owner", "chown -R ");
    assert_command(state, "/dev/null", true, "store-owner", "on the host: chown -R ");
}

static void severities_have_names(void **state)
{
    (void)state;
    assert_string_equal(tlm_severity_name(TLM_FINDING_INFO), "info");
    assert_string_equal(tlm_severity_name(TLM_FINDING_WARNING), "warning");
    assert_string_equal(tlm_severity_name(TLM_FINDING_PROBLEM), "problem");
    assert_string_equal(tlm_severity_name((tlm_severity)99), "problem");
    tlm_findings none = {0};
    assert_false(tlm_findings_have_problem(&none));
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(a_store_that_is_not_there),
        IN_DIRECTORY(a_device_that_was_passed_as_a_volume),
        IN_DIRECTORY(a_device_of_another_group),
        IN_DIRECTORY(a_device_that_somebody_has_for_himself),
        IN_DIRECTORY(a_device_that_is_missing),
        IN_DIRECTORY(a_store_that_cannot_be_written),
        cmocka_unit_test(severities_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
