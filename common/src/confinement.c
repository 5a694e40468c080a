/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/confinement.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "root_file.h"

#define STATUS_MAX 65536U
/* What Linux 5.9 and later have; asked from the kernel where it tells. */
#define LAST_CAPABILITY 40U

/* The number behind "NAME:\t" at the beginning of a line. */
static bool find_number(const char *text, const char *name, int base, uint64_t *number)
{
    size_t size = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncmp(line, name, size) != 0 || line[size] != ':') {
            continue;
        }
        const char *begin = line + size + 1;
        begin += strspn(begin, "\t ");
        char *end = NULL;
        errno = 0;
        unsigned long long value = strtoull(begin, &end, base);
        if (errno != 0 || end == begin || *begin == '-' || (*end != '\n' && *end != '\0')) {
            return false;
        }
        *number = value;
        return true;
    }
    return false;
}

bool tlm_confinement_parse(const char *text, tlm_confinement *confinement)
{
    uint64_t number = 0;
    *confinement = (tlm_confinement){.seccomp = TLM_SECCOMP_UNKNOWN};
    if (find_number(text, "Seccomp", 10, &number) && number <= 2) {
        confinement->seccomp = (int)number;
    }
    confinement->no_new_privileges = find_number(text, "NoNewPrivs", 10, &number) && number == 1;
    return find_number(text, "CapEff", 16, &confinement->effective) &&
           find_number(text, "CapBnd", 16, &confinement->bounding);
}

static uint64_t known_capabilities(const char *root)
{
    char line[32];
    unsigned long last = LAST_CAPABILITY;
    if (tlm_root_line(root, "/proc/sys/kernel/cap_last_cap", line, sizeof line)) {
        char *end = NULL;
        unsigned long value = strtoul(line, &end, 10);
        last = end != line && *end == '\0' && value < 64 ? value : last;
    }
    return last == 63 ? UINT64_MAX : (UINT64_C(1) << (last + 1)) - 1;
}

/* "0 0 4294967295": every id is what it is on the host. */
static bool has_host_users(const char *root)
{
    char line[64];
    unsigned long numbers[3] = {0};
    if (!tlm_root_line(root, "/proc/self/uid_map", line, sizeof line)) {
        return true;
    }
    char *at = line;
    for (size_t i = 0; i < 3; i++) {
        numbers[i] = strtoul(at, &at, 10);
    }
    return numbers[0] == 0 && numbers[1] == 0 && numbers[2] == UINT32_MAX;
}

bool tlm_confinement_look(const char *root, tlm_confinement *confinement)
{
    char *text = tlm_root_text(root, "/proc/self/status", STATUS_MAX);
    bool read = text != NULL && tlm_confinement_parse(text, confinement);
    free(text);
    if (!read) {
        *confinement = (tlm_confinement){.seccomp = TLM_SECCOMP_UNKNOWN};
        return false;
    }
    confinement->known = known_capabilities(root);
    confinement->host_users = has_host_users(root);
    return true;
}

bool tlm_confinement_is_none(const tlm_confinement *confinement)
{
    static const unsigned roots[] = {CAP_DAC_READ_SEARCH, CAP_SYS_MODULE, CAP_SYS_RAWIO,
                                     CAP_SYS_PTRACE, CAP_SYS_ADMIN};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        if ((confinement->bounding >> roots[i] & 1U) == 0) {
            return false;
        }
    }
    return confinement->host_users;
}
