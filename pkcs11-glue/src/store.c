/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <tlm/file.h>

#define STORE_FILE "token.json"
#define STORE_FILE_MAX 16384U
#define TOKEN_LABEL_MAX 32U
#define THUMBPRINT_DIGITS (2 * (size_t)TLM_THUMBPRINT_SIZE)

static tlm_result bad(const char *path, const char *what, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FORMAT,
                         "Restore the file from its .bak copy or from a backup.", "%s: %s", path,
                         what);
}

/* A member that must be a text of 1 to `max` bytes without control characters. */
static const char *text_member(const json_t *root, const char *name, size_t max)
{
    const json_t *value = json_object_get(root, name);
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (text == NULL || length == 0 || length > max || strlen(text) != length) {
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)text[i]) != 0) {
            return NULL;
        }
    }
    return text;
}

static bool is_thumbprint(const char *text)
{
    return strlen(text) == THUMBPRINT_DIGITS &&
           strspn(text, "0123456789abcdef") == THUMBPRINT_DIGITS;
}

static tlm_result check_version(const json_t *root, const char *path, tlm_error *error)
{
    const json_t *version = json_object_get(root, "version");
    if (!json_is_integer(version) || json_integer_value(version) < 1) {
        return bad(path, "it has no version", error);
    }
    if (json_integer_value(version) > TLM_STORE_VERSION) {
        return tlm_error_set(error, TLM_ERR_NEWER,
                             "Install the version of this program that wrote it.",
                             "%s has version %lld, this program knows %d", path,
                             (long long)json_integer_value(version), TLM_STORE_VERSION);
    }
    return TLM_OK;
}

static tlm_result read_members(const json_t *root, const char *path, tlm_store *store,
                               tlm_error *error)
{
    const char *backend = text_member(root, "backend", 32);
    const char *label = text_member(root, "label", TOKEN_LABEL_MAX);
    const char *uri = text_member(root, "uri", 1024);
    const char *module = text_member(root, "module", PATH_MAX);
    const char *created = text_member(root, "created", 64);
    const json_t *complete = json_object_get(root, "complete");
    const json_t *thumbprint = json_object_get(root, "thumbprint");
    if (!tlm_backend_from_name(backend, &store->backend)) {
        return bad(path, "\"backend\" is neither \"tpm\" nor \"softhsm\"", error);
    }
    if (label == NULL || uri == NULL || strncmp(uri, "pkcs11:", 7) != 0 || module == NULL ||
        module[0] != '/' || created == NULL || !json_is_boolean(complete)) {
        return bad(path, "\"label\", \"uri\", \"module\", \"created\" or \"complete\" is wrong",
                   error);
    }
    const json_t *counter = json_object_get(root, "counter");
    if (counter != NULL && !json_is_boolean(counter)) {
        return bad(path, "\"counter\" is neither true nor false", error);
    }
    if (thumbprint != NULL && (text_member(root, "thumbprint", THUMBPRINT_DIGITS) == NULL ||
                               !is_thumbprint(json_string_value(thumbprint)))) {
        return bad(path, "\"thumbprint\" is not 64 hexadecimal digits", error);
    }
    store->label = strdup(label);
    store->uri = strdup(uri);
    store->module = strdup(tlm_backend_module_of(store->backend, module));
    store->created = strdup(created);
    store->thumbprint = thumbprint != NULL ? strdup(json_string_value(thumbprint)) : NULL;
    store->complete = json_is_true(complete);
    store->counter = json_is_true(counter);
    if (store->label == NULL || store->uri == NULL || store->module == NULL ||
        store->created == NULL || (thumbprint != NULL && store->thumbprint == NULL)) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to read %s", path);
    }
    return TLM_OK;
}

tlm_result tlm_store_parse(const char *text, size_t size, const char *path, tlm_store *store,
                           tlm_error *error)
{
    json_error_t reason;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &reason);
    if (root == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "Restore the file from its .bak copy or from a backup.",
                             "%s, line %d: %s", path, reason.line, reason.text);
    }
    tlm_result result = check_version(root, path, error);
    if (result == TLM_OK) {
        result = read_members(root, path, store, error);
    }
    json_decref(root);
    return result;
}

/* The store steers which module is loaded, so nobody else may write there. */
static tlm_result check_owner(const char *directory, tlm_error *error)
{
    struct stat status;
    if (stat(directory, &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return tlm_error_set(error, TLM_ERR_NOT_PROVISIONED,
                                 "Make a token with: tlm-token-init provision",
                                 "there is no token store at %s", directory);
        }
        return tlm_error_set_errno(error, NULL, "token store %s", directory);
    }
    tlm_result result = TLM_OK;
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        result = tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                               "token store %s belongs to user %u, and this is user %u", directory,
                               (unsigned)status.st_uid, (unsigned)geteuid());
        tlm_error_set_hint(error, "Run as that user, or: chown -R %u %s", (unsigned)geteuid(),
                           directory);
    } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        result = tlm_error_set(error, TLM_ERR_PERMISSION, NULL,
                               "token store %s has mode %04o, so others can write to it", directory,
                               (unsigned)(status.st_mode & 07777U));
        tlm_error_set_hint(error, "Run: chmod 0700 %s", directory);
    }
    return result;
}

static tlm_result load(const char *directory, tlm_store *store, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = check_owner(directory, error);
    if (result != TLM_OK) {
        return result;
    }
    store->directory = realpath(directory, NULL);
    char *path = tlm_path_join(directory, STORE_FILE);
    if (store->directory == NULL || path == NULL) {
        free(path);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to read token store %s",
                             directory);
    }
    result = tlm_file_read(path, STORE_FILE_MAX, &text, &size, error);
    if (result == TLM_ERR_NOT_FOUND) {
        result = tlm_error_set(error, TLM_ERR_NOT_PROVISIONED,
                               "Make a token with: tlm-token-init provision",
                               "token store %s has no %s", directory, STORE_FILE);
    }
    if (result == TLM_OK) {
        result = tlm_store_parse(text, size, path, store, error);
    }
    free(text);
    free(path);
    return result;
}

tlm_result tlm_store_load(const char *directory, tlm_store *store, tlm_error *error)
{
    if (directory == NULL || directory[0] == '\0' || store == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a token store has a directory");
    }
    tlm_store made = {0};
    tlm_result result = load(directory, &made, error);
    if (result != TLM_OK) {
        tlm_store_clear(&made);
        return result;
    }
    *store = made;
    return TLM_OK;
}

static json_t *to_json(const tlm_store *store)
{
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b}", "version", TLM_STORE_VERSION,
                             "backend", tlm_backend_name(store->backend), "label", store->label,
                             "uri", store->uri, "module", store->module, "created", store->created,
                             "complete", store->complete ? 1 : 0);
    if (root != NULL && store->thumbprint != NULL &&
        json_object_set_new(root, "thumbprint", json_string(store->thumbprint)) != 0) {
        json_decref(root);
        return NULL;
    }
    if (root != NULL && store->counter && json_object_set_new(root, "counter", json_true()) != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}

tlm_result tlm_store_save(const tlm_store *store, tlm_error *error)
{
    if (store == NULL || store->directory == NULL || store->label == NULL || store->uri == NULL ||
        store->module == NULL || store->created == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a token store needs directory, label, uri, module and created");
    }
    json_t *root = to_json(store);
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(root);
    char *path = tlm_path_join(store->directory, STORE_FILE);
    tlm_result result = TLM_OK;
    tlm_store again = {0};
    if (text == NULL || path == NULL) {
        result = tlm_error_set(error, TLM_ERR_ARGUMENT, "Labels and paths must be UTF-8.",
                               "token store %s cannot be written as JSON", store->directory);
    }
    /* What is written must be readable: a label with a control character stops here. */
    if (result == TLM_OK) {
        result = tlm_store_parse(text, strlen(text), path, &again, error);
    }
    if (result == TLM_OK) {
        result = tlm_file_replace(path, text, strlen(text), 0600, error);
    }
    tlm_store_clear(&again);
    free(text);
    free(path);
    return result;
}

void tlm_store_clear(tlm_store *store)
{
    if (store == NULL) {
        return;
    }
    free(store->directory);
    free(store->label);
    free(store->uri);
    free(store->module);
    free(store->thumbprint);
    free(store->created);
    *store = (tlm_store){0};
}
