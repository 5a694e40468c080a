/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions, login, objects and who may see and change them. Operations: test_provider_keys.c. */
#include "provider_fixture.h"

#include "feature.h"

static int open_empty(void **state)
{
    (void)state;
    open_provider();
    return 0;
}

static void test_new(void **state)
{
    (void)state;
    tlm_provider *made = NULL;
    tlm_error error = {0};
    tlm_provider_config config = {.access = access_table};
    assert_int_equal(tlm_provider_new(&config, &made, &error), TLM_ERR_ARGUMENT);
    config = (tlm_provider_config){.sessions = 1};
    assert_int_equal(tlm_provider_new(&config, &made, &error), TLM_ERR_ARGUMENT);
    assert_null(made);
    tlm_provider_free(&made);
    tlm_provider_free(NULL);
    tlm_client_free(NULL);
}

static void test_no_client(void **state)
{
    (void)state;
    CK_INFO info;
    CK_FUNCTION_LIST *list = NULL;
    tlm_client_enter(NULL);
    assert_rv(p11->C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_GetFunctionList(&list), CKR_OK);
    assert_ptr_equal(list, p11);
    assert_rv(p11->C_Initialize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(p11->C_CloseSession(1), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static CK_RV no_mutex(void **mutex)
{
    (void)mutex;
    return CKR_OK;
}

static void test_initialize(void **state)
{
    (void)state;
    tlm_error error = {0};
    int reserved = 0;
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK, .pReserved = &reserved};
    must(tlm_client_new(provider, &operator_peer, &client, &error), &error);
    tlm_client_enter(client);
    assert_rv(p11->C_GetFunctionStatus(1), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(p11->C_Initialize(&arguments), CKR_ARGUMENTS_BAD);
    arguments = (CK_C_INITIALIZE_ARGS){.CreateMutex = no_mutex};
    assert_rv(p11->C_Initialize(&arguments), CKR_ARGUMENTS_BAD);
    arguments = (CK_C_INITIALIZE_ARGS){.flags = CKF_OS_LOCKING_OK};
    assert_rv(p11->C_Initialize(&arguments), CKR_OK);
    assert_rv(p11->C_Initialize(&arguments), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_rv(p11->C_Finalize(&reserved), CKR_ARGUMENTS_BAD);
    tlm_provider_set_token(provider, token);
    session = open_session(0);
    assert_rv(p11->C_Finalize(NULL), CKR_OK);
    assert_rv(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_rv(p11->C_Initialize(NULL), CKR_OK);
    assert_rv(p11->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
    assert_int_not_equal(open_session(0), session);
}

static CK_ULONG slots_with_token(void)
{
    CK_ULONG count = 5;
    assert_rv(p11->C_GetSlotList(CK_TRUE, NULL, &count), CKR_OK);
    return count;
}

static void test_slot_without_token(void **state)
{
    (void)state;
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE opened = 0;
    CK_ULONG count = 0;
    tlm_error error = {0};
    enter_client(&operator_peer);
    assert_int_equal(slots_with_token(), 0);
    assert_rv(p11->C_GetSlotList(CK_FALSE, NULL, &count), CKR_OK);
    assert_int_equal(count, 1);
    assert_rv(p11->C_GetSlotInfo(TLM_PROVIDER_SLOT, &slot), CKR_OK);
    assert_int_equal(slot.flags & CKF_TOKEN_PRESENT, 0);
    assert_rv(p11->C_GetTokenInfo(TLM_PROVIDER_SLOT, &info), CKR_TOKEN_NOT_PRESENT);
    assert_rv(p11->C_GetMechanismList(TLM_PROVIDER_SLOT, NULL, &count), CKR_TOKEN_NOT_PRESENT);
    assert_rv(p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &opened),
              CKR_TOKEN_NOT_PRESENT);
    assert_int_equal(tlm_provider_restart_token(provider, &error), TLM_ERR_NOT_FOUND);
    tlm_provider_set_token(provider, token);
    assert_int_equal(slots_with_token(), 1);
    assert_rv(p11->C_GetSlotInfo(TLM_PROVIDER_SLOT, &slot), CKR_OK);
    assert_int_not_equal(slot.flags & CKF_TOKEN_PRESENT, 0);
    (void)open_session(0);
}

static void test_stranger_sees_no_token(void **state)
{
    (void)state;
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE opened = 0;
    tlm_provider_set_token(provider, token);
    enter_client(&stranger_peer);
    assert_int_equal(slots_with_token(), 0);
    assert_rv(p11->C_GetTokenInfo(TLM_PROVIDER_SLOT, &info), CKR_TOKEN_NOT_PRESENT);
    assert_rv(p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &opened),
              CKR_TOKEN_NOT_PRESENT);
}

static void test_token_info(void **state)
{
    (void)state;
    CK_TOKEN_INFO info;
    CK_FLAGS wanted =
        CKF_PROTECTED_AUTHENTICATION_PATH | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_RNG;
    /* What the back end says of its PIN is not passed on. */
    tlm_token_fixture_faults(&fixture, "CKF:1:0x770000:0\n");
    assert_rv(p11->C_GetTokenInfo(TLM_PROVIDER_SLOT, &info), CKR_OK);
    assert_int_equal(info.flags & wanted, wanted);
    assert_int_equal(info.flags & 0xff0000UL, 0);
    assert_memory_equal(info.label, "tlm                             ", 32);
    assert_int_equal(info.ulMaxSessionCount, TEST_SESSIONS);
    assert_int_equal(info.ulSessionCount, 1);
    assert_int_equal(info.ulRwSessionCount, 1);
    assert_rv(p11->C_GetTokenInfo(TLM_PROVIDER_SLOT, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_GetTokenInfo(TLM_PROVIDER_SLOT + 1, &info), CKR_SLOT_ID_INVALID);
}

static void test_mechanisms(void **state)
{
    (void)state;
    CK_MECHANISM_TYPE types[64];
    CK_MECHANISM_INFO info;
    CK_ULONG count = 0;
    CK_ULONG room = 1;
    bool oaep = false;
    assert_rv(p11->C_GetMechanismList(TLM_PROVIDER_SLOT, NULL, &count), CKR_OK);
    assert_true(count > 10 && count < 64);
    assert_rv(p11->C_GetMechanismList(TLM_PROVIDER_SLOT, types, &room), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(room, count);
    assert_rv(p11->C_GetMechanismList(TLM_PROVIDER_SLOT, types, &room), CKR_OK);
    for (CK_ULONG i = 0; i < count; i++) {
        assert_rv(p11->C_GetMechanismInfo(TLM_PROVIDER_SLOT, types[i], &info), CKR_OK);
        oaep = oaep || types[i] == CKM_RSA_PKCS_OAEP;
        assert_int_not_equal(types[i], CKM_ECDSA_SHA256); /* which SoftHSM has not */
        assert_int_equal(info.flags & (CKF_WRAP | CKF_UNWRAP), 0);
    }
    assert_true(oaep);
    assert_rv(p11->C_GetMechanismInfo(TLM_PROVIDER_SLOT, CKM_ECDSA_SHA256, &info),
              CKR_MECHANISM_INVALID);
    /* They are read once. */
    assert_int_equal(calls("C_GetMechanismList"), 1);
}

static void test_sessions(void **state)
{
    (void)state;
    CK_SESSION_HANDLE opened[TEST_SESSIONS] = {session};
    CK_SESSION_HANDLE more = 0;
    CK_SESSION_INFO info;
    assert_rv(p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_RW_SESSION, NULL, NULL, &more),
              CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_rv(p11->C_OpenSession(7, CKF_SERIAL_SESSION, NULL, NULL, &more), CKR_SLOT_ID_INVALID);
    for (unsigned i = 1; i < TEST_SESSIONS; i++) {
        opened[i] = open_session(0);
    }
    assert_rv(p11->C_OpenSession(TLM_PROVIDER_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &more),
              CKR_SESSION_COUNT);
    assert_rv(p11->C_GetSessionInfo(opened[1], &info), CKR_OK);
    assert_int_equal(info.state, CKS_RO_USER_FUNCTIONS);
    assert_rv(p11->C_GetSessionInfo(opened[0], &info), CKR_OK);
    assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
    assert_int_equal(info.flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
    assert_rv(p11->C_CloseSession(opened[2]), CKR_OK);
    assert_rv(p11->C_CloseSession(opened[2]), CKR_SESSION_HANDLE_INVALID);
    assert_rv(p11->C_GetSessionInfo(opened[2], &info), CKR_SESSION_HANDLE_INVALID);
    (void)open_session(0);
    assert_rv(p11->C_CloseAllSessions(TLM_PROVIDER_SLOT), CKR_OK);
    assert_rv(p11->C_GetSessionInfo(opened[0], &info), CKR_SESSION_HANDLE_INVALID);
    /* The login went with the last session. */
    session = open_session(0);
    assert_rv(p11->C_GetSessionInfo(session, &info), CKR_OK);
    assert_int_equal(info.state, CKS_RO_PUBLIC_SESSION);
    /* None of it reached the back end. */
    assert_int_equal(calls("C_OpenSession") + calls("C_CloseSession") + calls("C_Logout"), 0);
}

static void test_login(void **state)
{
    (void)state;
    CK_BYTE wrong[] = "wrong PIN";
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 0), CKR_USER_ALREADY_LOGGED_IN);
    assert_rv(p11->C_Logout(session), CKR_OK);
    assert_rv(p11->C_Logout(session), CKR_USER_NOT_LOGGED_IN);
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 4), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_Login(session, CKU_SO, wrong, 9), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_Login(session, 77, wrong, 9), CKR_USER_TYPE_INVALID);
    assert_rv(p11->C_Login(session, CKU_CONTEXT_SPECIFIC, wrong, 9), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_Login(session + 1, CKU_USER, NULL, 0), CKR_SESSION_HANDLE_INVALID);
    assert_rv(p11->C_Login(session, CKU_USER, wrong, 9), CKR_OK);
    assert_rv(p11->C_InitPIN(session, wrong, 9), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_SetPIN(session, wrong, 9, wrong, 9), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_InitToken(TLM_PROVIDER_SLOT, wrong, 9, wrong), CKR_ACTION_PROHIBITED);
    assert_int_equal(calls("C_Login"), 0);
    assert_int_equal(fixture.pin_asks, 0);
}

static void test_private_objects_need_the_login(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE found[16];
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE wanted = {CKA_CLASS, &class, sizeof class};
    assert_int_equal(find_all(NULL, 0, found, 16), 4);
    CK_OBJECT_HANDLE private = find_one(CKO_PRIVATE_KEY, "tlm-srk");
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    assert_int_equal(private, find_one(CKO_PRIVATE_KEY, "tlm-srk"));
    assert_rv(p11->C_GetAttributeValue(session, private, &wanted, 1), CKR_OK);
    assert_int_equal(class, CKO_PRIVATE_KEY);
    assert_rv(p11->C_Logout(session), CKR_OK);
    assert_rv(p11->C_GetAttributeValue(session, private, &wanted, 1), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(p11->C_GetAttributeValue(session, public, &wanted, 1), CKR_OK);
    assert_int_equal(find_all(NULL, 0, found, 16), 2);
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 0), CKR_OK);
    /* The handle stays dead, the object has a new one. */
    assert_rv(p11->C_GetAttributeValue(session, private, &wanted, 1), CKR_OBJECT_HANDLE_INVALID);
    assert_int_not_equal(find_one(CKO_PRIVATE_KEY, "tlm-srk"), private);
    assert_int_equal(find_one(CKO_PUBLIC_KEY, "tlm-srk"), public);
}

static void test_user_sees_what_the_table_names(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE found[16];
    assert_int_equal(find_all(NULL, 0, found, 16), 2);
    assert_int_equal(find_one(CKO_PRIVATE_KEY, "tlm-srk"), 0);
    assert_int_equal(find_one(CKO_PUBLIC_KEY, "tlm-srk"), 0);
    assert_int_not_equal(find_one(CKO_PRIVATE_KEY, "tlm-attest"), 0);
    /* Nor by handles that another client found. */
    tlm_client *own = client;
    enter_client(&operator_peer);
    CK_SESSION_HANDLE users = session;
    session = open_session(0);
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    assert_int_not_equal(public, 0);
    tlm_client_free(&client);
    client = own;
    tlm_client_enter(client);
    session = users;
    CK_ULONG size = 0;
    assert_rv(p11->C_GetObjectSize(session, public, &size), CKR_OBJECT_HANDLE_INVALID);
}

static void test_search(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE found[4] = {0};
    CK_ULONG count = 0;
    CK_ULONG total = 0;
    CK_BYTE byte = 0;
    CK_ATTRIBUTE broken = {CKA_LABEL, NULL, 3};
    CK_ATTRIBUTE vendor = {CKA_VENDOR_DEFINED | 0x0F000001UL, &byte, 1};
    assert_rv(p11->C_FindObjects(session, found, 4, &count), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_FindObjectsInit(session, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_FindObjectsInit(session, &broken, 1), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_rv(p11->C_FindObjectsInit(session, NULL, 0), CKR_OK);
    assert_rv(p11->C_FindObjectsInit(session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_rv(p11->C_FindObjects(session, found, 4, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_FindObjects(session, NULL, 4, &count), CKR_ARGUMENTS_BAD);
    do {
        assert_rv(p11->C_FindObjects(session, found, 3, &count), CKR_OK);
        total += count;
    } while (count > 0);
    assert_int_equal(total, 4);
    assert_rv(p11->C_FindObjectsFinal(session), CKR_OK);
    assert_int_equal(find_one(CKO_PUBLIC_KEY, "tlm"), 0);
    assert_int_equal(find_all(&vendor, 1, found, 4), 0);
}

static void test_attributes(void **state)
{
    (void)state;
    CK_BYTE modulus[256];
    CK_BYTE exponent[256];
    CK_BBOOL sensitive = CK_FALSE;
    CK_BYTE vendor[64];
    CK_ATTRIBUTE wanted[] = {{CKA_PRIVATE_EXPONENT, exponent, sizeof exponent},
                             {CKA_MODULUS, modulus, sizeof modulus},
                             {CKA_VENDOR_DEFINED | 0x0F000001UL, vendor, sizeof vendor},
                             {CKA_SENSITIVE, &sensitive, sizeof sensitive}};
    CK_ATTRIBUTE small = {CKA_MODULUS, modulus, 10};
    CK_ATTRIBUTE asked = {CKA_MODULUS, NULL, 0};
    CK_OBJECT_HANDLE private = find_one(CKO_PRIVATE_KEY, "tlm-srk");
    assert_int_not_equal(p11->C_GetAttributeValue(session, private, wanted, 4), CKR_OK);
    assert_int_equal(wanted[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(wanted[1].ulValueLen, sizeof modulus);
    assert_int_equal(wanted[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(wanted[3].ulValueLen, 1);
    assert_int_equal(sensitive, CK_TRUE);
    assert_rv(p11->C_GetAttributeValue(session, private, wanted, 2), CKR_ATTRIBUTE_SENSITIVE);
    assert_rv(p11->C_GetAttributeValue(session, private, &wanted[2], 1),
              CKR_ATTRIBUTE_TYPE_INVALID);
    assert_rv(p11->C_GetAttributeValue(session, private, &small, 1), CKR_BUFFER_TOO_SMALL);
    assert_rv(p11->C_GetAttributeValue(session, private, &asked, 1), CKR_OK);
    assert_int_equal(asked.ulValueLen, sizeof modulus);
    assert_rv(p11->C_GetAttributeValue(session, private, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_GetAttributeValue(session, private + 1000, &asked, 1),
              CKR_OBJECT_HANDLE_INVALID);
}

/* A lost answer is asked for again, with the lengths that the client gave. */
static void test_attributes_after_a_failure(void **state)
{
    (void)state;
    CK_BYTE modulus[256];
    CK_ATTRIBUTE wanted = {CKA_MODULUS, modulus, sizeof modulus};
    CK_OBJECT_HANDLE public = find_one(CKO_PUBLIC_KEY, "tlm-srk");
    tlm_token_fixture_faults(&fixture, "+C_GetAttributeValue:1:0x30\n");
    assert_rv(p11->C_GetAttributeValue(session, public, &wanted, 1), CKR_OK);
    assert_int_equal(wanted.ulValueLen, sizeof modulus);
}

static CK_RV create_data(const char *label, const char *value, CK_BBOOL on_token,
                         CK_OBJECT_HANDLE *made)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL private = CK_TRUE;
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_TOKEN, &on_token, sizeof on_token},
                                 {CKA_PRIVATE, &private, sizeof private},
                                 {CKA_LABEL, tlm_unconst(label), (CK_ULONG)strlen(label)},
                                 {CKA_VALUE, tlm_unconst(value), (CK_ULONG)strlen(value)}};
    return p11->C_CreateObject(session, attributes, 5, made);
}

static void test_manage(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    CK_OBJECT_HANDLE copy = 0;
    char value[16] = "";
    CK_ATTRIBUTE read = {CKA_VALUE, value, sizeof value};
    CK_ATTRIBUTE renamed = {CKA_LABEL, tlm_unconst("second"), 6};
    assert_rv(create_data("first", "value", CK_TRUE, &made), CKR_OK);
    assert_int_equal(find_one(CKO_DATA, "first"), made);
    assert_rv(p11->C_GetAttributeValue(session, made, &read, 1), CKR_OK);
    assert_memory_equal(value, "value", 5);
    assert_rv(p11->C_SetAttributeValue(session, made, &renamed, 1), CKR_OK);
    assert_int_equal(find_one(CKO_DATA, "first"), 0);
    assert_int_equal(find_one(CKO_DATA, "second"), made);
    assert_rv(p11->C_SetAttributeValue(session, made, NULL, 1), CKR_ARGUMENTS_BAD);
    CK_ATTRIBUTE third = {CKA_LABEL, tlm_unconst("third"), 5};
    assert_rv(p11->C_CopyObject(session, made, &third, 1, &copy), CKR_OK);
    assert_int_equal(find_one(CKO_DATA, "third"), copy);
    assert_rv(p11->C_DestroyObject(session, made), CKR_OK);
    assert_rv(p11->C_DestroyObject(session, made), CKR_OBJECT_HANDLE_INVALID);
    assert_rv(p11->C_DestroyObject(session, copy), CKR_OK);
    assert_int_equal(find_one(CKO_DATA, "second"), 0);
}

/* A handle outlives a change of the label and the module's restart after it. */
static void test_renamed_and_restarted(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    tlm_error error = {0};
    char value[16] = "";
    CK_ATTRIBUTE read = {CKA_VALUE, value, sizeof value};
    CK_ATTRIBUTE renamed = {CKA_LABEL, tlm_unconst("second"), 6};
    assert_rv(create_data("first", "value", CK_TRUE, &made), CKR_OK);
    assert_rv(p11->C_SetAttributeValue(session, made, &renamed, 1), CKR_OK);
    must(tlm_provider_restart_token(provider, &error), &error);
    assert_rv(p11->C_GetAttributeValue(session, made, &read, 1), CKR_OK);
    assert_memory_equal(value, "value", 5);
    assert_rv(p11->C_DestroyObject(session, made), CKR_OK);
}

static void test_manage_is_not_for_everyone(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    CK_OBJECT_HANDLE key = find_one(CKO_PRIVATE_KEY, "tlm-attest");
    CK_ATTRIBUTE renamed = {CKA_LABEL, tlm_unconst("mine"), 4};
    CK_BBOOL on_token = CK_TRUE;
    CK_ATTRIBUTE there = {CKA_TOKEN, &on_token, sizeof on_token};
    CK_MECHANISM mechanism = {.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN};
    assert_rv(create_data("tlm-attest", "value", CK_TRUE, &made), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_SetAttributeValue(session, key, &renamed, 1), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_CopyObject(session, key, &renamed, 1, &made), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_DestroyObject(session, key), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_GenerateKeyPair(session, &mechanism, &there, 1, &there, 1, &made, &made),
              CKR_ACTION_PROHIBITED);
    mechanism.mechanism = CKM_AES_KEY_GEN;
    assert_rv(p11->C_GenerateKey(session, &mechanism, &there, 1, &made), CKR_ACTION_PROHIBITED);
    assert_int_equal(
        calls("C_CreateObject") + calls("C_DestroyObject") + calls("C_GenerateKeyPair"), 0);
}

static void test_manage_needs_the_right_session(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    CK_SESSION_HANDLE writable = session;
    session = open_session(0);
    assert_rv(create_data("first", "value", CK_TRUE, &made), CKR_SESSION_READ_ONLY);
    session = writable;
    assert_rv(p11->C_Logout(session), CKR_OK);
    assert_rv(create_data("first", "value", CK_TRUE, &made), CKR_USER_NOT_LOGGED_IN);
}

/* Whether an object was made before the answer was lost is not known, so it is not made twice. */
static void test_lost_creation_is_not_repeated(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    tlm_token_fixture_faults(&fixture, "+C_CreateObject:1:0x30\n");
    assert_rv(create_data("lost", "value", CK_TRUE, &made), CKR_DEVICE_ERROR);
    assert_int_equal(calls("C_CreateObject"), 1);
    made = find_one(CKO_DATA, "lost");
    assert_int_not_equal(made, 0);
    tlm_token_fixture_faults(&fixture, "+C_DestroyObject:1:0x30\n");
    assert_rv(p11->C_DestroyObject(session, made), CKR_OK);
    assert_int_equal(calls("C_DestroyObject"), 1);
    assert_int_equal(find_one(CKO_DATA, "lost"), 0);
}

/* A session object of tlm-srk's public half under another label. */
static CK_RV create_public(CK_SESSION_HANDLE in, CK_OBJECT_HANDLE *made)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_RSA;
    CK_BBOOL yes = CK_TRUE;
    CK_BYTE exponent[] = {1, 0, 1};
    CK_BYTE modulus[256];
    CK_ATTRIBUTE read = {CKA_MODULUS, modulus, sizeof modulus};
    assert_rv(p11->C_GetAttributeValue(in, find_one(CKO_PUBLIC_KEY, "tlm-srk"), &read, 1), CKR_OK);
    CK_ATTRIBUTE attributes[] = {
        {CKA_CLASS, &class, sizeof class},      {CKA_KEY_TYPE, &type, sizeof type},
        {CKA_LABEL, tlm_unconst("mine"), 4},    {CKA_VERIFY, &yes, sizeof yes},
        {CKA_MODULUS, modulus, sizeof modulus}, {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};
    return p11->C_CreateObject(in, attributes, 6, made);
}

static void test_session_object(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    CK_OBJECT_HANDLE found[8];
    CK_BYTE signature[256];
    CK_BYTE text[] = "text";
    CK_ULONG size = sizeof signature;
    CK_MECHANISM mechanism = {.mechanism = CKM_SHA256_RSA_PKCS};
    tlm_error error = {0};
    CK_SESSION_HANDLE other = open_session(0);
    assert_rv(create_public(other, &made), CKR_OK);
    assert_int_equal(find_one(CKO_PUBLIC_KEY, "mine"), made);
    assert_int_equal(find_all(NULL, 0, found, 8), 5);
    assert_rv(p11->C_SignInit(session, &mechanism, find_one(CKO_PRIVATE_KEY, "tlm-srk")), CKR_OK);
    assert_rv(p11->C_Sign(session, text, sizeof text, signature, &size), CKR_OK);
    must(tlm_provider_restart_token(provider, &error), &error);
    assert_rv(p11->C_VerifyInit(session, &mechanism, made), CKR_OK);
    assert_rv(p11->C_Verify(session, text, sizeof text, signature, size), CKR_OK);
    signature[0] ^= 1;
    assert_rv(p11->C_VerifyInit(session, &mechanism, made), CKR_OK);
    assert_rv(p11->C_Verify(session, text, sizeof text, signature, size), CKR_SIGNATURE_INVALID);
    /* It ends with its session, and takes what is done with it along. */
    assert_rv(p11->C_VerifyInit(session, &mechanism, made), CKR_OK);
    assert_rv(p11->C_CloseSession(other), CKR_OK);
    assert_rv(p11->C_Verify(session, text, sizeof text, signature, size),
              CKR_OPERATION_NOT_INITIALIZED);
    assert_rv(p11->C_VerifyInit(session, &mechanism, made), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(find_all(NULL, 0, found, 8), 4);
    /* Nothing stays in the back end. */
    assert_int_equal(calls("C_CreateObject"), calls("C_DestroyObject"));
}

static void test_session_objects_have_bounds(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE secret = {CKA_CLASS, &class, sizeof class};
    CK_ATTRIBUTE renamed = {CKA_LABEL, tlm_unconst("other"), 5};
    assert_rv(p11->C_CreateObject(session, &secret, 1, &made), CKR_TEMPLATE_INCONSISTENT);
    for (unsigned i = 0; i < 32; i++) {
        assert_rv(create_data("mine", "value", CK_FALSE, &made), CKR_OK);
    }
    assert_rv(create_data("mine", "value", CK_FALSE, &made), CKR_DEVICE_MEMORY);
    assert_rv(p11->C_Logout(session), CKR_OK);
    /* The private ones went with the login. */
    assert_rv(create_data("mine", "value", CK_FALSE, &made), CKR_USER_NOT_LOGGED_IN);
    assert_rv(create_public(session, &made), CKR_OK);
    assert_rv(p11->C_SetAttributeValue(session, made, &renamed, 1), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_CopyObject(session, made, &renamed, 1, &made), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_DestroyObject(session, made), CKR_OK);
    assert_rv(p11->C_DestroyObject(session, made), CKR_OBJECT_HANDLE_INVALID);
}

/* Of another client nobody sees anything, and the table does not count for them. */
static void test_session_objects_are_private_to_a_client(void **state)
{
    (void)state;
    CK_OBJECT_HANDLE made = 0;
    CK_OBJECT_HANDLE found[8];
    assert_rv(create_data("a label of my own", "value", CK_FALSE, &made), CKR_OK);
    assert_int_equal(find_one(CKO_DATA, "a label of my own"), made);
    tlm_client *own = client;
    CK_SESSION_HANDLE users = session;
    enter_client(&operator_peer);
    session = open_session(0);
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 0), CKR_OK);
    assert_int_equal(find_all(NULL, 0, found, 8), 4);
    tlm_client_free(&client);
    client = own;
    session = users;
    tlm_client_enter(client);
}

static void test_generate(void **state)
{
    (void)state;
    CK_MECHANISM mechanism = {.mechanism = CKM_EC_KEY_PAIR_GEN};
    CK_BBOOL yes = CK_TRUE;
    CK_BYTE curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_LABEL, tlm_unconst("new"), 3},
                             {CKA_EC_PARAMS, curve, sizeof curve}};
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_LABEL, tlm_unconst("new"), 3}};
    CK_OBJECT_HANDLE made[2] = {0};
    assert_rv(p11->C_GenerateKeyPair(session, NULL, public, 3, private, 3, &made[0], &made[1]),
              CKR_ARGUMENTS_BAD);
    assert_rv(
        p11->C_GenerateKeyPair(session, &mechanism, public, 3, private, 3, &made[0], &made[1]),
        CKR_OK);
    assert_int_equal(find_one(CKO_PUBLIC_KEY, "new"), made[0]);
    assert_int_equal(find_one(CKO_PRIVATE_KEY, "new"), made[1]);
    assert_rv(p11->C_DestroyObject(session, made[0]), CKR_OK);
    assert_rv(p11->C_DestroyObject(session, made[1]), CKR_OK);
}

static CK_OBJECT_HANDLE find_feature(CK_HW_FEATURE_TYPE type)
{
    CK_OBJECT_CLASS class = CKO_HW_FEATURE;
    CK_OBJECT_HANDLE found[4] = {0};
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_HW_FEATURE_TYPE, &type, sizeof type}};
    CK_ULONG count = find_all(attributes, 2, found, 4);
    assert_true(count < 2);
    return found[0];
}

static void test_features(void **state)
{
    (void)state;
    CK_BYTE first[8];
    CK_BYTE second[8];
    CK_ATTRIBUTE one = {CKA_VALUE, first, sizeof first};
    CK_ATTRIBUTE two = {CKA_VALUE, second, sizeof second};
    CK_ULONG size = 0;
    CK_OBJECT_HANDLE counter = find_feature(CKH_MONOTONIC_COUNTER);
    assert_int_not_equal(counter, 0);
    assert_int_equal(find_feature(CKH_CLOCK), 0); /* this hardware has none */
    assert_rv(p11->C_GetAttributeValue(session, counter, &one, 1), CKR_OK);
    assert_rv(p11->C_GetAttributeValue(session, counter, &two, 1), CKR_OK);
    assert_true(memcmp(first, second, 8) < 0);
    assert_rv(p11->C_GetObjectSize(session, counter, &size), CKR_OK);
    assert_rv(p11->C_DestroyObject(session, counter), CKR_ACTION_PROHIBITED);
    /* It needs no login. */
    assert_rv(p11->C_Logout(session), CKR_OK);
    assert_int_equal(find_feature(CKH_MONOTONIC_COUNTER), counter);
    assert_rv(p11->C_GetAttributeValue(session, counter, &one, 1), CKR_OK);
}

static void test_counter_is_not_for_everyone(void **state)
{
    (void)state;
    CK_BYTE value[8];
    CK_BYTE label[32];
    CK_ATTRIBUTE wanted[] = {{CKA_VALUE, value, sizeof value}, {CKA_LABEL, label, sizeof label}};
    CK_OBJECT_HANDLE counter = find_feature(CKH_MONOTONIC_COUNTER);
    uint64_t before = test_counter;
    assert_int_not_equal(counter, 0);
    assert_rv(p11->C_GetAttributeValue(session, counter, &wanted[1], 1), CKR_OK);
    assert_rv(p11->C_GetAttributeValue(session, counter, wanted, 2), CKR_ATTRIBUTE_SENSITIVE);
    assert_int_equal(wanted[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(test_counter, before);
}

/* A client that is there keeps its table; the next one has the new one, for everything. */
static void test_another_table(void **state)
{
    (void)state;
    static const char rules[] = "{\"version\": 1, \"rules\": [{\"user\": 0, \"objects\": [\"*\"],"
                                " \"operations\": [\"see\"]}]}";
    tlm_access *seeing = NULL;
    tlm_error error = {0};
    CK_OBJECT_HANDLE made = 0;
    CK_BYTE value[8];
    CK_ATTRIBUTE wanted = {CKA_VALUE, value, sizeof value};
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};
    must(tlm_access_parse(rules, strlen(rules), "rules", &seeing, &error), &error);
    tlm_provider_set_access(provider, seeing);
    assert_rv(create_data("first", "value", CK_TRUE, &made), CKR_OK);
    assert_rv(p11->C_DestroyObject(session, made), CKR_OK);
    tlm_client_free(&client);
    enter_client(&operator_peer);
    session = open_session(CKF_RW_SESSION);
    assert_rv(p11->C_Login(session, CKU_USER, NULL, 0), CKR_OK);
    assert_rv(create_data("first", "value", CK_TRUE, &made), CKR_ACTION_PROHIBITED);
    assert_rv(p11->C_GetAttributeValue(session, find_feature(CKH_MONOTONIC_COUNTER), &wanted, 1),
              CKR_ATTRIBUTE_SENSITIVE);
    assert_rv(p11->C_SignInit(session, &mechanism, find_one(CKO_PRIVATE_KEY, "tlm-attest")),
              CKR_KEY_FUNCTION_NOT_PERMITTED);
    tlm_client_free(&client);
    tlm_provider_set_access(provider, access_table);
    tlm_access_free(&seeing);
}

static void test_wait(void **state)
{
    (void)state;
    CK_SLOT_ID slot = 0;
    assert_rv(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
    assert_rv(p11->C_WaitForSlotEvent(0, &slot, NULL), CKR_FUNCTION_NOT_SUPPORTED);
    assert_rv(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_rv(p11->C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL);
    assert_rv(p11->C_CancelFunction(session), CKR_FUNCTION_NOT_PARALLEL);
    assert_rv(p11->C_GetFunctionStatus(session + 1), CKR_SESSION_HANDLE_INVALID);
}

#define WITH(name, as) cmocka_unit_test_setup_teardown(name, as, close_provider)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_no_client),
        WITH(test_initialize, open_empty),
        WITH(test_slot_without_token, open_empty),
        WITH(test_stranger_sees_no_token, open_empty),
        WITH(test_token_info, open_operator),
        WITH(test_mechanisms, open_operator),
        WITH(test_sessions, open_operator),
        WITH(test_login, open_operator),
        WITH(test_private_objects_need_the_login, open_operator),
        WITH(test_user_sees_what_the_table_names, open_user),
        WITH(test_search, open_operator),
        WITH(test_attributes, open_operator),
        WITH(test_attributes_after_a_failure, open_operator),
        WITH(test_manage, open_operator),
        WITH(test_renamed_and_restarted, open_operator),
        WITH(test_manage_is_not_for_everyone, open_user),
        WITH(test_manage_needs_the_right_session, open_operator),
        WITH(test_lost_creation_is_not_repeated, open_operator),
        WITH(test_session_object, open_operator),
        WITH(test_session_objects_have_bounds, open_operator),
        WITH(test_session_objects_are_private_to_a_client, open_user),
        WITH(test_generate, open_operator),
        WITH(test_features, open_operator),
        WITH(test_counter_is_not_for_everyone, open_user),
        WITH(test_another_table, open_operator),
        WITH(test_wait, open_operator),
    };
    return cmocka_run_group_tests(tests, make_fixture, clear_fixture);
}
