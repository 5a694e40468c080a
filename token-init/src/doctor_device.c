/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's checks of the way to the TPM: build, device node, kernel module, group. */
#include "doctor_checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The first TPM the kernel knows, for example "tpm0"; false where it knows none. */
static bool kernel_tpm(char *name, size_t size)
{
    DIR *listing = opendir("/sys/class/tpm");
    bool found = false;
    const struct dirent *entry = NULL;
    while (listing != NULL && !found && (entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(name, size, "%.63s", entry->d_name);
            found = true;
        }
    }
    if (listing != NULL) {
        (void)closedir(listing);
    }
    return found;
}

/* Names of loaded TPM drivers out of /proc/modules; "none" where there are none. */
static void loaded_drivers(char *names, size_t size)
{
    FILE *modules = fopen("/proc/modules", "re");
    char line[512];
    size_t used = 0;
    names[0] = '\0';
    while (modules != NULL && fgets(line, sizeof line, modules) != NULL) {
        if (strncmp(line, "tpm_", 4) == 0 && used < size) {
            int length = snprintf(names + used, size - used, "%s%.*s", used > 0 ? " " : "",
                                  (int)strcspn(line, " "), line);
            used += length > 0 ? (size_t)length : 0;
        }
    }
    if (modules != NULL) {
        (void)fclose(modules);
    }
    if (names[0] == '\0') {
        (void)snprintf(names, size, "none");
    }
}

static void say_no_device(tlm_exam *exam, const char *path)
{
    char known[65] = "";
    char drivers[256];
    bool kernel = kernel_tpm(known, sizeof known);
    loaded_drivers(drivers, sizeof drivers);
    bool module = strcmp(drivers, "none") != 0;
    tlm_finding *finding =
        tlm_exam_add(exam, kernel || module ? "no-device" : "no-module", TLM_FINDING_PROBLEM);
    tlm_say(finding->evidence, "%s does not exist; /sys/class/tpm: %s; loaded drivers: %s", path,
            kernel ? known : "empty", drivers);
    if (exam->container) {
        tlm_say(finding->cause, "%s",
                kernel ? "the TPM of the host was not passed to the container"
                       : "there is no TPM in the container, and the host shows none");
        tlm_say(finding->command, "%sdocker run --device /dev/tpmrm0:/dev/tpmrm0 ...",
                kernel ? "" : "on the host: modprobe tpm_tis; modprobe tpm_crb; then: ");
        return;
    }
    if (kernel) {
        tlm_say(finding->cause, "the kernel knows a TPM, but its device node is missing");
        tlm_say(finding->command, "udevadm trigger --subsystem-match=tpm --subsystem-match=tpmrm");
        return;
    }
    if (module) {
        tlm_say(finding->cause, "a TPM driver is loaded, but it found no TPM");
        tlm_say(finding->command, "switch the TPM (fTPM, PTT) on in the firmware's setup: "
                                  "systemctl reboot --firmware-setup");
        return;
    }
    tlm_say(finding->cause, "no TPM: no driver is loaded, and the kernel shows none");
    tlm_say(finding->command, "modprobe tpm_tis; modprobe tpm_crb; if /dev/tpmrm0 does not appear, "
                              "switch the TPM on in the firmware's setup");
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
        tlm_say(finding->command, "mv %s %s.old && udevadm trigger --subsystem-match=tpmrm", path,
                path);
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

static void say_permission(tlm_exam *exam, const char *path, const struct stat *info)
{
    char groups[512];
    own_groups(groups, sizeof groups);
    tlm_finding *finding = tlm_exam_add(exam, "device-permission", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "this user may not open %s: it is not in the device's group", path);
    tlm_say(finding->evidence, "%s: owner uid %u, gid %u, mode %04o; this process: uid %u, gids %s",
            path, info->st_uid, info->st_gid, info->st_mode & 07777U, geteuid(), groups);
    bool group_may = (info->st_mode & 060U) == 060U;
    const struct group *group = getgrgid(info->st_gid);
    if (!group_may) {
        tlm_say(finding->command, "chmod g+rw %s (the usual mode is 0660, group tss)", path);
    } else if (exam->container) {
        tlm_say(finding->command, "docker run --group-add %u ...", info->st_gid);
    } else if (group != NULL) {
        tlm_say(finding->command, "usermod -aG %s $(id -un %u), then log in again", group->gr_name,
                geteuid());
    } else {
        tlm_say(finding->command,
                "groupadd -g %u tss && usermod -aG tss $(id -un %u), then log in again",
                info->st_gid, geteuid());
    }
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
        say_no_device(exam, path);
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
