/* SPDX-License-Identifier: BSD-2-Clause */
#include "harden_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEP "capabilities"

/* What the process and whatever it might ever execute could have: needs CAP_SETPCAP. */
bool tlm_harden_drop_bounding(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            return false;
        }
    }
    return true;
}

typedef struct capabilities {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
} capabilities;

static bool read_held(capabilities *held)
{
    *held = (capabilities){.header = {.version = _LINUX_CAPABILITY_VERSION_3}};
    return syscall(SYS_capget, &held->header, held->sets) == 0;
}

static bool hold(const uint32_t effective[], const uint32_t permitted[])
{
    capabilities wanted = {.header = {.version = _LINUX_CAPABILITY_VERSION_3}};
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        wanted.sets[i].effective = effective[i];
        wanted.sets[i].permitted = permitted[i];
    }
    return syscall(SYS_capset, &wanted.header, wanted.sets) == 0;
}

/* By the effective capabilities alone; of what is missing, the nearest directory that is there. */
static bool is_reachable(const char *path, int mode)
{
    char place[PATH_MAX];
    (void)snprintf(place, sizeof place, "%s", path);
    while (faccessat(AT_FDCWD, place, mode, AT_EACCESS) != 0) {
        char *slash = strrchr(place, '/');
        if (errno != ENOENT || slash == NULL) {
            return errno != EACCES;
        }
        if (slash == place) {
            return true;
        }
        *slash = '\0';
    }
    return true;
}

static const char *first_unreachable(const tlm_harden_config *config)
{
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->writable[i] != NULL; i++) {
        if (!is_reachable(config->writable[i], R_OK | W_OK | X_OK)) {
            return config->writable[i];
        }
    }
    for (size_t i = 0; i < TLM_HARDEN_PATHS && config->readable[i] != NULL; i++) {
        if (!is_reachable(config->readable[i], R_OK)) {
            return config->readable[i];
        }
    }
    return NULL;
}

/*
 * Root in the directories of somebody else (sudo in a home directory) enters them by a capability
 * only. That one is kept then: the service would not start without it, and landlock still decides
 * which files there are.
 */
static tlm_result keep_for_files(const char *path, tlm_error *error)
{
    const uint32_t files[_LINUX_CAPABILITY_U32S_3] = {1U << CAP_DAC_OVERRIDE};
    if (!hold(files, files)) {
        return tlm_error_set_errno(error, NULL, "giving up capabilities of this process");
    }
    char reason[PATH_MAX + 128];
    (void)snprintf(reason, sizeof reason,
                   "CAP_DAC_OVERRIDE stays: %s is not root's; name its owner with --user, or start "
                   "the program as that user",
                   path);
    tlm_harden_note_failed(STEP, reason);
    return TLM_OK;
}

tlm_result tlm_harden_drop_held(const tlm_harden_config *config, bool bounding, tlm_error *error)
{
    static const uint32_t none[_LINUX_CAPABILITY_U32S_3] = {0};
    capabilities held;
    uint32_t permitted[_LINUX_CAPABILITY_U32S_3] = {0};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (read_held(&held)) {
        for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
            permitted[i] = held.sets[i].permitted;
        }
    }
    if (!hold(none, permitted)) {
        return tlm_error_set_errno(error, NULL, "giving up the capabilities of this process");
    }
    const char *path = first_unreachable(config);
    if (path != NULL && (permitted[0] & (1U << CAP_DAC_OVERRIDE)) != 0) {
        return keep_for_files(path, error);
    }
    if (!hold(none, none)) {
        return tlm_error_set_errno(error, NULL, "giving up the capabilities of this process");
    }
    /* Without CAP_SETPCAP the bounding set stays, and no_new_privs keeps anything from using it. */
    tlm_harden_note(STEP, bounding ? "bounding=empty" : "bounding=kept");
    return TLM_OK;
}
