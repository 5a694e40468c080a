/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

bool tlm_oaep_is_refusal(CK_RV rv)
{
    return rv == CKR_ARGUMENTS_BAD || rv == CKR_MECHANISM_INVALID ||
           rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_FUNCTION_NOT_SUPPORTED;
}

bool tlm_oaep_is_ours(const CK_MECHANISM *mechanism, const CK_RSA_PKCS_OAEP_PARAMS *oaep)
{
    /* A TPM takes only labels that end with a zero byte (Part 1, B.4), and fails late. */
    return mechanism->mechanism == CKM_RSA_PKCS_OAEP && oaep->ulSourceDataLen > 0;
}

/* Deprecated with the RSA_* calls, and still the only OAEP without a key in OpenSSL. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

bool tlm_oaep_pad(const CK_RSA_PKCS_OAEP_PARAMS *oaep, const unsigned char *data, size_t size,
                  unsigned char *block, size_t block_size)
{
    int done = RSA_padding_add_PKCS1_OAEP_mgf1(
        block, (int)block_size, data, (int)size, oaep->pSourceData, (int)oaep->ulSourceDataLen,
        tlm_mechanism_md(oaep->hashAlg), tlm_mechanism_mgf_md(oaep->mgf));
    ERR_clear_error();
    return done == 1;
}

bool tlm_oaep_unpad(const CK_RSA_PKCS_OAEP_PARAMS *oaep, const unsigned char *block, size_t size,
                    unsigned char *plain, size_t *plain_size)
{
    int length = RSA_padding_check_PKCS1_OAEP_mgf1(plain, (int)size, block, (int)size, (int)size,
                                                   oaep->pSourceData, (int)oaep->ulSourceDataLen,
                                                   tlm_mechanism_md(oaep->hashAlg),
                                                   tlm_mechanism_mgf_md(oaep->mgf));
    ERR_clear_error();
    *plain_size = length > 0 ? (size_t)length : 0;
    return length >= 0;
}

#pragma GCC diagnostic pop
