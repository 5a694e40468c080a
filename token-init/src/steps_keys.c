/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps from a token that can be logged in to up to the end. */
#include "steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/file.h>
#include <tlm/log.h>
#include <tlm/raw_token.h>

#define RSA_BITS_USUAL 2048U
#define RSA_BITS_BETTER 3072U
#define CERTIFICATE_DAYS 7305U /* 20 years */

static tlm_result remove_nameless(tlm_raw_token *raw, tlm_error *error)
{
    size_t removed = 0;
    tlm_result result = tlm_raw_remove_nameless(raw, &removed, error);
    if (removed > 0) {
        tlm_log(TLM_LOG_WARNING, "torn_object_removed", "count=%zu", removed);
    }
    return result;
}

/*
 * Whether the pair is there whole. A run that was killed between two C_CreateObject leaves half of
 * it, or an object without a name, which nobody has used yet: it is removed.
 */
static tlm_result clear_halves(tlm_job *job, const char *label, bool *whole, tlm_error *error)
{
    tlm_raw_token *raw = NULL;
    tlm_raw_census census = {0};
    *whole = false;
    tlm_result result = tlm_job_need_module(job, error);
    if (result == TLM_OK) {
        result = tlm_raw_open(job->store.module, &raw, error);
    }
    if (result == TLM_OK) {
        result = tlm_raw_login(raw, job->store.label, job->secrets.user_pin, error);
    }
    if (result == TLM_OK && !job->store.complete) {
        result = remove_nameless(raw, error);
    }
    if (result == TLM_OK) {
        result = tlm_raw_count(raw, label, &census, error);
    }
    if (result == TLM_OK) {
        *whole = census.private_keys == 1 && census.public_keys == 1;
    }
    if (result == TLM_OK && !*whole && census.private_keys + census.public_keys > 0) {
        tlm_log(TLM_LOG_WARNING, "half_key_removed", "label=%s private=%zu public=%zu", label,
                census.private_keys, census.public_keys);
        result = tlm_raw_remove(raw, label, error);
    }
    tlm_raw_close(&raw);
    return result;
}

static tlm_result choose_bits(tlm_job *job, tlm_error *error)
{
    job->rsa_bits = job->request->rsa_bits;
    if (job->rsa_bits != 0) {
        return TLM_OK;
    }
    job->rsa_bits = RSA_BITS_USUAL;
    if (job->store.backend != TLM_BACKEND_TPM) {
        return TLM_OK;
    }
    tlm_result result = tlm_job_need_tpm(job, error);
    if (result == TLM_OK && tlm_tpm_can_rsa(job->tpm, RSA_BITS_BETTER)) {
        job->rsa_bits = RSA_BITS_BETTER;
    }
    return result;
}

/* What the TPM can the module may still refuse: nobody asked for the larger key. */
static tlm_result generate_srk(tlm_job *job, tlm_key **key, tlm_error *error)
{
    tlm_result result =
        tlm_key_generate_rsa(job->token, job->rsa_bits, TLM_SRK_LABEL, TLM_SRK_ID, key, error);
    if (result != TLM_ERR_UNSUPPORTED || job->request->rsa_bits != 0 ||
        job->rsa_bits == RSA_BITS_USUAL) {
        return result;
    }
    tlm_log(TLM_LOG_WARNING, "rsa_bits_refused", "bits=%u instead=%u", job->rsa_bits,
            RSA_BITS_USUAL);
    job->rsa_bits = RSA_BITS_USUAL;
    return tlm_key_generate_rsa(job->token, job->rsa_bits, TLM_SRK_LABEL, TLM_SRK_ID, key, error);
}

tlm_result tlm_step_srk(tlm_job *job, tlm_error *error)
{
    bool whole = false;
    tlm_key *key = NULL;
    tlm_result result = clear_halves(job, TLM_SRK_LABEL, &whole, error);
    if (result != TLM_OK || whole) {
        return result;
    }
    result = choose_bits(job, error);
    if (result == TLM_OK) {
        result = tlm_job_need_token(job, error);
    }
    if (result == TLM_OK) {
        result = generate_srk(job, &key, error);
    }
    tlm_key_free(&key);
    tlm_job_close_token(job);
    return result;
}

tlm_result tlm_step_attest(tlm_job *job, tlm_error *error)
{
    bool whole = false;
    tlm_key *key = NULL;
    tlm_result result = clear_halves(job, TLM_ATTEST_LABEL, &whole, error);
    if (result != TLM_OK || whole) {
        return result;
    }
    result = tlm_job_need_token(job, error);
    if (result == TLM_OK) {
        result = tlm_key_generate_p256(job->token, TLM_ATTEST_LABEL, TLM_ATTEST_ID, &key, error);
    }
    tlm_key_free(&key);
    tlm_job_close_token(job);
    return result;
}

/* Fills job->store.thumbprint from the root key; the token is open. */
static tlm_result read_thumbprint(tlm_job *job, tlm_error *error)
{
    if (job->store.thumbprint != NULL) {
        return TLM_OK;
    }
    tlm_key *key = NULL;
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_result result = tlm_key_find(job->token, TLM_SRK_LABEL, &key, error);
    if (result == TLM_OK) {
        result = tlm_public_thumbprint(tlm_key_public(key), thumbprint, error);
    }
    tlm_key_free(&key);
    if (result != TLM_OK) {
        return result;
    }
    job->store.thumbprint = tlm_hex_encode(thumbprint, sizeof thumbprint);
    if (job->store.thumbprint == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the thumbprint");
    }
    return TLM_OK;
}

static tlm_result certify(tlm_key *key, const char *name, tlm_error *error)
{
    X509 *certificate = NULL;
    tlm_result result = tlm_certificate_find(key, &certificate, NULL);
    if (result == TLM_OK) {
        X509_free(certificate);
        return TLM_OK;
    }
    result = tlm_certificate_self_sign(key, name, (long)time(NULL), CERTIFICATE_DAYS, &certificate,
                                       error);
    if (result == TLM_OK) {
        result = tlm_certificate_store(key, certificate, error);
    }
    X509_free(certificate);
    return result;
}

static tlm_result add_certificate(tlm_job *job, const char *label, tlm_error *error)
{
    tlm_key *key = NULL;
    char name[64];
    /* A fresh login: the private keys of one login fill the TPM's three slots. */
    tlm_result result = tlm_job_need_token(job, error);
    if (result == TLM_OK) {
        result = read_thumbprint(job, error);
    }
    if (result == TLM_OK) {
        (void)snprintf(name, sizeof name, "%s %.16s", label, job->store.thumbprint);
        result = tlm_key_find(job->token, label, &key, error);
    }
    if (result == TLM_OK) {
        result = certify(key, name, error);
    }
    tlm_key_free(&key);
    tlm_job_close_token(job);
    return result;
}

tlm_result tlm_step_srk_certificate(tlm_job *job, tlm_error *error)
{
    return add_certificate(job, TLM_SRK_LABEL, error);
}

tlm_result tlm_step_attest_certificate(tlm_job *job, tlm_error *error)
{
    return add_certificate(job, TLM_ATTEST_LABEL, error);
}

tlm_result tlm_step_public(tlm_job *job, tlm_error *error)
{
    tlm_key *key = NULL;
    char *pem = NULL;
    char *path = tlm_path_join(job->directory, "srk.pem");
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a path");
    }
    tlm_result result = tlm_job_need_token(job, error);
    if (result == TLM_OK) {
        result = tlm_key_find(job->token, TLM_SRK_LABEL, &key, error);
    }
    if (result == TLM_OK) {
        result = tlm_public_to_pem(tlm_key_public(key), &pem, error);
    }
    if (result == TLM_OK) {
        result = tlm_file_replace(path, pem, strlen(pem), 0644, error);
    }
    free(pem);
    free(path);
    tlm_key_free(&key);
    return result;
}

static tlm_result check_srk(tlm_job *job, tlm_error *error)
{
    static const char text[] = "what is encrypted to this host can be read on it";
    unsigned char cipher[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_key *key = NULL;
    tlm_secret *plain = NULL;
    tlm_result result = tlm_key_find(job->token, TLM_SRK_LABEL, &key, error);
    if (result == TLM_OK) {
        result =
            tlm_public_encrypt_oaep(tlm_key_public(key), text, sizeof text, cipher, &size, error);
    }
    if (result == TLM_OK) {
        result = tlm_key_decrypt_oaep(key, cipher, size, &plain, error);
    }
    if (result == TLM_OK && (tlm_secret_size(plain) != sizeof text ||
                             memcmp(tlm_secret_bytes(plain), text, sizeof text) != 0)) {
        result = tlm_error_set(error, TLM_ERR_CRYPTO, "run: tlm-token-init doctor",
                               "%s decrypts to something else than was encrypted", TLM_SRK_LABEL);
    }
    tlm_secret_free(&plain);
    tlm_key_free(&key);
    return result;
}

static tlm_result check_attest(tlm_job *job, tlm_error *error)
{
    static const char text[] = "what this host signs can be verified anywhere";
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = sizeof signature;
    tlm_key *key = NULL;
    tlm_result result = tlm_key_find(job->token, TLM_ATTEST_LABEL, &key, error);
    if (result == TLM_OK) {
        result = tlm_key_sign(key, TLM_JWA_ES256, text, sizeof text, signature, &size, error);
    }
    if (result == TLM_OK) {
        result = tlm_public_verify(tlm_key_public(key), TLM_JWA_ES256, text, sizeof text, signature,
                                   size, error);
    }
    tlm_key_free(&key);
    return result;
}

tlm_result tlm_step_check(tlm_job *job, tlm_error *error)
{
    tlm_result result = tlm_job_need_token(job, error);
    if (result == TLM_OK) {
        result = check_srk(job, error);
    }
    if (result == TLM_OK) {
        result = check_attest(job, error);
    }
    if (result == TLM_OK) {
        result = read_thumbprint(job, error);
    }
    tlm_job_close_token(job);
    return result;
}

tlm_result tlm_step_complete(tlm_job *job, tlm_error *error)
{
    job->store.complete = true;
    return tlm_store_save(&job->store, error);
}
