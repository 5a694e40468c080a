/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/tcti.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tcti_internal.h"

#define SYSTEM_BUS "/run/dbus/system_bus_socket"
#define MANAGED_DEVICE "/dev/tpmrm0"

static tlm_result no_device(const char *path, tlm_error *error)
{
    tlm_result result = tlm_error_set(error, TLM_ERR_TPM_UNAVAILABLE, NULL,
                                      "there is no device %s: no TPM 2.0, its kernel module is not "
                                      "loaded, or the container was not given the device",
                                      path);
    tlm_error_set_hint(error,
                       "on the host: sudo modprobe tpm_tis || sudo modprobe tpm_crb; in a "
                       "container: start it with --device %s",
                       path);
    return result;
}

static tlm_result not_a_device(const char *path, const struct stat *info, tlm_error *error)
{
    const char *what = S_ISDIR(info->st_mode)   ? "a directory"
                       : S_ISREG(info->st_mode) ? "a regular file"
                                                : "not a character device";
    tlm_result result =
        tlm_error_set(error, TLM_ERR_TPM_UNAVAILABLE, NULL,
                      "%s is %s, no TPM device: it was passed to the container as a volume (-v, "
                      "--volume) and not as a device, or something was written there",
                      path, what);
    if (strncmp(path, "/dev/tpm", 8) != 0) {
        tlm_error_set_hint(error, "name the TPM's device node: --tpm-device " MANAGED_DEVICE);
        return result;
    }
    tlm_error_set_hint(error,
                       "start the container with --device %s in place of -v %s; on a host: sudo mv "
                       "%s /root/ && sudo udevadm trigger",
                       path, path, path);
    return result;
}

/* Our supplementary groups by number, "0 4 113": the names of host and container may differ. */
static void groups_text(char *buffer, size_t size)
{
    buffer[0] = '\0';
    int count = getgroups(0, NULL);
    gid_t *groups = count > 0 ? calloc((size_t)count, sizeof *groups) : NULL;
    count = groups != NULL ? getgroups(count, groups) : 0;
    size_t used = 0;
    for (int i = 0; i < count && used < size; i++) {
        int done = snprintf(buffer + used, size - used, " %u", (unsigned)groups[i]);
        used += done > 0 ? (size_t)done : 0;
    }
    free(groups);
}

/* Name of a group, false where this system (a container, mostly) has none for the number. */
static bool group_name(gid_t gid, char *name, size_t size)
{
    char buffer[4096];
    struct group entry;
    struct group *found = NULL;
    if (getgrgid_r(gid, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL) {
        return false;
    }
    (void)snprintf(name, size, "%s", found->gr_name);
    return true;
}

static void permission_hint(const char *path, const struct stat *info, tlm_error *error)
{
    unsigned gid = (unsigned)info->st_gid;
    char name[64];
    if (gid == 0 || (info->st_mode & 060U) != 060U) {
        /* The group of the node gives nothing: a udev rule has to. */
        tlm_error_set_hint(error,
                           "sudo chgrp tss %s && sudo chmod 660 %s (kept by the udev rule of "
                           "the package tpm-udev); in a container: --group-add <gid of tss>",
                           path, path);
    } else if (group_name(info->st_gid, name, sizeof name)) {
        tlm_error_set_hint(error,
                           "sudo usermod -aG %s $USER and log in anew; in a container: start it "
                           "with --group-add %u",
                           name, gid);
    } else {
        tlm_error_set_hint(
            error,
            "group %u has no name here: in a container start it with --group-add %u; "
            "on a host: sudo groupadd -g %u tss && sudo usermod -aG tss $USER",
            gid, gid, gid);
    }
}

static tlm_result refused(const char *path, const struct stat *info, int number, tlm_error *error)
{
    char groups[192];
    char owner[64] = "?";
    groups_text(groups, sizeof groups);
    (void)group_name(info->st_gid, owner, sizeof owner);
    errno = number;
    tlm_result result = tlm_error_set_errno(
        error, NULL,
        "opening %s (owner uid %u, group gid %u %s, mode %04o) as uid %u gid %u with groups%s",
        path, (unsigned)info->st_uid, (unsigned)info->st_gid, owner,
        (unsigned)(info->st_mode & 07777U), (unsigned)geteuid(), (unsigned)getegid(),
        groups[0] != '\0' ? groups : " none");
    if (number == EPERM) {
        /* The mode would say EACCES: this comes from the container's device control group. */
        tlm_error_set_hint(error,
                           "the container may not use the device: pass it with --device %s, not "
                           "with -v or --volume",
                           path);
        return result;
    }
    permission_hint(path, info, error);
    return result;
}

static tlm_result open_failed(const char *path, const struct stat *info, int number,
                              tlm_error *error)
{
    switch (number) {
    case EACCES:
    case EPERM:
        return refused(path, info, number, error);
    case ENXIO:
    case ENODEV:
        errno = number;
        (void)tlm_error_set_errno(error, NULL, "opening %s: no driver stands behind the node",
                                  path);
        tlm_error_set_hint(error, "on the host: sudo modprobe tpm_tis || sudo modprobe tpm_crb");
        break;
    case EBUSY:
        errno = number;
        (void)tlm_error_set_errno(error, NULL, "opening %s", path);
        tlm_error_set_hint(error,
                           "another program holds it: sudo fuser -v %s; use " MANAGED_DEVICE
                           ", which many can share",
                           path);
        break;
    default:
        errno = number;
        (void)tlm_error_set_errno(error, "see the kernel's log: sudo dmesg | grep -i tpm",
                                  "opening %s", path);
        break;
    }
    if (error != NULL) {
        error->result = number == EBUSY ? TLM_ERR_BUSY : TLM_ERR_TPM_UNAVAILABLE;
    }
    return number == EBUSY ? TLM_ERR_BUSY : TLM_ERR_TPM_UNAVAILABLE;
}

/* /dev/tpm0, /dev/tpm1 …: one process at a time, and tpm2-pkcs11 opens its device twice. */
static bool is_exclusive(const char *path)
{
    static const char prefix[] = "/dev/tpm";
    char *real = realpath(path, NULL);
    const char *shown = real != NULL ? real : path;
    const char *number = shown + sizeof prefix - 1;
    bool exclusive = strncmp(shown, prefix, sizeof prefix - 1) == 0 && *number != '\0' &&
                     strspn(number, "0123456789") == strlen(number);
    free(real);
    return exclusive;
}

static tlm_result check_device(const char *path, tlm_error *error)
{
    if (is_exclusive(path)) {
        return tlm_error_set(
            error, TLM_ERR_UNSUPPORTED,
            "use the resource manager's node: --tcti device:" MANAGED_DEVICE
            " (in a container also --device " MANAGED_DEVICE ")",
            "%s can be opened once at a time and tpm2-pkcs11 opens it twice (EBUSY)", path);
    }
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return no_device(path, error);
        }
        return tlm_error_set_errno(error, NULL, "looking at %s", path);
    }
    if (!S_ISCHR(info.st_mode)) {
        return not_a_device(path, &info, error);
    }
    int file = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        return open_failed(path, &info, errno, error);
    }
    (void)close(file);
    return TLM_OK;
}

static tlm_result check_socket(const char *path, const char *hint, tlm_error *error)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        tlm_result result = tlm_error_set_errno(error, hint, "looking for the socket %s", path);
        if (result != TLM_ERR_PERMISSION && error != NULL) {
            error->result = TLM_ERR_TPM_UNAVAILABLE;
        }
        return result == TLM_ERR_PERMISSION ? result : TLM_ERR_TPM_UNAVAILABLE;
    }
    if (!S_ISSOCK(info.st_mode)) {
        return tlm_error_set(error, TLM_ERR_TPM_UNAVAILABLE, hint, "%s is not a socket", path);
    }
    return TLM_OK;
}

/* swtpm:path=/…; a TCP socket is only known to be there by talking to it. */
static tlm_result check_simulator(const char *options, tlm_error *error)
{
    const char *path = strstr(options, "path=");
    if (path == NULL) {
        return TLM_OK;
    }
    path += strlen("path=");
    size_t length = strcspn(path, ",");
    struct sockaddr_un address;
    if (length == 0 || length >= sizeof address.sun_path) {
        return tlm_error_set(error, TLM_ERR_SETTING, "use a shorter directory",
                             "the path of a unix socket has 1 to %zu bytes, not %zu",
                             sizeof address.sun_path - 1, length);
    }
    memcpy(address.sun_path, path, length);
    address.sun_path[length] = '\0';
    return check_socket(address.sun_path,
                        "start the simulator: swtpm socket --tpm2 --server "
                        "type=unixio,path=… with the same path",
                        error);
}

/* The broker is reached over the system bus; on another bus only the loader knows where. */
static tlm_result check_broker(const char *options, tlm_error *error)
{
    if (strstr(options, "bus_type=session") != NULL || getenv("DBUS_SYSTEM_BUS_ADDRESS") != NULL) {
        return TLM_OK;
    }
    return check_socket(SYSTEM_BUS,
                        "sudo apt-get install tpm2-abrmd && sudo systemctl start dbus tpm2-abrmd",
                        error);
}

tlm_result tlm_tcti_check(const tlm_tcti *tcti, tlm_error *error)
{
    if (tcti == NULL || tcti->conf == NULL || tcti->conf[0] == '\0') {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "checking a TPM interface without name");
    }
    char name[32];
    const char *rest = NULL;
    tlm_tcti_split(tcti->conf, name, sizeof name, &rest);
    if (strcmp(name, "device") == 0) {
        return check_device(rest[0] != '\0' ? rest : MANAGED_DEVICE, error);
    }
    if (strcmp(name, "swtpm") == 0 || strcmp(name, "mssim") == 0) {
        return check_simulator(rest, error);
    }
    if (strcmp(name, "tabrmd") == 0) {
        return check_broker(rest, error);
    }
    return TLM_OK; /* the loader knows more of them (cmd, pcap, …) than we do */
}
