/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "access_internal.h"

#define PATH "access.json"
#define ALL_OBJECTS "\"objects\": [\"*\"]"
#define CAN_SIGN "\"operations\": [\"sign\"]"

static const char good[] =
    "{\"version\": 1, \"rules\": ["
    "{\"user\": 1000, \"objects\": [\"tlm-attest\", \"other key\"], \"operations\": [\"sign\"]},"
    "{\"user\": 1000, \"objects\": [\"tlm-srk\"], \"operations\": [\"decrypt\", \"derive\"]},"
    "{\"group\": 2000, \"objects\": [\"*\"], \"operations\": [\"use\"]},"
    "{\"group\": 2000, \"objects\": [\"tlm-srk\"], \"operations\": [\"see\"]},"
    "{\"user\": \"root\", \"objects\": [\"*\"], \"operations\": [\"use\", \"manage\"]}]}";

static const tlm_peer root = {.uid = 0, .gid = 0};
static const tlm_peer user = {.uid = 1000, .gid = 1000};
static const tlm_peer member = {.uid = 1001, .gid = 2000};
static const tlm_peer supplementary = {
    .uid = 1002, .gid = 1002, .groups = {7, 2000}, .group_count = 2};
/* Numbers of users are not numbers of groups. */
static const tlm_peer stranger = {.uid = 2000, .gid = 1000};

static tlm_access *parse(const char *text)
{
    tlm_access *access = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_access_parse(text, strlen(text), PATH, &access, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, TLM_OK);
    assert_non_null(access);
    return access;
}

/* Refused with a message that names the file, has `message` in it, and a hint with `hint` in it. */
static void refuse(const char *text, tlm_result expected, const char *message, const char *hint)
{
    tlm_access *access = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_access_parse(text, strlen(text), PATH, &access, &error), expected);
    assert_null(access);
    if (strstr(error.message, message) == NULL || strstr(error.message, PATH) == NULL ||
        strstr(error.hint, hint) == NULL) {
        fail_msg("for %s: '%s' (%s)", text, error.message, error.hint);
    }
}

static void refuse_rule(const char *members, const char *message, const char *hint)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "{\"version\": 1, \"rules\": [{%s}]}", members);
    refuse(text, TLM_ERR_SETTING, message, hint);
    refuse(text, TLM_ERR_SETTING, "rule 1 in", hint);
}

static void test_rules_add_up(void **state)
{
    (void)state;
    static const struct {
        const tlm_peer *peer;
        const char *label;
        tlm_use use;
        bool allowed;
    } rows[] = {
        {&user, "tlm-attest", TLM_USE_SIGN, true},
        {&user, "other key", TLM_USE_SIGN, true},
        {&user, "tlm-attest", TLM_USE_SEE, true},
        {&user, "tlm-attest", TLM_USE_DECRYPT, false},
        {&user, "tlm-attest", TLM_USE_MANAGE, false},
        {&user, "tlm-srk", TLM_USE_DECRYPT, true},
        {&user, "tlm-srk", TLM_USE_DERIVE, true},
        {&user, "tlm-srk", TLM_USE_SEE, true},
        {&user, "tlm-srk", TLM_USE_SIGN, false},
        {&user, "tlm-sr", TLM_USE_SEE, false},
        {&user, "tlm-srk2", TLM_USE_SEE, false},
        {&user, "TLM-SRK", TLM_USE_SEE, false},
        {&user, "", TLM_USE_SEE, false},
        {&user, "*", TLM_USE_SEE, false},
        {&user, "tlm-counter", TLM_USE_COUNTER, false},
        {&member, "tlm-srk", TLM_USE_DECRYPT, true},
        {&member, "anything", TLM_USE_SIGN, true},
        {&member, "", TLM_USE_DERIVE, true},
        {&member, "tlm-counter", TLM_USE_COUNTER, true},
        {&member, "tlm-srk", TLM_USE_MANAGE, false},
        {&supplementary, "tlm-srk", TLM_USE_SIGN, true},
        {&supplementary, "tlm-srk", TLM_USE_MANAGE, false},
        {&root, "tlm-srk", TLM_USE_MANAGE, true},
        {&root, "", TLM_USE_MANAGE, true},
        {&root, "tlm-srk", TLM_USE_COUNTER, true},
        {&root, "tlm-srk", (tlm_use)0, false},
        {&stranger, "tlm-attest", TLM_USE_SEE, false},
    };
    tlm_access *access = parse(good);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (tlm_access_allows(access, rows[i].peer, rows[i].label, rows[i].use) !=
            rows[i].allowed) {
            fail_msg("row %zu: %s %u", i, rows[i].label, (unsigned)rows[i].use);
        }
    }
    assert_true(tlm_access_allows(access, &member, NULL, TLM_USE_SEE));
    assert_false(tlm_access_allows(access, &user, NULL, TLM_USE_SEE));
    assert_true(tlm_access_knows(access, &user));
    assert_true(tlm_access_knows(access, &supplementary));
    assert_false(tlm_access_knows(access, &stranger));
    tlm_access_free(&access);
    assert_null(access);
    tlm_access_free(&access);
    tlm_access_free(NULL);
}

static void test_every_operation(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        unsigned uses;
    } rows[] = {
        {"see", TLM_USE_SEE},
        {"sign", TLM_USE_SIGN},
        {"decrypt", TLM_USE_DECRYPT},
        {"derive", TLM_USE_DERIVE},
        {"counter", TLM_USE_COUNTER},
        {"manage", TLM_USE_MANAGE},
        {"use", TLM_USE_SIGN | TLM_USE_DECRYPT | TLM_USE_DERIVE | TLM_USE_COUNTER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "{\"version\": 1, \"rules\": [{\"user\": 1000, " ALL_OBJECTS
                       ", \"operations\": [\"%s\"]}]}",
                       rows[i].word);
        tlm_access *access = parse(text);
        for (unsigned use = TLM_USE_SEE; use <= TLM_USE_MANAGE; use <<= 1) {
            bool expected = ((rows[i].uses | TLM_USE_SEE) & use) != 0;
            assert_int_equal(tlm_access_allows(access, &user, "x", (tlm_use)use), expected);
        }
        tlm_access_free(&access);
    }
}

static void test_names_and_numbers(void **state)
{
    (void)state;
    struct passwd *owner = getpwnam("daemon");
    struct group *group = getgrnam("tty");
    assert_non_null(owner);
    assert_non_null(group);
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"version\": 1, \"rules\": ["
                   "{\"user\": \"%s\", " ALL_OBJECTS ", " CAN_SIGN "},"
                   "{\"group\": \"%s\", \"objects\": [\"g\"], \"operations\": [\"manage\"]},"
                   "{\"group\": 4294967294, \"objects\": [\"g\"], \"operations\": [\"derive\"]}]}",
                   owner->pw_name, group->gr_name);
    tlm_access *access = parse(text);
    tlm_peer self = {.uid = owner->pw_uid, .gid = 77777};
    tlm_peer other = {.uid = 77777, .gid = group->gr_gid};
    tlm_peer last = {.uid = 77777, .gid = 4294967294U};
    assert_true(tlm_access_allows(access, &self, "x", TLM_USE_SIGN));
    assert_false(tlm_access_allows(access, &self, "g", TLM_USE_MANAGE));
    assert_true(tlm_access_allows(access, &other, "g", TLM_USE_MANAGE));
    assert_false(tlm_access_allows(access, &other, "x", TLM_USE_SIGN));
    assert_true(tlm_access_allows(access, &last, "g", TLM_USE_DERIVE));
    tlm_access_free(&access);
}

static void test_no_rules_allow_nobody(void **state)
{
    (void)state;
    tlm_access *access = parse("{\"version\": 1, \"rules\": []}");
    assert_false(tlm_access_knows(access, &root));
    assert_false(tlm_access_allows(access, &root, "tlm-srk", TLM_USE_SEE));
    tlm_access_free(&access);
}

static void test_unknown_words_name_the_nearest(void **state)
{
    (void)state;
    refuse("{\"version\": 1, \"ruls\": []}", TLM_ERR_SETTING, "unknown member \"ruls\"",
           "did you mean \"rules\"?");
    refuse("{\"version\": 1, \"comment\": \"\", \"rules\": []}", TLM_ERR_SETTING,
           "unknown member \"comment\"", "known there: version, rules");
    refuse_rule("\"usr\": 0, " ALL_OBJECTS ", " CAN_SIGN, "unknown member \"usr\"",
                "did you mean \"user\"?");
    refuse_rule("\"user\": 0, \"object\": [\"*\"], " CAN_SIGN, "unknown member \"object\"",
                "did you mean \"objects\"?");
    refuse_rule("\"user\": 0, " ALL_OBJECTS ", \"operations\": [\"see\", \"sing\"]",
                "unknown operation \"sing\"", "did you mean \"sign\"?");
    refuse_rule("\"user\": 0, " ALL_OBJECTS ", \"operations\": [\"wrapping\"]",
                "unknown operation \"wrapping\"",
                "known there: see, sign, decrypt, derive, counter, manage, use");
    refuse_rule("\"user\": \"rooot\", " ALL_OBJECTS ", " CAN_SIGN, "no user \"rooot\"",
                "did you mean \"root\"?");
    refuse_rule("\"group\": \"deamon\", " ALL_OBJECTS ", " CAN_SIGN, "no group \"deamon\"",
                "did you mean \"daemon\"?");
    refuse_rule("\"user\": \"no such one at all\", " ALL_OBJECTS ", " CAN_SIGN,
                "no user \"no such one at all\"", "getent passwd");
    refuse_rule("\"group\": \"\", " ALL_OBJECTS ", " CAN_SIGN, "no group \"\"", "getent group");
    refuse_rule("\"user\": \"0\", " ALL_OBJECTS ", " CAN_SIGN, "no user \"0\"", "");
    refuse_rule("\"user\": \"a\\u001b[2J\", " ALL_OBJECTS ", " CAN_SIGN, "\"a\\u001b[2J\"", "");
}

static void test_wrong_values(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"\"user\": 0, \"group\": 0, " ALL_OBJECTS ", " CAN_SIGN, "both \"user\" and \"group\""},
        {ALL_OBJECTS ", " CAN_SIGN, "neither \"user\" nor \"group\""},
        {"\"user\": -1, " ALL_OBJECTS ", " CAN_SIGN, "\"user\" is -1"},
        {"\"user\": 4294967295, " ALL_OBJECTS ", " CAN_SIGN, "\"user\" is 4294967295"},
        {"\"group\": 4294967295, " ALL_OBJECTS ", " CAN_SIGN, "\"group\" is 4294967295"},
        {"\"user\": 1.0, " ALL_OBJECTS ", " CAN_SIGN, "not a name or a number"},
        {"\"user\": null, " ALL_OBJECTS ", " CAN_SIGN, "is null, not a name"},
        {"\"user\": [\"root\"], " ALL_OBJECTS ", " CAN_SIGN, "is an array, not a name"},
        {"\"user\": 0, " CAN_SIGN, "has no \"objects\""},
        {"\"user\": 0, " ALL_OBJECTS, "has no \"operations\""},
        {"\"user\": 0, \"objects\": \"*\", " CAN_SIGN, "\"objects\" is a string"},
        {"\"user\": 0, \"objects\": [], " CAN_SIGN, "\"objects\" has 0 entries"},
        {"\"user\": 0, \"objects\": [\"a\", 1], " CAN_SIGN, "entry 2 of \"objects\" is an integer"},
        {"\"user\": 0, \"objects\": [\"\"], " CAN_SIGN, "\"\" is no label"},
        {"\"user\": 0, \"objects\": [\"tlm-*\"], " CAN_SIGN, "\"tlm-*\" is no label"},
        {"\"user\": 0, \"objects\": [\"a\\nb\"], " CAN_SIGN, "\"a\\nb\" is no label"},
        {"\"user\": 0, " ALL_OBJECTS ", \"operations\": []", "\"operations\" has 0 entries"},
        {"\"user\": 0, " ALL_OBJECTS ", \"operations\": {}", "\"operations\" is an object"},
        {"\"user\": 0, " ALL_OBJECTS ", \"operations\": [true]", "entry 1 of \"operations\""},
        {"\"user\": 0, " ALL_OBJECTS ", \"operations\": [\"Sign\"]", "operation \"Sign\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuse_rule(rows[i][0], rows[i][1], "");
    }
    refuse("[]", TLM_ERR_SETTING, "is an array, not an object", "{\"version\": 1");
    refuse("{\"rules\": []}", TLM_ERR_SETTING, "has no \"version\"", "");
    refuse("{\"version\": 1}", TLM_ERR_SETTING, "has no \"rules\"", "");
    refuse("{\"version\": \"1\", \"rules\": []}", TLM_ERR_SETTING, "is a string", "");
    refuse("{\"version\": 0, \"rules\": []}", TLM_ERR_SETTING, "no version 0", "");
    refuse("{\"version\": 1, \"rules\": {}}", TLM_ERR_SETTING, "is an object, not an array", "");
    refuse("{\"version\": 1, \"rules\": [1]}", TLM_ERR_SETTING, "rule 1 in", "");
    refuse("{\"version\": 1, \"version\": 1, \"rules\": []}", TLM_ERR_SETTING, "line 1", "jq");
    refuse("{\"version\": 1, \"rules\": []} x", TLM_ERR_SETTING, "line 1", "jq");
    /* A second version may have members that this one does not know. */
    refuse("{\"version\": 2, \"roles\": []}", TLM_ERR_NEWER, "version 2", "install");
}

static void test_second_rule_is_named(void **state)
{
    (void)state;
    refuse("{\"version\": 1, \"rules\": [{\"user\": 0, " ALL_OBJECTS ", " CAN_SIGN "}, {}]}",
           TLM_ERR_SETTING, "rule 2 in", "");
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof good - 1; size++) {
        tlm_access *access = NULL;
        tlm_error error = {0};
        assert_int_equal(tlm_access_parse(good, size, PATH, &access, &error), TLM_ERR_SETTING);
        assert_null(access);
    }
    tlm_access *access = NULL;
    assert_int_equal(tlm_access_parse(NULL, 0, PATH, &access, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_access_parse(good, 1, PATH, NULL, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_access_parse(good, 1, NULL, &access, NULL), TLM_ERR_ARGUMENT);
}

/* `count` times `item`, separated by commas, between `head` and `tail`. The caller frees it. */
static char *repeat(const char *head, const char *item, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + count * (strlen(item) + 1) + strlen(tail) + 1);
    assert_non_null(text);
    char *end = stpcpy(text, head);
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(stpcpy(end, i > 0 ? "," : ""), item);
    }
    (void)stpcpy(end, tail);
    return text;
}

static void expect_limit(char *text, tlm_result expected)
{
    tlm_access *access = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_access_parse(text, strlen(text), PATH, &access, &error), expected);
    assert_int_equal(access == NULL, expected != TLM_OK);
    tlm_access_free(&access);
    free(text);
}

static void test_limits(void **state)
{
    (void)state;
    static const char rules[] = "{\"version\": 1, \"rules\": [";
    static const char rule[] = "{\"user\": 1, " ALL_OBJECTS ", " CAN_SIGN "}";
    expect_limit(repeat(rules, rule, TLM_ACCESS_RULES_MAX, "]}"), TLM_OK);
    expect_limit(repeat(rules, rule, TLM_ACCESS_RULES_MAX + 1, "]}"), TLM_ERR_TOO_LARGE);
    static const char objects[] =
        "{\"version\": 1, \"rules\": [{\"user\": 1, " CAN_SIGN ", \"objects\": [";
    expect_limit(repeat(objects, "\"a\"", TLM_ACCESS_OBJECTS_MAX, "]}]}"), TLM_OK);
    expect_limit(repeat(objects, "\"a\"", TLM_ACCESS_OBJECTS_MAX + 1, "]}]}"), TLM_ERR_SETTING);
    char label[131];
    memset(label, 'a', sizeof label);
    label[0] = label[129] = '"';
    label[130] = '\0';
    expect_limit(repeat(objects, label, 1, "]}]}"), TLM_OK);
    char longer[132];
    (void)snprintf(longer, sizeof longer, "\"a%s", label + 1);
    expect_limit(repeat(objects, longer, 1, "]}]}"), TLM_ERR_SETTING);
    tlm_access *access = NULL;
    char *blanks = malloc(TLM_ACCESS_FILE_MAX + 1);
    assert_non_null(blanks);
    memset(blanks, ' ', TLM_ACCESS_FILE_MAX + 1);
    memcpy(blanks, good, sizeof good - 1);
    assert_int_equal(tlm_access_parse(blanks, TLM_ACCESS_FILE_MAX, PATH, &access, NULL), TLM_OK);
    tlm_access_free(&access);
    assert_int_equal(tlm_access_parse(blanks, TLM_ACCESS_FILE_MAX + 1, PATH, &access, NULL),
                     TLM_ERR_TOO_LARGE);
    free(blanks);
}

static void test_default_table(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_access *access = NULL;
    tlm_error error = {0};
    (void)in_directory(state, PATH, path);
    assert_int_equal(tlm_access_load(path, &access, &error), TLM_OK);
    tlm_peer in_group = {.uid = 1000, .gid = 77777, .groups = {getegid()}, .group_count = 1};
    tlm_peer outside = {.uid = 77777, .gid = 77777};
    static const unsigned all =
        TLM_USE_SEE | TLM_USE_SIGN | TLM_USE_DECRYPT | TLM_USE_DERIVE | TLM_USE_COUNTER;
    assert_true(tlm_access_allows(access, &root, "tlm-srk", (tlm_use)all));
    assert_true(tlm_access_allows(access, &in_group, "", (tlm_use)all));
    assert_false(tlm_access_allows(access, &root, "tlm-srk", TLM_USE_MANAGE));
    assert_false(tlm_access_allows(access, &in_group, "tlm-srk", TLM_USE_MANAGE));
    assert_true(tlm_access_allows(access, &root, "tlm-storage", TLM_USE_MANAGE));
    assert_true(tlm_access_allows(access, &in_group, "tlm-storage", TLM_USE_MANAGE));
    assert_false(tlm_access_allows(access, &root, "", TLM_USE_MANAGE));
    assert_false(tlm_access_allows(access, &outside, "tlm-storage", TLM_USE_MANAGE));
    assert_false(tlm_access_allows(access, &outside, "tlm-srk", TLM_USE_SEE));
    assert_true(tlm_access_knows(access, &in_group));
    assert_false(tlm_access_knows(access, &outside));
    tlm_access_free(&access);
    assert_int_equal(tlm_access_load("", &access, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_access_load(path, NULL, &error), TLM_ERR_ARGUMENT);
}

static void refuse_file(const char *path, tlm_result expected, const char *message,
                        const char *hint)
{
    tlm_access *access = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_access_load(path, &access, &error), expected);
    assert_null(access);
    assert_non_null(strstr(error.message, message));
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, hint));
}

static void test_file(void **state)
{
    char path[TEST_PATH_MAX];
    char link[TEST_PATH_MAX];
    tlm_access *access = NULL;
    tlm_error error = {0};
    put_file(in_directory(state, PATH, path), good);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(tlm_access_load(path, &access, &error), TLM_OK);
    assert_true(tlm_access_allows(access, &root, "x", TLM_USE_MANAGE));
    tlm_access_free(&access);
    assert_int_equal(symlink(path, in_directory(state, "link", link)), 0);
    assert_int_equal(tlm_access_load(link, &access, &error), TLM_OK);
    tlm_access_free(&access);
    assert_int_equal(chmod(path, 0664), 0);
    refuse_file(path, TLM_ERR_PERMISSION, "mode 0664", "chmod go-w");
    assert_int_equal(chmod(path, 0602), 0);
    refuse_file(path, TLM_ERR_PERMISSION, "mode 0602", "chmod go-w");
    refuse_file(link, TLM_ERR_PERMISSION, "mode 0602", "chmod go-w");
    assert_int_equal(chmod(path, 0600), 0);
    put_file(path, "{\"version\": 1, \"rules\": 1}");
    refuse_file(path, TLM_ERR_SETTING, "not an array of rules", "");
    refuse_file(*state, TLM_ERR_FORMAT, "directory", "");
    assert_int_equal(truncate(path, TLM_ACCESS_FILE_MAX + 1), 0);
    refuse_file(path, TLM_ERR_TOO_LARGE, "65536", "");
}

/* Owned by neither root nor this process; only root can make such a file. */
static void test_file_of_another(void **state)
{
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, PATH, path), good);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 4321, 0), 0);
        refuse_file(path, TLM_ERR_PERMISSION, "belongs to uid 4321", "sudo chown 0");
        return;
    }
    /* Root's own file is as good as ours. */
    tlm_access *access = NULL;
    assert_int_equal(tlm_access_load("/etc/hostname", &access, NULL), TLM_ERR_SETTING);
}

static void test_example_that_is_installed(void **state)
{
    (void)state;
    tlm_access *access = NULL;
    tlm_error error = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(TLM_ACCESS_EXAMPLE, "re");
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    (void)fclose(file);
    tlm_result result = tlm_access_parse(text, strlen(text), PATH, &access, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(result, TLM_OK);
    tlm_access_free(&access);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_add_up),
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_no_rules_allow_nobody),
        cmocka_unit_test(test_unknown_words_name_the_nearest),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_second_rule_is_named),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_limits),
        cmocka_unit_test_setup_teardown(test_default_table, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_file, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_file_of_another, directory_setup, directory_teardown),
        cmocka_unit_test(test_example_that_is_installed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
