/* SPDX-License-Identifier: BSD-2-Clause */
#include "root_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

#define LINE_FILE_MAX 65536U
#define ENVIRON_MAX 262144U

static bool is_system(const char *root)
{
    return strcmp(root, "/") == 0;
}

static char *path_below(const char *root, const char *path)
{
    return is_system(root) ? strdup(path) : tlm_path_join(root, path + 1);
}

static char *read_text(const char *root, const char *path, size_t max, size_t *size)
{
    char *text = NULL;
    char *full = path_below(root, path);
    if (full != NULL && tlm_file_read(full, max, &text, size, NULL) != TLM_OK) {
        text = NULL;
    }
    free(full);
    return text;
}

char *tlm_root_text(const char *root, const char *path, size_t max)
{
    size_t size = 0;
    return read_text(root, path, max, &size);
}

bool tlm_root_line(const char *root, const char *path, char *line, size_t size)
{
    char *text = tlm_root_text(root, path, LINE_FILE_MAX);
    line[0] = '\0';
    if (text == NULL) {
        return false;
    }
    const char *begin = text + strspn(text, " \t");
    size_t length = strcspn(begin, "\r\n");
    while (length > 0 && (begin[length - 1] == ' ' || begin[length - 1] == '\t')) {
        length--;
    }
    (void)snprintf(line, size, "%.*s", (int)length, begin);
    free(text);
    return line[0] != '\0';
}

bool tlm_root_exists(const char *root, const char *path)
{
    char *full = path_below(root, path);
    bool exists = full != NULL && tlm_file_exists(full);
    free(full);
    return exists;
}

/* The text behind "NAME=" among strings that zero bytes end; NULL where there is none. */
static const char *find_variable(const char *text, size_t size, const char *name)
{
    size_t length = strlen(name);
    for (size_t at = 0; at < size; at += strlen(text + at) + 1) {
        if (strncmp(text + at, name, length) == 0 && text[at + length] == '=') {
            return text + at + length + 1;
        }
    }
    return NULL;
}

bool tlm_root_variable(const char *root, const char *name, char *value, size_t size)
{
    char *text = NULL;
    size_t text_size = 0;
    const char *found = NULL;
    if (is_system(root)) {
        found = getenv(name);
    } else {
        text = read_text(root, "/proc/self/environ", ENVIRON_MAX, &text_size);
        found = text != NULL ? find_variable(text, text_size, name) : NULL;
    }
    (void)snprintf(value, size, "%s", found != NULL ? found : "");
    free(text);
    return value[0] != '\0';
}
