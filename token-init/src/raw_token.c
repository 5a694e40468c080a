/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/raw_token.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>

#include <tlm/key.h>
#include <tlm/token.h>

#define SLOTS_MAX 64U
#define LABEL_SIZE 32U

struct tlm_raw_token {
    CK_FUNCTION_LIST *calls;
    CK_SESSION_HANDLE session; /* 0: none */
};

tlm_result tlm_raw_open(const char *module, tlm_raw_token **out, tlm_error *error)
{
    *out = NULL;
    tlm_raw_token *raw = calloc(1, sizeof *raw);
    if (raw == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the token");
    }
    /* Unmanaged: p11-kit's wrapper would add nothing, and a module must not be wrapped twice. */
    raw->calls = p11_kit_module_load(module, P11_KIT_MODULE_UNMANAGED | P11_KIT_MODULE_CRITICAL);
    if (raw->calls == NULL) {
        tlm_result result =
            tlm_error_set(error, TLM_ERR_TOKEN, "run: tlm-token-init doctor",
                          "the PKCS#11 module %s cannot be loaded: %s", module, p11_kit_message());
        free(raw);
        return result;
    }
    CK_RV rv = p11_kit_module_initialize(raw->calls);
    if (rv != CKR_OK) {
        p11_kit_module_release(raw->calls);
        free(raw);
        return tlm_error_set_rv(error, rv, "C_Initialize", "of %s", module);
    }
    *out = raw;
    return TLM_OK;
}

static void end_session(tlm_raw_token *raw)
{
    if (raw->session != 0) {
        (void)raw->calls->C_Logout(raw->session);
        (void)raw->calls->C_CloseSession(raw->session);
        raw->session = 0;
    }
}

void tlm_raw_close(tlm_raw_token **raw)
{
    if (raw == NULL || *raw == NULL) {
        return;
    }
    end_session(*raw);
    (void)p11_kit_module_finalize((*raw)->calls);
    p11_kit_module_release((*raw)->calls);
    free(*raw);
    *raw = NULL;
}

/* Labels are padded with blanks (PKCS#11 v2.40 section 3.2). */
static void pad_label(const char *label, CK_UTF8CHAR padded[LABEL_SIZE])
{
    memset(padded, ' ', LABEL_SIZE);
    size_t length = strlen(label);
    memcpy(padded, label, length < LABEL_SIZE ? length : LABEL_SIZE);
}

/* Finds the slot of the token with that label, or of a token not initialized for label NULL. */
static tlm_result find_slot(tlm_raw_token *raw, const char *label, CK_SLOT_ID *slot,
                            CK_TOKEN_INFO *info, tlm_error *error)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_RV rv = raw->calls->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetSlotList", "of the back end");
    }
    CK_UTF8CHAR wanted[LABEL_SIZE];
    pad_label(label != NULL ? label : "", wanted);
    for (CK_ULONG i = 0; i < count; i++) {
        if (raw->calls->C_GetTokenInfo(slots[i], info) != CKR_OK) {
            continue;
        }
        bool initialized = (info->flags & CKF_TOKEN_INITIALIZED) != 0;
        if (label == NULL ? !initialized
                          : initialized && memcmp(info->label, wanted, LABEL_SIZE) == 0) {
            *slot = slots[i];
            return TLM_OK;
        }
    }
    return tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "no token '%s' among %lu",
                         label != NULL ? label : "(free)", count);
}

tlm_result tlm_raw_read_state(tlm_raw_token *raw, const char *label, tlm_raw_state *state,
                              tlm_error *error)
{
    memset(state, 0, sizeof *state);
    CK_SLOT_ID slot = 0;
    CK_TOKEN_INFO info;
    tlm_result result = find_slot(raw, label, &slot, &info, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return TLM_OK;
    }
    if (result == TLM_OK) {
        state->present = true;
        state->user_pin = (info.flags & CKF_USER_PIN_INITIALIZED) != 0;
    }
    return result;
}

tlm_result tlm_raw_init_token(tlm_raw_token *raw, const char *label, tlm_secret *so_pin,
                              tlm_error *error)
{
    CK_SLOT_ID slot = 0;
    CK_TOKEN_INFO info;
    tlm_result result = find_slot(raw, NULL, &slot, &info, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return tlm_error_set(error, TLM_ERR_NO_SPACE, NULL,
                             "the back end has no slot with a token that is not initialized");
    }
    if (result != TLM_OK) {
        return result;
    }
    CK_UTF8CHAR padded[LABEL_SIZE];
    pad_label(label, padded);
    CK_RV rv =
        raw->calls->C_InitToken(slot, tlm_secret_data(so_pin), tlm_secret_size(so_pin), padded);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_InitToken", "of '%s'", label);
    }
    return TLM_OK;
}

static tlm_result open_session(tlm_raw_token *raw, const char *label, bool writable,
                               tlm_error *error)
{
    end_session(raw);
    CK_SLOT_ID slot = 0;
    CK_TOKEN_INFO info;
    tlm_result result = find_slot(raw, label, &slot, &info, error);
    if (result != TLM_OK) {
        return result;
    }
    CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
    CK_RV rv = raw->calls->C_OpenSession(slot, flags, NULL, NULL, &raw->session);
    if (rv != CKR_OK) {
        raw->session = 0;
        return tlm_error_set_rv(error, rv, "C_OpenSession", "on token '%s'", label);
    }
    return TLM_OK;
}

static tlm_result login(tlm_raw_token *raw, const char *label, CK_USER_TYPE user, tlm_secret *pin,
                        tlm_error *error)
{
    CK_RV rv = raw->calls->C_Login(raw->session, user, tlm_secret_data(pin), tlm_secret_size(pin));
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_Login", "as %s on token '%s'",
                                user == CKU_SO ? "security officer" : "user", label);
    }
    return TLM_OK;
}

tlm_result tlm_raw_init_pin(tlm_raw_token *raw, const char *label, tlm_secret *so_pin,
                            tlm_secret *user_pin, tlm_error *error)
{
    tlm_result result = open_session(raw, label, true, error);
    if (result == TLM_OK) {
        result = login(raw, label, CKU_SO, so_pin, error);
    }
    if (result == TLM_OK) {
        CK_RV rv = raw->calls->C_InitPIN(raw->session, tlm_secret_data(user_pin),
                                         tlm_secret_size(user_pin));
        if (rv != CKR_OK) {
            result = tlm_error_set_rv(error, rv, "C_InitPIN", "on token '%s'", label);
        }
    }
    end_session(raw);
    return result;
}

tlm_result tlm_raw_login(tlm_raw_token *raw, const char *label, tlm_secret *user_pin,
                         tlm_error *error)
{
    tlm_result result = open_session(raw, label, user_pin != NULL, error);
    if (result == TLM_OK && user_pin != NULL) {
        result = login(raw, label, CKU_USER, user_pin, error);
    }
    return result;
}

/* Objects of the template; *count stays at most TLM_OBJECTS_MAX. */
static tlm_result find_objects(tlm_raw_token *raw, CK_ATTRIBUTE *template, CK_ULONG size,
                               CK_OBJECT_HANDLE handles[TLM_OBJECTS_MAX], CK_ULONG *count,
                               tlm_error *error)
{
    *count = 0;
    CK_RV rv = raw->calls->C_FindObjectsInit(raw->session, template, size);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_FindObjectsInit", "on the token");
    }
    rv = raw->calls->C_FindObjects(raw->session, handles, TLM_OBJECTS_MAX, count);
    (void)raw->calls->C_FindObjectsFinal(raw->session);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_FindObjects", "on the token");
    }
    return TLM_OK;
}

static tlm_result find_labeled(tlm_raw_token *raw, const char *label, const CK_OBJECT_CLASS *only,
                               CK_OBJECT_HANDLE handles[TLM_OBJECTS_MAX], CK_ULONG *count,
                               tlm_error *error)
{
    char text[LABEL_SIZE + 1];
    (void)snprintf(text, sizeof text, "%s", label);
    CK_OBJECT_CLASS class = only != NULL ? *only : CKO_DATA;
    CK_ATTRIBUTE template[] = {
        {.type = CKA_LABEL, .pValue = text, .ulValueLen = strlen(text)},
        {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof class},
    };
    return find_objects(raw, template, only != NULL ? 2 : 1, handles, count, error);
}

tlm_result tlm_raw_count(tlm_raw_token *raw, const char *label, tlm_raw_census *census,
                         tlm_error *error)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE};
    size_t *const counts[] = {&census->private_keys, &census->public_keys, &census->certificates};
    CK_OBJECT_HANDLE handles[TLM_OBJECTS_MAX];
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        CK_ULONG count = 0;
        tlm_result result = find_labeled(raw, label, &classes[i], handles, &count, error);
        if (result != TLM_OK) {
            return result;
        }
        *counts[i] = count;
    }
    return TLM_OK;
}

tlm_result tlm_raw_remove(tlm_raw_token *raw, const char *label, tlm_error *error)
{
    CK_OBJECT_HANDLE handles[TLM_OBJECTS_MAX];
    CK_ULONG count = 0;
    tlm_result result = find_labeled(raw, label, NULL, handles, &count, error);
    for (CK_ULONG i = 0; result == TLM_OK && i < count; i++) {
        CK_RV rv = raw->calls->C_DestroyObject(raw->session, handles[i]);
        if (rv != CKR_OK) {
            result = tlm_error_set_rv(error, rv, "C_DestroyObject", "of '%s'", label);
        }
    }
    return result;
}

static bool read_entry(tlm_raw_token *raw, CK_OBJECT_HANDLE handle, tlm_object_entry *entry)
{
    CK_OBJECT_CLASS class = 0;
    unsigned char id[sizeof entry->id / 2];
    memset(entry, 0, sizeof *entry);
    CK_ATTRIBUTE attributes[] = {
        {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof class},
        {.type = CKA_LABEL, .pValue = entry->label, .ulValueLen = sizeof entry->label - 1},
        {.type = CKA_ID, .pValue = id, .ulValueLen = sizeof id},
    };
    /* One by one: an attribute that an object lacks must not hide the others. */
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        CK_RV rv = raw->calls->C_GetAttributeValue(raw->session, handle, &attributes[i], 1);
        if (rv != CKR_OK) {
            attributes[i].ulValueLen = 0;
        }
    }
    if (attributes[0].ulValueLen != sizeof class) {
        return false;
    }
    entry->label[attributes[1].ulValueLen] = '\0';
    entry->object_class = tlm_object_class_name(class);
    for (CK_ULONG i = 0; i < attributes[2].ulValueLen; i++) {
        (void)snprintf(entry->id + 2 * i, 3, "%02x", id[i]);
    }
    return true;
}

tlm_result tlm_raw_list(tlm_raw_token *raw, tlm_object_entry objects[TLM_OBJECTS_MAX],
                        size_t *count, tlm_error *error)
{
    *count = 0;
    CK_OBJECT_HANDLE handles[TLM_OBJECTS_MAX];
    CK_ULONG found = 0;
    tlm_result result = find_objects(raw, NULL, 0, handles, &found, error);
    for (CK_ULONG i = 0; result == TLM_OK && i < found; i++) {
        if (read_entry(raw, handles[i], &objects[*count])) {
            (*count)++;
        }
    }
    return result;
}

tlm_result tlm_raw_remove_nameless(tlm_raw_token *raw, size_t *removed, tlm_error *error)
{
    CK_OBJECT_HANDLE handles[TLM_OBJECTS_MAX];
    CK_ULONG found = 0;
    *removed = 0;
    tlm_result result = find_objects(raw, NULL, 0, handles, &found, error);
    for (CK_ULONG i = 0; result == TLM_OK && i < found; i++) {
        tlm_object_entry entry;
        if (!read_entry(raw, handles[i], &entry) || entry.label[0] != '\0' || entry.id[0] != '\0') {
            continue;
        }
        CK_RV rv = raw->calls->C_DestroyObject(raw->session, handles[i]);
        if (rv != CKR_OK) {
            result = tlm_error_set_rv(error, rv, "C_DestroyObject", "of an object without a name");
        } else {
            (*removed)++;
        }
    }
    return result;
}
