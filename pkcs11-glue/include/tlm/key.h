/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_KEY_H
#define TLM_KEY_H

/*
 * Key pairs and certificates on a token, and the public-key work around them.
 *
 * A tlm_key names a key pair by label and id; object handles are looked up again after a recovery,
 * so a key lives as long as its token. Private operations happen on the token, public ones (verify,
 * encrypt) in OpenSSL with the exported public key. What the token can do is probed: OAEP with
 * SHA-256 natively or, where it has none, raw RSA and OpenSSL's constant-time unpadding.
 *
 *     tlm_key *srk = NULL;
 *     tlm_secret *plain = NULL;
 *     if (tlm_key_find(token, "tlm-srk", &srk, &error) != TLM_OK) { … }
 *     result = tlm_key_decrypt_oaep(srk, cipher, cipher_size, &plain, &error);
 *     …
 *     tlm_secret_free(&plain);
 *     tlm_key_free(&srk);
 */

#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/token.h>

typedef struct tlm_key tlm_key;

/* JWA signature algorithms, RFC 7518 section 3.1. */
typedef enum tlm_jwa { TLM_JWA_ES256, TLM_JWA_ES384, TLM_JWA_RS256, TLM_JWA_PS256 } tlm_jwa;

/* Largest signature and OAEP cipher text: RSA-4096. */
#define TLM_SIGNATURE_MAX 512U

/* Of SHA-256. */
#define TLM_DIGEST_SIZE 32U

/* Finds a private key by label, or by CKA_ID where label is NULL. The caller frees it. */
TLM_CHECKED tlm_result tlm_key_find(tlm_token *token, const char *label, tlm_key **key,
                                    tlm_error *error);
TLM_CHECKED tlm_result tlm_key_find_by_id(tlm_token *token, const void *id, size_t size,
                                          tlm_key **key, tlm_error *error);
void tlm_key_free(tlm_key **key);

/*
 * Whether `uri` is a pkcs11: URI (RFC 7512) that names one object of a class (CKO_PRIVATE_KEY,
 * CKO_CERTIFICATE), by id, by object or by both: what the next functions take. No token is needed.
 * TLM_ERR_ARGUMENT says what is wrong with it; a URI that holds a PIN is refused and not shown.
 */
TLM_CHECKED tlm_result tlm_uri_check(const char *uri, CK_OBJECT_CLASS class, tlm_error *error);

/*
 * Find what a URI names, on this token whatever token the URI names: tlm_token_open takes the same
 * URI. TLM_ERR_NOT_FOUND, or TLM_ERR_ARGUMENT where several fit. The caller frees the result.
 */
TLM_CHECKED tlm_result tlm_key_find_by_uri(tlm_token *token, const char *uri, tlm_key **key,
                                           tlm_error *error);
TLM_CHECKED tlm_result tlm_certificate_find_by_uri(tlm_token *token, const char *uri,
                                                   X509 **certificate, tlm_error *error);

/*
 * Makes a key pair on the token: sensitive, not extractable, token objects, the private one
 * private. TLM_ERR_EXISTS where a private key has that label or id already. RSA: 2048, 3072 or
 * 4096 bits, decrypts and signs. EC: P-256 and P-384, sign.
 */
TLM_CHECKED tlm_result tlm_key_generate_rsa(tlm_token *token, unsigned bits, const char *label,
                                            unsigned char id, tlm_key **key, tlm_error *error);
TLM_CHECKED tlm_result tlm_key_generate_p256(tlm_token *token, const char *label, unsigned char id,
                                             tlm_key **key, tlm_error *error);

TLM_CHECKED tlm_result tlm_key_generate_p384(tlm_token *token, const char *label, unsigned char id,
                                             tlm_key **key, tlm_error *error);

const char *tlm_key_label(const tlm_key *key);

/* The public half, owned by the key and valid until it is freed. */
EVP_PKEY *tlm_key_public(const tlm_key *key);

/*
 * Signs `data` (hashed here, the digest is signed on the token). `signature` has room for
 * TLM_SIGNATURE_MAX bytes. ES256 gives r || s of 64 bytes (RFC 7518 section 3.4), ES384 of
 * 96, the RSA ones the modulus' length. TLM_ERR_UNSUPPORTED where key type or token do not fit the
 * algorithm.
 */
TLM_CHECKED tlm_result tlm_key_sign(tlm_key *key, tlm_jwa algorithm, const void *data, size_t size,
                                    unsigned char *signature, size_t *signature_size,
                                    tlm_error *error);

/* The same over a SHA-256 digest that the caller made; not for ES384, which hashes otherwise. */
TLM_CHECKED tlm_result tlm_key_sign_digest(tlm_key *key, tlm_jwa algorithm,
                                           const unsigned char digest[TLM_DIGEST_SIZE],
                                           unsigned char *signature, size_t *signature_size,
                                           tlm_error *error);

/*
 * Decrypts RSA-OAEP with SHA-256 and MGF1-SHA-256, no label (RFC 8017 section 7.1, JWA
 * RSA-OAEP-256). Any wrong cipher text is TLM_ERR_CRYPTO, whatever is wrong with it.
 */
TLM_CHECKED tlm_result tlm_key_decrypt_oaep(tlm_key *key, const void *cipher, size_t size,
                                            tlm_secret **plain, tlm_error *error);

/* Public-key work, no token needed. `cipher` has room for TLM_SIGNATURE_MAX bytes. */
TLM_CHECKED tlm_result tlm_public_encrypt_oaep(EVP_PKEY *key, const void *plain, size_t size,
                                               unsigned char *cipher, size_t *cipher_size,
                                               tlm_error *error);
TLM_CHECKED tlm_result tlm_public_verify(EVP_PKEY *key, tlm_jwa algorithm, const void *data,
                                         size_t size, const unsigned char *signature,
                                         size_t signature_size, tlm_error *error);

/*
 * Public keys from their numbers (big-endian), and from a point 04 || x || y of "P-256" or "P-384".
 * TLM_ERR_FORMAT where they cannot be one, such as a point beside its curve. The caller frees the
 * key with EVP_PKEY_free.
 */
TLM_CHECKED tlm_result tlm_public_from_rsa(const unsigned char *modulus, size_t modulus_size,
                                           const unsigned char *exponent, size_t exponent_size,
                                           EVP_PKEY **key, tlm_error *error);
TLM_CHECKED tlm_result tlm_public_from_point(const char *curve, const unsigned char *point,
                                             size_t point_size, EVP_PKEY **key, tlm_error *error);

/* PEM (SubjectPublicKeyInfo, RFC 7468) as a new string. */
TLM_CHECKED tlm_result tlm_public_to_pem(EVP_PKEY *key, char **pem, tlm_error *error);

/* JWK (RFC 7517) with kty, the key's members, kid; one line of JSON as a new string. */
TLM_CHECKED tlm_result tlm_public_to_jwk(EVP_PKEY *key, char **jwk, tlm_error *error);

/* JWK thumbprint with SHA-256 (RFC 7638): 32 bytes. */
#define TLM_THUMBPRINT_SIZE 32U
TLM_CHECKED tlm_result tlm_public_thumbprint(EVP_PKEY *key,
                                             unsigned char thumbprint[TLM_THUMBPRINT_SIZE],
                                             tlm_error *error);

/* Base64url without padding (RFC 7515 section 2) as a new string; hex as lower case digits. */
char *tlm_base64url_encode(const void *data, size_t size);
char *tlm_hex_encode(const void *data, size_t size);
/* Strict: no padding, no white space, no stray bits in the last digit. The caller frees *data. */
TLM_CHECKED tlm_result tlm_base64url_decode(const char *text, size_t length, unsigned char **data,
                                            size_t *size, tlm_error *error);

/*
 * A self-signed certificate made with the token's key: subject and issuer CN=`name`, valid from
 * `not_before` (seconds since 1970) for `days`, ES256 or RSA with SHA-256. The caller frees it with
 * X509_free.
 */
TLM_CHECKED tlm_result tlm_certificate_self_sign(tlm_key *key, const char *name, long not_before,
                                                 unsigned days, X509 **certificate,
                                                 tlm_error *error);

/* Stores a certificate beside a key (same label and id); TLM_ERR_EXISTS where one is there. */
TLM_CHECKED tlm_result tlm_certificate_store(tlm_key *key, X509 *certificate, tlm_error *error);

/* Finds the certificate with the key's id; TLM_ERR_NOT_FOUND. The caller frees it. */
TLM_CHECKED tlm_result tlm_certificate_find(tlm_key *key, X509 **certificate, tlm_error *error);

#endif
