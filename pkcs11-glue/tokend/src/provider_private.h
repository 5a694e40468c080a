/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_PROVIDER_PRIVATE_H
#define TLM_PROVIDER_PRIVATE_H

/*
 * What the files of the provider share. "In the gate" means inside a transaction
 * (tlm_provider_run), where one thread is at a time; a client's own state belongs to the thread of
 * its connection and needs no lock.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "../../src/internal.h"
#include "access.h"
#include "audit.h"
#include "feature.h"
#include "gate.h"
#include "provider.h"

#define TLM_PROVIDER_WAIT_SECONDS 120U
/* Attributes in one template, and bytes of one attribute that comes from a client. */
#define TLM_TEMPLATE_MAX 128U
/* Objects that one search finds. */
#define TLM_SEARCH_MAX 4096U
/* Bytes that a multi-part operation without a hash collects, and all of a client's together. */
#define TLM_COLLECT_MAX 65536U
#define TLM_COLLECT_CLIENT_MAX 1048576U
/* Session objects of one client. */
#define TLM_OWN_MAX 32U

/* ---- mechanism.c ---- */

typedef enum tlm_parameter_kind {
    TLM_PARAMETER_NONE = 0,
    TLM_PARAMETER_PSS,
    TLM_PARAMETER_OAEP,
    TLM_PARAMETER_IV, /* 16 bytes */
    TLM_PARAMETER_CTR
} tlm_parameter_kind;

#define TLM_KEY_ANY ((CK_KEY_TYPE)-1)

/* A mechanism that this provider knows how to pass on. */
typedef struct tlm_mechanism_kind {
    CK_MECHANISM_TYPE type;
    CK_KEY_TYPE key;
    CK_FLAGS flags; /* CKF_SIGN … that are served where the back end has them too */
    tlm_parameter_kind parameter;
    CK_MECHANISM_TYPE hash; /* of digests, of signatures with one, of HMAC */
    CK_MECHANISM_TYPE base; /* data is hashed here and the digest signed with this mechanism */
} tlm_mechanism_kind;

#define TLM_NO_MECHANISM ((CK_MECHANISM_TYPE)-1)
#define TLM_OAEP_LABEL_MAX 256U

/* A mechanism with its parameter, which points into the copy itself. */
typedef struct tlm_mechanism_copy {
    CK_MECHANISM mechanism;
    union {
        CK_RSA_PKCS_PSS_PARAMS pss;
        CK_RSA_PKCS_OAEP_PARAMS oaep;
        CK_AES_CTR_PARAMS ctr;
        CK_BYTE iv[16];
    } parameter;
    CK_BYTE label[TLM_OAEP_LABEL_MAX]; /* of OAEP */
} tlm_mechanism_copy;

typedef struct tlm_served_mechanism {
    const tlm_mechanism_kind *kind;
    CK_MECHANISM_INFO info;
} tlm_served_mechanism;

#define TLM_SERVED_MAX 64U

typedef struct tlm_served {
    size_t count;
    tlm_served_mechanism items[TLM_SERVED_MAX];
} tlm_served;

/* The mechanisms that the back end lists and this provider knows, read once. */
CK_RV tlm_mechanism_served(tlm_client *client, const tlm_served **served);
/* One of them with all of `flags`, else CKR_MECHANISM_INVALID. */
CK_RV tlm_mechanism_find(tlm_client *client, CK_MECHANISM_TYPE type, CK_FLAGS flags,
                         const tlm_mechanism_kind **kind);
/* Copies and checks the parameter: CKR_MECHANISM_PARAM_INVALID. */
CK_RV tlm_mechanism_copy_from(const tlm_mechanism_kind *kind, const CK_MECHANISM *from,
                              tlm_mechanism_copy *to);
/* Makes `to` the mechanism `type` with the parameter of `from`. */
void tlm_mechanism_copy_as(CK_MECHANISM_TYPE type, const tlm_mechanism_copy *from,
                           tlm_mechanism_copy *to);
/* The digest of a CKM_SHA… or a CKG_MGF1_…; NULL for one that is none. */
const EVP_MD *tlm_mechanism_md(CK_MECHANISM_TYPE hash);
const EVP_MD *tlm_mechanism_mgf_md(CK_RSA_PKCS_MGF_TYPE mgf);

typedef struct tlm_client_session tlm_client_session;

/* ---- entry.c: the token's objects ---- */

/*
 * An object of the token. What identifies it never changes and is read without a lock; where an
 * object changes it gets a new entry, the successor of the old one. Entries live as long as the
 * provider.
 */
typedef struct tlm_entry {
    struct tlm_entry *next;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE key_type;
    bool private;
    CK_FLAGS uses; /* CKF_SIGN … that the key's attributes allow */
    CK_ULONG size; /* bytes of a modulus or of a curve's order; 0 unknown */
    char label[TLM_LABEL_MAX + 1];
    unsigned char id[TLM_ID_MAX];
    size_t id_size;
    bool searchable; /* label and id are whole, so the object is found by them */
    unsigned char fingerprint[TLM_DIGEST_SIZE];

    atomic_bool gone;
    _Atomic(struct tlm_entry *) successor;
    /* In the gate. */
    CK_OBJECT_HANDLE backend;
    unsigned long login; /* in which `backend` is valid */
    unsigned long warm;  /* last login in which an operation with it succeeded */

    /* Of a session object, which is one client's: what it is made of. */
    CK_ATTRIBUTE *attributes; /* NULL: an object of the token */
    CK_ULONG attribute_count;
    size_t weight; /* bytes of all values, counted in client->collected */
    tlm_client_session *owner;
    bool made;                   /* it stands in the back end during this transaction */
    struct tlm_entry *made_next; /* in provider->made */
} tlm_entry;

/* In the gate: the entry of a back-end handle, made where there is none. */
TLM_CHECKED tlm_result tlm_entry_identify(tlm_provider *provider, tlm_token *token,
                                          CK_OBJECT_HANDLE backend, tlm_entry **entry,
                                          tlm_error *error);
/* In the gate: reads an object into a new entry that stands in no list. */
TLM_CHECKED tlm_result tlm_entry_read(tlm_token *token, CK_OBJECT_HANDLE backend, tlm_entry **entry,
                                      tlm_error *error);
/* In the gate: makes entry->backend valid, or sets entry->gone and returns TLM_OK. */
TLM_CHECKED tlm_result tlm_entry_resolve(tlm_provider *provider, tlm_token *token, tlm_entry *entry,
                                         tlm_error *error);
/* In the gate: reads an object that was changed anew. */
TLM_CHECKED tlm_result tlm_entry_renew(tlm_provider *provider, tlm_token *token, tlm_entry *entry,
                                       tlm_error *error);
/* In the gate: as tlm_key_note. */
void tlm_entry_note(tlm_token *token, tlm_entry *entry, CK_RV rv);
void tlm_entries_free(tlm_entry **entries);

/* ---- own.c: session objects ---- */

/*
 * A session object is kept here as its template, and stands in the back end only within a
 * transaction that needs it: the back end's session is everyone's and comes and goes. Public keys,
 * certificates and data only; nothing of the token is made, so the access table is not asked.
 */
CK_RV tlm_own_create(tlm_client_session *session, const CK_ATTRIBUTE *attributes, CK_ULONG count,
                     CK_OBJECT_HANDLE *object);
/* In the gate: puts it into the back end. */
TLM_CHECKED tlm_result tlm_own_make(tlm_provider *provider, tlm_token *token, tlm_entry *entry,
                                    tlm_error *error);
/* In the gate, at the end of a transaction: takes all out again. */
void tlm_own_unmake(tlm_provider *provider, tlm_token *token);
/* Ends one object and what is done with it. */
void tlm_own_drop(tlm_client *client, tlm_entry *entry);
/* Ends those of a session (NULL: of none that is left), or the private ones. */
void tlm_own_drop_session(tlm_client *client, const tlm_client_session *owner);
void tlm_own_drop_private(tlm_client *client);

/* ---- client.c: connections, sessions ---- */

/* A handle as one client has it. */
typedef struct tlm_handle {
    CK_OBJECT_HANDLE handle;
    tlm_entry *entry; /* NULL: the hardware feature object `feature` */
    size_t feature;
} tlm_handle;

/* One operation of a session: digest, sign, verify, encrypt or decrypt. */
typedef struct tlm_work {
    bool active;
    bool begun; /* data came by an update call */
    const tlm_mechanism_kind *kind;
    tlm_mechanism_copy mechanism;
    tlm_entry *entry;
    CK_OBJECT_HANDLE key;
    EVP_MD_CTX *digest;  /* where data is hashed here */
    unsigned char *data; /* where it is collected */
    size_t size;
    size_t room;
} tlm_work;

struct tlm_client_session {
    struct tlm_client_session *next;
    CK_SESSION_HANDLE handle;
    tlm_client *client;
    bool writable;
    bool searching;
    CK_OBJECT_HANDLE *found;
    size_t found_count;
    size_t found_given;
    tlm_work digest;
    tlm_work sign;
    tlm_work verify;
    tlm_work encrypt;
    tlm_work decrypt;
};

struct tlm_client {
    tlm_provider *provider;
    const tlm_access *access; /* the table of its first moment */
    tlm_peer peer;
    bool initialized;
    bool logged_in;
    tlm_client_session *sessions;
    unsigned session_count;
    tlm_handle *handles; /* in rising order */
    size_t handle_count;
    size_t handle_room;
    size_t collected;
    tlm_entry *own; /* session objects */
    unsigned own_count;
};

struct tlm_provider {
    tlm_provider_config config;
    int64_t wait_ms;
    _Atomic(const tlm_access *) access; /* for new clients */
    _Atomic(tlm_token *) token;
    tlm_gate gate;
    atomic_llong busy_since; /* milliseconds of tlm_clock_now; 0: nobody is in the back end */
    atomic_ulong operations;
    atomic_ulong next_handle; /* of sessions and objects; none is given twice */
    _Atomic(tlm_served *) served;
    /* In the gate. */
    unsigned recoveries;
    tlm_entry *entries;
    tlm_entry *made;         /* session objects that stand in the back end */
    bool no_session_objects; /* the back end makes token objects of them */
};

/* The initialized client of this thread, or CKR_CRYPTOKI_NOT_INITIALIZED. */
CK_RV tlm_client_current(tlm_client **client);
/* The thread's client, initialized or not; NULL without one. */
tlm_client *tlm_client_entered(void);
/* CKR_SESSION_HANDLE_INVALID for one that is not this client's. */
CK_RV tlm_client_session_find(CK_SESSION_HANDLE handle, tlm_client_session **session);
/* The slot's token for a client that may see it, else CKR_TOKEN_NOT_PRESENT. */
CK_RV tlm_client_token(const tlm_client *client, CK_SLOT_ID slot, tlm_token **token);
/* Ends all that C_Finalize ends. */
void tlm_client_reset(tlm_client *client);

/* The client's handle of an entry or a feature, made where it has none; 0 without memory. */
CK_OBJECT_HANDLE tlm_client_handle(tlm_client *client, tlm_entry *entry, size_t feature);
/* What a handle stands for as far as the client may see it now; else false. */
bool tlm_client_lookup(const tlm_client *client, CK_OBJECT_HANDLE handle, tlm_handle *found);
/* Whether the client sees the object: the access table, and the login for private ones. */
bool tlm_client_sees(const tlm_client *client, const tlm_entry *entry);
void tlm_client_drop(tlm_client *client, CK_OBJECT_HANDLE handle);

/* ---- attributes.c ---- */

/* Bounds of a template from a client: CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID. */
CK_RV tlm_template_check(const CK_ATTRIBUTE *attributes, CK_ULONG count);

/* ---- oaep.c: RSA-OAEP around raw RSA, for tokens that refuse a hash ---- */

/* Whether an Init call says that the token has not this mechanism with this parameter. */
bool tlm_oaep_is_refusal(CK_RV rv);
/* Whether a token is not even asked. */
bool tlm_oaep_is_ours(const CK_MECHANISM *mechanism, const CK_RSA_PKCS_OAEP_PARAMS *oaep);
/* Fills the block, which is of the modulus' size. */
bool tlm_oaep_pad(const CK_RSA_PKCS_OAEP_PARAMS *oaep, const unsigned char *data, size_t size,
                  unsigned char *block, size_t block_size);
/* Constant time in the block of `size` bytes; `plain` has as many. */
bool tlm_oaep_unpad(const CK_RSA_PKCS_OAEP_PARAMS *oaep, const unsigned char *block, size_t size,
                    unsigned char *plain, size_t *plain_size);

/* ---- transaction.c ---- */

/* Takes the turn, runs one operation on the token, turns its error into a CK_RV. */
CK_RV tlm_provider_run(tlm_client *client, tlm_token_operation operation, void *context);
/* What an error of the token is for a client. */
CK_RV tlm_provider_rv(const tlm_error *error);

/* ---- work.c: operations between their calls ---- */

/* What an Init call is about. */
typedef struct tlm_work_kind {
    CK_FLAGS flag;         /* CKF_SIGN … */
    CK_OBJECT_CLASS class; /* of the half of a key pair that it takes */
    tlm_use use;           /* what a private or secret key needs */
    const char *name;      /* of that, for the audit */
} tlm_work_kind;

/* The checks of an Init call; *work is active afterwards. */
CK_RV tlm_work_init(tlm_client_session *session, tlm_work *work, const tlm_work_kind *about,
                    const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
/* Adds data: hashes or collects it. */
CK_RV tlm_work_update(tlm_client_session *session, tlm_work *work, const void *data, size_t size);
void tlm_work_end(tlm_client_session *session, tlm_work *work);
/* Ends the operation and returns `rv`. */
CK_RV tlm_work_close(tlm_client_session *session, tlm_work *work, CK_RV rv);
/* Whether the operation hashes what it is given. */
bool tlm_work_hashes(const tlm_work *work);
/* Bytes of a signature by the operation's key. */
CK_ULONG tlm_work_signature_size(const tlm_work *work);

/* One operation with a key, as it goes to the token. */
typedef struct tlm_work_call {
    tlm_client *client;
    tlm_work *work;
    tlm_mechanism_copy mechanism;
    unsigned char *input; /* wiped and freed by tlm_work_call_clear */
    size_t input_size;
    unsigned char *output;
    CK_ULONG output_size; /* room before, size after */
    CK_RV rv;             /* an answer that is no failure of the token */
} tlm_work_call;

/*
 * Fills a call from the data of the operation or, where no update came, from `data`. For signatures
 * the data is laid out for the token: DigestInfo, truncated digest; CKR_DATA_LEN_RANGE.
 */
CK_RV tlm_work_call_fill(tlm_work_call *call, tlm_client_session *session, tlm_work *work,
                         const void *data, size_t size);
CK_RV tlm_work_call_fill_signed(tlm_work_call *call, tlm_client_session *session, tlm_work *work,
                                const void *data, size_t size);
void tlm_work_call_clear(tlm_work_call *call);
/* In the gate: the key's handle, or call->rv CKR_KEY_HANDLE_INVALID where the key is gone. */
TLM_CHECKED tlm_result tlm_work_call_key(tlm_work_call *call, tlm_token *token,
                                         CK_OBJECT_HANDLE *key, tlm_error *error);
/* Runs it, and writes the audit line where a private or secret key was used. */
CK_RV tlm_work_call_run(tlm_work_call *call, tlm_token_operation operation, const char *name);

/*
 * PKCS#11 v2.40 section 5.2: whether the call only asks for a length, which *room then is, or has
 * too little room for `needed` bytes. *rv is the answer where this returns true; the operation goes
 * on.
 */
bool tlm_room_answers(const void *buffer, CK_ULONG *room, CK_ULONG needed, CK_RV *rv);

/* ---- the functions themselves, each of the type of its namesake in pkcs11.h ---- */

/* clang-format off */ /* which never comes to rest on this list */
#define TLM_FUNCTIONS(ROW)                                                                         \
    ROW(C_Initialize) ROW(C_Finalize) ROW(C_GetInfo) ROW(C_GetFunctionList)                        \
    ROW(C_GetSlotList) ROW(C_GetSlotInfo) ROW(C_GetTokenInfo) ROW(C_GetMechanismList)              \
    ROW(C_GetMechanismInfo) ROW(C_InitToken) ROW(C_InitPIN) ROW(C_SetPIN) ROW(C_OpenSession)       \
    ROW(C_CloseSession) ROW(C_CloseAllSessions) ROW(C_GetSessionInfo)                              \
    ROW(C_GetOperationState) ROW(C_SetOperationState) ROW(C_Login) ROW(C_Logout)                   \
    ROW(C_CreateObject) ROW(C_CopyObject) ROW(C_DestroyObject) ROW(C_GetObjectSize)                \
    ROW(C_GetAttributeValue) ROW(C_SetAttributeValue) ROW(C_FindObjectsInit)                       \
    ROW(C_FindObjects) ROW(C_FindObjectsFinal) ROW(C_EncryptInit) ROW(C_Encrypt)                   \
    ROW(C_EncryptUpdate) ROW(C_EncryptFinal) ROW(C_DecryptInit) ROW(C_Decrypt)                     \
    ROW(C_DecryptUpdate) ROW(C_DecryptFinal) ROW(C_DigestInit) ROW(C_Digest)                       \
    ROW(C_DigestUpdate) ROW(C_DigestKey) ROW(C_DigestFinal) ROW(C_SignInit) ROW(C_Sign)            \
    ROW(C_SignUpdate) ROW(C_SignFinal) ROW(C_SignRecoverInit) ROW(C_SignRecover)                   \
    ROW(C_VerifyInit) ROW(C_Verify) ROW(C_VerifyUpdate) ROW(C_VerifyFinal)                         \
    ROW(C_VerifyRecoverInit) ROW(C_VerifyRecover) ROW(C_DigestEncryptUpdate)                       \
    ROW(C_DecryptDigestUpdate) ROW(C_SignEncryptUpdate) ROW(C_DecryptVerifyUpdate)                 \
    ROW(C_GenerateKey) ROW(C_GenerateKeyPair) ROW(C_WrapKey) ROW(C_UnwrapKey)                      \
    ROW(C_DeriveKey) ROW(C_SeedRandom) ROW(C_GenerateRandom) ROW(C_GetFunctionStatus)              \
    ROW(C_CancelFunction) ROW(C_WaitForSlotEvent)
/* clang-format on */

#define TLM_DECLARE_FUNCTION(name) extern __typeof__(name) tlm_##name;
TLM_FUNCTIONS(TLM_DECLARE_FUNCTION)
#undef TLM_DECLARE_FUNCTION

#endif
