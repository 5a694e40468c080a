/* SPDX-License-Identifier: BSD-2-Clause */
#include "harden_internal.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <tlm/log.h>

void tlm_harden_note(const char *step, const char *detail)
{
    if (detail == NULL) {
        tlm_log(TLM_LOG_INFO, "hardened", "step=%s", step);
        return;
    }
    tlm_log(TLM_LOG_INFO, "hardened", "step=%s %s", step, detail);
}

void tlm_harden_note_failed(const char *step, const char *reason)
{
    tlm_log(TLM_LOG_WARNING, "not_hardened", "step=%s reason=\"%s\"", step, reason);
}

void tlm_harden_note_errno(const char *step, const char *call)
{
    int number = errno;
    char text[128];
    tlm_log(TLM_LOG_WARNING, "not_hardened", "step=%s reason=\"%s: %s\"", step, call,
            strerror_r(number, text, sizeof text));
}

/*
 * Modules copy PIN and keys into ordinary memory. Where the limit allows it nothing of the process
 * is ever swapped out: what is touched stays (MCL_ONFAULT: not eight megabytes for each thread's
 * stack). Under a limit, mapping more than it would fail, so there only tlm_secret locks its pages.
 */
static void lock_memory(void)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        tlm_harden_note_failed("memory", "the limit of locked memory is too low (LimitMEMLOCK= of "
                                         "the unit, ulimit -l); only our own secrets are locked");
        return;
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        tlm_harden_note_errno("memory", "mlockall");
        return;
    }
    tlm_harden_note("memory", NULL);
}

static void forbid_privileges(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        tlm_harden_note_errno("no-new-privileges", "prctl");
        return;
    }
    tlm_harden_note("no-new-privileges", NULL);
}

/*
 * No limit keeps the kernel from writing a core to a program (core_pattern with a pipe); not being
 * dumpable does, and also keeps others of this user from attaching and from /proc/PID/mem.
 */
static void forbid_cores(void)
{
    struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        tlm_harden_note_errno("core", "setrlimit");
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        tlm_harden_note_errno("core", "prctl");
        return;
    }
    tlm_harden_note("core", NULL);
}

tlm_result tlm_harden_early(const tlm_harden_config *config, tlm_error *error)
{
    if (config == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "hardening without a configuration");
    }
    lock_memory();
    bool bounding =
        tlm_harden_drop_bounding(); /* while there may be CAP_SETPCAP; takes none that is held */
    tlm_result result = tlm_harden_user(config, error);
    if (result == TLM_OK) {
        result = tlm_harden_drop_held(config, bounding, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    forbid_privileges();
    forbid_cores();
    return TLM_OK;
}

/* Landlock and capabilities are a thread's own. */
static unsigned count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    unsigned count = 0;
    for (const struct dirent *task = NULL; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        count += task->d_name[0] != '.' ? 1 : 0;
    }
    if (tasks != NULL) {
        (void)closedir(tasks);
    }
    return count;
}

tlm_result tlm_harden_late(const tlm_harden_config *config, tlm_error *error)
{
    if (config == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "hardening without a configuration");
    }
    if (count_threads() > 1) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "hardening a process that has threads already");
    }
    if (config->foreign_module) {
        tlm_harden_note_failed("files", "the files that the operator's module needs are not known");
    } else {
        tlm_harden_landlock(config);
    }
    tlm_harden_seccomp(config);
    return TLM_OK;
}
