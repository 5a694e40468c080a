/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_HOST_FILE_H
#define TLM_ISSUE_HOST_FILE_H

/*
 * What a host sends its vendor: a request (`tlm request`), or an answer of /fingerprint or
 * /fingerprint/fallback that was saved.
 *
 *     tlm_host_file *host = NULL;
 *     result = tlm_host_file_read("host.json", &host, &error);
 *     printf("%s\n", host->primary.fingerprint);
 *     tlm_host_file_free(&host);
 */

#include <stdbool.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <tlm/fingerprint.h>
#include <tlm/result.h>

#define TLM_HOST_FILE_MAX 262144U

/* One fingerprint and the key that it comes with. */
typedef struct tlm_host_identity {
    tlm_fingerprint_type type;
    char fingerprint[65];
    char kid[44];
    bool hardware_bound;
    unsigned components; /* of a fallback: how many it was made of */
    EVP_PKEY *key;       /* NULL where there is no such identity */
} tlm_host_identity;

typedef struct tlm_host_file {
    char *path;
    tlm_host_identity primary;
    tlm_host_identity fallback; /* of a request that has one */
    json_t *keys;               /* JWKS of a request; NULL elsewhere */
} tlm_host_file;

/*
 * TLM_ERR_FORMAT where it is none of these, TLM_ERR_DAMAGED where fingerprint, kid, key and
 * components do not belong together. The caller frees it.
 */
TLM_CHECKED tlm_result tlm_host_file_read(const char *path, tlm_host_file **host, tlm_error *error);
TLM_CHECKED tlm_result tlm_host_file_parse(const char *text, size_t size, const char *path,
                                           tlm_host_file **host, tlm_error *error);
void tlm_host_file_free(tlm_host_file **host);

/* Whether an object looks like a request or like an answer of /fingerprint. */
bool tlm_host_file_is_request(const json_t *object);
bool tlm_host_file_is_fingerprint(const json_t *object);

/* The identity of that fingerprint, or NULL. */
const tlm_host_identity *tlm_host_file_find(const tlm_host_file *host, const char *fingerprint);

/*
 * Whether a license bound to `fingerprint`, and to `type` as the least that is accepted, fits the
 * identity: TLM_ERR_FOREIGN says what does not.
 */
TLM_CHECKED tlm_result tlm_host_identity_check(const tlm_host_identity *identity,
                                               tlm_fingerprint_type type, const char *fingerprint,
                                               tlm_error *error);

/* "tpm", "token" or "fallback" to its type; false for another word. */
bool tlm_host_type_parse(const char *name, tlm_fingerprint_type *type);

/* The name of a type, which tlm_fingerprint_type_name of the licensing library has, too. */
const char *tlm_host_type_name(tlm_fingerprint_type type);

#endif
