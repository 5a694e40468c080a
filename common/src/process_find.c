/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/process.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the build tree keeps programs, as seen from a part's folder and from tests/unit. */
static const char *const build_places[] = {
    "../token-init",    "../httpd",    "../pkcs11-glue/tokend",
    "../../token-init", "../../httpd", "../../pkcs11-glue/tokend",
};

static bool runnable(const char *path, struct stat *info)
{
    return stat(path, info) == 0 && S_ISREG(info->st_mode) && access(path, X_OK) == 0;
}

static char *beside_executable(const char *name)
{
    char self[PATH_MAX];
    struct stat own;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0 || stat("/proc/self/exe", &own) != 0) {
        return NULL;
    }
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL) {
        return NULL;
    }
    *slash = '\0';
    char path[PATH_MAX];
    struct stat info;
    int size = snprintf(path, sizeof path, "%s/%s", self, name);
    if (size > 0 && (size_t)size < sizeof path && runnable(path, &info)) {
        return strdup(path);
    }
    for (size_t i = 0; i < sizeof build_places / sizeof build_places[0]; i++) {
        size = snprintf(path, sizeof path, "%s/%s/%s", self, build_places[i], name);
        bool fits = size > 0 && (size_t)size < sizeof path;
        /* In a shared directory like /tmp anybody could put a folder of that name beside ours. */
        if (fits && runnable(path, &info) && info.st_uid == own.st_uid) {
            return realpath(path, NULL);
        }
    }
    return NULL;
}

static char *in_path(const char *name)
{
    const char *next = getenv("PATH");
    while (next != NULL && *next != '\0') {
        size_t length = strcspn(next, ":");
        char path[PATH_MAX];
        struct stat info;
        int size = snprintf(path, sizeof path, "%.*s/%s", (int)length, next, name);
        /* Relative entries are left out: they depend on the working directory. */
        bool usable = next[0] == '/' && size > 0 && (size_t)size < sizeof path;
        if (usable && runnable(path, &info)) {
            return strdup(path);
        }
        next += length + (next[length] == ':' ? 1 : 0);
    }
    return NULL;
}

char *tlm_process_find(const char *name)
{
    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL) {
        return NULL;
    }
    char *path = beside_executable(name);
    return path != NULL ? path : in_path(name);
}
