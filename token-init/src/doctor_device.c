/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's checks of the way to the TPM: build, device node, group. */
#include "doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <tlm/file.h>

#define GROUPS_MAX 64

void tlm_check_build(tlm_exam *exam)
{
#ifdef TLM_TPM_ON
    (void)exam;
#else
    if (exam->tpm_wanted && exam->provisioned) {
        tlm_finding *finding = tlm_exam_add(exam, "build-without-tpm", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "this program was built without TPM support");
        tlm_say(finding->evidence, "it was made with -DTPM_ON=OFF; the token in %s is in a TPM",
                exam->job.directory);
        tlm_say(finding->command, "cmake -S . -B build -DTPM_ON=ON && cmake --build build");
    }
#endif
}

static void say_no_node(tlm_exam *exam, const char *path, const struct stat *info)
{
    tlm_finding *finding = tlm_exam_add(exam, "device-no-node", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "%s is a %s and not a device%s", path,
            S_ISDIR(info->st_mode) ? "directory" : "file",
            exam->container ? ": it was passed as a volume" : "");
    tlm_say(finding->evidence, "%s: type %s, mode %04o, owner %u:%u", path,
            S_ISDIR(info->st_mode) ? "directory" : "regular file", info->st_mode & 07777U,
            info->st_uid, info->st_gid);
    if (exam->container) {
        tlm_say(finding->command, "docker run --device %s:%s ... (instead of -v)", path, path);
    } else {
        char node[256];
        tlm_exam_node_command(path, node, sizeof node);
        tlm_say(finding->command, "mv %s %s.old && %s", path, path, node);
    }
}

static void own_groups(char *text, size_t size)
{
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);
    int used = snprintf(text, size, "%u", getegid());
    for (int i = 0; i < count && used > 0 && (size_t)used < size; i++) {
        used += snprintf(text + used, size - (size_t)used, ",%u", groups[i]);
    }
}

/* Free for a group that this host has no name for yet. */
static const char *free_group_name(void)
{
    return getgrnam("tss") == NULL ? "tss" : "tpm";
}

static void say_permission_command(const tlm_exam *exam, tlm_finding *finding, const char *path,
                                   const struct stat *info)
{
    const bool group_may = (info->st_mode & 060U) == 060U;
    const struct group *group = getgrgid(info->st_gid);
    if (strcmp(path, "/dev/tpm0") == 0) {
        /* The rule gives it to nobody but user tss; a way in would be one into group root. */
        tlm_say(finding->command,
                "name device:/dev/tpmrm0 instead, which is there to be shared "
                "(%s names /dev/tpm0)",
                exam->job.candidates.items[0].origin);
    } else if (info->st_gid == 0 && !exam->container) {
        /* As the kernel makes it: the rule that comes with the package was not applied. */
        tlm_say(finding->command,
                getgrnam("tss") != NULL
                    ? "chgrp tss %s && chmod 0660 %s (at each boot the package tpm-udev does it)"
                    : "apt install tpm-udev && udevadm trigger --subsystem-match=tpmrm",
                path, path);
    } else if (!group_may) {
        tlm_say(finding->command, "chmod g+rw %s (the usual mode is 0660, group tss)", path);
    } else if (exam->container) {
        tlm_say(finding->command, "docker run --group-add %u ...", info->st_gid);
    } else if (group != NULL) {
        tlm_say(finding->command, "usermod -aG %s $(id -un %u), then log in again", group->gr_name,
                geteuid());
    } else {
        tlm_say(finding->command,
                "groupadd -g %u %s && usermod -aG %s $(id -un %u), then log in again", info->st_gid,
                free_group_name(), free_group_name(), geteuid());
    }
}

static void say_permission(tlm_exam *exam, const char *path, const struct stat *info)
{
    char groups[512];
    own_groups(groups, sizeof groups);
    tlm_finding *finding = tlm_exam_add(exam, "device-permission", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "this user may not open %s: it is not in the device's group", path);
    tlm_say(finding->evidence, "%s: owner uid %u, gid %u, mode %04o; this process: uid %u, gids %s",
            path, info->st_uid, info->st_gid, info->st_mode & 07777U, geteuid(), groups);
    say_permission_command(exam, finding, path, info);
}

/* The device cgroup of a container answers EPERM for a node that was bind-mounted. */
static void say_volume(tlm_exam *exam, const char *path, const struct stat *info)
{
    tlm_finding *finding = tlm_exam_add(exam, "device-volume", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause,
            "the kernel refuses to open %s: it was passed as a volume, or its "
            "device is not allowed here",
            path);
    tlm_say(finding->evidence, "%s: device %u:%u, mode %04o, owner %u:%u; open: %s", path,
            major(info->st_rdev), minor(info->st_rdev), info->st_mode & 07777U, info->st_uid,
            info->st_gid, strerrordesc_np(EPERM));
    tlm_say(finding->command, "docker run --device %s:%s ... (instead of -v)", path, path);
}

static void say_unreachable(tlm_exam *exam)
{
    const tlm_error *error = &exam->tpm_error;
    tlm_finding *finding = tlm_exam_add(
        exam, error->result == TLM_ERR_LOCKED ? "lockout" : "tpm-unreachable", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the TPM does not answer");
    tlm_say(finding->evidence, "%s", error->message);
    /* Errors of the connection send people here; the way on is then the log. */
    if (error->hint[0] != '\0' && strstr(error->hint, "tlm-token-init doctor") == NULL) {
        tlm_say(finding->command, "%s", error->hint);
    } else {
        tlm_say(finding->command, "%senv TSS2_LOG=all+debug tlm-token-init status", exam->prefix);
    }
}

/* The device node of a candidate, or NULL where it is none. */
static const char *node_of(const tlm_tcti *tcti)
{
    return strncmp(tcti->conf, "device:", 7) == 0 ? tcti->conf + 7 : NULL;
}

static bool explain_node(tlm_exam *exam, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        tlm_exam_add_no_device(exam, path);
        return true;
    }
    if (!S_ISCHR(info.st_mode)) {
        say_no_node(exam, path, &info);
        return true;
    }
    int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int cause = errno;
    if (file >= 0) {
        (void)close(file);
        return false;
    }
    switch (cause) {
    case EACCES:
        say_permission(exam, path, &info);
        return true;
    case EPERM:
        say_volume(exam, path, &info);
        return true;
    case EBUSY: {
        tlm_finding *finding = tlm_exam_add(exam, "device-busy", TLM_FINDING_PROBLEM);
        tlm_say(finding->cause, "another program has %s for itself", path);
        tlm_say(finding->evidence, "open: %s", strerrordesc_np(cause));
        tlm_say(finding->command, "fuser -v %s shows who; use device:/dev/tpmrm0, which is shared",
                path);
        return true;
    }
    default:
        return false;
    }
}

void tlm_check_device(tlm_exam *exam)
{
    const tlm_tcti_list *list = &exam->job.candidates;
    if (!exam->tpm_wanted || exam->job.used != NULL ||
        exam->tpm_error.result == TLM_ERR_UNSUPPORTED) {
        return;
    }
    /* The first candidate is the one that is meant; the others are there for other hosts. */
    const char *node = list->count > 0 ? node_of(&list->items[0]) : NULL;
    if (node != NULL && node[0] == '/' && explain_node(exam, node)) {
        return;
    }
    say_unreachable(exam);
}
