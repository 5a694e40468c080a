/* SPDX-License-Identifier: BSD-2-Clause */
#include "licensing_fixture.h"

#include <stdio.h>

#include <tlm/vault.h>

#include "../../licensing/formats/src/text_private.h"
#include "rsa_keys.h"

static EVP_PKEY *key;
static EVP_PKEY *other;
static char *sealed;

static int setup(void **state)
{
    (void)state;
    tlm_persistence made = {0};
    /* Small: some thousand decryptions follow, and only their number and their outcome count. */
    key = tlm_test_rsa(1024U);
    other = tlm_test_rsa(1024U);
    if (key == NULL || other == NULL || tlm_persistence_make(key, &made, NULL) != TLM_OK ||
        tlm_persistence_seal(&made, key, &sealed, NULL) != TLM_OK) {
        return -1;
    }
    tlm_persistence_clear(&made);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    free(sealed);
    return 0;
}

/* Opens with `own`; an error always has its reason, a success its key. */
static tlm_result open_with(EVP_PKEY *own, const char *text, size_t size, tlm_error *error)
{
    unwrapper unwrap = {.key = own};
    tlm_persistence opened = {0};
    tlm_error cause = {0};
    tlm_result result =
        tlm_persistence_open(text, size, own, unwrap_with, &unwrap, &opened, &cause);
    assert_int_equal(cause.result, result);
    assert_true((result == TLM_OK) == (opened.vault_key != NULL));
    assert_true(unwrap.calls <= 1);
    tlm_persistence_clear(&opened);
    if (error != NULL) {
        *error = cause;
    }
    return result;
}

static void makes_distinct_records(void **state)
{
    (void)state;
    tlm_persistence first = {0};
    tlm_persistence second = {0};
    assert_int_equal(tlm_persistence_make(key, &first, NULL), TLM_OK);
    assert_int_equal(tlm_persistence_make(key, &second, NULL), TLM_OK);
    assert_string_not_equal(first.storage_id, second.storage_id);
    assert_false(tlm_secret_equal(first.vault_key, second.vault_key));
    assert_int_equal(tlm_secret_size(first.vault_key), 32);
    assert_string_equal(first.thumbprint, second.thumbprint);
    assert_string_equal(first.vault, "vault.bin");
    assert_true(tlm_uuid_valid(first.storage_id, strlen(first.storage_id)));
    assert_true(tlm_instant_valid(first.created));
    tlm_persistence_clear(&first);
    tlm_persistence_clear(&second);
    tlm_persistence_clear(NULL);
}

static void opens_with_one_operation(void **state)
{
    (void)state;
    tlm_persistence made = {0};
    tlm_persistence opened = {0};
    char *text = NULL;
    unwrapper unwrap = {.key = key};
    assert_int_equal(tlm_persistence_make(key, &made, NULL), TLM_OK);
    assert_int_equal(tlm_persistence_seal(&made, key, &text, NULL), TLM_OK);
    assert_int_equal(
        tlm_persistence_open(text, strlen(text), key, unwrap_with, &unwrap, &opened, NULL), TLM_OK);
    assert_int_equal(unwrap.calls, 1);
    assert_string_equal(opened.storage_id, made.storage_id);
    assert_string_equal(opened.vault, made.vault);
    assert_string_equal(opened.thumbprint, made.thumbprint);
    assert_string_equal(opened.created, made.created);
    assert_true(tlm_secret_equal(opened.vault_key, made.vault_key));
    assert_null(strstr(text, made.storage_id));
    tlm_persistence_clear(&opened);
    tlm_persistence_clear(&made);
    free(text);
}

static void tells_whose_it_is(void **state)
{
    (void)state;
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_error error = {0};
    char kid[44] = "";
    assert_int_equal(tlm_persistence_kid(sealed, strlen(sealed), kid, NULL), TLM_OK);
    assert_int_equal(tlm_public_thumbprint(key, thumbprint, NULL), TLM_OK);
    char *expected = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    char *hex = tlm_hex_encode(thumbprint, sizeof thumbprint);
    assert_string_equal(kid, expected);
    assert_int_equal(open_with(other, sealed, strlen(sealed), &error), TLM_ERR_FOREIGN);
    assert_non_null(strstr(error.message, hex));
    assert_int_equal(tlm_public_thumbprint(other, thumbprint, NULL), TLM_OK);
    char *ours = tlm_hex_encode(thumbprint, sizeof thumbprint);
    assert_non_null(strstr(error.message, ours));
    free(ours);
    free(hex);
    free(expected);
    assert_int_equal(tlm_persistence_kid("a.b", 3, kid, NULL), TLM_ERR_FORMAT);
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    size_t size = strlen(sealed);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(open_with(key, sealed, i, NULL), TLM_ERR_DAMAGED);
    }
    assert_int_equal(open_with(key, sealed, size, NULL), TLM_OK);
}

static void refuses_every_changed_byte(void **state)
{
    (void)state;
    static const unsigned char flips[] = {0x01, 0x02, 0x20, 0x80};
    size_t size = strlen(sealed);
    size_t header = (size_t)(strchr(sealed, '.') - sealed);
    char *text = strdup(sealed);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) {
        /* Each byte in one way, those of the header in all. */
        for (size_t flip = i % 3; flip < (i <= header ? sizeof flips : i % 3 + 1); flip++) {
            text[i] = (char)((unsigned char)sealed[i] ^ flips[flip]);
            assert_int_equal(open_with(key, text, size, NULL), TLM_ERR_DAMAGED);
        }
        text[i] = sealed[i];
    }
    assert_int_equal(open_with(key, text, size, NULL), TLM_OK);
    free(text);
}

static void tells_a_damaged_header_from_another_key(void **state)
{
    (void)state;
    static const char payload[] = "{}";
    /* For our key under another's name: the header lies. For another key: it is foreign. */
    char *lies = seal_to(key, other, TLM_PERSISTENCE_TYPE, payload);
    char *foreign = seal_to(other, other, TLM_PERSISTENCE_TYPE, payload);
    assert_int_equal(open_with(key, lies, strlen(lies), NULL), TLM_ERR_DAMAGED);
    assert_int_equal(open_with(key, foreign, strlen(foreign), NULL), TLM_ERR_FOREIGN);
    free(lies);
    free(foreign);
    char *type = seal_to(key, key, "tlm-other", payload);
    assert_int_equal(open_with(key, type, strlen(type), NULL), TLM_ERR_DAMAGED);
    free(type);
}

static void tells_a_newer_version_only_where_it_is_authentic(void **state)
{
    (void)state;
    tlm_error error = {0};
    char *newer = seal_to(key, key, TLM_PERSISTENCE_TYPE, "{\"version\":2,\"anything\":\"else\"}");
    assert_int_equal(open_with(key, newer, strlen(newer), &error), TLM_ERR_NEWER);
    assert_non_null(strstr(error.message, "version 2"));
    size_t size = strlen(newer);
    newer[size - 3] = newer[size - 3] == 'A' ? 'B' : 'A';
    assert_int_equal(open_with(key, newer, size, NULL), TLM_ERR_DAMAGED);
    free(newer);
}

static void passes_on_why_the_key_cannot_be_used(void **state)
{
    (void)state;
    static const tlm_result causes[] = {TLM_ERR_TOKEN_UNAVAILABLE, TLM_ERR_LOCKED, TLM_ERR_PIN,
                                        TLM_ERR_TOKEN, TLM_ERR_MEMORY};
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        unwrapper unwrap = {.key = key, .fails_with = causes[i]};
        tlm_persistence opened = {0};
        assert_int_equal(
            tlm_persistence_open(sealed, strlen(sealed), key, unwrap_with, &unwrap, &opened, NULL),
            causes[i]);
        assert_null(opened.vault_key);
    }
    unwrapper unwrap = {.key = key, .fails_with = TLM_ERR_CRYPTO};
    tlm_persistence opened = {0};
    assert_int_equal(
        tlm_persistence_open(sealed, strlen(sealed), key, unwrap_with, &unwrap, &opened, NULL),
        TLM_ERR_DAMAGED);
}

static tlm_result parse(const char *payload)
{
    tlm_persistence parsed = {0};
    tlm_error error = {0};
    tlm_result result = tlm_persistence_parse(payload, strlen(payload), &parsed, &error);
    assert_int_equal(error.result, result);
    assert_true((result == TLM_OK) == (parsed.vault_key != NULL));
    tlm_persistence_clear(&parsed);
    return result;
}

#define ID "\"storageId\":\"01234567-89ab-4cde-8f01-23456789abcd\""
#define VAULT "\"vault\":\"vault.bin\""
#define VAULT_KEY "\"vaultKey\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define THUMBPRINT "\"thumbprint\":\"" ZEROS "\""
#define CREATED "\"created\":\"2026-01-31T12:00:00Z\""

static void wants_exactly_the_members_of_its_version(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"version\":0," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{\"version\":\"1\"," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{" ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{\"version\":1," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID "," VAULT "," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID "," VAULT "," VAULT_KEY "," CREATED "}",
        "{\"version\":1," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "}",
        "{\"version\":1,\"storageId\":\"0\"," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID ",\"vault\":\"../vault.bin\"," VAULT_KEY "," THUMBPRINT "," CREATED
        "}",
        "{\"version\":1," ID "," VAULT ",\"vaultKey\":\"AAAA\"," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID "," VAULT ",\"vaultKey\":\"!\"," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID "," VAULT "," VAULT_KEY ",\"thumbprint\":\"0G\"," CREATED "}",
        "{\"version\":1," ID "," VAULT "," VAULT_KEY "," THUMBPRINT ",\"created\":\"now\"}",
        "{\"version\":1," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED ",\"more\":1}",
        "{\"version\":1,\"version\":1," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}",
        "{\"version\":1," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "} ,",
    };
    assert_int_equal(
        parse("{\"version\":1," ID "," VAULT "," VAULT_KEY "," THUMBPRINT "," CREATED "}"), TLM_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(parse(wrong[i]), TLM_ERR_DAMAGED);
    }
    assert_int_equal(parse("{\"version\":2}"), TLM_ERR_NEWER);
}

static void reads_small_texts_strictly(void **state)
{
    (void)state;
    char instant[TLM_INSTANT_SIZE];
    assert_true(tlm_instant_make(0, instant));
    assert_string_equal(instant, "1970-01-01T00:00:00Z");
    assert_false(tlm_instant_valid("1970-01-01 00:00:00Z"));
    assert_false(tlm_instant_valid("1970-01-01T00:00:00"));
    assert_false(tlm_instant_valid("197x-01-01T00:00:00Z"));
    assert_true(tlm_uuid_valid("01234567-89ab-4cde-8f01-23456789abcd", 36));
    assert_false(tlm_uuid_valid("01234567-89ab-4cde-8f01-23456789abc", 35));
    assert_false(tlm_uuid_valid("01234567-89AB-4cde-8f01-23456789abcd", 36));
    assert_false(tlm_uuid_valid("0123456789ab-4cde-8f01-23456789abcdef", 36));
    assert_true(tlm_hex_valid("00ff", 4));
    assert_false(tlm_hex_valid("00fF", 4));
    assert_false(tlm_hex_valid("00ff0", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_distinct_records),
        cmocka_unit_test(opens_with_one_operation),
        cmocka_unit_test(tells_whose_it_is),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(tells_a_damaged_header_from_another_key),
        cmocka_unit_test(tells_a_newer_version_only_where_it_is_authentic),
        cmocka_unit_test(passes_on_why_the_key_cannot_be_used),
        cmocka_unit_test(wants_exactly_the_members_of_its_version),
        cmocka_unit_test(reads_small_texts_strictly),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
