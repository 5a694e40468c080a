/* SPDX-License-Identifier: BSD-2-Clause */
#include "token_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/process.h>
#include <tlm/store.h>

static void write_file(const char *path, const char *text)
{
    /* A new file each time, so that the module sees a change within one tick of the clock. */
    char fresh[128];
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static tlm_result give_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    tlm_token_fixture *fixture = context;
    fixture->pin_asks++;
    return tlm_secret_from(fixture->pin, strlen(fixture->pin), pin, error);
}

void tlm_token_fixture_make(tlm_token_fixture *fixture)
{
    char path[96];
    *fixture = (tlm_token_fixture){.directory = "/tmp/tlm-unit.XXXXXX", .pin = TLM_TEST_PIN};
    assert_non_null(mkdtemp(fixture->directory));
    tlm_store store = {.directory = fixture->directory, .backend = TLM_BACKEND_SOFTHSM};
    tlm_error error = {0};
    assert_int_equal(tlm_store_export_environment(&store, NULL, &error), TLM_OK);
    (void)snprintf(path, sizeof path, "%s/tokens", fixture->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    tlm_token_fixture_add(fixture, "tlm");
    (void)snprintf(fixture->faults, sizeof fixture->faults, "%s/faults", fixture->directory);
    (void)snprintf(fixture->log, sizeof fixture->log, "%s/log", fixture->directory);
    const char *module = tlm_backend_module(TLM_BACKEND_SOFTHSM);
    assert_non_null(module);
    assert_int_equal(setenv("TLM_FAULT_MODULE", module, 1), 0);
    assert_int_equal(setenv("TLM_FAULT_FILE", fixture->faults, 1), 0);
    assert_int_equal(setenv("TLM_FAULT_LOG", fixture->log, 1), 0);
    fixture->config = (tlm_token_config){.module = TLM_TEST_FAULT_MODULE,
                                         .uri = "pkcs11:token=tlm",
                                         .pin = give_pin,
                                         .context = fixture};
}

void tlm_token_fixture_add(tlm_token_fixture *fixture, const char *label)
{
    (void)fixture;
    const char *const argv[] = {"softhsm2-util", "--init-token", "--free", "--label",    label,
                                "--so-pin",      "12345678",     "--pin",  TLM_TEST_PIN, NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    assert_int_equal(tlm_process_run(argv, 30000, 4096, &output, &error), TLM_OK);
    assert_int_equal(output.status, 0);
    tlm_process_output_clear(&output);
}

tlm_token *tlm_token_fixture_open(tlm_token_fixture *fixture)
{
    tlm_token *token = NULL;
    tlm_error error = {0};
    if (tlm_token_open(&fixture->config, &token, &error) != TLM_OK) {
        fail_msg("%s (%s)", error.message, error.hint);
    }
    return token;
}

void tlm_token_fixture_faults(tlm_token_fixture *fixture, const char *rules)
{
    write_file(fixture->faults, rules);
}

unsigned tlm_token_fixture_calls(const tlm_token_fixture *fixture, const char *function)
{
    FILE *file = fopen(fixture->log, "r");
    char line[128];
    unsigned count = 0;
    if (file == NULL) {
        return 0;
    }
    size_t length = strlen(function);
    while (fgets(line, sizeof line, file) != NULL) {
        count += strncmp(line, function, length) == 0 && line[length] == ' ' ? 1U : 0U;
    }
    (void)fclose(file);
    return count;
}

void tlm_token_fixture_clear_log(const tlm_token_fixture *fixture)
{
    write_file(fixture->log, "");
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void tlm_test_remove_tree(const char *directory)
{
    (void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void tlm_token_fixture_clear(tlm_token_fixture *fixture)
{
    tlm_test_remove_tree(fixture->directory);
    fixture->directory[0] = '\0';
}
