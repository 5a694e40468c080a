/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that uses a ledger on a real disk and is killed (SIGKILL) again and again, wherever it
 * is. Each line of the child was written after the ledger had answered; the parent then finds all
 * of it in the ledger, once. The token's counter is a file that outlives the child.
 */
#include "ledger_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <tlm/log.h>

#define FEATURES                                                                                   \
    "[{'id':'calls','seats':0,'model':{'type':'counter','direction':'up'}},"                       \
    "{'id':'pro','seats':3,'model':{'type':'perpetual'}}]"
#define ROUNDS 40
#define LINE_MAX_SIZE 64

extern char **environ;
static char self_path[TEST_PATH_MAX];

/* ---- child ---- */

static uint64_t *map_counter(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(uint64_t)) != 0) {
        abort();
    }
    void *at = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    (void)close(file);
    if (at == MAP_FAILED) {
        abort();
    }
    return at;
}

/* One line in one write: whole, or not there. */
static void say(const char *word, long number, const char *id)
{
    char line[LINE_MAX_SIZE];
    int length = snprintf(line, sizeof line, "%s %ld %s\n", word, number, id);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) {
        _exit(3);
    }
}

static void must(tlm_ledger *ledger, tlm_ledger_op op, tlm_ledger_request *request)
{
    request->op = op;
    if (tlm_ledger_run(ledger, request) != TLM_OK) {
        (void)fprintf(stderr, "child: %s\n", request->error.message);
        _exit(4);
    }
}

static void checkpoint(tlm_ledger *ledger, uint64_t *counter)
{
    tlm_ledger_request request = {0};
    must(ledger, TLM_LEDGER_INTENT, &request);
    tlm_ledger_request_clear(&request);
    request.checkpoint = (tlm_checkpoint){.has_counter = true, .counter = ++*counter};
    must(ledger, TLM_LEDGER_CHECKPOINT, &request);
    tlm_ledger_request_clear(&request);
}

static void count_use(tlm_ledger *ledger, long number)
{
    char id[32];
    (void)snprintf(id, sizeof id, "r%ld", number);
    tlm_ledger_request request = {
        .ask = {.feature = "calls", .client = "c", .request = id, .local = true}};
    must(ledger, TLM_LEDGER_USE, &request);
    say("used", number, request.grant.repeated ? "again" : "now");
    tlm_ledger_request_clear(&request);
}

/* Three clients take the three seats in turn, and give them back in the next turn. */
static void take_or_give(tlm_ledger *ledger, long number)
{
    static char leases[3][37];
    char client[8];
    int which = (int)(number % 3);
    (void)snprintf(client, sizeof client, "c%d", which);
    tlm_ledger_request request = {
        .ask = {.feature = "pro", .client = client, .lease = leases[which], .local = true}};
    if (leases[which][0] == '\0') {
        must(ledger, TLM_LEDGER_ACQUIRE, &request);
        memcpy(leases[which], request.grant.lease, sizeof leases[which]);
        say("took", which, leases[which]);
    } else {
        must(ledger, TLM_LEDGER_RELEASE, &request);
        say("gave", which, leases[which]);
        leases[which][0] = '\0';
    }
    tlm_ledger_request_clear(&request);
}

static char *read_text(const char *path)
{
    char *text = calloc(1, 8192);
    FILE *file = fopen(path, "re");
    if (text == NULL || file == NULL || fread(text, 1, 8191, file) == 0) {
        abort();
    }
    (void)fclose(file);
    return text;
}

static int64_t constant_wall(void *context)
{
    (void)context;
    return TEST_BEGIN;
}

static int64_t constant_steady(void *context)
{
    (void)context;
    return 1000;
}

static tlm_ledger_config config_of(const char *directory, const tlm_trust *trust)
{
    return (tlm_ledger_config){
        .directory = directory,
        .storage_id = TEST_STORAGE,
        .trust = trust,
        .host = {.type = TLM_FINGERPRINT_TPM, .fingerprint = TEST_FINGERPRINT},
        .limits = {.ttl = 300, .ttl_max = TEST_DAY, .clock_tolerance = 300},
        .clock = {.wall = constant_wall, .steady = constant_steady},
    };
}

static tlm_ledger *open_at(const char *path, const char *directory, tlm_trust **trust)
{
    char file[TEST_PATH_MAX];
    tlm_error error = {0};
    tlm_ledger *ledger = NULL;
    (void)snprintf(file, sizeof file, "%s/trust.jwks", path);
    char *jwks = read_text(file);
    if (tlm_trust_new(trust, &error) != TLM_OK ||
        tlm_trust_add(*trust, jwks, strlen(jwks), "test.jwks", &error) != TLM_OK) {
        abort();
    }
    free(jwks);
    const tlm_ledger_config config = config_of(directory, *trust);
    if (tlm_ledger_open(&config, &ledger, &error) != TLM_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
    }
    return ledger;
}

static int run_child(const char *path, long number)
{
    char directory[TEST_PATH_MAX];
    char file[TEST_PATH_MAX];
    tlm_trust *trust = NULL;
    tlm_log_set_level(TLM_LOG_FATAL);
    (void)snprintf(directory, sizeof directory, "%s/licensing", path);
    (void)snprintf(file, sizeof file, "%s/counter", path);
    uint64_t *counter = map_counter(file);
    say("begun", 0, "-");
    tlm_ledger *ledger = open_at(path, directory, &trust);
    if (ledger == NULL) {
        return 5;
    }
    checkpoint(ledger, counter);
    for (;; number++) {
        count_use(ledger, number);
        take_or_give(ledger, number);
        if (number % 5 == 0) {
            checkpoint(ledger, counter);
        }
    }
}

/* ---- parent ---- */

typedef struct parent {
    char *path;
    char directory[TEST_PATH_MAX];
    long used;          /* the last use that was acknowledged */
    char leases[3][37]; /* that were acknowledged and not returned; "": none */
} parent;

static int setup(void **state)
{
    void *made = NULL;
    parent *on = calloc(1, sizeof *on);
    if (on == NULL || ledger_setup(&made) != 0) {
        free(on);
        return -1;
    }
    fixture *f = made;
    char file[TEST_PATH_MAX];
    put_feature(f, 1, FEATURES);
    (void)snprintf(file, sizeof file, "%s/trust.jwks", f->path);
    char *jwks = tlm_issued_jwks(f->issued);
    put_file(file, jwks);
    free(jwks);
    tlm_ledger_close(&f->ledger);
    tlm_issued_free(&f->issued);
    on->path = f->path;
    (void)snprintf(on->directory, sizeof on->directory, "%s", f->directory);
    free(f);
    *state = on;
    return 0;
}

static int teardown(void **state)
{
    parent *on = *state;
    void *path = on->path;
    free(on);
    return directory_teardown(&path);
}

static pid_t start_child(const parent *on, int *lines)
{
    char number[32];
    int ends[2];
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    (void)snprintf(number, sizeof number, "%ld", on->used + 1);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO), 0);
    char word[] = "child";
    char *const arguments[] = {self_path, word, on->path, number, NULL};
    assert_int_equal(posix_spawn(&pid, self_path, &actions, NULL, arguments, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    *lines = ends[0];
    return pid;
}

/* Takes note of a line that the child wrote after the ledger had answered. */
static void take_line(parent *on, const char *line)
{
    char word[16] = "";
    char id[37] = "";
    char *end = NULL;
    assert_int_equal(strcspn(line, " "), 4 + (line[0] == 'b'));
    (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(line, " "), line);
    long number = strtol(line + strlen(word), &end, 10);
    assert_int_equal(*end, ' ');
    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(end + 1, "\n"), end + 1);
    if (strcmp(word, "used") == 0) {
        assert_int_equal(number, on->used + 1);
        on->used = number;
    } else if (strcmp(word, "took") == 0) {
        (void)snprintf(on->leases[number], sizeof on->leases[number], "%s", id);
    } else if (strcmp(word, "gave") == 0) {
        assert_string_equal(on->leases[number], id);
        on->leases[number][0] = '\0';
    }
}

/* Kills the child behind its n-th line and a moment, and takes what it wrote until then. */
static void run_and_kill(parent *on, unsigned lines_wanted, unsigned moment)
{
    int lines = -1;
    pid_t pid = start_child(on, &lines);
    FILE *from = fdopen(lines, "r");
    char line[LINE_MAX_SIZE];
    bool killed = false;
    unsigned count = 0;
    assert_non_null(from);
    for (;;) {
        if (!killed && count >= lines_wanted) {
            for (unsigned i = 0; i < moment; i++) {
                (void)sched_yield();
            }
            assert_int_equal(kill(pid, SIGKILL), 0);
            killed = true;
        }
        if (fgets(line, sizeof line, from) == NULL) {
            break;
        }
        take_line(on, line);
        count++;
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)fclose(from);
}

static void check_uses(const parent *on, tlm_ledger *ledger)
{
    tlm_ledger_request request = {.ask = {.license = tlm_issued_jti(1)}};
    must(ledger, TLM_LEDGER_LICENSE, &request);
    const json_t *feature = json_array_get(json_object_get(request.answer, "features"), 0);
    json_int_t used = json_integer_value(json_object_get(feature, "used"));
    assert_in_range(used, on->used, on->used + 1);
    tlm_ledger_request_clear(&request);
}

/* What was acknowledged is there, unless its return was under way. */
static void check_leases(parent *on, tlm_ledger *ledger)
{
    unsigned missing = 0;
    for (int i = 0; i < 3; i++) {
        tlm_ledger_request request = {.op = TLM_LEDGER_LEASE, .ask = {.lease = on->leases[i]}};
        if (on->leases[i][0] != '\0' && tlm_ledger_run(ledger, &request) != TLM_OK) {
            missing++;
        }
        tlm_ledger_request_clear(&request);
    }
    assert_in_range(missing, 0, 1);
    tlm_ledger_request request = {0};
    must(ledger, TLM_LEDGER_LEASES, &request);
    assert_in_range(json_array_size(json_object_get(request.answer, "leases")), 0, 3);
    /* The next child begins without leases, as its clients do. */
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(request.answer, "leases"), index, one)
    {
        tlm_ledger_request give = {
            .ask = {.lease = json_string_value(json_object_get(one, "lease")), .force = true}};
        must(ledger, TLM_LEDGER_RELEASE, &give);
        tlm_ledger_request_clear(&give);
    }
    tlm_ledger_request_clear(&request);
    memset(on->leases, 0, sizeof on->leases);
}

static void check_state(const parent *on, tlm_ledger *ledger)
{
    char file[TEST_PATH_MAX];
    (void)snprintf(file, sizeof file, "%s/counter", on->path);
    uint64_t *counter = map_counter(file);
    checkpoint(ledger, counter);
    (void)munmap(counter, sizeof *counter);
    tlm_ledger_request request = {0};
    must(ledger, TLM_LEDGER_STATE, &request);
    assert_string_equal(json_string_value(json_object_get(request.answer, "state")), "ok");
    tlm_ledger_request_clear(&request);
}

static void a_process_that_is_killed_loses_nothing(void **state)
{
    parent *on = *state;
    unsigned random = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1664525U + 1013904223U;
        /* Half of them end soon: while the ledger is opened, or at its first requests. */
        unsigned lines = round % 2 == 0 ? (random >> 16) % 3 : (random >> 16) % 40;
        run_and_kill(on, lines, (random >> 8) % 400);
        tlm_trust *trust = NULL;
        tlm_ledger *ledger = open_at(on->path, on->directory, &trust);
        assert_non_null(ledger);
        check_uses(on, ledger);
        check_leases(on, ledger);
        check_state(on, ledger);
        tlm_ledger_close(&ledger);
        tlm_trust_free(&trust);
    }
    assert_true(on->used > ROUNDS);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "child") == 0) {
        return run_child(argv[2], strtol(argv[3], NULL, 10));
    }
    ssize_t length = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    if (length <= 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_process_that_is_killed_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
