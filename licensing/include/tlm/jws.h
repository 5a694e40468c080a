/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_JWS_H
#define TLM_JWS_H

/*
 * JWS in compact serialization (RFC 7515 section 7.1), signed with ES256, ES384, RS256 or PS256.
 *
 * Parsing is strict: three parts in canonical base64url, a header of exactly `alg`, `kid` and `typ`
 * and no other member, so that no text brings its own key (jwk, jku, x5c, x5u), asks for an
 * extension (crit, b64), or is unsigned (alg none). Nothing in a parsed JWS is to be believed
 * before tlm_jws_verify. Which algorithm counts is the trusted key's word, never the text's.
 *
 *     tlm_jws *jws = NULL;
 *     const tlm_trust_key *key = NULL;
 *     result = tlm_jws_parse(text, size, TLM_LICENSE_MAX, &jws, &error);
 *     if (result == TLM_OK) {
 *         result = tlm_trust_issuer(trust, tlm_jws_get_header(jws)->kid, &key, &error);
 *     }
 *     if (result == TLM_OK) {
 *         result = tlm_jws_verify(jws, key->jwk, key->alg, &error);
 *     }
 *     claims = tlm_jws_claims(jws);
 *     tlm_jws_free(&jws);
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <tlm/key.h>
#include <tlm/result.h>

/* Longest `kid`, `typ` and `alg` of a header, in bytes. */
#define TLM_JWS_TEXT_MAX 256U

/* Deepest nesting of a JSON text that is accepted. */
#define TLM_JSON_DEPTH_MAX 32U

typedef struct tlm_jws tlm_jws;

typedef struct tlm_jws_header {
    const char *alg;
    const char *kid;
    const char *typ;
} tlm_jws_header;

/*
 * Parses a compact JWS of at most `max` bytes whose payload is one JSON object without repeated
 * members, in UTF-8, not nested deeper than TLM_JSON_DEPTH_MAX. TLM_ERR_TOO_LARGE over `max`,
 * TLM_ERR_UNSUPPORTED for an `alg` that is none of the four and for header members beyond the
 * three, TLM_ERR_FORMAT for everything else. Blanks and line ends around the text are not counted.
 * The caller frees it.
 */
TLM_CHECKED tlm_result tlm_jws_parse(const char *text, size_t size, size_t max, tlm_jws **jws,
                                     tlm_error *error);
void tlm_jws_free(tlm_jws **jws);

/* What was parsed, owned by the JWS. The text is the compact one, without blanks around it. */
const tlm_jws_header *tlm_jws_get_header(const tlm_jws *jws);
const json_t *tlm_jws_claims(const tlm_jws *jws);
const char *tlm_jws_text(const tlm_jws *jws);

/*
 * Verifies the signature (RFC 7515 section 5.2) with a public key as JWK. `alg` is the one that the
 * key is for; another one in the header is TLM_ERR_SIGNATURE, as is a signature that does not fit.
 */
TLM_CHECKED tlm_result tlm_jws_verify(const tlm_jws *jws, const json_t *jwk, const char *alg,
                                      tlm_error *error);

/*
 * Makes a signature over `data` in the form that JWA has (RFC 7518 section 3). `signature` has room
 * for TLM_SIGNATURE_MAX bytes.
 */
typedef tlm_result (*tlm_jws_sign)(void *context, const char *alg, const void *data, size_t size,
                                   unsigned char *signature, size_t *signature_size,
                                   tlm_error *error);

/* Signs with a private key in memory (context: EVP_PKEY), and with a token's (context: tlm_key). */
tlm_result tlm_jws_sign_pkey(void *context, const char *alg, const void *data, size_t size,
                             unsigned char *signature, size_t *signature_size, tlm_error *error);
tlm_result tlm_jws_sign_token(void *context, const char *alg, const void *data, size_t size,
                              unsigned char *signature, size_t *signature_size, tlm_error *error);

/*
 * Signs `claims`, written compact with sorted members. All three members of the header are needed.
 * The caller frees the text with free().
 */
TLM_CHECKED tlm_result tlm_jws_make(const tlm_jws_header *header, const json_t *claims,
                                    tlm_jws_sign sign, void *context, char **text,
                                    tlm_error *error);

/* The algorithm that fits a key: ES256, ES384, or PS256 for RSA; NULL for other keys. */
const char *tlm_jws_algorithm_of(EVP_PKEY *key);

#endif
