/* SPDX-License-Identifier: BSD-2-Clause */
#include "harden_internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>

#include "access_internal.h"

#define STEP "user"
#define GROUPS_MAX 256
#define ENTRY_MAX 65536U

/* The group that may use a TPM device where its owner is somebody else: /dev/tpmrm0 is tss's. */
static size_t add_device_groups(const tlm_harden_config *config, gid_t groups[], size_t count,
                                uid_t uid)
{
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->devices[i] != NULL; i++) {
        struct stat status;
        if (count >= GROUPS_MAX || stat(config->devices[i], &status) != 0 ||
            !S_ISCHR(status.st_mode) || status.st_uid == uid ||
            (status.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP)) {
            continue;
        }
        groups[count++] = status.st_gid;
    }
    return count;
}

static tlm_result set_groups(const gid_t groups[], size_t count, tlm_error *error)
{
    if (setgroups(count, groups) != 0) {
        return tlm_error_set_errno(error,
                                   "start it as the user that it is to be (User= of the unit)",
                                   "setting the groups of this process");
    }
    return TLM_OK;
}

/* Root that stays: what its capabilities opened, a group has to open from now on. */
static tlm_result stay(const tlm_harden_config *config, tlm_error *error)
{
    gid_t groups[GROUPS_MAX];
    int had = getgroups(GROUPS_MAX / 2, groups);
    if (geteuid() != 0 || had < 0) {
        return TLM_OK;
    }
    size_t count = add_device_groups(config, groups, (size_t)had, 0);
    return count > (size_t)had ? set_groups(groups, count, error) : TLM_OK;
}

static tlm_result make_directories(const tlm_harden_config *config, uid_t uid, gid_t gid,
                                   tlm_error *error)
{
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->owned[i] != NULL; i++) {
        const char *path = config->owned[i];
        if (tlm_file_exists(path)) {
            continue;
        }
        tlm_result result = tlm_directory_make(path, 0755, error);
        if (result == TLM_OK && (chmod(path, 0755) != 0 || chown(path, uid, gid) != 0)) {
            result = tlm_error_set_errno(error, NULL, "making %s for uid %u", path, (unsigned)uid);
        }
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

static tlm_result change(uid_t uid, gid_t gid, tlm_error *error)
{
    if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        return tlm_error_set_errno(error,
                                   "start it as the user that it is to be (User= of the unit)",
                                   "becoming uid %u, gid %u", (unsigned)uid, (unsigned)gid);
    }
    return TLM_OK;
}

static tlm_result become(const tlm_harden_config *config, const struct passwd *entry,
                         tlm_error *error)
{
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX / 2;
    if (getgrouplist(entry->pw_name, entry->pw_gid, groups, &count) < 0) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, "take the user out of some groups",
                             "user %s has more than %d groups", entry->pw_name, GROUPS_MAX / 2);
    }
    size_t all = add_device_groups(config, groups, (size_t)count, entry->pw_uid);
    tlm_result result = make_directories(config, entry->pw_uid, entry->pw_gid, error);
    if (result == TLM_OK) {
        result = set_groups(groups, all, error);
    }
    if (result == TLM_OK) {
        result = change(entry->pw_uid, entry->pw_gid, error);
    }
    if (result == TLM_OK) {
        char detail[96];
        (void)snprintf(detail, sizeof detail, "uid=%u gid=%u", (unsigned)entry->pw_uid,
                       (unsigned)entry->pw_gid);
        tlm_harden_note(STEP, detail);
    }
    return result;
}

tlm_result tlm_harden_user(const tlm_harden_config *config, tlm_error *error)
{
    if (config->user == NULL || config->user[0] == '\0') {
        return stay(config, error);
    }
    unsigned uid = 0;
    tlm_result result = tlm_access_find_user(config->user, "the user to run as", &uid, error);
    if (result != TLM_OK) {
        return result;
    }
    if (uid == geteuid()) {
        return stay(config, error);
    }
    if (geteuid() != 0) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "leave the user out of the settings, or start it as root or that user",
                             "uid %u cannot become user %s: only root can", (unsigned)geteuid(),
                             config->user);
    }
    char *buffer = malloc(ENTRY_MAX);
    struct passwd entry = {0};
    struct passwd *found = NULL;
    int number = buffer != NULL ? getpwnam_r(config->user, &entry, buffer, ENTRY_MAX, &found) : 0;
    if (found != NULL) {
        result = become(config, found, error);
    } else {
        errno = number != 0 ? number : ENOMEM;
        result = tlm_error_set_errno(error, NULL, "looking up user %s", config->user);
    }
    free(buffer);
    return result;
}
