/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

#define SHA384_SIZE 48U

typedef struct sign_request {
    tlm_key *key;
    CK_MECHANISM mechanism;
    CK_RSA_PKCS_PSS_PARAMS pss;
    unsigned char input[64]; /* digest, for RS256 within a DigestInfo */
    CK_ULONG input_size;
    unsigned char *signature;
    CK_ULONG signature_size;
} sign_request;

static tlm_result sign(tlm_token *token, void *context, tlm_error *error)
{
    sign_request *request = context;
    const CK_FUNCTION_LIST *functions = token->module->functions;
    tlm_result result = tlm_key_resolve(request->key, error);
    if (result != TLM_OK) {
        return result;
    }
    CK_RV rv = functions->C_SignInit(token->session, &request->mechanism, request->key->handle);
    if (rv != CKR_OK) {
        tlm_key_note(request->key, rv);
        return tlm_error_set_rv(error, rv, "C_SignInit", "with key '%s', %s", request->key->label,
                                tlm_pkcs11_mechanism_name(request->mechanism.mechanism));
    }
    request->signature_size = TLM_SIGNATURE_MAX;
    rv = functions->C_Sign(token->session, request->input, request->input_size, request->signature,
                           &request->signature_size);
    tlm_key_note(request->key, rv);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_Sign", "with key '%s'", request->key->label);
    }
    return TLM_OK;
}

/* What an algorithm asks of key and digest. */
static const struct {
    CK_KEY_TYPE type;
    size_t key_size; /* bytes of a coordinate; 0: any RSA key */
    size_t digest_size;
} needs[] = {
    [TLM_JWA_ES256] = {CKK_EC, 32, TLM_DIGEST_SIZE},
    [TLM_JWA_ES384] = {CKK_EC, 48, SHA384_SIZE},
    [TLM_JWA_RS256] = {CKK_RSA, 0, TLM_DIGEST_SIZE},
    [TLM_JWA_PS256] = {CKK_RSA, 0, TLM_DIGEST_SIZE},
};

static tlm_result check_key(const tlm_key *key, tlm_jwa algorithm, tlm_error *error)
{
    if ((unsigned)algorithm >= sizeof needs / sizeof needs[0]) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "unknown signature algorithm %d",
                             (int)algorithm);
    }
    if (key->type != needs[algorithm].type ||
        (needs[algorithm].key_size != 0 && key->size != needs[algorithm].key_size)) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "ES256 needs a P-256 key, ES384 a P-384 key, RS256 and PS256 an RSA "
                             "key.",
                             "key '%s' does not fit the signature algorithm", key->label);
    }
    return TLM_OK;
}

/* Chooses the mechanism and lays the digest out for it. Only what all tokens have is used. */
static void prepare(sign_request *request, tlm_jwa algorithm, const unsigned char *digest,
                    size_t digest_size)
{
    /* DigestInfo of SHA-256 up to the digest, RFC 8017 section 9.2 */
    static const unsigned char digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                                0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                                0x01, 0x05, 0x00, 0x04, 0x20};
    size_t prefix = 0;
    request->mechanism.mechanism = CKM_ECDSA;
    if (algorithm == TLM_JWA_RS256) {
        request->mechanism.mechanism = CKM_RSA_PKCS;
        prefix = sizeof digest_info;
        memcpy(request->input, digest_info, prefix);
    } else if (algorithm == TLM_JWA_PS256) {
        request->mechanism.mechanism = CKM_RSA_PKCS_PSS;
        request->pss = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA256, CKG_MGF1_SHA256, TLM_DIGEST_SIZE};
        request->mechanism.pParameter = &request->pss;
        request->mechanism.ulParameterLen = sizeof request->pss;
    }
    memcpy(request->input + prefix, digest, digest_size);
    request->input_size = prefix + digest_size;
}

static tlm_result sign_digest(tlm_key *key, tlm_jwa algorithm, const unsigned char *digest,
                              unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    sign_request request = {.key = key, .signature = signature};
    prepare(&request, algorithm, digest, needs[algorithm].digest_size);
    tlm_result result = tlm_token_run(key->token, sign, &request, error);
    if (result != TLM_OK) {
        return result;
    }
    if (request.signature_size != (key->type == CKK_EC ? 2 * key->size : key->size)) {
        return tlm_error_set(error, TLM_ERR_TOKEN, "Find the cause with: tlm-token-init doctor",
                             "key '%s' made a signature of %lu bytes", key->label,
                             request.signature_size);
    }
    *signature_size = request.signature_size;
    return TLM_OK;
}

tlm_result tlm_key_sign_digest(tlm_key *key, tlm_jwa algorithm,
                               const unsigned char digest[TLM_DIGEST_SIZE],
                               unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    if (key == NULL || digest == NULL || signature == NULL || signature_size == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "signing takes a key, a digest and room for the signature");
    }
    if (algorithm == TLM_JWA_ES384) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Give the data: tlm_key_sign.",
                             "ES384 does not sign a digest of SHA-256");
    }
    tlm_result result = check_key(key, algorithm, error);
    if (result == TLM_OK) {
        result = sign_digest(key, algorithm, digest, signature, signature_size, error);
    }
    return result;
}

tlm_result tlm_key_sign(tlm_key *key, tlm_jwa algorithm, const void *data, size_t size,
                        unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    if (key == NULL || (data == NULL && size > 0) || signature == NULL || signature_size == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "signing takes a key, data and room for the signature");
    }
    tlm_result result = check_key(key, algorithm, error);
    if (result != TLM_OK) {
        return result;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = sizeof digest;
    const EVP_MD *hash = algorithm == TLM_JWA_ES384 ? EVP_sha384() : EVP_sha256();
    if (EVP_Digest(data != NULL ? data : "", size, digest, &length, hash, NULL) != 1) {
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "hashing what is to be signed");
    }
    return sign_digest(key, algorithm, digest, signature, signature_size, error);
}
