/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_MAP_H
#define TLM_LEDGER_MAP_H

/*
 * A map from texts to pointers: licenses by jti, pools by feature, who waits by client. Keys are
 * not copied and live as long as their entry; values are the caller's.
 *
 *     tlm_map map = {0};
 *     if (!tlm_map_put(&map, pool->name, pool)) { … no memory … }
 *     pool = tlm_map_get(&map, "pro");
 *     tlm_map_clear(&map);
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct tlm_map_slot {
    const char *key; /* NULL: free */
    void *value;
} tlm_map_slot;

typedef struct tlm_map {
    tlm_map_slot *slots;
    size_t size; /* 0 or a power of two */
    size_t used;
} tlm_map;

/* NULL where there is no such key. */
void *tlm_map_get(const tlm_map *map, const char *key);

/* Adds or replaces, the key too; false without memory, and nothing changed then. Replacing needs
 * none. */
bool tlm_map_put(tlm_map *map, const char *key, void *value);

void tlm_map_remove(tlm_map *map, const char *key);

/* Empties it and frees its memory. */
void tlm_map_clear(tlm_map *map);

#endif
