/* SPDX-License-Identifier: BSD-2-Clause */
/* General, slot, token, session and object functions: PKCS#11 v2.40 sections 5.4 to 5.7. */
#include "conformance.h"

#include <string.h>

static CK_RV no_mutex(void **mutex)
{
    (void)mutex;
    return CKR_OK;
}

void rows_general(side *at)
{
    CK_FUNCTION_LIST *f = at->functions;
    int reserved = 0;
    CK_INFO info = {0};
    CK_ULONG count = 0;
    CK_C_INITIALIZE_ARGS with_reserved = {.flags = CKF_OS_LOCKING_OK, .pReserved = &reserved};
    CK_C_INITIALIZE_ARGS with_one = {.CreateMutex = no_mutex};
    CK_C_INITIALIZE_ARGS good = {.flags = CKF_OS_LOCKING_OK};
    ROW(at, "C_GetInfo before C_Initialize", f->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    ROW(at, "C_GetSlotList before C_Initialize", f->C_GetSlotList(CK_TRUE, NULL, &count),
        CKR_CRYPTOKI_NOT_INITIALIZED);
    ROW(at, "C_CloseSession before C_Initialize", f->C_CloseSession(1),
        CKR_CRYPTOKI_NOT_INITIALIZED);
    ROW(at, "C_GenerateRandom before C_Initialize", f->C_GenerateRandom(1, (CK_BYTE *)&info, 4),
        CKR_CRYPTOKI_NOT_INITIALIZED);
    ROW(at, "C_Finalize before C_Initialize", f->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    ROW(at, "C_Initialize with pReserved", f->C_Initialize(&with_reserved), CKR_ARGUMENTS_BAD);
    ROW(at, "C_Initialize with one of four mutex functions", f->C_Initialize(&with_one),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_Initialize with CKF_OS_LOCKING_OK", f->C_Initialize(&good), CKR_OK);
    ROW(at, "C_Initialize again", f->C_Initialize(&good), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    ROW(at, "C_GetInfo(NULL)", f->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetInfo", f->C_GetInfo(&info), CKR_OK);
    HOLDS(at, "cryptokiVersion is 2.40",
          info.cryptokiVersion.major == 2 && info.cryptokiVersion.minor == 40);
    HOLDS(at, "no flags in CK_INFO", info.flags == 0);
    ROW(at, "C_Finalize with pReserved", f->C_Finalize(&reserved), CKR_ARGUMENTS_BAD);
    (void)f->C_Finalize(NULL);
    ROW(at, "C_Finalize twice", f->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    ROW(at, "C_Initialize after C_Finalize", f->C_Initialize(NULL), CKR_OK);
    ROW(at, "C_Finalize", f->C_Finalize(NULL), CKR_OK);
}

#define NO_SLOT 987654UL

static void rows_mechanisms(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_MECHANISM_TYPE types[256];
    CK_MECHANISM_INFO info = {0};
    CK_ULONG count = 0;
    CK_ULONG room = 1;
    ROW(at, "C_GetMechanismList without a count", f->C_GetMechanismList(at->slot, NULL, NULL),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetMechanismList of no slot", f->C_GetMechanismList(NO_SLOT, NULL, &count),
        CKR_SLOT_ID_INVALID);
    ROW(at, "C_GetMechanismList: the number", f->C_GetMechanismList(at->slot, NULL, &count),
        CKR_OK);
    ROW(at, "C_GetMechanismList with room for one", f->C_GetMechanismList(at->slot, types, &room),
        CKR_BUFFER_TOO_SMALL);
    room = 256;
    ROW(at, "C_GetMechanismList", f->C_GetMechanismList(at->slot, types, &room), CKR_OK);
    /* p11-kit leaves mechanisms out of the list that it has counted. */
    REMOTE_ROW(at, "as many as it said", CKR_GENERAL_ERROR,
               room == count && count > 0 ? CKR_OK : CKR_GENERAL_ERROR, CKR_OK);
    ROW(at, "C_GetMechanismInfo of an unknown mechanism",
        f->C_GetMechanismInfo(at->slot, 0x7ffffff0UL, &info), CKR_MECHANISM_INVALID);
    ROW(at, "C_GetMechanismInfo of no slot", f->C_GetMechanismInfo(NO_SLOT, CKM_ECDSA, &info),
        CKR_SLOT_ID_INVALID);
    ROW(at, "C_GetMechanismInfo(NULL)", f->C_GetMechanismInfo(at->slot, CKM_ECDSA, NULL),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetMechanismInfo of CKM_ECDSA", f->C_GetMechanismInfo(at->slot, CKM_ECDSA, &info),
        CKR_OK);
    HOLDS(at, "CKM_ECDSA signs and verifies",
          (info.flags & (CKF_SIGN | CKF_VERIFY)) == (CKF_SIGN | CKF_VERIFY));
    bool all = true;
    for (CK_ULONG i = 0; i < room && room <= 256; i++) {
        all = all && f->C_GetMechanismInfo(at->slot, types[i], &info) == CKR_OK;
    }
    HOLDS(at, "C_GetMechanismInfo of each that is listed", all);
}

void rows_slots(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_SLOT_ID slots[16];
    CK_ULONG count = 0;
    CK_ULONG room = 0;
    CK_SLOT_INFO slot = {0};
    CK_TOKEN_INFO token = {0};
    CK_SLOT_ID event = 0;
    CK_FLAGS wanted =
        CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED;
    ROW(at, "C_GetSlotList without a count", f->C_GetSlotList(CK_TRUE, NULL, NULL),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetSlotList: the number", f->C_GetSlotList(CK_TRUE, NULL, &count), CKR_OK);
    ROW(at, "C_GetSlotList with no room", f->C_GetSlotList(CK_TRUE, slots, &room),
        CKR_BUFFER_TOO_SMALL);
    room = 16;
    ROW(at, "C_GetSlotList", f->C_GetSlotList(CK_TRUE, slots, &room), CKR_OK);
    HOLDS(at, "as many slots as it said", room == count);
    ROW(at, "C_GetSlotInfo of no slot", f->C_GetSlotInfo(NO_SLOT, &slot), CKR_SLOT_ID_INVALID);
    ROW(at, "C_GetSlotInfo(NULL)", f->C_GetSlotInfo(at->slot, NULL), CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetSlotInfo", f->C_GetSlotInfo(at->slot, &slot), CKR_OK);
    HOLDS(at, "the slot has a token", (slot.flags & CKF_TOKEN_PRESENT) != 0);
    HOLDS(at, "the description is padded with blanks", slot.slotDescription[63] == ' ');
    ROW(at, "C_GetTokenInfo of no slot", f->C_GetTokenInfo(NO_SLOT, &token), CKR_SLOT_ID_INVALID);
    ROW(at, "C_GetTokenInfo(NULL)", f->C_GetTokenInfo(at->slot, NULL), CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetTokenInfo", f->C_GetTokenInfo(at->slot, &token), CKR_OK);
    HOLDS(at, "the token has its flags", (token.flags & wanted) == wanted);
    HOLDS(at, "the label is padded with blanks", memcmp(token.label + 3, "      ", 6) == 0);
    ROW(at, "C_WaitForSlotEvent, not blocking", f->C_WaitForSlotEvent(CKF_DONT_BLOCK, &event, NULL),
        CKR_NO_EVENT);
    rows_mechanisms(at);
}

static CK_STATE state_of(const side *at, CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info = {.state = 99};
    (void)at->functions->C_GetSessionInfo(session, &info);
    return info.state;
}

static void rows_login(side *at, CK_SESSION_HANDLE reading)
{
    const CK_FUNCTION_LIST *f = at->functions;
    ROW(at, "C_Logout without a login", f->C_Logout(at->session), CKR_USER_NOT_LOGGED_IN);
    ROW(at, "C_Login in no session", f->C_Login(NO_SLOT, CKU_USER, at->pin, at->pin_size),
        CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_Login as an unknown kind of user",
        f->C_Login(at->session, 77, at->pin, at->pin_size), CKR_USER_TYPE_INVALID);
    ROW(at, "C_Login as user", f->C_Login(at->session, CKU_USER, at->pin, at->pin_size), CKR_OK);
    ROW(at, "C_Login as user again", f->C_Login(at->session, CKU_USER, at->pin, at->pin_size),
        CKR_USER_ALREADY_LOGGED_IN);
    ROW(at, "C_Login as user again in another session",
        f->C_Login(reading, CKU_USER, at->pin, at->pin_size), CKR_USER_ALREADY_LOGGED_IN);
    HOLDS(at, "CKS_RW_USER_FUNCTIONS", state_of(at, at->session) == CKS_RW_USER_FUNCTIONS);
    HOLDS(at, "CKS_RO_USER_FUNCTIONS", state_of(at, reading) == CKS_RO_USER_FUNCTIONS);
    ROW(at, "C_Logout in another session", f->C_Logout(reading), CKR_OK);
    HOLDS(at, "the logout is of all sessions", state_of(at, at->session) == CKS_RW_PUBLIC_SESSION);
    ROW(at, "C_Logout again", f->C_Logout(at->session), CKR_USER_NOT_LOGGED_IN);
    ROW(at, "C_Login after C_Logout", f->C_Login(at->session, CKU_USER, at->pin, at->pin_size),
        CKR_OK);
}

void rows_sessions(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_SESSION_HANDLE reading = 0;
    CK_SESSION_INFO info = {0};
    CK_FLAGS writing = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    (void)f->C_CloseAllSessions(at->slot);
    ROW(at, "C_OpenSession without CKF_SERIAL_SESSION",
        f->C_OpenSession(at->slot, CKF_RW_SESSION, NULL, NULL, &reading),
        CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    ROW(at, "C_OpenSession of no slot",
        f->C_OpenSession(NO_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &reading), CKR_SLOT_ID_INVALID);
    ROW(at, "C_OpenSession without room for a handle",
        f->C_OpenSession(at->slot, CKF_SERIAL_SESSION, NULL, NULL, NULL), CKR_ARGUMENTS_BAD);
    ROW(at, "C_OpenSession, read only",
        f->C_OpenSession(at->slot, CKF_SERIAL_SESSION, NULL, NULL, &reading), CKR_OK);
    ROW(at, "C_OpenSession, read and write",
        f->C_OpenSession(at->slot, writing, NULL, NULL, &at->session), CKR_OK);
    HOLDS(at, "two handles", reading != at->session && reading != 0 && at->session != 0);
    ROW(at, "C_GetSessionInfo of no session", f->C_GetSessionInfo(NO_SLOT, &info),
        CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_GetSessionInfo(NULL)", f->C_GetSessionInfo(reading, NULL), CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetSessionInfo", f->C_GetSessionInfo(at->session, &info), CKR_OK);
    HOLDS(at, "its slot and flags", info.slotID == at->slot && info.flags == writing);
    HOLDS(at, "CKS_RW_PUBLIC_SESSION", state_of(at, at->session) == CKS_RW_PUBLIC_SESSION);
    HOLDS(at, "CKS_RO_PUBLIC_SESSION", state_of(at, reading) == CKS_RO_PUBLIC_SESSION);
    rows_login(at, reading);
    ROW(at, "C_GetFunctionStatus", f->C_GetFunctionStatus(reading), CKR_FUNCTION_NOT_PARALLEL);
    ROW(at, "C_CancelFunction", f->C_CancelFunction(reading), CKR_FUNCTION_NOT_PARALLEL);
    ROW(at, "C_CloseSession of no session", f->C_CloseSession(NO_SLOT), CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_CloseSession", f->C_CloseSession(reading), CKR_OK);
    ROW(at, "C_CloseSession again", f->C_CloseSession(reading), CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_CloseAllSessions of no slot", f->C_CloseAllSessions(NO_SLOT), CKR_SLOT_ID_INVALID);
    ROW(at, "C_CloseAllSessions", f->C_CloseAllSessions(at->slot), CKR_OK);
    ROW(at, "C_GetSessionInfo after it", f->C_GetSessionInfo(at->session, &info),
        CKR_SESSION_HANDLE_INVALID);
    (void)f->C_OpenSession(at->slot, writing, NULL, NULL, &at->session);
    HOLDS(at, "the last session took the login",
          state_of(at, at->session) == CKS_RW_PUBLIC_SESSION);
}

static void rows_search(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE by_class = {CKA_CLASS, &class, sizeof class};
    CK_OBJECT_HANDLE found[16];
    CK_ULONG count = 9;
    ROW(at, "C_FindObjects without C_FindObjectsInit",
        f->C_FindObjects(at->session, found, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_FindObjectsFinal without C_FindObjectsInit", f->C_FindObjectsFinal(at->session),
        CKR_OPERATION_NOT_INITIALIZED);
    ROW(at, "C_FindObjectsInit in no session", f->C_FindObjectsInit(NO_SLOT, NULL, 0),
        CKR_SESSION_HANDLE_INVALID);
    ROW(at, "C_FindObjectsInit without a template for 1",
        f->C_FindObjectsInit(at->session, NULL, 1), CKR_ARGUMENTS_BAD);
    ROW(at, "C_FindObjectsInit", f->C_FindObjectsInit(at->session, &by_class, 1), CKR_OK);
    ROW(at, "C_FindObjectsInit again", f->C_FindObjectsInit(at->session, NULL, 0),
        CKR_OPERATION_ACTIVE);
    ROW(at, "C_FindObjects without room for the count",
        f->C_FindObjects(at->session, found, 1, NULL), CKR_ARGUMENTS_BAD);
    ROW(at, "C_FindObjects", f->C_FindObjects(at->session, found, 16, &count), CKR_OK);
    HOLDS(at, "no private key without a login", count == 0);
    ROW(at, "C_FindObjectsFinal", f->C_FindObjectsFinal(at->session), CKR_OK);
    ROW(at, "C_FindObjectsFinal again", f->C_FindObjectsFinal(at->session),
        CKR_OPERATION_NOT_INITIALIZED);
    fresh(at, false, true);
    (void)f->C_FindObjectsInit(at->session, &by_class, 1);
    ROW(at, "C_FindObjects, one", f->C_FindObjects(at->session, found, 1, &count), CKR_OK);
    HOLDS(at, "one", count == 1);
    ROW(at, "C_FindObjects, the rest", f->C_FindObjects(at->session, found, 16, &count), CKR_OK);
    HOLDS(at, "two private keys with a login", count == 1);
    ROW(at, "C_FindObjects at the end", f->C_FindObjects(at->session, found, 16, &count), CKR_OK);
    HOLDS(at, "none left", count == 0);
    (void)f->C_FindObjectsFinal(at->session);
}

static void rows_attributes(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_BYTE value[1024];
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE one = {CKA_CLASS, &class, sizeof class};
    CK_ATTRIBUTE asked = {.type = CKA_MODULUS};
    CK_ATTRIBUTE small = {CKA_MODULUS, value, 7};
    CK_ATTRIBUTE secret = {CKA_PRIVATE_EXPONENT, value, sizeof value};
    CK_ATTRIBUTE none = {CKA_MODULUS, value, sizeof value};
    CK_ATTRIBUTE mixed[] = {{CKA_PRIVATE_EXPONENT, value, sizeof value},
                            {CKA_CLASS, &class, sizeof class}};
    CK_ULONG size = 0;
    ROW(at, "C_GetAttributeValue of no object",
        f->C_GetAttributeValue(at->session, NO_SLOT, &one, 1), CKR_OBJECT_HANDLE_INVALID);
    ROW(at, "C_GetAttributeValue in no session",
        f->C_GetAttributeValue(NO_SLOT, at->rsa_public, &one, 1), CKR_SESSION_HANDLE_INVALID);
    CRASH_ROW(at, "C_GetAttributeValue without a template",
              f->C_GetAttributeValue(at->session, at->rsa_public, NULL, 1), CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetAttributeValue", f->C_GetAttributeValue(at->session, at->rsa_public, &one, 1),
        CKR_OK);
    HOLDS(at, "CKO_PUBLIC_KEY", class == CKO_PUBLIC_KEY);
    ROW(at, "C_GetAttributeValue: the length",
        f->C_GetAttributeValue(at->session, at->rsa_public, &asked, 1), CKR_OK);
    HOLDS(at, "that of the modulus", asked.ulValueLen == at->rsa_size);
    ROW(at, "C_GetAttributeValue with too little room",
        f->C_GetAttributeValue(at->session, at->rsa_public, &small, 1), CKR_BUFFER_TOO_SMALL);
    HOLDS(at, "CK_UNAVAILABLE_INFORMATION for it", small.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    ROW(at, "C_GetAttributeValue of a private exponent",
        f->C_GetAttributeValue(at->session, at->rsa_private, &secret, 1), CKR_ATTRIBUTE_SENSITIVE);
    HOLDS(at, "CK_UNAVAILABLE_INFORMATION for that",
          secret.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    ROW(at, "C_GetAttributeValue of a certificate's modulus",
        f->C_GetAttributeValue(at->session, at->certificate, &none, 1), CKR_ATTRIBUTE_TYPE_INVALID);
    ROW(at, "C_GetAttributeValue of a secret and another",
        f->C_GetAttributeValue(at->session, at->rsa_private, mixed, 2), CKR_ATTRIBUTE_SENSITIVE);
    HOLDS(at, "the other is read all the same",
          mixed[1].ulValueLen == sizeof class && class == CKO_PRIVATE_KEY);
    ROW(at, "C_GetObjectSize(NULL)", f->C_GetObjectSize(at->session, at->certificate, NULL),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_GetObjectSize of no object", f->C_GetObjectSize(at->session, NO_SLOT, &size),
        CKR_OBJECT_HANDLE_INVALID);
    ROW(at, "C_GetObjectSize", f->C_GetObjectSize(at->session, at->certificate, &size), CKR_OK);
}

void rows_objects(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE one = {CKA_CLASS, &class, sizeof class};
    fresh(at, false, false);
    rows_search(at);
    rows_attributes(at);
    CK_OBJECT_HANDLE private = at->rsa_private;
    (void)f->C_Logout(at->session);
    ROW(at, "C_GetAttributeValue of a private key after C_Logout",
        f->C_GetAttributeValue(at->session, private, &one, 1), CKR_OBJECT_HANDLE_INVALID);
    (void)f->C_Login(at->session, CKU_USER, at->pin, at->pin_size);
    ROW(at, "C_GetAttributeValue of its old handle after C_Login",
        f->C_GetAttributeValue(at->session, private, &one, 1), CKR_OBJECT_HANDLE_INVALID);
}

/* A data object: value "value", label "conformance". */
static CK_RV create(const side *at, CK_SESSION_HANDLE session, bool on_token, bool private,
                    CK_OBJECT_HANDLE *made)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL token = on_token ? CK_TRUE : CK_FALSE;
    CK_BBOOL hidden = private ? CK_TRUE : CK_FALSE;
    CK_BYTE value[] = {'v', 'a', 'l', 'u', 'e'};
    CK_BYTE label[] = {'c', 'o', 'n', 'f', 'o', 'r', 'm', 'a', 'n', 'c', 'e'};
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_TOKEN, &token, sizeof token},
                                 {CKA_PRIVATE, &hidden, sizeof hidden},
                                 {CKA_LABEL, label, sizeof label},
                                 {CKA_VALUE, value, sizeof value}};
    return at->functions->C_CreateObject(session, attributes, 5, made);
}

static void rows_session_objects(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_OBJECT_HANDLE made = 0;
    CK_SESSION_HANDLE second = 0;
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE one = {CKA_CLASS, &class, sizeof class};
    fresh(at, false, false);
    (void)f->C_OpenSession(at->slot, CKF_SERIAL_SESSION, NULL, NULL, &second);
    ROW(at, "C_CreateObject of the session, read only", create(at, second, false, false, &made),
        CKR_OK);
    ROW(at, "C_GetAttributeValue of it in another session",
        f->C_GetAttributeValue(at->session, made, &one, 1), CKR_OK);
    HOLDS(at, "CKO_DATA", class == CKO_DATA);
    ROW(at, "C_CloseSession of its session", f->C_CloseSession(second), CKR_OK);
    ROW(at, "C_GetAttributeValue after that", f->C_GetAttributeValue(at->session, made, &one, 1),
        CKR_OBJECT_HANDLE_INVALID);
    ROW(at, "C_CreateObject of the session", create(at, at->session, false, false, &made), CKR_OK);
    ROW(at, "C_DestroyObject of it", f->C_DestroyObject(at->session, made), CKR_OK);
    ROW(at, "C_DestroyObject of it again", f->C_DestroyObject(at->session, made),
        CKR_OBJECT_HANDLE_INVALID);
    ROW(at, "C_CreateObject of the session, private, no login",
        create(at, at->session, false, true, &made), CKR_USER_NOT_LOGGED_IN);
}

void rows_new_objects(side *at)
{
    const CK_FUNCTION_LIST *f = at->functions;
    CK_OBJECT_HANDLE made = 0;
    CK_BYTE name[] = {'o', 't', 'h', 'e', 'r'};
    CK_BYTE value[8] = {0};
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_ATTRIBUTE label = {CKA_LABEL, name, sizeof name};
    CK_ATTRIBUTE changed = {CKA_CLASS, &class, sizeof class};
    CK_ATTRIBUTE read = {CKA_VALUE, value, sizeof value};
    fresh(at, false, true);
    ROW(at, "C_CreateObject on the token in a read-only session",
        create(at, at->session, true, true, &made), CKR_SESSION_READ_ONLY);
    ROW(at, "C_DestroyObject in a read-only session",
        f->C_DestroyObject(at->session, at->certificate), CKR_SESSION_READ_ONLY);
    ROW(at, "C_SetAttributeValue in a read-only session",
        f->C_SetAttributeValue(at->session, at->certificate, &label, 1), CKR_SESSION_READ_ONLY);
    fresh(at, true, false);
    ROW(at, "C_CreateObject on the token, private, no login",
        create(at, at->session, true, true, &made), CKR_USER_NOT_LOGGED_IN);
    fresh(at, true, true);
    ROW(at, "C_CreateObject without a template", f->C_CreateObject(at->session, NULL, 1, &made),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_CreateObject without room for a handle", create(at, at->session, true, true, NULL),
        CKR_ARGUMENTS_BAD);
    ROW(at, "C_CreateObject without a class", f->C_CreateObject(at->session, &label, 1, &made),
        CKR_TEMPLATE_INCOMPLETE);
    ROW(at, "C_CreateObject on the token", create(at, at->session, true, true, &made), CKR_OK);
    ROW(at, "C_GetAttributeValue of it", f->C_GetAttributeValue(at->session, made, &read, 1),
        CKR_OK);
    HOLDS(at, "its value", read.ulValueLen == 5 && memcmp(value, "value", 5) == 0);
    ROW(at, "C_SetAttributeValue of its class",
        f->C_SetAttributeValue(at->session, made, &changed, 1), CKR_ATTRIBUTE_READ_ONLY);
    ROW(at, "C_SetAttributeValue of no object",
        f->C_SetAttributeValue(at->session, NO_SLOT, &label, 1), CKR_OBJECT_HANDLE_INVALID);
    ROW(at, "C_SetAttributeValue of its label",
        f->C_SetAttributeValue(at->session, made, &label, 1), CKR_OK);
    ROW(at, "C_DestroyObject of no object", f->C_DestroyObject(at->session, NO_SLOT),
        CKR_OBJECT_HANDLE_INVALID);
    ROW(at, "C_DestroyObject", f->C_DestroyObject(at->session, made), CKR_OK);
    ROW(at, "C_GetAttributeValue after it", f->C_GetAttributeValue(at->session, made, &read, 1),
        CKR_OBJECT_HANDLE_INVALID);
    rows_session_objects(at);
}
