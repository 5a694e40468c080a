/* SPDX-License-Identifier: BSD-2-Clause */
#include "vendor.h"
#include "rsa_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/rsa.h>

#include <tlm/jwk.h>
#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/license.h>
#include <tlm/revocation.h>

EVP_PKEY *tlm_test_key(const char *alg)
{
    EVP_PKEY *key = NULL;
    if (strcmp(alg, "ES256") == 0) {
        key = EVP_EC_gen("P-256");
    } else if (strcmp(alg, "ES384") == 0) {
        key = EVP_EC_gen("P-384");
    } else {
        key = tlm_test_rsa(2048);
    }
    assert_non_null(key);
    return key;
}

json_t *tlm_test_trusted(EVP_PKEY *key, const char *alg, const char *kid, const char *iss)
{
    json_t *jwk = NULL;
    assert_int_equal(tlm_jwk_from_public(key, &jwk, NULL), TLM_OK);
    assert_int_equal(json_object_set_new(jwk, "kid", json_string(kid)), 0);
    assert_int_equal(json_object_set_new(jwk, "alg", json_string(alg)), 0);
    assert_int_equal(
        json_object_set_new(jwk, "tlm:use", json_string(iss != NULL ? "vendor" : "issuer")), 0);
    if (iss != NULL) {
        assert_int_equal(json_object_set_new(jwk, "tlm:iss", json_string(iss)), 0);
    }
    return jwk;
}

void tlm_test_vendor_make(tlm_test_vendor *vendor, const char *alg)
{
    tlm_error error = {.result = TLM_OK};
    *vendor = (tlm_test_vendor){
        .alg = alg,
        .vendor = tlm_test_key(alg),
        .issuer = tlm_test_key(alg),
        .vendor_kid = "acme-2026",
        .issuer_kid = "issuer-2026",
    };
    json_t *keys =
        json_pack("{s:[o, o]}", "keys",
                  tlm_test_trusted(vendor->vendor, alg, vendor->vendor_kid, TLM_TEST_VENDOR),
                  tlm_test_trusted(vendor->issuer, alg, vendor->issuer_kid, NULL));
    vendor->jwks = json_dumps(keys, JSON_INDENT(2));
    assert_non_null(vendor->jwks);
    assert_int_equal(tlm_trust_new(&vendor->trust, &error), TLM_OK);
    if (tlm_trust_add(vendor->trust, vendor->jwks, strlen(vendor->jwks), "test", &error) !=
        TLM_OK) {
        fail_msg("%s", error.message);
    }
    json_decref(keys);
}

void tlm_test_vendor_clear(tlm_test_vendor *vendor)
{
    EVP_PKEY_free(vendor->vendor);
    EVP_PKEY_free(vendor->issuer);
    free(vendor->jwks);
    tlm_trust_free(&vendor->trust);
    *vendor = (tlm_test_vendor){.alg = NULL};
}

json_t *tlm_test_license_claims(const char *fingerprint)
{
    json_t *claims = json_pack(
        "{s:s, s:s, s:s, s:i, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:[{s:s, s:s, s:i, s:{s:s}}]}",
        "iss", TLM_TEST_VENDOR, "sub", "Customer Inc.", "jti", TLM_TEST_JTI, "iat", TLM_TEST_ISSUED,
        "product", "id", "editor", "name", "The Editor", "version", "4.2", "binding", "type",
        "token", "fingerprint", fingerprint, "features", "id", "pro", "name", "Professional",
        "seats", 5, "model", "type", "perpetual");
    assert_non_null(claims);
    return claims;
}

json_t *tlm_test_package_claims(const char *fingerprint, char *const licenses[], size_t count)
{
    json_t *containers = json_array();
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_array_append_new(containers, json_string(licenses[i])), 0);
    }
    json_t *claims = json_pack("{s:s, s:s, s:i, s:{s:s}, s:o}", "iss", "Issuer", "jti",
                               TLM_TEST_PACKAGE_JTI, "iat", TLM_TEST_ISSUED, "dest", "fingerprint",
                               fingerprint, "containers", containers);
    assert_non_null(claims);
    return claims;
}

char *tlm_test_sign(EVP_PKEY *key, const char *alg, const char *kid, const char *typ,
                    const json_t *claims)
{
    const tlm_jws_header header = {.alg = alg, .kid = kid, .typ = typ};
    tlm_error error = {.result = TLM_OK};
    char *text = NULL;
    if (tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key, &text, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return text;
}

char *tlm_test_license(const tlm_test_vendor *vendor, const json_t *claims)
{
    return tlm_test_sign(vendor->vendor, vendor->alg, vendor->vendor_kid, TLM_LICENSE_TYP, claims);
}

char *tlm_test_signed_package(const tlm_test_vendor *vendor, const json_t *claims)
{
    return tlm_test_sign(vendor->issuer, vendor->alg, vendor->issuer_kid, TLM_PACKAGE_TYP, claims);
}

char *tlm_test_package(const tlm_test_vendor *vendor, EVP_PKEY *host, const char *fingerprint,
                       char *const licenses[], size_t count)
{
    tlm_error error = {.result = TLM_OK};
    json_t *claims = tlm_test_package_claims(fingerprint, licenses, count);
    char *signed_package = tlm_test_signed_package(vendor, claims);
    char *text = NULL;
    if (tlm_package_seal(signed_package, strlen(signed_package), host, &text, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    free(signed_package);
    json_decref(claims);
    return text;
}

char *tlm_test_revocation(const tlm_test_vendor *vendor, json_int_t serial, const json_t *revoked)
{
    json_t *copy = json_deep_copy(revoked);
    json_t *claims = json_pack("{s:s, s:i, s:I, s:o}", "iss", TLM_TEST_VENDOR, "iat",
                               TLM_TEST_ISSUED, "serial", serial, "revoked", copy);
    assert_non_null(claims);
    char *text =
        tlm_test_sign(vendor->vendor, vendor->alg, vendor->vendor_kid, TLM_REVOCATION_TYP, claims);
    json_decref(claims);
    return text;
}

static tlm_result foreign(const char *kid, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FOREIGN, NULL, "encrypted to the key %s", kid);
}

tlm_result tlm_test_unwrap(void *context, const char *kid, const unsigned char *wrapped,
                           size_t size, tlm_secret **key, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    unsigned char plain[TLM_SIGNATURE_MAX];
    size_t plain_size = sizeof plain;
    assert_int_equal(tlm_public_thumbprint(context, thumbprint, NULL), TLM_OK);
    char *own = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    bool same = strcmp(own, kid) == 0;
    free(own);
    if (!same) {
        return foreign(kid, error);
    }
    EVP_PKEY_CTX *decryption = EVP_PKEY_CTX_new(context, NULL);
    bool done = EVP_PKEY_decrypt_init(decryption) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(decryption, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(decryption, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(decryption, EVP_sha256()) == 1 &&
                EVP_PKEY_decrypt(decryption, plain, &plain_size, wrapped, size) == 1 &&
                plain_size > 0;
    EVP_PKEY_CTX_free(decryption);
    return done ? tlm_secret_from(plain, plain_size, key, error)
                : tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "not encrypted to this key");
}

char *tlm_test_compact(const char *header, const void *payload, size_t size)
{
    static const unsigned char signature[64] = {1};
    char *first = tlm_base64url_encode(header, strlen(header));
    char *second = tlm_base64url_encode(payload, size);
    char *third = tlm_base64url_encode(signature, sizeof signature);
    char *text = NULL;
    assert_true(asprintf(&text, "%s.%s.%s", first, second, third) > 0);
    free(first);
    free(second);
    free(third);
    return text;
}
