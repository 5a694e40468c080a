/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static CK_ULONG name_template(const tlm_key_name *name, CK_OBJECT_CLASS *class,
                              CK_ATTRIBUTE template[2])
{
    template[0] = (CK_ATTRIBUTE){CKA_CLASS, class, sizeof *class};
    if (name->label != NULL) {
        template[1] =
            (CK_ATTRIBUTE){CKA_LABEL, tlm_unconst(name->label), (CK_ULONG)strlen(name->label)};
    } else {
        template[1] = (CK_ATTRIBUTE){CKA_ID, tlm_unconst(name->id), (CK_ULONG)name->id_size};
    }
    return 2;
}

static void name_text(const tlm_key_name *name, char *text, size_t size)
{
    if (name->label != NULL) {
        (void)snprintf(text, size, "label '%s'", name->label);
        return;
    }
    char *hex = tlm_hex_encode(name->id, name->id_size);
    (void)snprintf(text, size, "id %s", hex != NULL ? hex : "?");
    free(hex);
}

static tlm_result find_private(tlm_token *token, const tlm_key_name *name, CK_OBJECT_HANDLE *handle,
                               tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template[2];
    CK_OBJECT_HANDLE found[2] = {0};
    CK_ULONG count = 0;
    char text[256];
    CK_ULONG size = name_template(name, &class, template);
    tlm_result result = tlm_object_find(token, template, size, found, 2, &count, error);
    if (result != TLM_OK) {
        return result;
    }
    name_text(name, text, sizeof text);
    if (count == 0) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "See what the token holds with: tlm-token-init status",
                             "no private key with %s on %s", text, token->uri_text);
    }
    if (count > 1) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Remove one of them, or name the key by id.",
                             "more than one private key with %s on %s", text, token->uri_text);
    }
    *handle = found[0];
    return TLM_OK;
}

/* The public half: of the public key object with the same id, else of the private key itself. */
static tlm_result read_public_half(tlm_key *key, CK_OBJECT_HANDLE private, EVP_PKEY **public,
                                   tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &key->type, sizeof key->type},
        {CKA_LABEL, key->label, (CK_ULONG)strlen(key->label)},
    };
    if (key->id_size > 0) {
        template[2] = (CK_ATTRIBUTE){CKA_ID, key->id, (CK_ULONG)key->id_size};
    }
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG count = 0;
    tlm_result result = tlm_object_find(key->token, template, 3, &found, 1, &count, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_public_read(key->token, count > 0 ? found : private, key->type, public, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return tlm_error_set(error, TLM_ERR_INCOMPLETE,
                             "Restore the public key object or make the key again.",
                             "private key '%s' has no public half on the token", key->label);
    }
    return result;
}

static tlm_result read_names(tlm_key *key, CK_OBJECT_HANDLE handle, tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_object_get(key->token, handle, CKA_ID, TLM_ID_MAX, &data, &size, error);
    if (result == TLM_OK) {
        memcpy(key->id, data, size);
        key->id_size = size;
        free(data);
    } else if (result != TLM_ERR_NOT_FOUND) {
        return result;
    }
    result = tlm_object_get(key->token, handle, CKA_LABEL, TLM_LABEL_MAX, &data, &size, error);
    if (result == TLM_OK) {
        key->label = (char *)data;
        return TLM_OK;
    }
    if (result != TLM_ERR_NOT_FOUND) {
        return result;
    }
    key->label = strdup("");
    if (key->label == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
    }
    return TLM_OK;
}

static tlm_result fill_key(tlm_key *key, CK_OBJECT_HANDLE handle, tlm_error *error)
{
    tlm_result result = tlm_object_get_ulong(key->token, handle, CKA_KEY_TYPE, &key->type, error);
    if (result == TLM_OK) {
        result = read_names(key, handle, error);
    }
    if (result == TLM_OK) {
        result = read_public_half(key, handle, &key->public, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    key->size = ((size_t)EVP_PKEY_get_bits(key->public) + 7) / 8;
    key->handle = handle;
    key->login = key->token->login;
    return TLM_OK;
}

tlm_result tlm_key_load(tlm_token *token, const tlm_key_name *name, tlm_key **key, tlm_error *error)
{
    CK_OBJECT_HANDLE handle = 0;
    tlm_result result = find_private(token, name, &handle, error);
    return result == TLM_OK ? tlm_key_load_handle(token, handle, key, error) : result;
}

tlm_result tlm_key_load_handle(tlm_token *token, CK_OBJECT_HANDLE handle, tlm_key **key,
                               tlm_error *error)
{
    tlm_key *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
    }
    made->token = token;
    tlm_result result = fill_key(made, handle, error);
    if (result != TLM_OK) {
        tlm_key_free(&made);
        return result;
    }
    *key = made;
    return TLM_OK;
}

tlm_result tlm_key_resolve(tlm_key *key, tlm_error *error)
{
    if (key->login == key->token->login) {
        return TLM_OK;
    }
    tlm_key_name name = {.label = key->label};
    if (key->id_size > 0) {
        name = (tlm_key_name){.id = key->id, .id_size = key->id_size};
    }
    CK_OBJECT_HANDLE handle = 0;
    EVP_PKEY *public = NULL;
    tlm_result result = find_private(key->token, &name, &handle, error);
    if (result == TLM_OK) {
        result = read_public_half(key, handle, &public, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    /* The token may have been exchanged while it was away: never use another key silently. */
    bool same = EVP_PKEY_eq(public, key->public) == 1;
    EVP_PKEY_free(public);
    if (!same) {
        return tlm_error_set(error, TLM_ERR_FOREIGN,
                             "Another token answers now; restart the program to use it.",
                             "key '%s' is not the key that it was", key->label);
    }
    key->handle = handle;
    key->login = key->token->login;
    return TLM_OK;
}

void tlm_key_note(tlm_key *key, CK_RV rv)
{
    tlm_token_note_use(key->token, &key->warm, rv);
}

typedef struct find_request {
    tlm_key_name name;
    tlm_key *key;
} find_request;

static tlm_result find_key(tlm_token *token, void *context, tlm_error *error)
{
    find_request *request = context;
    return tlm_key_load(token, &request->name, &request->key, error);
}

static tlm_result run_find(tlm_token *token, const tlm_key_name *name, tlm_key **key,
                           tlm_error *error)
{
    find_request request = {.name = *name};
    tlm_result result = tlm_token_run(token, find_key, &request, error);
    if (result == TLM_OK) {
        *key = request.key;
    }
    return result;
}

tlm_result tlm_key_find(tlm_token *token, const char *label, tlm_key **key, tlm_error *error)
{
    if (token == NULL || key == NULL || label == NULL || label[0] == '\0' ||
        strlen(label) > TLM_LABEL_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a key is found by a label of 1 to %u bytes", TLM_LABEL_MAX);
    }
    tlm_key_name name = {.label = label};
    return run_find(token, &name, key, error);
}

tlm_result tlm_key_find_by_id(tlm_token *token, const void *id, size_t size, tlm_key **key,
                              tlm_error *error)
{
    if (token == NULL || key == NULL || id == NULL || size == 0 || size > TLM_ID_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a key is found by an id of 1 to %u bytes", TLM_ID_MAX);
    }
    tlm_key_name name = {.id = id, .id_size = size};
    return run_find(token, &name, key, error);
}

void tlm_key_free(tlm_key **key)
{
    if (key == NULL || *key == NULL) {
        return;
    }
    free((*key)->label);
    EVP_PKEY_free((*key)->public);
    free(*key);
    *key = NULL;
}

const char *tlm_key_label(const tlm_key *key)
{
    return key->label;
}

EVP_PKEY *tlm_key_public(const tlm_key *key)
{
    return key->public;
}
