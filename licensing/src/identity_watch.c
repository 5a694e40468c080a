/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char staged_persistence[] = TLM_STAGING_DIRECTORY "/" TLM_PERSISTENCE_FILE;

static void look_at(const char *directory, const char *name, tlm_watch *watch, size_t index)
{
    char path[4096];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s%s%s", directory, name[0] != '\0' ? "/" : "", name);
    memset(&watch->files[index], 0, sizeof watch->files[index]);
    if (length < 0 || (size_t)length >= sizeof path || stat(path, &info) != 0) {
        return;
    }
    watch->files[index].there = true;
    watch->files[index].device = info.st_dev;
    watch->files[index].inode = info.st_ino;
    watch->files[index].size = info.st_size;
    watch->files[index].modified = info.st_mtim;
    watch->files[index].changed = info.st_ctim;
}

void tlm_watch_look(const tlm_identity_config *config, tlm_watch *watch)
{
    static const char *const names[] = {
        TLM_PERSISTENCE_FILE, TLM_VAULT_FILE,     TLM_STAGING_DIRECTORY,
        staged_persistence,   TLM_LOCAL_KEY_FILE, TLM_LOCAL_MARK_FILE,
    };
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count; i++) {
        look_at(config->persistence_dir, names[i], watch, i);
    }
    look_at(config->store_dir, "token.json", watch, count);
    look_at(config->store_dir, "secrets.json", watch, count + 1);
    if (config->socket != NULL) {
        char *report = tlm_tokend_report_path(config->socket);
        look_at(report != NULL ? report : "", "", watch, TLM_WATCH_FILES);
        free(report);
    }
}

static bool same_instant(const struct timespec *left, const struct timespec *right)
{
    return left->tv_sec == right->tv_sec && left->tv_nsec == right->tv_nsec;
}

static bool same_file(const tlm_watched *left, const tlm_watched *right)
{
    return left->there == right->there && left->device == right->device &&
           left->inode == right->inode && left->size == right->size &&
           same_instant(&left->modified, &right->modified) &&
           same_instant(&left->changed, &right->changed);
}

bool tlm_watch_same(const tlm_watch *left, const tlm_watch *right)
{
    for (size_t i = 0; i < TLM_WATCH_FILES; i++) {
        if (!same_file(&left->files[i], &right->files[i])) {
            return false;
        }
    }
    return true;
}

bool tlm_watch_same_report(const tlm_watch *left, const tlm_watch *right)
{
    return same_file(&left->files[TLM_WATCH_FILES], &right->files[TLM_WATCH_FILES]);
}
