/* SPDX-License-Identifier: BSD-2-Clause */
#include "tpm_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_tctildr.h>

#include <tlm/log.h>

static tlm_result start_socket(tlm_tpm *tpm, tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_Startup(tpm->esys, TPM2_SU_CLEAR);
    } while (tlm_tpm_again(&wait, rc));
    /* TPM_RC_INITIALIZE: somebody started it before us. */
    if (rc == TSS2_RC_SUCCESS || tlm_tpm_rc_base(rc) == TPM2_RC_INITIALIZE) {
        return TLM_OK;
    }
    return tlm_error_set_tss(error, rc, "TPM2_Startup", "of the simulated TPM");
}

/* A node can be opened while nothing answers behind it, so the TPM itself is asked. */
static tlm_result greet(tlm_tpm *tpm, tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    TPMI_YES_NO more = TPM2_NO;
    TPMS_CAPABILITY_DATA *data = NULL;
    do {
        rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FAMILY_INDICATOR, 1, &more, &data);
    } while (tlm_tpm_again(&wait, rc));
    Esys_Free(data);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "TPM2_GetCapability", "of the family");
    }
    return TLM_OK;
}

static tlm_result connect_candidate(const tlm_tcti *candidate, tlm_tpm **out, tlm_error *error)
{
    tlm_result result = tlm_tcti_check(candidate, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_tpm *tpm = calloc(1, sizeof *tpm);
    if (tpm == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for the TPM's context");
    }
    tpm->socket = candidate->simulated;
    TSS2_RC rc = Tss2_TctiLdr_Initialize(candidate->conf, &tpm->tcti);
    if (rc != TSS2_RC_SUCCESS) {
        result = tlm_error_set_tss(error, rc, "Tss2_TctiLdr_Initialize", "of %s", candidate->conf);
        goto out;
    }
    rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
    if (rc != TSS2_RC_SUCCESS) {
        result = tlm_error_set_tss(error, rc, "Esys_Initialize", "over %s", candidate->conf);
        goto out;
    }
    if (tpm->socket) {
        result = start_socket(tpm, error);
    }
    if (result == TLM_OK) {
        result = greet(tpm, error);
    }
out:
    if (result != TLM_OK) {
        tlm_tpm_close(&tpm);
    }
    *out = tpm;
    return result;
}

static void pass_over(tlm_tcti *candidate, const tlm_error *why)
{
    /* A daemon whose TPM is away tries again every few seconds, and for as long. */
    static tlm_log_limit limit = {.burst = 20, .seconds = 600};
    unsigned suppressed = 0;
    char quoted[1024];
    candidate->passed = *why;
    if (tlm_log_allow(&limit, &suppressed)) {
        tlm_log(TLM_LOG_INFO, "tcti_passed_over",
                "tcti=%s origin=\"%s\" code=%s reason=%s suppressed=%u", candidate->conf,
                candidate->origin, tlm_result_code(why->result),
                tlm_log_quote(why->message, quoted, sizeof quoted), suppressed);
    }
}

static tlm_result none_left(const tlm_tcti_list *list, tlm_error *error)
{
    if (list->count == 1) {
        const tlm_tcti *only = &list->items[0];
        tlm_result result =
            only->passed.result == TLM_ERR_LOCKED ? TLM_ERR_LOCKED : TLM_ERR_TPM_UNAVAILABLE;
        (void)tlm_error_set(error, result, only->passed.hint,
                            "the TPM at %s (%s) cannot be used: %s", only->conf, only->origin,
                            only->passed.message);
        if (error != NULL) {
            error->domain = only->passed.domain;
            error->native = only->passed.native;
        }
        return result;
    }
    char reasons[sizeof error->message] = "";
    size_t used = 0;
    for (size_t i = 0; i < list->count && used < sizeof reasons; i++) {
        int length = snprintf(reasons + used, sizeof reasons - used, "%s%s: %s", i > 0 ? "; " : "",
                              list->items[i].conf, list->items[i].passed.message);
        used += length > 0 ? (size_t)length : 0;
    }
    const char *hint = list->count > 0 ? list->items[0].passed.hint : "name one with --tcti TCTI";
    return tlm_error_set(error, TLM_ERR_TPM_UNAVAILABLE, hint, "no usable TPM: %s", reasons);
}

tlm_result tlm_tpm_open(const tlm_settings *settings, tlm_tcti_list *list, const tlm_tcti **used,
                        tlm_tpm **tpm, tlm_error *error)
{
    *used = NULL;
    *tpm = NULL;
    tlm_result result = tlm_tcti_candidates(settings, list, error);
    if (result != TLM_OK) {
        return result;
    }
    for (size_t i = 0; i < list->count; i++) {
        tlm_tcti *candidate = &list->items[i];
        tlm_error why = {0};
        if (connect_candidate(candidate, tpm, &why) == TLM_OK) {
            tlm_log(TLM_LOG_DEBUG, "tcti_used", "tcti=%s origin=\"%s\"", candidate->conf,
                    candidate->origin);
            *used = candidate;
            return TLM_OK;
        }
        pass_over(candidate, &why);
    }
    return none_left(list, error);
}

tlm_result tlm_tpm_open_tcti(const char *tcti, tlm_tpm **tpm, tlm_error *error)
{
    *tpm = NULL;
    char *conf = tcti != NULL ? strdup(tcti) : NULL;
    if (conf == NULL) {
        return tlm_error_set(error, tcti == NULL ? TLM_ERR_ARGUMENT : TLM_ERR_MEMORY, NULL,
                             "no TPM interface is named, or memory is out");
    }
    const tlm_tcti candidate = {.conf = conf,
                                .origin = "the interface found before",
                                .named = true,
                                .simulated = tlm_tcti_is_simulated(conf)};
    tlm_result result = connect_candidate(&candidate, tpm, error);
    free(conf);
    return result;
}

void tlm_tpm_close(tlm_tpm **tpm)
{
    if (tpm == NULL || *tpm == NULL) {
        return;
    }
    if ((*tpm)->esys != NULL) {
        Esys_Finalize(&(*tpm)->esys);
    }
    if ((*tpm)->tcti != NULL) {
        Tss2_TctiLdr_Finalize(&(*tpm)->tcti);
    }
    free(*tpm);
    *tpm = NULL;
}

tlm_result tlm_tpm_set_owner_auth(tlm_tpm *tpm, const tlm_secret *auth, tlm_error *error)
{
    TPM2B_AUTH value = {0};
    if (tlm_secret_size(auth) > sizeof value.buffer) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "the owner authorization has %zu bytes, a TPM takes at most %zu",
                             tlm_secret_size(auth), sizeof value.buffer);
    }
    value.size = (UINT16)tlm_secret_size(auth); /* bounded above */
    memcpy(value.buffer, tlm_secret_bytes(auth), value.size);
    TSS2_RC rc = Esys_TR_SetAuth(tpm->esys, ESYS_TR_RH_OWNER, &value);
    explicit_bzero(&value, sizeof value);
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_error_set_tss(error, rc, "Esys_TR_SetAuth", "of the owner hierarchy");
    }
    return TLM_OK;
}

tlm_result tlm_tpm_random(tlm_tpm *tpm, tlm_secret *secret, tlm_error *error)
{
    size_t size = tlm_secret_size(secret);
    size_t filled = 0;
    while (filled < size) {
        size_t want = size - filled < 32 ? size - filled : 32;
        TPM2B_DIGEST *bytes = NULL;
        TSS2_RC rc;
        tlm_tpm_wait wait = {0};
        do {
            rc = Esys_GetRandom(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, (UINT16)want,
                                &bytes);
        } while (tlm_tpm_again(&wait, rc));
        if (rc != TSS2_RC_SUCCESS) {
            return tlm_tpm_fail(tpm, error, rc, "TPM2_GetRandom", "of %zu bytes", want);
        }
        size_t got = bytes->size < want ? bytes->size : want;
        memcpy(tlm_secret_data(secret) + filled, bytes->buffer, got);
        explicit_bzero(bytes, sizeof *bytes);
        Esys_Free(bytes);
        if (got == 0) {
            return tlm_error_set(error, TLM_ERR_TPM, NULL, "TPM2_GetRandom gave no bytes");
        }
        filled += got;
    }
    return TLM_OK;
}

bool tlm_tpm_can_rsa(tlm_tpm *tpm, unsigned bits)
{
    TPMT_PUBLIC_PARMS parameters = {.type = TPM2_ALG_RSA,
                                    .parameters.rsaDetail = {.symmetric.algorithm = TPM2_ALG_NULL,
                                                             .scheme.scheme = TPM2_ALG_NULL,
                                                             .keyBits = (UINT16)bits,
                                                             .exponent = 0}};
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_TestParms(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &parameters);
    } while (tlm_tpm_again(&wait, rc));
    return rc == TSS2_RC_SUCCESS;
}

static void flush_from(tlm_tpm *tpm, uint32_t first)
{
    uint32_t handles[TLM_TPM_HANDLES_MAX];
    size_t count = 0;
    if (tlm_tpm_list_handles(tpm, first, handles, &count, NULL) != TLM_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ESYS_TR object = ESYS_TR_NONE;
        if (Esys_TR_FromTPMPublic(tpm->esys, handles[i], ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                  &object) == TSS2_RC_SUCCESS &&
            Esys_FlushContext(tpm->esys, object) == TSS2_RC_SUCCESS) {
            tlm_log(TLM_LOG_WARNING, "tpm_leftover_flushed", "handle=0x%08X", handles[i]);
        }
    }
}

void tlm_tpm_flush_leftovers(tlm_tpm *tpm)
{
    if (!tpm->socket) {
        return;
    }
    flush_from(tpm, TLM_FIRST_TRANSIENT);
    flush_from(tpm, TLM_FIRST_SESSION);
}
