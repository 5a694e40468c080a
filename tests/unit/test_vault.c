/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include "json_private.h"
#include "licensing_fixture.h"
#include "rsa_keys.h"

#include <sys/stat.h>

#include <jansson.h>

#include <tlm/file.h>
#include <tlm/jwe.h>
#include <tlm/vault.h>

#define STORAGE "01234567-89ab-4cde-8f01-23456789abcd"
#define OTHER_STORAGE "01234567-89ab-4cde-8f01-23456789abce"

static tlm_vault vault;
static tlm_secret *key;
static tlm_secret *wrong_key;
static char *sealed;

static int setup(void **state)
{
    (void)state;
    unsigned char bytes[TLM_VAULT_KEY_SIZE] = {1, 2, 3};
    EVP_PKEY *identity = tlm_test_rsa(2048U);
    int failed = identity == NULL || tlm_secret_from(bytes, sizeof bytes, &key, NULL) != TLM_OK ||
                 tlm_vault_make(STORAGE, identity, &vault, NULL) != TLM_OK ||
                 tlm_vault_seal(&vault, key, &sealed, NULL) != TLM_OK;
    bytes[0] = 9;
    failed = failed || tlm_secret_from(bytes, sizeof bytes, &wrong_key, NULL) != TLM_OK;
    EVP_PKEY_free(identity);
    return failed ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    tlm_vault_clear(&vault);
    tlm_secret_free(&key);
    tlm_secret_free(&wrong_key);
    free(sealed);
    return 0;
}

static tlm_result open_as(const char *storage, const char *text, size_t size)
{
    tlm_vault opened = {0};
    tlm_error error = {0};
    tlm_result result = tlm_vault_open(text, size, key, storage, &opened, &error);
    assert_int_equal(error.result, result);
    assert_true((result == TLM_OK) == (opened.local != NULL));
    tlm_vault_clear(&opened);
    return result;
}

static void keeps_the_key_pair(void **state)
{
    (void)state;
    tlm_vault opened = {0};
    assert_int_equal(tlm_vault_open(sealed, strlen(sealed), key, STORAGE, &opened, NULL), TLM_OK);
    assert_int_equal(EVP_PKEY_eq(opened.local, vault.local), 1);
    assert_int_equal(EVP_PKEY_get_bits(opened.local), TLM_LOCAL_KEY_BITS);
    assert_memory_equal(opened.salt, vault.salt, TLM_SALT_SIZE);
    assert_string_equal(opened.srk_public_key, vault.srk_public_key);
    assert_string_equal(opened.created, vault.created);
    assert_string_equal(opened.storage_id, STORAGE);
    assert_null(strstr(sealed, "PRIVATE"));
    tlm_vault_clear(&opened);
    tlm_vault_clear(NULL);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    size_t size = strlen(sealed);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(open_as(STORAGE, sealed, i), TLM_ERR_DAMAGED);
    }
}

/* Every bit of header, nonce and tag; of the long cipher text every byte, its bits in turn. */
static void refuses_every_flipped_byte(void **state)
{
    (void)state;
    size_t size = strlen(sealed);
    size_t content = (size_t)(strchr(strstr(sealed, "..") + 2, '.') - sealed) + 1;
    size_t tag = (size_t)(strrchr(sealed, '.') - sealed);
    char *text = strdup(sealed);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        bool inside = i >= content && i < tag;
        for (unsigned bit = 0; bit < 8; bit++) {
            if (inside && bit != i % 8) {
                continue;
            }
            text[i] = (char)((unsigned char)sealed[i] ^ (1U << bit));
            assert_int_equal(open_as(STORAGE, text, size), TLM_ERR_DAMAGED);
        }
        text[i] = sealed[i];
    }
    assert_int_equal(open_as(STORAGE, text, size), TLM_OK);
    free(text);
}

static char *seal_payload(const tlm_secret *cek, const char *kid, const char *payload)
{
    const tlm_jwe_header header = {.alg = "dir", .kid = kid, .typ = TLM_VAULT_TYPE, .cty = "json"};
    tlm_secret *plain = NULL;
    char *text = NULL;
    assert_int_equal(tlm_secret_from(payload, strlen(payload), &plain, NULL), TLM_OK);
    assert_int_equal(tlm_jwe_seal(&header, NULL, 0, cek, plain, &text, NULL), TLM_OK);
    tlm_secret_free(&plain);
    return text;
}

static void tells_another_installation_from_damage(void **state)
{
    (void)state;
    /* Sealed under another key with another storage id: another installation's. */
    char *foreign = seal_payload(wrong_key, OTHER_STORAGE, "{}");
    assert_int_equal(open_as(STORAGE, foreign, strlen(foreign)), TLM_ERR_FOREIGN);
    free(foreign);
    /* Under another key with our id: ours, damaged. */
    char *damaged = seal_payload(wrong_key, STORAGE, "{}");
    assert_int_equal(open_as(STORAGE, damaged, strlen(damaged)), TLM_ERR_DAMAGED);
    free(damaged);
    /* The key fits and the payload is another installation's: nothing like it is ever written. */
    assert_int_equal(open_as(OTHER_STORAGE, sealed, strlen(sealed)), TLM_ERR_DAMAGED);
}

static void tells_a_newer_version(void **state)
{
    (void)state;
    char *newer = seal_payload(key, STORAGE, "{\"version\":7}");
    assert_int_equal(open_as(STORAGE, newer, strlen(newer)), TLM_ERR_NEWER);
    free(newer);
}

static void wants_exactly_the_members_of_its_version(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{}",
        "{\"version\":1}",
        "{\"version\":1,\"storageId\":\"" STORAGE
        "\",\"localKey\":\"x\",\"srkPublicKey\":\"y\",\"salt\":\"AAAA\",\"created\":\"2026-01-31T"
        "12:00:00Z\"}",
        "{\"version\":1,\"storageId\":\"" STORAGE
        "\",\"localKey\":\"x\",\"srkPublicKey\":\"y\",\"salt\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"created\":\"2026-01-31T12:00:00Z\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tlm_vault parsed = {0};
        assert_int_equal(tlm_vault_parse(wrong[i], strlen(wrong[i]), &parsed, NULL),
                         TLM_ERR_DAMAGED);
        assert_null(parsed.local);
    }
}

/* Seals with a ledger's id and gives the payload back. */
static json_t *payload_with_ledger(const char *ledger, tlm_vault *opened)
{
    tlm_vault with = vault;
    tlm_jwe *jwe = NULL;
    tlm_secret *plain = NULL;
    char *text = NULL;
    (void)snprintf(with.ledger, sizeof with.ledger, "%s", ledger);
    assert_int_equal(tlm_vault_seal(&with, key, &text, NULL), TLM_OK);
    assert_int_equal(tlm_vault_open(text, strlen(text), key, STORAGE, opened, NULL), TLM_OK);
    assert_int_equal(tlm_jwe_parse(text, strlen(text), &jwe, NULL), TLM_OK);
    assert_int_equal(tlm_jwe_open(jwe, key, &plain, NULL), TLM_OK);
    json_t *payload = tlm_json_load(tlm_secret_bytes(plain), tlm_secret_size(plain));
    assert_non_null(payload);
    tlm_secret_free(&plain);
    tlm_jwe_free(&jwe);
    free(text);
    return payload;
}

/* An older program goes on with a vault that never had a ledger. */
static void is_of_version_2_with_a_ledger_alone(void **state)
{
    (void)state;
    tlm_vault opened = {0};
    json_t *payload = payload_with_ledger("", &opened);
    assert_int_equal(json_integer_value(json_object_get(payload, "version")), 1);
    assert_null(json_object_get(payload, "ledger"));
    assert_string_equal(opened.ledger, "");
    json_decref(payload);
    tlm_vault_clear(&opened);
    payload = payload_with_ledger(OTHER_STORAGE, &opened);
    assert_int_equal(json_integer_value(json_object_get(payload, "version")), 2);
    assert_string_equal(opened.ledger, OTHER_STORAGE);
    json_decref(payload);
    tlm_vault_clear(&opened);
}

static tlm_result parse_changed(json_t *payload)
{
    tlm_vault parsed = {0};
    char *text = json_dumps(payload, JSON_COMPACT);
    assert_non_null(text);
    tlm_result result = tlm_vault_parse(text, strlen(text), &parsed, NULL);
    assert_true((result == TLM_OK) == (parsed.local != NULL));
    tlm_vault_clear(&parsed);
    free(text);
    return result;
}

static void refuses_a_ledger_that_is_none(void **state)
{
    (void)state;
    tlm_vault opened = {0};
    json_t *payload = payload_with_ledger(OTHER_STORAGE, &opened);
    tlm_vault_clear(&opened);
    assert_int_equal(parse_changed(payload), TLM_OK);
    assert_int_equal(json_object_set_new(payload, "version", json_integer(1)), 0);
    assert_int_equal(parse_changed(payload), TLM_ERR_DAMAGED);
    assert_int_equal(json_object_set_new(payload, "version", json_integer(3)), 0);
    assert_int_equal(parse_changed(payload), TLM_ERR_NEWER);
    assert_int_equal(json_object_set_new(payload, "version", json_integer(2)), 0);
    assert_int_equal(json_object_set_new(payload, "ledger", json_string("")), 0);
    assert_int_equal(parse_changed(payload), TLM_ERR_DAMAGED);
    assert_int_equal(json_object_set_new(payload, "ledger", json_integer(7)), 0);
    assert_int_equal(parse_changed(payload), TLM_ERR_DAMAGED);
    assert_int_equal(json_object_set_new(payload, "ledger", json_string(OTHER_STORAGE "0")), 0);
    assert_int_equal(parse_changed(payload), TLM_ERR_DAMAGED);
    assert_int_equal(json_object_del(payload, "ledger"), 0);
    assert_int_equal(parse_changed(payload), TLM_OK);
    assert_int_equal(json_object_set_new(payload, "more", json_true()), 0);
    assert_int_equal(parse_changed(payload), TLM_ERR_DAMAGED);
    json_decref(payload);
}

static void keeps_the_previous_generation(void **state)
{
    char path[TEST_PATH_MAX];
    char backup[TEST_PATH_MAX];
    char first[8192];
    char second[8192];
    struct stat info;
    in_directory(state, "vault.bin", path);
    in_directory(state, "vault.bin.bak", backup);
    assert_int_equal(tlm_vault_write(path, &vault, key, NULL), TLM_OK);
    assert_false(tlm_file_exists(backup));
    get_file(path, first, sizeof first);
    assert_int_equal(tlm_vault_write(path, &vault, key, NULL), TLM_OK);
    assert_string_equal(get_file(backup, second, sizeof second), first);
    assert_string_not_equal(get_file(path, second, sizeof second), first);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777U, 0600);
    assert_int_equal(open_as(STORAGE, second, strlen(second)), TLM_OK);
}

static void reads_only_rsa_keys_of_a_size(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "x", "-----BEGIN PRIVATE KEY-----\n"};
    EVP_PKEY *read = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(tlm_local_key_from_pem(wrong[i], strlen(wrong[i]), &read, NULL),
                         TLM_ERR_FORMAT);
    }
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    EVP_PKEY *small = tlm_test_rsa(768U);
    tlm_secret *pem = NULL;
    assert_int_equal(tlm_local_key_to_pem(curve, &pem, NULL), TLM_OK);
    assert_int_equal(
        tlm_local_key_from_pem(tlm_secret_bytes(pem), tlm_secret_size(pem), &read, NULL),
        TLM_ERR_FORMAT);
    tlm_secret_free(&pem);
    assert_int_equal(tlm_local_key_to_pem(small, &pem, NULL), TLM_OK);
    assert_int_equal(
        tlm_local_key_from_pem(tlm_secret_bytes(pem), tlm_secret_size(pem), &read, NULL),
        TLM_ERR_FORMAT);
    tlm_secret_free(&pem);
    assert_null(read);
    EVP_PKEY_free(curve);
    EVP_PKEY_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_key_pair),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_every_flipped_byte),
        cmocka_unit_test(tells_another_installation_from_damage),
        cmocka_unit_test(tells_a_newer_version),
        cmocka_unit_test(wants_exactly_the_members_of_its_version),
        cmocka_unit_test(is_of_version_2_with_a_ledger_alone),
        cmocka_unit_test(refuses_a_ledger_that_is_none),
        cmocka_unit_test_setup_teardown(keeps_the_previous_generation, directory_setup,
                                        directory_teardown),
        cmocka_unit_test(reads_only_rsa_keys_of_a_size),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
