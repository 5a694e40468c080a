/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal_command.h"

#include "output.h"
#include "request.h"

typedef tlm_result (*sealing)(const tlm_provision_request *request, tlm_provision_report *report,
                              tlm_error *error);

static int run(const tlm_settings *settings, const tlm_options *options, sealing function,
               const char *done)
{
    tlm_error error = {0};
    tlm_provision_request request;
    tlm_provision_report report = {0};
    tlm_result result = tlm_command_request(settings, options, &request, &error);
    if (result == TLM_OK) {
        result = function(&request, &report, &error);
    }
    int status = result != TLM_OK ? tlm_output_failure(&error)
                                  : tlm_command_report(&report, options,
                                                       report.unchanged ? "already sealed" : done);
    tlm_provision_report_clear(&report);
    return status;
}

int tlm_command_seal(const tlm_settings *settings, const tlm_options *options)
{
    return run(settings, options, tlm_seal_store, "sealed");
}

int tlm_command_reseal(const tlm_settings *settings, const tlm_options *options)
{
    return run(settings, options, tlm_reseal_store, "sealed anew");
}
