/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/p11-kit.h>

/*
 * tpm2-pkcs11 is not safe under threads, whatever CKF_OS_LOCKING_OK says, and threads gain nothing
 * on a token that works through one request at a time. So one lock serves the whole process.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static tlm_module *modules;

/* What a watchdog reads without the lock. */
static _Atomic int64_t entered; /* 0: nobody is inside */
static _Atomic(const char *) doing;

/* How long a call waits for the one before it: a TPM may take a minute for an RSA key. */
#define LOCK_SECONDS 90

static atomic_uint generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void note_fork(void)
{
    atomic_fetch_add(&generation, 1U);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, note_fork);
}

unsigned tlm_fork_generation(void)
{
    (void)pthread_once(&fork_once, watch_forks);
    return atomic_load(&generation);
}

tlm_result tlm_module_enter(unsigned of_token, tlm_error *error)
{
    /* Before the lock: in a child it may be held by a thread that does not exist there. */
    if (of_token != tlm_fork_generation()) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT,
                             "Start child programs with posix_spawn, or open the token after fork.",
                             "a token was used in a forked child of the process that opened it");
    }
    /* By the wall clock: the race detector of gcc 12 does not know pthread_mutex_clocklock. */
    struct timespec until = {0};
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOCK_SECONDS;
    if (pthread_mutex_timedlock(&lock, &until) != 0) {
        return tlm_error_set(error, TLM_ERR_TOKEN_UNAVAILABLE,
                             "The TPM or token does not answer; run: tlm-token-init doctor",
                             "another call of the PKCS#11 module has not returned in %d s",
                             LOCK_SECONDS);
    }
    tlm_module_doing("an operation on the token");
    atomic_store(&entered, tlm_clock_now());
    return TLM_OK;
}

void tlm_module_leave(void)
{
    atomic_store(&entered, 0);
    (void)pthread_mutex_unlock(&lock);
}

void tlm_module_doing(const char *call)
{
    atomic_store(&doing, call);
}

int64_t tlm_module_busy_since(const char **call)
{
    *call = atomic_load(&doing);
    return atomic_load(&entered);
}

static tlm_result initialize(tlm_module *module, tlm_error *error)
{
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    tlm_module_doing("C_Initialize");
    CK_RV rv = module->functions->C_Initialize(&arguments);
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        module->initialized = false;
        return tlm_error_set_rv(error, rv, "C_Initialize", "of module %s", module->path);
    }
    module->initialized = true;
    module->ours = module->ours || rv == CKR_OK;
    return TLM_OK;
}

/* NULL after an error, which is filled in. */
static tlm_module *load(const char *path, tlm_error *error)
{
    tlm_module *made = calloc(1, sizeof *made);
    char *copy = strdup(path);
    if (made == NULL || copy == NULL) {
        free(made);
        free(copy);
        (void)tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to load module %s", path);
        return NULL;
    }
    made->path = copy;
    /* Unmanaged: no wrapper of p11-kit between us and the module, whose epochs we count. */
    made->functions = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);
    if (made->functions == NULL) {
        const char *reason = p11_kit_message();
        (void)tlm_error_set(
            error, TLM_ERR_NOT_FOUND,
            "Install the module (Debian: libtpm2-pkcs11-1 or softhsm2) or correct its path.",
            "loading PKCS#11 module %s: %s", path, reason != NULL ? reason : "unknown reason");
        free(made->path);
        free(made);
        return NULL;
    }
    return made;
}

static void unload(tlm_module *module)
{
    if (module->initialized && module->ours) {
        (void)module->functions->C_Finalize(NULL);
    }
    p11_kit_module_release(module->functions);
    free(module->path);
    free(module);
}

tlm_result tlm_module_acquire(const char *path, tlm_module **module, tlm_error *error)
{
    for (tlm_module *known = modules; known != NULL; known = known->next) {
        if (strcmp(known->path, path) == 0) {
            known->users++;
            *module = known;
            return TLM_OK;
        }
    }
    tlm_module *made = load(path, error);
    if (made == NULL) {
        return error->result;
    }
    tlm_result result = initialize(made, error);
    if (result != TLM_OK) {
        unload(made);
        return result;
    }
    made->users = 1;
    made->next = modules;
    modules = made;
    *module = made;
    return TLM_OK;
}

void tlm_module_release(tlm_module *module)
{
    if (--module->users > 0) {
        return;
    }
    tlm_module **link = &modules;
    while (*link != module) {
        link = &(*link)->next;
    }
    *link = module->next;
    unload(module);
}

tlm_result tlm_module_restart(tlm_module *module, tlm_error *error)
{
    if (module->initialized) {
        /* Its answer does not matter: a module that lost its token may well complain here. */
        tlm_module_doing("C_Finalize");
        (void)module->functions->C_Finalize(NULL);
        module->initialized = false;
        module->ours = false;
    }
    module->epoch++;
    return initialize(module, error);
}
