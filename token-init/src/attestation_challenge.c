/* SPDX-License-Identifier: BSD-2-Clause */
/* The vendor's side of the challenge; the host's side is in attest.c. */
#include "attestation_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <tlm/key.h>

#include "credential.h"

/* Names of EK and AK as hexadecimal digits. */
typedef struct names {
    tlm_wire_public ek;
    tlm_wire_public ak;
    char ek_name[2 * TLM_TPM_NAME_MAX + 1];
    char ak_name[2 * TLM_TPM_NAME_MAX + 1];
} names;

static tlm_result read_names(const tlm_attestation *attestation, names *of, tlm_error *error)
{
    tlm_result result =
        tlm_wire_read_public(attestation->ek_area.data, attestation->ek_area.size, &of->ek, error);
    if (result == TLM_OK) {
        result = tlm_wire_read_public(attestation->ak_area.data, attestation->ak_area.size, &of->ak,
                                      error);
    }
    if (result == TLM_OK) {
        tlm_tpm_name_text(&of->ek.name, of->ek_name);
        tlm_tpm_name_text(&of->ak.name, of->ak_name);
    }
    return result;
}

static tlm_result dump(json_t *object, char **text, tlm_error *error)
{
    char *made = object != NULL ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a challenge");
    }
    *text = made;
    return TLM_OK;
}

tlm_result tlm_attestation_challenge(const tlm_attestation *attestation, char **challenge,
                                     char **expected, tlm_error *error)
{
    names of;
    tlm_credential credential;
    unsigned char secret[TLM_CREDENTIAL_SECRET_SIZE];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *first = NULL;
    tlm_result result = read_names(attestation, &of, error);
    if (result == TLM_OK && RAND_priv_bytes(secret, sizeof secret) != 1) {
        ERR_clear_error();
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "there are no random bytes");
    }
    if (result == TLM_OK) {
        result = tlm_credential_make(&of.ek, &of.ak.name, secret, &credential, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    /* The digest is kept and not the secret: what lies at the vendor's answers nothing. */
    (void)SHA256(secret, sizeof secret, digest);
    OPENSSL_cleanse(secret, sizeof secret);
    result =
        dump(json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o}", "type", TLM_CHALLENGE_TYPE, "version",
                       TLM_ATTESTATION_VERSION, "ek",
                       of.ek.type == TLM_WIRE_ALG_RSA ? "RSA-2048" : "P-256", "ekName", of.ek_name,
                       "akName", of.ak_name, "idObject",
                       tlm_attestation_from_bytes(credential.id_object, credential.id_size),
                       "encryptedSecret",
                       tlm_attestation_from_bytes(credential.encrypted, credential.encrypted_size)),
             &first, error);
    if (result == TLM_OK) {
        result = dump(json_pack("{s:s, s:i, s:s, s:s, s:o}", "type", TLM_EXPECTED_TYPE, "version",
                                TLM_ATTESTATION_VERSION, "ekName", of.ek_name, "akName", of.ak_name,
                                "sha256", tlm_attestation_from_bytes(digest, sizeof digest)),
                      expected, error);
    }
    if (result != TLM_OK) {
        free(first);
        return result;
    }
    *challenge = first;
    return TLM_OK;
}

/* Whether the text names this key. */
static tlm_result check_name(const json_t *root, const char *member, const char *name,
                             const char *what, tlm_error *error)
{
    const char *text = NULL;
    tlm_result result = tlm_attestation_get_text(root, member, &text, error);
    if (result == TLM_OK && strcmp(text, name) != 0) {
        result = tlm_error_set(error, TLM_ERR_FOREIGN,
                               "give attestation, answer and secret file of the same host",
                               "%s belongs to the attestation of another TPM", what);
    }
    return result;
}

static tlm_result compare(const json_t *answer, const json_t *expected, tlm_error *error)
{
    tlm_tpm_bytes secret = {.data = NULL};
    tlm_tpm_bytes kept = {.data = NULL};
    unsigned char digest[SHA256_DIGEST_LENGTH];
    tlm_result result = tlm_attestation_get_bytes(answer, "secret", &secret, error);
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(expected, "sha256", &kept, error);
    }
    if (result == TLM_OK) {
        (void)SHA256(secret.data, secret.size, digest);
        if (kept.size != sizeof digest || CRYPTO_memcmp(kept.data, digest, sizeof digest) != 0) {
            result = tlm_error_set(error, TLM_ERR_SIGNATURE,
                                   "make a new challenge, and have it "
                                   "answered on the host",
                                   "the answer is wrong: the attestation key is not shown to be in "
                                   "the TPM of this endorsement key");
        }
    }
    tlm_tpm_bytes_clear(&secret);
    tlm_tpm_bytes_clear(&kept);
    return result;
}

tlm_result tlm_attestation_check_answer(const tlm_attestation *attestation, const char *answer,
                                        size_t answer_size, const char *expected,
                                        size_t expected_size, tlm_error *error)
{
    static const char *const answer_members[] = {"type", "version", "akName", "secret", NULL};
    static const char *const expected_members[] = {"type",   "version", "ekName",
                                                   "akName", "sha256",  NULL};
    names of;
    json_t *given = NULL;
    json_t *kept = NULL;
    tlm_result result = read_names(attestation, &of, error);
    if (result == TLM_OK) {
        result = tlm_attestation_read_json(answer, answer_size, TLM_ANSWER_TYPE, answer_members,
                                           &given, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_read_json(expected, expected_size, TLM_EXPECTED_TYPE,
                                           expected_members, &kept, error);
    }
    if (result == TLM_OK) {
        result = check_name(kept, "ekName", of.ek_name, "the secret file", error);
    }
    if (result == TLM_OK) {
        result = check_name(kept, "akName", of.ak_name, "the secret file", error);
    }
    if (result == TLM_OK) {
        result = check_name(given, "akName", of.ak_name, "the answer", error);
    }
    if (result == TLM_OK) {
        result = compare(given, kept, error);
    }
    json_decref(given);
    json_decref(kept);
    return result;
}
