/* SPDX-License-Identifier: BSD-2-Clause */
/* The TPM's side of a build with -DTPM_ON=OFF: it says so, and nothing else. */
#include <tlm/counter.h>
#include <tlm/primary.h>
#include <tlm/tpm.h>

static tlm_result lacking(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                         "use --backend softhsm, or a build with -DTPM_ON=ON",
                         "this build lacks TPM support (it was made with -DTPM_ON=OFF)");
}

tlm_result tlm_tpm_open(const tlm_settings *settings, tlm_tcti_list *list, const tlm_tcti **used,
                        tlm_tpm **tpm, tlm_error *error)
{
    (void)settings;
    (void)list;
    *used = NULL;
    *tpm = NULL;
    return lacking(error);
}

tlm_result tlm_tpm_open_tcti(const char *tcti, tlm_tpm **tpm, tlm_error *error)
{
    (void)tcti;
    *tpm = NULL;
    return lacking(error);
}

void tlm_tpm_close(tlm_tpm **tpm)
{
    (void)tpm; /* never opened */
}

tlm_result tlm_tpm_set_owner_auth(tlm_tpm *tpm, const tlm_secret *auth, tlm_error *error)
{
    (void)tpm;
    (void)auth;
    return lacking(error);
}

tlm_result tlm_tpm_read_facts(tlm_tpm *tpm, tlm_tpm_facts *facts, tlm_error *error)
{
    (void)tpm;
    (void)facts;
    return lacking(error);
}

tlm_result tlm_tpm_random(tlm_tpm *tpm, tlm_secret *secret, tlm_error *error)
{
    (void)tpm;
    (void)secret;
    return lacking(error);
}

bool tlm_tpm_can_rsa(tlm_tpm *tpm, unsigned bits)
{
    (void)tpm;
    (void)bits;
    return false;
}

void tlm_tpm_flush_leftovers(tlm_tpm *tpm)
{
    (void)tpm;
}

tlm_result tlm_tpm_read_object(tlm_tpm *tpm, uint32_t handle, tlm_tpm_object *object,
                               tlm_error *error)
{
    (void)tpm;
    (void)handle;
    (void)object;
    return lacking(error);
}

tlm_result tlm_primary_create(tlm_tpm *tpm, const tlm_secret *seed, const tlm_secret *auth,
                              tlm_primary *primary, tlm_error *error)
{
    (void)tpm;
    (void)seed;
    (void)auth;
    (void)primary;
    return lacking(error);
}

tlm_result tlm_primary_persist(tlm_tpm *tpm, const tlm_primary *primary, uint32_t handle,
                               tlm_error *error)
{
    (void)tpm;
    (void)primary;
    (void)handle;
    return lacking(error);
}

void tlm_primary_close(tlm_tpm *tpm, tlm_primary *primary)
{
    (void)tpm;
    (void)primary;
}

tlm_result tlm_tpm_evict(tlm_tpm *tpm, uint32_t handle, tlm_error *error)
{
    (void)tpm;
    (void)handle;
    return lacking(error);
}

tlm_result tlm_tpm_serialize(tlm_tpm *tpm, uint32_t handle, unsigned char blob[TLM_TPM_BLOB_MAX],
                             size_t *size, tlm_error *error)
{
    (void)tpm;
    (void)handle;
    (void)blob;
    (void)size;
    return lacking(error);
}

tlm_result tlm_counter_read_state(tlm_tpm *tpm, tlm_counter_state *state, tlm_error *error)
{
    (void)tpm;
    (void)state;
    return lacking(error);
}

tlm_result tlm_counter_define(tlm_tpm *tpm, bool replace, bool *changed, tlm_error *error)
{
    (void)tpm;
    (void)replace;
    *changed = false;
    return lacking(error);
}

tlm_result tlm_counter_undefine(tlm_tpm *tpm, tlm_error *error)
{
    (void)tpm;
    return lacking(error);
}

tlm_result tlm_counter_open(tlm_tpm *tpm, tlm_counter *counter, tlm_error *error)
{
    (void)tpm;
    (void)counter;
    return lacking(error);
}

tlm_result tlm_counter_next(tlm_tpm *tpm, tlm_counter *counter, uint64_t *value, tlm_error *error)
{
    (void)tpm;
    (void)counter;
    (void)value;
    return lacking(error);
}

void tlm_counter_close(tlm_tpm *tpm, tlm_counter *counter)
{
    (void)tpm; /* never opened */
    (void)counter;
}

tlm_result tlm_tpm_read_clock(tlm_tpm *tpm, tlm_tpm_clock *clock, tlm_error *error)
{
    (void)tpm;
    (void)clock;
    return lacking(error);
}
