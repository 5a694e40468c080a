/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>

#include <tlm/audit.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exported audit log, and the JWKS of a host that did not sign it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *keys;
    if (keys == NULL) {
        keys = json_loads("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
                          "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
                          "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
                          "\"kid\":\"k\",\"alg\":\"ES256\"}]}",
                          0, NULL);
    }
    for (int with_keys = 0; with_keys < 2; with_keys++) {
        tlm_audit_report report = {0};
        tlm_error error = {0};
        tlm_result result = tlm_audit_verify((const char *)data, size, with_keys != 0 ? keys : NULL,
                                             &report, &error);
        if (result == TLM_OK && report.entries > 0 &&
            report.last - report.first + 1 != (int64_t)report.entries) {
            abort();
        }
        if (report.anchors != 0 || report.anchored_to != 0 ||
            (result != TLM_OK && error.message[0] == '\0')) {
            abort();
        }
    }
    return 0;
}
