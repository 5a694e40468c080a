/* SPDX-License-Identifier: BSD-2-Clause */
/* General purpose, slot and token functions: PKCS#11 v2.40 sections 5.4 and 5.5. */
#include "provider_private.h"

#include <string.h>

#define MANUFACTURER "TLLicenseManager"

/* Flags that are about the back end's PINs, which are nobody's here. */
#define PIN_FLAGS                                                                                  \
    (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED |                       \
     CKF_USER_PIN_TO_BE_CHANGED | CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_FINAL_TRY |                    \
     CKF_SO_PIN_LOCKED | CKF_SO_PIN_TO_BE_CHANGED)

static void set_padded(unsigned char *field, size_t size, const char *text)
{
    size_t length = strnlen(text, size);
    memset(field, ' ', size);
    memcpy(field, text, length);
}

/* PKCS#11 v2.40 section 5.4: all four functions or none, and nothing reserved. */
static bool good_arguments(const CK_C_INITIALIZE_ARGS *arguments)
{
    if (arguments == NULL) {
        return true;
    }
    unsigned given =
        (arguments->CreateMutex != NULL ? 1U : 0U) + (arguments->DestroyMutex != NULL ? 1U : 0U) +
        (arguments->LockMutex != NULL ? 1U : 0U) + (arguments->UnlockMutex != NULL ? 1U : 0U);
    return arguments->pReserved == NULL && (given == 0 || given == 4);
}

CK_RV tlm_C_Initialize(void *arguments)
{
    tlm_client *client = tlm_client_entered();
    if (client == NULL) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    if (client->initialized) {
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    }
    if (!good_arguments(arguments)) {
        return CKR_ARGUMENTS_BAD;
    }
    client->initialized = true;
    return CKR_OK;
}

CK_RV tlm_C_Finalize(void *reserved)
{
    tlm_client *client = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (reserved != NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    tlm_client_reset(client);
    return CKR_OK;
}

CK_RV tlm_C_GetInfo(CK_INFO *info)
{
    tlm_client *client = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (info == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    *info = (CK_INFO){.cryptokiVersion = {2, 40}, .libraryVersion = {1, 0}};
    set_padded(info->manufacturerID, sizeof info->manufacturerID, MANUFACTURER);
    set_padded(info->libraryDescription, sizeof info->libraryDescription, "tlm-tokend");
    return CKR_OK;
}

CK_RV tlm_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    tlm_client *client = NULL;
    tlm_token *token = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (count == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    bool shown =
        present == CK_FALSE || tlm_client_token(client, TLM_PROVIDER_SLOT, &token) == CKR_OK;
    CK_ULONG have = *count;
    *count = shown ? 1 : 0;
    if (slots == NULL || !shown) {
        return CKR_OK;
    }
    if (have < 1) {
        return CKR_BUFFER_TOO_SMALL;
    }
    slots[0] = TLM_PROVIDER_SLOT;
    return CKR_OK;
}

CK_RV tlm_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    tlm_client *client = NULL;
    tlm_token *token = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (info == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = tlm_client_token(client, slot, &token);
    if (rv == CKR_SLOT_ID_INVALID) {
        return rv;
    }
    /* Removable, since a slot without a token is not allowed to be anything else. */
    *info = (CK_SLOT_INFO){.flags = CKF_REMOVABLE_DEVICE};
    set_padded(info->slotDescription, sizeof info->slotDescription, "Token of this host");
    set_padded(info->manufacturerID, sizeof info->manufacturerID, MANUFACTURER);
    if (rv == CKR_OK) {
        tlm_token_info known;
        tlm_token_get_info(token, &known);
        info->flags |= CKF_TOKEN_PRESENT | (known.hardware_slot ? CKF_HW_SLOT : 0UL);
    }
    return CKR_OK;
}

static tlm_result read_info(tlm_token *token, void *context, tlm_error *error)
{
    CK_RV rv = token->module->functions->C_GetTokenInfo(token->slot, context);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetTokenInfo", "of %s", token->uri_text);
    }
    return TLM_OK;
}

/* PKCS#11 v2.40 section 3.2 has blanks; tpm2-pkcs11 pads the model with zeros. */
static void pad_with_blanks(CK_UTF8CHAR *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        text[i] = text[i] != '\0' ? text[i] : ' ';
    }
}

CK_RV tlm_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    tlm_client *client = NULL;
    tlm_token *token = NULL;
    CK_TOKEN_INFO own = {0};
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (info == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = tlm_client_token(client, slot, &token);
    if (rv == CKR_OK) {
        rv = tlm_provider_run(client, read_info, &own);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    CK_ULONG writable = 0;
    for (const tlm_client_session *at = client->sessions; at != NULL; at = at->next) {
        writable += at->writable ? 1U : 0U;
    }
    own.flags &= ~(CK_FLAGS)(PIN_FLAGS | CKF_DUAL_CRYPTO_OPERATIONS | CKF_CLOCK_ON_TOKEN |
                             CKF_RESTORE_KEY_NOT_NEEDED);
    own.flags |= CKF_PROTECTED_AUTHENTICATION_PATH | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
    own.ulMaxSessionCount = client->provider->config.sessions;
    own.ulMaxRwSessionCount = client->provider->config.sessions;
    own.ulSessionCount = client->session_count;
    own.ulRwSessionCount = writable;
    memset(own.utcTime, ' ', sizeof own.utcTime);
    pad_with_blanks(own.label, sizeof own.label);
    pad_with_blanks(own.manufacturerID, sizeof own.manufacturerID);
    pad_with_blanks(own.model, sizeof own.model);
    pad_with_blanks(own.serialNumber, sizeof own.serialNumber);
    *info = own;
    return CKR_OK;
}

CK_RV tlm_C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    tlm_client *client = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    if (slot == NULL || reserved != NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    return (flags & CKF_DONT_BLOCK) != 0 ? CKR_NO_EVENT : CKR_FUNCTION_NOT_SUPPORTED;
}

/* What the two mechanism functions begin with. */
static CK_RV mechanisms_of(CK_SLOT_ID slot, const tlm_served **served)
{
    tlm_client *client = NULL;
    tlm_token *token = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv == CKR_OK) {
        rv = tlm_client_token(client, slot, &token);
    }
    return rv == CKR_OK ? tlm_mechanism_served(client, served) : rv;
}

CK_RV tlm_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *types, CK_ULONG *count)
{
    const tlm_served *served = NULL;
    CK_RV rv = mechanisms_of(slot, &served);
    if (rv != CKR_OK) {
        return rv;
    }
    if (count == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    CK_ULONG have = *count;
    *count = (CK_ULONG)served->count;
    if (types == NULL) {
        return CKR_OK;
    }
    if (have < served->count) {
        return CKR_BUFFER_TOO_SMALL;
    }
    for (size_t i = 0; i < served->count; i++) {
        types[i] = served->items[i].kind->type;
    }
    return CKR_OK;
}

CK_RV tlm_C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    const tlm_served *served = NULL;
    CK_RV rv = mechanisms_of(slot, &served);
    if (rv != CKR_OK) {
        return rv;
    }
    if (info == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    for (size_t i = 0; i < served->count; i++) {
        if (served->items[i].kind->type == type) {
            *info = served->items[i].info;
            return CKR_OK;
        }
    }
    return CKR_MECHANISM_INVALID;
}

static CK_RV refuse_management(const tlm_client *client)
{
    tlm_audit_refused(&client->peer, "", TLM_AUDIT_NO_MECHANISM, "manage", CKR_ACTION_PROHIBITED);
    return CKR_ACTION_PROHIBITED;
}

/* The token is made by tlm-token-init, and its PINs are nobody's. */
CK_RV tlm_C_InitToken(CK_SLOT_ID slot, CK_BYTE *pin, CK_ULONG size, CK_BYTE *label)
{
    (void)pin;
    (void)size;
    (void)label;
    tlm_client *client = NULL;
    CK_RV rv = tlm_client_current(&client);
    if (rv != CKR_OK) {
        return rv;
    }
    return slot != TLM_PROVIDER_SLOT ? CKR_SLOT_ID_INVALID : refuse_management(client);
}

CK_RV tlm_C_InitPIN(CK_SESSION_HANDLE handle, CK_BYTE *pin, CK_ULONG size)
{
    (void)pin;
    (void)size;
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : refuse_management(session->client);
}

CK_RV tlm_C_SetPIN(CK_SESSION_HANDLE handle, CK_BYTE *old, CK_ULONG old_size, CK_BYTE *pin,
                   CK_ULONG size)
{
    (void)old;
    (void)old_size;
    (void)pin;
    (void)size;
    tlm_client_session *session = NULL;
    CK_RV rv = tlm_client_session_find(handle, &session);
    return rv != CKR_OK ? rv : refuse_management(session->client);
}
