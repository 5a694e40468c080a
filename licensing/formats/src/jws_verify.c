/* SPDX-License-Identifier: BSD-2-Clause */
#include "jws_private.h"

#include <string.h>

#include <jose/jws.h>

#include "json_private.h"
#include "jwk_private.h"

static const tlm_jws_algorithm algorithms[] = {
    {"ES256", "EC", "P-256", 64, "SHA256", TLM_JWA_ES256},
    {"ES384", "EC", "P-384", 96, "SHA384", TLM_JWA_ES384},
    {"RS256", "RSA", NULL, 0, "SHA256", TLM_JWA_RS256},
    {"PS256", "RSA", NULL, 0, "SHA256", TLM_JWA_PS256},
};

const tlm_jws_algorithm *tlm_jws_algorithm_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* How many digits a signature of `bytes` has. */
static size_t digits_of(size_t bytes)
{
    return (bytes * 4 + 2) / 3;
}

/* The flattened form of RFC 7515 section 7.2.2, which libjose verifies. */
static json_t *flatten(const tlm_jws_parts *parts)
{
    json_t *flat = json_object();
    int failed = json_object_set_new(flat, "protected",
                                     json_stringn_nocheck(parts->header, parts->header_size)) |
                 json_object_set_new(flat, "payload",
                                     json_stringn_nocheck(parts->payload, parts->payload_size)) |
                 json_object_set_new(flat, "signature",
                                     json_stringn_nocheck(parts->signature, parts->signature_size));
    if (failed != 0) {
        json_decref(flat);
        return NULL;
    }
    return flat;
}

tlm_result tlm_jws_verify_parts(const tlm_jws_parts *parts, const json_t *jwk, const char *alg,
                                tlm_error *error)
{
    const tlm_jws_algorithm *algorithm = tlm_jws_algorithm_find(alg);
    if (algorithm == NULL) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "Use a key for ES256, ES384, PS256 or RS256.",
                             "a key for another algorithm than the four that are accepted");
    }
    json_t *key = NULL;
    size_t size = 0;
    tlm_json_protect();
    tlm_result result = tlm_jwk_for(jwk, algorithm, &key, &size, error);
    if (result != TLM_OK) {
        return result;
    }
    if (parts->signature_size != digits_of(size)) {
        json_decref(key);
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "a signature of %zu digits cannot be one of this key by %s",
                             parts->signature_size, alg);
    }
    json_t *flat = flatten(parts);
    bool verified = flat != NULL && jose_jws_ver(NULL, flat, NULL, key, false);
    json_decref(key);
    if (flat == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to verify a JWS");
    }
    json_decref(flat);
    if (!verified) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL, "the signature does not verify");
    }
    return TLM_OK;
}
