/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <tlm/file.h>
#include <tlm/secret.h>

#include "harden.h"

#define GOOD 42

/* An old kernel, or a container's filter, has no landlock. */
static bool without_landlock;

long __real_syscall(long number, long a, long b, long c, long d);
long __wrap_syscall(long number, long a, long b, long c, long d);

long __wrap_syscall(long number, long a, long b, long c, long d)
{
    if (without_landlock && number == SYS_landlock_create_ruleset) {
        errno = ENOSYS;
        return -1;
    }
    return __real_syscall(number, a, b, c, d);
}

/* In a child a failed check ends it; the parent sees that it did not end with GOOD. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)dprintf(STDERR_FILENO, "line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (false)

typedef struct place {
    char directory[TEST_PATH_MAX]; /* the one that may be written in */
    char outside[TEST_PATH_MAX];   /* a file in another one */
    tlm_harden_config config;
} place;

static place make_place(void **state)
{
    place made = {0};
    char other[TEST_PATH_MAX];
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(mkdir(in_directory(state, "inside", made.directory), 0755), 0);
    assert_int_equal(mkdir(in_directory(state, "other", other), 0755), 0);
    put_file(in_directory(state, "other/file", made.outside), "text");
    return made;
}

/* Runs `body` in a child; its wait status. */
static int in_child(void (*body)(place *at), place *at)
{
    int status = 0;
    at->config.writable[0] = at->directory;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body(at);
        _exit(GOOD);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void expect_good(void (*body)(place *at), place *at)
{
    int status = in_child(body, at);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), GOOD);
}

/* The kernel ended the child at a forbidden system call. */
static void expect_killed(void (*body)(place *at), place *at)
{
    int status = in_child(body, at);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void harden(place *at)
{
    tlm_error error = {0};
    CHECK(tlm_harden_early(&at->config, &error) == TLM_OK);
    CHECK(tlm_harden_late(&at->config, &error) == TLM_OK);
}

/* The number behind "NAME:" in /proc/self/status, in `base`. */
static unsigned long long status_number(const char *name, int base)
{
    char text[8192];
    FILE *file = fopen("/proc/self/status", "re");
    CHECK(file != NULL);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    const char *at = strstr(text, name);
    CHECK(at != NULL);
    return strtoull(at + strlen(name), NULL, base);
}

static void shows_in_status(place *at)
{
    bool root = geteuid() == 0;
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    bool may_lock = setrlimit(RLIMIT_MEMLOCK, &all) == 0;
    harden(at);
    CHECK(status_number("\nNoNewPrivs:", 10) == 1);
    CHECK(status_number("\nSeccomp:", 10) == 2);
    CHECK(status_number("\nCapEff:", 16) == 0);
    CHECK(status_number("\nCapPrm:", 16) == 0);
    CHECK(status_number("\nCapInh:", 16) == 0);
    CHECK(status_number("\nCapAmb:", 16) == 0);
    CHECK(!root || status_number("\nCapBnd:", 16) == 0);
    struct rlimit limit = {.rlim_max = 1};
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0);
    CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CHECK(!may_lock || status_number("\nVmLck:", 10) > 0);
}

static void test_status(void **state)
{
    place at = make_place(state);
    expect_good(shows_in_status, &at);
}

/* What only a capability opens to root keeps that capability, and no other. */
static void keeps_one(place *at)
{
    char path[TEST_PATH_MAX + 8];
    harden(at);
    CHECK(status_number("\nCapEff:", 16) == 2);
    CHECK(status_number("\nCapPrm:", 16) == 2);
    (void)snprintf(path, sizeof path, "%s/file", at->directory);
    CHECK(open(path, O_CREAT | O_WRONLY, 0600) >= 0);
    CHECK(open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES);
}

static void test_directory_of_another(void **state)
{
    place at = make_place(state);
    if (geteuid() != 0) {
        return; /* who has no capability has none to keep */
    }
    assert_int_equal(chown(at.directory, 4321, 4321), 0);
    assert_int_equal(chmod(at.directory, 0700), 0);
    expect_good(keeps_one, &at);
    assert_int_equal(chmod(at.directory, 0777), 0);
    expect_good(shows_in_status, &at);
}

static void *thread(void *done)
{
    *(bool *)done = true;
    return NULL;
}

static void files_work(place *at)
{
    char path[TEST_PATH_MAX + 16];
    char *data = NULL;
    size_t size = 0;
    harden(at);
    (void)snprintf(path, sizeof path, "%s/file", at->directory);
    CHECK(tlm_file_replace(path, "abc", 3, 0600, NULL) == TLM_OK);
    CHECK(tlm_file_replace(path, "def", 3, 0600, NULL) == TLM_OK);
    CHECK(tlm_file_read(path, 10, &data, &size, NULL) == TLM_OK && size == 3);
    CHECK(truncate(path, 1) == 0);
    CHECK(unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/directory", at->directory);
    CHECK(mkdir(path, 0700) == 0 && rmdir(path) == 0);
    CHECK(open("/dev/urandom", O_RDONLY) >= 0);
    CHECK(open("/dev/null", O_RDWR) >= 0);
}

static void calls_work(place *at)
{
    tlm_secret *secret = NULL;
    pthread_t other;
    bool done = false;
    int pair[2];
    harden(at);
    CHECK(tlm_secret_new(32, &secret, NULL) == TLM_OK);
    tlm_secret_free(&secret);
    CHECK(pthread_create(&other, NULL, thread, &done) == 0);
    CHECK(pthread_join(other, NULL) == 0 && done);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(dlopen("libresolv.so.2", RTLD_NOW) != NULL);
    CHECK(getpwuid(0) != NULL);
}

static void test_what_is_needed_works(void **state)
{
    place at = make_place(state);
    expect_good(files_work, &at);
    expect_good(calls_work, &at);
}

static void bind_in_directory(place *at)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    harden(at);
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s/s", at->directory);
    CHECK(file >= 0);
    CHECK(bind(file, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(file, 1) == 0);
    CHECK(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0); /* for the service manager's socket */
}

static void test_unix_sockets_work(void **state)
{
    place at = make_place(state);
    expect_good(bind_in_directory, &at);
}

static void files_outside(place *at)
{
    CHECK(access("/etc/shadow", F_OK) == 0);
    harden(at);
    CHECK(open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES);
    CHECK(open(at->outside, O_RDONLY) < 0 && errno == EACCES);
    CHECK(open(at->outside, O_WRONLY) < 0 && errno == EACCES);
    CHECK(open("/etc/passwd", O_RDONLY) >= 0);
    CHECK(open("/etc/passwd", O_WRONLY) < 0 && errno == EACCES);
    CHECK(unlink(at->outside) < 0 && errno == EACCES);
    CHECK(truncate(at->outside, 0) < 0);
    char link[TEST_PATH_MAX + 8];
    (void)snprintf(link, sizeof link, "%s/link", at->directory);
    CHECK(rename(at->outside, link) < 0 && (errno == EACCES || errno == EXDEV));
    CHECK(symlink("/etc/shadow", link) < 0);
    CHECK(mknod(link, S_IFIFO | 0600, 0) < 0);
}

static void test_files_outside_are_refused(void **state)
{
    place at = make_place(state);
    expect_good(files_outside, &at);
    char text[16];
    assert_string_equal(get_file(at.outside, text, sizeof text), "text");
}

static void no_processes(place *at)
{
    char *const argv[] = {(char[]){"/bin/true"}, NULL};
    pid_t child = 0;
    harden(at);
    CHECK(syscall(SYS_clone, SIGCHLD, 0, 0, 0) < 0 && errno == ENOSYS);
    CHECK(fork() < 0);
    CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, argv, NULL) != 0);
}

static void run_program(place *at)
{
    harden(at);
    (void)execl("/bin/true", "true", (char *)NULL);
}

static void trace(place *at)
{
    harden(at);
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void test_no_programs(void **state)
{
    place at = make_place(state);
    expect_good(no_processes, &at);
    expect_killed(run_program, &at);
    expect_killed(trace, &at);
}

static void no_new_code(place *at)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != MAP_FAILED);
    harden(at);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED);
    void *plain = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);
    CHECK(plain != MAP_FAILED);
    CHECK(mprotect(plain, 4096, PROT_READ | PROT_EXEC) < 0);
    CHECK(mprotect(plain, 4096, PROT_READ) == 0);
}

static void test_no_new_code(void **state)
{
    place at = make_place(state);
    expect_good(no_new_code, &at);
}

static void no_network(place *at)
{
    harden(at);
    CHECK(socket(AF_INET, SOCK_STREAM, 0) < 0);
    CHECK(socket(AF_INET6, SOCK_STREAM, 0) < 0);
}

/* To a TPM over TCP it may connect; it never serves there. */
static void network(place *at)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    harden(at);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(file >= 0);
    CHECK(bind(file, (const struct sockaddr *)&address, sizeof address) < 0 && errno == EACCES);
    address.sin_port = htons(1);
    CHECK(connect(file, (const struct sockaddr *)&address, sizeof address) < 0 &&
          errno == ECONNREFUSED);
}

static void test_network(void **state)
{
    place at = make_place(state);
    expect_good(no_network, &at);
    at.config.network = true;
    expect_good(network, &at);
}

static void die(place *at)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_CORE, &limit);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK(chdir(at->directory) == 0);
    harden(at);
    abort();
}

static void test_no_core(void **state)
{
    place at = make_place(state);
    int status = in_child(die, &at);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
    assert_int_equal(rmdir(at.directory), 0); /* nothing is in it */
}

static void becomes_user(place *at)
{
    struct passwd *user = getpwnam("daemon");
    uid_t uids[3];
    struct stat status;
    CHECK(user != NULL);
    gid_t group = user->pw_gid;
    harden(at);
    CHECK(getresuid(&uids[0], &uids[1], &uids[2]) == 0);
    CHECK(uids[0] == user->pw_uid && uids[1] == user->pw_uid && uids[2] == user->pw_uid);
    CHECK(getgid() == group && getegid() == group);
    gid_t groups[64];
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        CHECK(groups[i] == group);
    }
    CHECK(setuid(0) != 0 && seteuid(0) != 0);
    CHECK(stat(at->config.owned[0], &status) == 0 && status.st_uid == uids[0]);
    CHECK((status.st_mode & 07777) == 0755);
    CHECK(stat(at->directory, &status) == 0 && status.st_uid == 0);
    CHECK(status_number("\nCapEff:", 16) == 0);
    CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void may_not_become(place *at)
{
    tlm_error error = {0};
    CHECK(tlm_harden_early(&at->config, &error) == TLM_ERR_PERMISSION);
    CHECK(strstr(error.message, "daemon") != NULL);
}

static void test_user(void **state)
{
    place at = make_place(state);
    char made[TEST_PATH_MAX];
    at.config.user = "daemon";
    at.config.owned[0] = in_directory(state, "run", made);
    at.config.owned[1] = at.directory; /* is there, and stays as it is */
    if (geteuid() != 0) {
        expect_good(may_not_become, &at);
        return;
    }
    expect_good(becomes_user, &at);
}

static void unknown_user(place *at)
{
    tlm_error error = {0};
    CHECK(tlm_harden_early(&at->config, &error) == TLM_ERR_SETTING);
    CHECK(strstr(error.message, "\"deamon\"") != NULL);
    CHECK(strstr(error.hint, "daemon") != NULL);
}

static void own_user(place *at)
{
    struct passwd *self = getpwuid(geteuid());
    at->config.user = self != NULL ? self->pw_name : "";
    harden(at);
}

static void test_user_that_is_none(void **state)
{
    place at = make_place(state);
    at.config.user = "deamon";
    expect_good(unknown_user, &at);
    expect_good(own_user, &at);
}

/* Root without capabilities opens a device only through its group. */
static void gets_group(place *at)
{
    harden(at);
    gid_t groups[64];
    int count = getgroups(64, groups);
    bool found = false;
    for (int i = 0; i < count; i++) {
        found = found || groups[i] == 70001;
    }
    CHECK(found);
    CHECK(open(at->config.devices[0], O_RDWR) >= 0);
}

static void test_device(void **state)
{
    place at = make_place(state);
    char device[TEST_PATH_MAX];
    if (geteuid() != 0) {
        return; /* only root makes a device node, and only root needs the group */
    }
    at.config.devices[0] = in_directory(state, "other/tpm", device);
    if (mknod(device, S_IFCHR | 0660, makedev(1, 5)) != 0) {
        return; /* a container without CAP_MKNOD */
    }
    assert_int_equal(chmod(device, 0660), 0);
    assert_int_equal(chown(device, 4321, 70001), 0);
    expect_good(gets_group, &at);
}

static void *wait_forever(void *nothing)
{
    (void)pause();
    return nothing;
}

static void threads_first(place *at)
{
    pthread_t other;
    tlm_error error = {0};
    CHECK(tlm_harden_early(&at->config, &error) == TLM_OK);
    CHECK(pthread_create(&other, NULL, wait_forever, NULL) == 0);
    CHECK(tlm_harden_late(&at->config, &error) == TLM_ERR_ARGUMENT);
}

static void test_threads_come_later(void **state)
{
    place at = make_place(state);
    expect_good(threads_first, &at);
    assert_int_equal(tlm_harden_early(NULL, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_harden_late(NULL, NULL), TLM_ERR_ARGUMENT);
}

static void replaced(place *at)
{
    char moved[TEST_PATH_MAX + 8];
    char file[TEST_PATH_MAX + 8];
    CHECK(!tlm_harden_outdated());
    harden(at);
    CHECK(!tlm_harden_outdated());
    (void)snprintf(moved, sizeof moved, "%s/a", at->directory);
    (void)snprintf(file, sizeof file, "%s/store", at->directory);
    CHECK(rename(file, moved) == 0);
    CHECK(!tlm_harden_outdated()); /* gone, and nothing in its place */
    CHECK(mkdir(file, 0700) == 0);
    CHECK(tlm_harden_outdated());
}

static void test_replaced_directory(void **state)
{
    place at = make_place(state);
    char store[TEST_PATH_MAX];
    assert_int_equal(mkdir(in_directory(state, "inside/store", store), 0700), 0);
    at.config.writable[1] = store;
    expect_good(replaced, &at);
}

static void appears(place *at)
{
    harden(at);
    CHECK(mkdir(at->config.writable[1], 0700) == 0);
    CHECK(!tlm_harden_outdated());
    char file[TEST_PATH_MAX + 8];
    (void)snprintf(file, sizeof file, "%s/x", at->config.writable[1]);
    CHECK(open(file, O_CREAT | O_WRONLY, 0600) >= 0);
    CHECK(open(at->outside, O_RDONLY) < 0 && errno == EACCES);
}

static void device_appears(place *at)
{
    harden(at);
    CHECK(!tlm_harden_outdated());
    int file = open(at->config.devices[0], O_CREAT | O_WRONLY, 0600);
    CHECK(file >= 0);
    CHECK(tlm_harden_outdated());
}

/* A token that is provisioned later is let in; a device that comes later asks for a new start. */
static void test_what_comes_later(void **state)
{
    place at = make_place(state);
    char store[TEST_PATH_MAX];
    char device[TEST_PATH_MAX];
    at.config.writable[1] = in_directory(state, "inside/later", store);
    expect_good(appears, &at);
    at.config.writable[1] = NULL;
    at.config.devices[0] = in_directory(state, "inside/tpm", device);
    expect_good(device_appears, &at);
}

static void foreign(place *at)
{
    harden(at);
    CHECK(open(at->outside, O_RDONLY) >= 0);
    CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
    CHECK(status_number("\nSeccomp:", 10) == 2);
    CHECK(status_number("\nCapEff:", 16) == 0);
}

static void test_foreign_module(void **state)
{
    place at = make_place(state);
    at.config.foreign_module = true;
    expect_good(foreign, &at);
    expect_killed(run_program, &at);
}

static void old_kernel(place *at)
{
    without_landlock = true;
    harden(at);
    CHECK(open(at->outside, O_RDONLY) >= 0);
    CHECK(!tlm_harden_outdated());
    CHECK(status_number("\nSeccomp:", 10) == 2);
}

static void test_old_kernel(void **state)
{
    place at = make_place(state);
    expect_good(old_kernel, &at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_status, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_directory_of_another, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_needed_works, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_unix_sockets_work, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_files_outside_are_refused, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_no_programs, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_no_new_code, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_network, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_no_core, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_user, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_user_that_is_none, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_device, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_threads_come_later, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_replaced_directory, directory_setup,
                                        directory_teardown),
        cmocka_unit_test_setup_teardown(test_what_comes_later, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_foreign_module, directory_setup, directory_teardown),
        cmocka_unit_test_setup_teardown(test_old_kernel, directory_setup, directory_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
