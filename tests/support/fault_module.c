/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PKCS#11 module that forwards to another one and fails where it is told to. Load it in place of
 * the real module, in a test of the library or as Pkcs11.Module or "module" of a token.json:
 *
 *     TLM_FAULT_MODULE   path of the module behind it (required)
 *     TLM_FAULT_FILE     file of rules, read again whenever it changes; counting starts again then
 *     TLM_FAULT_LOG      file to which every call is appended: "C_Login 0x0", one a line
 *
 * Rules, one a line:
 *
 *     C_Sign:1:0x5       the first C_Sign answers CKR_GENERAL_ERROR, without being forwarded
 *     C_Sign:3:0x30:2    the third and the fourth one answer CKR_DEVICE_ERROR
 *     C_Login:1:0xa0:0   every one from the first on answers CKR_PIN_INCORRECT
 *     +C_Sign:1:0x5      forwarded first, then its answer is lost
 *     C_Sign:2:hang      the second one never returns
 *     CKF:1:0x20000:0    C_GetTokenInfo answers with CKF_USER_PIN_FINAL_TRY among the flags
 *
 * All functions that can be named stand in the table at the end. The log has their own answer, or
 * the injected one.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#define RULES_MAX 32
#define HANG "hang"

typedef struct rule {
    char name[40];
    bool forward;
    bool hang;
    unsigned long first;
    unsigned long rv;
    unsigned long times; /* 0: for ever */
    unsigned long calls;
} rule;

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST list;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rule rules[RULES_MAX];
static size_t rule_count;
static struct stat last_read;

/* The number at *text and the colon before it; false where there is none. */
static bool take_number(const char **text, int base, unsigned long *number)
{
    char *end = NULL;
    if (**text != ':') {
        return false;
    }
    *number = strtoul(*text + 1, &end, base);
    bool found = end != *text + 1;
    *text = end;
    return found;
}

static void parse_rule(const char *line)
{
    rule made = {.times = 1, .forward = line[0] == '+'};
    const char *name = made.forward ? line + 1 : line;
    size_t length = strcspn(name, ":\n");
    const char *at = name + length;
    if (rule_count == RULES_MAX || length == 0 || length >= sizeof made.name ||
        !take_number(&at, 10, &made.first)) {
        return;
    }
    made.hang = strncmp(at, ":" HANG, sizeof HANG) == 0;
    if (!made.hang && !take_number(&at, 16, &made.rv)) {
        return;
    }
    memcpy(made.name, name, length);
    (void)take_number(&at, 10, &made.times);
    rules[rule_count++] = made;
}

static void read_rules(void)
{
    const char *path = getenv("TLM_FAULT_FILE");
    struct stat status;
    if (path == NULL || stat(path, &status) != 0) {
        rule_count = 0;
        return;
    }
    if (status.st_ino == last_read.st_ino && status.st_size == last_read.st_size &&
        status.st_mtim.tv_sec == last_read.st_mtim.tv_sec &&
        status.st_mtim.tv_nsec == last_read.st_mtim.tv_nsec) {
        return;
    }
    last_read = status;
    rule_count = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    char line[128];
    while (fgets(line, sizeof line, file) != NULL) {
        parse_rule(line);
    }
    (void)fclose(file);
}

/* The rule that applies to this call, or NULL. Every rule of the name counts the call. */
static const rule *match(const char *name)
{
    const rule *found = NULL;
    for (size_t i = 0; i < rule_count; i++) {
        rule *at = &rules[i];
        if (strcmp(at->name, name) != 0) {
            continue;
        }
        at->calls++;
        bool reached = at->calls >= at->first;
        bool over = at->times != 0 && at->calls >= at->first + at->times;
        found = reached && !over ? at : found;
    }
    return found;
}

static void log_call(const char *name, CK_RV rv)
{
    const char *path = getenv("TLM_FAULT_LOG");
    int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file < 0) {
        return;
    }
    char line[64];
    int size = snprintf(line, sizeof line, "%s 0x%lx\n", name, rv);
    if (write(file, line, (size_t)size) != size) {
        abort(); /* a log with holes would make tests pass that should not */
    }
    (void)close(file);
}

/* Whether the call is to be answered with *rv, and whether it is forwarded before. */
static bool inject(const char *name, CK_RV *rv, bool *forward)
{
    (void)pthread_mutex_lock(&lock);
    read_rules();
    const rule *found = match(name);
    bool hang = found != NULL && found->hang;
    if (found != NULL) {
        *rv = found->rv;
        *forward = found->forward;
    }
    (void)pthread_mutex_unlock(&lock);
    if (hang) {
        log_call(name, CKR_FUNCTION_NOT_PARALLEL);
    }
    while (hang) { /* NOLINT(bugprone-infinite-loop): which is what it is for */
        (void)pause();
    }
    return found != NULL;
}

/* Defines a function of the module: injects, forwards, logs. */
#define FORWARD(name, parameters, arguments)                                                       \
    static CK_RV fault_##name parameters                                                           \
    {                                                                                              \
        CK_RV answer = CKR_OK;                                                                     \
        bool forward = true;                                                                       \
        bool injected = inject(#name, &answer, &forward);                                          \
        CK_RV own = forward ? real->name arguments : CKR_OK;                                       \
        answer = injected ? answer : own;                                                          \
        log_call(#name, answer);                                                                   \
        return answer;                                                                             \
    }

FORWARD(C_Initialize, (void *init), (init))
FORWARD(C_Finalize, (void *reserved), (reserved))
FORWARD(C_GetInfo, (CK_INFO * info), (info))
FORWARD(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count),
        (present, slots, count))
FORWARD(C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO *info), (slot, info))
FORWARD(C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE *types, CK_ULONG *count),
        (slot, types, count))
FORWARD(C_OpenSession,
        (CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
         CK_SESSION_HANDLE *session),
        (slot, flags, application, notify, session))
FORWARD(C_CloseSession, (CK_SESSION_HANDLE session), (session))
FORWARD(C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG size),
        (session, user, pin, size))
FORWARD(C_Logout, (CK_SESSION_HANDLE session), (session))
FORWARD(C_CreateObject,
        (CK_SESSION_HANDLE session, CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *object),
        (session, items, count, object))
FORWARD(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object))
FORWARD(C_GetAttributeValue,
        (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *items, CK_ULONG count),
        (session, object, items, count))
FORWARD(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *items, CK_ULONG count),
        (session, items, count))
FORWARD(C_FindObjects,
        (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count),
        (session, objects, max, count))
FORWARD(C_FindObjectsFinal, (CK_SESSION_HANDLE session), (session))
FORWARD(C_DecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
        (session, mechanism, key))
FORWARD(C_Decrypt,
        (CK_SESSION_HANDLE session, CK_BYTE *cipher, CK_ULONG size, CK_BYTE *data, CK_ULONG *room),
        (session, cipher, size, data, room))
FORWARD(C_SignInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key),
        (session, mechanism, key))
FORWARD(C_Sign,
        (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *sign, CK_ULONG *room),
        (session, data, size, sign, room))
FORWARD(C_GenerateKeyPair,
        (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public, CK_ULONG publics,
         CK_ATTRIBUTE *private, CK_ULONG privates, CK_OBJECT_HANDLE *first,
         CK_OBJECT_HANDLE *second),
        (session, mechanism, public, publics, private, privates, first, second))
FORWARD(C_GenerateRandom, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size),
        (session, data, size))

static CK_RV fault_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV flags = 0;
    CK_RV answer = CKR_OK;
    bool forward = true;
    bool injected = inject("C_GetTokenInfo", &answer, &forward);
    CK_RV own = forward ? real->C_GetTokenInfo(slot, info) : CKR_OK;
    answer = injected ? answer : own;
    if (answer == CKR_OK && inject("CKF", &flags, &forward)) {
        info->flags |= flags;
    }
    log_call("C_GetTokenInfo", answer);
    return answer;
}

static CK_RV load_real(void)
{
    const char *path = getenv("TLM_FAULT_MODULE");
    void *module = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    CK_C_GetFunctionList get = NULL;
    if (module == NULL) {
        (void)fprintf(stderr, "fault_module: TLM_FAULT_MODULE=%s: %s\n",
                      path != NULL ? path : "(unset)", path != NULL ? dlerror() : "");
        return CKR_GENERAL_ERROR;
    }
    /* ISO C has no conversion from void * to a function; POSIX promises this one. */
    *(void **)(&get) = dlsym(module, "C_GetFunctionList");
    return get != NULL ? get(&real) : CKR_GENERAL_ERROR;
}

#define REPLACE(name) list.name = fault_##name

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **functions)
{
    CK_RV rv = real == NULL ? load_real() : CKR_OK;
    if (rv != CKR_OK) {
        return rv;
    }
    list = *real;
    list.C_GetFunctionList = C_GetFunctionList;
    REPLACE(C_Initialize);
    REPLACE(C_Finalize);
    REPLACE(C_GetInfo);
    REPLACE(C_GetSlotList);
    REPLACE(C_GetSlotInfo);
    REPLACE(C_GetTokenInfo);
    REPLACE(C_GetMechanismList);
    REPLACE(C_OpenSession);
    REPLACE(C_CloseSession);
    REPLACE(C_Login);
    REPLACE(C_Logout);
    REPLACE(C_CreateObject);
    REPLACE(C_DestroyObject);
    REPLACE(C_GetAttributeValue);
    REPLACE(C_FindObjectsInit);
    REPLACE(C_FindObjects);
    REPLACE(C_FindObjectsFinal);
    REPLACE(C_DecryptInit);
    REPLACE(C_Decrypt);
    REPLACE(C_SignInit);
    REPLACE(C_Sign);
    REPLACE(C_GenerateKeyPair);
    REPLACE(C_GenerateRandom);
    *functions = &list;
    return CKR_OK;
}
