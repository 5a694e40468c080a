/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/store.h>

#define CONF_MAX 8192U

static tlm_result set(const char *name, const char *value, int overwrite, tlm_error *error)
{
    if (setenv(name, value, overwrite) != 0) {
        return tlm_error_set_errno(error, NULL, "setting %s in the environment", name);
    }
    return TLM_OK;
}

static tlm_result export_tpm(const tlm_store *store, const char *tcti, tlm_error *error)
{
    if (tcti == NULL || tcti[0] == '\0') {
        return tlm_error_set(error, TLM_ERR_ARGUMENT,
                             "Name the TPM, for example: --tcti device:/dev/tpmrm0",
                             "the token of %s is in a TPM, and none is named", store->directory);
    }
    tlm_result result = set("TPM2_PKCS11_STORE", store->directory, 1, error);
    if (result == TLM_OK) {
        result = set("TPM2_PKCS11_TCTI", tcti, 1, error);
    }
    if (result == TLM_OK) {
        result = set("TPM2_PKCS11_BACKEND", "esysdb", 1, error);
    }
    /* What module and TSS write to stderr our own errors say better; a user's own level stays. */
    if (result == TLM_OK) {
        result = set("TPM2_PKCS11_LOG_LEVEL", "0", 0, error);
    }
    if (result == TLM_OK) {
        result = set("TSS2_LOG", "all+NONE", 0, error);
    }
    return result;
}

static tlm_result update_conf(const char *path, const char *text, tlm_error *error)
{
    char *present = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, CONF_MAX, &present, &size, NULL);
    bool same = result == TLM_OK && size == strlen(text) && memcmp(present, text, size) == 0;
    free(present);
    return same ? TLM_OK : tlm_file_replace(path, text, strlen(text), 0600, error);
}

static bool has_control_character(const char *text)
{
    for (; *text != '\0'; text++) {
        if (iscntrl((unsigned char)*text) != 0) {
            return true;
        }
    }
    return false;
}

static tlm_result export_softhsm(const tlm_store *store, tlm_error *error)
{
    /* A line of its own in the directory's name would be a line of the configuration. */
    if (has_control_character(store->directory)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Move the store to a plain path.",
                             "the path of the token store has a control character");
    }
    char *path = tlm_path_join(store->directory, "softhsm2.conf");
    char *text = NULL;
    if (path == NULL || asprintf(&text,
                                 "directories.tokendir = %s/tokens\n"
                                 "objectstore.backend = file\n"
                                 "log.level = ERROR\n"
                                 "slots.removable = false\n",
                                 store->directory) < 0) {
        free(path);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for softhsm2.conf");
    }
    tlm_result result = update_conf(path, text, error);
    if (result == TLM_OK) {
        result = set("SOFTHSM2_CONF", path, 1, error);
    }
    free(path);
    free(text);
    return result;
}

tlm_result tlm_store_export_environment(const tlm_store *store, const char *tcti, tlm_error *error)
{
    if (store == NULL || store->directory == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a token store has a directory");
    }
    switch (store->backend) {
    case TLM_BACKEND_TPM:
        return export_tpm(store, tcti, error);
    case TLM_BACKEND_SOFTHSM:
        return export_softhsm(store, error);
    default:
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "unknown back end %d",
                             (int)store->backend);
    }
}

/* p11-kit decodes the path as that of a URL, so all but plain letters are written as %XX. */
static void encode_path(const char *path, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *path != '\0'; path++) {
        unsigned char byte = (unsigned char)*path;
        if (isascii(byte) != 0 && (isalnum(byte) != 0 || strchr("/._-", byte) != NULL)) {
            *out++ = *path;
        } else {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15U];
        }
    }
    *out = '\0';
}

tlm_result tlm_client_export_environment(const char *socket, tlm_error *error)
{
    static const char scheme[] = "unix:path=";
    if (socket == NULL || socket[0] != '/') {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "the socket of a token has an absolute path");
    }
    char *address = malloc(sizeof scheme + 3 * strlen(socket));
    if (address == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the address of %s",
                             socket);
    }
    memcpy(address, scheme, sizeof scheme);
    encode_path(socket, address + sizeof scheme - 1);
    /* One that is right already is left alone: by then there may be threads. */
    const char *present = getenv("P11_KIT_SERVER_ADDRESS");
    tlm_result result = present != NULL && strcmp(present, address) == 0
                            ? TLM_OK
                            : set("P11_KIT_SERVER_ADDRESS", address, 1, error);
    free(address);
    return result;
}
