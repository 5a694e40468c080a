/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's side of an attestation. */
#include "attestation_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include <tlm/file.h>
#include <tlm/key.h>
#include <tlm/secrets.h>

#include "job.h"
#include "key_auth.h"

#define AUTH_MAX 64U

/* A public area as the TPM's database of keys has it: a TPM2B, two bytes of length before it. */
#define TPM2B_HEAD 2U

typedef struct host {
    const tlm_attest_request *request;
    tlm_provision_request provision;
    tlm_job job;
    tlm_ek_kind kind;
    json_t *root;
} host;

static tlm_result give_endorsement_auth(host *work, tlm_error *error)
{
    if (work->request->endorsement_auth_file == NULL) {
        return TLM_OK;
    }
    tlm_secret *auth = NULL;
    tlm_result result =
        tlm_file_read_secret(work->request->endorsement_auth_file, AUTH_MAX, &auth, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t size = tlm_secret_size(auth);
    if (size > 1 && tlm_secret_bytes(auth)[size - 1] == '\n') {
        tlm_secret_shrink(auth, size - 1);
    }
    result = tlm_attest_set_endorsement_auth(work->job.tpm, auth, error);
    tlm_secret_free(&auth);
    return result;
}

/* Opens the TPM, and with `token` what the keys are loaded with. */
static tlm_result begin(host *work, const tlm_attest_request *request, bool token, tlm_error *error)
{
    *work = (host){.request = request, .provision = {.settings = request->settings}};
    tlm_job *job = &work->job;
    tlm_result result = tlm_job_begin(job, &work->provision, error);
    if (result == TLM_OK && token) {
        result = tlm_store_load(job->directory, &job->store, error);
    }
    if (result == TLM_OK && token && job->store.backend != TLM_BACKEND_TPM) {
        result = tlm_error_set(
            error, TLM_ERR_UNSUPPORTED, "an attestation needs a token of the tpm back end",
            "the token in %s is of the softhsm back end: its keys are in no TPM", job->directory);
    }
    if (result == TLM_OK && token) {
        result = tlm_job_lock(job, error);
    }
    if (result == TLM_OK) {
        result = tlm_job_need_tpm(job, error);
    }
    if (result == TLM_OK && token) {
        result = tlm_job_open_secrets(job, error);
    }
    return result == TLM_OK ? give_endorsement_auth(work, error) : result;
}

static void end(host *work)
{
    json_decref(work->root);
    tlm_job_end(&work->job);
}

static tlm_result out_of_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for an attestation");
}

/* Adds a member; takes over the value, which may be NULL for lack of memory. */
static tlm_result put(json_t *object, const char *member, json_t *value, tlm_error *error)
{
    return json_object_set_new(object, member, value) == 0 ? TLM_OK : out_of_memory(error);
}

static tlm_result put_created(host *work, tlm_error *error)
{
    char text[32];
    struct tm parts;
    time_t now = time(NULL);
    if (gmtime_r(&now, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return tlm_error_set(error, TLM_ERR_IO, "set the clock", "the clock cannot be read");
    }
    return put(work->root, "created", json_string(text), error);
}

static tlm_result put_nonce(host *work, tlm_error *error)
{
    if (work->request->nonce == NULL) {
        return TLM_OK;
    }
    tlm_tpm_bytes nonce = {.data = NULL};
    tlm_result result =
        tlm_attestation_from_hex(work->request->nonce, TLM_ATTESTATION_NONCE_MAX, &nonce, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "--nonce");
        return result;
    }
    result = put(work->root, "nonce", tlm_attestation_from_bytes(nonce.data, nonce.size), error);
    tlm_tpm_bytes_clear(&nonce);
    return result;
}

static tlm_result put_tpm(host *work, tlm_error *error)
{
    tlm_tpm_facts facts;
    tlm_result result = tlm_tpm_read_facts(work->job.tpm, &facts, error);
    if (result == TLM_OK && facts.in_lockout) {
        (void)tlm_error_set(error, TLM_ERR_LOCKED, NULL,
                            "the TPM is in lockout: it refuses even right authorizations");
        tlm_error_set_hint(error, "wait %u seconds without trying", facts.recovery_seconds);
        result = TLM_ERR_LOCKED;
    }
    return result == TLM_OK ? put(work->root, "tpm",
                                  json_pack("{s:s, s:s, s:s, s:b}", "manufacturer",
                                            facts.manufacturer, "vendor", facts.vendor, "firmware",
                                            facts.firmware, "simulated", facts.simulated),
                                  error)
                            : result;
}

/* The EK whose certificate the TPM holds; without any, the RSA one. */
static tlm_result choose_ek(host *work, tlm_tpm_bytes *certificate, tlm_error *error)
{
    work->kind = TLM_EK_RSA_2048;
    tlm_result result =
        tlm_attest_read_certificate(work->job.tpm, TLM_EK_RSA_2048, certificate, error);
    if (result != TLM_ERR_NOT_FOUND) {
        return result;
    }
    result = tlm_attest_read_certificate(work->job.tpm, TLM_EK_ECC_P256, certificate, error);
    if (result == TLM_OK) {
        work->kind = TLM_EK_ECC_P256;
    }
    return result == TLM_ERR_NOT_FOUND ? TLM_OK : result;
}

/* Indexes may be larger than the certificates in them. */
static size_t certificate_size(const unsigned char *data, size_t size)
{
    const unsigned char *at = data;
    X509 *certificate = size > 0 ? d2i_X509(NULL, &at, (long)size) : NULL;
    ERR_clear_error();
    X509_free(certificate);
    return certificate != NULL ? (size_t)(at - data) : 0;
}

static tlm_result put_chain(host *work, json_t *ek, tlm_error *error)
{
    tlm_tpm_bytes der = {.data = NULL};
    json_t *chain = json_array();
    tlm_result result =
        chain != NULL ? tlm_attest_read_chain(work->job.tpm, &der, error) : out_of_memory(error);
    for (size_t at = 0; result == TLM_OK && at < der.size;) {
        size_t size = certificate_size(der.data + at, der.size - at);
        if (size == 0 || json_array_size(chain) == TLM_ATTESTATION_CHAIN_MAX) {
            break; /* filling behind the last one */
        }
        if (json_array_append_new(chain, tlm_attestation_from_bytes(der.data + at, size)) != 0) {
            result = out_of_memory(error);
        }
        at += size;
    }
    tlm_tpm_bytes_clear(&der);
    if (result != TLM_OK) {
        json_decref(chain);
        return result;
    }
    return put(ek, "chain", chain, error);
}

static tlm_result put_ek(host *work, tlm_error *error)
{
    tlm_tpm_bytes certificate = {.data = NULL};
    tlm_tpm_bytes area = {.data = NULL};
    json_t *ek = json_object();
    tlm_result result = ek != NULL ? choose_ek(work, &certificate, error) : out_of_memory(error);
    if (result == TLM_OK) {
        result = tlm_attest_ek_public(work->job.tpm, work->kind, &area, error);
    }
    if (result == TLM_OK) {
        result = put(ek, "public", tlm_attestation_from_bytes(area.data, area.size), error);
    }
    size_t size = certificate_size(certificate.data, certificate.size);
    if (result == TLM_OK && size > 0) {
        result = put(ek, "certificate", tlm_attestation_from_bytes(certificate.data, size), error);
    }
    if (result == TLM_OK) {
        result = put_chain(work, ek, error);
    }
    tlm_tpm_bytes_clear(&certificate);
    tlm_tpm_bytes_clear(&area);
    if (result != TLM_OK) {
        json_decref(ek);
        return result;
    }
    return put(work->root, "ek", ek, error);
}

static tlm_result put_ak(host *work, tlm_error *error)
{
    tlm_tpm_bytes area = {.data = NULL};
    tlm_result result = tlm_attest_ak_public(work->job.tpm, &area, error);
    if (result == TLM_OK) {
        result = put(work->root, "ak",
                     json_pack("{s:o}", "public", tlm_attestation_from_bytes(area.data, area.size)),
                     error);
    }
    tlm_tpm_bytes_clear(&area);
    return result;
}

static tlm_result jwk_of(const unsigned char *area, size_t size, json_t **jwk, tlm_error *error)
{
    tlm_wire_public parsed;
    EVP_PKEY *key = NULL;
    char *text = NULL;
    tlm_result result = tlm_wire_read_public(area, size, &parsed, error);
    if (result == TLM_OK) {
        result = tlm_wire_to_key(&parsed, &key, error);
    }
    if (result == TLM_OK) {
        result = tlm_public_to_jwk(key, &text, error);
    }
    if (result == TLM_OK) {
        *jwk = json_loads(text, 0, NULL);
        result = *jwk != NULL ? TLM_OK : out_of_memory(error);
    }
    free(text);
    EVP_PKEY_free(key);
    return result;
}

static tlm_result certify(host *work, const char *label, const tlm_tpm2_key *key,
                          const tlm_secret *auth, json_t *keys, tlm_error *error)
{
    unsigned char digest[TLM_ATTEST_DIGEST_SIZE];
    tlm_tpm_bytes attest = {.data = NULL};
    tlm_tpm_bytes signature = {.data = NULL};
    json_t *jwk = NULL;
    /* The TPM takes copies; its structures have no const. */
    tlm_tpm2_key copy = *key;
    const tlm_attest_parent parent = {.handle = TLM_HANDLE_SRK, .auth = work->job.secrets.tpm_auth};
    const tlm_attest_object object = {.public = {copy.public_area, copy.public_size},
                                      .private = {copy.private_area, copy.private_size},
                                      .auth = auth};
    tlm_result result = tlm_attestation_digest(work->root, label, digest, error);
    if (result == TLM_OK && key->public_size <= TPM2B_HEAD) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, "restore the store from a backup",
                               "the public area of key '%s' is empty", label);
    }
    if (result == TLM_OK) {
        result =
            tlm_attest_certify(work->job.tpm, &parent, &object, digest, &attest, &signature, error);
    }
    if (result == TLM_OK) {
        result = jwk_of(key->public_area + TPM2B_HEAD, key->public_size - TPM2B_HEAD, &jwk, error);
    }
    if (result == TLM_OK &&
        json_array_append_new(
            keys, json_pack("{s:s, s:o, s:o, s:o, s:o}", "label", label, "public",
                            tlm_attestation_from_bytes(key->public_area + TPM2B_HEAD,
                                                       key->public_size - TPM2B_HEAD),
                            "jwk", jwk, "attest",
                            tlm_attestation_from_bytes(attest.data, attest.size), "signature",
                            tlm_attestation_from_bytes(signature.data, signature.size))) != 0) {
        result = out_of_memory(error);
    }
    tlm_tpm_bytes_clear(&attest);
    tlm_tpm_bytes_clear(&signature);
    return result;
}

static tlm_result put_keys(host *work, const tlm_key_auth *auth, tlm_error *error)
{
    static const char *const labels[] = {TLM_SRK_LABEL, TLM_ATTEST_LABEL};
    json_t *keys = json_array();
    tlm_result result = keys != NULL ? TLM_OK : out_of_memory(error);
    for (size_t i = 0; result == TLM_OK && i < sizeof labels / sizeof labels[0]; i++) {
        tlm_tpm2_key key;
        tlm_secret *secret = NULL;
        result = tlm_key_auth_read(auth, labels[i], &key, &secret, error);
        if (result == TLM_OK) {
            result = certify(work, labels[i], &key, secret, keys, error);
        }
        tlm_secret_free(&secret);
    }
    if (result != TLM_OK) {
        json_decref(keys);
        return result;
    }
    return put(work->root, "keys", keys, error);
}

static tlm_result fill(host *work, const tlm_key_auth *auth, tlm_error *error)
{
    work->root =
        json_pack("{s:s, s:i}", "type", TLM_ATTESTATION_TYPE, "version", TLM_ATTESTATION_VERSION);
    tlm_result result = work->root != NULL ? put_created(work, error) : out_of_memory(error);
    if (result == TLM_OK) {
        result = put_nonce(work, error);
    }
    if (result == TLM_OK) {
        result = put_tpm(work, error);
    }
    if (result == TLM_OK) {
        result = put_ek(work, error);
    }
    if (result == TLM_OK) {
        result = put_ak(work, error);
    }
    /* Last: the statements about the keys hold a digest of all the rest. */
    return result == TLM_OK ? put_keys(work, auth, error) : result;
}

static tlm_result dump(const json_t *root, char **text, tlm_error *error)
{
    char *body = json_dumps(root, JSON_INDENT(2));
    char *made = NULL;
    int length = body != NULL ? asprintf(&made, "%s\n", body) : -1;
    free(body);
    if (length < 0) {
        return out_of_memory(error);
    }
    *text = made;
    return TLM_OK;
}

tlm_result tlm_attest_make(const tlm_attest_request *request, char **text, tlm_error *error)
{
    host work;
    tlm_key_auth auth = {.rows = NULL};
    tlm_result result = begin(&work, request, true, error);
    if (result == TLM_OK) {
        result = tlm_key_auth_open(&work.job, &auth, error);
    }
    if (result == TLM_OK) {
        result = fill(&work, &auth, error);
    }
    if (result == TLM_OK) {
        result = dump(work.root, text, error);
    }
    tlm_key_auth_close(&auth);
    end(&work);
    return result;
}

static tlm_result read_name(const json_t *root, const char *member, tlm_tpm_name *name,
                            tlm_error *error)
{
    const char *text = NULL;
    tlm_tpm_bytes bytes = {.data = NULL};
    tlm_result result = tlm_attestation_get_text(root, member, &text, error);
    if (result == TLM_OK &&
        tlm_attestation_from_hex(text, sizeof name->bytes, &bytes, NULL) != TLM_OK) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "its member '%s' is no name", member);
    }
    if (result == TLM_OK) {
        memcpy(name->bytes, bytes.data, bytes.size);
        name->size = bytes.size;
    }
    tlm_tpm_bytes_clear(&bytes);
    return result;
}

static tlm_result parse_challenge(const char *text, size_t size, host *work,
                                  tlm_attest_credential *credential, tlm_error *error)
{
    static const char *const members[] = {"type",     "version",         "ek", "ekName", "akName",
                                          "idObject", "encryptedSecret", NULL};
    const char *ek = NULL;
    json_t *root = NULL;
    tlm_result result =
        tlm_attestation_read_json(text, size, TLM_CHALLENGE_TYPE, members, &root, error);
    if (result == TLM_OK) {
        result = tlm_attestation_get_text(root, "ek", &ek, error);
    }
    if (result == TLM_OK) {
        work->kind = strcmp(ek, "P-256") == 0 ? TLM_EK_ECC_P256 : TLM_EK_RSA_2048;
        result = read_name(root, "ekName", &credential->ek, error);
    }
    if (result == TLM_OK) {
        result = read_name(root, "akName", &credential->ak, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(root, "idObject", &credential->id_object, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(root, "encryptedSecret", &credential->secret, error);
    }
    json_decref(root);
    return result;
}

static tlm_result read_challenge(const char *path, host *work, tlm_attest_credential *credential,
                                 tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, TLM_ATTESTATION_FILE_MAX, &text, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    result = parse_challenge(text, size, work, credential, error);
    free(text);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s is no challenge", path);
    }
    return result;
}

static tlm_result activate(host *work, const tlm_attest_credential *credential, char **text,
                           tlm_error *error)
{
    tlm_secret *secret = NULL;
    char name[2 * TLM_TPM_NAME_MAX + 1];
    tlm_result result = tlm_attest_activate(work->job.tpm, work->kind, credential, &secret, error);
    if (result == TLM_OK) {
        tlm_tpm_name_text(&credential->ak, name);
        work->root = json_pack(
            "{s:s, s:i, s:s, s:o}", "type", TLM_ANSWER_TYPE, "version", TLM_ATTESTATION_VERSION,
            "akName", name, "secret",
            tlm_attestation_from_bytes(tlm_secret_bytes(secret), tlm_secret_size(secret)));
        result = work->root != NULL ? dump(work->root, text, error) : out_of_memory(error);
    }
    tlm_secret_free(&secret);
    return result;
}

tlm_result tlm_attest_answer(const tlm_attest_request *request, const char *challenge, char **text,
                             tlm_error *error)
{
    host work;
    tlm_attest_credential credential = {.id_object = {.data = NULL}};
    tlm_result result = begin(&work, request, false, error);
    if (result == TLM_OK) {
        result = read_challenge(challenge, &work, &credential, error);
    }
    if (result == TLM_OK) {
        result = activate(&work, &credential, text, error);
    }
    tlm_tpm_bytes_clear(&credential.id_object);
    tlm_tpm_bytes_clear(&credential.secret);
    end(&work);
    return result;
}
