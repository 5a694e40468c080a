/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <tlm/process.h>

/* An old kernel, or a container's filter, has no pidfd_open. */
static bool refuse_pidfd;

long __real_syscall(long number, long first, long second);
long __wrap_syscall(long number, long first, long second);

long __wrap_syscall(long number, long first, long second)
{
    if (refuse_pidfd && number == SYS_pidfd_open) {
        errno = ENOSYS;
        return -1;
    }
    return __real_syscall(number, first, second);
}

static tlm_result run_shell(const char *script, unsigned timeout_ms, size_t max,
                            tlm_process_output *output, tlm_error *error)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    return tlm_process_run(argv, timeout_ms, max, output, error);
}

static long now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void no_child_is_left(void)
{
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void output_and_status_come_back(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    assert_int_equal(run_shell("echo out; echo err >&2; exit 7", 20000, 100, &output, NULL),
                     TLM_OK);
    assert_string_equal(output.text, "out\n");
    assert_int_equal(output.size, 4);
    assert_string_equal(output.errors, "err\n");
    assert_int_equal(output.status, 7);
    tlm_process_output_clear(&output);
    assert_null(output.text);
    assert_null(output.errors);
    tlm_process_output_clear(&output);
    tlm_process_output_clear(NULL);
    no_child_is_left();
}

static void the_same_without_pidfd(void **state)
{
    tlm_error error = {0};
    tlm_process_output output = {0};
    refuse_pidfd = true;
    output_and_status_come_back(state);
    tlm_result result = run_shell("sleep 5 & echo x", 20000, 100, &output, &error);
    refuse_pidfd = false;
    assert_int_equal(result, TLM_OK);
    assert_string_equal(output.text, "x\n");
    tlm_process_output_clear(&output);
}

static void a_signal_counts_from_128(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    assert_int_equal(run_shell("kill -TERM $$", 20000, 100, &output, NULL), TLM_OK);
    assert_int_equal(output.status, 128 + SIGTERM);
    tlm_process_output_clear(&output);
}

static void a_child_that_takes_too_long_is_killed(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    tlm_error error = {0};
    long start = now_ms();
    assert_int_equal(run_shell("echo begun; exec sleep 60", 300, 100, &output, &error),
                     TLM_ERR_TIMEOUT);
    assert_in_range(now_ms() - start, 300, 20000);
    assert_non_null(strstr(error.message, "300 ms"));
    assert_non_null(strstr(error.message, "/bin/sh"));
    assert_int_equal(output.status, 128 + SIGKILL);
    tlm_process_output_clear(&output);
    no_child_is_left();
}

static void a_child_that_never_stops_complaining_is_killed_too(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    const char *const argv[] = {"/bin/sh", "-c", "exec yes >&2", NULL};
    assert_int_equal(tlm_process_run(argv, 300, 100, &output, NULL), TLM_ERR_TIMEOUT);
    assert_int_equal(strlen(output.errors), 4096);
    tlm_process_output_clear(&output);
    no_child_is_left();
}

static void too_much_output_ends_the_child(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    tlm_error error = {0};
    assert_int_equal(run_shell("exec yes", 20000, 100000, &output, &error), TLM_ERR_TOO_LARGE);
    assert_non_null(strstr(error.message, "100000"));
    tlm_process_output_clear(&output);
    assert_int_equal(run_shell("printf 12345", 20000, 5, &output, &error), TLM_OK);
    assert_string_equal(output.text, "12345");
    tlm_process_output_clear(&output);
    assert_int_equal(run_shell("printf 123456", 20000, 5, &output, &error), TLM_ERR_TOO_LARGE);
    tlm_process_output_clear(&output);
    no_child_is_left();
}

static void large_output_comes_whole(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    assert_int_equal(
        run_shell("head -c 1000000 /dev/zero | tr '\\0' x", 60000, 1000000, &output, NULL), TLM_OK);
    assert_int_equal(output.size, 1000000);
    assert_int_equal(strspn(output.text, "x"), 1000000);
    tlm_process_output_clear(&output);
}

static void the_end_of_the_errors_is_kept(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    assert_int_equal(run_shell("head -c 9000 /dev/zero | tr '\\0' a >&2; sleep 0.1; printf end >&2",
                               20000, 100, &output, NULL),
                     TLM_OK);
    assert_int_equal(strlen(output.errors), 4096);
    assert_string_equal(output.errors + 4096 - 4, "aend");
    tlm_process_output_clear(&output);
}

/* The program's end counts: what it left running may hold the pipe. */
static void a_grandchild_with_the_pipe_is_not_waited_for(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    long start = now_ms();
    assert_int_equal(run_shell("sleep 5 & echo done", 60000, 100, &output, NULL), TLM_OK);
    assert_in_range(now_ms() - start, 0, 4500);
    assert_string_equal(output.text, "done\n");
    tlm_process_output_clear(&output);
}

static void standard_input_is_empty_and_nothing_else_is_passed_on(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    /* As a PKCS#11 module opens its line to the TPM: without O_CLOEXEC. */
    int open_here = open("/dev/null", O_RDONLY);
    assert_true(open_here > STDERR_FILENO);
    assert_int_equal(run_shell("cat; ls /proc/self/fd | wc -l", 20000, 100, &output, NULL), TLM_OK);
    (void)close(open_here);
    /* 0, 1, 2 and the one that ls opens itself. */
    assert_int_equal(strtol(output.text, NULL, 10), 4);
    tlm_process_output_clear(&output);
}

static void signals_are_back_to_default(void **state)
{
    (void)state;
    tlm_process_output output = {0};
    sigset_t blocked;
    sigset_t before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    tlm_result result =
        run_shell("grep -E 'SigBlk|SigIgn' /proc/self/status", 20000, 200, &output, NULL);
    (void)signal(SIGPIPE, handler);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(result, TLM_OK);
    const char *mask = strstr(output.text, "SigBlk:\t");
    const char *ignored = strstr(output.text, "SigIgn:\t");
    assert_non_null(mask);
    assert_non_null(ignored);
    unsigned long pipe_bit = 1UL << (SIGPIPE - 1);
    assert_int_equal(strtoul(mask + 8, NULL, 16), 0);
    assert_int_equal(strtoul(ignored + 8, NULL, 16) & pipe_bit, 0);
    tlm_process_output_clear(&output);
}

/* With 0, 1 and 2 closed here the pipes would get these numbers. In a child: it loses its output.
 */
static void it_works_without_standard_streams(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(0);
        (void)close(1);
        (void)close(2);
        tlm_process_output output = {0};
        tlm_result result = run_shell("echo out; echo err >&2", 20000, 100, &output, NULL);
        bool good = result == TLM_OK && strcmp(output.text, "out\n") == 0 &&
                    strcmp(output.errors, "err\n") == 0;
        tlm_process_output_clear(&output);
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void what_cannot_be_started_is_an_error(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_process_output output = {0};
    tlm_error error = {0};
    const char *const missing[] = {in_directory(state, "none", path), NULL};
    assert_int_equal(tlm_process_run(missing, 1000, 100, &output, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, path));
    assert_true(error.hint[0] != '\0');
    assert_null(output.text);
    put_file(path, "#!/bin/sh\n");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(tlm_process_run(missing, 1000, 100, &output, &error), TLM_ERR_PERMISSION);
    const char *const none[] = {NULL};
    assert_int_equal(tlm_process_run(none, 1000, 100, &output, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_process_run(NULL, 1000, 100, &output, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_process_run(missing, 1000, 100, NULL, &error), TLM_ERR_ARGUMENT);
    no_child_is_left();
}

static void programs_are_found_beside_us_and_in_path(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "tlm-test-program", path);
    put_file(path, "#!/bin/sh\n");
    const char *before = getenv("PATH");
    char *kept = strdup(before != NULL ? before : "");
    assert_non_null(kept);
    char search[TEST_PATH_MAX];
    (void)snprintf(search, sizeof search, "relative:/nonexistent:%s", (const char *)*state);
    assert_int_equal(setenv("PATH", search, 1), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_null(tlm_process_find("tlm-test-program")); /* not executable */
    assert_int_equal(chmod(path, 0700), 0);
    char *found = tlm_process_find("tlm-test-program");
    char *own = tlm_process_find("test_process"); /* stands beside this very program */
    assert_int_equal(setenv("PATH", kept, 1), 0);
    free(kept);
    assert_string_equal(found, path);
    free(found);
    assert_non_null(own);
    assert_int_equal(access(own, X_OK), 0);
    free(own);
    assert_null(tlm_process_find("tlm-no-such-program"));
    assert_null(tlm_process_find("../test_process"));
    assert_null(tlm_process_find(""));
    assert_null(tlm_process_find(NULL));
}

static void one_that_stays_is_apart(void **state)
{
    char path[TEST_PATH_MAX];
    char script[2 * TEST_PATH_MAX + 200];
    char said[4096];
    pid_t child = 0;
    int status = 0;
    (void)in_directory(state, "said", path);
    (void)snprintf(script, sizeof script,
                   "echo lost; { echo notify=$NOTIFY_SOCKET kept=$TLM_KEPT; "
                   "readlink /proc/self/fd/0; } > %s; readlink /proc/self/fd/3 3>&1 >> %s; exit 5",
                   path, path);
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    assert_int_equal(setenv("NOTIFY_SOCKET", "/run/x", 1), 0);
    assert_int_equal(setenv("TLM_KEPT", "yes", 1), 0);
    assert_int_equal(tlm_process_spawn(argv, &child, NULL), TLM_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_string_equal(get_file(path, said, sizeof said),
                        "notify= kept=yes\n/dev/null\n/dev/null\n");
    assert_string_equal(getenv("NOTIFY_SOCKET"), "/run/x");
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(unsetenv("TLM_KEPT"), 0);

    const char *const sleeper[] = {"/bin/sleep", "30", NULL};
    assert_int_equal(tlm_process_spawn(sleeper, &child, NULL), TLM_OK);
    assert_int_equal(getpgid(child), child);
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void one_that_cannot_be_started_is_named(void **state)
{
    (void)state;
    const char *const missing[] = {"/nowhere/program", NULL};
    const char *const none[] = {NULL};
    pid_t child = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_process_spawn(missing, &child, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/program"));
    assert_int_equal(tlm_process_spawn(none, &child, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_process_spawn(NULL, &child, &error), TLM_ERR_ARGUMENT);
    no_child_is_left();
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_come_back),
        cmocka_unit_test(the_same_without_pidfd),
        cmocka_unit_test(a_signal_counts_from_128),
        cmocka_unit_test(a_child_that_takes_too_long_is_killed),
        cmocka_unit_test(a_child_that_never_stops_complaining_is_killed_too),
        cmocka_unit_test(too_much_output_ends_the_child),
        cmocka_unit_test(large_output_comes_whole),
        cmocka_unit_test(the_end_of_the_errors_is_kept),
        cmocka_unit_test(a_grandchild_with_the_pipe_is_not_waited_for),
        cmocka_unit_test(standard_input_is_empty_and_nothing_else_is_passed_on),
        cmocka_unit_test(signals_are_back_to_default),
        cmocka_unit_test(it_works_without_standard_streams),
        IN_DIRECTORY(one_that_stays_is_apart),
        cmocka_unit_test(one_that_cannot_be_started_is_named),
        IN_DIRECTORY(what_cannot_be_started_is_an_error),
        IN_DIRECTORY(programs_are_found_beside_us_and_in_path),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
