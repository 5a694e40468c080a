/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/file.h>

#include "../../pkcs11-glue/src/internal.h"
#include "token_fixture.h"

static const char good[] =
    "{\"version\": 1, \"backend\": \"tpm\", \"label\": \"tlm\", \"uri\": \"pkcs11:token=tlm\","
    " \"module\": \"/usr/lib/x.so\", \"created\": \"2026-01-31T00:00:00Z\", \"complete\": true,"
    " \"thumbprint\": \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}";

static int make_directory(void **state)
{
    char *directory = strdup("/tmp/tlm-unit.XXXXXX");
    assert_non_null(mkdtemp(directory));
    *state = directory;
    return 0;
}

static int remove_directory(void **state)
{
    tlm_test_remove_tree(*state);
    free(*state);
    return 0;
}

static void write_store(const char *directory, const char *text)
{
    char *path = tlm_path_join(directory, "token.json");
    assert_int_equal(tlm_file_replace(path, text, strlen(text), 0600, NULL), TLM_OK);
    free(path);
}

static tlm_store example(char *directory)
{
    /* The literals are only read. */
    return (tlm_store){.directory = directory,
                       .backend = TLM_BACKEND_SOFTHSM,
                       .label = tlm_unconst("my token"),
                       .uri = tlm_unconst("pkcs11:token=my%20token"),
                       .module = tlm_unconst("/usr/lib/softhsm/libsofthsm2.so"),
                       .created = tlm_unconst("2026-01-31T00:00:00Z")};
}

static void test_comes_back_as_saved(void **state)
{
    tlm_store store = example(*state);
    tlm_store back = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_store_save(&store, &error), TLM_OK);
    assert_int_equal(tlm_store_load(*state, &back, &error), TLM_OK);
    assert_string_equal(back.directory, *state);
    assert_int_equal(back.backend, TLM_BACKEND_SOFTHSM);
    assert_string_equal(back.label, store.label);
    assert_string_equal(back.uri, store.uri);
    assert_string_equal(back.module, store.module);
    assert_string_equal(back.created, store.created);
    assert_null(back.thumbprint);
    assert_false(back.complete);
    back.thumbprint = strdup("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    back.complete = true;
    assert_int_equal(tlm_store_save(&back, &error), TLM_OK);
    tlm_store_clear(&back);
    assert_int_equal(tlm_store_load(*state, &back, &error), TLM_OK);
    assert_non_null(back.thumbprint);
    assert_true(back.complete);
    tlm_store_clear(&back);
    tlm_store_clear(&back);
    tlm_store_clear(NULL);
}

static void test_not_provisioned(void **state)
{
    tlm_store store = {0};
    tlm_error error = {0};
    char missing[128];
    (void)snprintf(missing, sizeof missing, "%s/none", (char *)*state);
    assert_int_equal(tlm_store_load(missing, &store, &error), TLM_ERR_NOT_PROVISIONED);
    assert_non_null(strstr(error.hint, "tlm-token-init provision"));
    assert_int_equal(tlm_store_load(*state, &store, &error), TLM_ERR_NOT_PROVISIONED);
    assert_non_null(strstr(error.message, "token.json"));
    assert_int_equal(tlm_store_load("", &store, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_store_load(NULL, &store, &error), TLM_ERR_ARGUMENT);
}

static void test_newer(void **state)
{
    tlm_store store = {0};
    tlm_error error = {0};
    write_store(*state, "{\"version\": 2, \"backend\": \"quantum\"}");
    assert_int_equal(tlm_store_load(*state, &store, &error), TLM_ERR_NEWER);
    assert_null(store.directory);
}

static void refuse(const char *text, size_t size)
{
    tlm_store store = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_store_parse(text, size, "token.json", &store, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "token.json"));
    tlm_store_clear(&store);
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof good - 1; size++) {
        refuse(good, size);
    }
}

/* Replaces one part of the good file. */
static void refuse_with(const char *part, const char *by)
{
    char text[1024];
    const char *at = strstr(good, part);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, by, at + strlen(part));
    refuse(text, strlen(text));
}

static void test_wrong_members(void **state)
{
    (void)state;
    refuse_with("\"version\": 1", "\"version\": 0");
    refuse_with("\"version\": 1", "\"version\": \"1\"");
    refuse_with("\"version\": 1, ", "");
    refuse_with("\"tpm\"", "\"hsm\"");
    refuse_with("\"tpm\"", "7");
    refuse_with("\"label\": \"tlm\"", "\"label\": \"\"");
    refuse_with("\"label\": \"tlm\"", "\"label\": \"123456789012345678901234567890123\"");
    refuse_with("\"label\": \"tlm\"", "\"label\": \"a\\nb\"");
    refuse_with("\"label\": \"tlm\"", "\"label\": \"a\\u0000b\"");
    refuse_with("\"label\": \"tlm\"", "\"label\": \"tlm\", \"label\": \"tlm\"");
    refuse_with("pkcs11:", "pkcs12:");
    refuse_with("/usr/lib/x.so", "x.so");
    refuse_with("true", "1");
    refuse_with("0011223344", "001122334");
    refuse_with("0011223344", "00112233zz");
    refuse_with("{\"version\"", "[\"version\"");
}

static void test_save_refuses_what_it_could_not_read(void **state)
{
    tlm_store store = example(*state);
    tlm_error error = {0};
    store.label = tlm_unconst("a label that is longer than 32 bytes");
    assert_int_equal(tlm_store_save(&store, &error), TLM_ERR_FORMAT);
    store.label = tlm_unconst("\xff\xfe");
    assert_int_equal(tlm_store_save(&store, &error), TLM_ERR_ARGUMENT);
    store.label = NULL;
    assert_int_equal(tlm_store_save(&store, &error), TLM_ERR_ARGUMENT);
    char *path = tlm_path_join(*state, "token.json");
    assert_false(tlm_file_exists(path));
    free(path);
}

static void test_directory_that_others_write(void **state)
{
    tlm_store store = {0};
    tlm_error error = {0};
    write_store(*state, good);
    assert_int_equal(chmod(*state, 0770), 0);
    assert_int_equal(tlm_store_load(*state, &store, &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "chmod 0700"));
    assert_int_equal(chmod(*state, 0700), 0);
    assert_int_equal(tlm_store_load(*state, &store, &error), TLM_OK);
    tlm_store_clear(&store);
}

/* Only root can give a directory away; as another user the check is that root's own passes. */
static void test_store_of_another_owner(void **state)
{
    tlm_store store = {0};
    tlm_error error = {0};
    if (geteuid() != 0) {
        assert_int_equal(tlm_store_load("/", &store, &error), TLM_ERR_NOT_PROVISIONED);
        return;
    }
    write_store(*state, good);
    assert_int_equal(chown(*state, 12345, 12345), 0);
    assert_int_equal(tlm_store_load(*state, &store, &error), TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.message, "12345"));
    assert_non_null(strstr(error.hint, "chown"));
}

static void test_backends(void **state)
{
    (void)state;
    tlm_backend backend = TLM_BACKEND_TPM;
    assert_true(tlm_backend_from_name("softhsm", &backend));
    assert_int_equal(backend, TLM_BACKEND_SOFTHSM);
    assert_true(tlm_backend_from_name("tpm", &backend));
    assert_int_equal(backend, TLM_BACKEND_TPM);
    assert_false(tlm_backend_from_name("TPM", &backend));
    assert_false(tlm_backend_from_name(NULL, &backend));
    assert_string_equal(tlm_backend_name(TLM_BACKEND_TPM), "tpm");
    assert_string_equal(tlm_backend_name(TLM_BACKEND_SOFTHSM), "softhsm");
    assert_true(tlm_file_exists(tlm_backend_module(TLM_BACKEND_TPM)));
    assert_true(tlm_file_exists(tlm_backend_module(TLM_BACKEND_SOFTHSM)));
    assert_null(tlm_backend_module((tlm_backend)7));
}

/* A store of a release that has its modules elsewhere. */
static void test_a_module_that_moved(void **state)
{
    (void)state;
    static const char *const elsewhere = "/usr/lib64/pkcs11/libsofthsm2.so";
    const char *here = tlm_backend_module(TLM_BACKEND_SOFTHSM);
    assert_false(tlm_file_exists(elsewhere));
    assert_string_equal(tlm_backend_module_of(TLM_BACKEND_SOFTHSM, elsewhere), here);
    assert_string_equal(tlm_backend_module_of(TLM_BACKEND_SOFTHSM, here), here);
    /* What no distribution has there is somebody's own, and so is another back end's. */
    assert_string_equal(tlm_backend_module_of(TLM_BACKEND_SOFTHSM, "/opt/own.so"), "/opt/own.so");
    assert_string_equal(tlm_backend_module_of(TLM_BACKEND_TPM, elsewhere), elsewhere);
    assert_string_equal(tlm_backend_module_of((tlm_backend)7, elsewhere), elsewhere);
}

static void test_a_store_of_another_release(void **state)
{
    static const char text[] =
        "{\"version\": 1, \"backend\": \"softhsm\", \"label\": \"tlm\", \"uri\": "
        "\"pkcs11:token=tlm\","
        " \"module\": \"/usr/lib64/pkcs11/libsofthsm2.so\", \"created\": \"2026-01-01T00:00:00Z\","
        " \"complete\": true}";
    (void)state;
    tlm_store store = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_store_parse(text, sizeof text - 1, "token.json", &store, &error), TLM_OK);
    assert_string_equal(store.module, tlm_backend_module(TLM_BACKEND_SOFTHSM));
    tlm_store_clear(&store);
}

static void test_environment_of_a_tpm(void **state)
{
    tlm_store store = example(*state);
    tlm_error error = {0};
    store.backend = TLM_BACKEND_TPM;
    assert_int_equal(tlm_store_export_environment(&store, NULL, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_store_export_environment(&store, "", &error), TLM_ERR_ARGUMENT);
    assert_int_equal(setenv("TPM2_PKCS11_LOG_LEVEL", "2", 1), 0);
    assert_int_equal(tlm_store_export_environment(&store, "swtpm:path=/x", &error), TLM_OK);
    assert_string_equal(getenv("TPM2_PKCS11_STORE"), *state);
    assert_string_equal(getenv("TPM2_PKCS11_TCTI"), "swtpm:path=/x");
    assert_string_equal(getenv("TPM2_PKCS11_BACKEND"), "esysdb");
    assert_string_equal(getenv("TPM2_PKCS11_LOG_LEVEL"), "2");
    assert_int_equal(unsetenv("TPM2_PKCS11_LOG_LEVEL"), 0);
    assert_int_equal(tlm_store_export_environment(&store, "swtpm:path=/x", &error), TLM_OK);
    assert_string_equal(getenv("TPM2_PKCS11_LOG_LEVEL"), "0");
}

static void test_environment_of_the_client(void **state)
{
    (void)state;
    tlm_error error = {0};
    assert_true(tlm_file_exists(tlm_client_module()));
    assert_int_equal(tlm_client_export_environment(NULL, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_client_export_environment("run/sock", &error), TLM_ERR_ARGUMENT);
    /* p11-kit decodes it as a URL: a blank and a percent sign must come through. */
    assert_int_equal(tlm_client_export_environment("/a b/100%/\xc3\xa4;x/s_1.so-ck", &error),
                     TLM_OK);
    assert_string_equal(getenv("P11_KIT_SERVER_ADDRESS"),
                        "unix:path=/a%20b/100%25/%C3%A4%3Bx/s_1.so-ck");
    /* The same again touches nothing: other threads may be reading. */
    const char *before = getenv("P11_KIT_SERVER_ADDRESS");
    assert_int_equal(tlm_client_export_environment("/a b/100%/\xc3\xa4;x/s_1.so-ck", &error),
                     TLM_OK);
    assert_ptr_equal(getenv("P11_KIT_SERVER_ADDRESS"), before);
    assert_int_equal(tlm_client_export_environment("/run/tlm/pkcs11.sock", &error), TLM_OK);
    assert_string_equal(getenv("P11_KIT_SERVER_ADDRESS"), "unix:path=/run/tlm/pkcs11.sock");
    assert_int_equal(unsetenv("P11_KIT_SERVER_ADDRESS"), 0);
}

static void test_softhsm_conf_follows_the_directory(void **state)
{
    tlm_store store = example(*state);
    tlm_error error = {0};
    char *path = tlm_path_join(*state, "softhsm2.conf");
    char *backup = tlm_path_join(*state, "softhsm2.conf.bak");
    char *text = NULL;
    char line[160];
    size_t size = 0;
    assert_int_equal(tlm_file_replace(path, "directories.tokendir = /old/tokens\n", 35, 0600, NULL),
                     TLM_OK);
    assert_int_equal(tlm_store_export_environment(&store, NULL, &error), TLM_OK);
    assert_string_equal(getenv("SOFTHSM2_CONF"), path);
    assert_int_equal(tlm_file_read(path, 4096, &text, &size, &error), TLM_OK);
    (void)snprintf(line, sizeof line, "directories.tokendir = %s/tokens\n", (char *)*state);
    assert_non_null(strstr(text, line));
    assert_non_null(strstr(text, "objectstore.backend = file\n"));
    free(text);
    /* What is right already is not written again. */
    assert_int_equal(unlink(backup), 0);
    assert_int_equal(tlm_store_export_environment(&store, NULL, &error), TLM_OK);
    assert_false(tlm_file_exists(backup));
    store.directory = tlm_unconst("/tmp/a\nslots.removable = true");
    assert_int_equal(tlm_store_export_environment(&store, NULL, &error), TLM_ERR_ARGUMENT);
    free(path);
    free(backup);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(test_comes_back_as_saved),
        WITH_DIRECTORY(test_not_provisioned),
        WITH_DIRECTORY(test_newer),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_wrong_members),
        WITH_DIRECTORY(test_save_refuses_what_it_could_not_read),
        WITH_DIRECTORY(test_directory_that_others_write),
        WITH_DIRECTORY(test_store_of_another_owner),
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_a_module_that_moved),
        cmocka_unit_test(test_a_store_of_another_release),
        cmocka_unit_test(test_environment_of_the_client),
        WITH_DIRECTORY(test_environment_of_a_tpm),
        WITH_DIRECTORY(test_softhsm_conf_follows_the_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
