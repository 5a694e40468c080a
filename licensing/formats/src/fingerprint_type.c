/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/fingerprint.h>

const char *tlm_fingerprint_type_name(tlm_fingerprint_type type)
{
    switch (type) {
    case TLM_FINGERPRINT_TPM:
        return "tpm";
    case TLM_FINGERPRINT_TOKEN:
        return "token";
    case TLM_FINGERPRINT_FALLBACK:
        return "fallback";
    }
    return "fallback";
}
