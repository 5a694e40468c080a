/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <sys/stat.h>

#include <tlm/file.h>
#include <tlm/secrets.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "0101010101010101010101010101010101010101010101010101010101010101"

/* A file as tlm_sealed_save writes it, with blobs that no TPM ever made. */
#define FILE_OF(version, policy, pcrs, parent, blobs)                                              \
    "{\n  \"version\": " version ",\n  \"policy\": " policy ",\n  \"pcrs\": " pcrs                 \
    ",\n  \"parent\": " parent ",\n  " blobs "\n}"
#define PCRS "{\n    \"0\": \"" ZEROS "\",\n    \"7\": \"" ONES "\"\n  }"
#define PARENT "\"000b" ONES "\""
#define BLOBS "\"public\": \"AAECAw\",\n  \"private\": \"_-79\""

static const char good[] = FILE_OF("1", "\"FirmwareBoot\"", PCRS, PARENT, BLOBS);

static void reads_what_stands_there(void **state)
{
    (void)state;
    tlm_sealed sealed;
    static const unsigned char public_area[] = {0, 1, 2, 3};
    static const unsigned char private_area[] = {0xff, 0xee, 0xfd};
    assert_int_equal(tlm_sealed_parse(good, sizeof good - 1, "f", &sealed, NULL), TLM_OK);
    assert_int_equal(sealed.policy, TLM_VAULT_FIRMWARE_BOOT);
    assert_int_equal(sealed.pcr_count, 2);
    assert_int_equal(sealed.pcrs[0].index, 0);
    assert_int_equal(sealed.pcrs[0].sha256[31], 0);
    assert_int_equal(sealed.pcrs[1].index, 7);
    assert_int_equal(sealed.pcrs[1].sha256[0], 1);
    assert_int_equal(sealed.parent.size, 34);
    assert_int_equal(sealed.parent.bytes[1], 0x0b);
    assert_int_equal(sealed.public_size, sizeof public_area);
    assert_memory_equal(sealed.public_area, public_area, sizeof public_area);
    assert_int_equal(sealed.private_size, sizeof private_area);
    assert_memory_equal(sealed.private_area, private_area, sizeof private_area);
}

static void refuses_what_it_does_not_write(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        tlm_result result;
    } rows[] = {
        {"", TLM_ERR_DAMAGED},
        {"[]", TLM_ERR_DAMAGED},
        {"{}", TLM_ERR_DAMAGED},
        {FILE_OF("2", "\"none\"", "{}", PARENT, BLOBS), TLM_ERR_NEWER},
        {"{\"version\": 99}", TLM_ERR_NEWER},
        {FILE_OF("0", "\"none\"", "{}", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("\"1\"", "\"none\"", "{}", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"None\"", "{}", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "7", "{}", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", PCRS, PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"SecureBoot\"", PCRS, PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"BootSequence\"", PCRS, PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"SecureBoot\"", "[]", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"SecureBoot\"", "{\"7\": \"" ONES "00\"}", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"SecureBoot\"", "{\"7\": \"AA" ONES "\"}", PARENT, BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", "\"\"", BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", "\"000\"", BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", "\"0g\"", BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", "\"" ONES ONES "000000000000\"", BLOBS), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", PARENT, "\"public\": \"\", \"private\": \"AA\""),
         TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", PARENT, "\"public\": \"A\", \"private\": \"AA\""),
         TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", PARENT, "\"public\": \"AA==\", \"private\": \"AA\""),
         TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", PARENT, "\"public\": \"AA\""), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", PARENT, BLOBS ", \"more\": 1"), TLM_ERR_DAMAGED},
        {FILE_OF("1", "\"none\"", "{}", PARENT, BLOBS ", \"version\": 1"), TLM_ERR_DAMAGED},
    };
    static const char simple[] = FILE_OF("1", "\"none\"", "{}", PARENT, BLOBS);
    tlm_sealed sealed;
    assert_int_equal(tlm_sealed_parse(simple, sizeof simple - 1, "f", &sealed, NULL), TLM_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_error error = {0};
        tlm_result result =
            tlm_sealed_parse(rows[i].text, strlen(rows[i].text), "f", &sealed, &error);
        if (result != rows[i].result) {
            fail_msg("row %zu: %s instead of %s", i, tlm_result_code(result),
                     tlm_result_code(rows[i].result));
        }
        assert_true(error.message[0] != '\0' && error.hint[0] != '\0');
        assert_int_equal(sealed.public_size, 0);
    }
}

static void a_blob_has_a_most(void **state)
{
    (void)state;
    char blob[2 * TLM_SEAL_BLOB_MAX];
    char text[4 * TLM_SEAL_BLOB_MAX];
    tlm_sealed sealed;
    /* 1024 bytes are 1366 digits. */
    for (int digits = 1366; digits <= 1367; digits++) {
        memset(blob, 'A', sizeof blob);
        int size = snprintf(text, sizeof text,
                            "{\"version\":1,\"policy\":\"none\",\"pcrs\":{},\"parent\":" PARENT
                            ",\"public\":\"%.*s\",\"private\":\"AA\"}",
                            digits, blob);
        assert_int_equal(tlm_sealed_parse(text, (size_t)size, "f", &sealed, NULL),
                         digits == 1366 ? TLM_OK : TLM_ERR_DAMAGED);
    }
}

static void truncated_at_every_byte(void **state)
{
    (void)state;
    tlm_sealed sealed;
    for (size_t size = 0; size < sizeof good - 1; size++) {
        assert_int_equal(tlm_sealed_parse(good, size, "f", &sealed, NULL), TLM_ERR_DAMAGED);
    }
}

static void comes_back_as_saved(void **state)
{
    char path[TEST_PATH_MAX];
    char backup[TEST_PATH_MAX];
    struct stat info;
    tlm_sealed sealed;
    tlm_sealed again;
    in_directory(state, "sealed.json", path);
    in_directory(state, "sealed.json.bak", backup);
    assert_int_equal(tlm_sealed_load(path, &sealed, NULL), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_sealed_parse(good, sizeof good - 1, "f", &sealed, NULL), TLM_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tlm_sealed_save(path, &sealed, NULL), TLM_OK);
        /* An older copy would still open after the policy was raised. */
        assert_false(tlm_file_exists(backup));
    }
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777U, 0600);
    assert_int_equal(tlm_sealed_load(path, &again, NULL), TLM_OK);
    assert_memory_equal(&sealed, &again, sizeof sealed);
    put_file(path, "torn");
    assert_int_equal(tlm_sealed_load(path, &again, NULL), TLM_ERR_DAMAGED);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fseek(file, 8192, SEEK_SET), 0);
    assert_int_equal(fputc(' ', file), ' ');
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tlm_sealed_load(path, &again, NULL), TLM_ERR_DAMAGED);
}

static void policies_have_names_and_registers(void **state)
{
    (void)state;
    static const unsigned registers[] = {0, 1U << 7, 1U | 1U << 7, 1U | 1U << 2 | 1U << 7};
    tlm_vault_policy policy = TLM_VAULT_COUNT;
    for (unsigned i = 0; i < TLM_VAULT_COUNT; i++) {
        assert_true(
            tlm_vault_policy_from_name(tlm_vault_policy_name((tlm_vault_policy)i), &policy));
        assert_int_equal(policy, i);
        assert_int_equal(tlm_vault_policy_registers(policy), registers[i]);
    }
    assert_false(tlm_vault_policy_from_name("secureboot", &policy));
    assert_false(tlm_vault_policy_from_name("", &policy));
    assert_false(tlm_vault_policy_from_name(NULL, &policy));
    assert_string_equal(tlm_vault_policy_name(TLM_VAULT_COUNT), "unknown");
    assert_int_equal(tlm_vault_policy_registers(TLM_VAULT_COUNT), 0);
}

static void assert_digest(const unsigned char *digest, const char *hex)
{
    char text[2 * TLM_SEAL_DIGEST + 1];
    for (size_t i = 0; i < TLM_SEAL_DIGEST; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    assert_string_equal(text, hex);
}

/* From tpm2_policypcr -l sha256:0,7, tpm2_policyauthvalue and tpm2_policyor on a fresh TPM. */
static void the_policy_is_the_one_of_standard_tools(void **state)
{
    (void)state;
    tlm_seal_pcr pcrs[2] = {{.index = 0}, {.index = 7}};
    unsigned char branches[2][TLM_SEAL_DIGEST];
    unsigned char digest[TLM_SEAL_DIGEST];
    assert_int_equal(tlm_seal_policy_digest(pcrs, 2, branches, digest, NULL), TLM_OK);
    assert_digest(branches[0], "02e3642b3e29eeccfffd8031c00a6f0a0febe5ceea2f6ef6b0322fe81598cf31");
    assert_digest(branches[1], "8fcd2169ab92694e0c633f1ab772842b8241bbc20288981fc7ac1eddc1fddb0e");
    assert_digest(digest, "0664779a50ac5200585fbc53337e52227f140e8f3d824beb2b114cb3299ac125");
    assert_int_equal(tlm_seal_policy_digest(pcrs, 0, branches, digest, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_seal_policy_digest(pcrs, 4, branches, digest, NULL), TLM_ERR_ARGUMENT);
    pcrs[1].index = 24;
    assert_int_equal(tlm_seal_policy_digest(pcrs, 2, branches, digest, NULL), TLM_ERR_ARGUMENT);
}

#define DIGITS "00112233445566778899aabbccddeeff"

static tlm_store_secrets make_secrets(unsigned mask)
{
    tlm_store_secrets secrets = {0};
    tlm_secret **const slots[] = {&secrets.user_pin, &secrets.so_pin, &secrets.tpm_auth,
                                  &secrets.tpm_seed};
    for (unsigned i = 0; i < 4; i++) {
        if ((mask >> i & 1U) != 0) {
            assert_int_equal(tlm_secret_from(DIGITS, i == 3 ? 16 : 32, slots[i], NULL), TLM_OK);
            tlm_secret_data(*slots[i])[0] = (unsigned char)('0' + i);
        }
    }
    return secrets;
}

static bool same(const tlm_secret *left, const tlm_secret *right)
{
    return (left == NULL && right == NULL) || tlm_secret_equal(left, right);
}

static void secrets_are_packed_and_unpacked(void **state)
{
    (void)state;
    for (unsigned mask = 0; mask < 16; mask++) {
        tlm_store_secrets secrets = make_secrets(mask);
        tlm_store_secrets again = {0};
        tlm_secret *plain = NULL;
        assert_int_equal(tlm_secrets_pack(&secrets, &plain, NULL), TLM_OK);
        assert_int_equal(tlm_secret_size(plain), 66);
        assert_int_equal(tlm_secret_bytes(plain)[0], 1);
        assert_int_equal(tlm_secret_bytes(plain)[1], mask);
        assert_int_equal(tlm_secrets_unpack(plain, &again, NULL), TLM_OK);
        assert_true(same(secrets.user_pin, again.user_pin) && same(secrets.so_pin, again.so_pin) &&
                    same(secrets.tpm_auth, again.tpm_auth) &&
                    same(secrets.tpm_seed, again.tpm_seed));
        tlm_secret_free(&plain);
        tlm_store_secrets_clear(&secrets);
        tlm_store_secrets_clear(&again);
    }
}

static void packing_refuses_other_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        bool seed;
    } rows[] = {{DIGITS, 31, false},
                {DIGITS "0", 33, false},
                {"0011223344556677889gaabbccddeeff", 32, false},
                {DIGITS, 15, true},
                {DIGITS, 17, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_store_secrets secrets = {0};
        tlm_secret *plain = NULL;
        tlm_error error = {0};
        assert_int_equal(tlm_secret_from(rows[i].text, rows[i].size,
                                         rows[i].seed ? &secrets.tpm_seed : &secrets.so_pin, NULL),
                         TLM_OK);
        assert_int_equal(tlm_secrets_pack(&secrets, &plain, &error), TLM_ERR_ARGUMENT);
        assert_null(plain);
        assert_null(strstr(error.message, "0011"));
        tlm_store_secrets_clear(&secrets);
    }
}

static void unpacking_refuses_other_plain_texts(void **state)
{
    (void)state;
    unsigned char bytes[80] = {1, 15};
    for (size_t size = 1; size <= sizeof bytes; size++) {
        tlm_store_secrets secrets = {0};
        tlm_secret *plain = NULL;
        assert_int_equal(tlm_secret_from(bytes, size, &plain, NULL), TLM_OK);
        assert_int_equal(tlm_secrets_unpack(plain, &secrets, NULL),
                         size == 66 ? TLM_OK : TLM_ERR_FORMAT);
        assert_int_equal(secrets.user_pin != NULL, size == 66);
        tlm_store_secrets_clear(&secrets);
        tlm_secret_free(&plain);
    }
    static const struct {
        unsigned char version;
        unsigned char mask;
        tlm_result result;
    } rows[] = {
        {0, 15, TLM_ERR_FORMAT}, {1, 16, TLM_ERR_FORMAT}, {1, 255, TLM_ERR_FORMAT},
        {2, 15, TLM_ERR_NEWER},  {255, 0, TLM_ERR_NEWER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_store_secrets secrets = {0};
        tlm_secret *plain = NULL;
        bytes[0] = rows[i].version;
        bytes[1] = rows[i].mask;
        assert_int_equal(tlm_secret_from(bytes, 66, &plain, NULL), TLM_OK);
        assert_int_equal(tlm_secrets_unpack(plain, &secrets, NULL), rows[i].result);
        tlm_secret_free(&plain);
    }
}

static void secrets_are_found_where_they_rest(void **state)
{
    char clear[TEST_PATH_MAX];
    char sealed[TEST_PATH_MAX];
    tlm_store store = {.directory = *state, .backend = TLM_BACKEND_TPM};
    tlm_store_secrets secrets = make_secrets(15);
    tlm_store_secrets again = {0};
    tlm_error error = {0};
    in_directory(state, "secrets.json", clear);
    in_directory(state, "sealed.json", sealed);
    assert_int_equal(tlm_secrets_where(&store), TLM_SECRETS_NONE);
    assert_int_equal(tlm_secrets_open(&store, NULL, &again, &error), TLM_ERR_INCOMPLETE);
    put_file(sealed, good);
    assert_int_equal(tlm_secrets_where(&store), TLM_SECRETS_SEALED);
    assert_int_equal(tlm_secrets_open(&store, NULL, &again, &error), TLM_ERR_TPM_UNAVAILABLE);
    /* The library without a TPM says where they are. */
    assert_int_equal(tlm_store_secrets_load(&store, &again, &error), TLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "sealed into the TPM"));
    assert_non_null(strstr(error.hint, "tlm-tokend"));
    assert_int_equal(tlm_store_secrets_create(&store, &secrets, &error), TLM_OK);
    assert_int_equal(tlm_secrets_where(&store), TLM_SECRETS_CLEAR);
    assert_int_equal(tlm_secrets_open(&store, NULL, &again, &error), TLM_OK);
    assert_true(tlm_secret_equal(secrets.user_pin, again.user_pin));
    tlm_store_secrets_clear(&secrets);
    tlm_store_secrets_clear(&again);
}

static void every_clear_copy_is_overwritten_and_gone(void **state)
{
    static const char *const names[] = {"secrets.json", "secrets.json.bak", "secrets.json.tmp",
                                        "secrets.json.0123456789abcdef.tmp"};
    char path[TEST_PATH_MAX];
    char other[TEST_PATH_MAX];
    char line[64] = "";
    tlm_store store = {.directory = *state};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put_file(in_directory(state, names[i], path), DIGITS);
    }
    /* A second name shows what became of the content. */
    in_directory(state, "secrets.json", path);
    in_directory(state, "other", other);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(tlm_secrets_wipe_clear(&store, NULL), TLM_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(tlm_file_exists(in_directory(state, names[i], path)));
    }
    FILE *file = fopen(other, "re");
    assert_non_null(file);
    assert_int_equal(fread(line, 1, sizeof line, file), 32);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(line[i], 0);
    }
    assert_int_equal(tlm_secrets_wipe_clear(&store, NULL), TLM_OK);
    /* What is no file is not followed. */
    assert_int_equal(symlink(other, in_directory(state, "secrets.json", path)), 0);
    put_file(other, "kept");
    assert_int_not_equal(tlm_secrets_wipe_clear(&store, NULL), TLM_OK);
    file = fopen(other, "re");
    assert_non_null(file);
    assert_int_equal(fread(line, 1, sizeof line, file), 4);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(line, "kept", 4);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_stands_there),
        cmocka_unit_test(refuses_what_it_does_not_write),
        cmocka_unit_test(a_blob_has_a_most),
        cmocka_unit_test(truncated_at_every_byte),
        IN_DIRECTORY(comes_back_as_saved),
        cmocka_unit_test(policies_have_names_and_registers),
        cmocka_unit_test(the_policy_is_the_one_of_standard_tools),
        cmocka_unit_test(secrets_are_packed_and_unpacked),
        cmocka_unit_test(packing_refuses_other_forms),
        cmocka_unit_test(unpacking_refuses_other_plain_texts),
        IN_DIRECTORY(secrets_are_found_where_they_rest),
        IN_DIRECTORY(every_clear_copy_is_overwritten_and_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
