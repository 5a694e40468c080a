/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <sys/stat.h>
#include <time.h>

#include <tlm/key.h>

#include "tls.h"
#include "tls_credentials.h"
#include "tls_files.h"
#include "tls_token.h"
#include "token_fixture.h"

#define DAY ((time_t)86400)

static char certificate_path[TEST_PATH_MAX];
static char key_path[TEST_PATH_MAX];
static char other_path[TEST_PATH_MAX];

/* Writes a key of P-256 in PEM, mode 0600, and returns it. */
static gnutls_privkey_t make_key(const char *path)
{
    gnutls_x509_privkey_t made = NULL;
    gnutls_privkey_t key = NULL;
    gnutls_datum_t pem = {NULL, 0};
    unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
    assert_int_equal(gnutls_x509_privkey_init(&made), 0);
    assert_int_equal(gnutls_x509_privkey_generate(made, GNUTLS_PK_ECDSA, bits, 0), 0);
    assert_int_equal(gnutls_x509_privkey_export2(made, GNUTLS_X509_FMT_PEM, &pem), 0);
    put_file(path, (const char *)pem.data);
    assert_int_equal(chmod(path, 0600), 0);
    gnutls_free(pem.data);
    assert_int_equal(gnutls_privkey_init(&key), 0);
    assert_int_equal(gnutls_privkey_import_x509(key, made, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE), 0);
    return key;
}

/* Appends a self-signed certificate of the key to a file. */
static void add_certificate(const char *path, gnutls_privkey_t key, time_t from, time_t to)
{
    gnutls_x509_crt_t made = NULL;
    gnutls_pubkey_t public = NULL;
    gnutls_datum_t pem = {NULL, 0};
    assert_int_equal(gnutls_x509_crt_init(&made), 0);
    assert_int_equal(gnutls_pubkey_init(&public), 0);
    assert_int_equal(gnutls_pubkey_import_privkey(public, key, 0, 0), 0);
    assert_int_equal(gnutls_x509_crt_set_pubkey(made, public), 0);
    assert_int_equal(gnutls_x509_crt_set_version(made, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(made, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_dn(made, "CN=host", NULL), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(made, from), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(made, to), 0);
    assert_int_equal(gnutls_x509_crt_privkey_sign(made, made, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(made, GNUTLS_X509_FMT_PEM, &pem), 0);
    FILE *file = fopen(path, "ae");
    assert_non_null(file);
    assert_int_equal(fwrite(pem.data, 1, pem.size, file), pem.size);
    assert_int_equal(fclose(file), 0);
    gnutls_free(pem.data);
    gnutls_pubkey_deinit(public);
    gnutls_x509_crt_deinit(made);
}

static int setup(void **state)
{
    if (directory_setup(state) != 0) {
        return -1;
    }
    (void)in_directory(state, "web.crt", certificate_path);
    (void)in_directory(state, "web.key", key_path);
    (void)in_directory(state, "other.key", other_path);
    gnutls_privkey_t key = make_key(key_path);
    add_certificate(certificate_path, key, 1000 * DAY, 30000 * DAY);
    gnutls_privkey_deinit(key);
    gnutls_privkey_deinit(make_key(other_path));
    return 0;
}

static void refuse(const tlm_tls_sources *sources, tlm_result expected, const char *message)
{
    tlm_error error = {0};
    assert_int_equal(tlm_tls_sources_check(sources, &error), expected);
    assert_int_equal(error.result, expected);
    if (strstr(error.message, message) == NULL) {
        fail_msg("'%s' is not in '%s'", message, error.message);
    }
    assert_true(error.hint[0] != '\0');
}

static void files_that_belong_together_pass(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_tls_sources sources = {.certificate = certificate_path, .key = key_path};
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
    sources.client_ca = certificate_path;
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
    sources.client_optional = true;
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
    tlm_tls_credentials *made = NULL;
    assert_int_equal(tlm_tls_credentials_load(&sources, NULL, &made, &error), TLM_OK);
    assert_string_equal(made->subject, "CN=host");
    assert_int_equal(made->chain_size, 1);
    assert_int_equal(made->not_before, 1000 * DAY);
    assert_int_equal(made->not_after, 30000 * DAY);
    assert_true(made->client_ca && made->client_optional);
    tlm_tls_credentials *held = tlm_tls_credentials_hold(made);
    tlm_tls_credentials_release(&made);
    assert_null(made);
    assert_string_equal(held->subject, "CN=host");
    tlm_tls_credentials_release(&held);
    tlm_tls_credentials_release(&held);
    assert_null(tlm_tls_credentials_hold(NULL));
}

static void settings_need_each_other(void **state)
{
    (void)state;
    refuse(&(tlm_tls_sources){.certificate = certificate_path}, TLM_ERR_SETTING,
           "REST.Tls.Certificate is set and REST.Tls.Key is not");
    refuse(&(tlm_tls_sources){.key = key_path, .certificate = ""}, TLM_ERR_SETTING,
           "REST.Tls.Key is set and REST.Tls.Certificate is not");
    refuse(&(tlm_tls_sources){.client_ca = certificate_path}, TLM_ERR_SETTING,
           "REST.Tls.ClientCa is set, but neither");
    refuse(&(tlm_tls_sources){.client_optional = true}, TLM_ERR_SETTING,
           "REST.Tls.ClientOptional is set, but neither");
    refuse(&(tlm_tls_sources){.certificate = certificate_path,
                              .key = key_path,
                              .client_optional = true},
           TLM_ERR_SETTING, "REST.Tls.ClientOptional is set and REST.Tls.ClientCa is not");
}

static void uris_are_checked_without_a_token(void **state)
{
    (void)state;
    tlm_error error = {0};
    tlm_tls_sources sources = {.certificate = "pkcs11:object=a", .key = "PKCS11:object=a"};
    assert_true(tlm_tls_is_uri(sources.key));
    assert_false(tlm_tls_is_uri("pkcs11.pem"));
    sources.key = "pkcs11:object=a";
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
    sources.key = "pkcs11:token=a";
    refuse(&sources, TLM_ERR_ARGUMENT, "REST.Tls.Key: the URI names no private key");
    sources.key = key_path;
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
    sources.certificate = "pkcs11:type=private;object=a";
    refuse(&sources, TLM_ERR_ARGUMENT, "REST.Tls.Certificate: the URI names an object of another");
}

static void key_files_must_be_the_owners_alone(void **state)
{
    (void)state;
    static const mode_t modes[] = {0640, 0604, 0660, 0644};
    const tlm_tls_sources sources = {.certificate = certificate_path, .key = key_path};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(key_path, modes[i]), 0);
        refuse(&sources, TLM_ERR_PERMISSION, "REST.Tls.Key");
    }
    /* Also where the certificate is not a file. */
    refuse(&(tlm_tls_sources){.certificate = "pkcs11:object=a", .key = key_path},
           TLM_ERR_PERMISSION, "REST.Tls.Key");
    assert_int_equal(chmod(key_path, 0400), 0);
    tlm_error error = {0};
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
}

static void foreign_pairs_are_named(void **state)
{
    (void)state;
    refuse(&(tlm_tls_sources){.certificate = certificate_path, .key = other_path}, TLM_ERR_SETTING,
           "certificate and key do not belong together");
    refuse(&(tlm_tls_sources){.certificate = certificate_path, .key = other_path}, TLM_ERR_SETTING,
           other_path);
}

static void missing_files_are_named(void **state)
{
    char path[TEST_PATH_MAX];
    (void)in_directory(state, "none", path);
    tlm_error error = {0};
    tlm_tls_sources sources = {.certificate = path, .key = key_path};
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "REST.Tls.Certificate"));
    assert_non_null(strstr(error.message, path));
    sources = (tlm_tls_sources){.certificate = certificate_path, .key = path};
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "REST.Tls.Key"));
    sources =
        (tlm_tls_sources){.certificate = certificate_path, .key = key_path, .client_ca = path};
    assert_int_equal(tlm_tls_sources_check(&sources, &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.message, "REST.Tls.ClientCa"));
}

/* Cut off anywhere before the last line, of which GnuTLS needs no more than its beginning. */
static void truncated_files_are_refused(void **state)
{
    char text[4096];
    char path[TEST_PATH_MAX];
    (void)in_directory(state, "part", path);
    const char *const files[] = {certificate_path, key_path};
    for (size_t i = 0; i < 2; i++) {
        (void)get_file(files[i], text, sizeof text);
        const char *last = strstr(text, "-----END");
        assert_non_null(last);
        for (size_t size = (size_t)(last - text); size > 0; size--) {
            text[size] = '\0';
            put_file(path, text);
            assert_int_equal(chmod(path, 0600), 0);
            tlm_tls_sources sources = {.certificate = i == 0 ? path : certificate_path,
                                       .key = i == 1 ? path : key_path};
            tlm_error error = {0};
            assert_int_not_equal(tlm_tls_sources_check(&sources, &error), TLM_OK);
            assert_non_null(strstr(error.message, path));
        }
    }
}

static void what_is_no_pem_is_refused(void **state)
{
    char path[TEST_PATH_MAX];
    put_file(in_directory(state, "text", path), "nonsense\n");
    assert_int_equal(chmod(path, 0600), 0);
    refuse(&(tlm_tls_sources){.certificate = path, .key = key_path}, TLM_ERR_FORMAT,
           "is not a chain");
    refuse(&(tlm_tls_sources){.certificate = certificate_path, .key = path}, TLM_ERR_FORMAT,
           "is not a private key");
    refuse(&(tlm_tls_sources){.certificate = certificate_path, .key = key_path, .client_ca = path},
           TLM_ERR_FORMAT, "REST.Tls.ClientCa");
    refuse(
        &(tlm_tls_sources){.certificate = certificate_path, .key = key_path, .client_ca = key_path},
        TLM_ERR_FORMAT, "is not a file of authorities");
}

static void chains_have_a_maximum(void **state)
{
    char path[TEST_PATH_MAX];
    (void)in_directory(state, "chain", path);
    tlm_error error = {0};
    gnutls_privkey_t key = make_key(key_path);
    gnutls_pcert_st chain[TLM_TLS_CHAIN_MAX];
    for (unsigned i = 0; i < TLM_TLS_CHAIN_MAX; i++) {
        add_certificate(path, key, 0, DAY);
    }
    unsigned size = TLM_TLS_CHAIN_MAX;
    assert_int_equal(tlm_tls_file_chain(path, chain, &size, &error), TLM_OK);
    for (unsigned i = 0; i < size; i++) {
        gnutls_pcert_deinit(&chain[i]);
    }
    add_certificate(path, key, 0, DAY);
    size = TLM_TLS_CHAIN_MAX;
    assert_int_equal(tlm_tls_file_chain(path, chain, &size, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "at most 16"));
    gnutls_privkey_deinit(key);
}

static void the_age_is_told_in_time(void **state)
{
    (void)state;
    tlm_tls_credentials made = {.subject = "CN=host", .not_before = 1000, .not_after = 100 * DAY};
    tlm_error error = {0};
    assert_int_equal(tlm_tls_credentials_age(&made, 1000, &error), TLM_OK);
    assert_int_equal(tlm_tls_credentials_age(&made, 86 * DAY - 1, &error), TLM_OK);
    assert_int_not_equal(tlm_tls_credentials_age(&made, 86 * DAY, &error), TLM_OK);
    assert_non_null(strstr(error.message, "(CN=host) expires at 1970-04-11T00:00:00Z"));
    assert_int_not_equal(tlm_tls_credentials_age(&made, 100 * DAY - 1, &error), TLM_OK);
    assert_non_null(strstr(error.message, "expires at"));
    assert_int_not_equal(tlm_tls_credentials_age(&made, 100 * DAY, &error), TLM_OK);
    assert_non_null(strstr(error.message, "expired at 1970-04-11T00:00:00Z"));
    assert_int_not_equal(tlm_tls_credentials_age(&made, 999, &error), TLM_OK);
    assert_non_null(strstr(error.message, "not valid before 1970-01-01T00:16:40Z"));
}

static unsigned failures;

static void count_failure(void *context, const tlm_error *error)
{
    assert_ptr_equal(context, &failures);
    assert_int_not_equal(error->result, TLM_OK);
    failures++;
}

/* One signature of each kind, checked by GnuTLS with the public half. */
static void check_signature(gnutls_privkey_t key, gnutls_pubkey_t public,
                            gnutls_sign_algorithm_t algorithm)
{
    const gnutls_datum_t data = {(unsigned char *)(char[]){"handshake"}, 9};
    gnutls_datum_t signature = {NULL, 0};
    assert_int_equal(gnutls_privkey_sign_data2(key, algorithm, 0, &data, &signature), 0);
    assert_int_equal(gnutls_pubkey_verify_data2(public, algorithm, 0, &data, &signature), 0);
    signature.data[signature.size - 1] ^= 1;
    assert_true(gnutls_pubkey_verify_data2(public, algorithm, 0, &data, &signature) < 0);
    gnutls_free(signature.data);
}

static void refuse_signature(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm)
{
    const gnutls_datum_t data = {(unsigned char *)(char[]){"handshake"}, 9};
    gnutls_datum_t signature = {NULL, 0};
    assert_true(gnutls_privkey_sign_data2(key, algorithm, 0, &data, &signature) < 0);
    assert_null(signature.data);
}

static void keys_of_a_token_sign_for_tls(void **state)
{
    (void)state;
    tlm_token_fixture fixture;
    tlm_tls_token *token = NULL;
    gnutls_privkey_t key = NULL;
    gnutls_pubkey_t public = NULL;
    tlm_error error = {0};
    tlm_key *made = NULL;
    tlm_token_fixture_make(&fixture);
    tlm_token *opened = tlm_token_fixture_open(&fixture);
    assert_int_equal(tlm_key_generate_p256(opened, "ec", 1, &made, &error), TLM_OK);
    tlm_key_free(&made);
    assert_int_equal(tlm_key_generate_rsa(opened, 2048, "rsa", 2, &made, &error), TLM_OK);
    tlm_key_free(&made);
    tlm_token_close(&opened);
    char pin_path[TEST_PATH_MAX];
    put_file(in_directory(state, "pin", pin_path), TLM_TEST_PIN "\n");
    assert_int_equal(chmod(pin_path, 0600), 0);
    tlm_tls_token_config config = {.module = fixture.config.module,
                                   .uri = fixture.config.uri,
                                   .pin_file = pin_path,
                                   .wait_ms = 1000,
                                   .failed = count_failure,
                                   .context = &failures};
    assert_int_equal(tlm_tls_token_new(&config, &token, &error), TLM_OK);
    assert_int_equal(tlm_tls_token_open(token, &error), TLM_OK);
    assert_int_equal(tlm_tls_token_open(token, &error), TLM_OK);
    assert_int_equal(tlm_tls_token_probe(token, &error), TLM_OK);
    assert_int_equal(tlm_tls_token_recoveries(token), 0);

    assert_int_equal(tlm_tls_token_key(token, "pkcs11:object=ec", &key, &public, &error), TLM_OK);
    check_signature(key, public, GNUTLS_SIGN_ECDSA_SHA256);
    check_signature(key, public, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256);
    refuse_signature(key, GNUTLS_SIGN_ECDSA_SHA384);
    gnutls_privkey_deinit(key);
    gnutls_pubkey_deinit(public);
    assert_int_equal(tlm_tls_token_key(token, "pkcs11:object=rsa", &key, &public, &error), TLM_OK);
    check_signature(key, public, GNUTLS_SIGN_RSA_SHA256);
    check_signature(key, public, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256);
    refuse_signature(key, GNUTLS_SIGN_RSA_SHA512);
    gnutls_privkey_deinit(key);
    gnutls_pubkey_deinit(public);
    assert_int_equal(tlm_tls_token_key(token, "pkcs11:object=no", &key, &public, &error),
                     TLM_ERR_NOT_FOUND);
    assert_null(key);
    assert_null(public);
    assert_int_equal(failures, 0);

    /* A lost line to the token is brought back; where it stays away the caller is told. */
    assert_int_equal(tlm_tls_token_key(token, "pkcs11:object=ec", &key, &public, &error), TLM_OK);
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x30\n");
    check_signature(key, public, GNUTLS_SIGN_ECDSA_SHA256);
    assert_int_equal(failures, 0);
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x30:0\n");
    refuse_signature(key, GNUTLS_SIGN_ECDSA_SHA256);
    assert_int_equal(failures, 1);
    gnutls_privkey_deinit(key);
    gnutls_pubkey_deinit(public);
    tlm_tls_token_free(&token);
    tlm_tls_token_free(&token);
    tlm_token_fixture_clear(&fixture);
}

static void note_change(void *context)
{
    (void)context;
}

static void files_alone_are_ready_at_once(void **state)
{
    (void)state;
    tlm_tls *tls = NULL;
    tlm_error error = {0};
    tlm_tls_state now;
    tlm_tls_config config = {.sources = {.certificate = certificate_path, .key = key_path},
                             .wait_seconds = 1,
                             .changed = note_change};
    assert_int_equal(tlm_tls_new(&config, &tls, &error), TLM_OK);
    tlm_tls_get(tls, &now);
    assert_true(now.ready);
    assert_false(now.key_in_token);
    assert_int_equal(now.not_after, 30000 * DAY);
    assert_int_equal(now.error.result, TLM_OK);
    assert_int_equal(now.expiration.result, TLM_OK);
    tlm_tls_credentials *held = tlm_tls_current(tls);
    assert_non_null(held);
    assert_int_equal(tlm_tls_start(tls, &error), TLM_OK);
    tlm_tls_reload(tls);
    tlm_tls_stop(&tls);
    tlm_tls_stop(&tls);
    tlm_tls_credentials_release(&held);
    config.sources.key = other_path;
    assert_int_equal(tlm_tls_new(&config, &tls, &error), TLM_ERR_SETTING);
    assert_null(tls);
}

#define TLS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(files_that_belong_together_pass),
        TLS_TEST(settings_need_each_other),
        TLS_TEST(uris_are_checked_without_a_token),
        TLS_TEST(key_files_must_be_the_owners_alone),
        TLS_TEST(foreign_pairs_are_named),
        TLS_TEST(missing_files_are_named),
        TLS_TEST(truncated_files_are_refused),
        TLS_TEST(what_is_no_pem_is_refused),
        TLS_TEST(chains_have_a_maximum),
        TLS_TEST(the_age_is_told_in_time),
        TLS_TEST(keys_of_a_token_sign_for_tls),
        TLS_TEST(files_alone_are_ready_at_once),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
