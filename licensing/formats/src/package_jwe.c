/* SPDX-License-Identifier: BSD-2-Clause */
/* The outer half of a package: to whom it is encrypted. */
#include <tlm/package.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include <tlm/jwe.h>
#include <tlm/key.h>

#include "text_private.h"

#define KID_SIZE 43U /* a thumbprint in base64url */
#define CTY "JWT"
/* What base64url makes the largest package of, without what else is in one. */
#define PLAIN_MAX 786432U
_Static_assert(PLAIN_MAX == TLM_PACKAGE_MAX / 4 * 3, "four digits hold three bytes");

static tlm_result check_kid(const char *kid, tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_result result = TLM_ERR_FORMAT;
    if (kid != NULL && strlen(kid) == KID_SIZE) {
        result = tlm_base64url_decode(kid, KID_SIZE, &data, &size, NULL);
        free(data);
    }
    return result == TLM_OK ? TLM_OK
                            : tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                                            "the kid of a package is no thumbprint in base64url");
}

static tlm_result check_header(const tlm_jwe_header *header, tlm_error *error)
{
    if (strcmp(header->alg, TLM_JWE_ALG_RSA_OAEP_256) != 0) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "Encrypt to the host with RSA-OAEP-256 and A256GCM.",
                             "the alg of a package is not " TLM_JWE_ALG_RSA_OAEP_256);
    }
    if (header->cty == NULL || strcmp(header->cty, CTY) != 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the cty of a package is not " CTY);
    }
    return check_kid(header->kid, error);
}

static tlm_result parse(const char *text, size_t size, tlm_jwe **jwe, tlm_error *error)
{
    if (text == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a package without text");
    }
    tlm_text_trim(&text, &size);
    tlm_result result = tlm_jwe_parse_large(text, size, TLM_PACKAGE_MAX, jwe, error);
    if (result == TLM_OK) {
        result = check_header(tlm_jwe_get_header(*jwe), error);
    }
    if (result != TLM_OK) {
        tlm_error_prefix(error, "package");
        tlm_jwe_free(jwe);
    }
    return result;
}

static tlm_result decrypt(const tlm_jwe *jwe, tlm_package_unwrap unwrap, void *context,
                          unsigned char **plain, size_t *size, tlm_error *error)
{
    tlm_secret *key = NULL;
    tlm_result result = unwrap(context, tlm_jwe_get_header(jwe)->kid, tlm_jwe_encrypted_key(jwe),
                               tlm_jwe_encrypted_size(jwe), &key, error);
    if (result == TLM_OK) {
        result = tlm_jwe_open_bytes(jwe, key, plain, size, error);
    }
    tlm_secret_free(&key);
    return result;
}

tlm_result tlm_package_open(const char *text, size_t size, tlm_package_unwrap unwrap, void *context,
                            const tlm_trust *trust, tlm_package **package, tlm_error *error)
{
    tlm_jwe *jwe = NULL;
    unsigned char *plain = NULL;
    size_t plain_size = 0;
    if (unwrap == NULL || trust == NULL || package == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a package is opened with a key and with somebody to believe");
    }
    tlm_result result = parse(text, size, &jwe, error);
    if (result != TLM_OK) {
        return result;
    }
    result = decrypt(jwe, unwrap, context, &plain, &plain_size, error);
    tlm_jwe_free(&jwe);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "package");
        return result;
    }
    result = tlm_package_open_signed((const char *)plain, plain_size, trust, package, error);
    explicit_bzero(plain, plain_size);
    free(plain);
    return result;
}

tlm_result tlm_package_kid(const char *text, size_t size, char kid[44], tlm_error *error)
{
    tlm_jwe *jwe = NULL;
    if (kid == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a kid without a place for it");
    }
    tlm_result result = parse(text, size, &jwe, error);
    if (result == TLM_OK) {
        tlm_text_copy(kid, KID_SIZE + 1, tlm_jwe_get_header(jwe)->kid);
        tlm_jwe_free(&jwe);
    }
    return result;
}

static tlm_result seal(const char *text, size_t size, EVP_PKEY *host, const tlm_secret *cek,
                       char **sealed, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    size_t wrapped_size = 0;
    tlm_result result = tlm_public_thumbprint(host, thumbprint, error);
    if (result == TLM_OK) {
        result = tlm_public_encrypt_oaep(host, tlm_secret_bytes(cek), tlm_secret_size(cek), wrapped,
                                         &wrapped_size, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    char *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    if (kid == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a package");
    }
    const tlm_jwe_header header = {.alg = TLM_JWE_ALG_RSA_OAEP_256, .kid = kid, .cty = CTY};
    result = tlm_jwe_seal_bytes(&header, wrapped, wrapped_size, cek, text, size, sealed, error);
    free(kid);
    return result;
}

static tlm_result content_key(tlm_secret **cek, tlm_error *error)
{
    tlm_result result = tlm_secret_new(TLM_JWE_CEK_SIZE, cek, error);
    if (result == TLM_OK && RAND_priv_bytes(tlm_secret_data(*cek), TLM_JWE_CEK_SIZE) != 1) {
        tlm_secret_free(cek);
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "OpenSSL gave no random bytes");
    }
    return result;
}

static tlm_result too_large(size_t size, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_TOO_LARGE, "Make several packages.",
                         "%zu bytes are more than a package of %u takes, encrypted", size,
                         TLM_PACKAGE_MAX);
}

tlm_result tlm_package_seal(const char *signed_package, size_t size, EVP_PKEY *host, char **text,
                            tlm_error *error)
{
    if (signed_package == NULL || host == NULL || text == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a package is sealed with a text and a host's key");
    }
    tlm_text_trim(&signed_package, &size);
    if (size == 0) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a package without content");
    }
    if (size > PLAIN_MAX) {
        return too_large(size, error);
    }
    tlm_secret *cek = NULL;
    char *sealed = NULL;
    tlm_result result = content_key(&cek, error);
    if (result == TLM_OK) {
        result = seal(signed_package, size, host, cek, &sealed, error);
    }
    tlm_secret_free(&cek);
    if (result == TLM_OK && sealed != NULL && strlen(sealed) > TLM_PACKAGE_MAX) {
        result = too_large(size, error);
        free(sealed);
    }
    if (result == TLM_OK) {
        *text = sealed;
    }
    return result;
}
