/* SPDX-License-Identifier: BSD-2-Clause */
#include "storage_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/log.h>

/* The directory and its staging directory, as open files: names below them cannot be exchanged. */
typedef struct place {
    const char *path;
    int directory;
    int staging;
} place;

static void leave(place *at)
{
    if (at->staging >= 0) {
        (void)close(at->staging);
    }
    if (at->directory >= 0) {
        (void)close(at->directory);
    }
}

static tlm_result enter(const char *directory, bool make, place *at, tlm_error *error)
{
    *at = (place){.path = directory, .directory = -1, .staging = -1};
    at->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at->directory < 0) {
        return tlm_error_set_errno(error, NULL, "opening the directory %s", directory);
    }
    if (make && mkdirat(at->directory, TLM_STAGING_DIRECTORY, 0700) != 0 && errno != EEXIST) {
        tlm_result result = tlm_error_set_errno(error, NULL, "making the directory %s/%s",
                                                directory, TLM_STAGING_DIRECTORY);
        tlm_error_set_hint(error,
                           "Make it writable for uid %u and leave some space: ls -ld '%s'; df -h "
                           "'%s'",
                           (unsigned)geteuid(), directory, directory);
        leave(at);
        return result;
    }
    at->staging = openat(at->directory, TLM_STAGING_DIRECTORY,
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at->staging < 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "opening the directory %s/%s",
                                                directory, TLM_STAGING_DIRECTORY);
        leave(at);
        return result;
    }
    return TLM_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

/* Removes files of the staging directory for which `goes` says so. */
static void sweep(const place *at, bool (*goes)(const place *at, const char *name))
{
    int again = openat(at->staging, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    if (list == NULL) {
        if (again >= 0) {
            (void)close(again);
        }
        return;
    }
    for (const struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
        if (entry->d_name[0] != '.' && goes(at, entry->d_name)) {
            (void)unlinkat(at->staging, entry->d_name, 0);
        }
    }
    (void)closedir(list);
}

/* Our files and half-written ones, all of a cold start that never came to an end. */
static bool is_staged(const place *at, const char *name)
{
    (void)at;
    return strcmp(name, TLM_VAULT_FILE) == 0 || strcmp(name, TLM_PERSISTENCE_FILE) == 0 ||
           ends_with(name, ".tmp");
}

/* Half-written, or a second name of the file in its place. */
static bool is_leftover(const place *at, const char *name)
{
    struct stat staged;
    struct stat placed;
    return ends_with(name, ".tmp") ||
           (fstatat(at->staging, name, &staged, AT_SYMLINK_NOFOLLOW) == 0 &&
            fstatat(at->directory, name, &placed, AT_SYMLINK_NOFOLLOW) == 0 &&
            staged.st_dev == placed.st_dev && staged.st_ino == placed.st_ino);
}

static void abandon(place *at)
{
    sweep(at, is_staged);
    (void)unlinkat(at->directory, TLM_STAGING_DIRECTORY, AT_REMOVEDIR);
}

/* Moves a staged file to its place unless something stands there, in one step. */
static tlm_result move(const place *at, const char *name, tlm_error *error)
{
    int moved = renameat2(at->staging, name, at->directory, name, RENAME_NOREPLACE);
    if (moved != 0 && (errno == EINVAL || errno == ENOSYS)) {
        /* NFS and others cannot; a second name and the removal of the first come to the same. */
        moved = linkat(at->staging, name, at->directory, name, 0);
        if (moved == 0) {
            (void)unlinkat(at->staging, name, 0);
        }
    }
    if (moved != 0) {
        return tlm_error_set_errno(error, NULL, "moving %s/%s to its place in %s",
                                   TLM_STAGING_DIRECTORY, name, at->path);
    }
    return TLM_OK;
}

static tlm_result sync_place(const place *at, tlm_error *error)
{
    /* Some file systems (FUSE, 9p) cannot sync a directory and say EINVAL. */
    if (fsync(at->directory) != 0 && errno != EINVAL && errno != ENOTSUP) {
        return tlm_error_set_errno(error, NULL, "syncing the directory %s", at->path);
    }
    return TLM_OK;
}

static tlm_result complete(place *at, tlm_storage *storage, tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (storage->vault_found == TLM_FOUND_STAGED) {
        result = move(at, TLM_VAULT_FILE, error);
    }
    if (result == TLM_OK) {
        storage->vault_found = TLM_FOUND_GOOD;
        /* On disk before the file that points to it. */
        result = sync_place(at, error);
    }
    if (result == TLM_OK && storage->persistence_found == TLM_FOUND_STAGED) {
        result = move(at, TLM_PERSISTENCE_FILE, error);
    }
    if (result == TLM_OK) {
        storage->persistence_found = TLM_FOUND_GOOD;
        result = sync_place(at, error);
    }
    if (result == TLM_OK) {
        sweep(at, is_leftover);
        (void)unlinkat(at->directory, TLM_STAGING_DIRECTORY, AT_REMOVEDIR);
    }
    return result;
}

tlm_result tlm_storage_complete(const char *directory, tlm_storage *storage, tlm_error *error)
{
    place at;
    tlm_result result = enter(directory, false, &at, error);
    if (result != TLM_OK) {
        return result;
    }
    result = complete(&at, storage, error);
    leave(&at);
    return result;
}

static tlm_result stage(const char *directory, const char *name, const char *text, tlm_error *error)
{
    char *below = tlm_path_join(directory, TLM_STAGING_DIRECTORY);
    char *path = below == NULL ? NULL : tlm_path_join(below, name);
    tlm_result result = path == NULL
                            ? tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path")
                            : tlm_file_create(path, text, strlen(text), 0600, error);
    free(path);
    free(below);
    return result;
}

/* Makes the contents, seals them, and sees that they open with the key itself. */
static tlm_result make(const tlm_opener *opener, tlm_storage *made, char **persistence,
                       char **vault, tlm_error *error)
{
    tlm_persistence proof = {0};
    tlm_result result = tlm_persistence_make(opener->public_key, &made->persistence, error);
    if (result == TLM_OK) {
        result =
            tlm_vault_make(made->persistence.storage_id, opener->public_key, &made->vault, error);
    }
    if (result == TLM_OK) {
        result = tlm_vault_seal(&made->vault, made->persistence.vault_key, vault, error);
    }
    if (result == TLM_OK) {
        result = tlm_persistence_seal(&made->persistence, opener->public_key, persistence, error);
    }
    if (result == TLM_OK) {
        result = tlm_persistence_open(*persistence, strlen(*persistence), opener->public_key,
                                      opener->unwrap, opener->context, &proof, error);
        tlm_persistence_clear(&proof);
    }
    return result;
}

tlm_result tlm_storage_create(const char *directory, const tlm_opener *opener, tlm_storage *storage,
                              tlm_error *error)
{
    place at;
    char *persistence = NULL;
    char *vault = NULL;
    tlm_storage made = {.persistence_found = TLM_FOUND_STAGED, .vault_found = TLM_FOUND_STAGED};
    tlm_result result = enter(directory, true, &at, error);
    if (result != TLM_OK) {
        return result;
    }
    sweep(&at, is_staged);
    result = make(opener, &made, &persistence, &vault, error);
    if (result == TLM_OK) {
        result = stage(directory, TLM_VAULT_FILE, vault, error);
    }
    if (result == TLM_OK) {
        result = stage(directory, TLM_PERSISTENCE_FILE, persistence, error);
    }
    if (result == TLM_OK) {
        result = complete(&at, &made, error);
    }
    free(persistence);
    free(vault);
    if (result != TLM_OK && made.vault_found == TLM_FOUND_STAGED) {
        abandon(&at); /* nothing is in its place yet, so nothing stays */
    }
    leave(&at);
    if (result != TLM_OK) {
        tlm_storage_clear(&made);
        return result;
    }
    *storage = made;
    return TLM_OK;
}

void tlm_storage_tidy(const char *directory)
{
    place at;
    if (enter(directory, false, &at, NULL) != TLM_OK) {
        return; /* the usual case: there is no staging directory */
    }
    sweep(&at, is_leftover);
    if (unlinkat(at.directory, TLM_STAGING_DIRECTORY, AT_REMOVEDIR) != 0) {
        tlm_log(TLM_LOG_WARNING, "staging_left", "directory=\"%s/%s\" reason=\"%s\"", directory,
                TLM_STAGING_DIRECTORY, "it holds files that this program did not leave there");
    }
    leave(&at);
}
