/* SPDX-License-Identifier: BSD-2-Clause */
#include "map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64U

/* FNV-1a. Clients choose some of the keys; the maps they can fill are bounded (queue.h). */
static size_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 1099511628211ULL;
    }
    return (size_t)(hash ^ (hash >> 32U));
}

/* The slot that has the key, or the free one where it would be. */
static tlm_map_slot *find(const tlm_map *map, const char *key)
{
    size_t at = hash_of(key) & (map->size - 1);
    while (map->slots[at].key != NULL && strcmp(map->slots[at].key, key) != 0) {
        at = (at + 1) & (map->size - 1);
    }
    return &map->slots[at];
}

void *tlm_map_get(const tlm_map *map, const char *key)
{
    return map->size == 0 ? NULL : find(map, key)->value;
}

static bool grow(tlm_map *map)
{
    tlm_map larger = {.size = map->size == 0 ? SIZE_FIRST : map->size * 2, .used = map->used};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->size; i++) {
        if (map->slots[i].key != NULL) {
            *find(&larger, map->slots[i].key) = map->slots[i];
        }
    }
    free(map->slots);
    *map = larger;
    return true;
}

bool tlm_map_put(tlm_map *map, const char *key, void *value)
{
    bool there = map->size > 0 && find(map, key)->key != NULL;
    if (!there && (map->used + 1) * 2 > map->size && !grow(map)) {
        return false;
    }
    *find(map, key) = (tlm_map_slot){key, value};
    map->used += !there;
    return true;
}

void tlm_map_remove(tlm_map *map, const char *key)
{
    tlm_map_slot *slot = map->size == 0 ? NULL : find(map, key);
    if (slot == NULL || slot->key == NULL) {
        return;
    }
    *slot = (tlm_map_slot){0};
    map->used--;
    /* What was pushed past the hole has to be found without it. */
    size_t mask = map->size - 1;
    for (size_t at = ((size_t)(slot - map->slots) + 1) & mask; map->slots[at].key != NULL;
         at = (at + 1) & mask) {
        tlm_map_slot moved = map->slots[at];
        map->slots[at] = (tlm_map_slot){0};
        *find(map, moved.key) = moved;
    }
}

void tlm_map_clear(tlm_map *map)
{
    free(map->slots);
    *map = (tlm_map){0};
}
