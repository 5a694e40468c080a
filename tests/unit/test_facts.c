/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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

#include "facts.h"

static char directory[] = "/tmp/tlm-facts.XXXXXX";
static char program[64];
static atomic_uint changes;
static const char *const arguments[] = {"status", "--json", NULL};

static int make_directory(void **state)
{
    (void)state;
    tlm_log_set_level(TLM_LOG_FATAL);
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    (void)snprintf(program, sizeof program, "%s/child", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(program);
    return rmdir(directory);
}

/* The child is a script, replaced in one step: an earlier one may be running. */
static void write_child(const char *script)
{
    char draft[80];
    (void)snprintf(draft, sizeof draft, "%s.new", program);
    FILE *file = fopen(draft, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "#!/bin/sh\n%s\n", script) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(draft, 0755), 0);
    assert_int_equal(rename(draft, program), 0);
}

static void count_change(void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void pause_ms(long ms)
{
    struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&step, NULL);
}

static void wait_for_change(unsigned wanted)
{
    for (int i = 0; i < 1000 && atomic_load(&changes) < wanted; i++) {
        pause_ms(10);
    }
    assert_true(atomic_load(&changes) >= wanted);
}

static tlm_facts *start(unsigned interval_seconds)
{
    tlm_facts_config config = {.program = program,
                               .arguments = arguments,
                               .interval_seconds = interval_seconds,
                               .timeout_ms = 5000,
                               .changed = count_change,
                               .context = &changes};
    tlm_facts *facts = NULL;
    tlm_error error = {0};
    atomic_store(&changes, 0);
    assert_int_equal(tlm_facts_start(&config, &facts, &error), TLM_OK);
    return facts;
}

/* Runs one child and gives what is known then. */
static tlm_facts_state state_after(const char *script)
{
    write_child(script);
    tlm_facts *facts = start(3600);
    tlm_facts_wake(facts);
    wait_for_change(1);
    tlm_facts_state state;
    tlm_facts_get(facts, &state);
    tlm_facts_stop(&facts);
    assert_null(facts);
    return state;
}

static void waits_until_it_is_woken(void **state)
{
    (void)state;
    write_child("echo '{}'");
    tlm_facts *facts = start(3600);
    pause_ms(100);
    tlm_facts_state known;
    tlm_facts_get(facts, &known);
    assert_null(known.text);
    assert_int_equal(known.as_of, 0);
    assert_int_equal(known.error.result, TLM_OK);
    assert_int_equal(atomic_load(&changes), 0);
    tlm_facts_stop(&facts);
    tlm_facts_stop(&facts);
}

static void keeps_the_answer(void **state)
{
    (void)state;
    time_t before = time(NULL);
    tlm_facts_state known = state_after("echo '{ \"words\" : \"'\"$*\"'\" }'");
    assert_string_equal(known.text, "{\"words\":\"status --json\"}");
    assert_true(known.as_of >= before);
    assert_int_equal(known.error.result, TLM_OK);
    tlm_facts_state_clear(&known);
    assert_null(known.text);
}

static void answer_of_a_failed_child_counts(void **state)
{
    (void)state;
    tlm_facts_state known = state_after("echo '{\"inLockout\":true}'; exit 1");
    assert_string_equal(known.text, "{\"inLockout\":true}");
    assert_int_equal(known.error.result, TLM_OK);
    tlm_facts_state_clear(&known);
}

static void says_why_a_child_failed(void **state)
{
    (void)state;
    tlm_facts_state known = state_after("echo first >&2; echo 'no TPM here' >&2; exit 3");
    assert_null(known.text);
    assert_int_equal(known.error.result, TLM_ERR_PROCESS);
    assert_non_null(strstr(known.error.message, "ended with 3: no TPM here"));
    assert_non_null(strstr(known.error.hint, "tlm-token-init doctor"));
    tlm_facts_state_clear(&known);
}

static void refuses_what_is_no_object(void **state)
{
    (void)state;
    static const char *const scripts[] = {"true",         "echo '[]'", "echo '{'",
                                          "echo '{} {}'", "echo text", "printf '\\377'"};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        tlm_facts_state known = state_after(scripts[i]);
        assert_null(known.text);
        assert_int_equal(known.error.result, TLM_ERR_FORMAT);
        tlm_facts_state_clear(&known);
    }
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    tlm_facts_state known = state_after("head -c 70000 /dev/zero | tr '\\0' ' '; echo '{}'");
    assert_null(known.text);
    assert_int_equal(known.error.result, TLM_ERR_TOO_LARGE);
    tlm_facts_state_clear(&known);
}

static void last_good_answer_stays(void **state)
{
    (void)state;
    write_child("echo '{\"first\":1}'");
    tlm_facts *facts = start(1);
    tlm_facts_wake(facts);
    wait_for_change(1);
    write_child("exit 1");
    tlm_facts_state known = {.text = NULL};
    for (int i = 0; i < 500 && known.error.result == TLM_OK; i++) {
        pause_ms(10);
        tlm_facts_state_clear(&known);
        tlm_facts_get(facts, &known);
    }
    assert_int_equal(known.error.result, TLM_ERR_PROCESS);
    assert_string_equal(known.text, "{\"first\":1}");
    assert_true(known.as_of > 0);
    tlm_facts_state_clear(&known);
    write_child("echo '{\"second\":2}'");
    for (int i = 0; i < 500; i++) {
        tlm_facts_get(facts, &known);
        if (strcmp(known.text, "{\"second\":2}") == 0) {
            break;
        }
        tlm_facts_state_clear(&known);
        pause_ms(10);
    }
    assert_string_equal(known.text, "{\"second\":2}");
    assert_int_equal(known.error.result, TLM_OK);
    tlm_facts_state_clear(&known);
    tlm_facts_stop(&facts);
}

static void interval_rules_over_waking(void **state)
{
    (void)state;
    write_child("echo '{}'");
    tlm_facts *facts = start(3600);
    for (int i = 0; i < 10; i++) {
        tlm_facts_wake(facts);
    }
    wait_for_change(1);
    for (int i = 0; i < 10; i++) {
        tlm_facts_wake(facts);
    }
    pause_ms(200);
    assert_int_equal(atomic_load(&changes), 1);
    tlm_facts_stop(&facts);
}

static int serve_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(file, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(file, 16), 0);
    return file;
}

static void write_report(const char *text)
{
    char draft[80];
    char path[80];
    (void)snprintf(draft, sizeof draft, "%s/tokend.json.new", directory);
    (void)snprintf(path, sizeof path, "%s/tokend.json", directory);
    FILE *file = fopen(draft, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(draft, path), 0);
}

/* Facts with a socket, whose child would say {"child":true}; it may be left out. */
static tlm_facts *start_beside(const char *socket_path, bool with_child)
{
    write_child("echo '{\"child\":true}'");
    tlm_facts_config config = {.program = program,
                               .arguments = with_child ? arguments : NULL,
                               .socket = socket_path,
                               .interval_seconds = 3600,
                               .timeout_ms = 5000,
                               .changed = count_change,
                               .context = &changes};
    tlm_facts *facts = NULL;
    atomic_store(&changes, 0);
    assert_int_equal(tlm_facts_start(&config, &facts, NULL), TLM_OK);
    tlm_facts_wake(facts);
    return facts;
}

static void the_report_goes_before_the_child(void **state)
{
    (void)state;
    char path[80];
    tlm_facts_state known;
    (void)snprintf(path, sizeof path, "%s/sock", directory);
    int server = serve_socket(path);
    write_report("{\"tpm\":{\"connected\":true},\"tcti\":\"device:/x\",\"simulated\":true}");
    tlm_facts *facts = start_beside(path, true);
    wait_for_change(1);
    tlm_facts_get(facts, &known);
    assert_string_equal(known.text,
                        "{\"tpm\":{\"connected\":true},\"tcti\":{\"conf\":\"device:/x\","
                        "\"origin\":\"tlm-tokend\",\"simulated\":true,"
                        "\"passedOver\":[]},\"errors\":[]}");
    assert_true(known.as_of > 0);
    tlm_facts_state_clear(&known);
    /* What changes is seen soon, not only in the next interval. */
    write_report("{\"tpm\":{\"connected\":false},\"error\":{\"code\":\"tpm\"}}");
    wait_for_change(2);
    tlm_facts_get(facts, &known);
    assert_non_null(strstr(known.text, "\"connected\":false"));
    assert_non_null(strstr(known.text, "\"errors\":[{\"code\":\"tpm\"}]"));
    tlm_facts_state_clear(&known);
    tlm_facts_stop(&facts);
    (void)close(server);
    (void)unlink(path);
}

static void a_report_that_nobody_stands_behind_is_not_taken(void **state)
{
    (void)state;
    char path[80];
    tlm_facts_state known;
    (void)snprintf(path, sizeof path, "%s/sock", directory);
    write_report("{\"tpm\":{\"connected\":true}}"); /* of one that was killed */
    tlm_facts *facts = start_beside(path, true);
    wait_for_change(1);
    tlm_facts_get(facts, &known);
    assert_string_equal(known.text, "{\"child\":true}");
    tlm_facts_state_clear(&known);
    tlm_facts_stop(&facts);
    /* Where no child may be run there is nothing to tell. */
    facts = start_beside(path, false);
    pause_ms(300);
    tlm_facts_get(facts, &known);
    assert_null(known.text);
    assert_int_equal(known.error.result, TLM_OK);
    assert_int_equal(atomic_load(&changes), 0);
    tlm_facts_stop(&facts);
    (void)snprintf(path, sizeof path, "%s/tokend.json", directory);
    assert_int_equal(unlink(path), 0);
}

static void a_program_that_is_missing(void **state)
{
    (void)state;
    tlm_facts_config config = {.program = "/nowhere/tlm-token-init",
                               .arguments = arguments,
                               .interval_seconds = 3600,
                               .timeout_ms = 1000,
                               .changed = count_change,
                               .context = &changes};
    tlm_facts *facts = NULL;
    atomic_store(&changes, 0);
    assert_int_equal(tlm_facts_start(&config, &facts, NULL), TLM_OK);
    tlm_facts_wake(facts);
    wait_for_change(1);
    tlm_facts_state known;
    tlm_facts_get(facts, &known);
    assert_int_not_equal(known.error.result, TLM_OK);
    tlm_facts_state_clear(&known);
    tlm_facts_stop(&facts);
}

static void too_many_words(void **state)
{
    (void)state;
    const char *words[TLM_FACTS_ARGUMENTS + 2];
    for (size_t i = 0; i <= TLM_FACTS_ARGUMENTS; i++) {
        words[i] = "word";
    }
    words[TLM_FACTS_ARGUMENTS + 1] = NULL;
    tlm_facts_config config = {.program = program, .arguments = words};
    tlm_facts *facts = NULL;
    assert_int_equal(tlm_facts_start(&config, &facts, NULL), TLM_ERR_TOO_LARGE);
    assert_null(facts);
    words[TLM_FACTS_ARGUMENTS] = NULL;
    assert_int_equal(tlm_facts_start(&config, &facts, NULL), TLM_OK);
    tlm_facts_stop(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_until_it_is_woken),
        cmocka_unit_test(keeps_the_answer),
        cmocka_unit_test(answer_of_a_failed_child_counts),
        cmocka_unit_test(says_why_a_child_failed),
        cmocka_unit_test(refuses_what_is_no_object),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(last_good_answer_stays),
        cmocka_unit_test(interval_rules_over_waking),
        cmocka_unit_test(the_report_goes_before_the_child),
        cmocka_unit_test(a_report_that_nobody_stands_behind_is_not_taken),
        cmocka_unit_test(a_program_that_is_missing),
        cmocka_unit_test(too_many_words),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
