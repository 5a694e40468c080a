/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_STATEMENT_H
#define TLM_STATEMENT_H

/*
 * Statements: what a host asserts, proven by one signature of its token for a whole batch.
 *
 * A statement is a JSON object in canonical form (RFC 8785; no statement has a number that is not
 * an integer). Its bytes are a leaf of a Merkle tree (RFC 9162 section 2.1: SHA-256 over 0x00 and
 * the leaf, over 0x01 and two nodes). The root is signed once; an answer carries statement, index,
 * path and the signed root, and is verified with nothing but the host's public key:
 *
 *     tlm_statement_report report;
 *     result = tlm_statement_verify(answer, jwks, nonce, &report, &error);
 *
 * `answer` is any object with these members, such as an answer of the REST interface:
 *
 *     statement  the object
 *     index      of the leaf, from 0
 *     path       the sibling hashes from the leaf up, base64url
 *     root       compact JWS, typ tlm-root+jwt, ES256: root (base64url), size, iat, fingerprint
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <tlm/result.h>

#define TLM_ROOT_TYP "tlm-root+jwt"
#define TLM_HASH_SIZE 32U
/* Most statements below one root, and so the longest path. */
#define TLM_BATCH_MAX 4096U
#define TLM_PATH_MAX 12U
#define TLM_NONCE_MAX 256U

/* ---- Merkle trees ---- */

/* The hash of a leaf and of a node. */
TLM_CHECKED tlm_result tlm_merkle_leaf(const void *data, size_t size,
                                       unsigned char hash[TLM_HASH_SIZE], tlm_error *error);
TLM_CHECKED tlm_result tlm_merkle_node(const unsigned char left[TLM_HASH_SIZE],
                                       const unsigned char right[TLM_HASH_SIZE],
                                       unsigned char hash[TLM_HASH_SIZE], tlm_error *error);

/* A tree over leaf hashes (RFC 9162 section 2.1.1), built once for the root and all paths. */
typedef struct tlm_merkle tlm_merkle;
TLM_CHECKED tlm_result tlm_merkle_new(const unsigned char (*leaves)[TLM_HASH_SIZE], size_t count,
                                      tlm_merkle **tree, tlm_error *error);
void tlm_merkle_free(tlm_merkle **tree);
const unsigned char *tlm_merkle_root(const tlm_merkle *tree);
/* The path of leaf `index` (section 2.1.3.1); returns how many hashes it has. */
size_t tlm_merkle_path(const tlm_merkle *tree, size_t index,
                       unsigned char path[TLM_PATH_MAX][TLM_HASH_SIZE]);

/* The root that leaf, index, size and path lead to (section 2.1.3.2); TLM_ERR_SIGNATURE where they
 * cannot be of one tree. */
TLM_CHECKED tlm_result tlm_merkle_climb(const unsigned char leaf[TLM_HASH_SIZE], uint64_t index,
                                        uint64_t size, const unsigned char (*path)[TLM_HASH_SIZE],
                                        size_t count, unsigned char root[TLM_HASH_SIZE],
                                        tlm_error *error);

/* ---- statements ---- */

/* Canonical bytes of a statement as a new string; TLM_ERR_FORMAT for numbers that are no integers
 * and integers beyond 2^53. The caller frees it. */
TLM_CHECKED tlm_result tlm_statement_canonical(const json_t *statement, char **text,
                                               tlm_error *error);

typedef struct tlm_statement_report {
    const char *type;     /* member of the statement, owned by `answer` */
    char fingerprint[65]; /* of the signed root, the same as the statement's */
    char kid[65];         /* of the key that signed the root */
    int64_t signed_at;    /* iat of the root, seconds since 1970 */
    uint64_t size;        /* statements below the root */
} tlm_statement_report;

/*
 * Verifies an answer. `keys` is a JWKS or one JWK of the host; of a JWKS the key with the root's
 * kid counts. `nonce` is the one that was asked with, or NULL. TLM_ERR_SIGNATURE says which check
 * did not hold: signature, path, nonce or fingerprint.
 */
TLM_CHECKED tlm_result tlm_statement_verify(const json_t *answer, const json_t *keys,
                                            const char *nonce, tlm_statement_report *report,
                                            tlm_error *error);

#endif
