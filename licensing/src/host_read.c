/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool path_of(const tlm_host_root *root, const char *path, char full[PATH_MAX])
{
    const char *top = strcmp(root->path, "/") == 0 ? "" : root->path;
    int length = snprintf(full, PATH_MAX, "%s%s", top, path);
    return length > 0 && length < PATH_MAX;
}

/* One read: /sys and /proc files answer what matters here with the first one. */
bool tlm_host_content(const tlm_host_root *root, const char *path, char *value, size_t size)
{
    char full[PATH_MAX];
    if (!path_of(root, path, full)) {
        return false;
    }
    int file = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        return false;
    }
    ssize_t got = read(file, value, size - 1);
    (void)close(file);
    if (got < 0) {
        return false;
    }
    value[got] = '\0';
    return true;
}

bool tlm_host_line(const tlm_host_root *root, const char *path, char *value, size_t size)
{
    static const char blanks[] = " \t\r\n";
    if (!tlm_host_content(root, path, value, size)) {
        return false;
    }
    size_t skip = strspn(value, " \t");
    size_t length = strcspn(value + skip, "\r\n");
    while (length > 0 && strchr(blanks, value[skip + length - 1]) != NULL) {
        length--;
    }
    memmove(value, value + skip, length);
    value[length] = '\0';
    return length > 0;
}

bool tlm_host_exists(const tlm_host_root *root, const char *path)
{
    char full[PATH_MAX];
    struct stat info;
    return path_of(root, path, full) && lstat(full, &info) == 0;
}

bool tlm_host_link_has(const tlm_host_root *root, const char *path, const char *part)
{
    char full[PATH_MAX];
    char target[PATH_MAX];
    if (!path_of(root, path, full)) {
        return false;
    }
    ssize_t length = readlink(full, target, sizeof target - 1);
    if (length < 0) {
        return false;
    }
    target[length] = '\0';
    return strstr(target, part) != NULL;
}

void tlm_host_set_add(tlm_host_set *set, const char *item)
{
    size_t at = 0;
    while (at < set->count && strcmp(set->items[at], item) < 0) {
        at++;
    }
    if (at == TLM_HOST_SET_MAX || (at < set->count && strcmp(set->items[at], item) == 0)) {
        return;
    }
    size_t moved = set->count - at;
    if (set->count == TLM_HOST_SET_MAX) {
        moved--;
    } else {
        set->count++;
    }
    memmove(set->items[at + 1], set->items[at], moved * TLM_HOST_ITEM_MAX);
    (void)snprintf(set->items[at], TLM_HOST_ITEM_MAX, "%s", item);
}

bool tlm_host_set_join(const tlm_host_set *set, char *value)
{
    size_t used = 0;
    value[0] = '\0';
    for (size_t i = 0; i < set->count; i++) {
        int length = snprintf(value + used, TLM_HOST_TEXT_MAX - used, "%s%s", i == 0 ? "" : "\n",
                              set->items[i]);
        if (length < 0 || (size_t)length >= TLM_HOST_TEXT_MAX - used) {
            break;
        }
        used += (size_t)length;
    }
    return used > 0;
}
