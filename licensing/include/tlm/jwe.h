/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_JWE_H
#define TLM_JWE_H

/*
 * JWE in compact serialization (RFC 7516 section 7.1), content encryption A256GCM.
 *
 * Parsing is strict: five parts in canonical base64url, a header without duplicate members, no
 * compression, no critical extension. So there is one text for one content, and every changed or
 * missing byte is refused. How the content key gets to the recipient is the caller's: wrapped by a
 * token's key, or agreed beforehand ("dir").
 *
 *     tlm_jwe *jwe = NULL;
 *     if (tlm_jwe_parse(text, size, &jwe, &error) != TLM_OK) { … }
 *     result = tlm_key_decrypt_oaep(srk, tlm_jwe_encrypted_key(jwe), tlm_jwe_encrypted_size(jwe),
 *                                   &cek, &error);
 *     result = tlm_jwe_open(jwe, cek, &plain, &error);
 *     …
 *     tlm_secret_free(&plain);
 *     tlm_secret_free(&cek);
 *     tlm_jwe_free(&jwe);
 */

#include <stddef.h>

#include <tlm/result.h>
#include <tlm/secret.h>

/* Largest compact text, in bytes. */
#define TLM_JWE_MAX 65536U
/* Largest plain text that fits one. */
#define TLM_JWE_PLAIN_MAX 45056U
/* Size of a content key of A256GCM. */
#define TLM_JWE_CEK_SIZE 32U

#define TLM_JWE_ALG_RSA_OAEP_256 "RSA-OAEP-256"
#define TLM_JWE_ALG_DIR "dir"
#define TLM_JWE_ENC_A256GCM "A256GCM"

typedef struct tlm_jwe tlm_jwe;

/* Members of the protected header; NULL where there is none. */
typedef struct tlm_jwe_header {
    const char *alg;
    const char *enc;
    const char *kid;
    const char *typ;
    const char *cty;
} tlm_jwe_header;

/*
 * Parses a compact JWE of `size` bytes; the caller frees it. TLM_ERR_TOO_LARGE over TLM_JWE_MAX,
 * TLM_ERR_FORMAT for anything that is not exactly such a text, TLM_ERR_UNSUPPORTED for `zip`,
 * `crit` and another `enc` than A256GCM. Nothing is decrypted.
 */
TLM_CHECKED tlm_result tlm_jwe_parse(const char *text, size_t size, tlm_jwe **jwe,
                                     tlm_error *error);

/* The same for a text of at most `max` bytes; what it holds is read by tlm_jwe_open_bytes. */
TLM_CHECKED tlm_result tlm_jwe_parse_large(const char *text, size_t size, size_t max, tlm_jwe **jwe,
                                           tlm_error *error);
void tlm_jwe_free(tlm_jwe **jwe);

/* What was parsed, owned by the JWE. The encrypted key of "dir" has size 0. */
const tlm_jwe_header *tlm_jwe_get_header(const tlm_jwe *jwe);
const unsigned char *tlm_jwe_encrypted_key(const tlm_jwe *jwe);
size_t tlm_jwe_encrypted_size(const tlm_jwe *jwe);

/*
 * Decrypts and verifies the content (RFC 7516 section 5.2, steps 14 to 17). `cek` has
 * TLM_JWE_CEK_SIZE bytes. TLM_ERR_DAMAGED where header, content or key are not the ones that were
 * sealed together. The caller frees `plain`.
 */
TLM_CHECKED tlm_result tlm_jwe_open(const tlm_jwe *jwe, const tlm_secret *cek, tlm_secret **plain,
                                    tlm_error *error);

/*
 * The same into ordinary memory, for content that is too large for a secret and need not be one. A
 * zero byte stands behind the last one. It is wiped and freed by the caller.
 */
TLM_CHECKED tlm_result tlm_jwe_open_bytes(const tlm_jwe *jwe, const tlm_secret *cek,
                                          unsigned char **plain, size_t *size, tlm_error *error);

/*
 * Seals `plain` (at most TLM_JWE_PLAIN_MAX bytes) with `cek` under a fresh nonce; `enc` is always
 * A256GCM. `encrypted_key` is put into the text as it is (size 0 for "dir"). The caller frees the
 * text with free().
 */
TLM_CHECKED tlm_result tlm_jwe_seal(const tlm_jwe_header *header,
                                    const unsigned char *encrypted_key, size_t encrypted_size,
                                    const tlm_secret *cek, const tlm_secret *plain, char **text,
                                    tlm_error *error);

/* The same for content in ordinary memory, of any size. */
TLM_CHECKED tlm_result tlm_jwe_seal_bytes(const tlm_jwe_header *header,
                                          const unsigned char *encrypted_key, size_t encrypted_size,
                                          const tlm_secret *cek, const void *plain, size_t size,
                                          char **text, tlm_error *error);

#endif
