/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations of the provider: signing, verifying, ciphers, digests, and what a failure does. */
#include <pthread.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "provider_fixture.h"

#define ROOM 512U

static CK_BYTE text[] = "what this host says, in more than one part";
#define TEXT_SIZE ((CK_ULONG)sizeof text)

static CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
static CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};

static CK_MECHANISM plain(CK_MECHANISM_TYPE type)
{
    return (CK_MECHANISM){.mechanism = type};
}

static CK_MECHANISM with_pss(CK_MECHANISM_TYPE type)
{
    return (CK_MECHANISM){type, &pss, sizeof pss};
}

static CK_MECHANISM with_oaep(void)
{
    return (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep};
}

static CK_OBJECT_HANDLE private_rsa(void)
{
    return find_one(CKO_PRIVATE_KEY, "tlm-srk");
}

static CK_OBJECT_HANDLE private_ec(void)
{
    return find_one(CKO_PRIVATE_KEY, "tlm-attest");
}

/* Verifies a PKCS#1 signature over `data` by OpenSSL alone. */
static bool rsa_verifies(const EVP_MD *md, int padding, const void *data, size_t size,
                         const CK_BYTE *signature, size_t signature_size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key = NULL;
    bool good = EVP_DigestVerifyInit(context, &key, md, NULL, rsa_public) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(key, padding) == 1 &&
                EVP_DigestVerify(context, signature, signature_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

static void test_sign_hashed(void **state)
{
    (void)state;
    static const struct {
        CK_MECHANISM_TYPE type;
        const char *md;
    } rows[] = {{CKM_SHA1_RSA_PKCS, "SHA1"},     {CKM_SHA224_RSA_PKCS, "SHA224"},
                {CKM_SHA256_RSA_PKCS, "SHA256"}, {CKM_SHA384_RSA_PKCS, "SHA384"},
                {CKM_SHA512_RSA_PKCS, "SHA512"}, {CKM_SHA256_RSA_PKCS_PSS, "SHA256"}};
    CK_OBJECT_HANDLE key = private_rsa();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CK_BYTE once[ROOM];
        CK_BYTE parts[ROOM];
        CK_ULONG size = ROOM;
        bool is_pss = rows[i].type == CKM_SHA256_RSA_PKCS_PSS;
        int padding = is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
        const EVP_MD *md = EVP_get_digestbyname(rows[i].md);
        CK_MECHANISM mechanism = is_pss ? with_pss(rows[i].type) : plain(rows[i].type);
        assert_rv(p11->C_SignInit(session, &mechanism, key), CKR_OK);
        assert_rv(p11->C_Sign(session, text, TEXT_SIZE, once, &size), CKR_OK);
        assert_int_equal(size, 256);
        assert_true(rsa_verifies(md, padding, text, TEXT_SIZE, once, size));
        assert_rv(p11->C_SignInit(session, &mechanism, key), CKR_OK);
        assert_rv(p11->C_SignUpdate(session, text, 7), CKR_OK);
        assert_rv(p11->C_SignUpdate(session, NULL, 0), CKR_OK);
        assert_rv(p11->C_SignUpdate(session, text + 7, TEXT_SIZE - 7), CKR_OK);
        size = ROOM;
        assert_rv(p11->C_SignFinal(session, parts, &size), CKR_OK);
        assert_true(rsa_verifies(md, padding, text, TEXT_SIZE, parts, size));
        parts[3] ^= 1;
        assert_false(rsa_verifies(md, padding, text, TEXT_SIZE, parts, size));
    }
}

static bool ec_verifies(const CK_BYTE *digest, size_t size, const CK_BYTE *signature)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    unsigned char *der = NULL;
    assert_int_equal(
        ECDSA_SIG_set0(pair, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL)),
        1);
    int length = i2d_ECDSA_SIG(pair, &der);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(ec_public, NULL);
    bool good = length > 0 && EVP_PKEY_verify_init(context) == 1 &&
                EVP_PKEY_verify(context, der, (size_t)length, digest, size) == 1;
    EVP_PKEY_CTX_free(context);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    ERR_clear_error();
    return good;
}

static void test_sign_ecdsa(void **state)
{
    (void)state;
    CK_BYTE digest[64];
    CK_BYTE signature[64];
    CK_ULONG size = sizeof signature;
    CK_MECHANISM mechanism = plain(CKM_ECDSA);
    memset(digest, 0x5a, sizeof digest);
    assert_rv(p11->C_SignInit(session, &mechanism, private_ec()), CKR_OK);
    assert_rv(p11->C_Sign(session, digest, 32, signature, &size), CKR_OK);
    assert_true(ec_verifies(digest, 32, signature));
    /* Of a longer one the leftmost bits count. */
    assert_rv(p11->C_SignInit(session, &mechanism, private_ec()), CKR_OK);
    assert_rv(p11->C_Sign(session, digest, 64, signature, &size), CKR_OK);
    assert_true(ec_verifies(digest, 32, signature));
    digest[0] ^= 1;
    assert_false(ec_verifies(digest, 32, signature));
    assert_rv(p11->C_SignInit(session, &mechanism, private_ec()), CKR_OK);
    assert_rv(p11->C_Sign(session, digest, 0, signature, &size), CKR_DATA_LEN_RANGE);
    assert_rv(p11->C_SignInit(session, &mechanism, private_ec()), CKR_OK);
}

static void test_sign_lengths(void **state)
{
    (void)state;
    CK_BYTE signature[ROOM];
    CK_ULONG size = 0;
    CK_MECHANISM mechanism = plain(CKM_SHA256_RSA_PKCS);
    assert_rv(p11->C_SignInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_Sign(session, text, TEXT_SIZE, NULL, &size), CKR_OK);
    assert_int_equal(size, 256);
    size = 255;
    assert_rv(p11->C_Sign(session, text, TEXT_SIZE, signature, &size), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(size, 256);
    assert_int_equal(calls("C_SignInit"), 0);
    assert_rv(p11->C_Sign(session, text, TEXT_SIZE, signature, &size), CKR_OK);
    assert_rv(p11->C_Sign(session, text, TEXT_SIZE, signature, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(calls("C_SignInit"), 1);
    /* The same of several parts. */
    assert_rv(p11->C_SignInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_SignUpdate(session, text, TEXT_SIZE), CKR_OK);
    size = 1;
    assert_rv(p11->C_SignFinal(session, signature, &size), CKR_BUFFER_TOO_SMALL);
    assert_rv(p11->C_SignFinal(session, NULL, &size), CKR_OK);
    assert_int_equal(size, 256);
    assert_rv(p11->C_SignFinal(session, signature, &size), CKR_OK);
    assert_true(rsa_verifies(EVP_sha256(), RSA_PKCS1_PADDING, text, TEXT_SIZE, signature, size));
}

static void test_sign_data_out_of_range(void **state)
{
    (void)state;
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_ULONG size;
        CK_RV rv;
    } rows[] = {{CKM_RSA_PKCS, 245, CKR_OK},
                {CKM_RSA_PKCS, 246, CKR_DATA_LEN_RANGE},
                {CKM_RSA_X_509, 257, CKR_DATA_LEN_RANGE},
                {CKM_RSA_PKCS_PSS, 31, CKR_DATA_LEN_RANGE},
                {CKM_RSA_PKCS_PSS, 33, CKR_DATA_LEN_RANGE}};
    CK_BYTE data[ROOM] = {0};
    CK_BYTE signature[ROOM];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CK_ULONG size = ROOM;
        CK_MECHANISM mechanism =
            rows[i].type == CKM_RSA_PKCS_PSS ? with_pss(rows[i].type) : plain(rows[i].type);
        assert_rv(p11->C_SignInit(session, &mechanism, private_rsa()), CKR_OK);
        assert_rv(p11->C_Sign(session, data, rows[i].size, signature, &size), rows[i].rv);
        assert_rv(p11->C_Sign(session, data, 1, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
    }
    assert_int_equal(calls("C_Sign"), 1);
}

static void test_sign_init_refusals(void **state)
{
    (void)state;
    CK_RSA_PKCS_PSS_PARAMS other = {CKM_SHA_1, CKG_MGF1_SHA256, 32};
    CK_MECHANISM good = plain(CKM_RSA_PKCS);
    CK_MECHANISM unknown = plain(CKM_ECDSA_SHA256);
    CK_MECHANISM digest = plain(CKM_SHA256);
    CK_MECHANISM ecdsa = plain(CKM_ECDSA);
    CK_MECHANISM needless = {CKM_RSA_PKCS, &other, sizeof other};
    CK_MECHANISM lacking = plain(CKM_RSA_PKCS_PSS);
    CK_MECHANISM mixed = {CKM_SHA256_RSA_PKCS_PSS, &other, sizeof other};
    CK_OBJECT_HANDLE key = private_rsa();
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    assert_rv(p11->C_SignInit(session, NULL, key), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_SignInit(session + 99, &good, key), CKR_SESSION_HANDLE_INVALID);
    assert_rv(p11->C_SignInit(session, &unknown, key), CKR_MECHANISM_INVALID);
    assert_rv(p11->C_SignInit(session, &digest, key), CKR_MECHANISM_INVALID);
    assert_rv(p11->C_SignInit(session, &good, key + 99), CKR_KEY_HANDLE_INVALID);
    assert_rv(p11->C_SignInit(session, &good, 0), CKR_KEY_HANDLE_INVALID);
    assert_rv(p11->C_SignInit(session, &ecdsa, key), CKR_KEY_TYPE_INCONSISTENT);
    assert_rv(p11->C_SignInit(session, &good, public), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(p11->C_SignInit(session, &needless, key), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(p11->C_SignInit(session, &lacking, key), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(p11->C_SignInit(session, &mixed, key), CKR_MECHANISM_PARAM_INVALID);
    assert_rv(p11->C_SignUpdate(session, text, 1), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_SignInit(session, &good, key), CKR_OK);
    assert_rv(p11->C_SignInit(session, &good, key), CKR_OPERATION_ACTIVE);
    assert_rv(p11->C_SignUpdate(session, text, 1), CKR_OK);
    assert_rv(p11->C_Sign(session, text, 1, text, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_SignInit(session, &good, key), CKR_OK);
    assert_int_equal(calls("C_SignInit"), 0);
}

static void test_logout_ends_operations(void **state)
{
    (void)state;
    CK_BYTE signature[ROOM];
    CK_ULONG size = ROOM;
    CK_MECHANISM mechanism = plain(CKM_SHA256_RSA_PKCS);
    CK_OBJECT_HANDLE key = private_rsa();
    assert_rv(p11->C_SignInit(session, &mechanism, key), CKR_OK);
    assert_rv(p11->C_Logout(session), CKR_OK);
    assert_rv(p11->C_Sign(session, text, 1, signature, &size), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_SignInit(session, &mechanism, key), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(calls("C_SignInit"), 0);
}

static void test_user_signs_and_no_more(void **state)
{
    (void)state;
    CK_BYTE signature[64];
    CK_ULONG size = sizeof signature;
    CK_MECHANISM mechanism = plain(CKM_ECDSA);
    assert_rv(p11->C_SignInit(session, &mechanism, private_ec()), CKR_OK);
    assert_rv(p11->C_Sign(session, text, 32, signature, &size), CKR_OK);
    assert_true(ec_verifies(text, 32, signature));
    /* One who may see the key and not sign with it. */
    static const char rules[] =
        "{\"version\": 1, \"rules\": [{\"user\": 1000, \"objects\": [\"*\"],"
        " \"operations\": [\"see\"]}]}";
    tlm_access *seeing = NULL;
    tlm_error error = {0};
    tlm_access *all = access_table;
    assert_int_equal(close_provider(NULL), 0);
    must(tlm_access_parse(rules, strlen(rules), "rules", &seeing, &error), &error);
    access_table = seeing;
    open_as(&user_peer);
    access_table = all;
    assert_rv(p11->C_SignInit(session, &mechanism, private_ec()), CKR_KEY_FUNCTION_NOT_PERMITTED);
    mechanism = plain(CKM_RSA_PKCS);
    assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_rv(p11->C_VerifyInit(session, &mechanism, find_one(CKO_PUBLIC_KEY, "tlm-srk")), CKR_OK);
    assert_int_equal(close_provider(NULL), 0);
    tlm_access_free(&seeing);
    open_as(&user_peer);
}

static void test_verify(void **state)
{
    (void)state;
    CK_BYTE signature[ROOM];
    CK_ULONG size = ROOM;
    CK_MECHANISM mechanism = plain(CKM_SHA256_RSA_PKCS);
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    assert_rv(p11->C_SignInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_Sign(session, text, TEXT_SIZE, signature, &size), CKR_OK);
    assert_rv(p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_Verify(session, text, TEXT_SIZE, signature, size), CKR_OK);
    assert_rv(p11->C_Verify(session, text, TEXT_SIZE, signature, size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_VerifyUpdate(session, text, 5), CKR_OK);
    assert_rv(p11->C_VerifyUpdate(session, text + 5, TEXT_SIZE - 5), CKR_OK);
    assert_rv(p11->C_VerifyFinal(session, signature, size), CKR_OK);
    assert_rv(p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_Verify(session, text, TEXT_SIZE, signature, size - 1),
              CKR_SIGNATURE_LEN_RANGE);
    signature[9] ^= 1;
    assert_rv(p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_Verify(session, text, TEXT_SIZE, signature, size), CKR_SIGNATURE_INVALID);
    signature[9] ^= 1;
    assert_rv(p11->C_VerifyInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_Verify(session, text, TEXT_SIZE - 1, signature, size), CKR_SIGNATURE_INVALID);
    assert_rv(p11->C_VerifyInit(session, &mechanism, private_rsa()),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_int_equal(calls("C_Login"), 0);
}

/* SoftHSM has no OAEP with SHA-256 and no labels: both come from here. */
static void test_decrypt_oaep(void **state)
{
    (void)state;
    CK_BYTE label[] = "label";
    CK_BYTE cipher[ROOM];
    CK_BYTE out[ROOM];
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    for (unsigned labelled = 0; labelled < 2; labelled++) {
        CK_ULONG cipher_size = ROOM;
        CK_ULONG size = 0;
        oaep.pSourceData = labelled ? label : NULL;
        oaep.ulSourceDataLen = labelled ? 5 : 0;
        CK_MECHANISM mechanism = with_oaep();
        assert_rv(p11->C_EncryptInit(session, &mechanism, public), CKR_OK);
        assert_rv(p11->C_Encrypt(session, text, TEXT_SIZE, cipher, &cipher_size), CKR_OK);
        assert_int_equal(cipher_size, 256);
        assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()), CKR_OK);
        assert_rv(p11->C_Decrypt(session, cipher, cipher_size, NULL, &size), CKR_OK);
        assert_true(size >= TEXT_SIZE);
        size = TEXT_SIZE - 1;
        assert_rv(p11->C_Decrypt(session, cipher, cipher_size, out, &size), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(size, TEXT_SIZE);
        assert_rv(p11->C_Decrypt(session, cipher, cipher_size, out, &size), CKR_OK);
        assert_int_equal(size, TEXT_SIZE);
        assert_memory_equal(out, text, TEXT_SIZE);
        oaep.ulSourceDataLen = labelled ? 4 : 0;
        oaep.hashAlg = labelled ? CKM_SHA256 : CKM_SHA384;
        size = ROOM;
        assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()), CKR_OK);
        assert_rv(p11->C_Decrypt(session, cipher, cipher_size, out, &size),
                  CKR_ENCRYPTED_DATA_INVALID);
        oaep = (CK_RSA_PKCS_OAEP_PARAMS){CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0};
    }
}

/* As the daemon does, which encrypts with OpenSSL. */
static void test_decrypt_foreign(void **state)
{
    (void)state;
    CK_BYTE cipher[ROOM];
    CK_BYTE out[ROOM];
    size_t cipher_size = 0;
    CK_ULONG size = ROOM;
    CK_MECHANISM mechanism = with_oaep();
    tlm_error error = {0};
    must(tlm_public_encrypt_oaep(rsa_public, "secret", 6, cipher, &cipher_size, &error), &error);
    assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_DecryptUpdate(session, cipher, 100, out, &size), CKR_OK);
    assert_int_equal(size, 0);
    assert_rv(p11->C_DecryptUpdate(session, cipher + 100, 156, NULL, &size), CKR_OK);
    assert_rv(p11->C_DecryptUpdate(session, cipher + 100, 156, out, &size), CKR_OK);
    size = ROOM;
    assert_rv(p11->C_DecryptFinal(session, out, &size), CKR_OK);
    assert_int_equal(size, 6);
    assert_memory_equal(out, "secret", 6);
}

/* Wrong cipher texts look like a token in trouble; they cost no login and harm nobody. */
static void test_wrong_cipher_text(void **state)
{
    (void)state;
    CK_BYTE cipher[ROOM] = {1, 2, 3};
    CK_BYTE out[ROOM];
    CK_ULONG size = ROOM;
    CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
    tlm_token_fixture_faults(&fixture, "C_Decrypt:1:0x5\n");
    assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_Decrypt(session, cipher, 256, out, &size), CKR_ENCRYPTED_DATA_INVALID);
    assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_Decrypt(session, cipher, 255, out, &size), CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_int_equal(calls("C_Login") + calls("C_Initialize"), 0);
}

static void test_encrypt(void **state)
{
    (void)state;
    CK_BYTE cipher[ROOM];
    CK_BYTE out[ROOM];
    CK_BYTE big[256] = {0};
    CK_ULONG size = 0;
    CK_ULONG room = ROOM;
    CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    assert_rv(p11->C_EncryptInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_Encrypt(session, text, TEXT_SIZE, NULL, &size), CKR_OK);
    assert_int_equal(size, 256);
    assert_rv(p11->C_Encrypt(session, text, TEXT_SIZE, cipher, &size), CKR_OK);
    assert_rv(p11->C_DecryptInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_Decrypt(session, cipher, size, out, &room), CKR_OK);
    assert_int_equal(room, TEXT_SIZE);
    assert_memory_equal(out, text, TEXT_SIZE);
    assert_rv(p11->C_EncryptInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_EncryptUpdate(session, text, 4, cipher, &size), CKR_OK);
    assert_int_equal(size, 0);
    size = 10;
    assert_rv(p11->C_EncryptFinal(session, cipher, &size), CKR_BUFFER_TOO_SMALL);
    assert_rv(p11->C_EncryptFinal(session, cipher, &size), CKR_OK);
    assert_int_equal(size, 256);
    assert_rv(p11->C_EncryptInit(session, &mechanism, public), CKR_OK);
    assert_rv(p11->C_Encrypt(session, big, 246, cipher, &size), CKR_DATA_LEN_RANGE);
    assert_rv(p11->C_EncryptInit(session, &mechanism, private_rsa()),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static void test_collecting_has_a_limit(void **state)
{
    (void)state;
    static CK_BYTE block[65536];
    CK_BYTE out[ROOM];
    CK_ULONG size = ROOM;
    CK_MECHANISM mechanism = plain(CKM_RSA_PKCS);
    assert_rv(p11->C_SignInit(session, &mechanism, private_rsa()), CKR_OK);
    assert_rv(p11->C_SignUpdate(session, block, 65536), CKR_OK);
    assert_rv(p11->C_SignUpdate(session, block, 1), CKR_DATA_LEN_RANGE);
    assert_rv(p11->C_SignFinal(session, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    /* With a hash there is none. */
    mechanism = plain(CKM_SHA256_RSA_PKCS);
    assert_rv(p11->C_SignInit(session, &mechanism, private_rsa()), CKR_OK);
    for (unsigned i = 0; i < 40; i++) {
        assert_rv(p11->C_SignUpdate(session, block, sizeof block), CKR_OK);
    }
    assert_rv(p11->C_SignFinal(session, out, &size), CKR_OK);
}

static void test_digest(void **state)
{
    (void)state;
    CK_BYTE once[64];
    CK_BYTE parts[64];
    CK_BYTE expected[TLM_DIGEST_SIZE];
    CK_ULONG size = 0;
    CK_MECHANISM mechanism = plain(CKM_SHA256);
    CK_MECHANISM wrong = plain(CKM_RSA_PKCS);
    tlm_error error = {0};
    must(tlm_digest_sha256(text, TEXT_SIZE, expected, &error), &error);
    assert_rv(p11->C_DigestUpdate(session, text, 1), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_DigestInit(session, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_DigestInit(session, &wrong), CKR_MECHANISM_INVALID);
    assert_rv(p11->C_DigestInit(session, &mechanism), CKR_OK);
    assert_rv(p11->C_DigestInit(session, &mechanism), CKR_OPERATION_ACTIVE);
    assert_rv(p11->C_Digest(session, text, TEXT_SIZE, NULL, &size), CKR_OK);
    assert_int_equal(size, 32);
    size = 31;
    assert_rv(p11->C_Digest(session, text, TEXT_SIZE, once, &size), CKR_BUFFER_TOO_SMALL);
    assert_rv(p11->C_Digest(session, text, TEXT_SIZE, once, &size), CKR_OK);
    assert_memory_equal(once, expected, 32);
    assert_rv(p11->C_DigestInit(session, &mechanism), CKR_OK);
    assert_rv(p11->C_DigestUpdate(session, text, 9), CKR_OK);
    assert_rv(p11->C_Digest(session, text, 1, parts, &size), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_DigestInit(session, &mechanism), CKR_OK);
    assert_rv(p11->C_DigestUpdate(session, text, 9), CKR_OK);
    assert_rv(p11->C_DigestUpdate(session, text + 9, TEXT_SIZE - 9), CKR_OK);
    size = 64;
    assert_rv(p11->C_DigestFinal(session, parts, &size), CKR_OK);
    assert_int_equal(size, 32);
    assert_memory_equal(parts, expected, 32);
    assert_rv(p11->C_DigestInit(session, &mechanism), CKR_OK);
    assert_rv(p11->C_DigestKey(session, private_rsa()), CKR_KEY_INDIGESTIBLE);
    assert_rv(p11->C_DigestFinal(session, parts, &size), CKR_OPERATION_NOT_INITIALIZED);
}

static void test_random(void **state)
{
    (void)state;
    CK_BYTE data[3000] = {0};
    CK_BYTE same[3000] = {0};
    assert_rv(p11->C_GenerateRandom(session, NULL, 4), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_GenerateRandom(session, NULL, 0), CKR_OK);
    assert_int_equal(calls("C_GenerateRandom"), 0);
    assert_rv(p11->C_GenerateRandom(session, data, sizeof data), CKR_OK);
    assert_int_equal(calls("C_GenerateRandom"), 3);
    assert_memory_not_equal(data + 2048, same, 900);
    assert_rv(p11->C_SeedRandom(session, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_SeedRandom(session, data, 16), CKR_OK);
}

static CK_RV sign_once(CK_OBJECT_HANDLE key)
{
    CK_BYTE signature[64];
    CK_ULONG size = sizeof signature;
    CK_MECHANISM mechanism = plain(CKM_ECDSA);
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);
    if (rv == CKR_OK) {
        rv = p11->C_Sign(session, text, 32, signature, &size);
    }
    if (rv == CKR_OK) {
        assert_true(ec_verifies(text, 32, signature));
    }
    return rv;
}

/* As on a TPM without a free slot: one session cycle, and the client notices nothing. */
static void test_session_cycle_heals(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE key = private_ec();
    tlm_token_fixture_clear_log(&fixture);
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_rv(sign_once(key), CKR_OK);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(calls("C_Initialize"), 0);
    /* It worked in this login, so the next failure is the transport's. */
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5\n");
    assert_rv(sign_once(key), CKR_OK);
    assert_int_equal(calls("C_Initialize"), 1);
    assert_int_equal(tlm_provider_operations(provider), 0);
    assert_rv(sign_once(key), CKR_OK);
    assert_int_equal(tlm_provider_operations(provider), 1);
    assert_int_equal(tlm_provider_busy_ms(provider), 0);
}

static void test_failure_is_told_once(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE key = private_ec();
    tlm_token_fixture_faults(&fixture, "C_Sign:1:0x5:2\n");
    assert_rv(sign_once(key), CKR_DEVICE_ERROR);
    assert_rv(sign_once(key), CKR_OK);
}

static int64_t test_clock_ms;

static int64_t test_clock(void)
{
    return test_clock_ms;
}

static void test_away_and_back(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE key = private_ec();
    CK_ULONG count = 0;
    test_clock_ms = 1000000;
    token->clock = test_clock;
    assert_rv(p11->C_GetMechanismList(TLM_PROVIDER_SLOT, NULL, &count), CKR_OK);
    tlm_token_fixture_faults(&fixture,
                             "C_Sign:1:0x30\nC_Initialize:1:0x30:0\nC_GenerateRandom:1:0x30\n");
    assert_rv(sign_once(key), CKR_DEVICE_ERROR);
    assert_rv(sign_once(key), CKR_DEVICE_ERROR);
    assert_false(tlm_token_available(token));
    tlm_token_fixture_faults(&fixture, "");
    test_clock_ms += 60000;
    assert_rv(sign_once(key), CKR_OK);
}

static void test_restart(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE key = private_ec();
    CK_OBJECT_HANDLE other = private_rsa();
    tlm_error error = {0};
    CK_MECHANISM mechanism = plain(CKM_SHA256_RSA_PKCS);
    CK_BYTE signature[ROOM];
    CK_ULONG size = ROOM;
    assert_rv(p11->C_SignInit(session, &mechanism, other), CKR_OK);
    assert_rv(p11->C_SignUpdate(session, text, 8), CKR_OK);
    tlm_token_fixture_clear_log(&fixture);
    must(tlm_provider_restart_token(provider, &error), &error);
    assert_int_equal(calls("C_Finalize"), 1);
    assert_int_equal(calls("C_Initialize"), 1);
    assert_int_equal(calls("C_Login"), 1);
    assert_int_equal(tlm_provider_operations(provider), 0);
    /* In the middle of an operation nothing is lost. */
    assert_rv(p11->C_SignUpdate(session, text + 8, TEXT_SIZE - 8), CKR_OK);
    assert_rv(p11->C_SignFinal(session, signature, &size), CKR_OK);
    assert_true(rsa_verifies(EVP_sha256(), RSA_PKCS1_PADDING, text, TEXT_SIZE, signature, size));
    assert_rv(sign_once(key), CKR_OK);
    assert_int_equal(private_ec(), key);
    assert_int_equal(private_rsa(), other);
    tlm_token_fixture_faults(&fixture, "C_Initialize:1:0x30\n");
    assert_int_equal(tlm_provider_restart_token(provider, &error), TLM_ERR_TOKEN_UNAVAILABLE);
}

/* Another program destroyed the key: no other takes its place, and it costs one login. */
static void test_vanished_key(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made[2] = {0};
    CK_MECHANISM generate = plain(CKM_EC_KEY_PAIR_GEN);
    CK_BBOOL yes = CK_TRUE;
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_LABEL, tlm_unconst("gone"), 4},
                             {CKA_EC_PARAMS, curve, sizeof curve}};
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_LABEL, tlm_unconst("gone"), 4}};
    assert_rv(p11->C_GenerateKeyPair(session, &generate, public, 3, private, 3, &made[0], &made[1]),
              CKR_OK);
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_LABEL, tlm_unconst("gone"), 4}};
    const CK_FUNCTION_LIST *real = token->module->functions;
    CK_OBJECT_HANDLE behind = 0;
    CK_ULONG count = 0;
    tlm_error error = {0};
    assert_int_equal(find_one(CKO_PRIVATE_KEY, "gone"), made[1]);
    must(tlm_object_find(token, wanted, 2, &behind, 1, &count, &error), &error);
    assert_int_equal(count, 1);
    assert_rv(real->C_DestroyObject(token->session, behind), CKR_OK);
    tlm_token_fixture_clear_log(&fixture);
    assert_rv(sign_once(made[1]), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(calls("C_Login"), 1);
    assert_rv(sign_once(made[1]), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(calls("C_Login"), 1);
    assert_rv(p11->C_DestroyObject(session, made[0]), CKR_OK);
}

#define THREADS 4
#define ROUNDS 40

static void *run_client(void *context)
{
    tlm_client *own = NULL;
    CK_SESSION_HANDLE opened = 0;
    CK_MECHANISM mechanism = plain(CKM_ECDSA);
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_LABEL, tlm_unconst("tlm-attest"), 10}};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;
    unsigned *good = context;
    if (tlm_client_new(provider, &operator_peer, &own, NULL) != TLM_OK) {
        return NULL;
    }
    tlm_client_enter(own);
    if (p11->C_Initialize(NULL) != CKR_OK ||
        p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &opened) != CKR_OK ||
        p11->C_Login(opened, CKU_USER, NULL, 0) != CKR_OK ||
        p11->C_FindObjectsInit(opened, wanted, 2) != CKR_OK ||
        p11->C_FindObjects(opened, &key, 1, &count) != CKR_OK || count != 1) {
        count = 0;
    }
    for (unsigned i = 0; i < ROUNDS && count == 1; i++) {
        CK_BYTE signature[64];
        CK_ULONG size = sizeof signature;
        bool signed_well = p11->C_SignInit(opened, &mechanism, key) == CKR_OK &&
                           p11->C_Sign(opened, text, 32, signature, &size) == CKR_OK &&
                           ec_verifies(text, 32, signature);
        *good += signed_well ? 1U : 0U;
    }
    tlm_client_enter(NULL);
    tlm_client_free(&own);
    return NULL;
}

static void test_clients_side_by_side(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned good[THREADS] = {0};
    tlm_error error = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_client, &good[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        must(tlm_provider_restart_token(provider, &error), &error);
        assert_true(tlm_provider_busy_ms(provider) >= 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(good[i], ROUNDS);
    }
}

#define WITH(name, as) cmocka_unit_test_setup_teardown(name, as, close_provider)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_sign_hashed, open_operator),
        WITH(test_sign_ecdsa, open_operator),
        WITH(test_sign_lengths, open_operator),
        WITH(test_sign_data_out_of_range, open_operator),
        WITH(test_sign_init_refusals, open_operator),
        WITH(test_logout_ends_operations, open_operator),
        WITH(test_user_signs_and_no_more, open_user),
        WITH(test_verify, open_operator),
        WITH(test_decrypt_oaep, open_operator),
        WITH(test_decrypt_foreign, open_operator),
        WITH(test_wrong_cipher_text, open_operator),
        WITH(test_encrypt, open_operator),
        WITH(test_collecting_has_a_limit, open_operator),
        WITH(test_digest, open_operator),
        WITH(test_random, open_operator),
        WITH(test_session_cycle_heals, open_operator),
        WITH(test_failure_is_told_once, open_operator),
        WITH(test_away_and_back, open_operator),
        WITH(test_restart, open_operator),
        WITH(test_vanished_key, open_operator),
        WITH(test_clients_side_by_side, open_operator),
    };
    return cmocka_run_group_tests(tests, make_fixture, clear_fixture);
}
