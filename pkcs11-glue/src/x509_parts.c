/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/x509v3.h>

X509_ALGOR *tlm_x509_algorithm(EVP_PKEY *public)
{
    bool rsa = EVP_PKEY_is_a(public, "RSA") == 1;
    X509_ALGOR *algorithm = X509_ALGOR_new();
    if (algorithm != NULL &&
        X509_ALGOR_set0(algorithm,
                        OBJ_nid2obj(rsa ? NID_sha256WithRSAEncryption : NID_ecdsa_with_SHA256),
                        rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) != 1) {
        X509_ALGOR_free(algorithm);
        algorithm = NULL;
    }
    return algorithm;
}

static bool push_extension(STACK_OF(X509_EXTENSION) * list, int nid, const char *value)
{
    X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    if (made == NULL || sk_X509_EXTENSION_push(list, made) <= 0) {
        X509_EXTENSION_free(made);
        return false;
    }
    return true;
}

STACK_OF(X509_EXTENSION) * tlm_x509_usage(EVP_PKEY *public)
{
    bool rsa = EVP_PKEY_is_a(public, "RSA") == 1;
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    if (list != NULL && push_extension(list, NID_basic_constraints, "critical,CA:FALSE") &&
        push_extension(list, NID_key_usage,
                       rsa ? "critical,digitalSignature,keyEncipherment"
                           : "critical,digitalSignature")) {
        return list;
    }
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    return NULL;
}

/* The token signs r || s (RFC 7518 section 3.4), X.509 has a SEQUENCE of both. */
static tlm_result to_der(unsigned char signature[TLM_SIGNATURE_MAX], size_t *size, tlm_error *error)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL);
    BIGNUM *s = BN_bin2bn(signature + 32, 32, NULL);
    unsigned char *der = NULL;
    int length = -1;
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        length = i2d_ECDSA_SIG(pair, &der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    if (length <= 0 || length > (int)TLM_SIGNATURE_MAX) {
        OPENSSL_free(der);
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "encoding an ES256 signature");
    }
    memcpy(signature, der, (size_t)length);
    *size = (size_t)length;
    OPENSSL_free(der);
    return TLM_OK;
}

tlm_result tlm_x509_sign(tlm_key *key, const unsigned char *tbs, size_t tbs_size,
                         unsigned char signature[TLM_SIGNATURE_MAX], size_t *size, tlm_error *error)
{
    bool rsa = key->type == CKK_RSA;
    tlm_result result = tlm_key_sign(key, rsa ? TLM_JWA_RS256 : TLM_JWA_ES256, tbs, tbs_size,
                                     signature, size, error);
    return result == TLM_OK && !rsa ? to_der(signature, size, error) : result;
}
