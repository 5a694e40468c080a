/* SPDX-License-Identifier: BSD-2-Clause */
/* Apart from the other signer: who does not sign with a token does not link one. */
#include <tlm/jws.h>

#include "jws_private.h"

tlm_result tlm_jws_sign_token(void *context, const char *alg, const void *data, size_t size,
                              unsigned char *signature, size_t *signature_size, tlm_error *error)
{
    const tlm_jws_algorithm *algorithm = tlm_jws_algorithm_find(alg);
    if (algorithm == NULL) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Sign with ES256, ES384, PS256 or RS256.",
                             "signing with %.32s is not supported", alg == NULL ? "nothing" : alg);
    }
    return tlm_key_sign(context, algorithm->jwa, data, size, signature, signature_size, error);
}
