/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PKCS11_INTERNAL_H
#define TLM_PKCS11_INTERNAL_H

/*
 * What the files of this library share. "Under the lock" means between tlm_module_enter and
 * tlm_module_leave; every call of a PKCS#11 module in the process happens there.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <p11-kit/uri.h>

#include <tlm/key.h>
#include <tlm/store.h>
#include <tlm/token.h>

#define TLM_LABEL_MAX 128U
#define TLM_ID_MAX 64U
/* DER of a certificate or another attribute we read. */
#define TLM_ATTRIBUTE_MAX 16384U

/* ---- backoff.c: when a token that could not be brought back may be tried again ---- */

#define TLM_BACKOFF_FIRST_MS 50
#define TLM_BACKOFF_LAST_MS 10000
/* After lockout or before the final try of a PIN: nothing gets better within seconds. */
#define TLM_BACKOFF_LOCKED_MS 60000

typedef struct tlm_backoff {
    unsigned failures;
    int64_t not_before; /* milliseconds of the token's clock */
} tlm_backoff;

void tlm_backoff_reset(tlm_backoff *backoff);
/* Notes a failure and returns the milliseconds until the next attempt. */
int64_t tlm_backoff_fail(tlm_backoff *backoff, int64_t now);
void tlm_backoff_hold(tlm_backoff *backoff, int64_t now, int64_t wait);
/* Milliseconds left until an attempt is allowed; 0 when it is. */
int64_t tlm_backoff_left(const tlm_backoff *backoff, int64_t now);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t tlm_clock_now(void);

/* ---- module.c: loaded modules and the one lock ---- */

typedef struct tlm_module {
    struct tlm_module *next;
    char *path;
    CK_FUNCTION_LIST *functions;
    unsigned users;
    unsigned epoch;   /* grows with every C_Finalize: sessions of an older epoch are gone */
    bool initialized; /* C_Initialize was answered with CKR_OK or ALREADY_INITIALIZED */
    bool ours;        /* we initialized it, so we finalize it */
} tlm_module;

/* Counts the forks this process descends from since the library was first used. */
unsigned tlm_fork_generation(void);

/* Takes the lock. `generation` is the one the token was opened in. */
TLM_CHECKED tlm_result tlm_module_enter(unsigned generation, tlm_error *error);
void tlm_module_leave(void);
/* Under the lock: names the call that comes, a text that is never freed. */
void tlm_module_doing(const char *call);
/*
 * For a watchdog, which never waits: since when (tlm_clock_now) somebody has the lock, 0 where
 * nobody has, and in *call what is being done.
 */
int64_t tlm_module_busy_since(const char **call);

/* Under the lock: loads and initializes a module, or shares one that is loaded. `error` is given.
 */
TLM_CHECKED tlm_result tlm_module_acquire(const char *path, tlm_module **module, tlm_error *error);
void tlm_module_release(tlm_module *module);
/* Under the lock: C_Finalize and C_Initialize. */
TLM_CHECKED tlm_result tlm_module_restart(tlm_module *module, tlm_error *error);

/* ---- token.c, session.c, recovery.c ---- */

typedef enum tlm_session_state {
    TLM_SESSION_NONE = 0, /* there is no session */
    TLM_SESSION_READY,
    TLM_SESSION_ACTIVE, /* an operation may have been left active: exchange the session */
    TLM_SESSION_SPENT   /* the login holds resources of the token: log in afresh */
} tlm_session_state;

typedef enum tlm_oaep { TLM_OAEP_UNKNOWN = 0, TLM_OAEP_NATIVE, TLM_OAEP_RAW } tlm_oaep;

typedef struct tlm_mechanism {
    CK_MECHANISM_TYPE type;
    CK_FLAGS flags;
} tlm_mechanism;

struct tlm_token {
    tlm_module *module;
    unsigned generation; /* of forks */
    P11KitUri *uri;
    char *uri_text;
    tlm_token_pin_source pin;
    void *context;
    bool read_only;
    int64_t (*clock)(void);

    /* Under the lock. */
    CK_SLOT_ID slot;
    CK_FLAGS flags; /* of the token, read before each login */
    CK_SESSION_HANDLE session;
    tlm_session_state state;
    unsigned epoch;      /* of the module when the session was opened */
    unsigned long login; /* counts logins; object handles are looked up again after each */
    unsigned long keyed; /* last login in which a private key was used: the token may hold it */
    /* First of the logins that only a rest parts: a key that worked since then and fails now lacks
     * no room in the TPM, though this login never used it. */
    unsigned long since;
    bool restart_next; /* a session cycle did not help: the next recovery starts higher */
    bool pin_refused;
    tlm_backoff backoff;
    tlm_error down; /* why the token is away */
    tlm_oaep oaep;
    tlm_mechanism *mechanisms;
    size_t mechanism_count;

    atomic_bool available;
    atomic_uint recoveries;
    pthread_mutex_t info_lock;
    tlm_token_info info;
};

/*
 * An operation on the token, under the lock and with a session that is ready. It may be run twice:
 * once more after a recovery. `error` is never NULL.
 */
typedef tlm_result (*tlm_token_operation)(tlm_token *token, void *context, tlm_error *error);

/* Takes the lock, makes the token ready, runs the operation, recovers and repeats it once. */
TLM_CHECKED tlm_result tlm_token_run(tlm_token *token, tlm_token_operation operation, void *context,
                                     tlm_error *error);

/* Under the lock: whether an error is one that a new session or a new module can mend. */
bool tlm_error_is_recoverable(const tlm_error *error);

/* Under the lock: finds the slot by URI, reads the token's information. */
TLM_CHECKED tlm_result tlm_session_find_slot(tlm_token *token, tlm_error *error);
/* Opens a session and asks for a random byte, which shows that the token is reached. */
TLM_CHECKED tlm_result tlm_session_open(tlm_token *token, tlm_error *error);
TLM_CHECKED tlm_result tlm_session_login(tlm_token *token, tlm_error *error);
/* Opens a second session, closes the first: ends an active operation and keeps the login. */
TLM_CHECKED tlm_result tlm_session_exchange(tlm_token *token, tlm_error *error);
void tlm_session_close(tlm_token *token);
/* A real round trip to the token. */
TLM_CHECKED tlm_result tlm_session_ping(tlm_token *token, tlm_error *error);
/* Reads C_GetTokenInfo of the token's slot into the token. */
TLM_CHECKED tlm_result tlm_session_read_info(tlm_token *token, tlm_error *error);

/* Under the lock: the recovery ladder. On failure `error` says so and the backoff runs. */
TLM_CHECKED tlm_result tlm_token_recover(tlm_token *token, tlm_error *error);
/* Takes the lock, tears the module down and brings it back, as a recovery does. */
TLM_CHECKED tlm_result tlm_token_restart(tlm_token *token, tlm_error *error);
/*
 * Under the lock: notes how a private operation ended, with a key whose last login that worked is
 * *warm. One that worked and fails now lacks no room in the TPM: the way to the token is gone.
 */
void tlm_token_note_use(tlm_token *token, unsigned long *warm, CK_RV rv);
/*
 * Takes the lock and logs in afresh where private keys were used in this login: a TPM without a
 * resource manager has its object slots back then. Else it does nothing.
 */
TLM_CHECKED tlm_result tlm_token_rest(tlm_token *token, tlm_error *error);
/* Under the lock: a session that can be used, or why there is none. */
TLM_CHECKED tlm_result tlm_token_ready(tlm_token *token, bool *recovered, tlm_error *error);

/* pin.c: PINs that a token of this process refused, kept as salted hashes across reopenings. */
bool tlm_pin_was_refused(const char *uri, const tlm_secret *pin);
void tlm_pin_note_refused(const char *uri, const tlm_secret *pin);

/* ---- object.c, under the lock ---- */

/* PKCS#11 has no const: for templates and input that a module only reads. */
static inline void *tlm_unconst(const void *data)
{
    union {
        const void *constant;
        void *plain;
    } view = {.constant = data};
    return view.plain;
}

TLM_CHECKED tlm_result tlm_object_find(tlm_token *token, CK_ATTRIBUTE *template, CK_ULONG size,
                                       CK_OBJECT_HANDLE *handles, CK_ULONG max, CK_ULONG *count,
                                       tlm_error *error);
/*
 * Reads one attribute of at most `max` bytes into new memory with a zero byte behind it.
 * TLM_ERR_NOT_FOUND where the object has none (or an empty one, or will not show it).
 */
TLM_CHECKED tlm_result tlm_object_get(tlm_token *token, CK_OBJECT_HANDLE handle,
                                      CK_ATTRIBUTE_TYPE type, size_t max, unsigned char **data,
                                      size_t *size, tlm_error *error);
TLM_CHECKED tlm_result tlm_object_get_ulong(tlm_token *token, CK_OBJECT_HANDLE handle,
                                            CK_ATTRIBUTE_TYPE type, CK_ULONG *value,
                                            tlm_error *error);

/* ---- key.c ---- */

struct tlm_key {
    tlm_token *token;
    char *label; /* "" where it has none */
    unsigned char id[TLM_ID_MAX];
    size_t id_size;
    CK_KEY_TYPE type;
    size_t size; /* bytes of the modulus or of a coordinate */
    EVP_PKEY *public;
    CK_OBJECT_HANDLE handle;
    unsigned long login; /* in which the handle was looked up */
    unsigned long warm;  /* last login in which a private operation succeeded; 0 is none */
};

typedef struct tlm_key_name {
    const char *label; /* NULL where id counts */
    const unsigned char *id;
    size_t id_size;
} tlm_key_name;

/* Under the lock: finds one private key and reads its public half into a new key. */
TLM_CHECKED tlm_result tlm_key_load(tlm_token *token, const tlm_key_name *name, tlm_key **key,
                                    tlm_error *error);
/* The same for a private key whose handle is known. */
TLM_CHECKED tlm_result tlm_key_load_handle(tlm_token *token, CK_OBJECT_HANDLE handle, tlm_key **key,
                                           tlm_error *error);
/* Under the lock: makes key->handle valid for the present login. */
TLM_CHECKED tlm_result tlm_key_resolve(tlm_key *key, tlm_error *error);
/*
 * Under the lock: notes how a private operation ended. A key that worked in this login and fails
 * now lacks no room in the TPM: the way to the token is gone, and a session cycle would only waste
 * the incident's one login.
 */
void tlm_key_note(tlm_key *key, CK_RV rv);
/*
 * Under the lock: whether the key decrypts what was just encrypted to it, in a fresh session. A
 * wrong cipher text and a token in trouble give the same CK_RV, so this tells them apart, and a
 * sender of wrong cipher texts causes no logins.
 */
TLM_CHECKED bool tlm_key_works(tlm_token *token, tlm_key *key);
/* Under the lock: public key from the attributes of a key object. */
TLM_CHECKED tlm_result tlm_public_read(tlm_token *token, CK_OBJECT_HANDLE handle, CK_KEY_TYPE type,
                                       EVP_PKEY **public, tlm_error *error);

/* ---- public.c ---- */

TLM_CHECKED tlm_result tlm_digest_sha256(const void *data, size_t size,
                                         unsigned char digest[TLM_DIGEST_SIZE], tlm_error *error);
/* Fills `error` from OpenSSL's error queue and clears the queue. */
tlm_result tlm_error_set_openssl(tlm_error *error, tlm_result result, const char *what);

/* ---- x509_parts.c: what certificates and requests have in common ---- */

/* ecdsa-with-SHA256 (RFC 5758) or sha256WithRSAEncryption (RFC 4055); NULL without memory. */
X509_ALGOR *tlm_x509_algorithm(EVP_PKEY *public);
/* No CA, and the key usage of a key of that type; NULL without memory. */
STACK_OF(X509_EXTENSION) * tlm_x509_usage(EVP_PKEY *public);
/* Signs on the token, in the form that X.509 has: ECDSA as DER. */
TLM_CHECKED tlm_result tlm_x509_sign(tlm_key *key, const unsigned char *tbs, size_t tbs_size,
                                     unsigned char signature[TLM_SIGNATURE_MAX], size_t *size,
                                     tlm_error *error);

/* ---- certificate_der.c ---- */

typedef struct tlm_certificate_request {
    EVP_PKEY *public;
    const char *name;
    long not_before;
    unsigned days;
} tlm_certificate_request;

/* DER of the TBSCertificate (RFC 5280 section 4.1.2) of a self-signed certificate. */
TLM_CHECKED tlm_result tlm_certificate_tbs(const tlm_certificate_request *request,
                                           unsigned char **der, size_t *size, tlm_error *error);
/* DER of tbs, algorithm and signature as one certificate, parsed. */
TLM_CHECKED tlm_result tlm_certificate_assemble(EVP_PKEY *public, const unsigned char *tbs,
                                                size_t tbs_size, const unsigned char *signature,
                                                size_t signature_size, X509 **certificate,
                                                tlm_error *error);

/* ---- store.c, secrets.c: parsers over memory, for tests and fuzzing ---- */

TLM_CHECKED tlm_result tlm_store_parse(const char *text, size_t size, const char *path,
                                       tlm_store *store, tlm_error *error);
TLM_CHECKED tlm_result tlm_store_secrets_parse(const char *text, size_t size, const char *path,
                                               tlm_store_secrets *secrets, tlm_error *error);

#endif
