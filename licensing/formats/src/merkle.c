/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/statement.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define LEVELS (TLM_PATH_MAX + 1U)

typedef unsigned char hash_bytes[TLM_HASH_SIZE];

struct tlm_merkle {
    hash_bytes *level[LEVELS]; /* level 0: the leaves; the last one is the root alone */
    size_t count[LEVELS];
    size_t levels;
    hash_bytes nodes[];
};

static EVP_MD *sha256;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* SHA-256 over a prefix and one or two texts. Fetched once: that costs more than the hash. */
static tlm_result hash_of(unsigned char prefix, const void *first, size_t first_size,
                          const void *second, size_t second_size, hash_bytes hash, tlm_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fetch_sha256);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && sha256 != NULL &&
                EVP_DigestInit_ex2(context, sha256, NULL) == 1 &&
                EVP_DigestUpdate(context, &prefix, 1) == 1 &&
                EVP_DigestUpdate(context, first, first_size) == 1 &&
                EVP_DigestUpdate(context, second, second_size) == 1 &&
                EVP_DigestFinal_ex(context, hash, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!done) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL,
                             "OpenSSL made no SHA-256 hash of a statement");
    }
    return TLM_OK;
}

tlm_result tlm_merkle_leaf(const void *data, size_t size, unsigned char hash[TLM_HASH_SIZE],
                           tlm_error *error)
{
    return hash_of(0x00, data, size, "", 0, hash, error);
}

tlm_result tlm_merkle_node(const unsigned char left[TLM_HASH_SIZE],
                           const unsigned char right[TLM_HASH_SIZE],
                           unsigned char hash[TLM_HASH_SIZE], tlm_error *error)
{
    return hash_of(0x01, left, TLM_HASH_SIZE, right, TLM_HASH_SIZE, hash, error);
}

/*
 * The RFC splits at the largest power of two below the number of leaves, from the top. Pairs from
 * the bottom, where an odd last one moves up as it is, are the same tree.
 */
static tlm_result fill_level(tlm_merkle *tree, size_t level, tlm_error *error)
{
    hash_bytes *from = tree->level[level - 1];
    hash_bytes *to = tree->level[level];
    size_t pairs = tree->count[level - 1] / 2;
    for (size_t i = 0; i < pairs; i++) {
        tlm_result result = tlm_merkle_node(from[2 * i], from[2 * i + 1], to[i], error);
        if (result != TLM_OK) {
            return result;
        }
    }
    if (tree->count[level - 1] % 2 != 0) {
        memcpy(to[pairs], from[2 * pairs], TLM_HASH_SIZE);
    }
    return TLM_OK;
}

tlm_result tlm_merkle_new(const unsigned char (*leaves)[TLM_HASH_SIZE], size_t count,
                          tlm_merkle **tree, tlm_error *error)
{
    if (count == 0 || count > TLM_BATCH_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a Merkle tree of %zu statements, not of 1 to %u", count,
                             TLM_BATCH_MAX);
    }
    /* Each level has half of the one below, rounded up: with those of odd counts at most one more
     * hash for each level than twice the leaves. */
    tlm_merkle *made = calloc(1, sizeof *made + (2 * count + LEVELS) * TLM_HASH_SIZE);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a Merkle tree");
    }
    made->level[0] = made->nodes;
    made->count[0] = count;
    made->levels = 1;
    memcpy(made->nodes, leaves, count * TLM_HASH_SIZE);
    tlm_result result = TLM_OK;
    while (result == TLM_OK && made->count[made->levels - 1] > 1) {
        size_t level = made->levels;
        made->level[level] = made->level[level - 1] + made->count[level - 1];
        made->count[level] = (made->count[level - 1] + 1) / 2;
        made->levels++;
        result = fill_level(made, level, error);
    }
    if (result != TLM_OK) {
        tlm_merkle_free(&made);
        return result;
    }
    *tree = made;
    return TLM_OK;
}

void tlm_merkle_free(tlm_merkle **tree)
{
    if (tree != NULL) {
        free(*tree);
        *tree = NULL;
    }
}

const unsigned char *tlm_merkle_root(const tlm_merkle *tree)
{
    return tree->level[tree->levels - 1][0];
}

size_t tlm_merkle_path(const tlm_merkle *tree, size_t index,
                       unsigned char path[TLM_PATH_MAX][TLM_HASH_SIZE])
{
    size_t length = 0;
    for (size_t level = 0; level + 1 < tree->levels; level++, index /= 2) {
        size_t sibling = index ^ 1U;
        if (sibling < tree->count[level]) { /* else it moves up as it is */
            memcpy(path[length], tree->level[level][sibling], TLM_HASH_SIZE);
            length++;
        }
    }
    return length;
}

static tlm_result no_such_path(tlm_error *error, uint64_t index, uint64_t size, size_t count)
{
    return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                         "a path of %zu hashes does not lead from statement %llu to the root of "
                         "%llu statements",
                         count, (unsigned long long)index, (unsigned long long)size);
}

/* RFC 9162 section 2.1.3.2, with its names: fn the place of the node in its level, sn the last. */
tlm_result tlm_merkle_climb(const unsigned char leaf[TLM_HASH_SIZE], uint64_t index, uint64_t size,
                            const unsigned char (*path)[TLM_HASH_SIZE], size_t count,
                            unsigned char root[TLM_HASH_SIZE], tlm_error *error)
{
    if (index >= size) {
        return no_such_path(error, index, size, count);
    }
    uint64_t fn = index;
    uint64_t sn = size - 1;
    hash_bytes climbed;
    memcpy(climbed, leaf, TLM_HASH_SIZE);
    for (size_t i = 0; i < count; i++) {
        if (sn == 0) {
            return no_such_path(error, index, size, count);
        }
        bool right = (fn & 1U) != 0 || fn == sn;
        tlm_result result = right ? tlm_merkle_node(path[i], climbed, climbed, error)
                                  : tlm_merkle_node(climbed, path[i], climbed, error);
        if (result != TLM_OK) {
            return result;
        }
        while (right && (fn & 1U) == 0 && fn != 0) { /* levels in which it moved up alone */
            fn >>= 1U;
            sn >>= 1U;
        }
        fn >>= 1U;
        sn >>= 1U;
    }
    if (sn != 0) {
        return no_such_path(error, index, size, count);
    }
    memcpy(root, climbed, TLM_HASH_SIZE);
    return TLM_OK;
}
