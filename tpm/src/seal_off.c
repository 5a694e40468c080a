/* SPDX-License-Identifier: BSD-2-Clause */
/* Sealing in a build with -DTPM_ON=OFF: it says so, and nothing else. */
#include <tlm/seal.h>

static tlm_result lacking(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                         "use --backend softhsm, or a build with -DTPM_ON=ON",
                         "this build lacks TPM support (it was made with -DTPM_ON=OFF)");
}

tlm_result tlm_seal_place_parent(tlm_tpm *tpm, const tlm_tpm_name *expected, bool replace,
                                 bool *changed, tlm_error *error)
{
    (void)tpm;
    (void)expected;
    (void)replace;
    *changed = false;
    return lacking(error);
}

tlm_result tlm_seal_make(tlm_tpm *tpm, tlm_vault_policy policy, const tlm_secret *recovery,
                         const tlm_secret *data, tlm_sealed *sealed, tlm_error *error)
{
    (void)tpm;
    (void)policy;
    (void)recovery;
    (void)data;
    (void)sealed;
    return lacking(error);
}

tlm_result tlm_seal_open(tlm_tpm *tpm, const tlm_sealed *sealed, const tlm_secret *recovery,
                         tlm_secret **data, tlm_error *error)
{
    (void)tpm;
    (void)sealed;
    (void)recovery;
    (void)data;
    return lacking(error);
}

tlm_result tlm_seal_changed(tlm_tpm *tpm, const tlm_sealed *sealed,
                            unsigned changed[TLM_SEAL_PCR_MAX], size_t *count, tlm_error *error)
{
    (void)tpm;
    (void)sealed;
    (void)changed;
    *count = 0;
    return lacking(error);
}

tlm_result tlm_seal_parent_name(tlm_tpm *tpm, tlm_tpm_name *name, tlm_error *error)
{
    (void)tpm;
    (void)name;
    return lacking(error);
}
