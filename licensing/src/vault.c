/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/vault.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include <tlm/file.h>
#include <tlm/jwe.h>
#include <tlm/key.h>

#include "json_private.h"
#include "jwe_private.h"
#include "local_key_private.h"
#include "text_private.h"

#define PEM_MAX 2048U

tlm_result tlm_vault_make(const char *storage_id, EVP_PKEY *public_key, tlm_vault *vault,
                          tlm_error *error)
{
    tlm_vault made = {0};
    tlm_text_copy(made.storage_id, sizeof made.storage_id, storage_id);
    tlm_result result = TLM_OK;
    if (!tlm_instant_make(time(NULL), made.created) || RAND_bytes(made.salt, TLM_SALT_SIZE) != 1) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, "set the system's clock: date",
                             "no random bytes, or no usable clock, for a vault");
    }
    result = tlm_public_to_pem(public_key, &made.srk_public_key, error);
    if (result == TLM_OK) {
        result = tlm_local_key_make(&made.local, error);
    }
    if (result != TLM_OK) {
        tlm_vault_clear(&made);
        return result;
    }
    *vault = made;
    return TLM_OK;
}

static tlm_result payload_of(const tlm_vault *vault, tlm_secret **payload, tlm_error *error)
{
    tlm_json_protect();
    tlm_secret *pem = NULL;
    tlm_result result = tlm_local_key_to_pem(vault->local, &pem, error);
    if (result != TLM_OK) {
        return result;
    }
    char *salt = tlm_base64url_encode(vault->salt, sizeof vault->salt);
    /* As old as it can be: an older program opens a vault that has nothing new for it. */
    bool ledger = vault->ledger[0] != '\0';
    json_t *members = salt == NULL
                          ? NULL
                          : json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s*}", "version",
                                      ledger ? 2 : 1, "storageId", vault->storage_id, "localKey",
                                      (const char *)tlm_secret_bytes(pem), "srkPublicKey",
                                      vault->srk_public_key, "salt", salt, "created",
                                      vault->created, "ledger", ledger ? vault->ledger : NULL);
    free(salt);
    tlm_secret_free(&pem);
    result = tlm_json_dump(members, payload, error);
    json_decref(members);
    return result;
}

static tlm_jwe_header header_for(const char *storage_id)
{
    return (tlm_jwe_header){
        .alg = TLM_JWE_ALG_DIR, .kid = storage_id, .typ = TLM_VAULT_TYPE, .cty = "json"};
}

tlm_result tlm_vault_seal(const tlm_vault *vault, const tlm_secret *key, char **text,
                          tlm_error *error)
{
    tlm_secret *payload = NULL;
    tlm_result result = payload_of(vault, &payload, error);
    if (result == TLM_OK) {
        const tlm_jwe_header header = header_for(vault->storage_id);
        result = tlm_jwe_seal(&header, NULL, 0, key, payload, text, error);
    }
    tlm_secret_free(&payload);
    return result;
}

static tlm_result damaged(tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED, NULL, "%s: %s", TLM_VAULT_FILE, what);
}

static tlm_result read_salt(const char *text, tlm_vault *to, tlm_error *error)
{
    unsigned char *salt = NULL;
    size_t size = 0;
    tlm_result result = tlm_base64url_decode(text, strlen(text), &salt, &size, error);
    if (result == TLM_OK && size == TLM_SALT_SIZE) {
        memcpy(to->salt, salt, TLM_SALT_SIZE);
    } else if (result != TLM_ERR_MEMORY) {
        result = damaged(error, "its salt is not of 32 bytes");
    }
    free(salt);
    return result;
}

static const char *const member_names[] = {"version", "storageId", "localKey", "srkPublicKey",
                                           "salt",    "created",   "ledger"};
#define MEMBERS (sizeof member_names / sizeof *member_names)

/* Version 1 has all but the last one, version 2 may have that, too. */
static bool has_its_members(const json_t *members, json_int_t version)
{
    return tlm_json_only(members, member_names, MEMBERS - 1) ||
           (version >= 2 && tlm_json_only(members, member_names, MEMBERS));
}

/* Copies the ledger's id where there is one; false where it is none. */
static bool read_ledger(const json_t *members, tlm_vault *to)
{
    const json_t *ledger = json_object_get(members, "ledger");
    const char *id = tlm_json_member(members, "ledger", TLM_UUID_SIZE - 1);
    if (ledger == NULL) {
        return true;
    }
    if (id == NULL || !tlm_uuid_valid(id, strlen(id))) {
        return false;
    }
    tlm_text_copy(to->ledger, sizeof to->ledger, id);
    return true;
}

static tlm_result fill(const json_t *members, tlm_vault *to, tlm_error *error)
{
    const json_t *version = json_object_get(members, "version");
    if (!json_is_integer(version) || json_integer_value(version) < 1) {
        return damaged(error, "it has no version");
    }
    if (json_integer_value(version) > TLM_VAULT_VERSION) {
        return tlm_error_set(error, TLM_ERR_NEWER, "install the newer program again",
                             "%s has version %" JSON_INTEGER_FORMAT
                             ", this program knows version %d",
                             TLM_VAULT_FILE, json_integer_value(version), TLM_VAULT_VERSION);
    }
    const char *id = tlm_json_member(members, "storageId", TLM_UUID_SIZE - 1);
    const char *local = tlm_json_member(members, "localKey", TLM_LOCAL_PEM_MAX);
    const char *srk = tlm_json_member(members, "srkPublicKey", PEM_MAX);
    const char *salt = tlm_json_member(members, "salt", 64);
    const char *created = tlm_json_member(members, "created", sizeof to->created - 1);
    if (!has_its_members(members, json_integer_value(version)) || id == NULL || local == NULL ||
        srk == NULL || salt == NULL || created == NULL || !tlm_uuid_valid(id, strlen(id)) ||
        !tlm_instant_valid(created) || !read_ledger(members, to)) {
        return damaged(error, "its members are not those of its version");
    }
    tlm_text_copy(to->storage_id, sizeof to->storage_id, id);
    tlm_text_copy(to->created, sizeof to->created, created);
    tlm_result result = read_salt(salt, to, error);
    if (result != TLM_OK) {
        return result;
    }
    to->srk_public_key = strdup(srk);
    if (to->srk_public_key == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the vault");
    }
    result = tlm_local_key_from_pem(local, strlen(local), &to->local, error);
    return result == TLM_ERR_FORMAT ? damaged(error, "its local key cannot be read") : result;
}

tlm_result tlm_vault_parse(const void *payload, size_t size, tlm_vault *vault, tlm_error *error)
{
    json_t *members = tlm_json_load(payload, size);
    if (members == NULL) {
        return damaged(error, "its payload is not one JSON object");
    }
    tlm_vault parsed = {0};
    tlm_result result = fill(members, &parsed, error);
    json_decref(members);
    if (result != TLM_OK) {
        tlm_vault_clear(&parsed);
        return result;
    }
    *vault = parsed;
    return TLM_OK;
}

/*
 * The content does not verify. Where the header names other files, there are two reasons: it is
 * another installation's vault, or it is ours with a damaged header, which then opens under the
 * right one.
 */
static tlm_result why_not(const tlm_jwe *jwe, const tlm_secret *key, const char *storage_id,
                          tlm_error *error)
{
    const char *kid = tlm_jwe_get_header(jwe)->kid;
    tlm_secret *payload = NULL;
    if (strcmp(kid, storage_id) == 0 || !tlm_uuid_valid(kid, strlen(kid))) {
        return damaged(error, "its content does not verify");
    }
    const tlm_jwe_header header = header_for(storage_id);
    if (tlm_jwe_open_as(jwe, &header, key, &payload, NULL) == TLM_OK) {
        tlm_secret_free(&payload);
        return damaged(error, "its header names other files than the ones it was made with");
    }
    return tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                         "%s belongs to storage %s, and %s to storage %s", TLM_VAULT_FILE, kid,
                         TLM_PERSISTENCE_FILE, storage_id);
}

static tlm_result open_parsed(const tlm_jwe *jwe, const tlm_secret *key, const char *storage_id,
                              tlm_vault *vault, tlm_error *error)
{
    const tlm_jwe_header *header = tlm_jwe_get_header(jwe);
    if (strcmp(header->alg, TLM_JWE_ALG_DIR) != 0 || header->kid == NULL || header->typ == NULL ||
        strcmp(header->typ, TLM_VAULT_TYPE) != 0) {
        return damaged(error, "the header is not that of such a file");
    }
    tlm_secret *payload = NULL;
    tlm_vault opened = {0};
    tlm_result result = tlm_jwe_open(jwe, key, &payload, error);
    if (result == TLM_ERR_DAMAGED) {
        return why_not(jwe, key, storage_id, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_vault_parse(tlm_secret_bytes(payload), tlm_secret_size(payload), &opened, error);
    tlm_secret_free(&payload);
    if (result == TLM_OK && strcmp(opened.storage_id, storage_id) != 0) {
        tlm_vault_clear(&opened);
        result = damaged(error, "its payload names other files than its key");
    }
    if (result == TLM_OK) {
        *vault = opened;
    }
    return result;
}

tlm_result tlm_vault_open(const char *text, size_t size, const tlm_secret *key,
                          const char *storage_id, tlm_vault *vault, tlm_error *error)
{
    tlm_jwe *jwe = NULL;
    tlm_error cause = {0};
    tlm_result result = tlm_jwe_parse(text, size, &jwe, &cause);
    if (result == TLM_ERR_MEMORY) {
        return tlm_error_set(error, result, NULL, "%s", cause.message);
    }
    if (result != TLM_OK) {
        return damaged(error, cause.message);
    }
    result = open_parsed(jwe, key, storage_id, vault, error);
    tlm_jwe_free(&jwe);
    return result;
}

tlm_result tlm_vault_write(const char *path, const tlm_vault *vault, const tlm_secret *key,
                           tlm_error *error)
{
    char *text = NULL;
    tlm_result result = tlm_vault_seal(vault, key, &text, error);
    if (result == TLM_OK) {
        result = tlm_file_replace(path, text, strlen(text), 0600, error);
    }
    free(text);
    return result;
}

void tlm_vault_clear(tlm_vault *vault)
{
    if (vault != NULL) {
        EVP_PKEY_free(vault->local);
        free(vault->srk_public_key);
        memset(vault, 0, sizeof *vault);
    }
}
