/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_CONFORMANCE_H
#define TLM_TEST_CONFORMANCE_H

/*
 * Rows of test_conformance.c: one call of a module and what PKCS#11 v2.40 lets it answer. Both
 * sides run the same rows in the same order.
 *
 *     ROW(side, "C_GetInfo(NULL)", f->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
 *     HOLDS(side, "the version is 2", info.cryptokiVersion.major == 2);
 */

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

#define ROWS_MAX 512U
#define ANSWERS_MAX 4U

typedef struct row {
    const char *section;
    const char *text;
    CK_RV rv;
    bool right;
} row;

typedef struct side {
    const char *name;
    const char *section;
    CK_FUNCTION_LIST *functions;
    bool ours;
    bool remote;  /* through p11-kit's remoting, whose own answers REMOTE_ROWs know */
    bool fragile; /* the bare tpm2-pkcs11, which CRASH_ROWs crash */
    CK_BYTE *pin;
    CK_ULONG pin_size;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE rsa_private;
    CK_OBJECT_HANDLE rsa_public;
    CK_OBJECT_HANDLE ec_private;
    CK_OBJECT_HANDLE ec_public;
    CK_OBJECT_HANDLE certificate;
    CK_ULONG rsa_size; /* bytes */
    row rows[ROWS_MAX];
    size_t count;
} side;

/* Notes an answer; `answers` ends with ROW_END. */
void record(side *at, const char *text, CK_RV rv, const CK_RV *answers);

#define ROW_END ((CK_RV)-1)
#define ROW(at, text, call, ...) record((at), (text), (call), (const CK_RV[]){__VA_ARGS__, ROW_END})
#define HOLDS(at, text, condition) ROW(at, text, (condition) ? CKR_OK : CKR_GENERAL_ERROR, CKR_OK)
/*
 * A row that p11-kit 0.24 answers by itself, as `own`, before the provider is asked: it cannot send
 * what the row is about.
 */
#define REMOTE_ROW(at, text, own, call, ...)                                                       \
    record((at), (text), (call),                                                                   \
           (const CK_RV[]){__VA_ARGS__, (at)->remote ? (own) : ROW_END, ROW_END})
/* A row that tpm2-pkcs11 1.9 does not survive. */
#define CRASHED (CKR_VENDOR_DEFINED | 1UL)
#define CRASH_ROW(at, text, call, ...) ROW(at, text, (at)->fragile ? CRASHED : (call), __VA_ARGS__)

/* A new session in place of the side's, logged in or not, with keys found anew. */
void fresh(side *at, bool writable, bool logged_in);
/* The first object of that class and id; 0 without one. */
CK_OBJECT_HANDLE find_by_id(side *at, CK_OBJECT_CLASS class, CK_BYTE id);

/* conformance_objects.c */
void rows_general(side *at);
void rows_slots(side *at);
void rows_sessions(side *at);
void rows_objects(side *at);
void rows_new_objects(side *at);
/* conformance_crypto.c */
void rows_digest(side *at);
void rows_sign(side *at);
void rows_verify(side *at);
void rows_encrypt(side *at);
void rows_decrypt(side *at);
void rows_random(side *at);

#endif
