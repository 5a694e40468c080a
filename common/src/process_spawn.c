/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns an errno. The child gets default signals: a daemon ignores SIGPIPE, its children must
 * not. */
static int spawn_with(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                      const tlm_process_files *files, const char *const argv[], pid_t *pid)
{
    sigset_t none;
    sigset_t defaults;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    static const int signals[] = {SIGPIPE, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                  SIGCHLD, SIGUSR1, SIGUSR2, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)sigaddset(&defaults, signals[i]);
    }
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    flags |= files->apart ? POSIX_SPAWN_SETPGROUP : 0;
    int number = posix_spawnattr_setflags(attributes, (short)flags);
    if (number == 0) {
        number = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (number == 0) {
        number = posix_spawnattr_setsigdefault(attributes, &defaults);
    }
    if (number == 0) {
        number = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    if (number == 0) {
        number = files->out >= 0
                     ? posix_spawn_file_actions_adddup2(actions, files->out, STDOUT_FILENO)
                     : posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null",
                                                        O_WRONLY, 0);
    }
    if (number == 0) {
        number = posix_spawn_file_actions_adddup2(actions, files->err, STDERR_FILENO);
    }
    if (number == 0) {
        /* PKCS#11 modules open without O_CLOEXEC: a child that held a copy of the line to a TPM
         * would keep the TPM waiting for its next command, and all others for the TPM. */
        number = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    }
    if (number == 0) {
        /* POSIX promises that the words are not written to, and C has no cast that says so. */
        char *const *words = NULL;
        memcpy(&words, &argv, sizeof words);
        number = posix_spawnp(pid, argv[0], actions, attributes, words,
                              files->environment != NULL ? files->environment : environ);
    }
    return number;
}

static int spawn(const char *const argv[], const tlm_process_files *files, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int number = posix_spawn_file_actions_init(&actions);
    if (number != 0) {
        return number;
    }
    number = posix_spawnattr_init(&attributes);
    if (number == 0) {
        number = spawn_with(&actions, &attributes, files, argv, pid);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return number;
}

tlm_result tlm_process_begin(const char *const argv[], const tlm_process_files *files, pid_t *pid,
                             tlm_error *error)
{
    /* Asked beforehand: under valgrind and qemu-user posix_spawn does not tell a failed exec. */
    bool missing = strchr(argv[0], '/') != NULL && access(argv[0], X_OK) != 0;
    int number = missing ? errno : spawn(argv, files, pid);
    if (number == 0) {
        return TLM_OK;
    }
    errno = number;
    return tlm_error_set_errno(
        error, number == ENOENT ? "install the program, or put its directory into PATH" : NULL,
        "starting %s", argv[0]);
}

/* Whether a variable is the service manager's word to the caller alone. */
static bool is_personal(const char *variable)
{
    static const char *const names[] = {"NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=",
                                        "LISTEN_PID=",    "LISTEN_FDS=",   "LISTEN_FDNAMES="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The environment without what is the caller's alone; NULL where memory is out. */
static char **copy_environment(void)
{
    size_t count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    char **copy = calloc(count + 1, sizeof *copy);
    size_t kept = 0;
    for (size_t i = 0; copy != NULL && i < count; i++) {
        if (!is_personal(environ[i])) {
            copy[kept++] = environ[i];
        }
    }
    return copy;
}

tlm_result tlm_process_spawn(const char *const argv[], pid_t *pid, tlm_error *error)
{
    if (argv == NULL || argv[0] == NULL || pid == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "starting a program without name");
    }
    char **environment = copy_environment();
    if (environment == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to start %s", argv[0]);
    }
    const tlm_process_files files = {
        .out = -1, .err = STDERR_FILENO, .apart = true, .environment = environment};
    tlm_result result = tlm_process_begin(argv, &files, pid, error);
    free(environment);
    return result;
}
