/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An attestation made without any TPM, by keys of this process: what a forger can write. Each of
 * the verifier's checks is met alone, with everything else in order and signed. One that is in
 * order throughout passes as far as a file goes, which is why the challenge is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <tlm/key.h>

#include "../../token-init/src/attestation_private.h"
#include "rsa_keys.h"

#define INSIDE (TLM_WIRE_FIXED_TPM | TLM_WIRE_FIXED_PARENT | TLM_WIRE_SENSITIVE_ORIGIN)
#define FIRMWARE "1.2.3.4"

typedef struct buffer {
    unsigned char data[1024];
    size_t size;
} buffer;

/* Everything that a forger may choose; make() fills in what is in order. */
typedef struct forgery {
    uint32_t ek, ak, srk, attest; /* attributes */
    uint16_t ak_hash;
    uint32_t magic;
    uint16_t type;
    uint32_t hierarchy;
    uint64_t firmware;
    bool wrong_digest;
    bool wrong_key;
    bool swapped_types;
} forgery;

static const forgery good = {.ek = INSIDE | TLM_WIRE_RESTRICTED | TLM_WIRE_DECRYPT,
                             .ak = INSIDE | TLM_WIRE_RESTRICTED | TLM_WIRE_SIGN,
                             .srk = INSIDE | TLM_WIRE_DECRYPT,
                             .attest = INSIDE | TLM_WIRE_SIGN,
                             .ak_hash = TLM_WIRE_ALG_SHA256,
                             .magic = 0xFF544347U,
                             .type = 0x8017U,
                             .hierarchy = 0x4000000BU,
                             .firmware = 0x0001000200030004U};

static EVP_PKEY *rsa;
static EVP_PKEY *ec;
static EVP_PKEY *signer;
static char directory[64];
static char ek_path[96];

static void put(buffer *to, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to->data[to->size++] = (unsigned char)(value >> (8 * (size - 1 - i)));
    }
}

static void put_part(buffer *to, const void *data, size_t size)
{
    put(to, size, 2);
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

/* TPMT_PUBLIC of the key. */
static buffer area_of(EVP_PKEY *key, uint32_t attributes, bool storage, uint16_t scheme_hash)
{
    buffer area = {.size = 0};
    bool is_rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    unsigned char number[256];
    put(&area, is_rsa ? TLM_WIRE_ALG_RSA : TLM_WIRE_ALG_ECC, 2);
    put(&area, TLM_WIRE_ALG_SHA256, 2);
    put(&area, attributes, 4);
    put(&area, 0, 2); /* no policy */
    put(&area, storage ? TLM_WIRE_ALG_AES : TLM_WIRE_ALG_NULL, 2);
    if (storage) {
        put(&area, 128, 2);
        put(&area, TLM_WIRE_ALG_CFB, 2);
    }
    put(&area, scheme_hash != 0 ? TLM_WIRE_ALG_ECDSA : TLM_WIRE_ALG_NULL, 2);
    if (scheme_hash != 0) {
        put(&area, scheme_hash, 2);
    }
    static const char *const names[] = {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y};
    if (is_rsa) {
        put(&area, 2048, 2);
        put(&area, 0, 4);
    } else {
        put(&area, TLM_WIRE_P256, 2);
        put(&area, TLM_WIRE_ALG_NULL, 2);
    }
    for (size_t i = 0; i < (is_rsa ? 1U : 2U); i++) {
        BIGNUM *value = NULL;
        int size = is_rsa ? 256 : 32;
        assert_int_equal(
            EVP_PKEY_get_bn_param(key, is_rsa ? OSSL_PKEY_PARAM_RSA_N : names[i], &value), 1);
        assert_int_equal(BN_bn2binpad(value, number, size), size);
        BN_free(value);
        put_part(&area, number, (size_t)size);
    }
    return area;
}

static void name_of(const buffer *area, unsigned char name[34])
{
    name[0] = 0;
    name[1] = TLM_WIRE_ALG_SHA256;
    (void)SHA256(area->data, area->size, name + 2);
}

static buffer sign(const buffer *text)
{
    buffer made = {.size = 0};
    unsigned char der[80];
    unsigned char number[32];
    size_t size = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer), 1);
    assert_int_equal(EVP_DigestSign(context, der, &size, text->data, text->size), 1);
    EVP_MD_CTX_free(context);
    const unsigned char *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)size);
    put(&made, TLM_WIRE_ALG_ECDSA, 2);
    put(&made, TLM_WIRE_ALG_SHA256, 2);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), number, 32), 32);
    put_part(&made, number, 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), number, 32), 32);
    put_part(&made, number, 32);
    ECDSA_SIG_free(pair);
    return made;
}

static json_t *bytes(const buffer *from)
{
    return tlm_attestation_from_bytes(from->data, from->size);
}

static json_t *key_entry(const forgery *how, json_t *root, const char *label, const buffer *area,
                         const buffer *ak, EVP_PKEY *key)
{
    buffer statement = {.size = 0};
    buffer qualified = {.size = 0};
    unsigned char digest[TLM_ATTEST_DIGEST_SIZE];
    unsigned char name[34];
    char *jwk = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_attestation_digest(root, label, digest, &error), TLM_OK);
    digest[0] ^= how->wrong_digest ? 1U : 0U;
    put(&qualified, how->hierarchy, 4);
    name_of(ak, name);
    memcpy(qualified.data + qualified.size, name, sizeof name);
    qualified.size += sizeof name;
    put(&statement, how->magic, 4);
    put(&statement, how->type, 2);
    name_of(&qualified, name);
    put_part(&statement, name, sizeof name);
    put_part(&statement, digest, sizeof digest);
    put(&statement, 1, 8); /* clock, resetCount, restartCount, safe */
    put(&statement, 0, 4);
    put(&statement, 0, 4);
    put(&statement, 1, 1);
    put(&statement, how->firmware, 8);
    name_of(area, name);
    name[33] ^= how->wrong_key ? 1U : 0U;
    put_part(&statement, name, sizeof name);
    put_part(&statement, name, sizeof name);
    buffer signature = sign(&statement);
    assert_int_equal(tlm_public_to_jwk(key, &jwk, &error), TLM_OK);
    json_t *entry = json_pack("{s:s, s:o, s:o, s:o, s:o}", "label", label, "public", bytes(area),
                              "jwk", json_loads(jwk, 0, NULL), "attest", bytes(&statement),
                              "signature", bytes(&signature));
    free(jwk);
    assert_non_null(entry);
    return entry;
}

/* The file as the forger writes it. */
static char *forge(const forgery *how)
{
    buffer ek = area_of(rsa, how->ek, true, 0);
    buffer ak = area_of(signer, how->ak, false, how->ak_hash);
    EVP_PKEY *first = how->swapped_types ? ec : rsa;
    EVP_PKEY *second = how->swapped_types ? rsa : ec;
    buffer srk = area_of(first, how->srk, false, 0);
    buffer attest = area_of(second, how->attest, false, 0);
    json_t *root =
        json_pack("{s:s, s:i, s:s, s:{s:s, s:s, s:s, s:b}, s:{s:o, s:[]}, s:{s:o}}", "type",
                  TLM_ATTESTATION_TYPE, "version", TLM_ATTESTATION_VERSION, "created", "now", "tpm",
                  "manufacturer", "X", "vendor", "X", "firmware", FIRMWARE, "simulated", 0, "ek",
                  "public", bytes(&ek), "chain", "ak", "public", bytes(&ak));
    assert_non_null(root);
    json_t *keys = json_pack("[o, o]", key_entry(how, root, "tlm-srk", &srk, &ak, first),
                             key_entry(how, root, "tlm-attest", &attest, &ak, second));
    assert_int_equal(json_object_set_new(root, "keys", keys), 0);
    char *text = json_dumps(root, 0);
    json_decref(root);
    assert_non_null(text);
    return text;
}

static void expect(const forgery *how, tlm_result expected, const char *word)
{
    char *text = forge(how);
    tlm_attestation *attestation = NULL;
    tlm_attestation_report report;
    const tlm_attestation_expect trust = {.ek_public = ek_path};
    tlm_error error = {0};
    tlm_result result = tlm_attestation_parse(text, strlen(text), &attestation, &error);
    if (result == TLM_OK) {
        result = tlm_attestation_verify(attestation, &trust, &report, &error);
    }
    if (result != expected || strstr(error.message, word) == NULL) {
        fail_msg("result %d instead of %d, '%s' without '%s'", result, expected, error.message,
                 word);
    }
    tlm_attestation_free(&attestation);
    free(text);
}

static void test_in_order(void **state)
{
    (void)state;
    expect(&good, TLM_OK, "");
}

/* Each attribute that must be set is taken away, and each that must not be is added. */
static void attributes(size_t member, uint32_t needed, uint32_t barred, const char *what)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t mask = 1U << bit;
        if (((needed | barred) & mask) == 0) {
            continue;
        }
        forgery how = good;
        uint32_t value = 0;
        memcpy(&value, (char *)&how + member, sizeof value);
        value ^= mask;
        memcpy((char *)&how + member, &value, sizeof value);
        expect(&how, TLM_ERR_SIGNATURE, what);
        expect(&how, TLM_ERR_SIGNATURE, (needed & mask) != 0 ? "lacks" : "has");
    }
}

static void test_attributes(void **state)
{
    (void)state;
    attributes(offsetof(forgery, ek), INSIDE | TLM_WIRE_RESTRICTED | TLM_WIRE_DECRYPT,
               TLM_WIRE_SIGN, "the endorsement key");
    attributes(offsetof(forgery, ak), INSIDE | TLM_WIRE_RESTRICTED | TLM_WIRE_SIGN,
               TLM_WIRE_DECRYPT, "the attestation key");
    attributes(offsetof(forgery, srk), INSIDE | TLM_WIRE_DECRYPT,
               TLM_WIRE_ENCRYPTED_DUPLICATION | TLM_WIRE_RESTRICTED, "key 'tlm-srk'");
    attributes(offsetof(forgery, attest), INSIDE | TLM_WIRE_SIGN,
               TLM_WIRE_ENCRYPTED_DUPLICATION | TLM_WIRE_RESTRICTED, "key 'tlm-attest'");
}

static void test_statements(void **state)
{
    (void)state;
    forgery how = good;
    how.magic = 0xFF544348U;
    expect(&how, TLM_ERR_SIGNATURE, "0xFF544348");
    how = good;
    how.type = 0x8018U; /* a quote */
    expect(&how, TLM_ERR_FORMAT, "none of TPM2_Certify");
    how = good;
    how.hierarchy = 0x40000007U; /* the null hierarchy */
    expect(&how, TLM_ERR_FOREIGN, "another attestation key");
    how = good;
    how.firmware++;
    expect(&how, TLM_ERR_SIGNATURE, "1.2.3.5");
    how = good;
    how.wrong_digest = true;
    expect(&how, TLM_ERR_SIGNATURE, "changed after");
    how = good;
    how.wrong_key = true;
    expect(&how, TLM_ERR_FOREIGN, "about another key");
    how = good;
    how.swapped_types = true;
    expect(&how, TLM_ERR_FOREIGN, "no RSA key");
    how = good;
    how.ak_hash = 0x000CU; /* SHA-384 */
    expect(&how, TLM_ERR_UNSUPPORTED, "ECDSA with SHA-256");
}

static int make_keys(void **state)
{
    (void)state;
    rsa = tlm_test_rsa(2048);
    ec = EVP_EC_gen("P-256");
    signer = EVP_EC_gen("P-256");
    (void)snprintf(directory, sizeof directory, "/tmp/tlm-forged.XXXXXX");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(ek_path, sizeof ek_path, "%s/ek.pem", directory);
    FILE *file = fopen(ek_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, rsa), 1);
    assert_int_equal(fclose(file), 0);
    return rsa != NULL && ec != NULL && signer != NULL ? 0 : 1;
}

static int clear_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(signer);
    (void)remove(ek_path);
    (void)remove(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_statements),
    };
    return cmocka_run_group_tests(tests, make_keys, clear_keys);
}
