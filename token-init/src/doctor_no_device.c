/* SPDX-License-Identifier: BSD-2-Clause */
/* What the doctor says where there is no device node: what the kernel knows of a TPM, its driver,
 * its version, and how a node that is missing alone is made. */
#include "doctor_checks.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

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

/* A line below /sys/class; empty where it cannot be read. */
static void read_attribute(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    text[0] = '\0';
    if (file == NULL) {
        return;
    }
    if (fgets(text, (int)size, file) == NULL) {
        text[0] = '\0';
    }
    text[strcspn(text, "\n")] = '\0';
    (void)fclose(file);
}

void tlm_exam_node_command(const char *path, char *command, size_t size)
{
    const char *name = strrchr(path, '/');
    char attribute[128];
    char numbers[32];
    name = name != NULL ? name + 1 : path;
    (void)snprintf(attribute, sizeof attribute, "/sys/class/%s/%.63s/dev",
                   strncmp(name, "tpmrm", 5) == 0 ? "tpmrm" : "tpm", name);
    read_attribute(attribute, numbers, sizeof numbers);
    char *colon = strchr(numbers, ':');
    if (colon == NULL) {
        (void)snprintf(command, size,
                       "udevadm trigger --subsystem-match=tpm --subsystem-match=tpmrm");
        return;
    }
    /* udev gives a node its owner, and makes none. */
    *colon = ' ';
    (void)snprintf(command, size, "mknod -m 0660 %s c %s && chown tss:tss %s", path, numbers, path);
}

/* The resource manager's node comes with TPM 2.0 only. */
static bool say_old_version(tlm_exam *exam, const char *path, const char *known)
{
    char attribute[128];
    char version[8];
    (void)snprintf(attribute, sizeof attribute, "/sys/class/tpm/%s/tpm_version_major", known);
    read_attribute(attribute, version, sizeof version);
    if (strcmp(version, "1") != 0) {
        return false;
    }
    tlm_finding *finding = tlm_exam_add(exam, "tpm-version", TLM_FINDING_PROBLEM);
    tlm_say(finding->cause, "the TPM is one of version 1.2, and 2.0 is needed");
    tlm_say(finding->evidence, "%s: %s; %s does not exist", attribute, version, path);
    tlm_say(finding->command, "switch the TPM to version 2.0 in the firmware's setup, where it has "
                              "both: systemctl reboot --firmware-setup");
    return true;
}

void tlm_exam_add_no_device(tlm_exam *exam, const char *path)
{
    char known[65] = "";
    char drivers[256];
    bool kernel = kernel_tpm(known, sizeof known);
    loaded_drivers(drivers, sizeof drivers);
    bool module = strcmp(drivers, "none") != 0;
    if (kernel && say_old_version(exam, path, known)) {
        return;
    }
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
        tlm_exam_node_command(path, finding->command, sizeof finding->command);
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
