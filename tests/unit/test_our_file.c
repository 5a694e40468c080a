/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "issue_fixture.h"
#include "our_file.h"

static tlm_result parse(const char *text, tlm_our_file_kind *kind, tlm_error *error)
{
    tlm_our_file *file = NULL;
    tlm_result result = tlm_our_file_parse(strdup(text), strlen(text), "file", &file, error);
    assert_true((result == TLM_OK) == (file != NULL));
    if (file != NULL) {
        *kind = file->kind;
    }
    tlm_our_file_free(&file);
    assert_null(file);
    return result;
}

static void is(const char *text, const char *name)
{
    tlm_our_file_kind kind = TLM_FILE_KIND_COUNT;
    tlm_error error = {0};
    if (parse(text, &kind, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    assert_string_equal(tlm_our_file_kind_name(kind), name);
    assert_true(strlen(tlm_our_file_kind_text(kind)) > 5);
}

/* A JWS that is none but for its form. */
static void is_jws(const char *typ, const char *name)
{
    static const tlm_jws_header form = {.alg = "ES256", .kid = "k"};
    tlm_jws_header header = form;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    json_t *claims = json_object();
    char *text = NULL;
    header.typ = typ;
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key, &text, NULL), TLM_OK);
    is(text, name);
    free(text);
    json_decref(claims);
    EVP_PKEY_free(key);
}

static void is_jwe(const char *header, const char *name)
{
    char *encoded = tlm_base64url_encode(header, strlen(header));
    char *text = NULL;
    assert_true(
        asprintf(&text, "\n %s.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA\n", encoded) > 0);
    is(text, name);
    free(text);
    free(encoded);
}

static void is_json(json_t *object, const char *name)
{
    char *text = json_dumps(object, JSON_INDENT(2));
    json_decref(object);
    is(text, name);
    free(text);
}

static void knows_what_is_signed(void **state)
{
    (void)state;
    is_jws("tlm-license+jwt", "license");
    is_jws("tlm-package+jwt", "signed-package");
    is_jws("tlm-revocation+jwt", "revocation");
    is_jws("tlm-root+jwt", "root");
    is_jws("tlm-return+jwt", "jws");
}

static void knows_what_is_encrypted(void **state)
{
    (void)state;
    is_jwe("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"cty\":\"JWT\",\"kid\":\"k\"}",
           "package");
    is_jwe("{\"alg\":\"RSA-OAEP-256\",\"enc\":\"A256GCM\",\"typ\":\"tlm-persistence\"}",
           "persistence");
    is_jwe("{\"alg\":\"x\",\"enc\":\"A256GCM\",\"typ\":\"tlm-vault\"}", "vault");
    is_jwe("{\"alg\":\"x\",\"enc\":\"A256GCM\"}", "jwe");
}

static void knows_what_is_json(void **state)
{
    (void)state;
    is_json(fingerprint_answer("tpm"), "fingerprint");
    is_json(host_request("tpm", 1), "request");
    is("{\"keys\":[]}", "jwks");
    is("{\"statement\":{},\"index\":0,\"path\":[],\"root\":\"x\"}", "statement");
    is("{\"seq\":1,\"prev\":\"\",\"hash\":\"\"}\n{\"anchor\":{}}\n", "audit");
    is("{\"anchor\":{}}", "audit");
    is("{\"vendor\":\"A\",\"customer\":\"B\",\"product\":{\"id\":\"c\"},"
       "\"features\":[{\"id\":\"d\",\"model\":\"perpetual\"}]}",
       "description");
}

static void knows_the_rest(void **state)
{
    (void)state;
    is("vendor: A\ncustomer: B\nproduct: {id: c}\nfeatures: [{id: d, model: perpetual}]\n",
       "description");
    is("-----BEGIN PUBLIC KEY-----\n", "public-key");
    is("-----BEGIN PRIVATE KEY-----\n", "private-key");
    is("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "private-key");
}

static void refuses_others(void **state)
{
    (void)state;
    static const char *const others[] = {"",  " \n", "a.b.c", "a.b.c.d.e", "a.b",
                                         "{", "{}",  "[1]",   "\177ELF",   "{\"keys\":1}"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        tlm_our_file_kind kind = TLM_FILE_KIND_COUNT;
        tlm_error error = {0};
        assert_int_not_equal(parse(others[i], &kind, &error), TLM_OK);
        assert_true(error.message[0] != '\0');
    }
    tlm_our_file_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_is_signed), cmocka_unit_test(knows_what_is_encrypted),
        cmocka_unit_test(knows_what_is_json),   cmocka_unit_test(knows_the_rest),
        cmocka_unit_test(refuses_others),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free_host_key();
    return failed;
}
