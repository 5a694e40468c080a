/* SPDX-License-Identifier: BSD-2-Clause */
#include "access_internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>
#include <tlm/settings.h>

#define BUFFER_FIRST 1024U
/* A group's entry lists its members. */
#define BUFFER_MAX ((size_t)1024 * 1024)
#define NAMES_MAX 1024U

/* getpwnam_r or getgrnam_r: 0 and `found`, or an errno. */
typedef int (*lookup)(const char *name, char *buffer, size_t size, bool *found, unsigned *id);

static int look_up_user(const char *name, char *buffer, size_t size, bool *found, unsigned *id)
{
    struct passwd entry = {0};
    struct passwd *result = NULL;
    int number = getpwnam_r(name, &entry, buffer, size, &result);
    *found = number == 0 && result != NULL;
    *id = entry.pw_uid;
    return number;
}

static int look_up_group(const char *name, char *buffer, size_t size, bool *found, unsigned *id)
{
    struct group entry = {0};
    struct group *result = NULL;
    int number = getgrnam_r(name, &entry, buffer, size, &result);
    *found = number == 0 && result != NULL;
    *id = entry.gr_gid;
    return number;
}

/* The entry nearest to `name` in a file of "name:…" lines, in `buffer`; NULL where none is. */
static const char *nearest_in(const char *path, const char *name, char *buffer, size_t size)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    char *names[NAMES_MAX];
    size_t count = 0;
    while (file != NULL && count < NAMES_MAX && getline(&line, &room, file) > 0) {
        line[strcspn(line, ":\n")] = '\0';
        names[count] = strdup(line);
        if (names[count] == NULL) {
            break;
        }
        count++;
    }
    /* The array of pointers to const that C does not make of it by itself. */
    const char *candidates[NAMES_MAX];
    for (size_t i = 0; i < count; i++) {
        candidates[i] = names[i];
    }
    const char *nearest = tlm_settings_nearest(name, candidates, count);
    if (nearest != NULL) {
        (void)snprintf(buffer, size, "%s", nearest);
    }
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(line);
    if (file != NULL) {
        (void)fclose(file);
    }
    return nearest != NULL ? buffer : NULL;
}

static tlm_result unknown(const char *kind, const char *database, const char *name,
                          const char *place, tlm_error *error)
{
    char quoted[128];
    char path[32];
    char near[128];
    tlm_result result = tlm_error_set(error, TLM_ERR_SETTING, NULL, "%s: there is no %s %s", place,
                                      kind, tlm_log_quote(name, quoted, sizeof quoted));
    (void)snprintf(path, sizeof path, "/etc/%s", database);
    if (nearest_in(path, name, near, sizeof near) != NULL) {
        tlm_error_set_hint(error, "did you mean \"%s\"?", near);
    } else {
        tlm_error_set_hint(error, "to list them: getent %s; a number stands without quotes",
                           database);
    }
    return result;
}

static tlm_result find(lookup look_up, const char *kind, const char *database, const char *name,
                       const char *place, unsigned *id, tlm_error *error)
{
    int number = ERANGE;
    bool found = false;
    for (size_t size = BUFFER_FIRST; number == ERANGE && size <= BUFFER_MAX; size *= 4) {
        char *buffer = malloc(size);
        if (buffer == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to look up a %s", kind);
        }
        number = look_up(name, buffer, size, &found, id);
        free(buffer);
    }
    if (found) {
        return TLM_OK;
    }
    /* getpwnam(3): what stands for "there is none" differs between systems. */
    if (number == 0 || number == ENOENT || number == ESRCH || number == EBADF || number == EPERM) {
        return unknown(kind, database, name, place, error);
    }
    errno = number;
    return tlm_error_set_errno(error, "see /etc/nsswitch.conf and the service it names",
                               "%s: looking up %s %s", place, kind, name);
}

tlm_result tlm_access_find_user(const char *name, const char *place, unsigned *id, tlm_error *error)
{
    return find(look_up_user, "user", "passwd", name, place, id, error);
}

tlm_result tlm_access_find_group(const char *name, const char *place, unsigned *id,
                                 tlm_error *error)
{
    return find(look_up_group, "group", "group", name, place, id, error);
}
