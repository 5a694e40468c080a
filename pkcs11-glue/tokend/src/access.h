/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ACCESS_H
#define TLM_ACCESS_H

/*
 * The table that says which peer may use which objects for which operations: access.json in the
 * configuration directory. Rules add up; what no rule allows is refused.
 *
 *     {"version": 1, "rules": [
 *         {"user": "www-data", "objects": ["tlm-attest"], "operations": ["sign"]},
 *         {"group": "tlm", "objects": ["*"], "operations": ["use"]},
 *         {"user": "root", "objects": ["*"], "operations": ["use", "manage"]}]}
 *
 * user and group are names or numbers. An object is named by its CKA_LABEL, "*" is every one.
 * Operations: see, sign, decrypt, derive, counter, manage; "use" is all but manage. Every operation
 * includes see. Without a file: root and the group of the service use every object and manage
 * tlm-storage, the mark that TLLicenseManager writes at its first start; nobody manages more.
 *
 *     tlm_access *access = NULL;
 *     if (tlm_access_load(path, &access, &error) != TLM_OK) { … }
 *     if (!tlm_access_allows(access, &peer, "tlm-attest", TLM_USE_SIGN)) { … }
 *     tlm_access_free(&access);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>

#include "peer.h"

typedef enum tlm_use {
    TLM_USE_SEE = 1 << 0,     /* find it, read its attributes; public-key work needs no more */
    TLM_USE_SIGN = 1 << 1,    /* C_Sign */
    TLM_USE_DECRYPT = 1 << 2, /* C_Decrypt, C_UnwrapKey */
    TLM_USE_DERIVE = 1 << 3,  /* C_DeriveKey */
    TLM_USE_COUNTER = 1 << 4, /* the hardware feature objects */
    TLM_USE_MANAGE = 1 << 5   /* create, change, copy, destroy, generate */
} tlm_use;

/* Label of the data object that says which files belong to the token. */
#define TLM_ACCESS_MARK "tlm-storage"

typedef struct tlm_access tlm_access;

#define TLM_ACCESS_FILE_MAX 65536U

/*
 * Reads the table; where there is no file, the default one. Unknown members, users or groups are
 * TLM_ERR_SETTING that name the rule and the nearest valid word. A file that others than its owner
 * may write to, or of an owner who is neither root nor this process, is TLM_ERR_PERMISSION.
 */
TLM_CHECKED tlm_result tlm_access_load(const char *path, tlm_access **access, tlm_error *error);

/* The same over memory; `path` is for messages. */
TLM_CHECKED tlm_result tlm_access_parse(const char *text, size_t size, const char *path,
                                        tlm_access **access, tlm_error *error);
void tlm_access_free(tlm_access **access);

/* Safe under threads: a table never changes. `label` "" is an object without one. */
bool tlm_access_allows(const tlm_access *access, const tlm_peer *peer, const char *label,
                       tlm_use use);

/* Whether any rule is about the peer at all: where none is, it sees no token. */
bool tlm_access_knows(const tlm_access *access, const tlm_peer *peer);

#endif
