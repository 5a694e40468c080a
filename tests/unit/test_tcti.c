/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <tlm/tcti.h>

/* Device nodes cannot be made in a test: /dev/null stands for one, with what it is changed here. */
static int open_errno;
static gid_t node_group;
static mode_t node_mode;

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __real_stat(const char *path, struct stat *info);
int __wrap_stat(const char *path, struct stat *info);

int __wrap_open(const char *path, int flags, mode_t mode)
{
    if (open_errno != 0 && strcmp(path, "/dev/null") == 0) {
        errno = open_errno;
        return -1;
    }
    return __real_open(path, flags, mode);
}

int __wrap_stat(const char *path, struct stat *info)
{
    int result = __real_stat(path, info);
    if (node_mode != 0 && strcmp(path, "/dev/null") == 0) {
        info->st_mode = (info->st_mode & S_IFMT) | node_mode;
        info->st_gid = node_group;
        info->st_uid = 59;
    }
    return result;
}

static int tcti_setup(void **state)
{
    static const char *const names[] = {"TLM_TCTI",       "TSS2_TCTI",       "TPM_DEVICE",
                                        "TPM_HOST",       "TPM_PORT",        "TLM_CONFIG",
                                        "TLM_CONFIG_DIR", "TLM_TPM_PRIORITY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    open_errno = 0;
    node_mode = 0;
    return directory_setup(state);
}

/* The candidates of a command line (words separated by blanks) and a file (NULL for none). */
static tlm_result candidates_of(void **state, const char *words, const char *file,
                                tlm_settings *settings, tlm_tcti_list *list)
{
    static char program[] = "program";
    char *argv[16] = {program};
    char copy[1024];
    char path[TEST_PATH_MAX];
    int count = 1;
    put_file(in_directory(state, "TLLicenseManager.json", path), file != NULL ? file : "{}");
    (void)snprintf(copy, sizeof copy, "--config-dir %s %s", (const char *)*state, words);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        argv[count++] = word;
    }
    tlm_settings_outcome outcome;
    assert_int_equal(tlm_settings_load(TLM_PROGRAM_DAEMON, count, argv, settings, &outcome, NULL),
                     TLM_OK);
    return tlm_tcti_candidates(settings, list, NULL);
}

static void assert_only(void **state, const char *words, const char *file, const char *conf,
                        const char *origin)
{
    tlm_settings settings;
    tlm_tcti_list list;
    assert_int_equal(candidates_of(state, words, file, &settings, &list), TLM_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].conf, conf);
    assert_string_equal(list.items[0].origin, origin);
    assert_true(list.items[0].named);
    tlm_tcti_list_clear(&list);
    tlm_settings_clear(&settings);
}

static void unnamed_the_default_order_counts(void **state)
{
    tlm_settings settings;
    tlm_tcti_list list;
    assert_int_equal(candidates_of(state, "", NULL, &settings, &list), TLM_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].conf, "device:/dev/tpmrm0");
    assert_string_equal(list.items[1].conf, "tabrmd");
    assert_string_equal(list.items[0].origin, "default order");
    assert_false(list.items[0].named);
    assert_false(list.items[0].simulated);
    tlm_tcti_list_clear(&list);
    assert_int_equal(list.count, 0);
    tlm_tcti_list_clear(&list);
    tlm_tcti_list_clear(NULL);
    tlm_settings_clear(&settings);
}

static void the_priority_may_name_another_order(void **state)
{
    tlm_settings settings;
    tlm_tcti_list list;
    assert_int_equal(candidates_of(state, "",
                                   "{\"TrustedLicensing\":{\"TPM\":{\"DevicePriority\":["
                                   "\"/dev/tpm0\",\"tabrmd:bus_name=x,bus_type=session\","
                                   "\" swtpm:host=h,port=1\",\"127.0.0.1:2323\",\"device\"]}}}",
                                   &settings, &list),
                     TLM_OK);
    static const char *const expected[] = {"device:/dev/tpm0", "tabrmd:bus_name=x,bus_type=session",
                                           "swtpm:host=h,port=1", "mssim:host=127.0.0.1,port=2323",
                                           "device:/dev/tpmrm0"};
    assert_int_equal(list.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(list.items[i].conf, expected[i]);
        assert_string_equal(list.items[i].origin, "TPM.DevicePriority");
        assert_int_equal(list.items[i].simulated, i == 2 || i == 3);
        assert_false(list.items[i].named);
    }
    tlm_tcti_list_clear(&list);
    tlm_settings_clear(&settings);
    assert_int_equal(candidates_of(state, "--tpm-priority a,b,c,d,e,f,g,h", NULL, &settings, &list),
                     TLM_OK);
    assert_int_equal(list.count, TLM_TCTI_MAX);
    tlm_tcti_list_clear(&list);
    tlm_settings_clear(&settings);
    assert_int_equal(
        candidates_of(state, "--tpm-priority a,b,c,d,e,f,g,h,i", NULL, &settings, &list),
        TLM_ERR_SETTING);
    assert_int_equal(list.count, 0);
    tlm_settings_clear(&settings);
}

#define FILE_WITH(text) "{\"TrustedLicensing\":{\"TPM\":{" text "}}}"

static void the_command_line_beats_the_environment_beats_the_file(void **state)
{
    static const char file[] = FILE_WITH("\"Tcti\":\"swtpm:path=/file\"");
    assert_only(state, "", file, "swtpm:path=/file", "TPM.Tcti");
    assert_only(state, "", FILE_WITH("\"Device\":\"/dev/x\""), "device:/dev/x", "TPM.Device");
    assert_only(state, "", FILE_WITH("\"Host\":\"h\",\"Port\":7"), "swtpm:host=h,port=7",
                "TPM.Host");
    assert_int_equal(setenv("TPM_HOST", "away", 1), 0);
    assert_only(state, "", file, "swtpm:host=away,port=2321", "TPM_HOST");
    assert_int_equal(setenv("TPM_DEVICE", "/dev/tpmrm1", 1), 0);
    assert_only(state, "", file, "device:/dev/tpmrm1", "TPM_DEVICE");
    assert_int_equal(setenv("TSS2_TCTI", "device:/dev/tpmrm0", 1), 0);
    assert_only(state, "", file, "device:/dev/tpmrm0", "TSS2_TCTI");
    assert_int_equal(setenv("TLM_TCTI", "tabrmd", 1), 0);
    assert_only(state, "", file, "tabrmd", "TLM_TCTI");
    assert_only(state, "--tpm-port 9", file, "swtpm:host=away,port=9", "--tpm-port");
    assert_only(state, "--tpm-host h", file, "swtpm:host=h,port=2321", "--tpm-host");
    assert_only(state, "--tpm-host h --tpm-port 5", file, "swtpm:host=h,port=5", "--tpm-host");
    assert_only(state, "--tpm-host h --tpm-device /dev/y", file, "device:/dev/y", "--tpm-device");
    assert_only(state, "--tpm-device /dev/y --tcti swtpm:path=/s", file, "swtpm:path=/s", "--tcti");
}

static void a_port_alone_means_this_host(void **state)
{
    assert_only(state, "--tpm-port 9", NULL, "swtpm:host=127.0.0.1,port=9", "--tpm-port");
}

static void shorthands_are_written_out(void **state)
{
    assert_only(state, "--tcti /dev/tpmrm0", NULL, "device:/dev/tpmrm0", "--tcti");
    assert_only(state, "--tcti device", NULL, "device:/dev/tpmrm0", "--tcti");
    assert_only(state, "--tcti device:", NULL, "device:/dev/tpmrm0", "--tcti");
    assert_only(state, "--tcti localhost:2323", NULL, "mssim:host=localhost,port=2323", "--tcti");
    assert_only(state, "--tpm-device device:/dev/z", NULL, "device:/dev/z", "--tpm-device");
    assert_only(state, "--tcti swtpm:port=2321", NULL, "swtpm:port=2321", "--tcti");
}

static void simulators_are_told_from_hardware(void **state)
{
    static const struct {
        const char *conf;
        bool simulated;
    } rows[] = {{"swtpm:path=/x", true}, {"swtpm", true},
                {"mssim:host=h", true},  {"libtss2-tcti-swtpm.so.0:path=/x", true},
                {"libtpms", true},       {"tabrmd", false},
                {"/dev/tpmrm0", false},  {"libtss2-tcti-device.so.0:/dev/tpmrm0", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_settings settings;
        tlm_tcti_list list;
        char words[128];
        (void)snprintf(words, sizeof words, "--tcti %s", rows[i].conf);
        assert_int_equal(candidates_of(state, words, NULL, &settings, &list), TLM_OK);
        assert_int_equal(list.items[0].simulated, rows[i].simulated);
        tlm_tcti_list_clear(&list);
        tlm_settings_clear(&settings);
    }
}

static tlm_result check(const char *conf, tlm_error *error)
{
    char copy[TEST_PATH_MAX + 64];
    (void)snprintf(copy, sizeof copy, "%s", conf);
    const tlm_tcti tcti = {.conf = copy, .origin = "--tcti", .named = true};
    *error = (tlm_error){0};
    return tlm_tcti_check(&tcti, error);
}

static void the_exclusive_device_is_refused(void **state)
{
    (void)state;
    static const char *const confs[] = {"device:/dev/tpm0", "device:/dev/tpm12",
                                        "libtss2-tcti-device.so.0:/dev/tpm0"};
    tlm_error error;
    for (size_t i = 0; i < sizeof confs / sizeof confs[0]; i++) {
        assert_int_equal(check(confs[i], &error), TLM_ERR_UNSUPPORTED);
        assert_non_null(strstr(error.message, "/dev/tpm"));
        assert_non_null(strstr(error.message, "opens it twice"));
        assert_non_null(strstr(error.hint, "--tcti device:/dev/tpmrm0"));
    }
}

static void a_missing_device_tells_of_modules_and_containers(void **state)
{
    (void)state;
    tlm_error error;
    assert_int_equal(check("device:/dev/tpmrm99", &error), TLM_ERR_TPM_UNAVAILABLE);
    assert_non_null(strstr(error.message, "/dev/tpmrm99"));
    assert_non_null(strstr(error.hint, "modprobe tpm_tis"));
    assert_non_null(strstr(error.hint, "modprobe tpm_crb"));
    assert_non_null(strstr(error.hint, "--device /dev/tpmrm99"));
}

static void what_was_passed_as_a_volume_is_told(void **state)
{
    char path[TEST_PATH_MAX];
    char conf[TEST_PATH_MAX + 16];
    tlm_error error;
    in_directory(state, "tpmrm0", path);
    put_file(path, "");
    (void)snprintf(conf, sizeof conf, "device:%s", path);
    assert_int_equal(check(conf, &error), TLM_ERR_TPM_UNAVAILABLE);
    assert_non_null(strstr(error.message, "a regular file"));
    assert_non_null(strstr(error.message, "--volume"));
    (void)snprintf(conf, sizeof conf, "device:%s", (const char *)*state);
    assert_int_equal(check(conf, &error), TLM_ERR_TPM_UNAVAILABLE);
    assert_non_null(strstr(error.message, "a directory"));
    /* Nothing is advised that could hurt a path that is no TPM's at all. */
    assert_null(strstr(error.hint, "mv "));
}

static void a_device_that_opens_passes(void **state)
{
    (void)state;
    tlm_error error;
    assert_int_equal(check("device:/dev/null", &error), TLM_OK);
    assert_string_equal(error.message, "");
}

static void a_refusal_tells_numbers_and_the_command(void **state)
{
    (void)state;
    tlm_error error;
    char name[64];
    open_errno = EACCES;
    node_mode = 0660;
    node_group = 45113; /* no such group here */
    assert_int_equal(check("device:/dev/null", &error), TLM_ERR_PERMISSION);
    assert_int_equal(error.native, EACCES);
    assert_non_null(strstr(error.message, "owner uid 59, group gid 45113 ?, mode 0660"));
    (void)snprintf(name, sizeof name, "as uid %u gid %u", (unsigned)geteuid(), (unsigned)getegid());
    assert_non_null(strstr(error.message, name));
    assert_non_null(strstr(error.hint, "--group-add 45113"));
    assert_non_null(strstr(error.hint, "groupadd -g 45113 tss"));
    const struct group *daemon = getgrnam("daemon");
    assert_non_null(daemon);
    node_group = daemon->gr_gid;
    assert_int_equal(check("device:/dev/null", &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "usermod -aG daemon $USER"));
    (void)snprintf(name, sizeof name, "--group-add %u", (unsigned)node_group);
    assert_non_null(strstr(error.hint, name));
    node_mode = 0600; /* being in the group would not help */
    assert_int_equal(check("device:/dev/null", &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "chmod 660 /dev/null"));
    assert_null(strstr(error.hint, "usermod"));
}

static void other_refusals_have_their_own_remedy(void **state)
{
    (void)state;
    static const struct {
        int number;
        tlm_result result;
        const char *hint;
    } rows[] = {
        {EPERM, TLM_ERR_PERMISSION, "--device /dev/null, not with -v"},
        {EBUSY, TLM_ERR_BUSY, "fuser -v /dev/null"},
        {ENXIO, TLM_ERR_TPM_UNAVAILABLE, "modprobe"},
        {ENODEV, TLM_ERR_TPM_UNAVAILABLE, "modprobe"},
        {EIO, TLM_ERR_TPM_UNAVAILABLE, "dmesg"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_error error;
        open_errno = rows[i].number;
        assert_int_equal(check("device:/dev/null", &error), rows[i].result);
        assert_int_equal(error.result, rows[i].result);
        assert_int_equal(error.native, rows[i].number);
        assert_non_null(strstr(error.hint, rows[i].hint));
    }
}

static void a_simulators_socket_must_be_there(void **state)
{
    char path[TEST_PATH_MAX];
    char conf[TEST_PATH_MAX + 64];
    tlm_error error;
    in_directory(state, "sock", path);
    (void)snprintf(conf, sizeof conf, "swtpm:path=%s", path);
    assert_int_equal(check(conf, &error), TLM_ERR_TPM_UNAVAILABLE);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, "swtpm socket"));
    put_file(path, "");
    assert_int_equal(check(conf, &error), TLM_ERR_TPM_UNAVAILABLE);
    assert_non_null(strstr(error.message, "not a socket"));
    assert_int_equal(unlink(path), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_in_range(strlen(path), 1, sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server >= 0);
    assert_int_equal(bind(server, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(check(conf, &error), TLM_OK);
    (void)close(server);
    assert_int_equal(check("swtpm:host=127.0.0.1,port=1", &error), TLM_OK);
    memset(conf, 'x', 200);
    memcpy(conf, "swtpm:path=", 11);
    conf[11 + 107] = '\0';
    assert_int_equal(check(conf, &error), TLM_ERR_TPM_UNAVAILABLE);
    conf[11 + 107] = 'x';
    conf[11 + 108] = '\0';
    assert_int_equal(check(conf, &error), TLM_ERR_SETTING);
    assert_int_equal(check("swtpm:path=,x", &error), TLM_ERR_SETTING);
}

static void the_broker_needs_its_bus(void **state)
{
    (void)state;
    tlm_error error;
    assert_int_equal(check("tabrmd:bus_type=session", &error), TLM_OK);
    assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/elsewhere", 1), 0);
    assert_int_equal(check("tabrmd", &error), TLM_OK);
    assert_int_equal(unsetenv("DBUS_SYSTEM_BUS_ADDRESS"), 0);
    bool bus = access("/run/dbus/system_bus_socket", F_OK) == 0;
    assert_int_equal(check("tabrmd", &error), bus ? TLM_OK : TLM_ERR_TPM_UNAVAILABLE);
    if (!bus) {
        assert_non_null(strstr(error.hint, "tpm2-abrmd"));
    }
}

static void unknown_ones_are_left_to_the_loader(void **state)
{
    (void)state;
    tlm_error error;
    assert_int_equal(check("cmd:tpm2_send", &error), TLM_OK);
    assert_int_equal(check("", &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_tcti_check(NULL, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_tcti_candidates(NULL, NULL, NULL), TLM_ERR_ARGUMENT);
}

static void the_first_that_passes_is_chosen(void **state)
{
    tlm_settings settings;
    tlm_tcti_list list;
    assert_int_equal(candidates_of(state,
                                   "--tpm-priority /dev/tpm0,/dev/tpmrm99,/dev/null,cmd:later",
                                   NULL, &settings, &list),
                     TLM_OK);
    const tlm_tcti *chosen = tlm_tcti_choose(&list);
    assert_ptr_equal(chosen, &list.items[2]);
    assert_int_equal(list.items[0].passed.result, TLM_ERR_UNSUPPORTED);
    assert_int_equal(list.items[1].passed.result, TLM_ERR_TPM_UNAVAILABLE);
    assert_int_equal(list.items[2].passed.result, TLM_OK);
    assert_int_equal(list.items[3].passed.result, TLM_OK);
    /* None passes: the first one may still come. */
    open_errno = EBUSY;
    list.count = 3;
    assert_ptr_equal(tlm_tcti_choose(&list), &list.items[0]);
    assert_int_equal(list.items[2].passed.result, TLM_ERR_BUSY);
    list.count = 4;
    tlm_tcti_list_clear(&list);
    assert_null(tlm_tcti_choose(&list));
    assert_null(tlm_tcti_choose(NULL));
    tlm_settings_clear(&settings);
}

#define TCTI_TEST(test) cmocka_unit_test_setup_teardown(test, tcti_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TCTI_TEST(unnamed_the_default_order_counts),
        TCTI_TEST(the_priority_may_name_another_order),
        TCTI_TEST(the_command_line_beats_the_environment_beats_the_file),
        TCTI_TEST(a_port_alone_means_this_host),
        TCTI_TEST(shorthands_are_written_out),
        TCTI_TEST(simulators_are_told_from_hardware),
        TCTI_TEST(the_exclusive_device_is_refused),
        TCTI_TEST(a_missing_device_tells_of_modules_and_containers),
        TCTI_TEST(what_was_passed_as_a_volume_is_told),
        TCTI_TEST(a_device_that_opens_passes),
        TCTI_TEST(a_refusal_tells_numbers_and_the_command),
        TCTI_TEST(other_refusals_have_their_own_remedy),
        TCTI_TEST(a_simulators_socket_must_be_there),
        TCTI_TEST(the_broker_needs_its_bus),
        TCTI_TEST(unknown_ones_are_left_to_the_loader),
        TCTI_TEST(the_first_that_passes_is_chosen),
    };
    return cmocka_run_group_tests_name("tcti", tests, NULL, NULL);
}
