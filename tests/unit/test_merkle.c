/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/key.h>
#include <tlm/statement.h>

#include "vector.h"

typedef unsigned char hash_bytes[TLM_HASH_SIZE];

static void from_hex(const char *text, unsigned char *data, size_t size)
{
    assert_int_equal(strlen(text), 2 * size);
    for (size_t i = 0; i < size; i++) {
        const char digits[] = {text[2 * i], text[2 * i + 1], '\0'};
        char *end = NULL;
        data[i] = (unsigned char)strtoul(digits, &end, 16);
        assert_int_equal(*end, '\0');
    }
}

static const char *text_at(const json_t *array, size_t index)
{
    const char *text = json_string_value(json_array_get(array, index));
    assert_non_null(text);
    return text;
}

/* Leaves that differ. */
static void number_leaves(hash_bytes *leaves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tlm_merkle_leaf(&i, sizeof i, leaves[i], NULL), TLM_OK);
    }
}

static tlm_merkle *tree_of(hash_bytes *leaves, size_t count)
{
    tlm_merkle *tree = NULL;
    assert_int_equal(tlm_merkle_new((const hash_bytes *)leaves, count, &tree, NULL), TLM_OK);
    return tree;
}

static tlm_result climb(const hash_bytes leaf, uint64_t index, uint64_t size, hash_bytes *path,
                        size_t count, hash_bytes root)
{
    tlm_error error = {0};
    tlm_result result =
        tlm_merkle_climb(leaf, index, size, (const hash_bytes *)path, count, root, &error);
    assert_int_equal(error.result, result);
    return result;
}

static void load_leaves(const json_t *vector, hash_bytes leaves[8])
{
    const json_t *list = json_object_get(vector, "leaves");
    assert_int_equal(json_array_size(list), 8);
    for (size_t i = 0; i < 8; i++) {
        unsigned char data[16];
        size_t size = strlen(text_at(list, i)) / 2;
        from_hex(text_at(list, i), data, size);
        assert_int_equal(tlm_merkle_leaf(data, size, leaves[i], NULL), TLM_OK);
    }
}

static void test_roots_of_the_reference(void **state)
{
    (void)state;
    hash_bytes leaves[8];
    json_t *vector = tlm_vector_load("rfc9162-merkle.json");
    load_leaves(vector, leaves);
    for (size_t size = 1; size <= 8; size++) {
        hash_bytes expected;
        from_hex(text_at(json_object_get(vector, "roots"), size - 1), expected, sizeof expected);
        tlm_merkle *tree = tree_of(leaves, size);
        assert_memory_equal(tlm_merkle_root(tree), expected, TLM_HASH_SIZE);
        tlm_merkle_free(&tree);
    }
    json_decref(vector);
}

static void test_paths_of_the_reference(void **state)
{
    (void)state;
    hash_bytes leaves[8];
    json_t *vector = tlm_vector_load("rfc9162-merkle.json");
    const json_t *paths = json_object_get(vector, "paths");
    load_leaves(vector, leaves);
    assert_int_equal(json_array_size(paths), 5);
    for (size_t i = 0; i < json_array_size(paths); i++) {
        const json_t *one = json_array_get(paths, i);
        const json_t *hashes = json_object_get(one, "path");
        size_t index = (size_t)json_integer_value(json_object_get(one, "index"));
        size_t size = (size_t)json_integer_value(json_object_get(one, "size"));
        hash_bytes path[TLM_PATH_MAX];
        tlm_merkle *tree = tree_of(leaves, size);
        assert_int_equal(tlm_merkle_path(tree, index, path), json_array_size(hashes));
        for (size_t k = 0; k < json_array_size(hashes); k++) {
            hash_bytes expected;
            from_hex(text_at(hashes, k), expected, sizeof expected);
            assert_memory_equal(path[k], expected, TLM_HASH_SIZE);
        }
        tlm_merkle_free(&tree);
    }
    json_decref(vector);
}

static void check_every_path(hash_bytes *leaves, size_t size)
{
    tlm_merkle *tree = tree_of(leaves, size);
    for (size_t i = 0; i < size; i++) {
        hash_bytes path[TLM_PATH_MAX];
        hash_bytes root;
        size_t length = tlm_merkle_path(tree, i, path);
        assert_int_equal(climb(leaves[i], i, size, path, length, root), TLM_OK);
        assert_memory_equal(root, tlm_merkle_root(tree), TLM_HASH_SIZE);
    }
    tlm_merkle_free(&tree);
}

static void test_every_path_leads_to_the_root(void **state)
{
    (void)state;
    hash_bytes *leaves = calloc(TLM_BATCH_MAX, sizeof *leaves);
    assert_non_null(leaves);
    number_leaves(leaves, TLM_BATCH_MAX);
    for (size_t size = 1; size <= 130; size++) {
        check_every_path(leaves, size);
    }
    check_every_path(leaves, TLM_BATCH_MAX - 1);
    check_every_path(leaves, TLM_BATCH_MAX);
    free(leaves);
}

/* A path leads to its root from its own leaf, place and size alone. */
static void test_other_leaf_place_or_size(void **state)
{
    (void)state;
    hash_bytes leaves[32];
    number_leaves(leaves, 32);
    for (size_t size = 2; size <= 32; size++) {
        tlm_merkle *tree = tree_of(leaves, size);
        for (size_t i = 0; i < size; i++) {
            hash_bytes path[TLM_PATH_MAX];
            hash_bytes root;
            size_t length = tlm_merkle_path(tree, i, path);
            for (size_t other = 0; other < size; other++) {
                tlm_result result = climb(leaves[i], other, size, path, length, root);
                bool same =
                    result == TLM_OK && memcmp(root, tlm_merkle_root(tree), TLM_HASH_SIZE) == 0;
                assert_int_equal(same, other == i);
            }
            assert_int_equal(climb(leaves[(i + 1) % size], i, size, path, length, root), TLM_OK);
            assert_memory_not_equal(root, tlm_merkle_root(tree), TLM_HASH_SIZE);
            path[0][31] ^= 1U;
            assert_int_equal(climb(leaves[i], i, size, path, length, root), TLM_OK);
            assert_memory_not_equal(root, tlm_merkle_root(tree), TLM_HASH_SIZE);
        }
        tlm_merkle_free(&tree);
    }
}

static void test_impossible_paths(void **state)
{
    (void)state;
    hash_bytes leaf = {1};
    hash_bytes path[TLM_PATH_MAX + 1] = {{2}};
    hash_bytes root;
    assert_int_equal(climb(leaf, 0, 0, path, 0, root), TLM_ERR_SIGNATURE);
    assert_int_equal(climb(leaf, 1, 1, path, 0, root), TLM_ERR_SIGNATURE);
    assert_int_equal(climb(leaf, 0, 1, path, 1, root), TLM_ERR_SIGNATURE);
    assert_int_equal(climb(leaf, 0, 1, path, 0, root), TLM_OK);
    assert_memory_equal(root, leaf, TLM_HASH_SIZE);
    assert_int_equal(climb(leaf, 0, 8, path, 2, root), TLM_ERR_SIGNATURE);
    assert_int_equal(climb(leaf, 0, 8, path, 3, root), TLM_OK);
    assert_int_equal(climb(leaf, 0, 8, path, 4, root), TLM_ERR_SIGNATURE);
    assert_int_equal(climb(leaf, UINT64_MAX, UINT64_MAX, path, 1, root), TLM_ERR_SIGNATURE);
    assert_int_equal(climb(leaf, UINT64_MAX - 1, UINT64_MAX, path, TLM_PATH_MAX, root),
                     TLM_ERR_SIGNATURE);
}

static void test_size_limits(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_merkle *tree = NULL;
    hash_bytes *leaves = calloc(TLM_BATCH_MAX + 1, sizeof *leaves);
    assert_non_null(leaves);
    assert_int_equal(tlm_merkle_new((const hash_bytes *)leaves, 0, &tree, &error),
                     TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_merkle_new((const hash_bytes *)leaves, TLM_BATCH_MAX + 1, &tree, &error),
                     TLM_ERR_ARGUMENT);
    assert_non_null(strstr(error.message, "4097"));
    assert_null(tree);
    tlm_merkle_free(&tree);
    tlm_merkle_free(NULL);
    free(leaves);
}

/* A node is no leaf: the prefixes keep an inner node from being shown as a statement. */
static void test_leaf_is_no_node(void **state)
{
    (void)state;
    hash_bytes pair[2] = {{1}, {2}};
    hash_bytes node;
    hash_bytes leaf;
    assert_int_equal(tlm_merkle_node(pair[0], pair[1], node, NULL), TLM_OK);
    assert_int_equal(tlm_merkle_leaf(pair, sizeof pair, leaf, NULL), TLM_OK);
    assert_memory_not_equal(node, leaf, TLM_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots_of_the_reference),
        cmocka_unit_test(test_paths_of_the_reference),
        cmocka_unit_test(test_every_path_leads_to_the_root),
        cmocka_unit_test(test_other_leaf_place_or_size),
        cmocka_unit_test(test_impossible_paths),
        cmocka_unit_test(test_size_limits),
        cmocka_unit_test(test_leaf_is_no_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
