/* SPDX-License-Identifier: BSD-2-Clause */
#include "issued.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/jws.h>
#include <tlm/key.h>

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    return key;
}

static char *kid_of(EVP_PKEY *key)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    assert_int_equal(tlm_public_thumbprint(key, thumbprint, NULL), TLM_OK);
    char *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    assert_non_null(kid);
    return kid;
}

static json_t *jwk_of(EVP_PKEY *key, const char *kid, const char *use, const char *iss)
{
    char *text = NULL;
    assert_int_equal(tlm_public_to_jwk(key, &text, NULL), TLM_OK);
    json_t *jwk = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(jwk);
    json_object_set_new(jwk, "kid", json_string(kid));
    json_object_set_new(jwk, "alg", json_string("ES256"));
    json_object_set_new(jwk, "tlm:use", json_string(use));
    if (iss != NULL) {
        json_object_set_new(jwk, "tlm:iss", json_string(iss));
    }
    return jwk;
}

char *tlm_issued_jwks(const tlm_issued *issued)
{
    json_t *jwks =
        json_pack("{s:[o, o]}", "keys",
                  jwk_of(issued->vendor_key, issued->vendor_kid, "vendor", issued->vendor),
                  jwk_of(issued->issuer_key, issued->issuer_kid, "issuer", NULL));
    char *text = json_dumps(jwks, JSON_COMPACT);
    json_decref(jwks);
    assert_non_null(text);
    return text;
}

tlm_issued *tlm_issued_new(const char *vendor)
{
    tlm_error error = {0};
    tlm_issued *issued = calloc(1, sizeof *issued);
    assert_non_null(issued);
    issued->vendor = strdup(vendor);
    issued->vendor_key = new_key();
    issued->issuer_key = new_key();
    issued->vendor_kid = kid_of(issued->vendor_key);
    issued->issuer_kid = kid_of(issued->issuer_key);
    assert_int_equal(tlm_trust_new(&issued->trust, &error), TLM_OK);
    char *jwks = tlm_issued_jwks(issued);
    if (tlm_trust_add(issued->trust, jwks, strlen(jwks), "test.jwks", &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(jwks);
    return issued;
}

void tlm_issued_free(tlm_issued **issued)
{
    if (issued == NULL || *issued == NULL) {
        return;
    }
    tlm_issued *gone = *issued;
    *issued = NULL;
    tlm_trust_free(&gone->trust);
    EVP_PKEY_free(gone->vendor_key);
    EVP_PKEY_free(gone->issuer_key);
    free(gone->vendor_kid);
    free(gone->issuer_kid);
    free(gone->vendor);
    free(gone);
}

const char *tlm_issued_jti(unsigned number)
{
    static char texts[8][37];
    static unsigned next;
    char *text = texts[next++ % 8];
    (void)snprintf(text, sizeof texts[0], "%08x-0000-4000-8000-000000000000", number);
    return text;
}

static json_t *load_quoted(const char *text)
{
    char *json = strdup(text);
    assert_non_null(json);
    for (char *c = json; *c != '\0'; c++) {
        if (*c == '\'') {
            *c = '"';
        }
    }
    json_error_t why;
    json_t *value = json_loads(json, 0, &why);
    if (value == NULL) {
        fail_msg("%s: %s", json, why.text);
    }
    free(json);
    return value;
}

json_t *tlm_issued_claims(const tlm_issued *issued, unsigned number, const char *fingerprint,
                          const char *features)
{
    json_t *claims = json_pack("{s:s, s:s, s:s, s:i, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:o}", "iss",
                               issued->vendor, "sub", "customer", "jti", tlm_issued_jti(number),
                               "iat", TLM_ISSUED_AT, "product", "id", "suite", "name", "Suite",
                               "version", "1", "binding", "type", "tpm", "fingerprint", fingerprint,
                               "features", load_quoted(features));
    assert_non_null(claims);
    return claims;
}

static char *sign(const char *kid, const char *typ, EVP_PKEY *key, json_t *claims)
{
    const tlm_jws_header header = {.alg = "ES256", .kid = kid, .typ = typ};
    char *text = NULL;
    tlm_error error = {0};
    if (tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key, &text, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    json_decref(claims);
    return text;
}

char *tlm_issued_license(const tlm_issued *issued, json_t *claims)
{
    return sign(issued->vendor_kid, TLM_LICENSE_TYP, issued->vendor_key, claims);
}

char *tlm_issued_signed(const tlm_issued *issued, const char *fingerprint, char *const *containers,
                        size_t count)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(texts, json_string(containers[i]));
    }
    json_t *claims = json_pack("{s:s, s:s, s:i, s:{s:s}, s:o}", "iss", "reseller", "jti",
                               "99999999-0000-4000-8000-000000000000", "iat", TLM_ISSUED_AT, "dest",
                               "fingerprint", fingerprint, "containers", texts);
    assert_non_null(claims);
    return sign(issued->issuer_kid, TLM_PACKAGE_TYP, issued->issuer_key, claims);
}

tlm_package *tlm_issued_package(const tlm_issued *issued, const char *fingerprint,
                                char *const *containers, size_t count)
{
    char *text = tlm_issued_signed(issued, fingerprint, containers, count);
    tlm_package *package = NULL;
    tlm_error error = {0};
    if (tlm_package_open_signed(text, strlen(text), issued->trust, &package, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(text);
    return package;
}

char *tlm_issued_sealed(const tlm_issued *issued, const char *fingerprint, char *const *containers,
                        size_t count, EVP_PKEY *host)
{
    char *signed_text = tlm_issued_signed(issued, fingerprint, containers, count);
    char *text = NULL;
    tlm_error error = {0};
    if (tlm_package_seal(signed_text, strlen(signed_text), host, &text, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(signed_text);
    return text;
}

char *tlm_issued_list(const tlm_issued *issued, int64_t serial, const unsigned *numbers,
                      size_t count)
{
    json_t *revoked = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(revoked, json_string(tlm_issued_jti(numbers[i])));
    }
    json_t *claims = json_pack("{s:s, s:i, s:I, s:o}", "iss", issued->vendor, "iat", TLM_ISSUED_AT,
                               "serial", (json_int_t)serial, "revoked", revoked);
    assert_non_null(claims);
    return sign(issued->vendor_kid, TLM_REVOCATION_TYP, issued->vendor_key, claims);
}

tlm_revocation *tlm_issued_revocation(const tlm_issued *issued, int64_t serial,
                                      const unsigned *numbers, size_t count)
{
    char *text = tlm_issued_list(issued, serial, numbers, count);
    tlm_revocation *list = NULL;
    tlm_error error = {0};
    if (tlm_revocation_open(text, strlen(text), issued->trust, &list, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(text);
    return list;
}
