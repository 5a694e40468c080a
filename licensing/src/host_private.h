/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_HOST_PRIVATE_H
#define TLM_LICENSING_HOST_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#define TLM_HOST_TEXT_MAX 4096U

/* Where the values are read. `container`: sources that show the container's own are left out. */
typedef struct tlm_host_root {
    const char *path;
    bool container;
} tlm_host_root;

/*
 * Each fills `value` (TLM_HOST_TEXT_MAX bytes) and returns true, or returns false where the host
 * has no such value, or this user may not read it. The order in which the system lists devices does
 * not count.
 */
bool tlm_host_cpu(const tlm_host_root *root, char *value);
bool tlm_host_system(const tlm_host_root *root, char *value);
bool tlm_host_board(const tlm_host_root *root, char *value);
bool tlm_host_machine_id(const tlm_host_root *root, char *value);
bool tlm_host_disk(const tlm_host_root *root, char *value);
bool tlm_host_network(const tlm_host_root *root, char *value);

/* ---- host_read.c ---- */

/* Reads the first line of ROOT/path, blanks trimmed; false where it is empty or not readable. */
bool tlm_host_line(const tlm_host_root *root, const char *path, char *value, size_t size);

/* The whole of ROOT/path, cut at `size` - 1 bytes; false where it is not readable. */
bool tlm_host_content(const tlm_host_root *root, const char *path, char *value, size_t size);

bool tlm_host_exists(const tlm_host_root *root, const char *path);

/* Whether the link ROOT/path leads through `part` ("/usb"); false where it is no link. */
bool tlm_host_link_has(const tlm_host_root *root, const char *path, const char *part);

/* A sorted set of short texts, joined with newlines. */
#define TLM_HOST_SET_MAX 64U
#define TLM_HOST_ITEM_MAX 128U
typedef struct tlm_host_set {
    char items[TLM_HOST_SET_MAX][TLM_HOST_ITEM_MAX];
    size_t count;
} tlm_host_set;

/* Adds a text that is not in the set yet; beyond TLM_HOST_SET_MAX the greatest ones are dropped. */
void tlm_host_set_add(tlm_host_set *set, const char *item);
/* false where the set is empty */
bool tlm_host_set_join(const tlm_host_set *set, char *value);

#endif
