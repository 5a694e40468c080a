/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

typedef struct decrypt_request {
    tlm_key *key;
    const unsigned char *cipher;
    tlm_secret *block; /* the modulus' length */
    size_t plain_size;
} decrypt_request;

static tlm_result wrong_cipher(const tlm_key *key, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_CRYPTO,
                         "The data was encrypted to another key, or it was changed.",
                         "key '%s' cannot decrypt the data", key->label);
}

static tlm_result call_decrypt(tlm_token *token, const decrypt_request *request, CK_ULONG *size,
                               tlm_error *error)
{
    CK_BYTE *cipher = tlm_unconst(request->cipher);
    *size = tlm_secret_size(request->block);
    CK_RV rv = token->module->functions->C_Decrypt(token->session, cipher, request->key->size,
                                                   tlm_secret_data(request->block), size);
    if (rv != CKR_OK) {
        /* tpm2-pkcs11 leaves the operation active after a failure. */
        token->state = TLM_SESSION_ACTIVE;
        return tlm_error_set_rv(error, rv, "C_Decrypt", "with key '%s'", request->key->label);
    }
    tlm_key_note(request->key, CKR_OK);
    if (*size > tlm_secret_size(request->block)) {
        return tlm_error_set(error, TLM_ERR_TOKEN, "Find the cause with: tlm-token-init doctor",
                             "C_Decrypt with key '%s' gave %lu bytes", request->key->label, *size);
    }
    return TLM_OK;
}

/* CKR_OK, or why the token cannot do OAEP with SHA-256 by itself. */
static CK_RV init_native(tlm_token *token, const tlm_key *key)
{
    CK_RSA_PKCS_OAEP_PARAMS oaep = {
        .hashAlg = CKM_SHA256, .mgf = CKG_MGF1_SHA256, .source = CKZ_DATA_SPECIFIED};
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep};
    return token->module->functions->C_DecryptInit(token->session, &mechanism, key->handle);
}

static bool is_refusal(CK_RV rv)
{
    return rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_INVALID ||
           rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_FUNCTION_NOT_SUPPORTED;
}

/* Removes the padding in constant time, in place. */
static tlm_result unpad(decrypt_request *request, CK_ULONG raw_size, tlm_error *error)
{
    unsigned char *block = tlm_secret_data(request->block);
    size_t size = tlm_secret_size(request->block);
    /* Some tokens leave leading zero bytes out. The length comes with the value: move it back. */
    memmove(block + (size - raw_size), block, raw_size);
    memset(block, 0, size - raw_size);
    tlm_secret *plain = NULL;
    tlm_result result = tlm_secret_new(size, &plain, error);
    if (result != TLM_OK) {
        return result;
    }
    /* Deprecated with the RSA_* calls, and still the only constant-time OAEP check in OpenSSL. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    int length =
        RSA_padding_check_PKCS1_OAEP_mgf1(tlm_secret_data(plain), (int)size, block, (int)size,
                                          (int)size, NULL, 0, EVP_sha256(), EVP_sha256());
#pragma GCC diagnostic pop
    ERR_clear_error();
    memcpy(block, tlm_secret_bytes(plain), size);
    tlm_secret_free(&plain);
    if (length < 0) {
        return wrong_cipher(request->key, error);
    }
    request->plain_size = (size_t)length;
    return TLM_OK;
}

static tlm_result decrypt_raw(tlm_token *token, decrypt_request *request, tlm_error *error)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_X_509};
    CK_ULONG size = 0;
    CK_RV rv =
        token->module->functions->C_DecryptInit(token->session, &mechanism, request->key->handle);
    if (rv != CKR_OK) {
        tlm_key_note(request->key, rv);
        return tlm_error_set_rv(error, rv, "C_DecryptInit", "with key '%s', CKM_RSA_X_509",
                                request->key->label);
    }
    tlm_result result = call_decrypt(token, request, &size, error);
    return result == TLM_OK ? unpad(request, size, error) : result;
}

static tlm_result decrypt_once(tlm_token *token, decrypt_request *request, tlm_error *error)
{
    tlm_result result = tlm_key_resolve(request->key, error);
    if (result != TLM_OK) {
        return result;
    }
    if (token->oaep == TLM_OAEP_RAW) {
        return decrypt_raw(token, request, error);
    }
    CK_RV rv = init_native(token, request->key);
    if (token->oaep == TLM_OAEP_UNKNOWN && is_refusal(rv)) {
        token->oaep = TLM_OAEP_RAW;
        return decrypt_raw(token, request, error);
    }
    if (rv != CKR_OK) {
        tlm_key_note(request->key, rv);
        return tlm_error_set_rv(error, rv, "C_DecryptInit", "with key '%s', CKM_RSA_PKCS_OAEP",
                                request->key->label);
    }
    CK_ULONG size = 0;
    result = call_decrypt(token, request, &size, error);
    if (result == TLM_OK) {
        token->oaep = TLM_OAEP_NATIVE;
        request->plain_size = size;
    }
    return result;
}

bool tlm_key_works(tlm_token *token, tlm_key *key)
{
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t cipher_size = 0;
    decrypt_request request = {.key = key, .cipher = cipher};
    tlm_error ignored = {0};
    if (tlm_session_exchange(token, &ignored) != TLM_OK ||
        tlm_public_encrypt_oaep(key->public, "tlm", 3, cipher, &cipher_size, &ignored) != TLM_OK ||
        tlm_secret_new(key->size, &request.block, &ignored) != TLM_OK) {
        return false;
    }
    bool works = decrypt_once(token, &request, &ignored) == TLM_OK && request.plain_size == 3 &&
                 memcmp(tlm_secret_bytes(request.block), "tlm", 3) == 0;
    tlm_secret_free(&request.block);
    return works;
}

static tlm_result decrypt(tlm_token *token, void *context, tlm_error *error)
{
    decrypt_request *request = context;
    tlm_result result = decrypt_once(token, request, error);
    if (result == TLM_OK) {
        return result;
    }
    if (result == TLM_ERR_CRYPTO) {
        return wrong_cipher(request->key, error); /* one message, whatever the token said */
    }
    bool failed_late = token->state == TLM_SESSION_ACTIVE;
    if (failed_late && tlm_key_works(token, request->key)) {
        return wrong_cipher(request->key, error);
    }
    if (failed_late && error->domain == TLM_DOMAIN_PKCS11) {
        tlm_key_note(request->key, (CK_RV)error->native);
    }
    return result;
}

/* RFC 8017 section 5.1.2: a cipher text is a number below the modulus. Both are public. */
static bool fits_modulus(const tlm_key *key, const unsigned char *cipher, size_t size)
{
    BIGNUM *modulus = NULL;
    BIGNUM *number = BN_bin2bn(cipher, (int)size, NULL);
    bool fits = number != NULL &&
                EVP_PKEY_get_bn_param(key->public, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1 &&
                BN_cmp(number, modulus) < 0;
    BN_free(modulus);
    BN_free(number);
    return fits;
}

tlm_result tlm_key_decrypt_oaep(tlm_key *key, const void *cipher, size_t size, tlm_secret **plain,
                                tlm_error *error)
{
    if (key == NULL || cipher == NULL || plain == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "decrypting takes a key and data");
    }
    if (key->type != CKK_RSA) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Use an RSA key, for example tlm-srk.",
                             "key '%s' cannot decrypt: it is no RSA key", key->label);
    }
    if (size != key->size || !fits_modulus(key, cipher, size)) {
        return wrong_cipher(key, error);
    }
    decrypt_request request = {.key = key, .cipher = cipher};
    tlm_result result = tlm_secret_new(key->size, &request.block, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_token_run(key->token, decrypt, &request, error);
    if (result == TLM_OK && request.plain_size == 0) {
        result = wrong_cipher(key, error); /* nobody encrypts nothing, and no secret holds it */
    }
    if (result != TLM_OK) {
        tlm_secret_free(&request.block);
        return result;
    }
    tlm_secret_shrink(request.block, request.plain_size);
    *plain = request.block;
    return TLM_OK;
}
