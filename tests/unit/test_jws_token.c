/* SPDX-License-Identifier: BSD-2-Clause */
/* Signing with keys that are in a token, as vendors do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/jwk.h>
#include <tlm/jws.h>

#include "token_fixture.h"

static tlm_token_fixture fixture;
static tlm_token *token;

static int make_token(void **state)
{
    (void)state;
    tlm_token_fixture_make(&fixture);
    token = tlm_token_fixture_open(&fixture);
    return 0;
}

static int clear_token(void **state)
{
    (void)state;
    tlm_token_close(&token);
    tlm_token_fixture_clear(&fixture);
    return 0;
}

static void check(tlm_key *key, const char *alg)
{
    const tlm_jws_header header = {.alg = alg, .kid = "k", .typ = "t"};
    tlm_error error = {.result = TLM_OK};
    json_t *claims = json_pack("{s:s}", "iss", "ACME");
    json_t *jwk = NULL;
    char *text = NULL;
    tlm_jws *jws = NULL;
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_token, key, &text, &error), TLM_OK);
    assert_int_equal(tlm_jwk_from_public(tlm_key_public(key), &jwk, &error), TLM_OK);
    assert_int_equal(tlm_jws_parse(text, strlen(text), 4096, &jws, &error), TLM_OK);
    assert_int_equal(tlm_jws_verify(jws, jwk, alg, &error), TLM_OK);
    assert_true(json_equal(tlm_jws_claims(jws), claims));
    tlm_jws_free(&jws);
    json_decref(jwk);
    json_decref(claims);
    free(text);
}

static void signs_with_every_algorithm(void **state)
{
    (void)state;
    tlm_key *p256 = NULL;
    tlm_key *p384 = NULL;
    tlm_key *rsa = NULL;
    tlm_error error = {.result = TLM_OK};
    assert_int_equal(tlm_key_generate_p256(token, "p256", 1, &p256, &error), TLM_OK);
    assert_int_equal(tlm_key_generate_p384(token, "p384", 2, &p384, &error), TLM_OK);
    assert_int_equal(tlm_key_generate_rsa(token, 2048, "rsa", 3, &rsa, &error), TLM_OK);
    check(p256, "ES256");
    check(p384, "ES384");
    check(rsa, "RS256");
    check(rsa, "PS256");
    const tlm_jws_header header = {.alg = "ES256", .kid = "k", .typ = "t"};
    json_t *claims = json_object();
    char *text = NULL;
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_token, p384, &text, &error),
                     TLM_ERR_UNSUPPORTED);
    assert_int_equal(tlm_jws_make(&header, claims, tlm_jws_sign_token, NULL, &text, &error),
                     TLM_ERR_ARGUMENT);
    assert_null(text);
    json_decref(claims);
    tlm_key_free(&rsa);
    tlm_key_free(&p384);
    tlm_key_free(&p256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_with_every_algorithm),
    };
    return cmocka_run_group_tests(tests, make_token, clear_token);
}
