/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <jansson.h>
#include <tlm/log.h>

#define TEXT_MAX 65536

/* What the log writes: to its file it can fail, to stderr it is kept. */
static int file_errno;
static size_t file_partial; /* bytes of the next line that get through before it fails */
static char on_stderr[TEXT_MAX];

ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);

ssize_t __wrap_write(int file, const void *data, size_t size)
{
    if (file == STDERR_FILENO) {
        size_t used = strlen(on_stderr);
        size_t taken = size < sizeof on_stderr - used - 1 ? size : sizeof on_stderr - used - 1;
        memcpy(on_stderr + used, data, taken);
        on_stderr[used + taken] = '\0';
        return (ssize_t)size;
    }
    if (file_errno != 0 && file_partial > 0) {
        size_t part = file_partial;
        file_partial = 0;
        return __real_write(file, data, part);
    }
    if (file_errno != 0) {
        errno = file_errno;
        return -1;
    }
    return __real_write(file, data, size);
}

static void open_log(const char *file, tlm_log_format format, size_t max_size, unsigned keep)
{
    tlm_log_config config = {.level = TLM_LOG_INFO,
                             .format = format,
                             .to_stderr = file == NULL,
                             .file = file,
                             .max_size = max_size,
                             .keep = keep};
    on_stderr[0] = '\0';
    file_errno = 0;
    file_partial = 0;
    assert_int_equal(tlm_log_open(&config, NULL), TLM_OK);
}

static int log_teardown(void **state)
{
    file_errno = 0;
    tlm_log_close();
    return directory_teardown(state);
}

static void levels_have_names_in_either_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        tlm_log_level level;
    } rows[] = {
        {"trace", TLM_LOG_TRACE},     {"DEBUG", TLM_LOG_DEBUG},  {"Info", TLM_LOG_INFO},
        {"WARNING", TLM_LOG_WARNING}, {"warn", TLM_LOG_WARNING}, {"error", TLM_LOG_ERROR},
        {"FATAL", TLM_LOG_FATAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_log_level level = TLM_LOG_LEVEL_COUNT;
        assert_true(tlm_log_level_from_name(rows[i].name, &level));
        assert_int_equal(level, rows[i].level);
    }
    static const char *const wrong[] = {"", "infos", "inf", " info", "5"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        tlm_log_level level = TLM_LOG_LEVEL_COUNT;
        assert_false(tlm_log_level_from_name(wrong[i], &level));
        assert_int_equal(level, TLM_LOG_LEVEL_COUNT);
    }
    assert_false(tlm_log_level_from_name(NULL, NULL));
    volatile int outside = 77;
    assert_string_equal(tlm_log_level_name((tlm_log_level)outside), "unknown");
}

/* "2026-11-23T22:00:00.123Z " in front; returns what follows. */
static const char *behind_time(const char *line)
{
    static const char pattern[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof pattern - 1; i++) {
        if (pattern[i] == 'd') {
            assert_in_range(line[i], '0', '9');
        } else {
            assert_int_equal(line[i], pattern[i]);
        }
    }
    return line + sizeof pattern - 1;
}

static void a_text_line_has_time_level_function_event_and_pairs(void **state)
{
    (void)state;
    open_log(NULL, TLM_LOG_TEXT, 0, 0);
    tlm_log(TLM_LOG_WARNING, "token_ready", "label=%s slot=%d", "tlm", 1);
    assert_string_equal(behind_time(on_stderr),
                        "WARNING a_text_line_has_time_level_function_event_and_pairs token_ready "
                        "label=tlm slot=1\n");
    on_stderr[0] = '\0';
    tlm_log(TLM_LOG_INFO, "stopped", NULL);
    assert_non_null(strstr(on_stderr, " stopped\n"));
}

static void lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    open_log(NULL, TLM_LOG_TEXT, 0, 0);
    tlm_log(TLM_LOG_DEBUG, "hidden", NULL);
    assert_string_equal(on_stderr, "");
    assert_false(tlm_log_enabled(TLM_LOG_DEBUG));
    tlm_log_set_level(TLM_LOG_DEBUG);
    assert_true(tlm_log_enabled(TLM_LOG_DEBUG));
    tlm_log(TLM_LOG_DEBUG, "shown", NULL);
    assert_non_null(strstr(on_stderr, "shown"));
    tlm_error error = {0};
    on_stderr[0] = '\0';
    tlm_log_set_level(TLM_LOG_FATAL);
    tlm_log_error(&error, "hidden", NULL);
    assert_string_equal(on_stderr, "");
}

static void errors_tell_code_cause_message_and_hint(void **state)
{
    (void)state;
    open_log(NULL, TLM_LOG_TEXT, 0, 0);
    tlm_error error = {0};
    errno = ENOENT;
    (void)tlm_error_set_errno(&error, "make \"it\"", "opening f");
    tlm_log_error(&error, "vault_unreadable", "path=%s", "f");
    assert_non_null(strstr(on_stderr,
                           "ERROR errors_tell_code_cause_message_and_hint "
                           "vault_unreadable code=not-found errno=2 message=\"opening f: "
                           "No such file or directory\" hint=\"make \\\"it\\\"\" path=f\n"));
    on_stderr[0] = '\0';
    (void)tlm_error_set(&error, TLM_ERR_TOKEN, NULL, "m");
    error.domain = TLM_DOMAIN_PKCS11;
    error.native = 0xa0;
    tlm_log_error(&error, "e", NULL);
    assert_non_null(strstr(on_stderr, " e code=token ckr=0xa0 message=\"m\"\n"));
    on_stderr[0] = '\0';
    error.domain = TLM_DOMAIN_TPM;
    error.native = 0x921;
    tlm_log_error(&error, "e", NULL);
    assert_non_null(strstr(on_stderr, " tpmRc=0x921 "));
}

static void no_value_can_forge_a_line(void **state)
{
    (void)state;
    open_log(NULL, TLM_LOG_TEXT, 0, 0);
    tlm_log(TLM_LOG_INFO, "event\n2", "value=%s", "a\nb\r\tc\x1b[2J\x7f\xc2\x9b\xff.\xc3\xa4");
    assert_non_null(strstr(
        on_stderr, "event\\n2 value=a\\nb\\u000d\\tc\\u001b[2J\\u007f\\u009b\\ufffd.\xc3\xa4\n"));
    assert_ptr_equal(strchr(on_stderr, '\n'), on_stderr + strlen(on_stderr) - 1);
}

/* The one line on stderr as JSON; the caller lets it go. */
static json_t *json_on_stderr(void)
{
    json_error_t error;
    json_t *line = json_loads(on_stderr, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(line);
    assert_ptr_equal(strchr(on_stderr, '\n'), on_stderr + strlen(on_stderr) - 1);
    on_stderr[0] = '\0';
    return line;
}

static void assert_member(const json_t *line, const char *name, const char *expected)
{
    assert_string_equal(json_string_value(json_object_get(line, name)), expected);
}

static void json_lines_have_the_pairs_as_members(void **state)
{
    (void)state;
    char quoted[64];
    open_log(NULL, TLM_LOG_JSON, 0, 0);
    tlm_log(TLM_LOG_INFO, "ready", "label=%s port=%d empty= name=%s last=x", "tlm", 7,
            tlm_log_quote("a \"b\"\\\n\x01\xc3\xa4\xff", quoted, sizeof quoted));
    json_t *line = json_on_stderr();
    assert_int_equal(json_object_size(line), 9);
    assert_member(line, "level", "info");
    assert_member(line, "function", "json_lines_have_the_pairs_as_members");
    assert_member(line, "event", "ready");
    assert_member(line, "label", "tlm");
    assert_member(line, "port", "7");
    assert_member(line, "empty", "");
    assert_member(line, "name", "a \"b\"\\\n\x01\xc3\xa4\xef\xbf\xbd");
    assert_member(line, "last", "x");
    char time[64];
    (void)snprintf(time, sizeof time, "%s ", json_string_value(json_object_get(line, "time")));
    assert_string_equal(behind_time(time), "");
    json_decref(line);
}

static void json_lines_keep_what_is_no_pair_as_detail(void **state)
{
    (void)state;
    static const char *const details[] = {
        "free text",       "a=b free", "a=\"unclosed", "a=\"b\"c",  "=b",
        "a=b level=fatal", "time=now", "a=b\nevent=x", "1a=b",      "a=b \"c\"",
        "a=x\"y",          "detail=1", "a=b  c=d",     "message=m", "a=\"\\"};
    open_log(NULL, TLM_LOG_JSON, 0, 0);
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        tlm_log(TLM_LOG_INFO, "e", "%s", details[i]);
        json_t *line = json_on_stderr();
        assert_member(line, "level", "info");
        assert_member(line, "event", "e");
        if (strchr(details[i], '\n') == NULL) {
            assert_member(line, "detail", details[i]);
            assert_int_equal(json_object_size(line), 5);
        }
        json_decref(line);
    }
}

static void json_errors_have_members_of_their_own(void **state)
{
    (void)state;
    tlm_error error = {0};
    (void)tlm_error_set(&error, TLM_ERR_TPM, "wait", "lock\nout");
    error.domain = TLM_DOMAIN_TPM;
    error.native = 0x921;
    open_log(NULL, TLM_LOG_JSON, 0, 0);
    tlm_log_error(&error, "e", "handle=%#x", 0x810003e8U);
    json_t *line = json_on_stderr();
    assert_member(line, "level", "error");
    assert_member(line, "code", "tpm");
    assert_member(line, "tpmRc", "0x921");
    assert_member(line, "message", "lock\nout");
    assert_member(line, "hint", "wait");
    assert_member(line, "handle", "0x810003e8");
    json_decref(line);
}

static void lines_that_are_too_long_stay_lines(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 1, sizeof text - 1); /* six bytes each once escaped */
    tlm_error error = {0};
    (void)tlm_error_set(&error, TLM_ERR_IO, text, "%s", text);
    open_log(NULL, TLM_LOG_JSON, 0, 0);
    tlm_log_error(&error, "e", "value=%s", text);
    json_t *line = json_on_stderr();
    assert_member(line, "truncated", "true");
    json_decref(line);
    tlm_log(TLM_LOG_INFO, text, NULL); /* not even the event fits */
    assert_int_equal(on_stderr[strlen(on_stderr) - 1], '\n');
    open_log(NULL, TLM_LOG_TEXT, 0, 0);
    tlm_log_error(&error, "e", "value=%s", text);
    assert_ptr_equal(strchr(on_stderr, '\n'), on_stderr + strlen(on_stderr) - 1);
}

static void quoting_fits_every_buffer(void **state)
{
    (void)state;
    char buffer[64];
    assert_string_equal(tlm_log_quote("a\"\\\n", buffer, sizeof buffer), "\"a\\\"\\\\\\n\"");
    assert_string_equal(tlm_log_quote(NULL, buffer, sizeof buffer), "\"\"");
    static const char text[] = "ab\n\"\x01\xc3\xa4z";
    for (size_t size = 0; size < sizeof buffer; size++) {
        memset(buffer, '#', sizeof buffer);
        assert_ptr_equal(tlm_log_quote(text, buffer, size), buffer);
        assert_int_equal(buffer[size], '#');
        if (size >= 3) {
            size_t length = strlen(buffer);
            assert_in_range(length, 2, size - 1);
            assert_int_equal(buffer[0], '"');
            assert_int_equal(buffer[length - 1], '"');
            json_t *value = json_loads(buffer, JSON_DECODE_ANY, NULL);
            assert_non_null(value);
            json_decref(value);
        }
    }
}

static void the_file_rotates_and_keeps_so_many(void **state)
{
    char path[TEST_PATH_MAX];
    char name[TEST_PATH_MAX];
    struct stat info;
    in_directory(state, "log", path);
    open_log(path, TLM_LOG_TEXT, 1000, 2);
    for (int i = 0; i < 100; i++) {
        tlm_log(TLM_LOG_INFO, "line", "number=%d", i);
        assert_int_equal(stat(path, &info), 0);
        assert_in_range(info.st_size, 1, 1000);
    }
    assert_int_equal(info.st_mode & 0777U, 0640U & info.st_mode);
    assert_int_equal(count_entries(state), 3);
    char text[2048];
    assert_non_null(strstr(get_file(path, text, sizeof text), "number=99\n"));
    assert_null(strstr(get_file(in_directory(state, "log.1", name), text, sizeof text), "=99\n"));
    assert_int_equal(stat(in_directory(state, "log.2", name), &info), 0);
}

static void keeping_none_begins_anew(void **state)
{
    char path[TEST_PATH_MAX];
    char text[2048];
    in_directory(state, "log", path);
    open_log(path, TLM_LOG_TEXT, 200, 0);
    for (int i = 0; i < 20; i++) {
        tlm_log(TLM_LOG_INFO, "line", "number=%d", i);
    }
    assert_int_equal(count_entries(state), 1);
    assert_in_range(strlen(get_file(path, text, sizeof text)), 1, 200);
    assert_non_null(strstr(text, "number=19\n"));
}

static void reopening_follows_an_outside_rotation(void **state)
{
    char path[TEST_PATH_MAX];
    char moved[TEST_PATH_MAX];
    char text[2048];
    in_directory(state, "log", path);
    in_directory(state, "moved", moved);
    open_log(path, TLM_LOG_TEXT, 0, 0);
    tlm_log(TLM_LOG_INFO, "before", NULL);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(tlm_log_reopen(NULL), TLM_OK);
    tlm_log(TLM_LOG_INFO, "after", NULL);
    assert_non_null(strstr(get_file(moved, text, sizeof text), " before\n"));
    assert_null(strstr(text, " after\n"));
    assert_non_null(strstr(get_file(path, text, sizeof text), " after\n"));
    /* A directory in the way: the file that is open goes on. */
    assert_int_equal(rename(path, in_directory(state, "second", moved)), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    tlm_error error = {0};
    assert_int_not_equal(tlm_log_reopen(&error), TLM_OK);
    assert_non_null(strstr(error.message, path));
    tlm_log(TLM_LOG_INFO, "later", NULL);
    assert_non_null(strstr(get_file(moved, text, sizeof text), " later\n"));
}

static void a_file_that_cannot_be_opened_leaves_stderr(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_error error = {0};
    in_directory(state, "none/log", path);
    tlm_log_config config = {.level = TLM_LOG_INFO, .file = path};
    on_stderr[0] = '\0';
    assert_int_equal(tlm_log_open(&config, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, "--log-dir"));
    tlm_log(TLM_LOG_INFO, "shown", NULL);
    assert_non_null(strstr(on_stderr, " shown\n"));
    assert_int_equal(tlm_log_open(NULL, &error), TLM_ERR_ARGUMENT);
}

static void a_full_disk_costs_lines_and_is_told_once(void **state)
{
    char path[TEST_PATH_MAX];
    char text[4096];
    in_directory(state, "log", path);
    open_log(path, TLM_LOG_TEXT, 0, 0);
    tlm_log(TLM_LOG_INFO, "first", NULL);
    file_errno = ENOSPC;
    file_partial = 10;
    tlm_log(TLM_LOG_INFO, "lost", NULL);
    tlm_log(TLM_LOG_INFO, "lost", NULL);
    tlm_log(TLM_LOG_INFO, "lost", NULL);
    const char *told = strstr(on_stderr, " log_write_failed path=");
    assert_non_null(told);
    assert_non_null(strstr(told, "errno=28"));
    assert_null(strstr(told + 2, "log_write_failed"));
    file_errno = 0;
    tlm_log(TLM_LOG_INFO, "second", NULL);
    tlm_log(TLM_LOG_INFO, "third", NULL);
    get_file(path, text, sizeof text);
    assert_null(strstr(text, " lost\n"));
    const char *lost = strstr(text, " log_lines_lost count=3\n");
    assert_non_null(lost);
    assert_null(strstr(lost + 2, "log_lines_lost"));
    /* The part of a line that got through is a line by itself. */
    const char *torn = strchr(text, '\n') + 1;
    assert_int_equal(strchr(torn, '\n') - torn, 10);
    assert_non_null(strstr(lost, " second\n"));
    assert_non_null(strstr(lost, " third\n"));
}

static void logging_leaves_errno_alone(void **state)
{
    char path[TEST_PATH_MAX];
    open_log(in_directory(state, "log", path), TLM_LOG_TEXT, 0, 0);
    file_errno = ENOSPC;
    errno = EDOM;
    tlm_log(TLM_LOG_INFO, "e", NULL);
    assert_int_equal(errno, EDOM);
}

static void *write_many(void *argument)
{
    for (int i = 0; i < 200; i++) {
        tlm_log(TLM_LOG_INFO, "line", "thread=%d number=%d", *(const int *)argument, i);
    }
    return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
    char path[TEST_PATH_MAX];
    pthread_t threads[4];
    int numbers[4];
    static char text[TEXT_MAX * 2];
    in_directory(state, "log", path);
    open_log(path, TLM_LOG_JSON, 0, 0);
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    get_file(path, text, sizeof text);
    size_t count = 0;
    for (char *line = text; *line != '\0'; count++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(value);
        json_decref(value);
        line = end + 1;
    }
    assert_int_equal(count, 800);
}

static void a_limit_lets_so_many_through_and_counts_the_rest(void **state)
{
    (void)state;
    tlm_log_limit limit = {.burst = 3, .seconds = 3600};
    unsigned suppressed = 99;
    for (int i = 0; i < 3; i++) {
        assert_true(tlm_log_allow(&limit, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    for (int i = 0; i < 5; i++) {
        assert_false(tlm_log_allow(&limit, NULL));
    }
    limit.seconds = 0; /* every window is over at once */
    assert_true(tlm_log_allow(&limit, &suppressed));
    assert_int_equal(suppressed, 5);
    assert_true(tlm_log_allow(&limit, &suppressed));
    assert_int_equal(suppressed, 0);
    tlm_log_limit none = {.burst = 0, .seconds = 1};
    assert_false(tlm_log_allow(&none, &suppressed));
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, directory_setup, log_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(levels_have_names_in_either_case),
        LOG_TEST(a_text_line_has_time_level_function_event_and_pairs),
        LOG_TEST(lines_below_the_level_are_left_out),
        LOG_TEST(errors_tell_code_cause_message_and_hint),
        LOG_TEST(no_value_can_forge_a_line),
        LOG_TEST(json_lines_have_the_pairs_as_members),
        LOG_TEST(json_lines_keep_what_is_no_pair_as_detail),
        LOG_TEST(json_errors_have_members_of_their_own),
        LOG_TEST(lines_that_are_too_long_stay_lines),
        LOG_TEST(quoting_fits_every_buffer),
        LOG_TEST(the_file_rotates_and_keeps_so_many),
        LOG_TEST(keeping_none_begins_anew),
        LOG_TEST(reopening_follows_an_outside_rotation),
        LOG_TEST(a_file_that_cannot_be_opened_leaves_stderr),
        LOG_TEST(a_full_disk_costs_lines_and_is_told_once),
        LOG_TEST(logging_leaves_errno_alone),
        LOG_TEST(threads_do_not_mix_their_lines),
        LOG_TEST(a_limit_lets_so_many_through_and_counts_the_rest),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
