/* SPDX-License-Identifier: BSD-2-Clause */
#include "audit.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <tlm/log.h>
#include <tlm/token.h>

#include "../../src/internal.h"

/*
 * Refusals of one kind (user, key, operation, result) give a line at once and are then counted for
 * a minute. Labels come from the peer, so a user has a few kinds at a time, and what is more counts
 * as one kind of its own; users are bounded by the table, since a user namespace gives anybody
 * 65,536 of them.
 */
#define WINDOW_MS 60000
#define KINDS_MAX 128U
#define KINDS_PER_USER 8U
#define KEY_MAX 48U
#define OPERATION_MAX 16U

#define FUNCTION "audit"

typedef struct kind {
    bool used;
    bool rest; /* everything of the user beyond KINDS_PER_USER, or of all users beyond the table */
    uid_t uid;
    CK_RV result;
    char key[KEY_MAX];
    char operation[OPERATION_MAX];
    int64_t since; /* when the last line was written */
    unsigned repeated;
} kind;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kind kinds[KINDS_MAX];
static kind overflow = {.used = true, .since = -WINDOW_MS};

/* Bare where a reader of the log could not take it for anything else. */
static const char *word(const char *text, char *buffer, size_t size)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+@/?";
    size_t length = strlen(text);
    if (length > 0 && strspn(text, plain) == length && length < size) {
        (void)snprintf(buffer, size, "%s", text);
        return buffer;
    }
    return tlm_log_quote(text, buffer, size);
}

/* The standard's name, or the number where it has none. */
static const char *code(const char *name, const char *prefix, unsigned long value, char *buffer,
                        size_t size)
{
    if (strncmp(name, prefix, 4) == 0 && strstr(name, "_VENDOR_DEFINED") == NULL) {
        return name;
    }
    (void)snprintf(buffer, size, "0x%lx", value);
    return buffer;
}

static void write_line(tlm_log_level level, const char *event, const tlm_peer *peer,
                       const char *key, CK_MECHANISM_TYPE mechanism, const char *operation,
                       CK_RV result, unsigned repeated)
{
    char program[2 * TLM_PEER_PROGRAM_MAX];
    char label[2 * TLM_LABEL_MAX];
    char numbers[2][32];
    char count[32] = "";
    const char *mechanism_name = mechanism == TLM_AUDIT_NO_MECHANISM
                                     ? "none"
                                     : code(tlm_pkcs11_mechanism_name(mechanism), "CKM_", mechanism,
                                            numbers[0], sizeof numbers[0]);
    if (repeated > 0) {
        (void)snprintf(count, sizeof count, " repeated=%u", repeated);
    }
    tlm_log_write(
        level, FUNCTION, event,
        "uid=%u pid=%ld program=%s key=%s mechanism=%s operation=%s result=%s%s",
        (unsigned)peer->uid, (long)peer->pid, word(peer->program, program, sizeof program),
        word(key != NULL ? key : "", label, sizeof label), mechanism_name, operation,
        code(tlm_pkcs11_rv_name(result), "CKR_", result, numbers[1], sizeof numbers[1]), count);
}

void tlm_audit_used(const tlm_peer *peer, const char *key, CK_MECHANISM_TYPE mechanism,
                    const char *operation, CK_RV result)
{
    write_line(TLM_LOG_INFO, "key_used", peer, key, mechanism, operation, result, 0);
}

static bool same(const kind *left, const kind *right)
{
    return left->used && left->rest == right->rest && left->uid == right->uid &&
           left->result == right->result && strcmp(left->key, right->key) == 0 &&
           strcmp(left->operation, right->operation) == 0;
}

/* The entry of `wanted`, a free or outlived one for it, or NULL where the table is full. */
static kind *find(const kind *wanted, int64_t now)
{
    kind *room = NULL;
    for (size_t i = 0; i < KINDS_MAX; i++) {
        if (same(&kinds[i], wanted)) {
            return &kinds[i];
        }
        bool over = !kinds[i].used || now - kinds[i].since >= WINDOW_MS;
        if (over && (room == NULL || (room->used && !kinds[i].used))) {
            room = &kinds[i];
        }
    }
    return room;
}

static unsigned count_of_user(const kind *wanted, int64_t now)
{
    unsigned count = 0;
    for (size_t i = 0; i < KINDS_MAX; i++) {
        bool live = kinds[i].used && !kinds[i].rest && now - kinds[i].since < WINDOW_MS;
        if (live && kinds[i].uid == wanted->uid && !same(&kinds[i], wanted)) {
            count++;
        }
    }
    return count;
}

/*
 * Under the lock: the entry that counts this refusal. An outlived entry that makes room for it is
 * copied to `ended`, so that its count is not lost.
 */
static kind *entry_for(kind *wanted, int64_t now, kind *ended)
{
    if (count_of_user(wanted, now) >= KINDS_PER_USER) {
        *wanted = (kind){.rest = true, .uid = wanted->uid};
    }
    kind *entry = find(wanted, now);
    if (entry == NULL) {
        return &overflow;
    }
    if (!same(entry, wanted)) {
        *ended = *entry;
        *entry = *wanted;
        entry->used = true;
        entry->since = now - WINDOW_MS;
    }
    return entry;
}

static void write_ended(const kind *ended)
{
    char label[2 * KEY_MAX];
    char number[32];
    if (!ended->used || ended->repeated == 0) {
        return;
    }
    if (ended->rest) {
        tlm_log_write(TLM_LOG_WARNING, FUNCTION, "refused_before", "uid=%u repeated=%u",
                      (unsigned)ended->uid, ended->repeated);
        return;
    }
    tlm_log_write(
        TLM_LOG_WARNING, FUNCTION, "refused_before",
        "uid=%u key=%s operation=%s result=%s repeated=%u", (unsigned)ended->uid,
        word(ended->key, label, sizeof label), ended->operation,
        code(tlm_pkcs11_rv_name(ended->result), "CKR_", ended->result, number, sizeof number),
        ended->repeated);
}

void tlm_audit_refused(const tlm_peer *peer, const char *key, CK_MECHANISM_TYPE mechanism,
                       const char *operation, CK_RV result)
{
    int64_t now = tlm_clock_now();
    kind wanted = {.uid = peer->uid, .result = result};
    kind ended = {0};
    (void)snprintf(wanted.key, sizeof wanted.key, "%s", key != NULL ? key : "");
    (void)snprintf(wanted.operation, sizeof wanted.operation, "%s", operation);
    (void)pthread_mutex_lock(&lock);
    kind *entry = entry_for(&wanted, now, &ended);
    bool due = now - entry->since >= WINDOW_MS;
    unsigned repeated = entry->repeated;
    if (due) {
        entry->since = now;
        entry->repeated = 0;
    } else if (repeated < UINT_MAX) {
        entry->repeated++;
    }
    (void)pthread_mutex_unlock(&lock);
    write_ended(&ended);
    if (due) {
        write_line(TLM_LOG_WARNING, "refused", peer, key, mechanism, operation, result, repeated);
    }
}
