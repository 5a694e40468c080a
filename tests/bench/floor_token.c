/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The floor of a token: what nobody can do without before a key can be used. Loads the module,
 * initializes, logs in, finds the key, says "ready" and waits for SIGTERM. With --decrypt it makes
 * one private RSA operation before, as a warm start of TLLicenseManager has to.
 *
 *     bench-floor-token MODULE TOKEN KEY [--decrypt] < PIN
 */

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#define SLOTS_MAX 16U
#define RSA_MAX 512U
#define PIN_MAX 64U

static void check(CK_RV rv, const char *call)
{
    if (rv != CKR_OK) {
        (void)fprintf(stderr, "bench-floor-token: %s: 0x%lx\n", call, rv);
        exit(1);
    }
}

static CK_FUNCTION_LIST *load(const char *path)
{
    CK_FUNCTION_LIST *functions = NULL;
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;
    if (module != NULL) {
        /* ISO C converts no object pointer to a function; this way POSIX promises it. */
        *(void **)&get = dlsym(module, "C_GetFunctionList");
    }
    if (get == NULL) {
        (void)fprintf(stderr, "bench-floor-token: %s\n", dlerror());
        exit(1);
    }
    check(get(&functions), "C_GetFunctionList");
    return functions;
}

static CK_SLOT_ID find_token(const CK_FUNCTION_LIST *functions, const char *label)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    size_t size = strlen(label);
    check(functions->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        check(functions->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        if (memcmp(info.label, label, size) == 0 && info.label[size] == ' ') {
            return slots[i];
        }
    }
    (void)fprintf(stderr, "bench-floor-token: there is no token %s\n", label);
    exit(1);
}

static void log_in(const CK_FUNCTION_LIST *functions, CK_SESSION_HANDLE session)
{
    unsigned char pin[PIN_MAX];
    size_t size = fread(pin, 1, sizeof pin, stdin);
    while (size > 0 && pin[size - 1] == '\n') {
        size--;
    }
    check(functions->C_Login(session, CKU_USER, pin, size), "C_Login");
}

static CK_OBJECT_HANDLE find_key(const CK_FUNCTION_LIST *functions, CK_SESSION_HANDLE session,
                                 char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG found = 0;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class},
                               {CKA_LABEL, label, strlen(label)}};
    check(functions->C_FindObjectsInit(session, template, 2), "C_FindObjectsInit");
    check(functions->C_FindObjects(session, &key, 1, &found), "C_FindObjects");
    check(functions->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (found != 1) {
        (void)fprintf(stderr, "bench-floor-token: there is no key %s\n", label);
        exit(1);
    }
    return key;
}

/* Raw RSA, which all tokens have: any number below the modulus will do. */
static void decrypt(const CK_FUNCTION_LIST *functions, CK_SESSION_HANDLE session,
                    CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {CKM_RSA_X_509, NULL, 0};
    unsigned char modulus[RSA_MAX];
    unsigned char number[RSA_MAX];
    unsigned char plain[RSA_MAX];
    CK_ULONG size = sizeof plain;
    CK_ATTRIBUTE attribute = {CKA_MODULUS, modulus, sizeof modulus};
    check(functions->C_GetAttributeValue(session, key, &attribute, 1), "C_GetAttributeValue");
    memset(number, 0x5a, sizeof number);
    number[0] = 0;
    check(functions->C_DecryptInit(session, &mechanism, key), "C_DecryptInit");
    check(functions->C_Decrypt(session, number, attribute.ulValueLen, plain, &size), "C_Decrypt");
}

int main(int argc, char **argv)
{
    int number = 0;
    sigset_t stop;
    CK_SESSION_HANDLE session = 0;
    bool use = argc == 5 && strcmp(argv[4], "--decrypt") == 0;
    if (argc != 4 && !use) {
        (void)fputs("bench-floor-token MODULE TOKEN KEY [--decrypt] < PIN\n", stderr);
        return 2;
    }
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    CK_FUNCTION_LIST *functions = load(argv[1]);
    check(functions->C_Initialize(&arguments), "C_Initialize");
    CK_SLOT_ID slot = find_token(functions, argv[2]);
    CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    check(functions->C_OpenSession(slot, flags, NULL, NULL, &session), "C_OpenSession");
    log_in(functions, session);
    CK_OBJECT_HANDLE key = find_key(functions, session, argv[3]);
    if (use) {
        decrypt(functions, session, key);
    }
    (void)puts("ready");
    (void)fflush(stdout);
    (void)sigwait(&stop, &number);
    (void)functions->C_Finalize(NULL);
    return 0;
}
