/* SPDX-License-Identifier: BSD-2-Clause */
/* Run by the build: a JWKS that the program could not take stops it here, not on a host. */
#include <stdio.h>

#include <tlm/trust.h>

int main(void)
{
    tlm_trust *trust = NULL;
    tlm_error error = {.result = TLM_OK};
    if (tlm_trust_new(&trust, &error) != TLM_OK) {
        (void)fprintf(stderr, "TLM_TRUST_JWKS: %s. %s\n", error.message, error.hint);
        return 1;
    }
    size_t count = tlm_trust_count(trust);
    tlm_trust_free(&trust);
    if (count == 0) {
        (void)fprintf(stderr, "TLM_TRUST_JWKS: the file has no keys\n");
        return 1;
    }
    return 0;
}
