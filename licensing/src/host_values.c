/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_private.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <tlm/mounts.h>

/* What firmware says where nobody set a value; such boards would all look alike. */
static const char *const placeholders[] = {
    "To be filled by O.E.M.",
    "To Be Filled By O.E.M.",
    "Default string",
    "Not Specified",
    "Not Applicable",
    "Not Available",
    "System Serial Number",
    "Base Board Serial Number",
    "None",
    "N/A",
    "Unknown",
    "INVALID",
    "123456789",
    "0123456789",
    "03000200-0400-0500-0006-000700080009", /* one board maker's sample UUID */
};

/* Only zeros, only 'f's, only blanks and dots: nothing was programmed. */
static bool uniform(const char *value)
{
    char first = '\0';
    for (const char *next = value; *next != '\0'; next++) {
        if (isalnum((unsigned char)*next) == 0) {
            continue;
        }
        char digit = (char)tolower((unsigned char)*next);
        if (first == '\0') {
            first = digit;
        }
        if (digit != first) {
            return false;
        }
    }
    return first == '\0' || first == '0' || first == 'f' || first == 'x';
}

static bool meaningful(const char *value)
{
    for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++) {
        if (strcasecmp(value, placeholders[i]) == 0) {
            return false;
        }
    }
    return !uniform(value);
}

/* The lines of the first processor that name its make; its clock and its count change. */
bool tlm_host_cpu(const tlm_host_root *root, char *value)
{
    static const char *const names[] = {
        "vendor_id",    "cpu family",      "model",
        "model name",   "stepping",        "CPU part",
        "CPU variant",  "CPU implementer", "CPU architecture",
        "CPU revision", "cpu_id",          "uarch",
        "isa",          "machine",
    };
    char text[TLM_HOST_TEXT_MAX];
    tlm_host_set lines = {.count = 0};
    if (!tlm_host_content(root, "/proc/cpuinfo", text, sizeof text)) {
        return false;
    }
    char *end = strstr(text, "\n\n");
    if (end != NULL) {
        *end = '\0';
    }
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        size_t length = strcspn(line, "\t:");
        for (size_t i = 0; colon != NULL && i < sizeof names / sizeof *names; i++) {
            if (strlen(names[i]) == length && strncmp(line, names[i], length) == 0) {
                char item[TLM_HOST_ITEM_MAX];
                (void)snprintf(item, sizeof item, "%s=%.90s", names[i],
                               colon + 1 + strspn(colon + 1, " \t"));
                tlm_host_set_add(&lines, item);
            }
        }
    }
    return tlm_host_set_join(&lines, value);
}

bool tlm_host_system(const tlm_host_root *root, char *value)
{
    if (!tlm_host_line(root, "/sys/class/dmi/id/product_uuid", value, TLM_HOST_TEXT_MAX) ||
        !meaningful(value)) {
        return false;
    }
    for (char *next = value; *next != '\0'; next++) {
        *next = (char)tolower((unsigned char)*next); /* kernels differ in the case */
    }
    return true;
}

bool tlm_host_board(const tlm_host_root *root, char *value)
{
    return tlm_host_line(root, "/sys/class/dmi/id/board_serial", value, TLM_HOST_TEXT_MAX) &&
           meaningful(value);
}

/* Whether the container's /etc/machine-id is a file of the host with that name, mounted there. */
static bool is_mounted_machine_id(const tlm_host_root *root)
{
    static const char name[] = "/etc/machine-id";
    bool found = false;
    tlm_mount *mount = malloc(sizeof *mount);
    if (mount != NULL && tlm_mounts_look(root->path, name, mount) &&
        strcmp(mount->point, name) == 0) {
        /* systemd in a container mounts one of its own there, out of /run. */
        size_t length = strlen(mount->root);
        found = length >= sizeof name - 1 &&
                strcmp(mount->root + length - (sizeof name - 1), name) == 0;
    }
    free(mount);
    return found;
}

/*
 * A container's own /etc/machine-id says nothing of the host: it is the image's, or new each time.
 * Managers that pass the host's put it in /run/host; an operator mounts it in its own place.
 */
bool tlm_host_machine_id(const tlm_host_root *root, char *value)
{
    const char *path = "/etc/machine-id";
    if (root->container && !is_mounted_machine_id(root)) {
        path = "/run/host/etc/machine-id";
    }
    return tlm_host_line(root, path, value, TLM_HOST_TEXT_MAX) && strlen(value) == 32 &&
           meaningful(value);
}

typedef void (*visit)(const tlm_host_root *root, const char *name, tlm_host_set *set);

static bool collect(const tlm_host_root *root, const char *directory, visit add, char *value)
{
    char path[PATH_MAX];
    tlm_host_set set = {.count = 0};
    const char *top = strcmp(root->path, "/") == 0 ? "" : root->path;
    int length = snprintf(path, sizeof path, "%s%s", top, directory);
    DIR *list = length > 0 && (size_t)length < sizeof path ? opendir(path) : NULL;
    if (list == NULL) {
        return false;
    }
    for (const struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
        if (entry->d_name[0] != '.') {
            add(root, entry->d_name, &set);
        }
    }
    (void)closedir(list);
    return tlm_host_set_join(&set, value);
}

static bool attribute(const tlm_host_root *root, const char *class, const char *name,
                      const char *file, char value[TLM_HOST_ITEM_MAX])
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%s/%s", class, name, file);
    return length > 0 && (size_t)length < sizeof path &&
           tlm_host_line(root, path, value, TLM_HOST_ITEM_MAX);
}

static bool has(const tlm_host_root *root, const char *class, const char *name, const char *file)
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%s/%s", class, name, file);
    return length > 0 && (size_t)length < sizeof path && tlm_host_exists(root, path);
}

static bool on_usb(const tlm_host_root *root, const char *class, const char *name)
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%s", class, name);
    return length > 0 && (size_t)length < sizeof path && tlm_host_link_has(root, path, "/usb");
}

/* Loop, mapper, RAM and network disks have no `device`; sticks and USB disks come and go. */
static void add_disk(const tlm_host_root *root, const char *name, tlm_host_set *set)
{
    static const char class[] = "/sys/block";
    static const char *const files[] = {"serial", "device/serial", "wwid", "device/wwid"};
    char value[TLM_HOST_ITEM_MAX];
    bool fixed = attribute(root, class, name, "removable", value) && strcmp(value, "0") == 0;
    if (!fixed || !has(root, class, name, "device") || on_usb(root, class, name)) {
        return;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (attribute(root, class, name, files[i], value) && meaningful(value)) {
            tlm_host_set_add(set, value);
            return;
        }
    }
}

bool tlm_host_disk(const tlm_host_root *root, char *value)
{
    return collect(root, "/sys/block", add_disk, value);
}

/*
 * Only the address that the maker burnt into a card of this host: `device` leaves out bridges,
 * tunnels and a container's veth, addr_assign_type random and set addresses, the second bit of the
 * first byte those that virtual machines are given (IEEE 802, locally administered).
 */
static void add_network(const tlm_host_root *root, const char *name, tlm_host_set *set)
{
    static const char class[] = "/sys/class/net";
    char value[TLM_HOST_ITEM_MAX];
    if (!has(root, class, name, "device") || has(root, class, name, "device/physfn") ||
        on_usb(root, class, name)) {
        return;
    }
    if (attribute(root, class, name, "addr_assign_type", value) && strcmp(value, "0") != 0) {
        return;
    }
    if (!attribute(root, class, name, "address", value) || strlen(value) != 17 || value[2] != ':') {
        return;
    }
    unsigned long first = strtoul(value, NULL, 16);
    if ((first & 3UL) == 0 && meaningful(value)) {
        tlm_host_set_add(set, value);
    }
}

bool tlm_host_network(const tlm_host_root *root, char *value)
{
    return collect(root, "/sys/class/net", add_network, value);
}
