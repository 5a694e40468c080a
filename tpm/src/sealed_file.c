/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/seal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <tlm/file.h>
#include <tlm/key.h>

#define SEALED_VERSION 1
#define SEALED_FILE_MAX 8192U
#define MEMBERS 6U

static tlm_result bad(const char *path, const char *what, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_DAMAGED,
                         "restore the file from a backup of this host's token store",
                         "%s is damaged: %s", path, what);
}

/* Lower-case digits of exactly `size` bytes. */
static bool read_hex(const char *text, unsigned char *bytes, size_t size)
{
    static const char alphabet[] = "0123456789abcdef";
    for (size_t i = 0; i < 2 * size; i++) {
        const char *digit = text[i] != '\0' ? strchr(alphabet, text[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        unsigned value = (unsigned)(digit - alphabet);
        bytes[i / 2] = (unsigned char)(i % 2 == 0 ? value << 4 : bytes[i / 2] | value);
    }
    return text[2 * size] == '\0';
}

static bool read_blob(const json_t *root, const char *name, unsigned char *bytes, size_t *size)
{
    const json_t *value = json_object_get(root, name);
    const char *text = json_string_value(value);
    unsigned char *made = NULL;
    if (text == NULL || json_string_length(value) > 2 * (size_t)TLM_SEAL_BLOB_MAX ||
        tlm_base64url_decode(text, json_string_length(value), &made, size, NULL) != TLM_OK) {
        return false;
    }
    bool fits = *size > 0 && *size <= TLM_SEAL_BLOB_MAX;
    if (fits) {
        memcpy(bytes, made, *size);
    }
    free(made);
    return fits;
}

static bool read_parent(const json_t *root, tlm_tpm_name *name)
{
    const char *text = json_string_value(json_object_get(root, "parent"));
    size_t length = text != NULL ? strlen(text) : 0;
    if (length == 0 || length % 2 != 0 || length > 2 * (size_t)TLM_TPM_NAME_MAX) {
        return false;
    }
    name->size = length / 2;
    return read_hex(text, name->bytes, name->size);
}

/* Exactly the registers of the policy. */
static bool read_pcrs(const json_t *root, tlm_sealed *sealed)
{
    const json_t *list = json_object_get(root, "pcrs");
    unsigned registers = tlm_vault_policy_registers(sealed->policy);
    if (!json_is_object(list)) {
        return false;
    }
    for (unsigned index = 0; registers >> index != 0; index++) {
        if ((registers >> index & 1U) == 0) {
            continue;
        }
        char name[12];
        (void)snprintf(name, sizeof name, "%u", index);
        const char *text = json_string_value(json_object_get(list, name));
        tlm_seal_pcr *pcr = &sealed->pcrs[sealed->pcr_count++];
        pcr->index = index;
        if (text == NULL || !read_hex(text, pcr->sha256, sizeof pcr->sha256)) {
            return false;
        }
    }
    return json_object_size(list) == sealed->pcr_count;
}

static tlm_result read_members(const json_t *root, const char *path, tlm_sealed *sealed,
                               tlm_error *error)
{
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version) || json_integer_value(version) < 1) {
        return bad(path, "it has no version", error);
    }
    if (json_integer_value(version) > SEALED_VERSION) {
        return tlm_error_set(error, TLM_ERR_NEWER,
                             "install the version of this program that wrote it",
                             "%s has version %lld, this program knows %d", path,
                             (long long)json_integer_value(version), SEALED_VERSION);
    }
    if (json_object_size(root) != MEMBERS) {
        return bad(path, "it has other members than its version has", error);
    }
    const char *policy = json_string_value(json_object_get(root, "policy"));
    if (!tlm_vault_policy_from_name(policy, &sealed->policy)) {
        return bad(path, "its policy is none that this program knows", error);
    }
    if (!read_pcrs(root, sealed)) {
        return bad(path, "\"pcrs\" are not those of its policy", error);
    }
    if (!read_parent(root, &sealed->parent)) {
        return bad(path, "\"parent\" is not the name of a TPM object", error);
    }
    if (!read_blob(root, "public", sealed->public_area, &sealed->public_size) ||
        !read_blob(root, "private", sealed->private_area, &sealed->private_size)) {
        return bad(path, "\"public\" or \"private\" is no base64url of a TPM object", error);
    }
    return TLM_OK;
}

tlm_result tlm_sealed_parse(const char *text, size_t size, const char *path, tlm_sealed *sealed,
                            tlm_error *error)
{
    memset(sealed, 0, sizeof *sealed);
    json_error_t reason;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &reason);
    if (!json_is_object(root)) {
        json_decref(root);
        return bad(path, "it is no JSON object", error);
    }
    tlm_result result = read_members(root, path, sealed, error);
    json_decref(root);
    if (result != TLM_OK) {
        memset(sealed, 0, sizeof *sealed);
    }
    return result;
}

tlm_result tlm_sealed_load(const char *path, tlm_sealed *sealed, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, SEALED_FILE_MAX, &text, &size, error);
    if (result == TLM_ERR_TOO_LARGE) {
        return bad(path, "it is larger than such a file can be", error);
    }
    if (result == TLM_OK) {
        result = tlm_sealed_parse(text, size, path, sealed, error);
    }
    free(text);
    return result;
}

static int put_text(json_t *root, const char *name, char *text)
{
    int failed = text == NULL ? -1 : json_object_set_new(root, name, json_string(text));
    free(text);
    return failed;
}

static char *format(const tlm_sealed *sealed)
{
    json_t *pcrs = json_object();
    int failed = 0;
    for (size_t i = 0; i < sealed->pcr_count; i++) {
        char name[12];
        (void)snprintf(name, sizeof name, "%u", sealed->pcrs[i].index);
        failed |= put_text(pcrs, name, tlm_hex_encode(sealed->pcrs[i].sha256, TLM_SEAL_DIGEST));
    }
    json_t *root = json_pack("{s:i, s:s, s:o}", "version", SEALED_VERSION, "policy",
                             tlm_vault_policy_name(sealed->policy), "pcrs", pcrs);
    failed |= put_text(root, "parent", tlm_hex_encode(sealed->parent.bytes, sealed->parent.size));
    failed |=
        put_text(root, "public", tlm_base64url_encode(sealed->public_area, sealed->public_size));
    failed |=
        put_text(root, "private", tlm_base64url_encode(sealed->private_area, sealed->private_size));
    char *text = failed == 0 ? json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(root);
    return text;
}

tlm_result tlm_sealed_save(const char *path, const tlm_sealed *sealed, tlm_error *error)
{
    tlm_sealed again;
    char before[4096];
    char *text = format(sealed);
    if (text == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory to write %s", path);
    }
    /* What is written must be readable. */
    tlm_result result = tlm_sealed_parse(text, strlen(text), path, &again, error);
    if (result == TLM_OK) {
        result = tlm_file_replace(path, text, strlen(text), 0600, error);
    }
    free(text);
    /* An older copy would still open under the policy that was just given up. */
    int length = snprintf(before, sizeof before, "%s.bak", path);
    if (result == TLM_OK && length > 0 && (size_t)length < sizeof before) {
        result = tlm_file_wipe(before, error);
    }
    return result;
}
