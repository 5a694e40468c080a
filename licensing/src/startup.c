/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/startup.h>

#include <stddef.h>

/* Sets of findings, so that one row of the table covers many combinations. */
#define F(found) (1U << TLM_FOUND_##found)
#define T(token) (1U << TLM_TOKEN_##token)
#define ANY_FILE ((1U << TLM_FOUND_COUNT) - 1U)
#define ANY_TOKEN ((1U << TLM_FOUND_TOKEN_COUNT) - 1U)
#define NO_FILE F(ABSENT)
#define SOME_FILE (ANY_FILE & ~NO_FILE)
#define MARKED (T(MARKED_SAME) | T(MARKED_OTHER))
#define FITTING (T(UNMARKED) | T(MARKED_SAME))
#define OPEN (F(GOOD) | F(STAGED))

typedef struct rule {
    unsigned persistence;
    unsigned vault;
    unsigned token;
    tlm_start_state state;
} rule;

/* The first row that fits decides. The last one fits everything. */
static const rule rules[] = {
    /* Without a token the files stay closed, and all that can be told is whether there are some. */
    {NO_FILE, NO_FILE, T(ABSENT), TLM_START_NOT_PROVISIONED},
    {ANY_FILE, ANY_FILE, T(ABSENT), TLM_START_TOKEN_MISSING},
    {ANY_FILE, ANY_FILE, T(UNAVAILABLE), TLM_START_TOKEN_UNAVAILABLE},
    {ANY_FILE, ANY_FILE, T(LOCKED), TLM_START_TOKEN_LOCKED},
    {ANY_FILE, ANY_FILE, T(PIN_REFUSED), TLM_START_PIN_REFUSED},
    {ANY_FILE, ANY_FILE, T(FOREIGN), TLM_START_FOREIGN},

    /* What is wrong with a file in itself. */
    {F(UNREADABLE), ANY_FILE, ANY_TOKEN, TLM_START_UNREADABLE},
    {ANY_FILE, F(UNREADABLE), ANY_TOKEN, TLM_START_UNREADABLE},
    {F(FOREIGN), ANY_FILE, ANY_TOKEN, TLM_START_FOREIGN},
    {F(NEWER), ANY_FILE, ANY_TOKEN, TLM_START_NEWER},
    {ANY_FILE, F(NEWER), ANY_TOKEN, TLM_START_NEWER},
    {F(DAMAGED), ANY_FILE, ANY_TOKEN, TLM_START_PERSISTENCE_DAMAGED},
    {ANY_FILE, F(DAMAGED), ANY_TOKEN, TLM_START_VAULT_DAMAGED},
    {ANY_FILE, F(FOREIGN), ANY_TOKEN, TLM_START_OTHER_STORAGE},

    /* What is missing. One staged file alone never counted: nobody was shown an identity of it. */
    {NO_FILE, NO_FILE | F(STAGED), T(UNMARKED), TLM_START_COLD},
    {F(STAGED), NO_FILE, T(UNMARKED), TLM_START_COLD},
    {NO_FILE, NO_FILE | F(STAGED), MARKED, TLM_START_FILES_MISSING},
    {NO_FILE, SOME_FILE, ANY_TOKEN, TLM_START_PERSISTENCE_MISSING},
    {OPEN, NO_FILE, ANY_TOKEN, TLM_START_VAULT_MISSING},

    /* Both are there and open. */
    {OPEN, OPEN, T(MARKED_OTHER), TLM_START_OTHER_STORAGE},
    {F(GOOD), F(GOOD), FITTING, TLM_START_WARM},
    {OPEN, OPEN, FITTING, TLM_START_INTERRUPTED},

    /* A usable token and files that nobody opened: the token went away meanwhile. */
    {ANY_FILE, ANY_FILE, ANY_TOKEN, TLM_START_TOKEN_UNAVAILABLE},
};

static const tlm_start_description descriptions[TLM_START_STATE_COUNT] = {
    [TLM_START_PENDING] = {.name = "pending",
                           .message = "The token is being opened.",
                           .hint = "Wait a moment."},
    [TLM_START_COLD] = {.name = "cold",
                        .healthy = true,
                        .may_write = true,
                        .message = "First start: the files were made.",
                        .hint = ""},
    [TLM_START_WARM] = {.name = "warm",
                        .healthy = true,
                        .message = "The files of an earlier run were opened.",
                        .hint = ""},
    [TLM_START_INTERRUPTED] = {.name = "interrupted",
                               .may_write = true,
                               .retry = true,
                               .message = "A first start was cut off and is being completed.",
                               .hint = "Nothing, unless this stays: then see the log."},
    [TLM_START_NOT_PROVISIONED] = {.name = "not-provisioned",
                                   .retry = true,
                                   .message = "There is no token yet.",
                                   .hint = "Provision one: tlm-token-init provision"},
    [TLM_START_TOKEN_MISSING] =
        {.name = "token-missing",
         .retry = true,
         .message = "There are files of an earlier run, but the token that opens them is missing.",
         .hint = "Bring the token store back (backup or volume); a new token cannot open these "
                 "files."},
    [TLM_START_TOKEN_UNAVAILABLE] = {.name = "token-unavailable",
                                     .retry = true,
                                     .message = "The token cannot be used at the moment.",
                                     .hint = "Find out why: tlm-token-init doctor"},
    [TLM_START_TOKEN_LOCKED] =
        {.name = "token-locked",
         .retry = true,
         .message = "The token or its TPM is in lockout.",
         .hint = "See when it ends: tlm-token-init status; nothing is tried before that."},
    [TLM_START_PIN_REFUSED] =
        {.name = "pin-refused",
         .message = "The token refused its PIN; it is not tried again.",
         .hint = "Find out why: tlm-token-init doctor; then start the program again."},
    [TLM_START_FILES_MISSING] =
        {.name = "files-missing",
         .retry = true,
         .message = "The token had files (persistence.bin, vault.bin), and they are gone.",
         .hint = "Restore the backup or mount the volume. To start anew on purpose: stop the "
                 "program, tlm-token-init forget-storage --yes-forget LABEL, and start it again"},
    [TLM_START_PERSISTENCE_MISSING] =
        {.name = "persistence-missing",
         .retry = true,
         .message = "vault.bin is there, but persistence.bin, which opens it, is missing.",
         .hint = "Restore persistence.bin from the backup."},
    [TLM_START_VAULT_MISSING] = {.name = "vault-missing",
                                 .retry = true,
                                 .message = "persistence.bin is there, but vault.bin is missing.",
                                 .hint = "Restore vault.bin from the backup."},
    [TLM_START_PERSISTENCE_DAMAGED] = {.name = "persistence-damaged",
                                       .retry = true,
                                       .message = "persistence.bin was changed or torn.",
                                       .hint = "Restore persistence.bin from the backup."},
    [TLM_START_VAULT_DAMAGED] = {.name = "vault-damaged",
                                 .retry = true,
                                 .message = "vault.bin was changed or torn.",
                                 .hint = "Restore vault.bin from the backup."},
    [TLM_START_FOREIGN] =
        {.name = "foreign",
         .retry = true,
         .message = "The files belong to another TPM or token.",
         .hint = "Run them on the host that they were made on, or name another directory: "
                 "--persistence-dir DIR"},
    [TLM_START_OTHER_STORAGE] =
        {.name = "other-storage",
         .retry = true,
         .message = "Files and token are of two installations.",
         .hint = "Restore persistence.bin, vault.bin and the token store from one backup."},
    [TLM_START_NEWER] = {.name = "newer",
                         .retry = true,
                         .message = "The files were written by a newer version of this program.",
                         .hint = "Install the newer program again."},
    [TLM_START_UNREADABLE] = {.name = "unreadable",
                              .retry = true,
                              .message = "The files cannot be read.",
                              .hint = "Look at owner and mode: ls -ld DIR; ls -l DIR"},
    [TLM_START_UNWRITABLE] = {.name = "unwritable",
                              .retry = true,
                              .message = "The files of a first start cannot be written.",
                              .hint = "Make the directory writable, or free some space: df -h DIR"},
    [TLM_START_IN_USE] = {.name = "in-use",
                          .retry = true,
                          .message = "Another process uses the persistence directory.",
                          .hint = "Stop it, or name another directory: --persistence-dir DIR"},
};

static unsigned bit(int value, int count)
{
    return value >= 0 && value < count ? 1U << (unsigned)value : 0U;
}

tlm_start_state tlm_startup_decide(const tlm_start_findings *findings)
{
    unsigned persistence = bit((int)findings->persistence, TLM_FOUND_COUNT);
    unsigned vault = bit((int)findings->vault, TLM_FOUND_COUNT);
    unsigned token = bit((int)findings->token, TLM_FOUND_TOKEN_COUNT);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const rule *row = &rules[i];
        if ((row->persistence & persistence) != 0 && (row->vault & vault) != 0 &&
            (row->token & token) != 0) {
            return row->state;
        }
    }
    return TLM_START_TOKEN_UNAVAILABLE;
}

const tlm_start_description *tlm_startup_describe(tlm_start_state state)
{
    int index = (int)state;
    return &descriptions[index >= 0 && index < TLM_START_STATE_COUNT ? index : 0];
}
