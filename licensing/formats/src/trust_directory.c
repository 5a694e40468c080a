/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/trust.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>

#include "trust_private.h"

#define ENDING ".jwks"

/* Who may put files there decides whom this host believes. */
static tlm_result check_directory(const char *directory, bool *missing, tlm_error *error)
{
    struct stat info;
    *missing = false;
    if (stat(directory, &info) != 0) {
        *missing = errno == ENOENT;
        return *missing ? TLM_OK : tlm_error_set_errno(error, NULL, "looking at %s", directory);
    }
    if (!S_ISDIR(info.st_mode)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is not a directory", directory);
    }
    if (info.st_uid != 0 && info.st_uid != geteuid()) {
        (void)tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                            "%s says whom this host believes and belongs to uid %u, neither to "
                            "root nor to uid %u",
                            directory, (unsigned)info.st_uid, (unsigned)geteuid());
        tlm_error_set_hint(error, "Mend it with: chown root %s", directory);
        return TLM_ERR_PERMISSION;
    }
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                            "%s says whom this host believes and has mode %04o: others than its "
                            "owner can write to it",
                            directory, (unsigned)(info.st_mode & 07777U));
        tlm_error_set_hint(error, "Mend it with: chmod go-w %s", directory);
        return TLM_ERR_PERMISSION;
    }
    return TLM_OK;
}

static int is_jwks(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    size_t ending = sizeof ENDING - 1;
    return entry->d_name[0] != '.' && length > ending &&
           strcmp(entry->d_name + length - ending, ENDING) == 0;
}

/* By bytes, so that the order is the same under every locale. */
static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static tlm_result add_file(tlm_trust *trust, const char *directory, const char *name,
                           tlm_error *error)
{
    char *path = tlm_path_join(directory, name);
    char *text = NULL;
    size_t size = 0;
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
    }
    tlm_result result = tlm_file_read_trusted(path, TLM_JWKS_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_trust_add(trust, text, size, path, error);
    }
    free(text);
    free(path);
    return result;
}

tlm_result tlm_trust_add_directory(tlm_trust *trust, const char *directory, tlm_error *error)
{
    struct dirent **names = NULL;
    bool missing = false;
    if (trust == NULL || directory == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a trust directory needs its path");
    }
    if (!tlm_trust_build_runtime) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "Compile the keys in with -DTLM_TRUST_JWKS=FILE.",
                             "this build takes no trusted keys from %s", directory);
    }
    tlm_result result = check_directory(directory, &missing, error);
    if (result != TLM_OK || missing) {
        return result;
    }
    int count = scandir(directory, &names, is_jwks, by_name);
    if (count < 0) {
        return tlm_error_set_errno(error, NULL, "reading the directory %s", directory);
    }
    for (int i = 0; i < count; i++) {
        tlm_error cause = {.result = TLM_OK};
        tlm_result one = add_file(trust, directory, names[i]->d_name, &cause);
        if (one != TLM_OK && result == TLM_OK) {
            result = one;
            if (error != NULL) {
                *error = cause;
            }
        }
        free(names[i]);
    }
    free(names);
    return result;
}
