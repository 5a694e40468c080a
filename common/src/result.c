/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/result.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *code;
    const char *text;
} results[TLM_RESULT_COUNT] = {
    [TLM_OK] = {"ok", "success"},
    [TLM_ERR_ARGUMENT] = {"argument", "an argument is outside its contract"},
    [TLM_ERR_MEMORY] = {"memory", "out of memory"},
    [TLM_ERR_IO] = {"io", "reading or writing failed"},
    [TLM_ERR_NOT_FOUND] = {"not-found", "not found"},
    [TLM_ERR_EXISTS] = {"exists", "it exists already and is not replaced"},
    [TLM_ERR_PERMISSION] = {"permission", "permission denied"},
    [TLM_ERR_NO_SPACE] = {"no-space", "no space left"},
    [TLM_ERR_TOO_LARGE] = {"too-large", "larger than the stated maximum"},
    [TLM_ERR_FORMAT] = {"format", "not of the documented form"},
    [TLM_ERR_SETTING] = {"setting", "a setting is wrong"},
    [TLM_ERR_UNSUPPORTED] = {"unsupported", "not supported"},
    [TLM_ERR_DAMAGED] = {"damaged", "the data was changed or torn"},
    [TLM_ERR_FOREIGN] = {"foreign", "it belongs to another token, TPM or installation"},
    [TLM_ERR_NEWER] = {"newer", "it was written by a newer version of this program"},
    [TLM_ERR_INCOMPLETE] = {"incomplete", "one part of a set is missing"},
    [TLM_ERR_CRYPTO] = {"crypto", "a cryptographic operation failed"},
    [TLM_ERR_SIGNATURE] = {"signature", "the signature does not verify"},
    [TLM_ERR_PIN] = {"pin", "the token refused the PIN"},
    [TLM_ERR_LOCKED] = {"locked", "the token or TPM is in lockout"},
    [TLM_ERR_PCR] = {"pcr-changed", "sealed under other PCR values than the TPM has now"},
    [TLM_ERR_TOKEN] = {"token", "the PKCS#11 module reported an error"},
    [TLM_ERR_TOKEN_UNAVAILABLE] = {"token-unavailable", "the token is unavailable at present"},
    [TLM_ERR_NOT_PROVISIONED] = {"not-provisioned", "no token was provisioned yet"},
    [TLM_ERR_TPM] = {"tpm", "the TPM reported an error"},
    [TLM_ERR_TPM_UNAVAILABLE] = {"tpm-unavailable", "no usable TPM was found"},
    [TLM_ERR_PROCESS] = {"process", "a child process failed"},
    [TLM_ERR_TIMEOUT] = {"timeout", "the deadline passed"},
    [TLM_ERR_BUSY] = {"busy", "somebody else holds what is needed"},
    [TLM_ERR_UNTRUSTED] = {"untrusted", "no trusted key signed it"},
    [TLM_ERR_EXPIRED] = {"expired", "its time is over"},
    [TLM_ERR_NOT_YET] = {"not-yet-valid", "its time has not begun"},
    [TLM_ERR_REVOKED] = {"revoked", "its vendor took it back"},
    [TLM_ERR_REPLAYED] = {"replayed", "a newer revision is in force"},
    [TLM_ERR_CONFLICT] = {"conflict", "it contradicts what is there"},
    [TLM_ERR_UNLICENSED] = {"unlicensed", "no license in force has this feature"},
    [TLM_ERR_SEATS] = {"seats-exhausted", "every seat is taken"},
    [TLM_ERR_EXHAUSTED] = {"exhausted", "it is used up"},
    [TLM_ERR_NOT_LOCAL] = {"not-local", "only programs of this host may use it"},
    [TLM_ERR_ROLLBACK] = {"rollback", "the state is older than what was seen before"},
    [TLM_ERR_UNAUTHORIZED] = {"unauthorized", "who asks is not known"},
    [TLM_ERR_RATE] = {"too-many-requests", "the peer asks too often"},
};

static int known(tlm_result result)
{
    return (unsigned)result < TLM_RESULT_COUNT && results[result].code != NULL;
}

const char *tlm_result_text(tlm_result result)
{
    return known(result) ? results[result].text : "unknown result";
}

const char *tlm_result_code(tlm_result result)
{
    return known(result) ? results[result].code : "unknown";
}

static void fill(tlm_error *error, tlm_result result, const char *hint, const char *format,
                 va_list arguments) TLM_PRINTF(4, 0);

static void fill(tlm_error *error, tlm_result result, const char *hint, const char *format,
                 va_list arguments)
{
    if (error == NULL) {
        return;
    }
    /* Format first: the arguments may point into the record that is being replaced. */
    char message[sizeof error->message];
    char advice[sizeof error->hint];
    (void)vsnprintf(message, sizeof message, format, arguments);
    (void)snprintf(advice, sizeof advice, "%s", hint != NULL ? hint : "");
    error->result = result;
    error->domain = TLM_DOMAIN_NONE;
    error->native = 0;
    memcpy(error->message, message, sizeof message);
    memcpy(error->hint, advice, sizeof advice);
}

tlm_result tlm_error_set(tlm_error *error, tlm_result result, const char *hint, const char *format,
                         ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(error, result, hint, format, arguments);
    va_end(arguments);
    return result;
}

static tlm_result result_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return TLM_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return TLM_ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
        return TLM_ERR_NO_SPACE;
    case ENOMEM:
        return TLM_ERR_MEMORY;
    case EEXIST:
        return TLM_ERR_EXISTS;
    default:
        return TLM_ERR_IO;
    }
}

tlm_result tlm_error_set_errno(tlm_error *error, const char *hint, const char *format, ...)
{
    int number = errno;
    tlm_result result = result_of_errno(number);
    if (error == NULL) {
        return result;
    }
    va_list arguments;
    va_start(arguments, format);
    fill(error, result, hint, format, arguments);
    va_end(arguments);
    error->domain = TLM_DOMAIN_ERRNO;
    error->native = (unsigned long)number;
    size_t used = strlen(error->message);
    char text[128];
    (void)snprintf(error->message + used, sizeof error->message - used, ": %s",
                   strerror_r(number, text, sizeof text));
    return result;
}

void tlm_error_prefix(tlm_error *error, const char *format, ...)
{
    if (error == NULL) {
        return;
    }
    char joined[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(joined, sizeof joined, format, arguments);
    va_end(arguments);
    size_t used = strlen(joined);
    size_t room = sizeof joined - used - 1;
    if (room > 2) {
        (void)snprintf(joined + used, room + 1, ": %.*s", (int)room - 2, error->message);
    }
    memcpy(error->message, joined, sizeof joined);
}

void tlm_error_set_hint(tlm_error *error, const char *format, ...)
{
    if (error == NULL) {
        return;
    }
    char advice[sizeof error->hint];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(advice, sizeof advice, format, arguments);
    va_end(arguments);
    memcpy(error->hint, advice, sizeof advice);
}
