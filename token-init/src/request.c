/* SPDX-License-Identifier: BSD-2-Clause */
#include "request.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "output.h"

tlm_result tlm_command_request(const tlm_settings *settings, const tlm_options *options,
                               tlm_provision_request *request, tlm_error *error)
{
    *request = (tlm_provision_request){.settings = settings,
                                       .replace = options->replace,
                                       .owner_auth_file = options->owner_auth_file,
                                       .recovery_key = options->recovery_key};
    request->policy_given = settings->origin[TLM_SETTING_vault_policy] != TLM_ORIGIN_DEFAULT;
    if (!tlm_vault_policy_from_name(settings->vault_policy, &request->policy)) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "it is none, SecureBoot, FirmwareBoot or BootSequence",
                             "there is no vault policy '%s'", settings->vault_policy);
    }
    if (options->backend != NULL && !tlm_backend_from_name(options->backend, &request->backend)) {
        return tlm_error_set(error, TLM_ERR_SETTING, "--backend is tpm or softhsm",
                             "there is no back end '%s'", options->backend);
    }
    if (options->rsa_bits == NULL) {
        return TLM_OK;
    }
    if (strcmp(options->rsa_bits, "2048") != 0 && strcmp(options->rsa_bits, "3072") != 0) {
        return tlm_error_set(error, TLM_ERR_SETTING, "--rsa-bits is 2048 or 3072",
                             "RSA keys of '%s' bits are not made", options->rsa_bits);
    }
    request->rsa_bits = strcmp(options->rsa_bits, "3072") == 0 ? 3072 : 2048;
    return TLM_OK;
}

int tlm_command_report(const tlm_provision_report *report, const tlm_options *options,
                       const char *done)
{
    if (options->json) {
        json_t *object = json_pack(
            "{s:s, s:b, s:s, s:s, s:s, s:o, s:o}", "fingerprint", report->fingerprint, "unchanged",
            report->unchanged, "backend", tlm_backend_name(report->backend), "label", report->label,
            "directory", report->directory, "simulated",
            report->tpm_seen ? json_boolean(report->simulated) : json_null(), "recoveryKey",
            report->recovery_key != NULL ? json_string(report->recovery_key) : json_null());
        return tlm_output_json(object) ? EXIT_DONE : EXIT_PROBLEM;
    }
    (void)printf("%s: token '%s' (%s%s) in %s\n", done, report->label,
                 tlm_backend_name(report->backend),
                 report->backend == TLM_BACKEND_SOFTHSM ? ", not hardware-bound"
                 : report->simulated                    ? ", simulated, not hardware-bound"
                                                        : "",
                 report->directory);
    (void)printf("fingerprint=%s\n", report->fingerprint);
    if (report->recovery_key != NULL) {
        (void)printf(
            "The recovery key is in %s. Move it off this machine and keep it: after a\n"
            "change of the firmware nothing else opens the token. Whoever has both the key "
            "and this machine\nneeds no matching PCR values.\n",
            report->recovery_key);
    }
    return EXIT_DONE;
}
