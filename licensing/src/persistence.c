/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/persistence.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include <tlm/jwe.h>
#include <tlm/key.h>
#include <tlm/vault.h>

#include "json_private.h"
#include "jwe_private.h"
#include "text_private.h"

#define KID_LENGTH 43U

static tlm_result random_secret(size_t size, tlm_secret **secret, tlm_error *error)
{
    tlm_secret *made = NULL;
    tlm_result result = tlm_secret_new(size, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    if (RAND_priv_bytes(tlm_secret_data(made), (int)size) != 1) {
        tlm_secret_free(&made);
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "OpenSSL gave no random bytes");
    }
    *secret = made;
    return TLM_OK;
}

static tlm_result thumbprint_texts(EVP_PKEY *key, char **hex, char **kid, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    tlm_result result = tlm_public_thumbprint(key, thumbprint, error);
    if (result != TLM_OK) {
        return result;
    }
    *hex = tlm_hex_encode(thumbprint, sizeof thumbprint);
    *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    if (*hex == NULL || *kid == NULL) {
        free(*hex);
        free(*kid);
        *hex = NULL;
        *kid = NULL;
        (void)tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a thumbprint");
        return TLM_ERR_MEMORY;
    }
    return TLM_OK;
}

tlm_result tlm_persistence_make(EVP_PKEY *public_key, tlm_persistence *persistence,
                                tlm_error *error)
{
    tlm_persistence made = {.vault = TLM_VAULT_FILE};
    char *hex = NULL;
    char *kid = NULL;
    tlm_result result = tlm_uuid_make(made.storage_id, error);
    if (result == TLM_OK) {
        result = thumbprint_texts(public_key, &hex, &kid, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    tlm_text_copy(made.thumbprint, sizeof made.thumbprint, hex);
    free(hex);
    free(kid);
    if (!tlm_instant_make(time(NULL), made.created)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, "set the system's clock: date",
                             "the system's clock has no year of four digits");
    }
    result = random_secret(TLM_VAULT_KEY_SIZE, &made.vault_key, error);
    if (result != TLM_OK) {
        return result;
    }
    *persistence = made;
    return TLM_OK;
}

static tlm_result payload_of(const tlm_persistence *from, tlm_secret **payload, tlm_error *error)
{
    tlm_json_protect();
    char *key =
        tlm_base64url_encode(tlm_secret_bytes(from->vault_key), tlm_secret_size(from->vault_key));
    if (key == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the vault key");
    }
    json_t *members =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "version", TLM_PERSISTENCE_VERSION, "storageId",
                  from->storage_id, "vault", from->vault, "vaultKey", key, "thumbprint",
                  from->thumbprint, "created", from->created);
    explicit_bzero(key, strlen(key));
    free(key);
    tlm_result result = tlm_json_dump(members, payload, error);
    json_decref(members);
    return result;
}

tlm_result tlm_persistence_seal(const tlm_persistence *persistence, EVP_PKEY *public_key,
                                char **text, tlm_error *error)
{
    unsigned char wrapped[TLM_SIGNATURE_MAX];
    size_t wrapped_size = sizeof wrapped;
    tlm_secret *cek = NULL;
    tlm_secret *payload = NULL;
    char *hex = NULL;
    char *kid = NULL;
    tlm_result result = random_secret(TLM_JWE_CEK_SIZE, &cek, error);
    if (result == TLM_OK) {
        result = tlm_public_encrypt_oaep(public_key, tlm_secret_bytes(cek), tlm_secret_size(cek),
                                         wrapped, &wrapped_size, error);
    }
    if (result == TLM_OK) {
        result = payload_of(persistence, &payload, error);
    }
    if (result == TLM_OK) {
        result = thumbprint_texts(public_key, &hex, &kid, error);
    }
    if (result == TLM_OK) {
        const tlm_jwe_header header = {.alg = TLM_JWE_ALG_RSA_OAEP_256,
                                       .kid = kid,
                                       .typ = TLM_PERSISTENCE_TYPE,
                                       .cty = "json"};
        result = tlm_jwe_seal(&header, wrapped, wrapped_size, cek, payload, text, error);
        free(hex);
        free(kid);
    }
    tlm_secret_free(&payload);
    tlm_secret_free(&cek);
    return result;
}

static tlm_result damaged(tlm_error *error, const char *what)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED, NULL, "%s: %s", TLM_PERSISTENCE_FILE, what);
}

/* A kid is a thumbprint: 32 bytes, of which the hexadecimal form goes into messages. */
static tlm_result kid_to_hex(const char *kid, char **hex, tlm_error *error)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (kid == NULL || tlm_base64url_decode(kid, strlen(kid), &bytes, &size, NULL) != TLM_OK ||
        size != TLM_THUMBPRINT_SIZE) {
        free(bytes);
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the kid is not a key's thumbprint");
    }
    *hex = tlm_hex_encode(bytes, size);
    free(bytes);
    return *hex != NULL ? TLM_OK
                        : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a thumbprint");
}

static tlm_result parse_ours(const char *text, size_t size, tlm_jwe **jwe, tlm_error *error)
{
    tlm_error cause = {0};
    tlm_result result = tlm_jwe_parse(text, size, jwe, &cause);
    if (result == TLM_ERR_MEMORY) {
        return tlm_error_set(error, result, NULL, "%s", cause.message);
    }
    if (result != TLM_OK) {
        return damaged(error, cause.message);
    }
    const tlm_jwe_header *header = tlm_jwe_get_header(*jwe);
    bool ours = strcmp(header->alg, TLM_JWE_ALG_RSA_OAEP_256) == 0 && header->typ != NULL &&
                strcmp(header->typ, TLM_PERSISTENCE_TYPE) == 0 && header->kid != NULL;
    return ours ? TLM_OK : damaged(error, "the header is not that of such a file");
}

tlm_result tlm_persistence_kid(const char *text, size_t size, char kid[44], tlm_error *error)
{
    tlm_jwe *jwe = NULL;
    char *hex = NULL;
    tlm_result result = parse_ours(text, size, &jwe, error);
    if (result == TLM_OK) {
        result = kid_to_hex(tlm_jwe_get_header(jwe)->kid, &hex, error);
    }
    if (result == TLM_OK) {
        tlm_text_copy(kid, KID_LENGTH + 1, tlm_jwe_get_header(jwe)->kid);
    } else if (result != TLM_ERR_MEMORY) {
        result = TLM_ERR_FORMAT;
    }
    free(hex);
    tlm_jwe_free(&jwe);
    return result;
}

static const char *const member_names[] = {"version",  "storageId",  "vault",
                                           "vaultKey", "thumbprint", "created"};

static tlm_result fill(const json_t *members, tlm_persistence *to, tlm_error *error)
{
    const json_t *version = json_object_get(members, "version");
    if (!json_is_integer(version) || json_integer_value(version) < 1) {
        return damaged(error, "it has no version");
    }
    if (json_integer_value(version) > TLM_PERSISTENCE_VERSION) {
        return tlm_error_set(
            error, TLM_ERR_NEWER, "install the newer program again",
            "%s has version %" JSON_INTEGER_FORMAT ", this program knows version %d",
            TLM_PERSISTENCE_FILE, json_integer_value(version), TLM_PERSISTENCE_VERSION);
    }
    const char *id = tlm_json_member(members, "storageId", TLM_UUID_SIZE - 1);
    const char *vault = tlm_json_member(members, "vault", sizeof to->vault - 1);
    const char *key = tlm_json_member(members, "vaultKey", 64);
    const char *thumbprint = tlm_json_member(members, "thumbprint", sizeof to->thumbprint - 1);
    const char *created = tlm_json_member(members, "created", sizeof to->created - 1);
    if (!tlm_json_only(members, member_names, sizeof member_names / sizeof *member_names) ||
        id == NULL || vault == NULL || key == NULL || thumbprint == NULL || created == NULL ||
        !tlm_uuid_valid(id, strlen(id)) || strcmp(vault, TLM_VAULT_FILE) != 0 ||
        !tlm_hex_valid(thumbprint, 64) || !tlm_instant_valid(created)) {
        return damaged(error, "its members are not those of version 1");
    }
    unsigned char *bytes = NULL;
    size_t size = 0;
    tlm_result result = tlm_base64url_decode(key, strlen(key), &bytes, &size, error);
    if (result == TLM_OK && size == TLM_VAULT_KEY_SIZE) {
        result = tlm_secret_from(bytes, size, &to->vault_key, error);
    } else if (result != TLM_ERR_MEMORY) {
        result = damaged(error, "its vault key is not of 32 bytes");
    }
    if (bytes != NULL) {
        explicit_bzero(bytes, size);
        free(bytes);
    }
    tlm_text_copy(to->storage_id, sizeof to->storage_id, id);
    tlm_text_copy(to->vault, sizeof to->vault, vault);
    tlm_text_copy(to->thumbprint, sizeof to->thumbprint, thumbprint);
    tlm_text_copy(to->created, sizeof to->created, created);
    return result;
}

tlm_result tlm_persistence_parse(const void *payload, size_t size, tlm_persistence *persistence,
                                 tlm_error *error)
{
    json_t *members = tlm_json_load(payload, size);
    if (members == NULL) {
        return damaged(error, "its payload is not one JSON object");
    }
    tlm_persistence parsed = {0};
    tlm_result result = fill(members, &parsed, error);
    json_decref(members);
    if (result != TLM_OK) {
        tlm_persistence_clear(&parsed);
        return result;
    }
    *persistence = parsed;
    return TLM_OK;
}

static tlm_result not_ours(const char *kid, const char *ours, tlm_error *error)
{
    char *theirs = NULL;
    tlm_result result = kid_to_hex(kid, &theirs, NULL);
    if (result == TLM_ERR_FORMAT) {
        return damaged(error, "its kid is not a key's thumbprint");
    }
    if (result == TLM_OK) {
        result =
            tlm_error_set(error, TLM_ERR_FOREIGN, NULL,
                          "%s was made for the key with thumbprint %s, and this host's key has "
                          "%s",
                          TLM_PERSISTENCE_FILE, theirs, ours);
    }
    free(theirs);
    return result;
}

/* The text is parsed; `hex` and `kid` are the thumbprint of our key. */
static tlm_result open_parsed(const tlm_jwe *jwe, const char *hex, const char *kid,
                              tlm_unwrap unwrap, void *context, tlm_persistence *persistence,
                              tlm_error *error)
{
    bool same = strcmp(tlm_jwe_get_header(jwe)->kid, kid) == 0;
    tlm_secret *cek = NULL;
    tlm_secret *payload = NULL;
    tlm_persistence opened = {0};
    tlm_result result =
        unwrap(context, tlm_jwe_encrypted_key(jwe), tlm_jwe_encrypted_size(jwe), &cek, error);
    if (result == TLM_ERR_CRYPTO) {
        return same ? damaged(error, "its content key does not decrypt")
                    : not_ours(tlm_jwe_get_header(jwe)->kid, hex, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (!same) {
        /* The content key is for us, so it is the header that lies. */
        tlm_secret_free(&cek);
        return damaged(error, "its header names another key than the one it was made for");
    }
    result = tlm_jwe_open(jwe, cek, &payload, NULL);
    tlm_secret_free(&cek);
    if (result != TLM_OK) {
        return result == TLM_ERR_MEMORY
                   ? tlm_error_set(error, result, NULL, "no memory for %s", TLM_PERSISTENCE_FILE)
                   : damaged(error, "its content does not verify");
    }
    result =
        tlm_persistence_parse(tlm_secret_bytes(payload), tlm_secret_size(payload), &opened, error);
    tlm_secret_free(&payload);
    if (result == TLM_OK && strcmp(opened.thumbprint, hex) != 0) {
        tlm_persistence_clear(&opened);
        result = damaged(error, "its payload names another key than its header");
    }
    if (result == TLM_OK) {
        *persistence = opened;
    }
    return result;
}

tlm_result tlm_persistence_open(const char *text, size_t size, EVP_PKEY *public_key,
                                tlm_unwrap unwrap, void *context, tlm_persistence *persistence,
                                tlm_error *error)
{
    tlm_jwe *jwe = NULL;
    char *hex = NULL;
    char *kid = NULL;
    tlm_result result = parse_ours(text, size, &jwe, error);
    if (result == TLM_OK) {
        result = thumbprint_texts(public_key, &hex, &kid, error);
    }
    if (result == TLM_OK) {
        result = open_parsed(jwe, hex, kid, unwrap, context, persistence, error);
        free(hex);
        free(kid);
    }
    tlm_jwe_free(&jwe);
    return result;
}

void tlm_persistence_clear(tlm_persistence *persistence)
{
    if (persistence != NULL) {
        tlm_secret_free(&persistence->vault_key);
        memset(persistence, 0, sizeof *persistence);
    }
}
