/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <tlm/trust.h>

#include "fingerprint_json.h"
#include "status.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char pem[] = "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----\n";
static char jwk[] = "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"sXch\"}";

static tlm_identity_view tpm_view(void)
{
    return (tlm_identity_view){.state = TLM_START_WARM,
                               .ready = true,
                               .warm = true,
                               .state_since = 1700000000,
                               .holder = TLM_HOLDER_TPM,
                               .backend = "tpm",
                               .hardware_bound = true,
                               .has_token = true,
                               .token_info = {.label = "tlm",
                                              .manufacturer = "STM",
                                              .model = "ST33",
                                              .serial = "0001",
                                              .firmware_version = "1.2",
                                              .library = "TPM2.0 Cryptoki"},
                               .recoveries = 2,
                               .has_fingerprint = true,
                               .fingerprint = {.type = TLM_FINGERPRINT_TPM,
                                               .text = HEX64,
                                               .kid = "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8",
                                               .public_key = pem,
                                               .jwk = jwk},
                               .storage_id = "6b1cf2f0-0000-4000-8000-000000000000"};
}

static const tlm_about about = {.started = 1690000000,
                                .runtime = TLM_RUNTIME_CONTAINER,
                                .elevated = true,
                                .os = "Debian",
                                .kernel = "Linux 6.1",
                                .arch = "x86_64"};

static json_t *parse(char *text)
{
    assert_non_null(text);
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(object));
    free(text);
    return object;
}

static json_t *status_of(const tlm_identity_view *view, const tlm_notices *notices,
                         const char *facts)
{
    tlm_status_source source = {.view = view,
                                .about = &about,
                                .notices = notices,
                                .facts = facts,
                                .facts_as_of = facts != NULL ? 1700000060 : 0,
                                .config_dir = "/etc/c",
                                .persistence_dir = "/etc/p",
                                .log_file = "/var/log/\xff.log",
                                .token_store = "/etc/p/token"};
    return parse(tlm_status_text(&source));
}

/* The text at a path of member names, "a.b". */
static const char *text_at(const json_t *object, const char *path)
{
    char copy[128];
    char *rest = NULL;
    assert_true(strlen(path) < sizeof copy);
    (void)strncpy(copy, path, sizeof copy - 1);
    copy[sizeof copy - 1] = '\0';
    for (char *word = strtok_r(copy, ".", &rest); word != NULL; word = strtok_r(NULL, ".", &rest)) {
        object = json_object_get(object, word);
        assert_non_null(object);
    }
    return json_string_value(object);
}

static void tls_is_told(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    json_t *object = status_of(&view, &notices, NULL);
    assert_true(json_is_false(json_object_get(json_object_get(object, "tls"), "enabled")));
    assert_null(text_at(object, "tls.certificateNotAfter"));
    assert_null(text_at(object, "tls.keyIn"));
    json_decref(object);
    const tlm_status_tls tls = {.enabled = true, .not_after = 1700000000, .key_in = "token"};
    tlm_status_source source = {.view = &view, .about = &about, .notices = &notices, .tls = &tls};
    object = parse(tlm_status_text(&source));
    assert_true(json_is_true(json_object_get(json_object_get(object, "tls"), "enabled")));
    assert_string_equal(text_at(object, "tls.certificateNotAfter"), "2023-11-14T22:13:20Z");
    assert_string_equal(text_at(object, "tls.keyIn"), "token");
    json_decref(object);
}

static void licensing_is_told(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    json_t *object = status_of(&view, &notices, NULL);
    assert_true(json_is_null(json_object_get(object, "licensing")));
    assert_null(text_at(object, "paths.adminSocket"));
    assert_int_equal(
        json_is_true(json_object_get(json_object_get(object, "build"), "runtimeTrust")),
        tlm_trust_runtime());
    json_decref(object);
    json_t *licensing = json_pack("{s:s}", "state", "ok");
    tlm_status_source source = {.view = &view,
                                .about = &about,
                                .notices = &notices,
                                .admin_socket = "/run/tlm/admin.sock",
                                .licensing = licensing};
    object = parse(tlm_status_text(&source));
    assert_string_equal(text_at(object, "licensing.state"), "ok");
    assert_string_equal(text_at(object, "paths.adminSocket"), "/run/tlm/admin.sock");
    json_decref(object);
    assert_int_equal(licensing->refcount, 1);
    json_decref(licensing);
}

static void healthy_on_a_tpm(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    json_t *object = status_of(&view, &notices,
                               "{\"tpm\":{\"inLockout\":false},\"store\":{},\"errors\":[],"
                               "\"tcti\":{\"conf\":\"device:/dev/tpmrm0\"}}");
    assert_string_equal(text_at(object, "service"), "TLLicenseManager");
    assert_string_equal(text_at(object, "version"), TLM_VERSION);
    assert_string_equal(text_at(object, "platform.os"), "Debian");
    assert_string_equal(text_at(object, "runtime"), "container");
    assert_true(json_is_true(json_object_get(object, "elevated")));
    assert_true(json_is_true(json_object_get(object, "tpmConnected")));
    assert_string_equal(text_at(object, "start.kind"), "warm");
    assert_string_equal(text_at(object, "start.state"), "warm");
    assert_string_equal(text_at(object, "startedAt"), "2023-07-22T04:26:40Z");
    assert_string_equal(text_at(object, "token.backend"), "tpm");
    assert_string_equal(text_at(object, "token.label"), "tlm");
    assert_string_equal(text_at(object, "token.firmware"), "1.2");
    const json_t *token = json_object_get(object, "token");
    assert_true(json_is_true(json_object_get(token, "hardwareBound")));
    assert_true(json_is_false(json_object_get(token, "simulated")));
    assert_int_equal(json_integer_value(json_object_get(token, "recoveries")), 2);
    assert_true(json_is_false(json_object_get(json_object_get(object, "tpm"), "inLockout")));
    assert_string_equal(text_at(object, "tpm.asOf"), "2023-11-14T22:14:20Z");
    assert_string_equal(text_at(object, "tpm.tcti.conf"), "device:/dev/tpmrm0");
    assert_int_equal(json_object_size(json_object_get(object, "tpm")), 3);
    assert_string_equal(text_at(object, "fingerprint.type"), "tpm");
    assert_string_equal(text_at(object, "fingerprint.value"), HEX64);
    assert_string_equal(text_at(object, "paths.config"), "/etc/c");
    assert_string_equal(text_at(object, "paths.log"), "/var/log/?.log");
    assert_true(json_is_null(json_object_get(json_object_get(object, "paths"), "configFile")));
    assert_int_equal(json_array_size(json_object_get(object, "errors")), 0);
    json_decref(object);
}

static void nothing_known_yet(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = {.state = TLM_START_PENDING, .backend = "none"};
    json_t *object = status_of(&view, &notices, NULL);
    assert_string_equal(text_at(object, "start.kind"), "pending");
    assert_true(json_is_false(json_object_get(object, "tpmConnected")));
    assert_true(json_is_null(json_object_get(object, "tpm")));
    assert_true(json_is_null(json_object_get(object, "fingerprint")));
    assert_true(json_is_null(json_object_get(json_object_get(object, "token"), "label")));
    assert_int_equal(json_array_size(json_object_get(object, "errors")), 0);
    json_decref(object);
    object = parse(tlm_status_health_text(&view));
    assert_string_equal(text_at(object, "status"), "degraded");
    assert_string_equal(text_at(object, "state"), "pending");
    json_decref(object);
    object = parse(tlm_status_problem_text(&view, "/fingerprint"));
    assert_string_equal(text_at(object, "code"), "pending");
    assert_string_equal(text_at(object, "instance"), "/fingerprint");
    assert_int_equal(json_integer_value(json_object_get(object, "status")), 503);
    json_decref(object);
}

static void connected_to_a_simulated_tpm(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    view.simulated = true;
    view.hardware_bound = false;
    view.backend = "swtpm";
    json_t *object = status_of(&view, &notices, NULL);
    assert_true(json_is_true(json_object_get(object, "tpmConnected")));
    json_decref(object);
}

static void a_token_that_is_no_tpm(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    view.holder = TLM_HOLDER_SOFTHSM;
    json_t *object = status_of(&view, &notices, NULL);
    assert_true(json_is_false(json_object_get(object, "tpmConnected")));
    json_decref(object);
    view = tpm_view();
    view.ready = false;
    object = status_of(&view, &notices, NULL);
    assert_true(json_is_false(json_object_get(object, "tpmConnected")));
    json_decref(object);
}

static void every_degraded_state_says_what_to_do(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    for (int i = TLM_START_PENDING + 1; i < TLM_START_STATE_COUNT; i++) {
        const tlm_start_description *is = tlm_startup_describe((tlm_start_state)i);
        tlm_identity_view view = {
            .state = (tlm_start_state)i, .backend = "none", .state_since = 1700000000};
        view.ready = is->healthy;
        json_t *object = status_of(&view, &notices, NULL);
        const json_t *errors = json_object_get(object, "errors");
        if (is->healthy) {
            assert_int_equal(json_array_size(errors), 0);
        } else {
            assert_int_equal(json_array_size(errors), 1);
            const json_t *error = json_array_get(errors, 0);
            assert_string_equal(text_at(error, "code"), is->name);
            assert_string_equal(text_at(error, "message"), is->message);
            assert_string_equal(text_at(error, "hint"), is->hint);
            assert_string_equal(text_at(error, "since"), "2023-11-14T22:13:20Z");
            assert_string_equal(text_at(object, "start.kind"), "degraded");
        }
        json_decref(object);
        object = parse(tlm_status_health_text(&view));
        assert_string_equal(text_at(object, "status"), is->healthy ? "ok" : "degraded");
        assert_string_equal(text_at(object, "state"), is->name);
        json_decref(object);
    }
}

static void the_cause_stands_before_the_description(void **state)
{
    (void)state;
    tlm_identity_view view = {.state = TLM_START_FOREIGN, .backend = "none"};
    (void)tlm_error_set(&view.error, TLM_ERR_FOREIGN, "move it back", "files of TPM %s", "X");
    tlm_ailment ailment;
    assert_true(tlm_status_ailment(&view, &ailment));
    assert_string_equal(ailment.code, "foreign");
    assert_string_equal(ailment.message, "files of TPM X");
    assert_string_equal(ailment.hint, "move it back");
    view.error.hint[0] = '\0';
    assert_true(tlm_status_ailment(&view, &ailment));
    assert_string_equal(ailment.hint, tlm_startup_describe(TLM_START_FOREIGN)->hint);
}

static void a_token_lost_after_a_good_start(void **state)
{
    (void)state;
    tlm_identity_view view = tpm_view();
    view.ready = false;
    (void)tlm_error_set(&view.error, TLM_ERR_TOKEN_UNAVAILABLE, "", "the TPM is gone");
    tlm_ailment ailment;
    assert_true(tlm_status_ailment(&view, &ailment));
    assert_string_equal(ailment.code, "token-unavailable");
    assert_string_equal(tlm_status_kind(&view), "degraded");
    json_t *object = parse(tlm_status_problem_text(&view, "/ready"));
    assert_string_equal(text_at(object, "code"), "token-unavailable");
    assert_string_equal(text_at(object, "detail"), "the TPM is gone");
    json_decref(object);
}

static void notices_are_errors_of_the_status(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_error error;
    (void)tlm_error_set(&error, TLM_ERR_PERMISSION, "chmod", "log not writable");
    (void)tlm_notices_raise(&notices, "log-file", &error);
    tlm_identity_view view = tpm_view();
    json_t *object = status_of(&view, &notices, NULL);
    const json_t *errors = json_object_get(object, "errors");
    assert_int_equal(json_array_size(errors), 1);
    assert_string_equal(text_at(json_array_get(errors, 0), "code"), "log-file");
    assert_string_equal(text_at(json_array_get(errors, 0), "message"), "log not writable");
    assert_non_null(text_at(json_array_get(errors, 0), "since"));
    json_decref(object);
    view.state = TLM_START_IN_USE;
    view.ready = false;
    object = status_of(&view, &notices, NULL);
    assert_int_equal(json_array_size(json_object_get(object, "errors")), 2);
    json_decref(object);
}

static void facts_without_a_tpm(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    json_t *object =
        status_of(&view, &notices, "{\"tpm\":null,\"errors\":[{\"code\":\"tpm-unavailable\"}]}");
    const json_t *tpm = json_object_get(object, "tpm");
    assert_int_equal(json_object_size(tpm), 2);
    assert_int_equal(json_array_size(json_object_get(tpm, "errors")), 1);
    json_decref(object);
}

static void facts_that_are_no_object_give_no_text(void **state)
{
    (void)state;
    tlm_notices notices = {0};
    tlm_identity_view view = tpm_view();
    tlm_status_source source = {.view = &view, .about = &about, .notices = &notices, .facts = "[]"};
    assert_null(tlm_status_text(&source));
}

static void fingerprint_of_a_tpm(void **state)
{
    (void)state;
    tlm_identity_view view = tpm_view();
    json_t *object = parse(tlm_fingerprint_text(&view.fingerprint, true));
    assert_string_equal(text_at(object, "fingerprint"), HEX64);
    assert_string_equal(text_at(object, "kid"), view.fingerprint.kid);
    assert_string_equal(text_at(object, "type"), "tpm");
    assert_true(json_is_true(json_object_get(object, "hardwareBound")));
    assert_string_equal(text_at(object, "publicKey"), pem);
    assert_string_equal(text_at(object, "jwk.kty"), "RSA");
    assert_null(json_object_get(object, "components"));
    json_decref(object);
}

static void fingerprint_of_the_host(void **state)
{
    (void)state;
    tlm_host_component components[2] = {
        {.id = "cpu", .weight = 1, .present = true, .sha256 = HEX64}, {.id = "disk", .weight = 2}};
    tlm_fingerprint fingerprint = {.type = TLM_FINGERPRINT_FALLBACK,
                                   .text = HEX64,
                                   .public_key = pem,
                                   .jwk = jwk,
                                   .components = components,
                                   .component_count = 2};
    json_t *object = parse(tlm_fingerprint_text(&fingerprint, false));
    assert_string_equal(text_at(object, "type"), "fallback");
    const json_t *array = json_object_get(object, "components");
    assert_int_equal(json_array_size(array), 2);
    const json_t *cpu = json_array_get(array, 0);
    const json_t *disk = json_array_get(array, 1);
    assert_string_equal(text_at(cpu, "id"), "cpu");
    assert_string_equal(text_at(cpu, "sha256"), HEX64);
    assert_int_equal(json_integer_value(json_object_get(cpu, "weight")), 1);
    assert_true(json_is_false(json_object_get(disk, "present")));
    assert_true(json_is_null(json_object_get(disk, "sha256")));
    json_decref(object);
}

static void a_damaged_jwk_gives_no_text(void **state)
{
    (void)state;
    char damaged[] = "{\"kty\":";
    tlm_fingerprint fingerprint = {.type = TLM_FINGERPRINT_TPM, .text = HEX64, .jwk = damaged};
    assert_null(tlm_fingerprint_text(&fingerprint, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_on_a_tpm),
        cmocka_unit_test(tls_is_told),
        cmocka_unit_test(licensing_is_told),
        cmocka_unit_test(nothing_known_yet),
        cmocka_unit_test(connected_to_a_simulated_tpm),
        cmocka_unit_test(a_token_that_is_no_tpm),
        cmocka_unit_test(every_degraded_state_says_what_to_do),
        cmocka_unit_test(the_cause_stands_before_the_description),
        cmocka_unit_test(a_token_lost_after_a_good_start),
        cmocka_unit_test(notices_are_errors_of_the_status),
        cmocka_unit_test(facts_without_a_tpm),
        cmocka_unit_test(facts_that_are_no_object_give_no_text),
        cmocka_unit_test(fingerprint_of_a_tpm),
        cmocka_unit_test(fingerprint_of_the_host),
        cmocka_unit_test(a_damaged_jwk_gives_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
