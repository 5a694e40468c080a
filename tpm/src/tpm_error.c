/* SPDX-License-Identifier: BSD-2-Clause */
#include "tpm_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <tss2/tss2_rc.h>

#define FIRST_PAUSE_MS 20U
#define LONGEST_PAUSE_MS 1000U

static const struct {
    TSS2_RC rc;
    tlm_result result;
    const char *hint;
} codes[] = {
    {TPM2_RC_LOCKOUT, TLM_ERR_LOCKED,
     "wait for the recovery time, or run tpm2_dictionarylockout --clear-lockout"},
    {TPM2_RC_NV_SPACE, TLM_ERR_NO_SPACE,
     "list what fills the TPM with: tpm2_getcap handles-persistent; remove what nobody needs with: "
     "tpm2_evictcontrol -C o -c HANDLE"},
    {TPM2_RC_OBJECT_MEMORY, TLM_ERR_NO_SPACE,
     "every object slot of the TPM is taken: try again while a program uses it, else free them "
     "with: tpm2_flushcontext -t"},
    {TPM2_RC_SESSION_MEMORY, TLM_ERR_NO_SPACE,
     "every session slot of the TPM is taken; free them with: tpm2_flushcontext -l"},
    {TPM2_RC_SESSION_HANDLES, TLM_ERR_NO_SPACE,
     "every session of the TPM is taken; free them with: tpm2_flushcontext -s"},
    {TPM2_RC_BAD_AUTH, TLM_ERR_PERMISSION,
     "the owner hierarchy has an authorization value: pass it with --owner-auth-file FILE"},
    {TPM2_RC_AUTH_FAIL, TLM_ERR_PERMISSION,
     "the owner hierarchy has an authorization value: pass it with --owner-auth-file FILE"},
    {TPM2_RC_HIERARCHY, TLM_ERR_PERMISSION,
     "the owner hierarchy is switched off; enable it in the firmware's setup and start again"},
    {TPM2_RC_NV_DEFINED, TLM_ERR_EXISTS, "run: tlm-token-init doctor"},
    {TPM2_RC_RETRY, TLM_ERR_TIMEOUT, "the TPM stayed busy; try again in a minute"},
    {TPM2_RC_YIELDED, TLM_ERR_TIMEOUT, "the TPM stayed busy; try again in a minute"},
    {TPM2_RC_TESTING, TLM_ERR_TIMEOUT,
     "the TPM is still testing itself; try again in a minute, or run: tpm2_selftest --fulltest"},
    {TPM2_RC_NV_RATE, TLM_ERR_TIMEOUT,
     "the TPM spares its memory and takes no more writes now; try again in a minute"},
    {TPM2_RC_FAILURE, TLM_ERR_TPM,
     "the TPM is in failure mode; switch the machine off and on (a restart is not enough)"},
    {TPM2_RC_INITIALIZE, TLM_ERR_TPM, "the TPM was not started; run: tpm2_startup -c"},
};

bool tlm_tpm_again(tlm_tpm_wait *wait, TSS2_RC rc)
{
    TSS2_RC base = tlm_tpm_rc_base(rc);
    if (base != TPM2_RC_RETRY && base != TPM2_RC_YIELDED && base != TPM2_RC_TESTING &&
        base != TPM2_RC_NV_RATE) {
        return false;
    }
    if (wait->waited_ms >= TLM_TPM_WAIT_MS) {
        return false;
    }
    if (wait->next_ms == 0) {
        wait->next_ms = FIRST_PAUSE_MS;
    }
    const struct timespec pause = {.tv_sec = wait->next_ms / 1000,
                                   .tv_nsec = (long)(wait->next_ms % 1000) * 1000000L};
    (void)nanosleep(&pause, NULL);
    wait->waited_ms += wait->next_ms;
    wait->next_ms = wait->next_ms * 2 < LONGEST_PAUSE_MS ? wait->next_ms * 2 : LONGEST_PAUSE_MS;
    return true;
}

/* A resource manager reports the TPM's own codes under its own layer. */
static bool from_tpm(TSS2_RC rc)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
    return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER;
}

TSS2_RC tlm_tpm_rc_base(TSS2_RC rc)
{
    if (!from_tpm(rc)) {
        return rc;
    }
    rc &= ~TSS2_RC_LAYER_MASK;
    if ((rc & TPM2_RC_FMT1) != 0) {
        return rc & (TPM2_RC_FMT1 | 0x3FU);
    }
    return rc;
}

static tlm_result result_of(TSS2_RC rc, const char **hint)
{
    *hint = NULL;
    if (!from_tpm(rc)) {
        TSS2_RC base = rc & ~TSS2_RC_LAYER_MASK;
        if (base == TSS2_BASE_RC_MEMORY) {
            return TLM_ERR_MEMORY;
        }
        *hint = "run: tlm-token-init doctor";
        return (rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER || base == TSS2_BASE_RC_IO_ERROR
                   ? TLM_ERR_TPM_UNAVAILABLE
                   : TLM_ERR_TPM;
    }
    TSS2_RC base = tlm_tpm_rc_base(rc);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].rc == base) {
            *hint = codes[i].hint;
            return codes[i].result;
        }
    }
    return TLM_ERR_TPM;
}

TLM_PRINTF(4, 0)
static tlm_result set_tss(tlm_error *error, TSS2_RC rc, const char *call, const char *format,
                          va_list arguments)
{
    char object[256];
    (void)vsnprintf(object, sizeof object, format, arguments);
    const char *hint = NULL;
    tlm_result result = result_of(rc, &hint);
    (void)tlm_error_set(error, result, hint, "%s %s: %s (0x%X)", call, object, Tss2_RC_Decode(rc),
                        rc);
    if (error != NULL) {
        error->domain = TLM_DOMAIN_TPM;
        error->native = rc;
    }
    return result;
}

tlm_result tlm_error_set_tss(tlm_error *error, TSS2_RC rc, const char *call, const char *format,
                             ...)
{
    va_list arguments;
    va_start(arguments, format);
    tlm_result result = set_tss(error, rc, call, format, arguments);
    va_end(arguments);
    return result;
}

tlm_result tlm_tpm_fail(tlm_tpm *tpm, tlm_error *error, TSS2_RC rc, const char *call,
                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tlm_result result = set_tss(error, rc, call, format, arguments);
    va_end(arguments);
    uint32_t seconds = 0;
    if (result == TLM_ERR_LOCKED && tlm_tpm_property(tpm, TPM2_PT_LOCKOUT_INTERVAL, &seconds)) {
        tlm_error_set_hint(error,
                           "the TPM answers again in at most %u seconds; do not try before. Or: "
                           "tpm2_dictionarylockout --clear-lockout",
                           seconds);
    }
    return result;
}
