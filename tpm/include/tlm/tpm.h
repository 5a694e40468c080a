/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM_H
#define TLM_TPM_H

/*
 * The TPM: reached through the first interface that answers, asked for facts and random bytes.
 *
 * No tpm2-tss type stands here, so that callers build with -DTPM_ON=OFF too; every function then
 * answers TLM_ERR_UNSUPPORTED. One thread at a time.
 *
 *     tlm_tcti_list list = {0};
 *     const tlm_tcti *used = NULL;
 *     tlm_tpm *tpm = NULL;
 *     if (tlm_tpm_open(&settings, &list, &used, &tpm, &error) == TLM_OK) {
 *         tlm_tpm_facts facts;
 *         result = tlm_tpm_read_facts(tpm, &facts, &error);
 *     }
 *     tlm_tpm_close(&tpm);
 *     tlm_tcti_list_clear(&list);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tlm/result.h>
#include <tlm/secret.h>
#include <tlm/settings.h>
#include <tlm/tcti.h>

typedef struct tlm_tpm tlm_tpm;

/*
 * Tries the candidates of the settings in order. `list` is filled in any case (the caller clears
 * it): each candidate that was passed over has its reason in `passed`, and *used is the one that
 * answered, owned by the list. A socket is sent TPM2_Startup first. TLM_ERR_TPM_UNAVAILABLE where
 * none answers; the message has the reason of each.
 */
TLM_CHECKED tlm_result tlm_tpm_open(const tlm_settings *settings, tlm_tcti_list *list,
                                    const tlm_tcti **used, tlm_tpm **tpm, tlm_error *error);

/*
 * Opens the one interface `tcti` ("device:/dev/tpmrm0", "swtpm:path=/…"), for who opens again what
 * tlm_tpm_open or tlm_tcti_choose found. The error is that of the interface itself.
 */
TLM_CHECKED tlm_result tlm_tpm_open_tcti(const char *tcti, tlm_tpm **tpm, tlm_error *error);

/* Accepts NULL and a NULL tpm, and sets the caller's pointer to NULL. */
void tlm_tpm_close(tlm_tpm **tpm);

/*
 * Authorization of the owner hierarchy, where the administrator has set one (tpm2_changeauth -c o).
 * Without this call it is taken to be empty, as it is after TPM2_Clear.
 */
TLM_CHECKED tlm_result tlm_tpm_set_owner_auth(tlm_tpm *tpm, const tlm_secret *auth,
                                              tlm_error *error);

#define TLM_TPM_PCR_COUNT 3U
#define TLM_TPM_HANDLES_MAX 64U

/* Part 2 of the TPM 2.0 library: TPM_PT_…, section 6.13. */
typedef struct tlm_tpm_facts {
    char manufacturer[5]; /* "IBM", "IFX", "INTC" … */
    char vendor[17];
    char firmware[24]; /* four decimal numbers */
    bool simulated;    /* a socket, or a vendor string that names a software TPM */
    bool in_lockout;
    bool owner_auth_set;
    uint32_t lockout_counter;
    uint32_t max_tries;
    uint32_t recovery_seconds;         /* after which one failed try is forgotten */
    uint32_t lockout_recovery_seconds; /* after a wrong lockout authorization */
    struct {
        unsigned index;
        char sha256[65]; /* empty where the TPM has no SHA-256 bank */
    } pcr[TLM_TPM_PCR_COUNT];
    uint32_t persistent[TLM_TPM_HANDLES_MAX];
    size_t persistent_count;
    size_t transient_count; /* loaded objects this interface shows */
} tlm_tpm_facts;

/* Reads the facts; a handful of TPM2_GetCapability and one TPM2_PCR_Read, no authorization. */
TLM_CHECKED tlm_result tlm_tpm_read_facts(tlm_tpm *tpm, tlm_tpm_facts *facts, tlm_error *error);

/* Fills `secret` (made by the caller) from TPM2_GetRandom. */
TLM_CHECKED tlm_result tlm_tpm_random(tlm_tpm *tpm, tlm_secret *secret, tlm_error *error);

/* Whether the TPM makes RSA keys of `bits` (TPM2_TestParms). */
bool tlm_tpm_can_rsa(tlm_tpm *tpm, unsigned bits);

/*
 * Frees transient objects and sessions that a killed run left behind. Only for a socket, which has
 * no resource manager to do it; elsewhere it does nothing. Never while somebody uses the token.
 */
void tlm_tpm_flush_leftovers(tlm_tpm *tpm);

#endif
