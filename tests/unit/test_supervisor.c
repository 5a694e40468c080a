/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor with this program itself (--serve SOCKET MODE) in the place of tlm-tokend.
 */
#include "test_directory.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <tlm/log.h>
#include <tlm/tokend_report.h>

#include "../../licensing/src/supervisor_private.h"

static void pause_ms(long ms)
{
    struct timespec step = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&step, NULL);
}

static long now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what is started ---- */

static int bind_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    if (bind(file, (struct sockaddr *)&address, sizeof address) != 0 || listen(file, 16) != 0) {
        (void)close(file);
        return -1;
    }
    return file;
}

/* Leaves a line in SOCKET.starts, prints what nobody shall read, and does as the mode says. */
static int serve(const char *path, const char *mode)
{
    char starts[TEST_PATH_MAX];
    (void)snprintf(starts, sizeof starts, "%s.starts", path);
    FILE *file = fopen(starts, "ae");
    if (file == NULL || fprintf(file, "%ld\n", now_ms()) < 0 || fclose(file) != 0) {
        return 99;
    }
    (void)printf("noise on standard output\n");
    if (mode[0] == 'x') {
        return (int)strtol(mode + 1, NULL, 10);
    }
    if (strcmp(mode, "deaf") == 0) {
        (void)signal(SIGTERM, SIG_IGN);
    }
    if (strcmp(mode, "mute") != 0 && bind_at(path) < 0) {
        return 98;
    }
    for (;;) {
        (void)pause();
    }
}

/* ---- the tests ---- */

static char self_path[PATH_MAX];

typedef struct scene {
    char socket[TEST_PATH_MAX];
    char starts[TEST_PATH_MAX];
    const char *words[4];
    tlm_supervisor_config config;
    tlm_supervisor *supervisor;
    atomic_uint told;
} scene;

static bool never(void *context)
{
    (void)context;
    return false;
}

static const tlm_stop_check go_on = {.asked = never};

static void count(void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void prepare(void **state, scene *self, const char *mode)
{
    memset(self, 0, sizeof *self);
    (void)in_directory(state, "run/pkcs11.sock", self->socket);
    (void)in_directory(state, "run/pkcs11.sock.starts", self->starts);
    self->words[0] = "--serve";
    self->words[1] = self->socket;
    self->words[2] = mode;
    self->config = (tlm_supervisor_config){.socket = self->socket,
                                           .program = self_path,
                                           .arguments = self->words,
                                           .changed = count,
                                           .context = &self->told};
}

static void begin(scene *self)
{
    assert_int_equal(tlm_supervisor_start(&self->config, &self->supervisor, NULL), TLM_OK);
}

static unsigned starts_of(const scene *self)
{
    unsigned lines = 0;
    FILE *file = fopen(self->starts, "re");
    for (int c = 0; file != NULL && (c = fgetc(file)) != EOF;) {
        lines += c == '\n' ? 1U : 0U;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return lines;
}

static void await_starts(const scene *self, unsigned wanted)
{
    for (int i = 0; i < 1000 && starts_of(self) < wanted; i++) {
        pause_ms(10);
    }
    assert_true(starts_of(self) >= wanted);
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void nothing_is_started_unasked(void **state)
{
    scene self;
    prepare(state, &self, "serve");
    begin(&self);
    pause_ms(200);
    assert_int_equal(tlm_supervisor_child(self.supervisor), 0);
    assert_int_equal(starts_of(&self), 0);
    tlm_supervisor_stop(&self.supervisor);
    tlm_supervisor_stop(&self.supervisor);
    tlm_supervisor_end(NULL);
}

static void one_is_started_and_ended(void **state)
{
    scene self;
    tlm_error error = {0};
    prepare(state, &self, "serve");
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, &error), TLM_OK);
    pid_t child = tlm_supervisor_child(self.supervisor);
    assert_true(child > 0);
    assert_true(getpgid(child) == child);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 0, &error), TLM_OK);
    assert_int_equal(starts_of(&self), 1);
    assert_true(atomic_load(&self.told) > 0);
    tlm_supervisor_stop(&self.supervisor);
    assert_true(is_gone(child));
}

static void one_that_is_killed_is_started_again(void **state)
{
    scene self;
    prepare(state, &self, "serve");
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, NULL), TLM_OK);
    pid_t first = tlm_supervisor_child(self.supervisor);
    unsigned told = atomic_load(&self.told);
    assert_int_equal(kill(first, SIGKILL), 0);
    await_starts(&self, 2);
    assert_true(atomic_load(&self.told) > told);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, NULL), TLM_OK);
    assert_int_not_equal(tlm_supervisor_child(self.supervisor), first);
    tlm_supervisor_stop(&self.supervisor);
}

static void the_reason_of_an_end_is_told(void **state)
{
    scene self;
    tlm_error error = {0};
    prepare(state, &self, "x3");
    begin(&self);
    long begun = now_ms();
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, &error), TLM_ERR_PROCESS);
    assert_true(now_ms() - begun < 10000);
    assert_non_null(strstr(error.message, "status 3"));
    assert_true(error.hint[0] != '\0');
    /* 500 ms, then 1 s, then 2 s: in so short a time only a few. */
    await_starts(&self, 2);
    pause_ms(300);
    assert_true(starts_of(&self) <= 3);
    tlm_supervisor_stop(&self.supervisor);
}

static void a_stuck_one_is_exchanged_at_once(void **state)
{
    scene self;
    char text[200];
    prepare(state, &self, "x70");
    begin(&self);
    assert_int_not_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, NULL), TLM_OK);
    await_starts(&self, 2);
    tlm_supervisor_stop(&self.supervisor);
    char *second = NULL;
    long first = strtol(get_file(self.starts, text, sizeof text), &second, 10);
    assert_true(strtol(second, NULL, 10) - first < 450);
}

static void one_that_serves_already_is_used(void **state)
{
    scene self;
    char directory[TEST_PATH_MAX];
    prepare(state, &self, "serve");
    assert_int_equal(mkdir(in_directory(state, "run", directory), 0700), 0);
    int other = bind_at(self.socket);
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 1000, NULL), TLM_OK);
    assert_int_equal(tlm_supervisor_child(self.supervisor), 0);
    /* It goes away, and ours takes its place. */
    (void)close(other);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, NULL), TLM_OK);
    assert_true(tlm_supervisor_child(self.supervisor) > 0);
    tlm_supervisor_stop(&self.supervisor);
}

static void none_may_be_started(void **state)
{
    scene self;
    tlm_error error = {0};
    prepare(state, &self, "serve");
    self.config.arguments = NULL;
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 300, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, self.socket));
    pause_ms(700);
    assert_int_equal(starts_of(&self), 0);
    /* The same reason, looked for again and again, is told once. */
    unsigned told = atomic_load(&self.told);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 0, NULL), TLM_ERR_NOT_FOUND);
        pause_ms(20);
    }
    assert_int_equal(atomic_load(&self.told), told);
    tlm_supervisor_stop(&self.supervisor);
}

static void what_cannot_be_started_is_told(void **state)
{
    scene self;
    char path[TEST_PATH_MAX];
    tlm_error error = {0};
    prepare(state, &self, "serve");
    put_file(in_directory(state, "run", path), "a file where the directory should be");
    begin(&self);
    assert_int_not_equal(tlm_supervisor_await(self.supervisor, &go_on, 5000, &error), TLM_OK);
    assert_non_null(strstr(error.message, "cannot be made"));
    assert_non_null(strstr(error.hint, "--pkcs11-socket"));
    tlm_supervisor_stop(&self.supervisor);
    assert_int_equal(unlink(path), 0);

    self.config.program = "/nowhere/tlm-tokend";
    begin(&self);
    assert_int_not_equal(tlm_supervisor_await(self.supervisor, &go_on, 5000, &error), TLM_OK);
    tlm_supervisor_stop(&self.supervisor);
}

static void one_that_does_not_serve_is_named(void **state)
{
    scene self;
    tlm_error error = {0};
    prepare(state, &self, "mute");
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 500, &error),
                     TLM_ERR_TOKEN_UNAVAILABLE);
    assert_non_null(strstr(error.message, "does not serve"));
    tlm_supervisor_stop(&self.supervisor);
}

static void one_that_will_not_end_is_killed(void **state)
{
    scene self;
    prepare(state, &self, "deaf");
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, NULL), TLM_OK);
    pid_t child = tlm_supervisor_child(self.supervisor);
    long begun = now_ms();
    tlm_supervisor_end(self.supervisor);
    assert_true(now_ms() - begun < 4000);
    assert_true(is_gone(child));
    tlm_supervisor_stop(&self.supervisor);
}

static bool at_once(void *context)
{
    return atomic_fetch_add((atomic_uint *)context, 1) > 1;
}

static void waiting_ends_with_the_program(void **state)
{
    scene self;
    atomic_uint looks = 0;
    const tlm_stop_check stop = {.asked = at_once, .context = &looks};
    prepare(state, &self, "mute");
    begin(&self);
    long begun = now_ms();
    assert_int_not_equal(tlm_supervisor_await(self.supervisor, &stop, 30000, NULL), TLM_OK);
    assert_true(now_ms() - begun < 10000);
    tlm_supervisor_stop(&self.supervisor);
}

static void a_new_report_is_told(void **state)
{
    scene self;
    prepare(state, &self, "serve");
    begin(&self);
    assert_int_equal(tlm_supervisor_await(self.supervisor, &go_on, 20000, NULL), TLM_OK);
    pause_ms(100);
    unsigned long seen = tlm_supervisor_changes(self.supervisor);
    put_file(tlm_supervisor_report(self.supervisor), "{}");
    long begun = now_ms();
    tlm_supervisor_wait_change(self.supervisor, seen, 10000);
    assert_true(now_ms() - begun < 9000);
    assert_true(tlm_supervisor_changes(self.supervisor) > seen);
    /* A file of another name is none of ours. */
    seen = tlm_supervisor_changes(self.supervisor);
    char other[TEST_PATH_MAX];
    put_file(in_directory(state, "run/other", other), "{}");
    pause_ms(200);
    assert_int_equal(tlm_supervisor_changes(self.supervisor), seen);
    tlm_supervisor_stop(&self.supervisor);
}

static void wrong_arguments_are_refused(void **state)
{
    scene self;
    const char *many[TLM_SUPERVISOR_ARGUMENTS_MAX + 2];
    tlm_error error = {0};
    prepare(state, &self, "serve");
    static const char *const sockets[] = {NULL, "", "relative", "relative/sock", "/ends/with/"};
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        self.config.socket = sockets[i];
        assert_int_equal(tlm_supervisor_start(&self.config, &self.supervisor, &error),
                         TLM_ERR_SETTING);
        assert_non_null(strstr(error.hint, "--pkcs11-socket"));
    }
    self.config.socket = self.socket;
    for (size_t i = 0; i < TLM_SUPERVISOR_ARGUMENTS_MAX + 1; i++) {
        many[i] = "word";
    }
    many[TLM_SUPERVISOR_ARGUMENTS_MAX + 1] = NULL;
    self.config.arguments = many;
    assert_int_equal(tlm_supervisor_start(&self.config, &self.supervisor, &error),
                     TLM_ERR_TOO_LARGE);
    many[TLM_SUPERVISOR_ARGUMENTS_MAX] = NULL;
    assert_int_equal(tlm_supervisor_start(&self.config, &self.supervisor, &error), TLM_OK);
    tlm_supervisor_stop(&self.supervisor);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--serve") == 0) {
        return serve(argv[2], argv[3]);
    }
    if (realpath("/proc/self/exe", self_path) == NULL) {
        return 1;
    }
    tlm_log_set_level(TLM_LOG_FATAL);
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(nothing_is_started_unasked),
        WITH_DIRECTORY(one_is_started_and_ended),
        WITH_DIRECTORY(one_that_is_killed_is_started_again),
        WITH_DIRECTORY(the_reason_of_an_end_is_told),
        WITH_DIRECTORY(a_stuck_one_is_exchanged_at_once),
        WITH_DIRECTORY(one_that_serves_already_is_used),
        WITH_DIRECTORY(none_may_be_started),
        WITH_DIRECTORY(what_cannot_be_started_is_told),
        WITH_DIRECTORY(one_that_does_not_serve_is_named),
        WITH_DIRECTORY(one_that_will_not_end_is_killed),
        WITH_DIRECTORY(waiting_ends_with_the_program),
        WITH_DIRECTORY(a_new_report_is_told),
        WITH_DIRECTORY(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
