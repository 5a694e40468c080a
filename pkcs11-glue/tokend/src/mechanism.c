/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1024U

#define SIGNS (CKF_SIGN | CKF_VERIFY)
#define CIPHERS (CKF_ENCRYPT | CKF_DECRYPT)
/* CKF_EC_F_P to CKF_EC_COMPRESS of the standard, which p11-kit's header does not all name. */
#define CURVE_FLAGS 0x03f00000UL
#define NO_HASH TLM_NO_MECHANISM, TLM_NO_MECHANISM

/* PKCS#11 v2.40 Current Mechanisms, table 1: as far as this provider serves it. */
static const tlm_mechanism_kind kinds[] = {
    {CKM_RSA_X_509, CKK_RSA, SIGNS | CIPHERS, TLM_PARAMETER_NONE, NO_HASH},
    {CKM_RSA_PKCS, CKK_RSA, SIGNS | CIPHERS, TLM_PARAMETER_NONE, NO_HASH},
    {CKM_RSA_PKCS_OAEP, CKK_RSA, CIPHERS, TLM_PARAMETER_OAEP, NO_HASH},
    {CKM_RSA_PKCS_PSS, CKK_RSA, SIGNS, TLM_PARAMETER_PSS, NO_HASH},
    {CKM_SHA1_RSA_PKCS, CKK_RSA, SIGNS, TLM_PARAMETER_NONE, CKM_SHA_1, CKM_RSA_PKCS},
    {CKM_SHA224_RSA_PKCS, CKK_RSA, SIGNS, TLM_PARAMETER_NONE, CKM_SHA224, CKM_RSA_PKCS},
    {CKM_SHA256_RSA_PKCS, CKK_RSA, SIGNS, TLM_PARAMETER_NONE, CKM_SHA256, CKM_RSA_PKCS},
    {CKM_SHA384_RSA_PKCS, CKK_RSA, SIGNS, TLM_PARAMETER_NONE, CKM_SHA384, CKM_RSA_PKCS},
    {CKM_SHA512_RSA_PKCS, CKK_RSA, SIGNS, TLM_PARAMETER_NONE, CKM_SHA512, CKM_RSA_PKCS},
    {CKM_SHA1_RSA_PKCS_PSS, CKK_RSA, SIGNS, TLM_PARAMETER_PSS, CKM_SHA_1, CKM_RSA_PKCS_PSS},
    {CKM_SHA224_RSA_PKCS_PSS, CKK_RSA, SIGNS, TLM_PARAMETER_PSS, CKM_SHA224, CKM_RSA_PKCS_PSS},
    {CKM_SHA256_RSA_PKCS_PSS, CKK_RSA, SIGNS, TLM_PARAMETER_PSS, CKM_SHA256, CKM_RSA_PKCS_PSS},
    {CKM_SHA384_RSA_PKCS_PSS, CKK_RSA, SIGNS, TLM_PARAMETER_PSS, CKM_SHA384, CKM_RSA_PKCS_PSS},
    {CKM_SHA512_RSA_PKCS_PSS, CKK_RSA, SIGNS, TLM_PARAMETER_PSS, CKM_SHA512, CKM_RSA_PKCS_PSS},
    {CKM_ECDSA, CKK_EC, SIGNS, TLM_PARAMETER_NONE, NO_HASH},
    {CKM_ECDSA_SHA1, CKK_EC, SIGNS, TLM_PARAMETER_NONE, CKM_SHA_1, CKM_ECDSA},
    {CKM_ECDSA_SHA224, CKK_EC, SIGNS, TLM_PARAMETER_NONE, CKM_SHA224, CKM_ECDSA},
    {CKM_ECDSA_SHA256, CKK_EC, SIGNS, TLM_PARAMETER_NONE, CKM_SHA256, CKM_ECDSA},
    {CKM_ECDSA_SHA384, CKK_EC, SIGNS, TLM_PARAMETER_NONE, CKM_SHA384, CKM_ECDSA},
    {CKM_ECDSA_SHA512, CKK_EC, SIGNS, TLM_PARAMETER_NONE, CKM_SHA512, CKM_ECDSA},
    {CKM_AES_ECB, CKK_AES, CIPHERS, TLM_PARAMETER_NONE, NO_HASH},
    {CKM_AES_CBC, CKK_AES, CIPHERS, TLM_PARAMETER_IV, NO_HASH},
    {CKM_AES_CBC_PAD, CKK_AES, CIPHERS, TLM_PARAMETER_IV, NO_HASH},
    {CKM_AES_CTR, CKK_AES, CIPHERS, TLM_PARAMETER_CTR, NO_HASH},
    {CKM_SHA_1_HMAC, TLM_KEY_ANY, SIGNS, TLM_PARAMETER_NONE, CKM_SHA_1, TLM_NO_MECHANISM},
    {CKM_SHA224_HMAC, TLM_KEY_ANY, SIGNS, TLM_PARAMETER_NONE, CKM_SHA224, TLM_NO_MECHANISM},
    {CKM_SHA256_HMAC, TLM_KEY_ANY, SIGNS, TLM_PARAMETER_NONE, CKM_SHA256, TLM_NO_MECHANISM},
    {CKM_SHA384_HMAC, TLM_KEY_ANY, SIGNS, TLM_PARAMETER_NONE, CKM_SHA384, TLM_NO_MECHANISM},
    {CKM_SHA512_HMAC, TLM_KEY_ANY, SIGNS, TLM_PARAMETER_NONE, CKM_SHA512, TLM_NO_MECHANISM},
    {CKM_SHA_1, TLM_KEY_ANY, CKF_DIGEST, TLM_PARAMETER_NONE, CKM_SHA_1, TLM_NO_MECHANISM},
    {CKM_SHA224, TLM_KEY_ANY, CKF_DIGEST, TLM_PARAMETER_NONE, CKM_SHA224, TLM_NO_MECHANISM},
    {CKM_SHA256, TLM_KEY_ANY, CKF_DIGEST, TLM_PARAMETER_NONE, CKM_SHA256, TLM_NO_MECHANISM},
    {CKM_SHA384, TLM_KEY_ANY, CKF_DIGEST, TLM_PARAMETER_NONE, CKM_SHA384, TLM_NO_MECHANISM},
    {CKM_SHA512, TLM_KEY_ANY, CKF_DIGEST, TLM_PARAMETER_NONE, CKM_SHA512, TLM_NO_MECHANISM},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, CKF_GENERATE_KEY_PAIR, TLM_PARAMETER_NONE, NO_HASH},
    {CKM_EC_KEY_PAIR_GEN, CKK_EC, CKF_GENERATE_KEY_PAIR, TLM_PARAMETER_NONE, NO_HASH},
    {CKM_AES_KEY_GEN, CKK_AES, CKF_GENERATE, TLM_PARAMETER_NONE, NO_HASH},
};

static const struct {
    CK_MECHANISM_TYPE hash;
    CK_RSA_PKCS_MGF_TYPE mgf;
    const EVP_MD *(*md)(void);
} hashes[] = {
    {CKM_SHA_1, CKG_MGF1_SHA1, EVP_sha1},      {CKM_SHA224, CKG_MGF1_SHA224, EVP_sha224},
    {CKM_SHA256, CKG_MGF1_SHA256, EVP_sha256}, {CKM_SHA384, CKG_MGF1_SHA384, EVP_sha384},
    {CKM_SHA512, CKG_MGF1_SHA512, EVP_sha512},
};

const EVP_MD *tlm_mechanism_md(CK_MECHANISM_TYPE hash)
{
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        if (hashes[i].hash == hash) {
            return hashes[i].md();
        }
    }
    return NULL;
}

const EVP_MD *tlm_mechanism_mgf_md(CK_RSA_PKCS_MGF_TYPE mgf)
{
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        if (hashes[i].mgf == mgf) {
            return hashes[i].md();
        }
    }
    return NULL;
}

static const tlm_mechanism_kind *find_kind(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].type == type) {
            return &kinds[i];
        }
    }
    return NULL;
}

static const tlm_served_mechanism *find_served(const tlm_served *served, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < served->count; i++) {
        if (served->items[i].kind->type == type) {
            return &served->items[i];
        }
    }
    return NULL;
}

/* A mechanism that is hashed here needs the one that takes the digest. */
static void remove_baseless(tlm_served *served)
{
    size_t kept = 0;
    for (size_t i = 0; i < served->count; i++) {
        const tlm_mechanism_kind *kind = served->items[i].kind;
        if (kind->base == TLM_NO_MECHANISM || find_served(served, kind->base) != NULL) {
            served->items[kept++] = served->items[i];
        }
    }
    served->count = kept;
}

/* In the gate. */
static tlm_result read_served(tlm_token *token, void *context, tlm_error *error)
{
    tlm_served *made = context;
    const CK_FUNCTION_LIST *functions = token->module->functions;
    CK_MECHANISM_TYPE types[LIST_MAX];
    CK_ULONG count = LIST_MAX;
    CK_RV rv = functions->C_GetMechanismList(token->slot, types, &count);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetMechanismList", "of %s", token->uri_text);
    }
    made->count = 0;
    for (CK_ULONG i = 0; i < count && made->count < TLM_SERVED_MAX; i++) {
        const tlm_mechanism_kind *kind = find_kind(types[i]);
        CK_MECHANISM_INFO info = {0};
        if (kind == NULL) {
            continue;
        }
        rv = functions->C_GetMechanismInfo(token->slot, types[i], &info);
        if (rv != CKR_OK && rv != CKR_MECHANISM_INVALID) {
            /* tpm2-pkcs11 asks the TPM: one that is away must not pass for one that can nothing. */
            return tlm_error_set_rv(error, rv, "C_GetMechanismInfo", "of %s", token->uri_text);
        }
        if (rv != CKR_OK || (info.flags & kind->flags) == 0) {
            continue;
        }
        info.flags &= kind->flags | CKF_HW | CURVE_FLAGS;
        made->items[made->count++] = (tlm_served_mechanism){.kind = kind, .info = info};
    }
    remove_baseless(made);
    return TLM_OK;
}

CK_RV tlm_mechanism_served(tlm_client *client, const tlm_served **served)
{
    tlm_provider *provider = client->provider;
    tlm_served *known = atomic_load(&provider->served);
    if (known != NULL) {
        *served = known;
        return CKR_OK;
    }
    tlm_served *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return CKR_HOST_MEMORY;
    }
    CK_RV rv = tlm_provider_run(client, read_served, made);
    if (rv == CKR_OK && atomic_compare_exchange_strong(&provider->served, &known, made)) {
        *served = made;
        return CKR_OK;
    }
    free(made);
    *served = known; /* another client was faster */
    return rv;
}

CK_RV tlm_mechanism_find(tlm_client *client, CK_MECHANISM_TYPE type, CK_FLAGS flags,
                         const tlm_mechanism_kind **kind)
{
    const tlm_served *served = NULL;
    CK_RV rv = tlm_mechanism_served(client, &served);
    if (rv != CKR_OK) {
        return rv;
    }
    const tlm_served_mechanism *found = find_served(served, type);
    if (found == NULL || (found->info.flags & flags) != flags) {
        return CKR_MECHANISM_INVALID;
    }
    *kind = found->kind;
    return CKR_OK;
}

static CK_RV copy_pss(const tlm_mechanism_kind *kind, const CK_MECHANISM *from,
                      tlm_mechanism_copy *to)
{
    CK_RSA_PKCS_PSS_PARAMS *pss = &to->parameter.pss;
    if (from->pParameter == NULL || from->ulParameterLen != sizeof *pss) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    memcpy(pss, from->pParameter, sizeof *pss);
    if (tlm_mechanism_md(pss->hashAlg) == NULL || tlm_mechanism_mgf_md(pss->mgf) == NULL ||
        pss->sLen > 512 || (kind->hash != TLM_NO_MECHANISM && kind->hash != pss->hashAlg)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    return CKR_OK;
}

static CK_RV copy_oaep(const CK_MECHANISM *from, tlm_mechanism_copy *to)
{
    CK_RSA_PKCS_OAEP_PARAMS *oaep = &to->parameter.oaep;
    if (from->pParameter == NULL || from->ulParameterLen != sizeof *oaep) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    memcpy(oaep, from->pParameter, sizeof *oaep);
    CK_ULONG size = oaep->ulSourceDataLen;
    bool source = oaep->source == CKZ_DATA_SPECIFIED || (oaep->source == 0 && size == 0);
    if (tlm_mechanism_md(oaep->hashAlg) == NULL || tlm_mechanism_mgf_md(oaep->mgf) == NULL ||
        !source || size > TLM_OAEP_LABEL_MAX || (size > 0 && oaep->pSourceData == NULL)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if (size > 0) {
        memcpy(to->label, oaep->pSourceData, size);
    }
    oaep->pSourceData = size > 0 ? to->label : NULL;
    return CKR_OK;
}

static CK_RV copy_plain(const CK_MECHANISM *from, void *to, size_t size)
{
    if (from->pParameter == NULL || from->ulParameterLen != size) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    memcpy(to, from->pParameter, size);
    return CKR_OK;
}

static CK_RV copy_parameter(const tlm_mechanism_kind *kind, const CK_MECHANISM *from,
                            tlm_mechanism_copy *to)
{
    switch (kind->parameter) {
    case TLM_PARAMETER_PSS:
        return copy_pss(kind, from, to);
    case TLM_PARAMETER_OAEP:
        return copy_oaep(from, to);
    case TLM_PARAMETER_IV:
        return copy_plain(from, to->parameter.iv, sizeof to->parameter.iv);
    case TLM_PARAMETER_CTR:
        return copy_plain(from, &to->parameter.ctr, sizeof to->parameter.ctr);
    case TLM_PARAMETER_NONE:
    default:
        return from->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
    }
}

CK_RV tlm_mechanism_copy_from(const tlm_mechanism_kind *kind, const CK_MECHANISM *from,
                              tlm_mechanism_copy *to)
{
    *to = (tlm_mechanism_copy){.mechanism = {.mechanism = kind->type}};
    CK_RV rv = copy_parameter(kind, from, to);
    if (rv == CKR_OK && kind->parameter != TLM_PARAMETER_NONE) {
        to->mechanism.pParameter = &to->parameter;
        to->mechanism.ulParameterLen = from->ulParameterLen;
    }
    return rv;
}

void tlm_mechanism_copy_as(CK_MECHANISM_TYPE type, const tlm_mechanism_copy *from,
                           tlm_mechanism_copy *to)
{
    *to = *from;
    to->mechanism.mechanism = type;
    if (from->mechanism.pParameter == NULL) {
        return;
    }
    to->mechanism.pParameter = &to->parameter;
    if (type == CKM_RSA_PKCS_OAEP && to->parameter.oaep.pSourceData != NULL) {
        to->parameter.oaep.pSourceData = to->label;
    }
}
