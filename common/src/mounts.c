/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/mounts.h>

#include <stdlib.h>
#include <string.h>

#include "root_file.h"

/* Before the paths: the mount's number, its parent's, the device's. */
#define NUMBERS 3U

/* One word of a line: what stands between blanks. */
typedef struct word {
    const char *at;
    size_t size;
} word;

static bool take_word(const char **from, const char *end, word *taken)
{
    const char *at = *from;
    while (at < end && *at == ' ') {
        at++;
    }
    taken->at = at;
    while (at < end && *at != ' ') {
        at++;
    }
    taken->size = (size_t)(at - taken->at);
    *from = at;
    return taken->size > 0;
}

static bool is_octal(char digit)
{
    return digit >= '0' && digit <= '7';
}

/* The kernel writes blank, tab, newline and backslash as three octal digits. */
static bool copy_path(const word *from, char *to, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < from->size; i++) {
        char byte = from->at[i];
        if (byte == '\\' && from->size - i > 3 && from->at[i + 1] >= '0' &&
            from->at[i + 1] <= '3' && is_octal(from->at[i + 2]) && is_octal(from->at[i + 3])) {
            int value = (from->at[i + 1] - '0') * 64 + (from->at[i + 2] - '0') * 8 +
                        (from->at[i + 3] - '0');
            if (value == 0) {
                return false;
            }
            byte = (char)value;
            i += 3;
        }
        if (used + 1 >= size) {
            return false;
        }
        to[used++] = byte;
    }
    to[used] = '\0';
    return used > 0;
}

static bool same(const word *taken, const char *text)
{
    return taken->size == strlen(text) && memcmp(taken->at, text, taken->size) == 0;
}

/* Whether a list that commas part has this member. */
static bool has_member(const word *list, const char *member)
{
    size_t size = strlen(member);
    size_t at = 0;
    while (at < list->size) {
        const char *comma = memchr(list->at + at, ',', list->size - at);
        size_t length = comma != NULL ? (size_t)(comma - list->at) - at : list->size - at;
        if (length == size && memcmp(list->at + at, member, size) == 0) {
            return true;
        }
        at += length + 1;
    }
    return false;
}

/* 36 35 98:0 /root /point options optional… - type source super-options */
static bool parse_line(const char *at, const char *end, tlm_mount *mount)
{
    word skipped;
    word root;
    word point;
    word flags;
    word type;
    word options = {end, 0};
    for (size_t i = 0; i < NUMBERS; i++) {
        if (!take_word(&at, end, &skipped)) {
            return false;
        }
    }
    if (!take_word(&at, end, &root) || !take_word(&at, end, &point) ||
        !take_word(&at, end, &flags)) {
        return false;
    }
    do {
        if (!take_word(&at, end, &skipped)) {
            return false;
        }
    } while (!same(&skipped, "-"));
    if (!take_word(&at, end, &type) || type.size >= sizeof mount->type) {
        return false;
    }
    /* The source may be empty: two blanks. What is left then are the options. */
    (void)take_word(&at, end, &skipped);
    (void)take_word(&at, end, &options);
    memcpy(mount->type, type.at, type.size);
    mount->type[type.size] = '\0';
    mount->read_only = has_member(&flags, "ro");
    mount->options = options.at;
    mount->options_size = options.size;
    return copy_path(&root, mount->root, sizeof mount->root) &&
           copy_path(&point, mount->point, sizeof mount->point) && mount->point[0] == '/';
}

bool tlm_mounts_next(const char **next, tlm_mount *mount)
{
    while (**next != '\0') {
        const char *line = *next;
        const char *end = strchr(line, '\n');
        end = end != NULL ? end : line + strlen(line);
        *next = *end == '\n' ? end + 1 : end;
        if (parse_line(line, end, mount)) {
            return true;
        }
    }
    return false;
}

/* Whether the path is the point or lies below it. */
static bool below(const char *path, const char *point)
{
    size_t size = strlen(point);
    if (size == 1) {
        return path[0] == '/';
    }
    return strncmp(path, point, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

bool tlm_mounts_find(const char *text, const char *path, tlm_mount *mount)
{
    const char *best = NULL;
    size_t best_size = 0;
    const char *next = text;
    const char *line = next;
    while (tlm_mounts_next(&next, mount)) {
        size_t size = strlen(mount->point);
        if (below(path, mount->point) && size >= best_size) {
            best = line;
            best_size = size;
        }
        line = next;
    }
    return best != NULL && tlm_mounts_next(&best, mount);
}

bool tlm_mounts_look(const char *root, const char *path, tlm_mount *mount)
{
    char *text = tlm_root_text(root, "/proc/self/mountinfo", TLM_MOUNTS_MAX);
    bool found = text != NULL && tlm_mounts_find(text, path, mount);
    free(text);
    mount->options = "";
    mount->options_size = 0;
    return found;
}

bool tlm_mount_has_option(const tlm_mount *mount, const char *text)
{
    return memmem(mount->options, mount->options_size, text, strlen(text)) != NULL;
}
