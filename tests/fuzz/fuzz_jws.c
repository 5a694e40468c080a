/* SPDX-License-Identifier: BSD-2-Clause */
/* The compact parser over any bytes, and verification: nothing but our own signature passes. */
#include "formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_jws *jws = NULL;
    tlm_error error = {.result = TLM_OK};
    size_t length = 0;
    char *text = fuzz_text(data, size, "t", &length);
    tlm_result result = tlm_jws_parse(text, length, 1U << 20, &jws, &error);
    fuzz_check(result, &error, jws);
    if (result == TLM_OK) {
        const tlm_jws_header *header = tlm_jws_get_header(jws);
        const tlm_trust *trust = fuzz_formats_get()->trust;
        fuzz_need(header->alg != NULL && header->kid != NULL && header->typ != NULL);
        fuzz_need(strlen(header->kid) <= TLM_JWS_TEXT_MAX && json_is_object(tlm_jws_claims(jws)));
        for (size_t i = 0; i < tlm_trust_count(trust); i++) {
            const tlm_trust_key *key = tlm_trust_at(trust, i);
            result = tlm_jws_verify(jws, key->jwk, key->alg, &error);
            fuzz_need(result == TLM_OK || result == TLM_ERR_SIGNATURE);
            fuzz_need(result != TLM_OK || strcmp(header->alg, key->alg) == 0);
        }
    }
    tlm_jws_free(&jws);
    free(text);
    return 0;
}
