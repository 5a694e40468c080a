/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests, signatures, ciphers and random numbers: PKCS#11 v2.40 sections 5.8 to 5.16. */
#include "conformance.h"

#include <string.h>

#define ROOM 1024U
#define NO_HANDLE 987654UL

static CK_BYTE text[] = "a text of more than thirty-two bytes, in parts";
#define TEXT_SIZE ((CK_ULONG)sizeof text)

static CK_MECHANISM sha256 = {.mechanism = CKM_SHA256};
static CK_MECHANISM hashed = {.mechanism = CKM_SHA256_RSA_PKCS};
static CK_MECHANISM pkcs1 = {.mechanism = CKM_RSA_PKCS};
static CK_MECHANISM raw_rsa = {.mechanism = CKM_RSA_X_509};
static CK_MECHANISM ecdsa = {.mechanism = CKM_ECDSA};
static CK_MECHANISM unknown = {.mechanism = 0x7ffffff0UL};
static CK_RSA_PKCS_PSS_PARAMS pss_parameter = {CKM_SHA256, CKG_MGF1_SHA256, 32};
static CK_MECHANISM pss = {CKM_RSA_PKCS_PSS, &pss_parameter, sizeof pss_parameter};
static CK_MECHANISM bare_pss = {.mechanism = CKM_RSA_PKCS_PSS};
static CK_RSA_PKCS_OAEP_PARAMS sha1_parameter = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL,
                                                 0};
static CK_MECHANISM oaep_sha1 = {CKM_RSA_PKCS_OAEP, &sha1_parameter, sizeof sha1_parameter};
static CK_RSA_PKCS_OAEP_PARAMS sha256_parameter = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
                                                   NULL, 0};
static CK_MECHANISM oaep_sha256 = {CKM_RSA_PKCS_OAEP, &sha256_parameter, sizeof sha256_parameter};
static CK_MECHANISM bare_oaep = {.mechanism = CKM_RSA_PKCS_OAEP};

void rows_digest(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE once[64];
    CK_BYTE parts[64];
    CK_ULONG size = 64;
    fresh(at, false, false);
    ROW(at, "C_Digest without C_DigestInit", f->C_Digest(at->session, text, 3, once, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_DigestUpdate without C_DigestInit", f->C_DigestUpdate(at->session, text, 3),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_DigestFinal without C_DigestInit", f->C_DigestFinal(at->session, once, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_DigestInit in no session", f->C_DigestInit(NO_HANDLE, &sha256),
        CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_DigestInit without a mechanism", f->C_DigestInit(at->session, NULL),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_DigestInit with an unknown mechanism", f->C_DigestInit(at->session, &unknown),
        CKR_MECHANISM_INVALID);
    ROW(at, "C_DigestInit with CKM_RSA_PKCS", f->C_DigestInit(at->session, &pkcs1),
        CKR_MECHANISM_INVALID);
    ROW(at, "C_DigestInit", f->C_DigestInit(at->session, &sha256), CKR_OK);
    ROW(at, "C_DigestInit again", f->C_DigestInit(at->session, &sha256), CKR_OPERATION_ACTIVE);
    ROW(at, "C_Digest: the length", f->C_Digest(at->session, text, TEXT_SIZE, NULL, &size), CKR_OK);
    HOLDS(at, "32", size == 32);
    size = 31;
    ROW(at, "C_Digest with too little room", f->C_Digest(at->session, text, TEXT_SIZE, once, &size),
        CKR_BUFFER_TOO_SMALL);
    HOLDS(at, "32 are asked for", size == 32);
    ROW(at, "C_Digest", f->C_Digest(at->session, text, TEXT_SIZE, once, &size), CKR_OK);
    ROW(at, "C_Digest again", f->C_Digest(at->session, text, TEXT_SIZE, once, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    (void)f->C_DigestInit(at->session, &sha256);
    ROW(at, "C_DigestUpdate", f->C_DigestUpdate(at->session, text, 10), CKR_OK);
    ROW(at, "C_DigestUpdate of the rest", f->C_DigestUpdate(at->session, text + 10, TEXT_SIZE - 10),
        CKR_OK);
    ROW(at, "C_DigestFinal: the length", f->C_DigestFinal(at->session, NULL, &size), CKR_OK);
    ROW(at, "C_DigestFinal", f->C_DigestFinal(at->session, parts, &size), CKR_OK);
    HOLDS(at, "the same digest", size == 32 && memcmp(once, parts, 32) == 0);
    ROW(at, "C_DigestFinal again", f->C_DigestFinal(at->session, parts, &size),
        CKR_OPERATION_NOT_INITIALIZED);
}

static void rows_sign_init(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE signature[ROOM];
    CK_ULONG size = ROOM;
    fresh(at, false, true);
    ROW(at, "C_Sign without C_SignInit", f->C_Sign(at->session, text, 3, signature, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_SignUpdate without C_SignInit", f->C_SignUpdate(at->session, text, 3),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_SignFinal without C_SignInit", f->C_SignFinal(at->session, signature, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_SignInit in no session", f->C_SignInit(NO_HANDLE, &hashed, at->rsa_private),
        CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_SignInit without a mechanism", f->C_SignInit(at->session, NULL, at->rsa_private),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_SignInit with an unknown mechanism",
        f->C_SignInit(at->session, &unknown, at->rsa_private), CKR_MECHANISM_INVALID);
    fresh(at, false, true);
    ROW(at, "C_SignInit with CKM_SHA256", f->C_SignInit(at->session, &sha256, at->rsa_private),
        CKR_MECHANISM_INVALID);
    fresh(at, false, true);
    ROW(at, "C_SignInit with no key", f->C_SignInit(at->session, &hashed, NO_HANDLE),
        CKR_KEY_HANDLE_INVALID);
    fresh(at, false, true);
    ROW(at, "C_SignInit with a certificate", f->C_SignInit(at->session, &hashed, at->certificate),
        CKR_KEY_HANDLE_INVALID, CKR_KEY_TYPE_INCONSISTENT);
    fresh(at, false, true);
    ROW(at, "C_SignInit with a public key", f->C_SignInit(at->session, &hashed, at->rsa_public),
        CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_TYPE_INCONSISTENT);
    fresh(at, false, true);
    ROW(at, "C_SignInit of ECDSA with an RSA key",
        f->C_SignInit(at->session, &ecdsa, at->rsa_private), CKR_KEY_TYPE_INCONSISTENT);
    fresh(at, false, true);
    REMOTE_ROW(at, "C_SignInit of PSS without a parameter", CKR_HOST_MEMORY,
               f->C_SignInit(at->session, &bare_pss, at->rsa_private), CKR_MECHANISM_PARAM_INVALID,
               CKR_ARGUMENTS_BAD);
    fresh(at, false, true);
    ROW(at, "C_SignInit", f->C_SignInit(at->session, &hashed, at->rsa_private), CKR_OK);
    ROW(at, "C_SignInit again", f->C_SignInit(at->session, &hashed, at->rsa_private),
        CKR_OPERATION_ACTIVE);
}

static void rows_sign_once(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE signature[ROOM];
    CK_ULONG size = 0;
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &hashed, at->rsa_private);
    ROW(at, "C_Sign: the length", f->C_Sign(at->session, text, TEXT_SIZE, NULL, &size), CKR_OK);
    HOLDS(at, "that of the modulus", size == at->rsa_size);
    size = 10;
    ROW(at, "C_Sign with too little room",
        f->C_Sign(at->session, text, TEXT_SIZE, signature, &size), CKR_BUFFER_TOO_SMALL);
    HOLDS(at, "as much is asked for", size == at->rsa_size);
    ROW(at, "C_Sign", f->C_Sign(at->session, text, TEXT_SIZE, signature, &size), CKR_OK);
    ROW(at, "C_Sign again", f->C_Sign(at->session, text, TEXT_SIZE, signature, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &pkcs1, at->rsa_private);
    size = ROOM;
    static CK_BYTE large[ROOM];
    ROW(at, "C_Sign of PKCS #1 with too much data",
        f->C_Sign(at->session, large, at->rsa_size - 10, signature, &size), CKR_DATA_LEN_RANGE);
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &pss, at->rsa_private);
    ROW(at, "C_Sign of PSS with no whole digest",
        f->C_Sign(at->session, text, 31, signature, &size), CKR_DATA_LEN_RANGE);
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &pss, at->rsa_private);
    size = ROOM;
    ROW(at, "C_Sign of PSS", f->C_Sign(at->session, text, 32, signature, &size), CKR_OK);
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &ecdsa, at->ec_private);
    ROW(at, "C_Sign of ECDSA: the length", f->C_Sign(at->session, text, 32, NULL, &size), CKR_OK);
    HOLDS(at, "64", size == 64);
    ROW(at, "C_Sign of ECDSA", f->C_Sign(at->session, text, 32, signature, &size), CKR_OK);
}

void rows_sign(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE signature[ROOM];
    CK_ULONG size = ROOM;
    rows_sign_init(at);
    rows_sign_once(at);
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &hashed, at->rsa_private);
    ROW(at, "C_SignUpdate", f->C_SignUpdate(at->session, text, 10), CKR_OK);
    ROW(at, "C_Sign in the middle", f->C_Sign(at->session, text, 10, signature, &size),
        CKR_OPERATION_NOT_INITIALIZED, CKR_OPERATION_ACTIVE);
    fresh(at, false, true);
    (void)f->C_SignInit(at->session, &hashed, at->rsa_private);
    (void)f->C_SignUpdate(at->session, text, 10);
    ROW(at, "C_SignUpdate of the rest", f->C_SignUpdate(at->session, text + 10, TEXT_SIZE - 10),
        CKR_OK);
    size = 10;
    ROW(at, "C_SignFinal with too little room", f->C_SignFinal(at->session, signature, &size),
        CKR_BUFFER_TOO_SMALL);
    size = ROOM;
    ROW(at, "C_SignFinal", f->C_SignFinal(at->session, signature, &size), CKR_OK);
    HOLDS(at, "as long as the modulus", size == at->rsa_size);
    ROW(at, "C_SignFinal again", f->C_SignFinal(at->session, signature, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    fresh(at, false, true);
    CK_OBJECT_HANDLE key = at->rsa_private;
    (void)f->C_Logout(at->session);
    ROW(at, "C_SignInit after C_Logout", f->C_SignInit(at->session, &hashed, key),
        CKR_KEY_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN);
}

/* Makes a signature; 0 bytes where that fails. */
static CK_ULONG sign(side *at, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, CK_ULONG size,
                     CK_BYTE *signature)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_ULONG room = ROOM;
    if (f->C_SignInit(at->session, mechanism, key) != CKR_OK ||
        f->C_Sign(at->session, text, size, signature, &room) != CKR_OK) {
        return 0;
    }
    return room;
}

static void rows_verify_init(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE signature[ROOM] = {0};
    fresh(at, false, true);
    ROW(at, "C_Verify without C_VerifyInit",
        f->C_Verify(at->session, text, 3, signature, at->rsa_size), CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_VerifyUpdate without C_VerifyInit", f->C_VerifyUpdate(at->session, text, 3),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_VerifyFinal without C_VerifyInit",
        f->C_VerifyFinal(at->session, signature, at->rsa_size), CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_VerifyInit without a mechanism", f->C_VerifyInit(at->session, NULL, at->rsa_public),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_VerifyInit with an unknown mechanism",
        f->C_VerifyInit(at->session, &unknown, at->rsa_public), CKR_MECHANISM_INVALID);
    fresh(at, false, true);
    ROW(at, "C_VerifyInit with no key", f->C_VerifyInit(at->session, &hashed, NO_HANDLE),
        CKR_KEY_HANDLE_INVALID);
    fresh(at, false, true);
    ROW(at, "C_VerifyInit of ECDSA with an RSA key",
        f->C_VerifyInit(at->session, &ecdsa, at->rsa_public), CKR_KEY_TYPE_INCONSISTENT);
    fresh(at, false, true);
    ROW(at, "C_VerifyInit", f->C_VerifyInit(at->session, &hashed, at->rsa_public), CKR_OK);
    ROW(at, "C_VerifyInit again", f->C_VerifyInit(at->session, &hashed, at->rsa_public),
        CKR_OPERATION_ACTIVE);
}

void rows_verify(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE good[ROOM] = {0};
    CK_BYTE bad[ROOM];
    CK_BYTE ec[ROOM] = {0};
    rows_verify_init(at);
    fresh(at, false, true);
    CK_ULONG size = sign(at, &hashed, at->rsa_private, TEXT_SIZE, good);
    memcpy(bad, good, ROOM);
    bad[20] ^= 1;
    (void)f->C_VerifyInit(at->session, &hashed, at->rsa_public);
    ROW(at, "C_Verify", f->C_Verify(at->session, text, TEXT_SIZE, good, size), CKR_OK);
    ROW(at, "C_Verify again", f->C_Verify(at->session, text, TEXT_SIZE, good, size),
        CKR_OPERATION_NOT_INITIALIZED);
    (void)f->C_VerifyInit(at->session, &hashed, at->rsa_public);
    ROW(at, "C_Verify of a changed signature", f->C_Verify(at->session, text, TEXT_SIZE, bad, size),
        CKR_SIGNATURE_INVALID);
    fresh(at, false, true);
    (void)f->C_VerifyInit(at->session, &hashed, at->rsa_public);
    ROW(at, "C_Verify of a changed text", f->C_Verify(at->session, text, TEXT_SIZE - 1, good, size),
        CKR_SIGNATURE_INVALID);
    fresh(at, false, true);
    (void)f->C_VerifyInit(at->session, &hashed, at->rsa_public);
    ROW(at, "C_Verify of a short signature",
        f->C_Verify(at->session, text, TEXT_SIZE, good, size - 1), CKR_SIGNATURE_LEN_RANGE);
    fresh(at, false, true);
    (void)f->C_VerifyInit(at->session, &hashed, at->rsa_public);
    (void)f->C_VerifyUpdate(at->session, text, 10);
    ROW(at, "C_VerifyUpdate", f->C_VerifyUpdate(at->session, text + 10, TEXT_SIZE - 10), CKR_OK);
    ROW(at, "C_VerifyFinal", f->C_VerifyFinal(at->session, good, size), CKR_OK);
    ROW(at, "C_VerifyFinal again", f->C_VerifyFinal(at->session, good, size),
        CKR_OPERATION_NOT_INITIALIZED);
    fresh(at, false, true);
    size = sign(at, &pss, at->rsa_private, 32, good);
    (void)f->C_VerifyInit(at->session, &pss, at->rsa_public);
    ROW(at, "C_Verify of PSS", f->C_Verify(at->session, text, 32, good, size), CKR_OK);
    fresh(at, false, true);
    size = sign(at, &ecdsa, at->ec_private, 32, ec);
    (void)f->C_VerifyInit(at->session, &ecdsa, at->ec_public);
    ROW(at, "C_Verify of ECDSA", f->C_Verify(at->session, text, 32, ec, size), CKR_OK);
    (void)f->C_VerifyInit(at->session, &ecdsa, at->ec_public);
    ec[5] ^= 1;
    ROW(at, "C_Verify of a changed ECDSA signature", f->C_Verify(at->session, text, 32, ec, size),
        CKR_SIGNATURE_INVALID);
}

void rows_encrypt(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE cipher[ROOM];
    CK_BYTE large[ROOM] = {0};
    CK_ULONG size = ROOM;
    fresh(at, false, true);
    ROW(at, "C_Encrypt without C_EncryptInit", f->C_Encrypt(at->session, text, 3, cipher, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_EncryptUpdate without C_EncryptInit",
        f->C_EncryptUpdate(at->session, text, 3, cipher, &size), CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_EncryptInit without a mechanism",
        f->C_EncryptInit(at->session, NULL, at->rsa_public), CKR_ARGUMENTS_BAD);
    ROW(at, "C_EncryptInit with an unknown mechanism",
        f->C_EncryptInit(at->session, &unknown, at->rsa_public), CKR_MECHANISM_INVALID);
    fresh(at, false, true);
    ROW(at, "C_EncryptInit with no key", f->C_EncryptInit(at->session, &pkcs1, NO_HANDLE),
        CKR_KEY_HANDLE_INVALID);
    fresh(at, false, true);
    ROW(at, "C_EncryptInit with an EC key", f->C_EncryptInit(at->session, &pkcs1, at->ec_public),
        CKR_KEY_TYPE_INCONSISTENT);
    fresh(at, false, true);
    REMOTE_ROW(at, "C_EncryptInit of OAEP without a parameter", CKR_HOST_MEMORY,
               f->C_EncryptInit(at->session, &bare_oaep, at->rsa_public),
               CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
    fresh(at, false, true);
    ROW(at, "C_EncryptInit", f->C_EncryptInit(at->session, &pkcs1, at->rsa_public), CKR_OK);
    ROW(at, "C_EncryptInit again", f->C_EncryptInit(at->session, &pkcs1, at->rsa_public),
        CKR_OPERATION_ACTIVE);
    ROW(at, "C_Encrypt: the length", f->C_Encrypt(at->session, text, TEXT_SIZE, NULL, &size),
        CKR_OK);
    HOLDS(at, "that of the modulus", size == at->rsa_size);
    size = 10;
    ROW(at, "C_Encrypt with too little room",
        f->C_Encrypt(at->session, text, TEXT_SIZE, cipher, &size), CKR_BUFFER_TOO_SMALL);
    size = ROOM;
    ROW(at, "C_Encrypt", f->C_Encrypt(at->session, text, TEXT_SIZE, cipher, &size), CKR_OK);
    HOLDS(at, "as long as the modulus", size == at->rsa_size);
    ROW(at, "C_Encrypt again", f->C_Encrypt(at->session, text, TEXT_SIZE, cipher, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    fresh(at, false, true);
    (void)f->C_EncryptInit(at->session, &pkcs1, at->rsa_public);
    size = ROOM;
    ROW(at, "C_Encrypt of too much data",
        f->C_Encrypt(at->session, large, at->rsa_size - 10, cipher, &size), CKR_DATA_LEN_RANGE);
}

/* Encrypts and decrypts; names of rows are the caller's. */
static void rows_round(side *at, CK_MECHANISM *mechanism, const char *encrypting,
                       const char *decrypting, const char *same)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE cipher[ROOM];
    CK_BYTE plain[ROOM];
    CK_ULONG size = at->rsa_size;
    CK_ULONG room = ROOM;
    fresh(at, false, true);
    CK_RV rv = f->C_EncryptInit(at->session, mechanism, at->rsa_public);
    ROW(at, encrypting,
        rv == CKR_OK ? f->C_Encrypt(at->session, text, TEXT_SIZE, cipher, &size) : rv, CKR_OK);
    rv = f->C_DecryptInit(at->session, mechanism, at->rsa_private);
    ROW(at, decrypting,
        rv == CKR_OK ? f->C_Decrypt(at->session, cipher, at->rsa_size, plain, &room) : rv, CKR_OK);
    HOLDS(at, same, room == TEXT_SIZE && memcmp(plain, text, TEXT_SIZE) == 0);
}

void rows_decrypt(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE cipher[ROOM] = {1, 2, 3};
    CK_BYTE plain[ROOM];
    CK_ULONG size = ROOM;
    fresh(at, false, true);
    ROW(at, "C_Decrypt without C_DecryptInit",
        f->C_Decrypt(at->session, cipher, at->rsa_size, plain, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_DecryptFinal without C_DecryptInit", f->C_DecryptFinal(at->session, plain, &size),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_DecryptInit without a mechanism",
        f->C_DecryptInit(at->session, NULL, at->rsa_private), CKR_ARGUMENTS_BAD);
    ROW(at, "C_DecryptInit with an unknown mechanism",
        f->C_DecryptInit(at->session, &unknown, at->rsa_private), CKR_MECHANISM_INVALID);
    fresh(at, false, true);
    ROW(at, "C_DecryptInit with no key", f->C_DecryptInit(at->session, &pkcs1, NO_HANDLE),
        CKR_KEY_HANDLE_INVALID);
    fresh(at, false, true);
    ROW(at, "C_DecryptInit with an EC key", f->C_DecryptInit(at->session, &pkcs1, at->ec_private),
        CKR_KEY_TYPE_INCONSISTENT);
    fresh(at, false, true);
    ROW(at, "C_DecryptInit", f->C_DecryptInit(at->session, &pkcs1, at->rsa_private), CKR_OK);
    ROW(at, "C_DecryptInit again", f->C_DecryptInit(at->session, &pkcs1, at->rsa_private),
        CKR_OPERATION_ACTIVE);
    ROW(at, "C_Decrypt: the length", f->C_Decrypt(at->session, cipher, at->rsa_size, NULL, &size),
        CKR_OK);
    HOLDS(at, "at most that of the modulus", size <= at->rsa_size && size > 0);
    size = ROOM;
    ROW(at, "C_Decrypt of a short cipher text",
        f->C_Decrypt(at->session, cipher, at->rsa_size - 1, plain, &size),
        CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID);
    fresh(at, false, true);
    (void)f->C_DecryptInit(at->session, &oaep_sha1, at->rsa_private);
    ROW(at, "C_Decrypt of a wrong cipher text",
        f->C_Decrypt(at->session, cipher, at->rsa_size, plain, &size), CKR_ENCRYPTED_DATA_INVALID,
        CKR_ENCRYPTED_DATA_LEN_RANGE);
    ROW(at, "C_DecryptInit after it", f->C_DecryptInit(at->session, &pkcs1, at->rsa_private),
        CKR_OK);
    rows_round(at, &pkcs1, "C_Encrypt of PKCS #1", "C_Decrypt of PKCS #1", "the same text");
    rows_round(at, &oaep_sha1, "C_Encrypt of OAEP with SHA-1", "C_Decrypt of OAEP with SHA-1",
               "the same text");
    rows_round(at, &oaep_sha256, "C_Encrypt of OAEP with SHA-256", "C_Decrypt of OAEP with SHA-256",
               "the same text");
    fresh(at, false, true);
    (void)f->C_EncryptInit(at->session, &raw_rsa, at->rsa_public);
    size = at->rsa_size;
    CK_BYTE block[ROOM] = {0, 7, 7, 7};
    ROW(at, "C_Encrypt of raw RSA", f->C_Encrypt(at->session, block, at->rsa_size, cipher, &size),
        CKR_OK);
    (void)f->C_DecryptInit(at->session, &raw_rsa, at->rsa_private);
    size = ROOM;
    ROW(at, "C_Decrypt of raw RSA", f->C_Decrypt(at->session, cipher, at->rsa_size, plain, &size),
        CKR_OK);
    HOLDS(at, "the same block", size == at->rsa_size && memcmp(plain, block, at->rsa_size) == 0);
}

void rows_random(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE first[64] = {0};
    CK_BYTE second[64] = {0};
    fresh(at, false, false);
    ROW(at, "C_GenerateRandom in no session", f->C_GenerateRandom(NO_HANDLE, first, 64),
        CKR_SESSION_HANDLE_INVALID);
    REMOTE_ROW(at, "C_GenerateRandom without room", CKR_OK,
               f->C_GenerateRandom(at->session, NULL, 64), CKR_ARGUMENTS_BAD);
    ROW(at, "C_GenerateRandom", f->C_GenerateRandom(at->session, first, 64), CKR_OK);
    (void)f->C_GenerateRandom(at->session, second, 64);
    HOLDS(at, "never twice the same", memcmp(first, second, 64) != 0);
    ROW(at, "C_SeedRandom in no session", f->C_SeedRandom(NO_HANDLE, first, 16),
        CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_SeedRandom without a seed", f->C_SeedRandom(at->session, NULL, 16),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_SeedRandom", f->C_SeedRandom(at->session, first, 16), CKR_OK,
        CKR_RANDOM_SEED_NOT_SUPPORTED);
}
