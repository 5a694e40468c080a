/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>

#include <tlm/token.h>

#define HINT_DOCTOR "Find the cause with: tlm-token-init doctor"
#define HINT_PIN                                                                                   \
    "The PIN is not tried again. A wrong PIN and a token of another TPM look alike; tell them "    \
    "apart with: tlm-token-init doctor"
#define HINT_LOCKED "See the seconds to recovery with: tlm-token-init status"
#define HINT_ABSENT "Check that the TPM or token is connected, then run: tlm-token-init doctor"
#define HINT_MECHANISM "Use another algorithm, or a token that has it; see: tlm-token-init status"
#define HINT_SPACE "Remove objects that are not needed, or free TPM handles: tlm-token-init doctor"
#define HINT_READ_ONLY "The token's store must be writable; check with: tlm-token-init doctor"
#define HINT_PROVISION "Make the token ready with: tlm-token-init provision"

static const struct {
    CK_RV rv;
    tlm_result result;
    const char *hint;
} meanings[] = {
    {CKR_HOST_MEMORY, TLM_ERR_MEMORY, "Free memory on this host; the module could get none."},
    {CKR_DEVICE_MEMORY, TLM_ERR_NO_SPACE, HINT_SPACE},
    {CKR_GENERAL_ERROR, TLM_ERR_TOKEN, HINT_DOCTOR},
    {CKR_FUNCTION_FAILED, TLM_ERR_TOKEN, HINT_DOCTOR},
    {CKR_DEVICE_ERROR, TLM_ERR_TOKEN, HINT_DOCTOR},
    {CKR_DEVICE_REMOVED, TLM_ERR_TOKEN_UNAVAILABLE, HINT_ABSENT},
    {CKR_TOKEN_NOT_PRESENT, TLM_ERR_TOKEN_UNAVAILABLE, HINT_ABSENT},
    {CKR_TOKEN_NOT_RECOGNIZED, TLM_ERR_FOREIGN, HINT_DOCTOR},
    {CKR_SLOT_ID_INVALID, TLM_ERR_TOKEN_UNAVAILABLE, HINT_ABSENT},
    {CKR_TOKEN_WRITE_PROTECTED, TLM_ERR_PERMISSION, HINT_READ_ONLY},
    {CKR_SESSION_READ_ONLY, TLM_ERR_PERMISSION, HINT_READ_ONLY},
    {CKR_PIN_INCORRECT, TLM_ERR_PIN, HINT_PIN},
    {CKR_PIN_INVALID, TLM_ERR_PIN, HINT_PIN},
    {CKR_PIN_LEN_RANGE, TLM_ERR_PIN, HINT_PIN},
    {CKR_PIN_EXPIRED, TLM_ERR_PIN, "Set a new PIN with the token's own tool."},
    {CKR_PIN_LOCKED, TLM_ERR_LOCKED, HINT_LOCKED},
    {CKR_USER_PIN_NOT_INITIALIZED, TLM_ERR_NOT_PROVISIONED, HINT_PROVISION},
    {CKR_USER_NOT_LOGGED_IN, TLM_ERR_TOKEN, HINT_DOCTOR},
    {CKR_MECHANISM_INVALID, TLM_ERR_UNSUPPORTED, HINT_MECHANISM},
    {CKR_MECHANISM_PARAM_INVALID, TLM_ERR_UNSUPPORTED, HINT_MECHANISM},
    {CKR_FUNCTION_NOT_SUPPORTED, TLM_ERR_UNSUPPORTED, HINT_MECHANISM},
    {CKR_CURVE_NOT_SUPPORTED, TLM_ERR_UNSUPPORTED, HINT_MECHANISM},
    {CKR_DOMAIN_PARAMS_INVALID, TLM_ERR_UNSUPPORTED, HINT_MECHANISM},
    {CKR_KEY_SIZE_RANGE, TLM_ERR_UNSUPPORTED, "Ask for a key size that the token has."},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, TLM_ERR_UNSUPPORTED, "Use a key made for this operation."},
    {CKR_KEY_TYPE_INCONSISTENT, TLM_ERR_UNSUPPORTED, "Use a key of the algorithm's type."},
    {CKR_ENCRYPTED_DATA_INVALID, TLM_ERR_CRYPTO, "The data was not encrypted to this key."},
    {CKR_ENCRYPTED_DATA_LEN_RANGE, TLM_ERR_CRYPTO, "The data was not encrypted to this key."},
    {CKR_SIGNATURE_INVALID, TLM_ERR_SIGNATURE, NULL},
    {CKR_SIGNATURE_LEN_RANGE, TLM_ERR_SIGNATURE, NULL},
};

tlm_result tlm_error_set_rv(tlm_error *error, CK_RV rv, const char *call, const char *format, ...)
{
    tlm_result result = TLM_ERR_TOKEN;
    const char *hint = HINT_DOCTOR;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].rv == rv) {
            result = meanings[i].result;
            hint = meanings[i].hint;
            break;
        }
    }
    if (error == NULL) {
        return result;
    }
    char about[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(about, sizeof about, format, arguments);
    va_end(arguments);
    (void)tlm_error_set(error, result, hint, "%s%s%s: %s (0x%lx)", call,
                        about[0] != '\0' ? " " : "", about, tlm_pkcs11_rv_name(rv), rv);
    error->domain = TLM_DOMAIN_PKCS11;
    error->native = rv;
    return result;
}
