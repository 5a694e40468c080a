/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STARTUP_H
#define TLM_STARTUP_H

/*
 * The start-up decision as one const table: what was found of files and token gives a state; a
 * state has a name, a message, a hint, and the only action allowed in it.
 *
 *     tlm_start_findings found = {.persistence = TLM_FOUND_GOOD, .vault = TLM_FOUND_ABSENT,
 *                                 .token = TLM_TOKEN_MARKED_SAME};
 *     tlm_start_state state = tlm_startup_decide(&found);       // TLM_START_VAULT_MISSING
 *     puts(tlm_startup_describe(state)->name);                  // "vault-missing"
 */

#include <stdbool.h>

typedef enum tlm_start_state {
    TLM_START_PENDING = 0,         /* not decided yet */
    TLM_START_COLD,                /* no files: make them */
    TLM_START_WARM,                /* files opened */
    TLM_START_INTERRUPTED,         /* a cold start was cut off: complete it */
    TLM_START_NOT_PROVISIONED,     /* neither token nor files */
    TLM_START_TOKEN_MISSING,       /* files, but no token */
    TLM_START_TOKEN_UNAVAILABLE,   /* a token, but it cannot be used now */
    TLM_START_TOKEN_LOCKED,        /* lockout */
    TLM_START_PIN_REFUSED,         /* the token refused its PIN */
    TLM_START_FILES_MISSING,       /* the token had files, and they are gone */
    TLM_START_PERSISTENCE_MISSING, /* vault.bin alone */
    TLM_START_VAULT_MISSING,       /* persistence.bin alone */
    TLM_START_PERSISTENCE_DAMAGED,
    TLM_START_VAULT_DAMAGED,
    TLM_START_FOREIGN,       /* files of another TPM or token */
    TLM_START_OTHER_STORAGE, /* files and token of two installations */
    TLM_START_NEWER,         /* files of a newer program */
    TLM_START_UNREADABLE,    /* owner, mode or I/O error of the files */
    TLM_START_UNWRITABLE,    /* a cold start cannot write its files */
    TLM_START_IN_USE,        /* another process holds the directory */
    TLM_START_STATE_COUNT
} tlm_start_state;

typedef enum tlm_found {
    TLM_FOUND_ABSENT = 0,
    TLM_FOUND_STAGED, /* whole in the staging directory of a cold start, not in its place */
    TLM_FOUND_UNOPENED,
    TLM_FOUND_GOOD,
    TLM_FOUND_DAMAGED,
    TLM_FOUND_FOREIGN,
    TLM_FOUND_NEWER,
    TLM_FOUND_UNREADABLE,
    TLM_FOUND_COUNT
} tlm_found;

typedef enum tlm_found_token {
    TLM_TOKEN_ABSENT = 0,
    TLM_TOKEN_UNAVAILABLE,
    TLM_TOKEN_LOCKED,
    TLM_TOKEN_PIN_REFUSED,
    TLM_TOKEN_FOREIGN,      /* its store is bound to another TPM than this host's */
    TLM_TOKEN_UNMARKED,     /* no storage id on the token: it never had files */
    TLM_TOKEN_MARKED_SAME,  /* its storage id is the files' */
    TLM_TOKEN_MARKED_OTHER, /* it has one, and the files another, or there are none */
    TLM_FOUND_TOKEN_COUNT
} tlm_found_token;

typedef struct tlm_start_findings {
    tlm_found persistence;
    tlm_found vault;
    tlm_found_token token;
} tlm_start_findings;

typedef struct tlm_start_description {
    const char *name;    /* stable, for machines: "files-missing" */
    bool healthy;        /* cold and warm are */
    bool may_write;      /* the state's action writes files that were not there */
    bool retry;          /* looked at again from time to time, as the cause may pass */
    const char *message; /* what it is, one sentence */
    const char *hint;    /* what the operator does next */
} tlm_start_description;

/* Total: every combination of findings has a state. */
tlm_start_state tlm_startup_decide(const tlm_start_findings *findings);

/* Never NULL. */
const tlm_start_description *tlm_startup_describe(tlm_start_state state);

#endif
