/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <sys/stat.h>

#include <tlm/file.h>
#include <tlm/settings.h>

#define ARGUMENTS_MAX 16

/* One load and what came of it. */
typedef struct load {
    char *argv[ARGUMENTS_MAX];
    tlm_settings settings;
    tlm_settings_outcome outcome;
    tlm_error error;
    tlm_result result;
} load;

static char program_name[] = "program";

/* Names of the environment that count are unset before each test, the default file away. */
static int settings_setup(void **state)
{
    static const char *const names[] = {
#define ENVIRONMENT_OF(member, type, key, environment, ...) environment,
        TLM_SETTINGS(ENVIRONMENT_OF)
#undef ENVIRONMENT_OF
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char copy[256];
        (void)snprintf(copy, sizeof copy, "%s", names[i]);
        char *rest = NULL;
        for (char *name = strtok_r(copy, " ", &rest); name != NULL;
             name = strtok_r(NULL, " ", &rest)) {
            (void)unsetenv(name);
        }
    }
    int result = directory_setup(state);
    return result != 0 ? result : setenv("TLM_CONFIG_DIR", *state, 1);
}

/* Words are separated by blanks; the copy lives as long as the load. */
static tlm_result run(load *self, tlm_program program, const char *words)
{
    static char copy[1024];
    *self = (load){.argv = {program_name}};
    (void)snprintf(copy, sizeof copy, "%s", words);
    int count = 1;
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_in_range(count, 1, ARGUMENTS_MAX - 2);
        self->argv[count++] = word;
    }
    self->result = tlm_settings_load(program, count, self->argv, &self->settings, &self->outcome,
                                     &self->error);
    return self->result;
}

static tlm_result run_daemon(load *self, const char *words)
{
    return run(self, TLM_PROGRAM_DAEMON, words);
}

static void refuse(const char *words, const char *message, const char *hint)
{
    load self;
    assert_int_equal(run_daemon(&self, words), TLM_ERR_SETTING);
    if (strstr(self.error.message, message) == NULL || strstr(self.error.hint, hint) == NULL) {
        print_error("%s\n%s\n", self.error.message, self.error.hint);
        fail_msg("%s should be refused with \"%s\" and \"%s\"", words, message, hint);
    }
    tlm_settings_clear(&self.settings);
}

/* A file of its own in the test's directory, as the default one. */
static void put_config(void **state, const char *text)
{
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, "TLLicenseManager.json", path), text);
}

static void refuse_file(void **state, const char *text, const char *message, const char *hint)
{
    put_config(state, text);
    refuse("", message, hint);
}

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    load self;
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_int_equal(self.outcome.action, TLM_ACTION_RUN);
    assert_int_equal(self.settings.rest_port, 52014);
    assert_string_equal(self.settings.rest_host, "auto");
    assert_int_equal(self.settings.log_level, TLM_LOG_INFO);
    assert_int_equal(self.settings.log_format, TLM_LOG_TEXT);
    assert_true(self.settings.tpm_enabled);
    assert_string_equal(self.settings.tcti, "");
    assert_string_equal(self.settings.config, "");
    assert_string_equal(self.settings.tpm_priority, "device:/dev/tpmrm0,tabrmd");
    assert_int_equal(self.settings.origin[TLM_SETTING_rest_port], TLM_ORIGIN_DEFAULT);
    assert_string_equal(self.settings.origin_name[TLM_SETTING_rest_port], "default");
    tlm_settings_clear(&self.settings);
    tlm_settings_clear(&self.settings);
    tlm_settings_clear(NULL);
}

static void command_line_goes_over_environment_over_file(void **state)
{
    load self;
    put_config(state, "{\"TrustedLicensing\":{\"REST\":{\"ServerPort\":1001}}}");
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_int_equal(self.settings.rest_port, 1001);
    assert_int_equal(self.settings.origin[TLM_SETTING_rest_port], TLM_ORIGIN_FILE);
    assert_string_equal(self.settings.origin_name[TLM_SETTING_rest_port], "REST.ServerPort");
    assert_non_null(strstr(self.settings.config, "/TLLicenseManager.json"));
    tlm_settings_clear(&self.settings);

    assert_int_equal(setenv("TLM_REST_PORT", "1002", 1), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_int_equal(self.settings.rest_port, 1002);
    assert_int_equal(self.settings.origin[TLM_SETTING_rest_port], TLM_ORIGIN_ENVIRONMENT);
    assert_string_equal(self.settings.origin_name[TLM_SETTING_rest_port], "TLM_REST_PORT");
    tlm_settings_clear(&self.settings);

    assert_int_equal(run_daemon(&self, "--rest-port 1003"), TLM_OK);
    assert_int_equal(self.settings.rest_port, 1003);
    assert_int_equal(self.settings.origin[TLM_SETTING_rest_port], TLM_ORIGIN_COMMAND_LINE);
    assert_string_equal(self.settings.origin_name[TLM_SETTING_rest_port], "--rest-port");
    tlm_settings_clear(&self.settings);

    assert_int_equal(setenv("TLM_REST_PORT", "", 1), 0); /* empty counts as unset */
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_int_equal(self.settings.rest_port, 1001);
    tlm_settings_clear(&self.settings);
}

static void of_several_names_the_first_counts(void **state)
{
    (void)state;
    load self;
    assert_int_equal(setenv("TSS2_TCTI", "second", 1), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_string_equal(self.settings.tcti, "second");
    assert_string_equal(self.settings.origin_name[TLM_SETTING_tcti], "TSS2_TCTI");
    tlm_settings_clear(&self.settings);
    assert_int_equal(setenv("TLM_TCTI", "first", 1), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_string_equal(self.settings.tcti, "first");
    tlm_settings_clear(&self.settings);
}

static void flags_take_their_value_either_way(void **state)
{
    (void)state;
    load self;
    assert_int_equal(
        run_daemon(&self, "--tcti=swtpm:host=h,port=1 --log-level WARN --no-tpm --log-format=JSON "
                          "--rest-port 0 --rest-port 65535"),
        TLM_OK);
    assert_string_equal(self.settings.tcti, "swtpm:host=h,port=1");
    assert_int_equal(self.settings.log_level, TLM_LOG_WARNING);
    assert_int_equal(self.settings.log_format, TLM_LOG_JSON);
    assert_int_equal(self.settings.rest_port, 65535); /* the last one counts */
    assert_false(self.settings.tpm_enabled);
    assert_null(self.argv[self.outcome.first_argument]);
    tlm_settings_clear(&self.settings);
}

static void wrong_command_lines_are_refused_by_name(void **state)
{
    (void)state;
    refuse("--rest-prot 1", "\"--rest-prot\"", "--rest-port");
    refuse("--rest-prot=1", "\"--rest-prot\"", "--rest-port");
    refuse("--no-tmp", "\"--no-tmp\"", "--no-tpm");
    refuse("--hepl", "\"--hepl\"", "--help");
    refuse("-x", "\"-x\"", "--help");
    refuse("--zzzzzzzzzzzz", "\"--zzzzzzzzzzzz\"", "--help lists");
    refuse("start", "unexpected argument \"start\"", "--help");
    refuse("-", "unexpected argument \"-\"", "--help");
    refuse("--", "\"--\"", "--help");
    refuse("--rest-port", "--rest-port needs a value", "PORT");
    refuse("--rest-port=", "--rest-port needs a value", "PORT");
    refuse("--config --no-tpm", "--config needs a value", "FILE");
    refuse("--no-tpm=1", "--no-tpm takes no value", "=");
    refuse("--rest-port 65536", "\"65536\" is not a number from 0 to 65535", "Port");
    refuse("--tpm-port 0", "a number from 1 to 65534", "swtpm");
    refuse("--rest-port 99999999999999999999", "a number from", "Port");
    refuse("--rest-port 80x", "\"80x\"", "Port");
    refuse("--rest-port +80", "\"+80\"", "Port");
    refuse("--rest-port -1", "\"-1\"", "Port");
    refuse("--rest-port 0x50", "\"0x50\"", "Port");
    refuse("--log-level wran", "\"wran\"", "warn");
    refuse("--log-level loud", "\"loud\"", "info");
    refuse("--log-format xml", "\"xml\"", "json");
    refuse("--tpm-priority ,a", "list without empty entries", "tried");
    refuse("--tpm-priority a,,b", "list without empty entries", "tried");
    refuse("--tpm-priority a,", "list without empty entries", "tried");
    refuse("--token-label 123456789012345678901234567890123", "at most 32 bytes", "Label");
}

static void bounds_of_texts_and_numbers_are_inside(void **state)
{
    (void)state;
    load self;
    assert_int_equal(run_daemon(&self, "--token-label 12345678901234567890123456789012 "
                                       "--tpm-port 65534 --rest-connections 8"),
                     TLM_OK);
    tlm_settings_clear(&self.settings);
    char *argv[] = {program_name, NULL, NULL};
    char text[4200] = "--rest-host=";
    size_t length = strlen(text);
    memset(text + length, 'h', 4096);
    argv[1] = text;
    assert_int_equal(
        tlm_settings_load(TLM_PROGRAM_DAEMON, 2, argv, &self.settings, &self.outcome, &self.error),
        TLM_OK);
    tlm_settings_clear(&self.settings);
    text[length + 4096] = 'h';
    assert_int_equal(
        tlm_settings_load(TLM_PROGRAM_DAEMON, 2, argv, &self.settings, &self.outcome, &self.error),
        TLM_ERR_SETTING);
    tlm_settings_clear(&self.settings);
    (void)snprintf(text, sizeof text, "--rest-host=a\nb");
    assert_int_equal(
        tlm_settings_load(TLM_PROGRAM_DAEMON, 2, argv, &self.settings, &self.outcome, &self.error),
        TLM_ERR_SETTING);
    assert_non_null(strstr(self.error.message, "\"a\\nb\" is not a text without control"));
    tlm_settings_clear(&self.settings);
}

static void the_environment_is_held_to_the_same_rules(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool enabled;
    } rows[] = {{"true", true}, {"FALSE", false}, {"1", true},  {"0", false},
                {"Yes", true},  {"no", false},    {"on", true}, {"off", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load self;
        assert_int_equal(setenv("TPM_ENABLED", rows[i].word, 1), 0);
        assert_int_equal(run_daemon(&self, ""), TLM_OK);
        assert_int_equal(self.settings.tpm_enabled, rows[i].enabled);
        tlm_settings_clear(&self.settings);
    }
    assert_int_equal(setenv("TPM_ENABLED", "maybe", 1), 0);
    refuse("", "environment: TPM_ENABLED: \"maybe\"", "true or false");
    assert_int_equal(unsetenv("TPM_ENABLED"), 0);
    assert_int_equal(setenv("TLM_LOG_LEVEL", "INFOO", 1), 0);
    refuse("", "environment: TLM_LOG_LEVEL: \"INFOO\"", "info");
}

static void other_programs_names_in_the_environment_are_left_alone(void **state)
{
    (void)state;
    load self;
    assert_int_equal(setenv("TLM_REST_PORT", "nonsense", 1), 0);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, ""), TLM_OK);
    tlm_settings_clear(&self.settings);
    assert_int_equal(setenv("TLM_SOMETHING_ELSE", "x", 1), 0);
    assert_int_equal(unsetenv("TLM_REST_PORT"), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    tlm_settings_clear(&self.settings);
    (void)unsetenv("TLM_SOMETHING_ELSE");
}

/* The warning goes to the log, whose file tells it here. */
static void an_unknown_name_in_the_environment_is_a_warning(void **state)
{
    char path[TEST_PATH_MAX];
    char text[1024];
    load self;
    tlm_log_config config = {.level = TLM_LOG_INFO, .file = in_directory(state, "log", path)};
    assert_int_equal(tlm_log_open(&config, NULL), TLM_OK);
    assert_int_equal(setenv("TLM_REST_PROT", "secret", 1), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    (void)unsetenv("TLM_REST_PROT");
    tlm_log_close();
    tlm_settings_clear(&self.settings);
    get_file(path, text, sizeof text);
    assert_non_null(
        strstr(text, "unknown_environment name=\"TLM_REST_PROT\" nearest=TLM_REST_PORT\n"));
    assert_null(strstr(text, "secret"));
}

static void the_file_gives_every_type(void **state)
{
    load self;
    put_config(state, "{\"TrustedLicensing\":{\"LicenseManager\":{\"LogLevel\":\"WARNING\","
                      "\"LogFormat\":\"json\"},\"REST\":{\"ServerAddress\":\"::1\"},"
                      "\"TPM\":{\"Enabled\":false,\"DevicePriority\":[\"/dev/tpm0\","
                      "\"swtpm:host=h,port=2\"]},\"Persistence\":{\"Directory\":\"/p\"}}}");
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_int_equal(self.settings.log_level, TLM_LOG_WARNING);
    assert_int_equal(self.settings.log_format, TLM_LOG_JSON);
    assert_string_equal(self.settings.rest_host, "::1");
    assert_false(self.settings.tpm_enabled);
    assert_string_equal(self.settings.tpm_priority, "/dev/tpm0,swtpm:host=h,port=2");
    assert_string_equal(self.settings.persistence_dir, "/p");
    tlm_settings_clear(&self.settings);
    /* Keys that only the daemon knows do not trouble the other program. */
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, ""), TLM_OK);
    tlm_settings_clear(&self.settings);
    put_config(state, "{}");
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    tlm_settings_clear(&self.settings);
}

#define IN_TPM(text) "{\"TrustedLicensing\":{\"TPM\":{" text "}}}"

static void wrong_files_are_refused_with_the_place(void **state)
{
    refuse_file(state, "{\n  \"TrustedLicensing\": {,\n", "line 2, column ", "jq .");
    refuse_file(state, "", "line 1, column 0", "jq .");
    refuse_file(state, "{} {}", "line 1, column ", "jq .");
    refuse_file(state, IN_TPM("\"Tcti\":\"a\\u0000b\""), "line 1", "jq .");
    refuse_file(state, IN_TPM("\"Tcti\":\"\xff\""), "line 1", "jq .");
    refuse_file(state, IN_TPM("\"Enabled\":true,\"Enabled\":false"), "duplicate object key",
                "jq .");
    refuse_file(state, IN_TPM("\"\x1b\":true,\"Enabled\""), "line 1", "jq .");
    refuse_file(state, IN_TPM("\"Enabled\":\"true\""), "TrustedLicensing.TPM.Enabled in ",
                "without quotes");
    refuse_file(state, IN_TPM("\"Port\":\"2321\""), "TrustedLicensing.TPM.Port in ",
                "without quotes");
    refuse_file(state, IN_TPM("\"Port\":2321.0"), "a number with a fraction", "without quotes");
    refuse_file(state, IN_TPM("\"Port\":-1"), "TrustedLicensing.TPM.Port in ", "swtpm");
    refuse_file(state, IN_TPM("\"Port\":9223372036854775807"), "from 1 to 65534", "swtpm");
    refuse_file(state, IN_TPM("\"Tcti\":null"), "is null, not a string", "quotes");
    refuse_file(state, IN_TPM("\"Tcti\":\"a\\nb\""), "control characters", "TPM");
    refuse_file(state, IN_TPM("\"DevicePriority\":\"a,b\""), "not an array of strings", "[");
    refuse_file(state, IN_TPM("\"DevicePriority\":[]"), "empty entries", "tried");
    refuse_file(state, IN_TPM("\"DevicePriority\":[\"a\",7]"), "entry 2 is an integer", "[");
    refuse_file(state, IN_TPM("\"DevicePriority\":[\"\"]"), "entry 1 is empty", "[");
    refuse_file(state, IN_TPM("\"enabled\":true"), "unknown key \"enabled\"", "\"Enabled\"");
    refuse_file(state, IN_TPM("\"Zebra\":true"), "in TrustedLicensing.TPM in ", "Enabled, Tcti");
    refuse_file(state, "{\"TrustedLicensing\":{\"Tpm\":{}}}", "unknown key \"Tpm\"", "\"TPM\"");
    refuse_file(state, "{\"TrustedLicensing\":{\"\":{}}}", "unknown key \"\"", "TPM");
    refuse_file(state, "{\"TrustedLicensing\":{\"TPM\":7}}", "TPM in ", "ServerPort");
    refuse_file(state, "{\"TrustedLicensing\":[]}", "is an array, not an object", "ServerPort");
    refuse_file(state, "{\"TrustedLicencing\":{}}", "\"TrustedLicencing\"", "\"TrustedLicensing\"");
    refuse_file(state, "[]", "is an array, not an object", "ServerPort");
    refuse_file(state, "7", "is an integer, not an object", "ServerPort");
    refuse_file(state, "{\"TrustedLicensing\":{\"LicenseManager\":{\"LogLevel\":\"loud\"}}}",
                "TrustedLicensing.LicenseManager.LogLevel in ", "info");
    /* Rows without a key cannot be set from a file, not even by their member's name. */
    refuse_file(state, "{\"TrustedLicensing\":{\"config\":\"x\"}}", "\"config\"", "known there");
}

static void a_named_file_must_be_there(void **state)
{
    char path[TEST_PATH_MAX];
    char words[TEST_PATH_MAX + 32];
    load self;
    in_directory(state, "other.json", path);
    (void)snprintf(words, sizeof words, "--config %s", path);
    assert_int_equal(run_daemon(&self, words), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(self.error.message, path));
    assert_non_null(strstr(self.error.hint, "--config"));
    tlm_settings_clear(&self.settings);
    put_file(path, IN_TPM("\"Port\":7"));
    put_config(state, IN_TPM("\"Port\":8"));
    assert_int_equal(run_daemon(&self, words), TLM_OK);
    assert_int_equal(self.settings.tpm_port, 7);
    assert_string_equal(self.settings.config, path);
    tlm_settings_clear(&self.settings);
    assert_int_equal(setenv("TLM_CONFIG", path, 1), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_int_equal(self.settings.tpm_port, 7);
    tlm_settings_clear(&self.settings);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(run_daemon(&self, ""), TLM_ERR_NOT_FOUND);
    tlm_settings_clear(&self.settings);
    assert_int_equal(run_daemon(&self, "--config=/"), TLM_ERR_FORMAT);
    tlm_settings_clear(&self.settings);
}

static void the_directory_of_the_file_is_a_setting(void **state)
{
    char path[TEST_PATH_MAX];
    char words[TEST_PATH_MAX + 32];
    load self;
    in_directory(state, "other", path);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(words, sizeof words, "--config-dir=%s", path);
    put_file(in_directory(state, "other/TLLicenseManager.json", path), IN_TPM("\"Port\":9"));
    put_config(state, IN_TPM("\"Port\":8"));
    assert_int_equal(run_daemon(&self, words), TLM_OK);
    assert_int_equal(self.settings.tpm_port, 9);
    tlm_settings_clear(&self.settings);
    assert_int_equal(run_daemon(&self, ""), TLM_OK); /* TLM_CONFIG_DIR of the setup */
    assert_int_equal(self.settings.tpm_port, 8);
    tlm_settings_clear(&self.settings);
}

static void a_file_of_more_than_256_kib_is_not_read(void **state)
{
    const size_t most = (size_t)256 * 1024;
    char path[TEST_PATH_MAX];
    load self;
    char *text = malloc(most + 2);
    assert_non_null(text);
    memset(text, ' ', most + 1);
    memcpy(text, "{}", 2);
    text[most + 1] = '\0';
    in_directory(state, "TLLicenseManager.json", path);
    put_file(path, text);
    assert_int_equal(run_daemon(&self, ""), TLM_ERR_TOO_LARGE);
    tlm_settings_clear(&self.settings);
    text[most] = '\0';
    put_file(path, text);
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    tlm_settings_clear(&self.settings);
    free(text);
}

static void help_comes_even_where_settings_are_broken(void **state)
{
    static const struct {
        const char *words;
        tlm_settings_action action;
    } rows[] = {{"--help", TLM_ACTION_HELP},
                {"-h --bogus", TLM_ACTION_HELP},
                {"--rest-port 1 -V", TLM_ACTION_VERSION},
                {"--version", TLM_ACTION_VERSION}};
    put_config(state, "broken");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load self;
        assert_int_equal(run_daemon(&self, rows[i].words), TLM_OK);
        assert_int_equal(self.outcome.action, rows[i].action);
        tlm_settings_clear(&self.settings);
    }
    refuse("--check-config", "line 1", "jq");
    put_config(state, "{}");
    load self;
    assert_int_equal(run_daemon(&self, "--check-config --rest-port 5"), TLM_OK);
    assert_int_equal(self.outcome.action, TLM_ACTION_CHECK_CONFIG);
    assert_int_equal(self.settings.rest_port, 5);
    tlm_settings_clear(&self.settings);
}

static void a_subcommand_keeps_its_own_words(void **state)
{
    (void)state;
    load self;
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN,
                         "provision --backend tpm --tcti=swtpm:path=/s -x --log-level debug "
                         "--rest-port last -- --tcti"),
                     TLM_OK);
    static const char *const kept[] = {"provision",   "--backend", "tpm", "-x",
                                       "--rest-port", "last",      "--",  "--tcti"};
    assert_string_equal(self.settings.tcti, "swtpm:path=/s");
    assert_int_equal(self.settings.log_level, TLM_LOG_DEBUG);
    assert_int_equal(self.outcome.first_argument, 1);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        assert_string_equal(self.argv[1 + i], kept[i]);
    }
    assert_null(self.argv[1 + sizeof kept / sizeof kept[0]]);
    tlm_settings_clear(&self.settings);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, "destroy --help --label x"), TLM_OK);
    assert_int_equal(self.outcome.action, TLM_ACTION_HELP);
    assert_string_equal(self.argv[1], "destroy");
    assert_string_equal(self.argv[3], "x");
    assert_null(self.argv[4]);
    tlm_settings_clear(&self.settings);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, ""), TLM_OK);
    assert_null(self.argv[self.outcome.first_argument]);
    tlm_settings_clear(&self.settings);
}

static void no_arguments_at_all_are_accepted(void **state)
{
    (void)state;
    load self = {0};
    assert_int_equal(tlm_settings_load(TLM_PROGRAM_DAEMON, 0, self.argv, &self.settings,
                                       &self.outcome, &self.error),
                     TLM_OK);
    assert_null(self.argv[self.outcome.first_argument]);
    tlm_settings_clear(&self.settings);
    assert_int_equal(
        tlm_settings_load(TLM_PROGRAM_DAEMON, 0, NULL, &self.settings, &self.outcome, &self.error),
        TLM_ERR_ARGUMENT);
}

/* What `print` writes, as text; the caller frees it. */
static char *printed(void (*print)(FILE *stream))
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    print(stream);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void print_help(FILE *stream)
{
    tlm_settings_print_help(TLM_PROGRAM_DAEMON, stream);
}

static void print_token_help(FILE *stream)
{
    tlm_settings_print_help(TLM_PROGRAM_TOKEN, stream);
}

static void print_options(FILE *stream)
{
    tlm_settings_print_mdoc_options(TLM_PROGRAM_DAEMON, stream);
}

static void help_has_every_flag_in_80_columns(void **state)
{
    (void)state;
    char *text = printed(print_help);
    for (char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_in_range(strcspn(line, "\n"), 0, 80);
        assert_int_not_equal(line[0] == ' ' && strcspn(line, "\n") == strspn(line, " "), 1);
    }
#define SHOWN(member, type, key, environment, flag, argument, initial, low, high, programs, help)  \
    assert_int_equal(strstr(text, "  --" flag " ") != NULL ||                                      \
                         strstr(text, "  --" flag "\n") != NULL,                                   \
                     ((programs)&TLM_PROGRAM_DAEMON) != 0);
    TLM_SETTINGS(SHOWN)
#undef SHOWN
    assert_non_null(strstr(text, "-h, --help"));
    assert_non_null(strstr(text, "[52014]"));
    free(text);
    text = printed(print_token_help);
    assert_null(strstr(text, "--rest-port"));
    assert_non_null(strstr(text, "--tcti"));
    free(text);
}

static void manuals_have_every_row(void **state)
{
    (void)state;
    static const char *const names[] = {
#define KEY(member, type, key, ...) key,
        TLM_SETTINGS(KEY)
#undef KEY
    };
    char *options = printed(print_options);
    char *keys = printed(tlm_settings_print_mdoc_keys);
    char item[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(item, sizeof item, ".It Va %s Pq ", names[i]);
        assert_int_equal(strstr(keys, item) != NULL, names[i][0] != '\0');
    }
    assert_non_null(strstr(options, ".It Fl \\-rest\\-port Ar PORT\n"));
    assert_non_null(strstr(options, ".It Fl \\-no\\-tpm\n"));
    assert_non_null(strstr(options, ".Ev TLM_TCTI ,\n.Ev TSS2_TCTI .\n"));
    assert_non_null(strstr(keys, ".It Va REST.ServerPort Pq integer, 0 to 65535\n"));
    assert_non_null(strstr(keys, "Where it is false:\n"));
    free(options);
    free(keys);
}

static void printing_shows_values_with_their_origin(void **state)
{
    (void)state;
    load self;
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(setenv("TPM_ENABLED", "no", 1), 0);
    assert_int_equal(run_daemon(&self, "--rest-port 7 --tcti=a\"b --log-level=error"), TLM_OK);
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    tlm_settings_print(TLM_PROGRAM_DAEMON, &self.settings, stream);
    assert_int_equal(fclose(stream), 0);
    tlm_settings_clear(&self.settings);
    assert_non_null(strstr(text, "\nREST.ServerPort = 7 (--rest-port)\n"));
    assert_non_null(strstr(text, "\nTPM.Enabled = false (TPM_ENABLED)\n"));
    assert_non_null(strstr(text, "\nTPM.Tcti = \"a\\\"b\" (--tcti)\n"));
    assert_non_null(strstr(text, "\nLicenseManager.LogLevel = error (--log-level)\n"));
    assert_non_null(strstr(text, "\nLicenseManager.LogFormat = text (default)\n"));
    assert_ptr_equal(strstr(text, "config = \"\" (default)\n"), text);
    free(text);
}

static void the_nearest_word_is_near(void **state)
{
    (void)state;
    static const char *const words[] = {"Enabled", "Tcti", "Device", "Host", "Port", ""};
    static const char *const rows[][2] = {
        {"enabled", "Enabled"},
        {"Enabeld", "Enabled"},
        {"Enable", "Enabled"},
        {"Prot", "Port"},
        {"Hots", "Host"},
        {"Devices", "Device"},
        {"Banana", NULL},
        {"", NULL},
        {"x", NULL},
        {"Pxrx", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *nearest = tlm_settings_nearest(rows[i][0], words, 6);
        if (rows[i][1] == NULL) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, rows[i][1]);
        }
    }
    char text[66];
    memset(text, 'a', sizeof text - 1);
    text[65] = '\0';
    const char *const longest[] = {text, text + 1};
    assert_null(tlm_settings_nearest(text, longest, 2));
    assert_ptr_equal(tlm_settings_nearest(text + 1, longest, 2), text + 1);
    assert_null(tlm_settings_nearest("word", NULL, 0));
}

static void sections_stand_in_sections(void **state)
{
    load self;
    put_config(state,
               "{\"TrustedLicensing\":{\"REST\":{\"ServerPort\":7,\"Tls\":{\"Key\":\"k.pem\"}}}}");
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_string_equal(self.settings.rest_tls_key, "k.pem");
    assert_int_equal(self.settings.rest_port, 7);
    assert_string_equal(self.settings.origin_name[TLM_SETTING_rest_tls_key], "REST.Tls.Key");
    tlm_settings_clear(&self.settings);
    refuse_file(state, "{\"TrustedLicensing\":{\"REST\":{\"Tls\":{\"Kye\":\"k.pem\"}}}}",
                "unknown key \"Kye\" in TrustedLicensing.REST.Tls", "did you mean \"Key\"?");
    refuse_file(state, "{\"TrustedLicensing\":{\"REST\":{\"Tls\":\"k.pem\"}}}",
                "TrustedLicensing.REST.Tls in", "the form is");
    refuse_file(state, "{\"TrustedLicensing\":{\"REST\":{\"Tls.Key\":\"k.pem\"}}}",
                "unknown key \"Tls.Key\" in TrustedLicensing.REST", "");
}

static void a_policy_is_one_of_four_words(void **state)
{
    (void)state;
    load self;
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, ""), TLM_OK);
    assert_string_equal(self.settings.vault_policy, "none");
    tlm_settings_clear(&self.settings);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, "--vault-policy secureboot"), TLM_OK);
    assert_string_equal(self.settings.vault_policy, "SecureBoot");
    tlm_settings_clear(&self.settings);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEN, "--vault-policy SecurBoot"), TLM_ERR_SETTING);
    assert_non_null(strstr(self.error.hint, "did you mean SecureBoot?"));
    tlm_settings_clear(&self.settings);
}

static void a_word_is_one_of_its_rows(void **state)
{
    (void)state;
    static const char *const wrong[] = {"opens", "open|token", "|", "none", "SecureBoot"};
    load self;
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_string_equal(self.settings.rest_access, "open");
    assert_string_equal(self.settings.rollback_policy, "strict");
    tlm_settings_clear(&self.settings);
    assert_int_equal(run_daemon(&self, "--rest-access CERTIFICATE --rollback-policy=Stop"), TLM_OK);
    assert_string_equal(self.settings.rest_access, "certificate");
    assert_string_equal(self.settings.rollback_policy, "stop");
    tlm_settings_clear(&self.settings);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char words[64];
        (void)snprintf(words, sizeof words, "--rest-access=%s", wrong[i]);
        assert_int_equal(run_daemon(&self, words), TLM_ERR_SETTING);
        assert_non_null(strstr(self.error.message, "is not one of open|token|certificate"));
        tlm_settings_clear(&self.settings);
    }
    assert_int_equal(run_daemon(&self, "--rollback-policy strcit"), TLM_ERR_SETTING);
    assert_string_equal(self.error.hint, "did you mean strict?");
    tlm_settings_clear(&self.settings);
}

static void licensing_has_its_section(void **state)
{
    load self;
    put_config(state, "{\"TrustedLicensing\":{\"Licensing\":{\"RollbackPolicy\":\"warn\","
                      "\"ClockTolerance\":0,\"CheckpointInterval\":1,\"LeaseTtl\":60,"
                      "\"MaxLeaseTtl\":31536000,\"MaxBorrow\":3650,\"AuditLeases\":true},"
                      "\"REST\":{\"Access\":\"token\",\"RateLimit\":0,"
                      "\"AdminSocket\":\"/run/a.sock\"}}}");
    assert_int_equal(run_daemon(&self, ""), TLM_OK);
    assert_string_equal(self.settings.rollback_policy, "warn");
    assert_int_equal(self.settings.clock_tolerance, 0);
    assert_int_equal(self.settings.checkpoint_interval, 1);
    assert_int_equal(self.settings.lease_ttl, 60);
    assert_int_equal(self.settings.lease_ttl_max, 31536000);
    assert_int_equal(self.settings.max_borrow, 3650);
    assert_true(self.settings.audit_leases);
    assert_string_equal(self.settings.rest_access, "token");
    assert_int_equal(self.settings.rest_rate, 0);
    assert_string_equal(self.settings.admin_socket, "/run/a.sock");
    tlm_settings_clear(&self.settings);
    refuse_file(state, "{\"TrustedLicensing\":{\"Licensing\":{\"MaxBorrow\":3651}}}",
                "Licensing.MaxBorrow", "");
    refuse_file(state, "{\"TrustedLicensing\":{\"Licensing\":{\"LeaseTtl\":0}}}",
                "Licensing.LeaseTtl", "");
    refuse_file(state, "{\"TrustedLicensing\":{\"REST\":{\"Access\":true}}}", "REST.Access", "");
}

static void tokend_has_flags_of_its_own_and_takes_no_words(void **state)
{
    (void)state;
    load self;
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEND, "--pkcs11-socket /s --max-clients 9"), TLM_OK);
    assert_string_equal(self.settings.pkcs11_socket, "/s");
    assert_int_equal(self.settings.max_clients, 9);
    assert_int_equal(self.settings.max_sessions, 32);
    assert_int_equal(self.settings.call_timeout, 120);
    assert_int_equal(self.settings.restart_after, 60000);
    tlm_settings_clear(&self.settings);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEND, "word"), TLM_ERR_SETTING);
    assert_non_null(strstr(self.error.message, "unexpected argument \"word\""));
    tlm_settings_clear(&self.settings);
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEND, "--rest-port 1"), TLM_ERR_SETTING);
    tlm_settings_clear(&self.settings);
    put_config(state, "{\"TrustedLicensing\":{\"Pkcs11\":{\"Socket\":\"\"}}}");
    assert_int_equal(run(&self, TLM_PROGRAM_TOKEND, ""), TLM_ERR_SETTING);
    assert_non_null(strstr(self.error.message, "is not a text with something in it"));
    tlm_settings_clear(&self.settings);
    refuse("--max-clients 9", "unknown flag \"--max-clients\"", "--help lists the flags");
}

#define SETTINGS_TEST(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, settings_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(defaults_are_those_of_the_table),
        SETTINGS_TEST(command_line_goes_over_environment_over_file),
        SETTINGS_TEST(of_several_names_the_first_counts),
        SETTINGS_TEST(flags_take_their_value_either_way),
        SETTINGS_TEST(wrong_command_lines_are_refused_by_name),
        SETTINGS_TEST(bounds_of_texts_and_numbers_are_inside),
        SETTINGS_TEST(the_environment_is_held_to_the_same_rules),
        SETTINGS_TEST(other_programs_names_in_the_environment_are_left_alone),
        SETTINGS_TEST(an_unknown_name_in_the_environment_is_a_warning),
        SETTINGS_TEST(the_file_gives_every_type),
        SETTINGS_TEST(wrong_files_are_refused_with_the_place),
        SETTINGS_TEST(a_named_file_must_be_there),
        SETTINGS_TEST(the_directory_of_the_file_is_a_setting),
        SETTINGS_TEST(a_file_of_more_than_256_kib_is_not_read),
        SETTINGS_TEST(help_comes_even_where_settings_are_broken),
        SETTINGS_TEST(a_subcommand_keeps_its_own_words),
        SETTINGS_TEST(no_arguments_at_all_are_accepted),
        SETTINGS_TEST(help_has_every_flag_in_80_columns),
        SETTINGS_TEST(manuals_have_every_row),
        SETTINGS_TEST(printing_shows_values_with_their_origin),
        SETTINGS_TEST(sections_stand_in_sections),
        SETTINGS_TEST(a_policy_is_one_of_four_words),
        SETTINGS_TEST(a_word_is_one_of_its_rows),
        SETTINGS_TEST(licensing_has_its_section),
        SETTINGS_TEST(tokend_has_flags_of_its_own_and_takes_no_words),
        SETTINGS_TEST(the_nearest_word_is_near),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
