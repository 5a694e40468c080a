/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 256U

/* Fields of PKCS#11 structures are padded with blanks and have no zero byte. */
static void copy_blank_padded(char *target, const unsigned char *source, size_t size)
{
    while (size > 0 && (source[size - 1] == ' ' || source[size - 1] == '\0')) {
        size--;
    }
    memcpy(target, source, size);
    target[size] = '\0';
}

static void format_version(char *target, size_t size, CK_VERSION version)
{
    (void)snprintf(target, size, "%u.%02u", (unsigned)version.major, (unsigned)version.minor);
}

static void keep_info(tlm_token *token, const CK_INFO *library, const CK_SLOT_INFO *slot,
                      const CK_TOKEN_INFO *from)
{
    (void)pthread_mutex_lock(&token->info_lock);
    tlm_token_info *info = &token->info;
    copy_blank_padded(info->label, from->label, sizeof from->label);
    copy_blank_padded(info->manufacturer, from->manufacturerID, sizeof from->manufacturerID);
    copy_blank_padded(info->model, from->model, sizeof from->model);
    copy_blank_padded(info->serial, from->serialNumber, sizeof from->serialNumber);
    format_version(info->hardware_version, sizeof info->hardware_version, from->hardwareVersion);
    format_version(info->firmware_version, sizeof info->firmware_version, from->firmwareVersion);
    copy_blank_padded(info->library, library->libraryDescription,
                      sizeof library->libraryDescription);
    format_version(info->library_version, sizeof info->library_version, library->libraryVersion);
    info->flags = from->flags;
    info->hardware_slot = (slot->flags & CKF_HW_SLOT) != 0;
    (void)pthread_mutex_unlock(&token->info_lock);
    token->flags = from->flags;
}

tlm_result tlm_session_read_info(tlm_token *token, tlm_error *error)
{
    CK_TOKEN_INFO info = {0};
    CK_RV rv = token->module->functions->C_GetTokenInfo(token->slot, &info);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetTokenInfo", "of %s", token->uri_text);
    }
    (void)pthread_mutex_lock(&token->info_lock);
    token->info.flags = info.flags;
    (void)pthread_mutex_unlock(&token->info_lock);
    token->flags = info.flags;
    return TLM_OK;
}

/* What was seen while looking for the token, for messages. */
typedef struct search {
    CK_SLOT_ID slot;
    unsigned found;
    char seen[256]; /* "'tlm', 'other'" */
} search;

static void note_seen(search *state, const CK_TOKEN_INFO *info)
{
    char label[sizeof info->label + 1];
    copy_blank_padded(label, info->label, sizeof info->label);
    size_t used = strlen(state->seen);
    (void)snprintf(state->seen + used, sizeof state->seen - used, "%s'%s'", used > 0 ? ", " : "",
                   label);
}

static void look_at_slot(tlm_token *token, CK_SLOT_ID slot, const CK_INFO *library, search *state)
{
    const CK_FUNCTION_LIST *functions = token->module->functions;
    CK_SLOT_INFO slot_info = {0};
    CK_TOKEN_INFO info = {0};
    if (functions->C_GetSlotInfo(slot, &slot_info) != CKR_OK ||
        functions->C_GetTokenInfo(slot, &info) != CKR_OK ||
        (info.flags & CKF_TOKEN_INITIALIZED) == 0) {
        return;
    }
    note_seen(state, &info);
    if (!p11_kit_uri_match_token_info(token->uri, &info) ||
        !p11_kit_uri_match_slot_info(token->uri, &slot_info)) {
        return;
    }
    state->found++;
    if (state->found == 1) {
        state->slot = slot;
        keep_info(token, library, &slot_info, &info);
    }
}

static tlm_result list_slots(const tlm_module *module, CK_SLOT_ID *slots, CK_ULONG *count,
                             tlm_error *error)
{
    /* The count is asked for first: modules look for new tokens then. */
    tlm_module_doing("C_GetSlotList");
    CK_RV rv = module->functions->C_GetSlotList(CK_TRUE, NULL, count);
    if (rv == CKR_OK) {
        *count = SLOTS_MAX;
        rv = module->functions->C_GetSlotList(CK_TRUE, slots, count);
    }
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetSlotList", "of module %s", module->path);
    }
    return TLM_OK;
}

tlm_result tlm_session_find_slot(tlm_token *token, tlm_error *error)
{
    CK_INFO library = {0};
    CK_SLOT_ID slots[SLOTS_MAX] = {0};
    CK_ULONG count = 0;
    search state = {0};
    CK_RV rv = token->module->functions->C_GetInfo(&library);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetInfo", "of module %s", token->module->path);
    }
    tlm_result result = list_slots(token->module, slots, &count, error);
    if (result != TLM_OK) {
        return result;
    }
    if (p11_kit_uri_match_module_info(token->uri, &library)) {
        for (CK_ULONG i = 0; i < count; i++) {
            look_at_slot(token, slots[i], &library, &state);
        }
    }
    if (state.found == 0) {
        result = tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "no token fits %s in module %s",
                               token->uri_text, token->module->path);
        tlm_error_set_hint(error, "Tokens there: %s. Make one with: tlm-token-init provision",
                           state.seen[0] != '\0' ? state.seen : "none");
        return result;
    }
    if (state.found > 1) {
        result = tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "%u tokens fit %s in module %s",
                               state.found, token->uri_text, token->module->path);
        tlm_error_set_hint(error, "Add serial= or slot-id= to the URI. Tokens there: %s",
                           state.seen);
        return result;
    }
    token->slot = state.slot;
    return TLM_OK;
}

tlm_result tlm_session_ping(tlm_token *token, tlm_error *error)
{
    CK_BYTE byte = 0;
    tlm_module_doing("C_GenerateRandom");
    CK_RV rv = token->module->functions->C_GenerateRandom(token->session, &byte, 1);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GenerateRandom", "on %s", token->uri_text);
    }
    return TLM_OK;
}

static tlm_result open_session(tlm_token *token, CK_SESSION_HANDLE *session, tlm_error *error)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | (token->read_only ? 0UL : CKF_RW_SESSION);
    tlm_module_doing("C_OpenSession");
    CK_RV rv = token->module->functions->C_OpenSession(token->slot, flags, NULL, NULL, session);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_OpenSession", "on %s", token->uri_text);
    }
    return TLM_OK;
}

tlm_result tlm_session_open(tlm_token *token, tlm_error *error)
{
    tlm_result result = open_session(token, &token->session, error);
    if (result != TLM_OK) {
        return result;
    }
    token->state = TLM_SESSION_READY;
    token->epoch = token->module->epoch;
    result = tlm_session_ping(token, error);
    if (result != TLM_OK) {
        tlm_session_close(token);
    }
    return result;
}

tlm_result tlm_session_exchange(tlm_token *token, tlm_error *error)
{
    CK_SESSION_HANDLE fresh = 0;
    tlm_result result = open_session(token, &fresh, error);
    if (result != TLM_OK) {
        return result;
    }
    (void)token->module->functions->C_CloseSession(token->session);
    token->session = fresh;
    token->state = TLM_SESSION_READY;
    return TLM_OK;
}

void tlm_session_close(tlm_token *token)
{
    if (token->state == TLM_SESSION_NONE) {
        return;
    }
    token->state = TLM_SESSION_NONE;
    if (token->epoch != token->module->epoch) {
        return; /* gone with C_Finalize */
    }
    /* The logout first: only it frees the keys that tpm2-pkcs11 holds in the TPM. */
    if (token->pin != NULL) {
        tlm_module_doing("C_Logout");
        (void)token->module->functions->C_Logout(token->session);
    }
    (void)token->module->functions->C_CloseSession(token->session);
}

/* The token's own word about its PIN, asked before anything is sent. */
static tlm_result check_pin_flags(const tlm_token *token, tlm_error *error)
{
    if ((token->flags & CKF_USER_PIN_LOCKED) != 0) {
        return tlm_error_set(error, TLM_ERR_LOCKED,
                             "See the state of the token with: tlm-token-init status",
                             "the user PIN of %s is locked", token->uri_text);
    }
    if ((token->flags & CKF_USER_PIN_FINAL_TRY) != 0) {
        return tlm_error_set(
            error, TLM_ERR_PIN,
            "Log in once by hand with the right PIN, then start again; no try is spent here.",
            "the next wrong user PIN locks %s, so none is sent", token->uri_text);
    }
    return TLM_OK;
}

static void note_login(tlm_token *token)
{
    token->login++;
    token->since = token->login;
}

static tlm_result send_pin(tlm_token *token, tlm_secret *pin, tlm_error *error)
{
    char name[256];
    (void)snprintf(name, sizeof name, "%s %s", token->uri_text, token->info.serial);
    if (pin != NULL && tlm_pin_was_refused(name, pin)) {
        token->pin_refused = true;
        return tlm_error_set(error, TLM_ERR_PIN,
                             "Correct the PIN; where the cause was another, restart the program.",
                             "%s refused this PIN before, so it is not sent again",
                             token->uri_text);
    }
    tlm_module_doing("C_Login");
    CK_RV rv = token->module->functions->C_Login(token->session, CKU_USER,
                                                 pin != NULL ? tlm_secret_data(pin) : NULL,
                                                 pin != NULL ? (CK_ULONG)tlm_secret_size(pin) : 0);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        note_login(token);
        return TLM_OK;
    }
    tlm_result result = tlm_error_set_rv(error, rv, "C_Login", "as user of %s", token->uri_text);
    if (result == TLM_ERR_PIN) {
        token->pin_refused = true;
        if (pin != NULL) {
            tlm_pin_note_refused(name, pin);
        }
    }
    return result;
}

tlm_result tlm_session_login(tlm_token *token, tlm_error *error)
{
    if (token->pin == NULL || (token->flags & CKF_LOGIN_REQUIRED) == 0) {
        note_login(token);
        return TLM_OK;
    }
    tlm_result result = check_pin_flags(token, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_secret *pin = NULL;
    result = token->pin(token->context, &pin, error);
    if (result == TLM_OK) {
        result = send_pin(token, pin, error);
    }
    tlm_secret_free(&pin);
    return result;
}
