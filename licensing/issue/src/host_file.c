/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_file.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <tlm/jwk.h>
#include <tlm/key.h>

#include "input.h"
#include "json_private.h"
#include "text_private.h"

#ifdef TLM_FASTCRYPT
#define RSA_BITS_MIN 1024
#else
#define RSA_BITS_MIN 2048
#endif
#define COMPONENTS_MAX 64U
#define COMPONENT_ID_MAX 64U
#define PEM_TEXT_MAX 8192U
#define AGAIN "save the answer again: curl -s http://HOST:52014/fingerprint > host.json"

static const char *const type_names[] = {"tpm", "token", "fallback"};

bool tlm_host_type_parse(const char *name, tlm_fingerprint_type *type)
{
    for (size_t i = 0; name != NULL && i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(type_names[i], name) == 0) {
            *type = (tlm_fingerprint_type)i;
            return true;
        }
    }
    return false;
}

const char *tlm_host_type_name(tlm_fingerprint_type type)
{
    return type_names[type];
}

bool tlm_host_file_is_request(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL && strcmp(type, "tlm-request") == 0;
}

bool tlm_host_file_is_fingerprint(const json_t *object)
{
    return json_is_string(json_object_get(object, "fingerprint")) &&
           json_is_string(json_object_get(object, "publicKey"));
}

static tlm_result read_key(const char *pem, const char *what, EVP_PKEY **key, tlm_error *error)
{
    BIO *memory = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *made = memory != NULL ? PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    ERR_clear_error();
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, AGAIN, "%s: publicKey is no public key in PEM",
                             what);
    }
    if (EVP_PKEY_is_a(made, "RSA") != 1 || EVP_PKEY_get_bits(made) < RSA_BITS_MIN) {
        EVP_PKEY_free(made);
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                             "%s: the key is no RSA key of at least %d bits", what, RSA_BITS_MIN);
    }
    *key = made;
    return TLM_OK;
}

/* One component into the hash, as docs/formats.md has it. False where it is not of that form. */
static bool add_component(const json_t *component, EVP_MD_CTX *hash, unsigned *count)
{
    const char *id = tlm_json_member(component, "id", COMPONENT_ID_MAX);
    const char *sha256 = json_string_value(json_object_get(component, "sha256"));
    if (!json_is_true(json_object_get(component, "present"))) {
        return id != NULL;
    }
    if (id == NULL || sha256 == NULL || !tlm_hex_valid(sha256, (size_t)2 * TLM_DIGEST_SIZE)) {
        return false;
    }
    unsigned char bytes[TLM_DIGEST_SIZE];
    size_t size = 0;
    (*count)++;
    return OPENSSL_hexstr2buf_ex(bytes, sizeof bytes, &size, sha256, '\0') == 1 &&
           EVP_DigestUpdate(hash, id, strlen(id) + 1) == 1 &&
           EVP_DigestUpdate(hash, bytes, sizeof bytes) == 1;
}

/* The fallback's fingerprint from thumbprint and components. */
static bool hash_components(const unsigned char thumbprint[TLM_THUMBPRINT_SIZE],
                            const json_t *components, unsigned char digest[TLM_DIGEST_SIZE],
                            unsigned *count)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool done = hash != NULL && json_is_array(components) &&
                json_array_size(components) <= COMPONENTS_MAX &&
                EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(hash, thumbprint, TLM_THUMBPRINT_SIZE) == 1;
    for (size_t i = 0; done && i < json_array_size(components); i++) {
        done = add_component(json_array_get(components, i), hash, count);
    }
    unsigned size = TLM_DIGEST_SIZE;
    done = done && EVP_DigestFinal_ex(hash, digest, &size) == 1;
    EVP_MD_CTX_free(hash);
    return done;
}

/* Everything that the answer says of itself is computed again from key and components. */
static tlm_result check_identity(const json_t *answer, const char *what, tlm_host_identity *to,
                                 tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    unsigned char digest[TLM_DIGEST_SIZE];
    tlm_result result = tlm_public_thumbprint(to->key, thumbprint, error);
    if (result != TLM_OK) {
        return result;
    }
    memcpy(digest, thumbprint, sizeof digest);
    if (to->type == TLM_FINGERPRINT_FALLBACK &&
        !hash_components(thumbprint, json_object_get(answer, "components"), digest,
                         &to->components)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, AGAIN,
                             "%s: components is no list of components", what);
    }
    char *kid = tlm_base64url_encode(thumbprint, sizeof thumbprint);
    char *hex = tlm_hex_encode(digest, sizeof digest);
    if (kid == NULL || hex == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", what);
    } else if (strcmp(kid, to->kid) != 0 || strcmp(hex, to->fingerprint) != 0) {
        result = tlm_error_set(error, TLM_ERR_DAMAGED, AGAIN,
                               "%s: %s and its key do not belong together", what,
                               strcmp(kid, to->kid) != 0 ? "kid" : "fingerprint");
    }
    free(kid);
    free(hex);
    return result;
}

static tlm_result read_identity(const json_t *answer, const char *what, tlm_host_identity *to,
                                tlm_error *error)
{
    const char *fingerprint = json_string_value(json_object_get(answer, "fingerprint"));
    const char *kid = json_string_value(json_object_get(answer, "kid"));
    const char *type = json_string_value(json_object_get(answer, "type"));
    const char *pem = tlm_json_member(answer, "publicKey", PEM_TEXT_MAX);
    if (fingerprint == NULL || !tlm_hex_valid(fingerprint, (size_t)2 * TLM_DIGEST_SIZE)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, AGAIN,
                             "%s: fingerprint is not 64 hexadecimal digits", what);
    }
    if (kid == NULL || strlen(kid) >= sizeof to->kid || pem == NULL ||
        !tlm_host_type_parse(type, &to->type)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, AGAIN, "%s: kid, type or publicKey is missing",
                             what);
    }
    tlm_text_copy(to->fingerprint, sizeof to->fingerprint, fingerprint);
    tlm_text_copy(to->kid, sizeof to->kid, kid);
    to->hardware_bound = json_is_true(json_object_get(answer, "hardwareBound"));
    tlm_result result = read_key(pem, what, &to->key, error);
    return result == TLM_OK ? check_identity(answer, what, to, error) : result;
}

static tlm_result read_request(const json_t *request, tlm_host_file *to, tlm_error *error)
{
    const json_t *version = json_object_get(request, "version");
    const json_t *fallback = json_object_get(request, "fallback");
    json_t *keys = json_object_get(request, "keys");
    if (!json_is_integer(version) || json_integer_value(version) != 1) {
        return tlm_error_set(error, TLM_ERR_NEWER, "use a newer tlm-issue",
                             "%s: a request of another version than 1", to->path);
    }
    tlm_result result =
        read_identity(json_object_get(request, "host"), to->path, &to->primary, error);
    if (result == TLM_OK && json_is_object(fallback)) {
        result = read_identity(fallback, to->path, &to->fallback, error);
    }
    if (json_is_object(keys)) {
        to->keys = json_incref(keys);
    }
    return result;
}

tlm_result tlm_host_file_parse(const char *text, size_t size, const char *path,
                               tlm_host_file **host, tlm_error *error)
{
    json_t *object = NULL;
    tlm_host_file *made = NULL;
    tlm_result result = tlm_json_parse(text, size, path, &object, error);
    if (result != TLM_OK) {
        return result;
    }
    made = calloc(1, sizeof *made);
    if (made == NULL || (made->path = strdup(path)) == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", path);
    } else if (tlm_host_file_is_request(object)) {
        result = read_request(object, made, error);
    } else if (tlm_host_file_is_fingerprint(object)) {
        result = read_identity(object, path, &made->primary, error);
    } else {
        result = tlm_error_set(error, TLM_ERR_FORMAT, AGAIN,
                               "%s is neither a request nor an answer of /fingerprint", path);
    }
    json_decref(object);
    if (result != TLM_OK) {
        tlm_host_file_free(&made);
        return result;
    }
    *host = made;
    return TLM_OK;
}

tlm_result tlm_host_file_read(const char *path, tlm_host_file **host, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_HOST_FILE_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_host_file_parse(text, size, tlm_input_name(path), host, error);
        free(text);
    }
    return result;
}

void tlm_host_file_free(tlm_host_file **host)
{
    if (host == NULL || *host == NULL) {
        return;
    }
    EVP_PKEY_free((*host)->primary.key);
    EVP_PKEY_free((*host)->fallback.key);
    json_decref((*host)->keys);
    free((*host)->path);
    free(*host);
    *host = NULL;
}

const tlm_host_identity *tlm_host_file_find(const tlm_host_file *host, const char *fingerprint)
{
    if (strcmp(host->primary.fingerprint, fingerprint) == 0) {
        return &host->primary;
    }
    bool fallback =
        host->fallback.key != NULL && strcmp(host->fallback.fingerprint, fingerprint) == 0;
    return fallback ? &host->fallback : NULL;
}

tlm_result tlm_host_identity_check(const tlm_host_identity *identity, tlm_fingerprint_type type,
                                   const char *fingerprint, tlm_error *error)
{
    if (strcmp(identity->fingerprint, fingerprint) != 0) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, "issue the license for this host",
                             "the license is bound to %.16s…, the host is %.16s…", fingerprint,
                             identity->fingerprint);
    }
    /* The enum goes from the strongest to the weakest. */
    if (identity->type > type) {
        return tlm_error_set(error, TLM_ERR_FOREIGN,
                             "let the license accept less, or ask for a request of the host's TPM",
                             "the license needs a fingerprint of type %s, the host's is %s",
                             tlm_host_type_name(type), tlm_host_type_name(identity->type));
    }
    return TLM_OK;
}
