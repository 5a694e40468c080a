/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_SECRET_H
#define TLM_SECRET_H

/*
 * The one type that holds PINs, seeds and keys.
 *
 * Its memory is locked (mlock), left out of core dumps and not inherited by fork (madvise),
 * surrounded by guard pages and wiped when freed. It never enters argv, the environment or a log.
 *
 *     tlm_secret *pin = NULL;
 *     if (tlm_secret_new(16, &pin, &error) != TLM_OK) {
 *         return error.result;
 *     }
 *     fill(tlm_secret_data(pin), tlm_secret_size(pin));
 *     use(pin);
 *     tlm_secret_free(&pin);
 */

#include <stdbool.h>
#include <stddef.h>

#include <tlm/result.h>

typedef struct tlm_secret tlm_secret;

/* Upper bound of one secret, in bytes: a private RSA key in JSON fits. */
#define TLM_SECRET_MAX 65536U

/*
 * Makes a zeroed secret of `size` bytes (1 to TLM_SECRET_MAX); the caller owns it. Where the limit
 * on locked memory is reached the secret is made all the same, unlocked: see tlm_secret_locked.
 */
TLM_CHECKED tlm_result tlm_secret_new(size_t size, tlm_secret **secret, tlm_error *error);

/* Makes a secret with a copy of `size` bytes at `data`. The source is the caller's to wipe. */
TLM_CHECKED tlm_result tlm_secret_from(const void *data, size_t size, tlm_secret **secret,
                                       tlm_error *error);

/* The bytes, valid until the secret is freed. A zero byte always stands behind the last one. */
unsigned char *tlm_secret_data(tlm_secret *secret);
const unsigned char *tlm_secret_bytes(const tlm_secret *secret);
size_t tlm_secret_size(const tlm_secret *secret);

/* Shortens a secret (never lengthens it) and wipes what is cut off. */
void tlm_secret_shrink(tlm_secret *secret, size_t size);

/* Whether the memory is locked against swapping. */
bool tlm_secret_locked(const tlm_secret *secret);

/* Compares in time that depends on the sizes alone. NULL equals nothing. */
bool tlm_secret_equal(const tlm_secret *left, const tlm_secret *right);

/* The same for bytes that a peer sent: they are compared where they lie. */
bool tlm_secret_matches(const tlm_secret *secret, const void *data, size_t size);

/* Wipes and frees; accepts NULL and a NULL secret, and sets the caller's pointer to NULL. */
void tlm_secret_free(tlm_secret **secret);

#endif
