/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_GUARD_H
#define TLM_GUARD_H

/*
 * A bound on the memory that one message of a client can take.
 *
 * p11-kit reads messages and allocates what they announce, before it calls any function of ours: a
 * header of 12 bytes asks for 4 GiB, and 40 bytes in a template for several times as much. Anyone
 * who may connect could so have this process killed. p11-kit has no bound of its own, but it stands
 * that memory is refused: it then closes the connection, or answers CKR_DEVICE_MEMORY. So the
 * program's malloc (guard_malloc.c) asks here.
 *
 *     tlm_guard_begin(TLM_GUARD_BUDGET);           in the thread of a connection
 *     p11_kit_remote_serve_module(…);
 *     if (tlm_guard_end()) { … }
 *
 * All of it is about the calling thread; a thread that did not begin has no bound.
 */

#include <stdbool.h>
#include <stddef.h>

/* A message's bytes and everything that p11-kit makes of them. Ours are at most a few KiB. */
#define TLM_GUARD_BUDGET ((size_t)4 * 1024 * 1024)

void tlm_guard_begin(size_t budget);
/* Whether memory was refused since the beginning. */
bool tlm_guard_end(void);

/* p11-kit called a function of ours: the next message has the whole budget again. */
void tlm_guard_next(void);

/* Around calls of the token's module, whose memory no client chooses. */
void tlm_guard_pause(void);
void tlm_guard_resume(void);

/* For malloc: takes `size` bytes from the budget; false where they are not left. */
bool tlm_guard_take(size_t size);
/* For free: gives them back. */
void tlm_guard_give(size_t size);

#endif
