/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_IDENTITY_H
#define TLM_IDENTITY_H

/*
 * Who this host is: opens the token and the files, decides cold, warm or which degraded state, and
 * keeps that decision true while the program runs.
 *
 * Works on a thread of its own, so that a slow or missing TPM holds nobody up. What it knows is
 * published as an immutable, counted view; the callback tells that a new one is there.
 *
 *     static void changed(void *context) { wake(context); }
 *
 * A provisioned token is used through tlm-tokend alone: no PIN and no TPM is needed here. Where
 * nobody serves its socket, one is started and looked after.
 *
 *     static const char *const words[] = {"--token-store", store, NULL};
 *     tlm_identity_config config = {.persistence_dir = dir, .store_dir = store, .tpm = true,
 *                                   .socket = "/run/tlm/pkcs11.sock", .tokend = words,
 *                                   .changed = changed};
 *     tlm_identity *identity = NULL;
 *     result = tlm_identity_start(&config, &identity, &error);
 *     const tlm_identity_view *view = tlm_identity_view_get(identity);
 *     if (view->ready) { puts(view->fingerprint.text); }
 *     tlm_identity_view_release(&view);
 *     tlm_identity_stop(&identity);
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include <tlm/fingerprint.h>
#include <tlm/result.h>
#include <tlm/startup.h>
#include <tlm/token.h>

typedef struct tlm_identity tlm_identity;

typedef struct tlm_identity_config {
    const char *persistence_dir;
    const char *store_dir;     /* token store, see tlm/store.h */
    bool tpm;                  /* false: --no-tpm, a SoftHSM token or the local key alone */
    const char *socket;        /* of tlm-tokend, absolute; NULL: a module or a local key only */
    const char *const *tokend; /* words for a tlm-tokend of our own; NULL: none is started */
    const char *tcti;          /* for tlm-token-init doctor; NULL: it is not asked */
    bool tcti_simulated;       /* the TCTI is a simulator's socket */
    const char *module;        /* another PKCS#11 module instead of the store, or NULL */
    const char *token_uri;     /* with module */
    const char *pin_file;      /* with module; NULL: protected authentication path */
    void (*changed)(void *context); /* called from the identity's thread; must not block */
    void *context;
} tlm_identity_config;

/* What holds the identity key. */
typedef enum tlm_key_holder {
    TLM_HOLDER_NONE = 0, /* not known yet */
    TLM_HOLDER_TPM,      /* "tpm" or, where simulated, "swtpm" */
    TLM_HOLDER_SOFTHSM,  /* "softhsm" */
    TLM_HOLDER_MODULE,   /* "pkcs11": a module that the operator named */
    TLM_HOLDER_LOCAL     /* "local": a key file, no token at all */
} tlm_key_holder;

typedef struct tlm_identity_view {
    tlm_start_state state;
    bool ready;         /* the token (or local key) can be used now */
    bool warm;          /* files of an earlier run were opened */
    time_t state_since; /* when the state was entered, seconds since 1970 */
    tlm_error error;    /* why it is degraded; TLM_OK when it is not */

    tlm_key_holder holder;
    const char *backend; /* "tpm", "swtpm", "softhsm", "pkcs11", "local", "none" */
    bool simulated;      /* a TPM, but a simulated one */
    bool hardware_bound; /* the key is in hardware of this host */
    bool has_token;      /* token_info is filled */
    tlm_token_info token_info;
    unsigned recoveries;

    bool has_provider;         /* the token is used through tlm-tokend */
    char provider_socket[108]; /* its socket */
    pid_t provider_pid;        /* 0 while it is not known */
    bool provider_supervised;  /* it is our child */

    bool has_fingerprint;
    tlm_fingerprint fingerprint; /* of the identity: tlm-srk, or the fallback */
    bool has_fallback;
    tlm_fingerprint fallback;
    char storage_id[37]; /* UUID of the files, empty until they are open */
} tlm_identity_view;

/*
 * Starts the thread and returns at once; only missing memory or threads fail here. Everything else
 * is a state of the view. Sets the environment of p11-kit's client first, so call it before other
 * threads of the program read the environment. Strings of `config` are copied.
 */
TLM_CHECKED tlm_result tlm_identity_start(const tlm_identity_config *config,
                                          tlm_identity **identity, tlm_error *error);

/* Ends the thread, closes the token (TPM sessions are given back), unlocks the directory. */
void tlm_identity_stop(tlm_identity **identity);

/* The current view; never NULL, never blocks on the token. Release it soon. */
const tlm_identity_view *tlm_identity_view_get(tlm_identity *identity);
void tlm_identity_view_release(const tlm_identity_view **view);

#endif
