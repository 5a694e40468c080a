/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_fixture.h"

#include <tlm/key.h>

#include "token_fixture.h"

typedef struct token_scene {
    scene scene;
    tlm_token_fixture fixture;
    char pin_file[TEST_PATH_MAX];
} token_scene;

static void write_pin(token_scene *self, const char *pin)
{
    put_file(self->pin_file, pin);
    assert_int_equal(chmod(self->pin_file, 0600), 0);
}

static void prepare_token(void **state, token_scene *self, bool with_key)
{
    prepare(state, &self->scene, "p");
    tlm_token_fixture_make(&self->fixture);
    if (with_key) {
        tlm_key *key = NULL;
        tlm_token *token = tlm_token_fixture_open(&self->fixture);
        assert_int_equal(tlm_key_generate_rsa(token, 2048, "tlm-srk", 1, &key, NULL), TLM_OK);
        tlm_key_free(&key);
        tlm_token_close(&token);
    }
    in_directory(state, "pin", self->pin_file);
    write_pin(self, TLM_TEST_PIN "\n");
    self->scene.config.tpm = true;
    self->scene.config.module = self->fixture.config.module;
    self->scene.config.token_uri = self->fixture.config.uri;
    self->scene.config.pin_file = self->pin_file;
    tlm_token_fixture_clear_log(&self->fixture);
}

static void a_token_is_marked_with_its_files(void **state)
{
    token_scene self;
    scene other;
    prepare_token(state, &self, true);
    start(&self.scene);
    const tlm_identity_view *view = await(&self.scene, TLM_START_COLD);
    assert_int_equal(view->holder, TLM_HOLDER_MODULE);
    assert_string_equal(view->backend, "pkcs11");
    assert_true(view->has_token);
    assert_string_equal(view->token_info.label, "tlm");
    assert_int_equal(view->fingerprint.type, TLM_FINGERPRINT_TOKEN);
    assert_int_equal(view->fallback.type, TLM_FINGERPRINT_FALLBACK);
    assert_string_not_equal(view->fingerprint.text, view->fallback.text);
    assert_false(view->hardware_bound);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.scene.identity);
    assert_false(has(&self.scene, "local.key"));

    tlm_token_fixture_clear_log(&self.fixture);
    (void)run(&self.scene, TLM_START_WARM);
    assert_int_equal(tlm_token_fixture_calls(&self.fixture, "C_Login"), 1);

    /* The same token with another directory: its files are elsewhere. */
    prepare(state, &other, "q");
    other.config.tpm = true;
    other.config.module = self.scene.config.module;
    other.config.token_uri = self.scene.config.token_uri;
    other.config.pin_file = self.scene.config.pin_file;
    outcome seen = run(&other, TLM_START_FILES_MISSING);
    assert_non_null(strstr(seen.error.hint, "tlm-storage"));
    assert_false(tlm_file_exists(other.directory));

    tlm_token *token = tlm_token_fixture_open(&self.fixture);
    assert_int_equal(tlm_token_data_remove(token, "tlm-storage", NULL), TLM_OK);
    tlm_token_close(&token);
    (void)run(&other, TLM_START_COLD);
    (void)run(&self.scene, TLM_START_OTHER_STORAGE);
    tlm_token_fixture_clear(&self.fixture);
}

static void a_token_without_the_key_is_told(void **state)
{
    token_scene self;
    prepare_token(state, &self, false);
    outcome seen = run(&self.scene, TLM_START_NOT_PROVISIONED);
    assert_non_null(strstr(seen.error.message, "tlm-srk"));
    assert_non_null(strstr(seen.error.hint, "pkcs11-tool"));
    tlm_token_fixture_clear(&self.fixture);
}

static void a_refused_pin_is_sent_once(void **state)
{
    const struct timespec nap = {.tv_sec = 1};
    token_scene self;
    prepare_token(state, &self, true);
    write_pin(&self, "wrong");
    tlm_token_fixture_clear_log(&self.fixture);
    start(&self.scene);
    const tlm_identity_view *view = await(&self.scene, TLM_START_PIN_REFUSED);
    assert_int_equal(view->error.result, TLM_ERR_PIN);
    tlm_identity_view_release(&view);
    (void)nanosleep(&nap, NULL);
    tlm_identity_stop(&self.scene.identity);
    assert_int_equal(tlm_token_fixture_calls(&self.fixture, "C_Login"), 1);
    write_pin(&self, "");
    outcome seen = run(&self.scene, TLM_START_TOKEN_UNAVAILABLE);
    assert_non_null(strstr(seen.error.message, "empty"));
    tlm_token_fixture_clear(&self.fixture);
}

static void a_lost_token_comes_back(void **state)
{
    token_scene self;
    prepare_token(state, &self, true);
    start(&self.scene);
    const tlm_identity_view *view = await(&self.scene, TLM_START_COLD);
    char fingerprint[65];
    memcpy(fingerprint, view->fingerprint.text, sizeof fingerprint);
    tlm_identity_view_release(&view);
    /* From now on the module fails like a TPM whose line is cut. */
    tlm_token_fixture_faults(
        &self.fixture, "C_GenerateRandom:1:0x5:0\nC_OpenSession:1:0x5:0\nC_Initialize:1:0x5:0\n");
    view = await(&self.scene, TLM_START_TOKEN_UNAVAILABLE);
    assert_false(view->ready);
    assert_true(view->has_fingerprint);
    assert_string_equal(view->fingerprint.text, fingerprint);
    assert_int_equal(view->error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    tlm_identity_view_release(&view);
    tlm_token_fixture_faults(&self.fixture, "");
    view = await(&self.scene, TLM_START_COLD);
    assert_string_equal(view->fingerprint.text, fingerprint);
    assert_true(view->recoveries >= 1);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.scene.identity);
    tlm_token_fixture_clear(&self.fixture);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(a_token_is_marked_with_its_files),
        WITH_DIRECTORY(a_token_without_the_key_is_told),
        WITH_DIRECTORY(a_refused_pin_is_sent_once),
        WITH_DIRECTORY(a_lost_token_comes_back),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
