/* SPDX-License-Identifier: BSD-2-Clause */
#include "harden_internal.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * An allow-list: what the program and its two back ends were seen to call (strace, both back ends,
 * all integration suites), and what libc may call in place of it on another architecture or in
 * another version. Everything else fails with ENOSYS, not EPERM: a libc that tries something newer
 * than this list (clone3, openat2, futex_waitv …) then falls back to the older call, so a new libc
 * costs a step of its own and not the service. What no fallback needs and only an attacker would
 * call ends the process, so that it is seen: starting programs above all.
 */
#define STEP "system-calls"

static const char *const allowed[] = {
    /* files */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "open",
    "openat",
    "creat",
    "close",
    "close_range",
    "lseek",
    "_llseek",
    "fcntl",
    "fcntl64",
    "flock",
    "dup",
    "dup2",
    "dup3",
    "stat",
    "stat64",
    "fstat",
    "fstat64",
    "lstat",
    "lstat64",
    "newfstatat",
    "fstatat64",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getcwd",
    "umask",
    "getdents",
    "getdents64",
    "mkdir",
    "mkdirat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "truncate",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "fsync",
    "fdatasync",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchown32",
    "fadvise64",
    "utimensat",
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "mlock",
    "mlock2",
    "munlock",
    "membarrier",
    /* threads, time, signals */
    "futex",
    "futex_time64",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "exit",
    "exit_group",
    "arch_prctl",
    "sched_yield",
    "sched_getaffinity",
    "nanosleep",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    "getitimer",
    "setitimer",
    "alarm",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "sigaltstack",
    "sigreturn",
    "restart_syscall",
    "getcpu",
    "sched_getparam",
    "sched_getscheduler",
    /* who and where */
    "getpid",
    "gettid",
    "getppid",
    "getpgrp",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "getuid32",
    "geteuid32",
    "getgid32",
    "getegid32",
    "uname",
    "sysinfo",
    "getrusage",
    "getrlimit",
    "ugetrlimit",
    "setrlimit",
    "getrandom",
    /* sockets and waiting */
    "accept",
    "accept4",
    "bind",
    "connect",
    "listen",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "shutdown",
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "_newselect",
    "pselect6",
    "pselect6_time64",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "pipe",
    "pipe2",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
};

static const char *const fatal[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "kcmp",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "keyctl",
    "add_key",
    "request_key",
    "mount",
    "umount",
    "umount2",
    "fsopen",
    "fsmount",
    "fsconfig",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "open_by_handle_at",
    "name_to_handle_at",
    "iopl",
    "ioperm",
    "modify_ldt",
    "quotactl",
    "acct",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "sethostname",
    "setdomainname",
    "syslog",
    "vhangup",
    "lookup_dcookie",
};

/* A name that this architecture does not have needs no rule. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
               const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0) {
        return 0;
    }
    return seccomp_rule_add_array(filter, action, number, count, arguments);
}

static int add_list(scmp_filter_ctx filter, uint32_t action, const char *const names[],
                    size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        failed = add(filter, action, names[i], 0, NULL);
    }
    return failed;
}

/* Calls by one argument's value. */
typedef struct by_value {
    const char *name;
    unsigned argument;
    scmp_datum_t value;
} by_value;

static int add_values(scmp_filter_ctx filter, const by_value rows[], size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        const struct scmp_arg_cmp equal = {
            .arg = rows[i].argument, .op = SCMP_CMP_EQ, .datum_a = rows[i].value};
        failed = add(filter, SCMP_ACT_ALLOW, rows[i].name, 1, &equal);
    }
    return failed;
}

/*
 * Threads, but no processes. clone3 has its flags in memory that a filter cannot read; libc takes
 * clone in its place.
 */
static int add_threads(scmp_filter_ctx filter)
{
#ifdef __s390__
    const unsigned flags = 1;
#else
    const unsigned flags = 0;
#endif
    const struct scmp_arg_cmp thread =
        SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
    return add(filter, SCMP_ACT_ALLOW, "clone", 1, &thread);
}

/*
 * Memory that can be written cannot become code: libraries are mapped from files, readable and
 * executable. libffi, which p11-kit uses, takes its trampolines from its own file.
 */
static int add_memory(scmp_filter_ctx filter)
{
    static const char *const maps[] = {"mmap", "mmap2"};
    const scmp_datum_t both = PROT_WRITE | PROT_EXEC;
    const struct scmp_arg_cmp plain = SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp code = SCMP_CMP(2, SCMP_CMP_MASKED_EQ, both, PROT_EXEC);
    int failed = add(filter, SCMP_ACT_ALLOW, "mprotect", 1, &plain);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0] && failed == 0; i++) {
        failed = add(filter, SCMP_ACT_ALLOW, maps[i], 1, &plain);
        if (failed == 0) {
            failed = add(filter, SCMP_ACT_ALLOW, maps[i], 1, &code);
        }
    }
    return failed;
}

static int add_by_value(scmp_filter_ctx filter, const tlm_harden_config *config)
{
    const scmp_datum_t self = (scmp_datum_t)getpid();
    const by_value always[] = {
        {"socket", 0, AF_UNIX},    {"kill", 0, self},
        {"tgkill", 0, self},       {"prlimit64", 0, 0},
        {"prlimit64", 0, self},    {"prctl", 0, PR_SET_NAME},
        {"prctl", 0, PR_GET_NAME}, {"prctl", 0, PR_GET_DUMPABLE},
        {"ioctl", 1, FIONREAD},    {"ioctl", 1, FIONBIO},
        {"ioctl", 1, TCGETS},
    };
    const by_value network[] = {
        {"socket", 0, AF_INET},
        {"socket", 0, AF_INET6},
        {"socket", 0, AF_NETLINK}, /* getaddrinfo asks for addresses */
    };
    int failed = add_values(filter, always, sizeof always / sizeof always[0]);
    if (failed == 0 && config->network) {
        failed = add_values(filter, network, sizeof network / sizeof network[0]);
    }
    return failed;
}

static int fill(scmp_filter_ctx filter, const tlm_harden_config *config)
{
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (failed == 0) {
        failed = add_list(filter, SCMP_ACT_KILL_PROCESS, fatal, sizeof fatal / sizeof fatal[0]);
    }
    if (failed != 0 || config->foreign_module) {
        return failed;
    }
    failed = add_list(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof allowed[0]);
    if (failed == 0) {
        failed = add_threads(filter);
    }
    if (failed == 0) {
        failed = add_memory(filter);
    }
    if (failed == 0) {
        failed = add_by_value(filter, config);
    }
    return failed;
}

void tlm_harden_seccomp(const tlm_harden_config *config)
{
    scmp_filter_ctx filter =
        seccomp_init(config->foreign_module ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
    if (filter == NULL) {
        tlm_harden_note_failed(STEP, "libseccomp made no filter");
        return;
    }
    int failed = fill(filter, config);
    if (failed == 0) {
        failed = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (failed != 0) {
        errno = -failed;
        tlm_harden_note_errno(STEP, "loading the filter");
        return;
    }
    tlm_harden_note(STEP, config->foreign_module ? "filter=refuse-some" : "filter=allow-some");
}
