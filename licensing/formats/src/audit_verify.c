/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/audit.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/statement.h>

#include "audit_entry.h"
#include "json_private.h"
#include "text_private.h"

#define LINE_MAX_SIZE 65536U

/* Hashes of all entries so far, as anchors may lie behind later entries. */
typedef struct chain {
    char (*hashes)[TLM_AUDIT_HASH_SIZE];
    size_t count;
    size_t room;
    int64_t first;
    char before[TLM_AUDIT_HASH_SIZE]; /* `prev` of the first entry */
    char ledger[TLM_UUID_SIZE];       /* of the anchors; "" before there was one */
} chain;

typedef struct reader {
    const json_t *keys;
    size_t line;
    chain chain;
    tlm_audit_report report;
} reader;

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for an audit log");
}

static tlm_result broken(const reader *self, tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED, "Export the log again: tlm audit export",
                         "line %zu of the audit log: %s", self->line, what);
}

static tlm_result broken_entry(const reader *self, int64_t seq, tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED,
                         "Entries were changed, left out or put in there, or the export was cut.",
                         "line %zu of the audit log, entry %lld: %s", self->line, (long long)seq,
                         what);
}

static tlm_result contradicts(const reader *self, tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_SIGNATURE,
                         "Compare with the host: GET /api/v1/keys, tlm audit export",
                         "line %zu of the audit log: the anchor %s", self->line, what);
}

/* ---- entries ---- */

static tlm_result keep_hash(chain *to, const char *hash, tlm_error *error)
{
    if (to->count == to->room) {
        size_t room = to->room == 0 ? 64 : 2 * to->room; /* bounded by the text's size */
        char(*larger)[TLM_AUDIT_HASH_SIZE] = reallocarray(to->hashes, room, sizeof *to->hashes);
        if (larger == NULL) {
            return no_memory(error);
        }
        to->hashes = larger;
        to->room = room;
    }
    tlm_text_copy(to->hashes[to->count], TLM_AUDIT_HASH_SIZE, hash);
    to->count++;
    return TLM_OK;
}

/* Number, predecessor and form of an entry. */
static tlm_result check_place(reader *self, const json_t *entry, int64_t seq, tlm_error *error)
{
    chain *so_far = &self->chain;
    const char *prev = tlm_json_member(entry, "prev", TLM_AUDIT_HASH_SIZE - 1);
    if (prev == NULL || !tlm_hex_valid(prev, TLM_AUDIT_HASH_SIZE - 1) ||
        tlm_json_member(entry, "at", 64) == NULL || tlm_json_member(entry, "event", 64) == NULL) {
        return broken_entry(self, seq, error, "its members are not those of an entry");
    }
    if (so_far->count == 0) {
        so_far->first = seq;
        tlm_text_copy(so_far->before, sizeof so_far->before, prev);
        return seq == 1 && strcmp(prev, TLM_AUDIT_BEGIN) != 0
                   ? broken_entry(self, seq, error, "the first entry follows another one")
                   : TLM_OK;
    }
    if (seq != self->report.last + 1) {
        return broken_entry(self, seq, error, "it does not follow the number before it");
    }
    return strcmp(prev, so_far->hashes[so_far->count - 1]) == 0
               ? TLM_OK
               : broken_entry(self, seq, error,
                              "it was made after another entry than the one "
                              "before it");
}

static tlm_result read_entry(reader *self, json_t *entry, tlm_error *error)
{
    const json_t *number = json_object_get(entry, "seq");
    const char *text = tlm_json_member(entry, "hash", TLM_AUDIT_HASH_SIZE - 1);
    int64_t seq = json_integer_value(number);
    if (!json_is_integer(number) || seq < 1 || text == NULL) {
        return broken(self, error, "it is neither an entry nor an anchor");
    }
    tlm_result result = check_place(self, entry, seq, error);
    if (result != TLM_OK) {
        return result;
    }
    char told[TLM_AUDIT_HASH_SIZE];
    char hash[TLM_AUDIT_HASH_SIZE];
    char *canonical = NULL;
    tlm_text_copy(told, sizeof told, text);
    (void)json_object_del(entry, "hash");
    result = tlm_audit_hash(entry, &canonical, hash, error);
    free(canonical);
    if (result == TLM_ERR_FORMAT) {
        return broken_entry(self, seq, error, "it has a number that is no integer");
    }
    if (result != TLM_OK) {
        return result;
    }
    if (strcmp(told, hash) != 0) {
        return broken_entry(self, seq, error, "its hash is that of another content");
    }
    self->report.first = self->chain.first;
    self->report.last = seq;
    self->report.entries++;
    return keep_hash(&self->chain, hash, error);
}

/* ---- anchors ---- */

/* The hash that the chain has for an entry; NULL where it is before the export. */
static const char *hash_of(const chain *so_far, int64_t seq)
{
    if (seq < so_far->first) {
        return seq == so_far->first - 1 ? so_far->before : NULL;
    }
    return so_far->hashes[seq - so_far->first];
}

static tlm_result check_claims(reader *self, const json_t *statement, int64_t *seq,
                               tlm_error *error)
{
    const json_t *number = json_object_get(statement, "seq");
    const char *type = tlm_json_member(statement, "type", 64);
    const char *hash = tlm_json_member(statement, "hash", TLM_AUDIT_HASH_SIZE - 1);
    const char *ledger = tlm_json_member(statement, "ledger", TLM_UUID_SIZE - 1);
    if (type == NULL || strcmp(type, "audit") != 0 || !json_is_integer(number) || hash == NULL ||
        ledger == NULL || json_integer_value(number) < 1) {
        return contradicts(self, error, "is not a statement about an audit log");
    }
    if (self->chain.ledger[0] != '\0' && strcmp(self->chain.ledger, ledger) != 0) {
        return contradicts(self, error, "is of another ledger than the one before it");
    }
    tlm_text_copy(self->chain.ledger, sizeof self->chain.ledger, ledger);
    *seq = json_integer_value(number);
    if (self->chain.count == 0 || *seq > self->report.last) {
        return broken_entry(self, *seq, error, "an anchor is over it, and it is not there");
    }
    const char *expected = hash_of(&self->chain, *seq);
    return expected == NULL || strcmp(expected, hash) == 0
               ? TLM_OK
               : contradicts(self, error, "is over another content of its entry");
}

static tlm_result read_anchor(reader *self, const json_t *anchor, tlm_error *error)
{
    int64_t seq = 0;
    tlm_result result = check_claims(self, json_object_get(anchor, "statement"), &seq, error);
    if (result != TLM_OK || self->keys == NULL) {
        return result;
    }
    tlm_statement_report statement = {0};
    tlm_error cause = {0};
    result = tlm_statement_verify(anchor, self->keys, NULL, &statement, &cause);
    if (result == TLM_ERR_MEMORY) {
        return no_memory(error);
    }
    if (result != TLM_OK) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, cause.hint,
                             "line %zu of the audit log: the anchor over entry %lld: %s",
                             self->line, (long long)seq, cause.message);
    }
    self->report.anchors++;
    if (seq > self->report.anchored_to) {
        self->report.anchored_to = seq;
    }
    return TLM_OK;
}

/* ---- lines ---- */

static tlm_result read_line(reader *self, const char *text, size_t size, tlm_error *error)
{
    if (size > LINE_MAX_SIZE) {
        return broken(self, error, "it is longer than 65536 bytes");
    }
    json_t *object = tlm_json_load(text, size);
    if (object == NULL) {
        return broken(self, error, "it is not one JSON object");
    }
    const json_t *anchor = json_object_get(object, "anchor");
    tlm_result result = TLM_OK;
    if (anchor == NULL) {
        result = read_entry(self, object, error);
    } else if (json_object_size(object) == 1 && json_is_object(anchor)) {
        result = read_anchor(self, anchor, error);
    } else {
        result = broken(self, error, "it is neither an entry nor an anchor");
    }
    json_decref(object);
    return result;
}

tlm_result tlm_audit_verify(const char *text, size_t size, const json_t *keys,
                            tlm_audit_report *report, tlm_error *error)
{
    reader self = {.keys = keys};
    tlm_result result = TLM_OK;
    size_t start = 0;
    while (start < size && result == TLM_OK) {
        const char *newline = memchr(text + start, '\n', size - start);
        size_t end = newline != NULL ? (size_t)(newline - text) : size;
        self.line++;
        if (end > start) {
            result = read_line(&self, text + start, end - start, error);
        }
        start = end + 1;
    }
    free(self.chain.hashes);
    if (result == TLM_OK) {
        *report = self.report;
    }
    return result;
}
