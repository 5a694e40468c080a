/* SPDX-License-Identifier: BSD-2-Clause */
#include "attestation_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include <tlm/file.h>
#include <tlm/key.h>

#include "job.h"

/* A certificate, the largest of all, has some 2 KiB. */
#define BYTES_MAX 16384U

static bool listed(const char *const members[], const char *name)
{
    for (size_t i = 0; members[i] != NULL; i++) {
        if (strcmp(members[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Every member is one of the list; those that lack are noticed when they are read. */
static tlm_result check_members(json_t *object, const char *const members[], tlm_error *error)
{
    if (!json_is_object(object)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "there is no object with '%s'",
                             members[0]);
    }
    void *at = json_object_iter(object);
    while (at != NULL) {
        const char *name = json_object_iter_key(at);
        if (!listed(members, name)) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "nobody knows its member '%.64s'",
                                 name);
        }
        at = json_object_iter_next(object, at);
    }
    return TLM_OK;
}

tlm_result tlm_attestation_read_json(const char *text, size_t size, const char *type,
                                     const char *const members[], json_t **root, tlm_error *error)
{
    json_error_t where;
    json_t *made = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    const char *found = json_string_value(json_object_get(made, "type"));
    const json_t *version = json_object_get(made, "version");
    tlm_result result = TLM_OK;
    if (made == NULL) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "it is no JSON: line %d: %s",
                               where.line, where.text);
    } else if (found == NULL || strcmp(found, type) != 0) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "its type is not '%s'", type);
    } else if (!json_is_integer(version) || json_integer_value(version) < 1) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "it has no version");
    } else if (json_integer_value(version) > TLM_ATTESTATION_VERSION) {
        result = tlm_error_set(error, TLM_ERR_NEWER, "use a newer tlm-token-init",
                               "its version is %lld, and this program knows %d",
                               (long long)json_integer_value(version), TLM_ATTESTATION_VERSION);
    } else {
        result = check_members(made, members, error);
    }
    if (result != TLM_OK) {
        json_decref(made);
        return result;
    }
    *root = made;
    return TLM_OK;
}

/* Printable ASCII only: so every JSON library writes the same bytes, which are signed. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

static tlm_result read_text(const json_t *value, const char *name, const char **text,
                            tlm_error *error)
{
    const char *found = json_string_value(value);
    if (found == NULL || json_string_length(value) != strlen(found) || !is_plain(found)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "its member '%s' is no plain text", name);
    }
    *text = found;
    return TLM_OK;
}

static tlm_result read_bytes(const json_t *value, const char *name, tlm_tpm_bytes *bytes,
                             tlm_error *error)
{
    const char *text = "";
    tlm_result result = read_text(value, name, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t length = strlen(text);
    if (length == 0 || length > BYTES_MAX) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "its member '%s' has %zu digits", name,
                             length);
    }
    result = tlm_base64url_decode(text, length, &bytes->data, &bytes->size, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "its member '%s'", name);
    }
    return result;
}

tlm_result tlm_attestation_get_text(const json_t *object, const char *member, const char **text,
                                    tlm_error *error)
{
    return read_text(json_object_get(object, member), member, text, error);
}

tlm_result tlm_attestation_get_bytes(const json_t *object, const char *member, tlm_tpm_bytes *bytes,
                                     tlm_error *error)
{
    return read_bytes(json_object_get(object, member), member, bytes, error);
}

json_t *tlm_attestation_from_bytes(const unsigned char *data, size_t size)
{
    char *text = tlm_base64url_encode(data, size);
    json_t *made = text != NULL ? json_string(text) : NULL;
    free(text);
    return made;
}

static int digit_of(char letter)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = letter != '\0' ? strchr(digits, letter) : NULL;
    return at != NULL ? (int)((at - digits) % 16) : -1;
}

tlm_result tlm_attestation_from_hex(const char *text, size_t max, tlm_tpm_bytes *bytes,
                                    tlm_error *error)
{
    size_t length = strlen(text);
    if (length == 0 || length % 2 != 0 || length / 2 > max) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL,
                             "%zu hexadecimal digits where an even number from 2 to %zu is due",
                             length, 2 * max);
    }
    unsigned char *data = malloc(length / 2);
    if (data == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for %zu digits", length);
    }
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(data);
            return tlm_error_set(error, TLM_ERR_SETTING, NULL,
                                 "'%.80s' is not written in hexadecimal digits", text);
        }
        data[i] = (unsigned char)(high * 16 + low);
    }
    *bytes = (tlm_tpm_bytes){.data = data, .size = length / 2};
    return TLM_OK;
}

tlm_result tlm_attestation_digest(json_t *root, const char *label,
                                  unsigned char digest[TLM_ATTEST_DIGEST_SIZE], tlm_error *error)
{
    json_t *copy = json_copy(root);
    char *text = NULL;
    if (copy != NULL && json_object_set_new(copy, "label", json_string(label)) == 0) {
        (void)json_object_del(copy, "keys");
        text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    }
    json_decref(copy);
    if (text == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for an attestation");
    }
    (void)SHA256((const unsigned char *)text, strlen(text), digest);
    free(text);
    return TLM_OK;
}

static tlm_result read_tpm(tlm_attestation *to, tlm_error *error)
{
    static const char *const members[] = {"manufacturer", "vendor", "firmware", "simulated", NULL};
    json_t *tpm = json_object_get(to->root, "tpm");
    const char *ignored = NULL;
    tlm_result result = check_members(tpm, members, error);
    if (result == TLM_OK) {
        result = tlm_attestation_get_text(tpm, "manufacturer", &ignored, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_text(tpm, "vendor", &ignored, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_text(tpm, "firmware", &to->firmware, error);
    }
    if (result == TLM_OK && !json_is_boolean(json_object_get(tpm, "simulated"))) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL, "its member 'simulated' is no boolean");
    }
    return result;
}

static tlm_result read_chain(tlm_attestation *to, const json_t *ek, tlm_error *error)
{
    const json_t *chain = json_object_get(ek, "chain");
    size_t count = json_array_size(chain);
    if (!json_is_array(chain) || count > TLM_ATTESTATION_CHAIN_MAX) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "its member 'chain' is no list of at most %u certificates",
                             TLM_ATTESTATION_CHAIN_MAX);
    }
    tlm_result result = TLM_OK;
    for (size_t i = 0; result == TLM_OK && i < count; i++) {
        result = read_bytes(json_array_get(chain, i), "chain", &to->chain[i], error);
        to->chain_count += result == TLM_OK ? 1 : 0;
    }
    return result;
}

static tlm_result read_ek(tlm_attestation *to, tlm_error *error)
{
    static const char *const members[] = {"public", "certificate", "chain", NULL};
    json_t *ek = json_object_get(to->root, "ek");
    tlm_result result = check_members(ek, members, error);
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(ek, "public", &to->ek_area, error);
    }
    if (result == TLM_OK && json_object_get(ek, "certificate") != NULL) {
        result = tlm_attestation_get_bytes(ek, "certificate", &to->ek_certificate, error);
    }
    return result == TLM_OK ? read_chain(to, ek, error) : result;
}

static tlm_result read_key(tlm_attested_key *key, json_t *object, const char *label,
                           tlm_error *error)
{
    static const char *const members[] = {"label", "public", "jwk", "attest", "signature", NULL};
    tlm_result result = check_members(object, members, error);
    if (result == TLM_OK) {
        result = tlm_attestation_get_text(object, "label", &key->label, error);
    }
    if (result == TLM_OK && strcmp(key->label, label) != 0) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                               "it has the key '%.64s' where '%s' is "
                               "due",
                               key->label, label);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(object, "public", &key->area, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(object, "attest", &key->attest, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(object, "signature", &key->signature, error);
    }
    key->jwk = json_object_get(object, "jwk");
    return result;
}

static tlm_result read_keys(tlm_attestation *to, tlm_error *error)
{
    static const char *const labels[TLM_ATTESTATION_KEYS] = {TLM_SRK_LABEL, TLM_ATTEST_LABEL};
    const json_t *keys = json_object_get(to->root, "keys");
    if (json_array_size(keys) != TLM_ATTESTATION_KEYS) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "its member 'keys' is no list of two keys");
    }
    tlm_result result = TLM_OK;
    for (size_t i = 0; result == TLM_OK && i < TLM_ATTESTATION_KEYS; i++) {
        result = read_key(&to->keys[i], json_array_get(keys, i), labels[i], error);
    }
    return result;
}

static tlm_result read_all(tlm_attestation *to, tlm_error *error)
{
    static const char *const ak_members[] = {"public", NULL};
    json_t *ak = json_object_get(to->root, "ak");
    tlm_result result = tlm_attestation_get_text(to->root, "created", &to->created, error);
    if (result == TLM_OK && json_object_get(to->root, "nonce") != NULL) {
        result = tlm_attestation_get_bytes(to->root, "nonce", &to->nonce, error);
    }
    if (result == TLM_OK) {
        result = read_tpm(to, error);
    }
    if (result == TLM_OK) {
        result = read_ek(to, error);
    }
    if (result == TLM_OK) {
        result = check_members(ak, ak_members, error);
    }
    if (result == TLM_OK) {
        result = tlm_attestation_get_bytes(ak, "public", &to->ak_area, error);
    }
    return result == TLM_OK ? read_keys(to, error) : result;
}

tlm_result tlm_attestation_parse(const char *text, size_t size, tlm_attestation **attestation,
                                 tlm_error *error)
{
    static const char *const members[] = {"type", "version", "created", "nonce", "tpm",
                                          "ek",   "ak",      "keys",    NULL};
    if (size > TLM_ATTESTATION_FILE_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL, "it has %zu bytes, more than %u", size,
                             TLM_ATTESTATION_FILE_MAX);
    }
    tlm_attestation *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for an attestation");
    }
    tlm_result result =
        tlm_attestation_read_json(text, size, TLM_ATTESTATION_TYPE, members, &made->root, error);
    if (result == TLM_OK) {
        result = read_all(made, error);
    }
    if (result != TLM_OK) {
        tlm_attestation_free(&made);
        return result;
    }
    *attestation = made;
    return TLM_OK;
}

tlm_result tlm_attestation_load(const char *path, tlm_attestation **attestation, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, TLM_ATTESTATION_FILE_MAX, &text, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_attestation_parse(text, size, attestation, error);
    free(text);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s is no attestation", path);
    }
    return result;
}

void tlm_attestation_free(tlm_attestation **attestation)
{
    if (attestation == NULL || *attestation == NULL) {
        return;
    }
    tlm_attestation *old = *attestation;
    tlm_tpm_bytes_clear(&old->nonce);
    tlm_tpm_bytes_clear(&old->ek_area);
    tlm_tpm_bytes_clear(&old->ek_certificate);
    for (size_t i = 0; i < TLM_ATTESTATION_CHAIN_MAX; i++) {
        tlm_tpm_bytes_clear(&old->chain[i]);
    }
    tlm_tpm_bytes_clear(&old->ak_area);
    for (size_t i = 0; i < TLM_ATTESTATION_KEYS; i++) {
        tlm_tpm_bytes_clear(&old->keys[i].area);
        tlm_tpm_bytes_clear(&old->keys[i].attest);
        tlm_tpm_bytes_clear(&old->keys[i].signature);
    }
    json_decref(old->root);
    free(old);
    *attestation = NULL;
}
