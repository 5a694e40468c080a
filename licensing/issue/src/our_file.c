/* SPDX-License-Identifier: BSD-2-Clause */
#include "our_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/license.h>
#include <tlm/package.h>
#include <tlm/revocation.h>
#include <tlm/statement.h>

#include "host_file.h"
#include "input.h"
#include "json_private.h"
#include "text_private.h"

static const struct {
    const char *name;
    const char *text;
    const char *typ; /* of a JWS or JWE; NULL where that does not tell */
} kinds[TLM_FILE_KIND_COUNT] = {
    [TLM_FILE_LICENSE] = {"license", "license container, signed by its vendor", TLM_LICENSE_TYP},
    [TLM_FILE_SIGNED_PACKAGE] = {"signed-package", "package, signed and not encrypted",
                                 TLM_PACKAGE_TYP},
    [TLM_FILE_REVOCATION] = {"revocation", "revocation list, signed by its vendor",
                             TLM_REVOCATION_TYP},
    [TLM_FILE_ROOT] = {"root", "signed root of a host's statements", TLM_ROOT_TYP},
    [TLM_FILE_JWS] = {"jws", "signed text (JWS) of another kind", NULL},
    [TLM_FILE_PACKAGE] = {"package", "package, encrypted to a host", NULL},
    [TLM_FILE_PERSISTENCE] = {"persistence", "persistence.bin of a host, encrypted to it",
                              "tlm-persistence"},
    [TLM_FILE_VAULT] = {"vault", "vault.bin of a host, encrypted", "tlm-vault"},
    [TLM_FILE_JWE] = {"jwe", "encrypted text (JWE) of another kind", NULL},
    [TLM_FILE_JWKS] = {"jwks", "public keys (JWKS)", NULL},
    [TLM_FILE_REQUEST] = {"request", "request of a host for licenses", NULL},
    [TLM_FILE_FINGERPRINT] = {"fingerprint", "fingerprint answer of a host", NULL},
    [TLM_FILE_STATEMENT] = {"statement", "statement of a host, with its proof", NULL},
    [TLM_FILE_AUDIT] = {"audit", "audit log of a host", NULL},
    [TLM_FILE_DESCRIPTION] = {"description", "description of a license", NULL},
    [TLM_FILE_PUBLIC_KEY] = {"public-key", "public key (PEM)", NULL},
    [TLM_FILE_PRIVATE_KEY] = {"private-key", "private key (PEM)", NULL},
};

const char *tlm_our_file_kind_name(tlm_our_file_kind kind)
{
    return kinds[kind].name;
}

const char *tlm_our_file_kind_text(tlm_our_file_kind kind)
{
    return kinds[kind].text;
}

static tlm_our_file_kind kind_of_typ(const char *typ, tlm_our_file_kind first,
                                     tlm_our_file_kind other)
{
    for (tlm_our_file_kind kind = first; typ != NULL && kind < other; kind++) {
        if (kinds[kind].typ != NULL && strcmp(kinds[kind].typ, typ) == 0) {
            return kind;
        }
    }
    return other;
}

/* The dots of a compact text; SIZE_MAX where it has other characters than such a text. */
static size_t count_dots(const char *text, size_t size)
{
    size_t dots = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.') {
            dots++;
        } else if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                          text[i]) == NULL ||
                   text[i] == '\0') {
            return SIZE_MAX;
        }
    }
    return dots;
}

static tlm_result read_jws(tlm_our_file *file, const char *text, size_t size, tlm_error *error)
{
    tlm_result result = tlm_jws_parse(text, size, TLM_REVOCATION_MAX, &file->jws, error);
    if (result == TLM_OK) {
        file->kind =
            kind_of_typ(tlm_jws_get_header(file->jws)->typ, TLM_FILE_LICENSE, TLM_FILE_JWS);
    }
    return result;
}

static tlm_result read_jwe(tlm_our_file *file, const char *text, size_t size, tlm_error *error)
{
    tlm_result result = tlm_jwe_parse_large(text, size, TLM_PACKAGE_MAX, &file->jwe, error);
    if (result == TLM_OK) {
        const tlm_jwe_header *header = tlm_jwe_get_header(file->jwe);
        bool package = header->cty != NULL && strcmp(header->cty, "JWT") == 0;
        file->kind = package ? TLM_FILE_PACKAGE
                             : kind_of_typ(header->typ, TLM_FILE_PERSISTENCE, TLM_FILE_JWE);
    }
    return result;
}

static bool has(const json_t *object, const char *name)
{
    return json_object_get(object, name) != NULL;
}

static bool is_audit(const json_t *object)
{
    return has(object, "anchor") ||
           (has(object, "seq") && has(object, "prev") && has(object, "hash"));
}

/* The kind of one JSON object, or TLM_FILE_KIND_COUNT. */
static tlm_our_file_kind kind_of_object(const json_t *object)
{
    if (tlm_host_file_is_request(object)) {
        return TLM_FILE_REQUEST;
    }
    if (tlm_host_file_is_fingerprint(object)) {
        return TLM_FILE_FINGERPRINT;
    }
    if (json_is_array(json_object_get(object, "keys"))) {
        return TLM_FILE_JWKS;
    }
    if (has(object, "statement") && has(object, "root")) {
        return TLM_FILE_STATEMENT;
    }
    return is_audit(object) ? TLM_FILE_AUDIT : TLM_FILE_KIND_COUNT;
}

static bool first_line_is_audit(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    json_t *object = tlm_json_load(text, end != NULL ? (size_t)(end - text) : size);
    bool audit = object != NULL && is_audit(object);
    json_decref(object);
    return audit;
}

static tlm_result read_description(tlm_our_file *file, tlm_error *error)
{
    file->kind = TLM_FILE_DESCRIPTION;
    tlm_result result =
        tlm_description_parse(file->text, file->size, file->name, &file->description, error);
    if (result != TLM_OK && error != NULL && error->hint[0] == '\0') {
        tlm_error_set_hint(error, "if this is no license description, it is none of our files");
    }
    return result;
}

static tlm_result read_object(tlm_our_file *file, const char *text, size_t size, tlm_error *error)
{
    if (first_line_is_audit(text, size)) {
        file->kind = TLM_FILE_AUDIT;
        return TLM_OK;
    }
    tlm_error unused;
    if (tlm_json_parse(text, size, file->name, &file->object, &unused) == TLM_OK) {
        file->kind = kind_of_object(file->object);
    }
    return file->object != NULL && file->kind != TLM_FILE_KIND_COUNT
               ? TLM_OK
               : read_description(file, error);
}

static tlm_result detect(tlm_our_file *file, tlm_error *error)
{
    const char *text = file->text;
    size_t size = file->size;
    tlm_text_trim(&text, &size);
    if (size == 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is empty", file->name);
    }
    if (strncmp(text, "-----BEGIN ", 11) == 0) {
        bool private = strstr(text, "PRIVATE KEY-----") != NULL;
        file->kind = private ? TLM_FILE_PRIVATE_KEY : TLM_FILE_PUBLIC_KEY;
        return TLM_OK;
    }
    size_t dots = count_dots(text, size);
    if (dots == 2) {
        return read_jws(file, text, size, error);
    }
    if (dots == 4) {
        return read_jwe(file, text, size, error);
    }
    return text[0] == '{' ? read_object(file, text, size, error) : read_description(file, error);
}

tlm_result tlm_our_file_parse(char *text, size_t size, const char *name, tlm_our_file **file,
                              tlm_error *error)
{
    tlm_our_file *made = calloc(1, sizeof *made);
    if (made == NULL) {
        free(text);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", name);
    }
    *made = (tlm_our_file){
        .kind = TLM_FILE_KIND_COUNT, .text = text, .size = size, .name = strdup(name)};
    tlm_result result = made->name != NULL
                            ? detect(made, error)
                            : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %s", name);
    if (result != TLM_OK) {
        tlm_our_file_free(&made);
        return result;
    }
    *file = made;
    return TLM_OK;
}

tlm_result tlm_our_file_read(const char *path, tlm_our_file **file, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_OUR_FILE_MAX, &text, &size, error);
    return result == TLM_OK ? tlm_our_file_parse(text, size, tlm_input_name(path), file, error)
                            : result;
}

void tlm_our_file_free(tlm_our_file **file)
{
    if (file == NULL || *file == NULL) {
        return;
    }
    tlm_jws_free(&(*file)->jws);
    tlm_jwe_free(&(*file)->jwe);
    tlm_description_free(&(*file)->description);
    json_decref((*file)->object);
    free((*file)->name);
    free((*file)->text);
    free(*file);
    *file = NULL;
}
