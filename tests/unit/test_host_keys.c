/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_fixture.h"

#include <openssl/pem.h>

#include <tlm/host_keys.h>
#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/vault.h>

#include "token_fixture.h"

#define LEDGER "01234567-89ab-4cde-8f01-23456789abcd"

typedef struct keys_scene {
    scene scene;
    tlm_token_fixture fixture;
    char pin_file[TEST_PATH_MAX];
    const tlm_identity_view *view;
    tlm_host_keys *keys;
} keys_scene;

static void add_keys(tlm_token_fixture *fixture, bool attest)
{
    tlm_key *key = NULL;
    tlm_token *token = tlm_token_fixture_open(fixture);
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "tlm-srk", 1, &key, NULL), TLM_OK);
    tlm_key_free(&key);
    if (attest) {
        assert_int_equal(tlm_key_generate_p256(token, "tlm-attest", 2, &key, NULL), TLM_OK);
        tlm_key_free(&key);
    }
    tlm_token_close(&token);
}

/* An identity on a SoftHSM token. */
static void with_token(void **state, keys_scene *self, bool attest)
{
    memset(self, 0, sizeof *self);
    prepare(state, &self->scene, "p");
    tlm_token_fixture_make(&self->fixture);
    add_keys(&self->fixture, attest);
    in_directory(state, "pin", self->pin_file);
    put_file(self->pin_file, TLM_TEST_PIN "\n");
    assert_int_equal(chmod(self->pin_file, 0600), 0);
    self->scene.config.tpm = true;
    self->scene.config.module = self->fixture.config.module;
    self->scene.config.token_uri = self->fixture.config.uri;
    self->scene.config.pin_file = self->pin_file;
}

static void open_keys(keys_scene *self)
{
    tlm_error error = {0};
    start(&self->scene);
    self->view = await(&self->scene, TLM_START_COLD);
    const tlm_host_keys_config config = {.identity = &self->scene.config, .view = self->view};
    if (tlm_host_keys_open(&config, &self->keys, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
}

static void close_keys(keys_scene *self)
{
    tlm_host_keys_close(&self->keys);
    assert_null(self->keys);
    tlm_host_keys_close(&self->keys);
    tlm_identity_view_release(&self->view);
    tlm_identity_stop(&self->scene.identity);
    if (self->fixture.directory[0] != '\0') {
        tlm_token_fixture_clear(&self->fixture);
    }
}

/* The public key with this thumbprint, of the view or of the JWKS. */
static EVP_PKEY *public_of(const char *pem)
{
    BIO *memory = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);
    BIO_free(memory);
    assert_non_null(key);
    return key;
}

static tlm_result unwrap_for(keys_scene *self, const char *pem, const char *kid, tlm_error *error)
{
    static const unsigned char content[32] = {5, 6, 7};
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_secret *key = NULL;
    EVP_PKEY *to = public_of(pem);
    assert_int_equal(tlm_public_encrypt_oaep(to, content, sizeof content, wrapped, &size, NULL),
                     TLM_OK);
    EVP_PKEY_free(to);
    tlm_result result = tlm_host_keys_unwrap(self->keys, kid, wrapped, size, &key, error);
    if (result == TLM_OK) {
        assert_int_equal(tlm_secret_size(key), sizeof content);
        assert_memory_equal(tlm_secret_bytes(key), content, sizeof content);
    }
    assert_true((result == TLM_OK) == (key != NULL));
    tlm_secret_free(&key);
    return result;
}

static const json_t *key_for(const json_t *jwks, const char *use)
{
    const json_t *found = NULL;
    const json_t *list = json_object_get(jwks, "keys");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *key = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(key, "use")), use) == 0) {
            assert_null(found);
            found = key;
        }
    }
    return found;
}

static void a_token_signs_and_opens(void **state)
{
    keys_scene self;
    json_t *jwks = NULL;
    char *text = NULL;
    tlm_jws *jws = NULL;
    tlm_error error = {0};
    with_token(state, &self, true);
    open_keys(&self);
    assert_int_equal(tlm_host_keys_jwks(self.keys, &jwks, NULL), TLM_OK);
    const json_t *sig = key_for(jwks, "sig");
    const json_t *enc = key_for(jwks, "enc");
    const char *kid = tlm_host_keys_attest_kid(self.keys);
    assert_string_equal(json_string_value(json_object_get(sig, "kid")), kid);
    assert_string_equal(json_string_value(json_object_get(sig, "alg")), "ES256");
    assert_string_equal(json_string_value(json_object_get(enc, "kid")), self.view->fingerprint.kid);
    assert_string_equal(json_string_value(json_object_get(enc, "alg")), "RSA-OAEP-256");

    const tlm_jws_header header = {.alg = "ES256", .kid = kid, .typ = "t"};
    json_t *claims = json_pack("{s:i}", "a", 1);
    assert_int_equal(tlm_jws_make(&header, claims, tlm_host_keys_sign, self.keys, &text, &error),
                     TLM_OK);
    assert_int_equal(tlm_jws_parse(text, strlen(text), 4096, &jws, NULL), TLM_OK);
    assert_int_equal(tlm_jws_verify(jws, sig, "ES256", NULL), TLM_OK);
    tlm_jws_free(&jws);
    free(text);
    const tlm_jws_header other = {.alg = "PS256", .kid = kid, .typ = "t"};
    assert_int_equal(tlm_jws_make(&other, claims, tlm_host_keys_sign, self.keys, &text, &error),
                     TLM_ERR_UNSUPPORTED);
    json_decref(claims);
    json_decref(jwks);

    const tlm_fingerprint *own = &self.view->fingerprint;
    const tlm_fingerprint *fallback = &self.view->fallback;
    assert_int_equal(unwrap_for(&self, own->public_key, own->kid, &error), TLM_OK);
    assert_int_equal(unwrap_for(&self, fallback->public_key, fallback->kid, &error), TLM_OK);
    assert_int_equal(unwrap_for(&self, fallback->public_key, own->kid, &error), TLM_ERR_CRYPTO);
    assert_int_equal(unwrap_for(&self, own->public_key, "another", &error), TLM_ERR_FOREIGN);
    assert_non_null(strstr(error.message, own->kid));
    assert_non_null(strstr(error.message, fallback->kid));
    close_keys(&self);
}

/* Bare SoftHSM has neither; tlm-tokend gives it both. */
static void a_token_without_counter_and_clock(void **state)
{
    keys_scene self;
    uint64_t value = 0;
    bool tamper_proof = false;
    tlm_token_clock clock;
    with_token(state, &self, true);
    open_keys(&self);
    assert_int_equal(tlm_host_keys_counter(self.keys, &value, &tamper_proof, NULL),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_host_keys_clock(self.keys, &clock, NULL), TLM_ERR_UNSUPPORTED);
    close_keys(&self);
}

static void a_token_without_the_signing_key(void **state)
{
    keys_scene self;
    json_t *jwks = NULL;
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_error error = {0};
    with_token(state, &self, false);
    open_keys(&self);
    assert_string_equal(tlm_host_keys_attest_kid(self.keys), "");
    assert_int_equal(tlm_host_keys_sign(self.keys, "ES256", "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "tlm-attest"));
    assert_int_equal(tlm_host_keys_jwks(self.keys, &jwks, NULL), TLM_OK);
    assert_null(key_for(jwks, "sig"));
    assert_non_null(key_for(jwks, "enc"));
    json_decref(jwks);
    close_keys(&self);
}

static void a_key_file_opens_packages_for_the_fallback(void **state)
{
    keys_scene self = {0};
    json_t *jwks = NULL;
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    uint64_t value = 0;
    bool tamper_proof = false;
    tlm_error error = {0};
    prepare(state, &self.scene, "p");
    open_keys(&self);
    assert_int_equal(self.view->holder, TLM_HOLDER_LOCAL);
    const tlm_fingerprint *own = &self.view->fingerprint;
    assert_int_equal(own->type, TLM_FINGERPRINT_FALLBACK);
    assert_int_equal(unwrap_for(&self, own->public_key, own->kid, &error), TLM_OK);
    assert_int_equal(unwrap_for(&self, own->public_key, "another", &error), TLM_ERR_FOREIGN);
    assert_int_equal(tlm_host_keys_sign(self.keys, "ES256", "x", 1, signature, &size, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_host_keys_counter(self.keys, &value, &tamper_proof, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_host_keys_jwks(self.keys, &jwks, NULL), TLM_OK);
    assert_string_equal(json_string_value(json_object_get(key_for(jwks, "enc"), "kid")), own->kid);
    json_decref(jwks);
    close_keys(&self);
}

static void keeps_the_id_of_the_ledger(void **state)
{
    keys_scene self = {0};
    char id[37] = "";
    trace before;
    prepare(state, &self.scene, "p");
    open_keys(&self);
    assert_int_equal(tlm_host_keys_ledger(self.keys, id, NULL), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_host_keys_note_ledger(self.keys, "none", NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_host_keys_note_ledger(self.keys, LEDGER, NULL), TLM_OK);
    assert_int_equal(tlm_host_keys_ledger(self.keys, id, NULL), TLM_OK);
    assert_string_equal(id, LEDGER);
    assert_true(has(&self.scene, "vault.bin.bak"));
    look(&self.scene, &before);
    assert_int_equal(tlm_host_keys_note_ledger(self.keys, LEDGER, NULL), TLM_OK);
    assert_untouched(&self.scene, &before);
    close_keys(&self);
    /* The next start finds all as it was, and the id in it. */
    start(&self.scene);
    self.view = await(&self.scene, TLM_START_WARM);
    const tlm_host_keys_config config = {.identity = &self.scene.config, .view = self.view};
    assert_int_equal(tlm_host_keys_open(&config, &self.keys, NULL), TLM_OK);
    memset(id, 0, sizeof id);
    assert_int_equal(tlm_host_keys_ledger(self.keys, id, NULL), TLM_OK);
    assert_string_equal(id, LEDGER);
    close_keys(&self);
}

static void files_of_another_start_are_left_alone(void **state)
{
    keys_scene self = {0};
    scene other;
    char id[37] = "";
    tlm_error error = {0};
    prepare(state, &other, "q");
    (void)run(&other, TLM_START_COLD);
    prepare(state, &self.scene, "p");
    open_keys(&self);
    copy(&other, &self.scene, "persistence.bin");
    copy(&other, &self.scene, "vault.bin");
    assert_int_equal(tlm_host_keys_note_ledger(self.keys, LEDGER, &error), TLM_ERR_FOREIGN);
    take(&self.scene, "vault.bin");
    assert_int_not_equal(tlm_host_keys_ledger(self.keys, id, &error), TLM_OK);
    assert_true(error.message[0] != '\0');
    assert_false(has(&self.scene, "vault.bin"));
    close_keys(&self);
}

static void looks_at_the_host_anew(void **state)
{
    keys_scene self = {0};
    tlm_fingerprint fallback = {0};
    prepare(state, &self.scene, "p");
    open_keys(&self);
    assert_int_equal(tlm_host_keys_look(self.keys, &fallback, NULL), TLM_OK);
    assert_string_equal(fallback.text, self.view->fallback.text);
    assert_int_equal(fallback.component_count, TLM_HOST_COMPONENTS);
    tlm_fingerprint_clear(&fallback);
    close_keys(&self);
}

static void another_token_is_refused(void **state)
{
    keys_scene self;
    tlm_host_keys *none = NULL;
    tlm_error error = {0};
    with_token(state, &self, true);
    open_keys(&self);
    tlm_identity_view other = *self.view;
    (void)snprintf(other.fingerprint.kid, sizeof other.fingerprint.kid, "%s",
                   self.view->fallback.kid);
    const tlm_host_keys_config config = {.identity = &self.scene.config, .view = &other};
    assert_int_equal(tlm_host_keys_open(&config, &none, &error), TLM_ERR_FOREIGN);
    other.has_fingerprint = false;
    assert_int_equal(tlm_host_keys_open(&config, &none, &error), TLM_ERR_ARGUMENT);
    assert_null(none);
    close_keys(&self);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(a_token_signs_and_opens),
        WITH_DIRECTORY(a_token_without_counter_and_clock),
        WITH_DIRECTORY(a_token_without_the_signing_key),
        WITH_DIRECTORY(a_key_file_opens_packages_for_the_fallback),
        WITH_DIRECTORY(keeps_the_id_of_the_ledger),
        WITH_DIRECTORY(files_of_another_start_are_left_alone),
        WITH_DIRECTORY(looks_at_the_host_anew),
        WITH_DIRECTORY(another_token_is_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
