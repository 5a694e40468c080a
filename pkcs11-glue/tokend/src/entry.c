/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>

#define CANDIDATES_MAX 16U

/* What two objects that are alike in all of them are the same by. */
static const CK_ATTRIBUTE_TYPE identifying[] = {
    CKA_CLASS,       CKA_LABEL,     CKA_ID,       CKA_KEY_TYPE, CKA_CERTIFICATE_TYPE,
    CKA_MODULUS,     CKA_EC_PARAMS, CKA_EC_POINT, CKA_VALUE,    CKA_PUBLIC_EXPONENT,
    CKA_APPLICATION, CKA_OBJECT_ID, CKA_SUBJECT,  CKA_PRIVATE,
};

/* One attribute, empty where the object has none that it shows. */
typedef struct attribute {
    unsigned char *data;
    size_t size;
} attribute;

static tlm_result read_attribute(tlm_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
                                 attribute *found, tlm_error *error)
{
    *found = (attribute){.data = NULL};
    tlm_result result =
        tlm_object_get(token, handle, type, TLM_ATTRIBUTE_MAX, &found->data, &found->size, error);
    if (result == TLM_ERR_NOT_FOUND || result == TLM_ERR_TOO_LARGE) {
        return TLM_OK;
    }
    return result;
}

static bool has_secret(CK_OBJECT_CLASS class)
{
    return class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY;
}

static CK_ULONG number(const attribute *from, CK_ULONG otherwise)
{
    CK_ULONG value = otherwise;
    if (from->size == sizeof value) {
        memcpy(&value, from->data, sizeof value);
    }
    return value;
}

/* Bytes of the order of the curve that DER of its parameters names; 0 for one not known. */
static CK_ULONG curve_size(const attribute *parameters)
{
    const unsigned char *at = parameters->data;
    EC_GROUP *group = at != NULL ? d2i_ECPKParameters(NULL, &at, (long)parameters->size) : NULL;
    CK_ULONG size = group != NULL ? ((CK_ULONG)EC_GROUP_order_bits(group) + 7) / 8 : 0;
    EC_GROUP_free(group);
    ERR_clear_error();
    return size;
}

/* A label is text; one that is not, or is too long, is treated as none. */
static void keep_label(tlm_entry *entry, const attribute *label)
{
    entry->searchable = true;
    if (label->size == 0) {
        return;
    }
    if (label->size > TLM_LABEL_MAX || memchr(label->data, '\0', label->size) != NULL) {
        entry->searchable = false;
        return;
    }
    memcpy(entry->label, label->data, label->size);
}

static void keep_id(tlm_entry *entry, const attribute *id)
{
    if (id->size > TLM_ID_MAX) {
        entry->searchable = false;
        return;
    }
    if (id->size > 0) {
        memcpy(entry->id, id->data, id->size);
    }
    entry->id_size = id->size;
}

static void keep(tlm_entry *entry, CK_ATTRIBUTE_TYPE type, const attribute *value)
{
    switch (type) {
    case CKA_CLASS:
        entry->class = number(value, CKO_VENDOR_DEFINED);
        break;
    case CKA_LABEL:
        keep_label(entry, value);
        break;
    case CKA_ID:
        keep_id(entry, value);
        break;
    case CKA_KEY_TYPE:
        entry->key_type = number(value, TLM_KEY_ANY);
        break;
    case CKA_MODULUS:
        entry->size = value->size > 0 ? (CK_ULONG)value->size : entry->size;
        break;
    case CKA_EC_PARAMS:
        entry->size = value->size > 0 ? curve_size(value) : entry->size;
        break;
    case CKA_PRIVATE:
        /* Hidden until a login where the token does not say. */
        entry->private = value->size != 1 || value->data[0] != CK_FALSE;
        break;
    default:
        break;
    }
}

static bool hash_attribute(EVP_MD_CTX *hash, CK_ATTRIBUTE_TYPE type, const attribute *value)
{
    return EVP_DigestUpdate(hash, &type, sizeof type) == 1 &&
           EVP_DigestUpdate(hash, &value->size, sizeof value->size) == 1 &&
           (value->size == 0 || EVP_DigestUpdate(hash, value->data, value->size) == 1);
}

/*
 * SoftHSM's private EC keys show nothing of their public half, so that of the public key object
 * beside them tells two keys of one name apart.
 */
static tlm_result hash_public_half(tlm_token *token, const tlm_entry *entry, EVP_MD_CTX *hash,
                                   tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = entry->key_type;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_KEY_TYPE, &type, sizeof type},
        {CKA_ID, tlm_unconst(entry->id), (CK_ULONG)entry->id_size},
    };
    CK_OBJECT_HANDLE handle = 0;
    CK_ULONG count = 0;
    attribute point = {.data = NULL};
    if (entry->class != CKO_PRIVATE_KEY || entry->key_type != CKK_EC || entry->id_size == 0) {
        return TLM_OK;
    }
    tlm_result result = tlm_object_find(token, template, 3, &handle, 1, &count, error);
    if (result == TLM_OK && count > 0) {
        result = read_attribute(token, handle, CKA_EC_POINT, &point, error);
    }
    if (result == TLM_OK && !hash_attribute(hash, CKA_EC_POINT, &point)) {
        result = tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "hashing an object's attributes");
    }
    free(point.data);
    return result;
}

/* Reads what identifies an object, and hashes it. A secret's value is neither kept nor hashed. */
static tlm_result read_identity(tlm_token *token, CK_OBJECT_HANDLE handle, tlm_entry *entry,
                                EVP_MD_CTX *hash, tlm_error *error)
{
    tlm_result result = TLM_OK;
    for (size_t i = 0; i < sizeof identifying / sizeof identifying[0] && result == TLM_OK; i++) {
        CK_ATTRIBUTE_TYPE type = identifying[i];
        attribute value = {.data = NULL};
        if (type == CKA_VALUE && has_secret(entry->class)) {
            continue;
        }
        result = read_attribute(token, handle, type, &value, error);
        if (result == TLM_OK && !hash_attribute(hash, type, &value)) {
            result = tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "hashing an object's attributes");
        }
        keep(entry, type, &value);
        free(value.data);
    }
    if (result == TLM_OK) {
        result = hash_public_half(token, entry, hash, error);
    }
    return result;
}

/* What a key may be used for. An attribute that is missing forbids nothing: the token will. */
static void read_uses(tlm_token *token, CK_OBJECT_HANDLE handle, tlm_entry *entry)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        CK_FLAGS flag;
    } uses[] = {
        {CKA_SIGN, CKF_SIGN},       {CKA_VERIFY, CKF_VERIFY}, {CKA_ENCRYPT, CKF_ENCRYPT},
        {CKA_DECRYPT, CKF_DECRYPT}, {CKA_DERIVE, CKF_DERIVE},
    };
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        CK_BBOOL value = CK_TRUE;
        CK_ATTRIBUTE wanted = {uses[i].type, &value, sizeof value};
        CK_RV rv =
            token->module->functions->C_GetAttributeValue(token->session, handle, &wanted, 1);
        if (rv != CKR_OK || wanted.ulValueLen != sizeof value || value != CK_FALSE) {
            entry->uses |= uses[i].flag;
        }
    }
}

tlm_result tlm_entry_read(tlm_token *token, CK_OBJECT_HANDLE handle, tlm_entry **entry,
                          tlm_error *error)
{
    tlm_entry *made = calloc(1, sizeof *made);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    tlm_result result = TLM_OK;
    if (made == NULL || hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for an object");
        goto out;
    }
    result = read_identity(token, handle, made, hash, error);
    if (result != TLM_OK) {
        goto out;
    }
    if (EVP_DigestFinal_ex(hash, made->fingerprint, NULL) != 1) {
        result = tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "hashing an object's attributes");
        goto out;
    }
    if (has_secret(made->class) || made->class == CKO_PUBLIC_KEY) {
        read_uses(token, handle, made);
    }
    made->backend = handle;
    made->login = token->login;
    *entry = made;
    made = NULL;
out:
    EVP_MD_CTX_free(hash);
    free(made);
    return result;
}

/*
 * The entry of an earlier login that the object is. Of two keys that nothing tells apart neither
 * is taken: a handle must not become another key's.
 */
static tlm_entry *find_stale(tlm_provider *provider, const tlm_token *token, const tlm_entry *like)
{
    tlm_entry *found = NULL;
    unsigned twins = 0;
    for (tlm_entry *at = provider->entries; at != NULL; at = at->next) {
        if (atomic_load(&at->gone) ||
            memcmp(at->fingerprint, like->fingerprint, sizeof at->fingerprint) != 0) {
            continue;
        }
        twins++;
        if (at->login != token->login && found == NULL) {
            found = at;
        }
    }
    return twins > 1 && has_secret(like->class) ? NULL : found;
}

tlm_result tlm_entry_identify(tlm_provider *provider, tlm_token *token, CK_OBJECT_HANDLE backend,
                              tlm_entry **entry, tlm_error *error)
{
    for (tlm_entry *at = provider->entries; at != NULL; at = at->next) {
        if (at->login == token->login && at->backend == backend && !atomic_load(&at->gone)) {
            *entry = at;
            return TLM_OK;
        }
    }
    tlm_entry *made = NULL;
    tlm_result result = tlm_entry_read(token, backend, &made, error);
    if (made == NULL) {
        return result;
    }
    tlm_entry *stale = find_stale(provider, token, made);
    if (stale != NULL) {
        stale->backend = made->backend;
        stale->login = made->login;
        free(made);
        *entry = stale;
        return TLM_OK;
    }
    made->next = provider->entries;
    provider->entries = made;
    *entry = made;
    return TLM_OK;
}

tlm_result tlm_entry_resolve(tlm_provider *provider, tlm_token *token, tlm_entry *entry,
                             tlm_error *error)
{
    if (entry->attributes != NULL) {
        return tlm_own_make(provider, token, entry, error);
    }
    if (entry->login == token->login || atomic_load(&entry->gone)) {
        return TLM_OK;
    }
    CK_OBJECT_CLASS class = entry->class;
    CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof class}};
    CK_OBJECT_HANDLE found[CANDIDATES_MAX];
    CK_ULONG terms = 1;
    CK_ULONG count = 0;
    if (entry->searchable && entry->label[0] != '\0') {
        template[terms++] = (CK_ATTRIBUTE){CKA_LABEL, entry->label, (CK_ULONG)strlen(entry->label)};
    }
    if (entry->id_size > 0) {
        template[terms++] = (CK_ATTRIBUTE){CKA_ID, entry->id, (CK_ULONG)entry->id_size};
    }
    tlm_result result =
        tlm_object_find(token, template, terms, found, CANDIDATES_MAX, &count, error);
    for (CK_ULONG i = 0; i < count && result == TLM_OK && entry->login != token->login; i++) {
        tlm_entry *other = NULL;
        result = tlm_entry_identify(provider, token, found[i], &other, error);
    }
    if (result == TLM_OK && entry->login != token->login) {
        atomic_store(&entry->gone, true);
    }
    return result;
}

tlm_result tlm_entry_renew(tlm_provider *provider, tlm_token *token, tlm_entry *entry,
                           tlm_error *error)
{
    tlm_entry *made = NULL;
    tlm_result result = tlm_entry_read(token, entry->backend, &made, error);
    if (made == NULL) {
        return result;
    }
    made->warm = entry->warm;
    made->next = provider->entries;
    provider->entries = made;
    atomic_store(&entry->successor, made);
    atomic_store(&entry->gone, true);
    return TLM_OK;
}

void tlm_entry_note(tlm_token *token, tlm_entry *entry, CK_RV rv)
{
    tlm_token_note_use(token, &entry->warm, rv);
}

void tlm_entries_free(tlm_entry **entries)
{
    while (*entries != NULL) {
        tlm_entry *next = (*entries)->next;
        free(*entries);
        *entries = next;
    }
}
