/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/counter.h>

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <tlm/log.h>

#include "tpm_private.h"

#define COUNTER_SIZE 8U

/* The type of an index stands in four bits of its attributes. */
#define TYPE_OF(attributes) (((attributes)&TPMA_NV_TPM2_NT_MASK) >> TPMA_NV_TPM2_NT_SHIFT)

#define COUNTER_ATTRIBUTES                                                                         \
    (((TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT) | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD |  \
     TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA)

/* How long one call increments until no other process came between. */
#define PATIENCE_US INT64_C(30000000)
/* The longest pause before an attempt, in durations of one; it doubles with each. */
#define PAUSE_DOUBLINGS 6U
#define PAUSE_LONGEST_US INT64_C(2000000)

/* Opens the index; *object stays ESYS_TR_NONE where it is not defined. */
static tlm_result find_index(tlm_tpm *tpm, ESYS_TR *object, tlm_error *error)
{
    *object = ESYS_TR_NONE;
    uint32_t handles[TLM_TPM_HANDLES_MAX];
    size_t count = 0;
    tlm_result result = tlm_tpm_list_handles(tpm, TLM_COUNTER_INDEX, handles, &count, error);
    if (result != TLM_OK || count == 0 || handles[0] != TLM_COUNTER_INDEX) {
        return result;
    }
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_TR_FromTPMPublic(tpm->esys, TLM_COUNTER_INDEX, ESYS_TR_NONE, ESYS_TR_NONE,
                                   ESYS_TR_NONE, object);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_ReadPublic", "of 0x%08X", TLM_COUNTER_INDEX);
    }
    return TLM_OK;
}

static void describe(const TPMS_NV_PUBLIC *area, tlm_counter_state *state)
{
    const char *kind = TYPE_OF(area->attributes) == TPM2_NT_COUNTER ? "counter" : "data";
    (void)snprintf(state->type, sizeof state->type, "%s of %u bytes, attributes 0x%08X", kind,
                   area->dataSize, area->attributes);
    state->written = (area->attributes & TPMA_NV_WRITTEN) != 0;
    state->ours = (area->attributes & ~(TPMA_NV)TPMA_NV_WRITTEN) == COUNTER_ATTRIBUTES &&
                  area->dataSize == COUNTER_SIZE && area->nameAlg == TPM2_ALG_SHA256 &&
                  area->authPolicy.size == 0;
}

static tlm_result read_public(tlm_tpm *tpm, ESYS_TR object, tlm_counter_state *state,
                              tlm_error *error)
{
    TPM2B_NV_PUBLIC *area = NULL;
    TPM2B_NAME *name = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_NV_ReadPublic(tpm->esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area,
                                &name);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_ReadPublic", "of 0x%08X", TLM_COUNTER_INDEX);
    }
    state->present = true;
    describe(&area->nvPublic, state);
    Esys_Free(area);
    Esys_Free(name);
    return TLM_OK;
}

static TSS2_RC read_value(tlm_tpm *tpm, ESYS_TR object, uint64_t *value)
{
    TPM2B_MAX_NV_BUFFER *data = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_NV_Read(tpm->esys, object, object, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                          COUNTER_SIZE, 0, &data);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return rc;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < COUNTER_SIZE; i++) {
        number = number << 8 | data->buffer[i];
    }
    bool whole = data->size == COUNTER_SIZE;
    Esys_Free(data);
    *value = number;
    return whole ? TSS2_RC_SUCCESS : TSS2_ESYS_RC_MALFORMED_RESPONSE;
}

static TSS2_RC increment(tlm_tpm *tpm, ESYS_TR object)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_NV_Increment(tpm->esys, object, object, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                               ESYS_TR_NONE);
    } while (tlm_tpm_again(&wait, rc));
    return rc;
}

/* Somebody gave the index an authorization value, which ours never has. */
static bool refused(TSS2_RC rc)
{
    TSS2_RC base = tlm_tpm_rc_base(rc);
    return base == TPM2_RC_BAD_AUTH || base == TPM2_RC_AUTH_FAIL ||
           base == TPM2_RC_AUTH_UNAVAILABLE || base == TPM2_RC_NV_AUTHORIZATION;
}

static bool is_gone(TSS2_RC rc)
{
    return tlm_tpm_rc_base(rc) == TPM2_RC_HANDLE;
}

static tlm_result read_state(tlm_tpm *tpm, ESYS_TR object, tlm_counter_state *state,
                             tlm_error *error)
{
    tlm_result result = read_public(tpm, object, state, error);
    if (result != TLM_OK || !state->ours) {
        return result;
    }
    TSS2_RC rc = read_value(tpm, object, &state->value);
    if (refused(rc)) {
        state->ours = false;
        return TLM_OK;
    }
    if (rc != TSS2_RC_SUCCESS && tlm_tpm_rc_base(rc) != TPM2_RC_NV_UNINITIALIZED) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_Read", "of 0x%08X", TLM_COUNTER_INDEX);
    }
    return TLM_OK;
}

tlm_result tlm_counter_read_state(tlm_tpm *tpm, tlm_counter_state *state, tlm_error *error)
{
    memset(state, 0, sizeof *state);
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = find_index(tpm, &object, error);
    if (result == TLM_OK && object != ESYS_TR_NONE) {
        result = read_state(tpm, object, state, error);
        (void)Esys_TR_Close(tpm->esys, &object);
    }
    return result;
}

static tlm_result define_index(tlm_tpm *tpm, ESYS_TR *object, tlm_error *error)
{
    const TPM2B_AUTH none = {0};
    const TPM2B_NV_PUBLIC area = {.nvPublic = {.nvIndex = TLM_COUNTER_INDEX,
                                               .nameAlg = TPM2_ALG_SHA256,
                                               .attributes = COUNTER_ATTRIBUTES,
                                               .dataSize = COUNTER_SIZE}};
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_NV_DefineSpace(tpm->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                 ESYS_TR_NONE, &none, &area, object);
    } while (tlm_tpm_again(&wait, rc));
    if (rc == TSS2_RC_SUCCESS) {
        return TLM_OK;
    }
    tlm_result result =
        tlm_tpm_fail(tpm, error, rc, "TPM2_NV_DefineSpace", "of 0x%08X", TLM_COUNTER_INDEX);
    if (result == TLM_ERR_NO_SPACE) {
        tlm_error_set_hint(error, "list what fills the TPM with: tpm2_getcap handles-nv-index; "
                                  "remove what nobody needs with: tpm2_nvundefine INDEX");
    }
    return result;
}

/* Takes over the object. */
static tlm_result undefine_index(tlm_tpm *tpm, ESYS_TR object, tlm_error *error)
{
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_NV_UndefineSpace(tpm->esys, ESYS_TR_RH_OWNER, object, ESYS_TR_PASSWORD,
                                   ESYS_TR_NONE, ESYS_TR_NONE);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        (void)Esys_TR_Close(tpm->esys, &object);
        return tlm_tpm_fail(tpm, error, rc, "TPM2_NV_UndefineSpace", "of 0x%08X",
                            TLM_COUNTER_INDEX);
    }
    return TLM_OK;
}

static tlm_result foreign(const tlm_counter_state *state, const char *hint, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FOREIGN, hint,
                         "a foreign NV index stands at 0x%08X: %s; whose it is the TPM does not "
                         "tell",
                         TLM_COUNTER_INDEX, state->type);
}

/* Leaves a counter of ours at the index, open as *object. */
static tlm_result make_index(tlm_tpm *tpm, bool replace, tlm_counter_state *state, ESYS_TR *object,
                             tlm_error *error)
{
    tlm_result result = find_index(tpm, object, error);
    if (result == TLM_OK && *object != ESYS_TR_NONE) {
        result = read_state(tpm, *object, state, error);
    }
    if (result != TLM_OK || state->ours) {
        return result;
    }
    if (state->present && !replace) {
        return foreign(state,
                       "find out whose it is (tpm2_nvreadpublic 0x018003E8). If nobody needs it, "
                       "repeat the command with --replace; nothing brings it back",
                       error);
    }
    if (state->present) {
        tlm_log(TLM_LOG_WARNING, "foreign_index_replaced", "index=0x%08X type=\"%s\"",
                TLM_COUNTER_INDEX, state->type);
        result = undefine_index(tpm, *object, error);
        *object = ESYS_TR_NONE;
    }
    if (result == TLM_OK) {
        *state = (tlm_counter_state){0};
        result = define_index(tpm, object, error);
    }
    return result;
}

tlm_result tlm_counter_define(tlm_tpm *tpm, bool replace, bool *changed, tlm_error *error)
{
    *changed = false;
    tlm_counter_state state = {0};
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = make_index(tpm, replace, &state, &object, error);
    if (result == TLM_OK && !state.written) {
        *changed = true;
        TSS2_RC rc = increment(tpm, object);
        if (rc != TSS2_RC_SUCCESS) {
            result =
                tlm_tpm_fail(tpm, error, rc, "TPM2_NV_Increment", "of 0x%08X", TLM_COUNTER_INDEX);
        }
    }
    if (object != ESYS_TR_NONE) {
        (void)Esys_TR_Close(tpm->esys, &object);
    }
    return result;
}

/* Finds the index and sees that it is ours; *object is open on success alone. */
static tlm_result open_ours(tlm_tpm *tpm, tlm_counter_state *state, ESYS_TR *object,
                            tlm_error *error)
{
    memset(state, 0, sizeof *state);
    tlm_result result = find_index(tpm, object, error);
    if (result == TLM_OK && *object == ESYS_TR_NONE) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "run: tlm-token-init provision",
                             "the TPM has no counter at 0x%08X", TLM_COUNTER_INDEX);
    }
    if (result == TLM_OK) {
        result = read_state(tpm, *object, state, error);
    }
    if (result == TLM_OK && !state->ours) {
        result = foreign(state, "run: tlm-token-init doctor", error);
    }
    if (result != TLM_OK && *object != ESYS_TR_NONE) {
        (void)Esys_TR_Close(tpm->esys, object);
    }
    return result;
}

tlm_result tlm_counter_undefine(tlm_tpm *tpm, tlm_error *error)
{
    tlm_counter_state state;
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = open_ours(tpm, &state, &object, error);
    return result == TLM_OK ? undefine_index(tpm, object, error) : result;
}

tlm_result tlm_counter_open(tlm_tpm *tpm, tlm_counter *counter, tlm_error *error)
{
    memset(counter, 0, sizeof *counter);
    tlm_counter_state state;
    ESYS_TR object = ESYS_TR_NONE;
    tlm_result result = open_ours(tpm, &state, &object, error);
    if (result == TLM_OK) {
        *counter = (tlm_counter){.opened = true, .object = object, .last = state.value};
    }
    return result;
}

static tlm_result fail_counting(tlm_tpm *tpm, TSS2_RC rc, tlm_error *error)
{
    tlm_result result = tlm_tpm_fail(tpm, error, rc, "counting (TPM2_NV_Increment, TPM2_NV_Read)",
                                     "with the index 0x%08X", TLM_COUNTER_INDEX);
    if (is_gone(rc)) {
        tlm_error_set_hint(error, "the counter was removed; run: tlm-token-init provision");
    } else if (refused(rc)) {
        tlm_error_set_hint(error, "the index is not ours any more; run: tlm-token-init doctor");
    }
    return result;
}

static int64_t now_us(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * Of processes that come into each other's way all but one have to wait, each for a time of its
 * own, which grows with the attempts and is measured by how fast this TPM is.
 */
static void step_aside(int64_t duration_us, unsigned attempt)
{
    uint16_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        number = UINT16_MAX;
    }
    int64_t longest = duration_us << (attempt < PAUSE_DOUBLINGS ? attempt : PAUSE_DOUBLINGS);
    if (longest > PAUSE_LONGEST_US) {
        longest = PAUSE_LONGEST_US;
    }
    const int64_t pause_us = longest * number / UINT16_MAX;
    const struct timespec pause = {.tv_sec = pause_us / 1000000,
                                   .tv_nsec = pause_us % 1000000 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* One increment between two readings; *alone is whether nobody else incremented meanwhile. */
static TSS2_RC attempt_once(tlm_tpm *tpm, tlm_counter *counter, bool *alone)
{
    const uint64_t before = counter->last;
    TSS2_RC rc = increment(tpm, counter->object);
    if (rc == TSS2_RC_SUCCESS) {
        rc = read_value(tpm, counter->object, &counter->last);
    }
    *alone = rc == TSS2_RC_SUCCESS && counter->last == before + 1;
    return rc;
}

/*
 * TPM2_NV_Increment does not tell the new value, and another process may increment before our
 * TPM2_NV_Read. But when the value read is one above the value read before, exactly one increment
 * lies between, and it is ours: nobody else can see his own increment end at that number.
 */
tlm_result tlm_counter_next(tlm_tpm *tpm, tlm_counter *counter, uint64_t *value, tlm_error *error)
{
    if (!counter->opened) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "the TPM's counter is not open");
    }
    const int64_t begin = now_us();
    for (unsigned attempt = 1;; attempt++) {
        bool alone = false;
        const int64_t start = now_us();
        TSS2_RC rc = attempt_once(tpm, counter, &alone);
        if (alone) {
            *value = counter->last;
            return TLM_OK;
        }
        const int64_t end = now_us();
        if (rc == TSS2_RC_SUCCESS && end - begin > PATIENCE_US) {
            break;
        }
        if (rc == TSS2_RC_SUCCESS) {
            step_aside(end - start, attempt);
            /* What was read before the pause is too old to compare with. */
            rc = read_value(tpm, counter->object, &counter->last);
        }
        if (rc != TSS2_RC_SUCCESS) {
            return fail_counting(tpm, rc, error);
        }
    }
    return tlm_error_set(error, TLM_ERR_BUSY, "try again",
                         "other processes incremented the TPM's counter at 0x%08X at each attempt "
                         "in %lld seconds",
                         TLM_COUNTER_INDEX, (long long)(PATIENCE_US / 1000000));
}

void tlm_counter_close(tlm_tpm *tpm, tlm_counter *counter)
{
    if (counter->opened && tpm != NULL) {
        ESYS_TR object = counter->object;
        (void)Esys_TR_Close(tpm->esys, &object);
    }
    memset(counter, 0, sizeof *counter);
}

tlm_result tlm_tpm_read_clock(tlm_tpm *tpm, tlm_tpm_clock *clock, tlm_error *error)
{
    TPMS_TIME_INFO *now = NULL;
    TSS2_RC rc;
    tlm_tpm_wait wait = {0};
    do {
        rc = Esys_ReadClock(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now);
    } while (tlm_tpm_again(&wait, rc));
    if (rc != TSS2_RC_SUCCESS) {
        return tlm_tpm_fail(tpm, error, rc, "TPM2_ReadClock", "of the TPM");
    }
    *clock = (tlm_tpm_clock){.clock_ms = now->clockInfo.clock,
                             .reset_count = now->clockInfo.resetCount,
                             .restart_count = now->clockInfo.restartCount,
                             .safe = now->clockInfo.safe == TPM2_YES};
    Esys_Free(now);
    return TLM_OK;
}
