/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_RESULT_H
#define TLM_RESULT_H

/*
 * Result codes and the error record of the whole project.
 *
 * A fallible function returns a tlm_result and takes a tlm_error as its last argument. The record
 * says what happened and to what (message) and what the user can do (hint), and keeps the native
 * code that caused it. Pass NULL where the code alone is enough.
 *
 *     tlm_error error = {0};
 *     if (tlm_file_read(path, 4096, &data, &size, &error) != TLM_OK) {
 *         fprintf(stderr, "%s\n%s\n", error.message, error.hint);
 *         return error.result;
 *     }
 */

#include <stddef.h>

#define TLM_CHECKED __attribute__((warn_unused_result))
#define TLM_PRINTF(text, first) __attribute__((format(printf, text, first)))

typedef enum tlm_result {
    TLM_OK = 0,
    TLM_ERR_ARGUMENT,          /* a caller's argument is outside its contract */
    TLM_ERR_MEMORY,            /* out of memory, or memory could not be locked */
    TLM_ERR_IO,                /* reading or writing a file or socket failed */
    TLM_ERR_NOT_FOUND,         /* the named file, token, key or object is not there */
    TLM_ERR_EXISTS,            /* it is there already and is not replaced */
    TLM_ERR_PERMISSION,        /* the system refused: owner, mode or group */
    TLM_ERR_NO_SPACE,          /* the disk or the token is full */
    TLM_ERR_TOO_LARGE,         /* input is larger than its stated maximum */
    TLM_ERR_FORMAT,            /* input is not of the documented form */
    TLM_ERR_SETTING,           /* a setting, flag or environment value is wrong */
    TLM_ERR_UNSUPPORTED,       /* the token or the build cannot do this */
    TLM_ERR_DAMAGED,           /* authenticated data does not verify: changed or torn */
    TLM_ERR_FOREIGN,           /* data or object of another token, TPM or installation */
    TLM_ERR_NEWER,             /* written by a newer version of this program */
    TLM_ERR_INCOMPLETE,        /* one part of a set is missing */
    TLM_ERR_CRYPTO,            /* a cryptographic operation failed */
    TLM_ERR_SIGNATURE,         /* a signature does not verify */
    TLM_ERR_PIN,               /* the token refused the PIN; it is not tried again */
    TLM_ERR_LOCKED,            /* the token or TPM is in lockout */
    TLM_ERR_PCR,               /* sealed under other PCR values than the TPM has now */
    TLM_ERR_TOKEN,             /* the PKCS#11 module reported an error */
    TLM_ERR_TOKEN_UNAVAILABLE, /* the token is being brought back; try later */
    TLM_ERR_NOT_PROVISIONED,   /* there is no token of ours yet */
    TLM_ERR_TPM,               /* the TPM reported an error */
    TLM_ERR_TPM_UNAVAILABLE,   /* no usable TPM could be reached */
    TLM_ERR_PROCESS,           /* a child process failed */
    TLM_ERR_TIMEOUT,           /* the deadline passed */
    TLM_ERR_BUSY,              /* somebody else holds what is needed */
    TLM_ERR_UNTRUSTED,         /* no trusted key has this key id, or it is for another use */
    TLM_ERR_EXPIRED,           /* its time is over */
    TLM_ERR_NOT_YET,           /* its time has not begun */
    TLM_ERR_REVOKED,           /* its vendor took it back */
    TLM_ERR_REPLAYED,          /* an older revision than the one that is in force */
    TLM_ERR_CONFLICT,          /* it contradicts what is there or what was asked before */
    TLM_ERR_UNLICENSED,        /* no license that is in force has this feature */
    TLM_ERR_SEATS,             /* every seat is taken */
    TLM_ERR_EXHAUSTED,         /* the counter, the tokens, the time or the list is used up */
    TLM_ERR_NOT_LOCAL,         /* a stand-alone feature was asked for from another host */
    TLM_ERR_ROLLBACK,          /* the state is older than what the token or the clock has seen */
    TLM_ERR_UNAUTHORIZED,      /* the request says nothing, or something wrong, of who asks */
    TLM_ERR_RATE,              /* the peer asks too often */
    TLM_RESULT_COUNT
} tlm_result;

/* Where the native code of an error came from. */
typedef enum tlm_error_domain {
    TLM_DOMAIN_NONE = 0,
    TLM_DOMAIN_ERRNO,  /* errno */
    TLM_DOMAIN_PKCS11, /* CK_RV, PKCS#11 v2.40 section 11.1 */
    TLM_DOMAIN_TPM     /* TSS2_RC */
} tlm_error_domain;

typedef struct tlm_error {
    tlm_result result;
    tlm_error_domain domain;
    unsigned long native; /* errno, CK_RV or TSS2_RC; 0 where there is none */
    char message[512];    /* what happened, to what; one sentence without a final stop */
    char hint[512];       /* what the user can do next; may be empty */
} tlm_error;

/* Plain English of a result, never NULL. */
const char *tlm_result_text(tlm_result result);

/* Stable name of a result for machines, for example "token-unavailable". Never NULL. */
const char *tlm_result_code(tlm_result result);

/*
 * Fills `error` (which may be NULL) and returns `result`, so that a function can end with
 * `return tlm_error_set(...)`. `hint` may be NULL. Too long texts are cut.
 */
tlm_result tlm_error_set(tlm_error *error, tlm_result result, const char *hint, const char *format,
                         ...) TLM_PRINTF(4, 5);

/*
 * The same for a failed system call: errno is taken before anything else, appended to the message
 * as text, and mapped to a result (ENOENT: NOT_FOUND, EACCES, EPERM and EROFS: PERMISSION, ENOSPC
 * and EDQUOT: NO_SPACE, ENOMEM: MEMORY, EEXIST: EXISTS, otherwise IO).
 */
tlm_result tlm_error_set_errno(tlm_error *error, const char *hint, const char *format, ...)
    TLM_PRINTF(3, 4);

/* Puts a phrase and ": " before the message, as an error travels up to a caller who knows more. */
void tlm_error_prefix(tlm_error *error, const char *format, ...) TLM_PRINTF(2, 3);

/* Replaces the hint by one that fits the caller's situation better. */
void tlm_error_set_hint(tlm_error *error, const char *format, ...) TLM_PRINTF(2, 3);

#endif
