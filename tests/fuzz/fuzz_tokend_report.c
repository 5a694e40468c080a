/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/tokend_report.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* tokend.json, which whoever serves the socket writes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_tokend_report report;
    tlm_error error = {0};
    tlm_result result =
        tlm_tokend_report_parse((const char *)data, size, "tokend.json", &report, &error);
    if (result == TLM_OK &&
        ((report.phase != TLM_TOKEND_STARTING && report.phase != TLM_TOKEND_READY &&
          report.phase != TLM_TOKEND_UNAVAILABLE) ||
         memchr(report.label, '\0', sizeof report.label) == NULL ||
         memchr(report.store, '\0', sizeof report.store) == NULL ||
         (report.phase == TLM_TOKEND_UNAVAILABLE) != (report.error.result != TLM_OK))) {
        abort();
    }
    return 0;
}
