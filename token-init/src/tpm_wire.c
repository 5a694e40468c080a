/* SPDX-License-Identifier: BSD-2-Clause */
#include "tpm_wire.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#define GENERATED 0xFF544347U
#define ST_ATTEST_CERTIFY 0x8017U
#define EXPONENT_USUAL 65537U
#define RSA_BITS_MIN 2048U
#define RSA_BITS_MAX 4096U
#define COORDINATE_SIZE 32U

/* Reads on; once something is missing, everything after it is zero and `bad` stays set. */
typedef struct cursor {
    const unsigned char *at;
    size_t left;
    bool bad;
} cursor;

static const unsigned char *take(cursor *from, size_t size)
{
    if (from->bad || size > from->left) {
        from->bad = true;
        return NULL;
    }
    const unsigned char *data = from->at;
    from->at += size;
    from->left -= size;
    return data;
}

static uint64_t take_number(cursor *from, size_t size)
{
    const unsigned char *data = take(from, size);
    uint64_t value = 0;
    for (size_t i = 0; data != NULL && i < size; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

static uint8_t take_8(cursor *from)
{
    return (uint8_t)take_number(from, 1); /* one byte was read */
}

static uint16_t take_16(cursor *from)
{
    return (uint16_t)take_number(from, 2); /* two bytes were read */
}

static uint32_t take_32(cursor *from)
{
    return (uint32_t)take_number(from, 4); /* four bytes were read */
}

/* A TPM2B: two bytes of length and as many bytes. */
static tlm_wire_part take_part(cursor *from)
{
    size_t size = take_16(from);
    tlm_wire_part part = {.data = take(from, size), .size = size};
    return part.data != NULL ? part : (tlm_wire_part){.data = NULL};
}

/* TPMT_SYM_DEF_OBJECT: AES-CFB or nothing. */
static void take_symmetric(cursor *from, tlm_wire_public *area)
{
    area->symmetric = take_16(from);
    if (area->symmetric == TLM_WIRE_ALG_NULL) {
        return;
    }
    area->symmetric_bits = take_16(from);
    uint16_t mode = take_16(from);
    from->bad = from->bad || area->symmetric != TLM_WIRE_ALG_AES || mode != TLM_WIRE_ALG_CFB;
}

/* TPMT_RSA_SCHEME and TPMT_ECC_SCHEME: nothing, or one with a hash. */
static void take_scheme(cursor *from, tlm_wire_public *area)
{
    area->scheme = take_16(from);
    if (area->scheme != TLM_WIRE_ALG_NULL) {
        area->scheme_hash = take_16(from);
    }
}

static void take_rsa(cursor *from, tlm_wire_public *area)
{
    take_symmetric(from, area);
    take_scheme(from, area);
    area->bits = take_16(from);
    area->exponent = take_32(from);
    area->exponent = area->exponent == 0 ? EXPONENT_USUAL : area->exponent;
    area->x = take_part(from);
    from->bad = from->bad || area->bits < RSA_BITS_MIN || area->bits > RSA_BITS_MAX ||
                area->bits % 8 != 0 || area->x.size != area->bits / 8 ||
                area->exponent != EXPONENT_USUAL;
}

static void take_ecc(cursor *from, tlm_wire_public *area)
{
    take_symmetric(from, area);
    take_scheme(from, area);
    uint16_t curve = take_16(from);
    uint16_t kdf = take_16(from);
    area->x = take_part(from);
    area->y = take_part(from);
    from->bad = from->bad || curve != TLM_WIRE_P256 || kdf != TLM_WIRE_ALG_NULL ||
                area->x.size != COORDINATE_SIZE || area->y.size != COORDINATE_SIZE;
}

static void compute_name(const unsigned char *data, size_t size, tlm_tpm_name *name)
{
    name->bytes[0] = (unsigned char)(TLM_WIRE_ALG_SHA256 >> 8);
    name->bytes[1] = (unsigned char)(TLM_WIRE_ALG_SHA256 & 0xFFU);
    (void)SHA256(data, size, name->bytes + 2);
    name->size = 2 + SHA256_DIGEST_LENGTH;
}

tlm_result tlm_wire_read_public(const unsigned char *data, size_t size, tlm_wire_public *area,
                                tlm_error *error)
{
    memset(area, 0, sizeof *area);
    cursor from = {.at = data, .left = size};
    area->type = take_16(&from);
    uint16_t name_hash = take_16(&from);
    area->attributes = take_32(&from);
    area->policy = take_part(&from);
    if (area->type == TLM_WIRE_ALG_RSA) {
        take_rsa(&from, area);
    } else if (area->type == TLM_WIRE_ALG_ECC) {
        take_ecc(&from, area);
    } else {
        from.bad = true;
    }
    if (from.bad || from.left != 0 || name_hash != TLM_WIRE_ALG_SHA256) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "a public area that is no RSA or P-256 key of a TPM, or is cut off");
    }
    compute_name(data, size, &area->name);
    return TLM_OK;
}

static bool fill_rsa(OSSL_PARAM_BLD *builder, const tlm_wire_public *area, BIGNUM **number,
                     BIGNUM **exponent)
{
    *number = BN_bin2bn(area->x.data, (int)area->x.size, NULL);
    *exponent = BN_new();
    return *number != NULL && *exponent != NULL && BN_set_word(*exponent, area->exponent) == 1 &&
           OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, *number) == 1 &&
           OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, *exponent) == 1;
}

static bool fill_ecc(OSSL_PARAM_BLD *builder, const tlm_wire_public *area,
                     unsigned char point[1 + 2 * COORDINATE_SIZE])
{
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, area->x.data, COORDINATE_SIZE);
    memcpy(point + 1 + COORDINATE_SIZE, area->y.data, COORDINATE_SIZE);
    return OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                            1 + 2 * COORDINATE_SIZE) == 1;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

static bool sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool good = context != NULL && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return good;
}

tlm_result tlm_wire_to_key(const tlm_wire_public *area, EVP_PKEY **key, tlm_error *error)
{
    bool rsa = area->type == TLM_WIRE_ALG_RSA;
    unsigned char point[1 + 2 * COORDINATE_SIZE];
    BIGNUM *number = NULL;
    BIGNUM *exponent = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool filled = builder != NULL && (rsa ? fill_rsa(builder, area, &number, &exponent)
                                          : fill_ecc(builder, area, point));
    OSSL_PARAM *parameters = filled ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY *made = make_key(rsa ? "RSA" : "EC", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(number);
    BN_free(exponent);
    if (!sound(made)) {
        EVP_PKEY_free(made);
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "a public area whose numbers are no %s key", rsa ? "RSA" : "P-256");
    }
    *key = made;
    return TLM_OK;
}

tlm_result tlm_wire_read_attest(const unsigned char *data, size_t size, tlm_wire_attest *attest,
                                tlm_error *error)
{
    memset(attest, 0, sizeof *attest);
    cursor from = {.at = data, .left = size};
    uint32_t magic = take_32(&from);
    uint16_t type = take_16(&from);
    attest->signer = take_part(&from);
    attest->extra = take_part(&from);
    attest->clock = take_number(&from, 8);
    attest->reset_count = take_32(&from);
    attest->restart_count = take_32(&from);
    attest->safe = take_8(&from) != 0;
    attest->firmware = take_number(&from, 8);
    attest->name = take_part(&from);
    attest->qualified_name = take_part(&from);
    if (size >= 4 && magic != GENERATED) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "a statement that begins with 0x%08X and not with what a TPM puts "
                             "before its own statements (0x%08X)",
                             magic, GENERATED);
    }
    if (from.bad || from.left != 0 || type != ST_ATTEST_CERTIFY) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "a statement that is none of TPM2_Certify, or is cut off");
    }
    return TLM_OK;
}

/* A number of at most 32 bytes, with zeros before it. */
static bool pad(tlm_wire_part number, unsigned char out[COORDINATE_SIZE])
{
    if (number.data == NULL || number.size == 0 || number.size > COORDINATE_SIZE) {
        return false;
    }
    memset(out, 0, COORDINATE_SIZE);
    memcpy(out + COORDINATE_SIZE - number.size, number.data, number.size);
    return true;
}

tlm_result tlm_wire_read_signature(const unsigned char *data, size_t size,
                                   unsigned char signature[TLM_WIRE_SIGNATURE_SIZE],
                                   tlm_error *error)
{
    cursor from = {.at = data, .left = size};
    uint16_t scheme = take_16(&from);
    uint16_t hash = take_16(&from);
    tlm_wire_part r = take_part(&from);
    tlm_wire_part s = take_part(&from);
    if (from.bad || from.left != 0 || scheme != TLM_WIRE_ALG_ECDSA || hash != TLM_WIRE_ALG_SHA256 ||
        !pad(r, signature) || !pad(s, signature + COORDINATE_SIZE)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "a signature that is no ECDSA with SHA-256 on P-256, or is cut off");
    }
    return TLM_OK;
}
