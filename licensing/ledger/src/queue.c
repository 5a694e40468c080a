/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A client's name has no control characters, so the first unit separator ends it. */
static char *key_of(const char *feature, const char *client)
{
    char *key = NULL;
    return asprintf(&key, "%s\x1f%s", client, feature) < 0 ? NULL : key;
}

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static void free_waiter(tlm_waiter *waiter)
{
    free(waiter->client);
    free(waiter->vendor);
    free(waiter->product);
    free(waiter->license);
    free(waiter->key);
    free(waiter);
}

/* A line without anybody goes, so that asking for many features leaves nothing behind. */
static void end_line(tlm_queue *queue, tlm_line *line)
{
    if (line->first == NULL) {
        tlm_map_remove(&queue->lines, line->feature);
        free(line->feature);
        free(line);
    }
}

static void drop(tlm_queue *queue, tlm_waiter *waiter)
{
    tlm_line *line = waiter->line;
    *(waiter->previous != NULL ? &waiter->previous->next : &line->first) = waiter->next;
    *(waiter->next != NULL ? &waiter->next->previous : &line->last) = waiter->previous;
    tlm_map_remove(&queue->waiters, waiter->key);
    line->count--;
    queue->count--;
    free_waiter(waiter);
    end_line(queue, line);
}

tlm_waiter *tlm_queue_first(tlm_queue *queue, const char *feature, int64_t steady)
{
    tlm_line *line = tlm_map_get(&queue->lines, feature);
    tlm_waiter *next = line != NULL ? line->first : NULL;
    tlm_waiter *first = NULL;
    while (next != NULL) {
        tlm_waiter *waiter = next;
        next = waiter->next;
        if (steady - waiter->asked > TLM_QUEUE_KEPT_MS) {
            drop(queue, waiter);
        } else if (first == NULL) {
            first = waiter;
        }
    }
    return first;
}

static unsigned position_of(const tlm_waiter *waiter)
{
    unsigned position = 1;
    for (; waiter->previous != NULL; waiter = waiter->previous) {
        position++;
    }
    return position;
}

static tlm_line *line_of(tlm_queue *queue, const char *feature)
{
    tlm_line *line = tlm_map_get(&queue->lines, feature);
    if (line != NULL) {
        return line;
    }
    line = calloc(1, sizeof *line);
    if (line != NULL) {
        line->feature = strdup(feature);
    }
    if (line == NULL || line->feature == NULL || !tlm_map_put(&queue->lines, line->feature, line)) {
        if (line != NULL) {
            free(line->feature);
        }
        free(line);
        return NULL;
    }
    return line;
}

/* Takes the key, also where it returns NULL. */
static tlm_waiter *new_waiter(const tlm_ledger_ask *ask, char *key)
{
    tlm_waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL) {
        free(key);
        return NULL;
    }
    waiter->key = key;
    waiter->client = copy(ask->client);
    waiter->vendor = copy(ask->vendor);
    waiter->product = copy(ask->product);
    waiter->license = copy(ask->license);
    if (waiter->client == NULL || (waiter->vendor == NULL) != (ask->vendor == NULL) ||
        (waiter->product == NULL) != (ask->product == NULL) ||
        (waiter->license == NULL) != (ask->license == NULL)) {
        free_waiter(waiter);
        return NULL;
    }
    waiter->ask = (tlm_ledger_ask){.client = waiter->client,
                                   .vendor = waiter->vendor,
                                   .product = waiter->product,
                                   .license = waiter->license};
    return waiter;
}

/* NULL without memory: the client has no place then, and asks again. Takes the key. */
static tlm_waiter *append(tlm_queue *queue, const tlm_ledger_ask *ask, char *key)
{
    tlm_waiter *waiter = new_waiter(ask, key);
    tlm_line *line = waiter != NULL ? line_of(queue, ask->feature) : NULL;
    if (line == NULL || !tlm_map_put(&queue->waiters, waiter->key, waiter)) {
        if (waiter != NULL) {
            free_waiter(waiter);
        }
        if (line != NULL) {
            end_line(queue, line);
        }
        return NULL;
    }
    waiter->ask.feature = line->feature;
    waiter->line = line;
    waiter->previous = line->last;
    *(line->last != NULL ? &line->last->next : &line->first) = waiter;
    line->last = waiter;
    line->count++;
    queue->count++;
    return waiter;
}

unsigned tlm_queue_join(tlm_queue *queue, const tlm_ledger_ask *ask, int64_t units, int64_t steady)
{
    (void)tlm_queue_first(queue, ask->feature, steady); /* who is late is not ahead */
    const tlm_line *line = tlm_map_get(&queue->lines, ask->feature);
    unsigned ahead = line != NULL ? line->count : 0;
    char *key = key_of(ask->feature, ask->client);
    tlm_waiter *waiter = key != NULL ? tlm_map_get(&queue->waiters, key) : NULL;
    if (waiter != NULL || key == NULL || queue->count >= TLM_QUEUE_MAX) {
        free(key);
    } else {
        waiter = append(queue, ask, key);
    }
    if (waiter == NULL) {
        return ahead + 1;
    }
    waiter->units = units;
    waiter->asked = steady;
    return position_of(waiter);
}

void tlm_queue_leave(tlm_queue *queue, const char *feature, const char *client)
{
    char *key = queue->count > 0 ? key_of(feature, client) : NULL;
    tlm_waiter *waiter = key != NULL ? tlm_map_get(&queue->waiters, key) : NULL;
    free(key);
    if (waiter != NULL) {
        drop(queue, waiter);
    }
}

void tlm_queue_clear(tlm_queue *queue)
{
    for (size_t i = 0; i < queue->waiters.size; i++) {
        tlm_waiter *waiter = queue->waiters.slots[i].value;
        if (queue->waiters.slots[i].key != NULL) {
            free_waiter(waiter);
        }
    }
    for (size_t i = 0; i < queue->lines.size; i++) {
        tlm_line *line = queue->lines.slots[i].value;
        if (queue->lines.slots[i].key != NULL) {
            free(line->feature);
            free(line);
        }
    }
    tlm_map_clear(&queue->waiters);
    tlm_map_clear(&queue->lines);
    queue->count = 0;
}
