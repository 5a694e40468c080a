/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CONTAINER_INTERNAL_H
#define TLM_CONTAINER_INTERNAL_H

/* What the container's files share, for tests and fuzzing too. */

#include <tlm/container.h>

#define TLM_CONTAINER_ID_SIZE 64U

/*
 * Each takes a text of its file and notes in `container` what that shows. What is known already is
 * not overwritten: the first sign counts, and the callers ask the strongest first.
 */
void tlm_container_read_cgroup(const char *text, const char *file, tlm_container *container);
void tlm_container_read_mounts(const char *text, const char *file, tlm_container *container);

/* Notes a sign; a kind that is known already stays. Too many and too long ones are cut. */
void tlm_container_note(tlm_container *container, tlm_container_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tlm_container_note_pod(tlm_container *container, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps an id of exactly 64 hexadecimal digits, unless one is known. */
void tlm_container_note_id(tlm_container *container, const char *text, size_t size);

/* Whether `text` begins with 64 lower-case hexadecimal digits and no more of them. */
bool tlm_container_is_id(const char *text);

/* Length of a pod's UID at `text`, parted by '-' or '_' (systemd's slices), or 0. */
size_t tlm_container_uid_size(const char *text);
void tlm_container_note_uid(tlm_container *container, const char *text);

#endif
