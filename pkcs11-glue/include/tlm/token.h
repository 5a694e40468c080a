/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEN_H
#define TLM_TOKEN_H

/*
 * One PKCS#11 token: its module, its one session, its login, and its way back after a failure.
 *
 * Loads the module with p11-kit, finds the token by `pkcs11:` URI (RFC 7512), logs in once. Every
 * call of the module in the process passes one lock: tpm2-pkcs11 is not safe under threads. After
 * CKR_GENERAL_ERROR, CKR_DEVICE_ERROR and their like the recovery ladder runs: session cycle; then
 * C_Finalize and C_Initialize; then one login; with backoff. Meanwhile callers get
 * TLM_ERR_TOKEN_UNAVAILABLE. A PIN that failed is never sent again, and the login stops where the
 * token says that it is the final try.
 *
 *     tlm_token_config config = {.module = "/usr/lib/softhsm/libsofthsm2.so",
 *                                .uri = "pkcs11:token=tlm", .pin = pin_from_file, .context = path};
 *     tlm_token *token = NULL;
 *     if (tlm_token_open(&config, &token, &error) != TLM_OK) { … }
 *     tlm_key *key = NULL;
 *     if (tlm_key_find(token, "tlm-attest", &key, &error) == TLM_OK) {
 *         result = tlm_key_sign(key, TLM_JWA_ES256, data, size, signature, &length, &error);
 *     }
 *     tlm_key_free(&key);
 *     tlm_token_close(&token);
 *
 * All functions are safe under threads. fork() after tlm_token_open is not supported: a child that
 * calls in gets TLM_ERR_ARGUMENT (posix_spawn is fine). The program ignores SIGPIPE: a module that
 * reaches its token through a socket is sent one when the other end goes away.
 */

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

#include <tlm/result.h>
#include <tlm/secret.h>

typedef struct tlm_token tlm_token;

/*
 * Gives the user PIN; called once for each login, which is once for each opening or recovery. The
 * caller of the callback frees the secret. *pin left NULL logs in through the token's own protected
 * authentication path (C_Login with no PIN).
 */
typedef tlm_result (*tlm_token_pin_source)(void *context, tlm_secret **pin, tlm_error *error);

/* The two of them that need no state: the file that the context names (const char *, mode 0600, a
 * line end at its end not counted), and the token's own way. */
tlm_result tlm_pin_from_file(void *context, tlm_secret **pin, tlm_error *error);
tlm_result tlm_pin_of_token(void *context, tlm_secret **pin, tlm_error *error);

typedef struct tlm_token_config {
    const char *module;       /* path of the PKCS#11 module */
    const char *uri;          /* pkcs11: URI that names one token */
    tlm_token_pin_source pin; /* NULL: no login (public objects only) */
    void *context;
    bool read_only; /* open read-only sessions */
} tlm_token_config;

/* What C_GetTokenInfo says, blanks trimmed, UTF-8 (PKCS#11 v2.40 section 3.2). */
typedef struct tlm_token_info {
    char label[33];
    char manufacturer[33];
    char model[17];
    char serial[17];
    char hardware_version[8]; /* "1.64" */
    char firmware_version[8];
    char library[33]; /* library description of the module, C_GetInfo */
    char library_version[8];
    CK_FLAGS flags;     /* token flags */
    bool hardware_slot; /* CKF_HW_SLOT */
} tlm_token_info;

/*
 * Loads, initializes, finds the token, opens the session, logs in. TLM_ERR_NOT_FOUND where no
 * token fits the URI (the hint lists those that are there), TLM_ERR_ARGUMENT where several do,
 * TLM_ERR_PIN and TLM_ERR_LOCKED from the login. The strings of `config` are copied.
 */
TLM_CHECKED tlm_result tlm_token_open(const tlm_token_config *config, tlm_token **token,
                                      tlm_error *error);

/* Logs out, finalizes, unloads. Keys of the token must have been freed. Accepts NULL. */
void tlm_token_close(tlm_token **token);

/* Information read at the opening or the last recovery; never touches the module. */
void tlm_token_get_info(tlm_token *token, tlm_token_info *info);

/*
 * Whether the token can be used now: asks it for a random byte (a real round trip for a TPM) and
 * lets the recovery ladder run where that fails. For a background thread, never for a request.
 */
TLM_CHECKED tlm_result tlm_token_probe(tlm_token *token, tlm_error *error);

/* Whether the last call found the token usable; never blocks. */
bool tlm_token_available(tlm_token *token);

/* How often the module was torn down and brought back since the opening. */
unsigned tlm_token_recoveries(tlm_token *token);

/* Whether the token lists a mechanism with all of `flags` (CKF_SIGN, CKF_DECRYPT …). */
bool tlm_token_has_mechanism(tlm_token *token, CK_MECHANISM_TYPE mechanism, CK_FLAGS flags);

/* Fills `buffer` from the token's generator (C_GenerateRandom). */
TLM_CHECKED tlm_result tlm_token_random(tlm_token *token, void *buffer, size_t size,
                                        tlm_error *error);

/*
 * Private data objects (CKO_DATA) by label, at most 4096 bytes. Reading a missing one and removing
 * a missing one is TLM_ERR_NOT_FOUND; storing over an existing one replaces it (the new object is
 * there before the old one goes).
 */
TLM_CHECKED tlm_result tlm_token_data_read(tlm_token *token, const char *label, char **data,
                                           size_t *size, tlm_error *error);
TLM_CHECKED tlm_result tlm_token_data_store(tlm_token *token, const char *label, const void *data,
                                            size_t size, tlm_error *error);
TLM_CHECKED tlm_result tlm_token_data_remove(tlm_token *token, const char *label, tlm_error *error);

/* Name of a CK_RV, CKM_… and CKF_… as the standard spells them; never NULL. */
const char *tlm_pkcs11_rv_name(CK_RV rv);
const char *tlm_pkcs11_mechanism_name(CK_MECHANISM_TYPE mechanism);

/*
 * Fills `error` from a CK_RV: "C_Sign with key 'tlm-attest': CKR_DEVICE_ERROR (0x30)", with the
 * result that fits the CK_RV and a hint. Returns that result.
 */
tlm_result tlm_error_set_rv(tlm_error *error, CK_RV rv, const char *call, const char *format, ...)
    TLM_PRINTF(4, 5);

#endif
