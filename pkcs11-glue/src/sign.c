/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

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

/* Chooses the mechanism and lays the digest out for it. Only what all tokens have is used. */
static tlm_result prepare(sign_request *request, tlm_jwa algorithm,
                          const unsigned char digest[TLM_DIGEST_SIZE], tlm_error *error)
{
    /* DigestInfo of SHA-256 up to the digest, RFC 8017 section 9.2 */
    static const unsigned char digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                                0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                                0x01, 0x05, 0x00, 0x04, 0x20};
    size_t prefix = 0;
    CK_KEY_TYPE type = CKK_RSA;
    switch (algorithm) {
    case TLM_JWA_ES256:
        type = CKK_EC;
        request->mechanism.mechanism = CKM_ECDSA;
        break;
    case TLM_JWA_RS256:
        request->mechanism.mechanism = CKM_RSA_PKCS;
        prefix = sizeof digest_info;
        memcpy(request->input, digest_info, prefix);
        break;
    case TLM_JWA_PS256:
        request->mechanism.mechanism = CKM_RSA_PKCS_PSS;
        request->pss = (CK_RSA_PKCS_PSS_PARAMS){CKM_SHA256, CKG_MGF1_SHA256, TLM_DIGEST_SIZE};
        request->mechanism.pParameter = &request->pss;
        request->mechanism.ulParameterLen = sizeof request->pss;
        break;
    default:
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "unknown signature algorithm %d",
                             (int)algorithm);
    }
    if (request->key->type != type) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "ES256 needs a P-256 key, RS256 and PS256 an RSA key.",
                             "key '%s' does not fit the signature algorithm", request->key->label);
    }
    memcpy(request->input + prefix, digest, TLM_DIGEST_SIZE);
    request->input_size = prefix + TLM_DIGEST_SIZE;
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
    sign_request request = {.key = key, .signature = signature};
    tlm_result result = prepare(&request, algorithm, digest, error);
    if (result == TLM_OK) {
        result = tlm_token_run(key->token, sign, &request, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (request.signature_size != (algorithm == TLM_JWA_ES256 ? 64U : key->size)) {
        return tlm_error_set(error, TLM_ERR_TOKEN, "Find the cause with: tlm-token-init doctor",
                             "key '%s' made a signature of %lu bytes", key->label,
                             request.signature_size);
    }
    *signature_size = request.signature_size;
    return TLM_OK;
}

tlm_result tlm_key_sign(tlm_key *key, tlm_jwa algorithm, const void *data, size_t size,
                        unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    if (key == NULL || (data == NULL && size > 0) || signature == NULL || signature_size == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "signing takes a key, data and room for the signature");
    }
    unsigned char digest[TLM_DIGEST_SIZE];
    tlm_result result = tlm_digest_sha256(data, size, digest, error);
    if (result == TLM_OK) {
        result = tlm_key_sign_digest(key, algorithm, digest, signature, signature_size, error);
    }
    return result;
}
