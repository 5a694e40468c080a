/* SPDX-License-Identifier: BSD-2-Clause */
/* tlm/attest.h in a build with -DTPM_ON=OFF: no TPM can be opened, so none of this is reached. */
#include <tlm/attest.h>

static tlm_result lacking(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "use a build with -DTPM_ON=ON",
                         "this build lacks TPM support (it was made with -DTPM_ON=OFF)");
}

tlm_result tlm_attest_set_endorsement_auth(tlm_tpm *tpm, const tlm_secret *auth, tlm_error *error)
{
    (void)tpm;
    (void)auth;
    return lacking(error);
}

tlm_result tlm_attest_read_certificate(tlm_tpm *tpm, tlm_ek_kind kind, tlm_tpm_bytes *der,
                                       tlm_error *error)
{
    (void)tpm;
    (void)kind;
    (void)der;
    return lacking(error);
}

tlm_result tlm_attest_read_chain(tlm_tpm *tpm, tlm_tpm_bytes *der, tlm_error *error)
{
    (void)tpm;
    (void)der;
    return lacking(error);
}

tlm_result tlm_attest_ek_public(tlm_tpm *tpm, tlm_ek_kind kind, tlm_tpm_bytes *area,
                                tlm_error *error)
{
    (void)tpm;
    (void)kind;
    (void)area;
    return lacking(error);
}

tlm_result tlm_attest_ak_public(tlm_tpm *tpm, tlm_tpm_bytes *area, tlm_error *error)
{
    (void)tpm;
    (void)area;
    return lacking(error);
}

tlm_result tlm_attest_unseal(tlm_tpm *tpm, const tlm_attest_parent *parent,
                             const tlm_attest_object *object, tlm_secret **data, tlm_error *error)
{
    (void)tpm;
    (void)parent;
    (void)object;
    (void)data;
    return lacking(error);
}

tlm_result tlm_attest_certify(tlm_tpm *tpm, const tlm_attest_parent *parent,
                              const tlm_attest_object *object,
                              const unsigned char digest[TLM_ATTEST_DIGEST_SIZE],
                              tlm_tpm_bytes *attest, tlm_tpm_bytes *signature, tlm_error *error)
{
    (void)tpm;
    (void)parent;
    (void)object;
    (void)digest;
    (void)attest;
    (void)signature;
    return lacking(error);
}

tlm_result tlm_attest_activate(tlm_tpm *tpm, tlm_ek_kind kind,
                               const tlm_attest_credential *credential, tlm_secret **secret,
                               tlm_error *error)
{
    (void)tpm;
    (void)kind;
    (void)credential;
    (void)secret;
    return lacking(error);
}
