/* SPDX-License-Identifier: BSD-2-Clause */
#include "harden_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * landlock(7). Its header differs from kernel to kernel and libc has no functions, so what is used
 * stands here by the kernel's own names and numbers, which never change; what the running kernel
 * does not know is masked out by its ABI version.
 */
#define STEP "files"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_VERSION 1U
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_REMOVE_DIR (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_CHAR (1ULL << 6)
#define FS_MAKE_DIR (1ULL << 7)
#define FS_MAKE_REG (1ULL << 8)
#define FS_MAKE_SOCK (1ULL << 9)
#define FS_MAKE_FIFO (1ULL << 10)
#define FS_MAKE_BLOCK (1ULL << 11)
#define FS_MAKE_SYM (1ULL << 12)
#define FS_REFER (1ULL << 13)     /* ABI 2 */
#define FS_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define FS_ABI_1 ((1ULL << 13) - 1)

#define NET_BIND_TCP (1ULL << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ULL << 1)

#define READ (FS_READ_FILE | FS_READ_DIR)
#define WRITE                                                                                      \
    (READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |           \
     FS_MAKE_SOCK | FS_TRUNCATE)
#define DEVICE (FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV)
/* A rule about a file may name only these. */
#define OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

typedef struct ruleset_attributes {
    uint64_t handled_fs;
    uint64_t handled_net; /* ABI 4 */
    uint64_t scoped;      /* ABI 6 */
} ruleset_attributes;

typedef struct path_attributes {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed)) path_attributes;

/* What libraries read: themselves, the clock's zone, names of users, certificates, entropy. */
static const char *const system_readable[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/ssl",
    "/etc/pkcs11",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/machine-id",
    "/etc/os-release",
    "/proc",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
};

/* Directories and devices as they were let in. */
static struct let_in {
    char path[PATH_MAX];
    dev_t device;
    ino_t inode;
} watched[2 * TLM_HARDEN_PATHS];
static size_t watched_count;

static uint64_t known_fs(long abi)
{
    uint64_t known = FS_ABI_1;
    known |= abi >= 2 ? FS_REFER : 0;
    known |= abi >= 3 ? FS_TRUNCATE : 0;
    known |= abi >= 5 ? FS_IOCTL_DEV : 0;
    return known;
}

static bool allow_file(int ruleset, int file, uint64_t access, uint64_t known)
{
    struct stat status;
    if (fstat(file, &status) != 0) {
        return false;
    }
    path_attributes rule = {.allowed = access & known, .parent = file};
    if (!S_ISDIR(status.st_mode)) {
        rule.allowed &= OF_FILES;
    }
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
}

/* What is not there needs no rule. */
static bool allow(int ruleset, const char *path, uint64_t access, uint64_t known)
{
    int file = open(path, O_PATH | O_CLOEXEC);
    if (file < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
    }
    bool done = allow_file(ruleset, file, access, known);
    (void)close(file);
    return done;
}

static void watch(const char *path)
{
    struct let_in *entry = &watched[watched_count];
    struct stat status = {0};
    /* One that is missing now counts as replaced as soon as it is there. */
    (void)stat(path, &status);
    (void)snprintf(entry->path, sizeof entry->path, "%s", path);
    entry->device = status.st_dev;
    entry->inode = status.st_ino;
    watched_count++;
}

/*
 * A directory to write in, or while it is missing the nearest one above it: a token may be
 * provisioned later. Never the root itself.
 */
static bool allow_writable(int ruleset, const char *path, uint64_t known)
{
    char place[PATH_MAX];
    (void)snprintf(place, sizeof place, "%s", path);
    int file = open(place, O_PATH | O_CLOEXEC);
    if (file >= 0) {
        watch(place);
    }
    while (file < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        char *slash = strrchr(place, '/');
        if (slash == NULL || slash == place) {
            return true;
        }
        *slash = '\0';
        file = open(place, O_PATH | O_CLOEXEC);
    }
    if (file < 0) {
        return errno == EACCES;
    }
    bool done = allow_file(ruleset, file, WRITE, known);
    (void)close(file);
    return done;
}

static bool allow_all(int ruleset, const tlm_harden_config *config, uint64_t known)
{
    bool good = allow(ruleset, "/dev/null", READ | FS_WRITE_FILE, known);
    for (size_t i = 0; i < sizeof system_readable / sizeof system_readable[0]; i++) {
        good = good && allow(ruleset, system_readable[i], READ, known);
    }
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->readable[i] != NULL; i++) {
        good = good && allow(ruleset, config->readable[i], READ, known);
    }
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->writable[i] != NULL; i++) {
        good = good && allow_writable(ruleset, config->writable[i], known);
    }
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->devices[i] != NULL; i++) {
        good = good && allow(ruleset, config->devices[i], DEVICE, known);
        watch(config->devices[i]);
    }
    return good;
}

/* systemd's socket for READY=1 may be an abstract one, which is outside by its nature. */
static bool notifies_abstract_socket(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    return name != NULL && name[0] == '@';
}

static int create(const tlm_harden_config *config, long abi)
{
    ruleset_attributes attributes = {.handled_fs = known_fs(abi)};
    size_t size = sizeof attributes.handled_fs;
    if (abi >= 4) {
        size = offsetof(ruleset_attributes, scoped);
        attributes.handled_net = NET_BIND_TCP | (config->network ? 0 : NET_CONNECT_TCP);
    }
    if (abi >= 6) {
        size = sizeof attributes;
        attributes.scoped = SCOPE_SIGNAL | (notifies_abstract_socket() ? 0 : SCOPE_ABSTRACT_UNIX);
    }
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
}

void tlm_harden_landlock(const tlm_harden_config *config)
{
    watched_count = 0;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    if (abi < 1) {
        tlm_harden_note_errno(STEP, "this kernel has no landlock");
        return;
    }
    int ruleset = create(config, abi);
    if (ruleset < 0) {
        tlm_harden_note_errno(STEP, "landlock_create_ruleset");
        return;
    }
    if (!allow_all(ruleset, config, known_fs(abi))) {
        tlm_harden_note_errno(STEP, "landlock_add_rule");
    } else if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        tlm_harden_note_errno(STEP, "landlock_restrict_self");
    } else {
        char detail[32];
        (void)snprintf(detail, sizeof detail, "landlock=%ld", abi);
        tlm_harden_note(STEP, detail);
        (void)close(ruleset);
        return;
    }
    watched_count = 0;
    (void)close(ruleset);
}

bool tlm_harden_outdated(void)
{
    for (size_t i = 0; i < watched_count; i++) {
        struct stat status;
        if (stat(watched[i].path, &status) == 0 &&
            (status.st_dev != watched[i].device || status.st_ino != watched[i].inode)) {
            return true;
        }
    }
    return false;
}
