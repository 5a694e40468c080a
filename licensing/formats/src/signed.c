/* SPDX-License-Identifier: BSD-2-Clause */
#include "license_private.h"

#include <string.h>

#include "text_private.h"

static tlm_result check_typ(const tlm_jws *jws, const char *typ, tlm_error *error)
{
    const char *found = tlm_jws_get_header(jws)->typ;
    if (strcmp(found, typ) != 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the typ of a JWS is %.64s, not %s",
                             found, typ);
    }
    return TLM_OK;
}

static tlm_result find_key(const tlm_jws *jws, tlm_trust_use use, const tlm_trust *trust,
                           const tlm_trust_key **key, tlm_error *error)
{
    const char *kid = tlm_jws_get_header(jws)->kid;
    if (use == TLM_TRUST_ISSUER) {
        return tlm_trust_issuer(trust, kid, key, error);
    }
    /* Of whom the text is decides which keys may sign it; it is believed after that alone. */
    tlm_claims claims = tlm_claims_at(tlm_jws_claims(jws), "%s", "");
    char *iss = NULL;
    tlm_result result = tlm_claims_text(&claims, "iss", TLM_LICENSE_TEXT_MAX, &iss, error);
    if (result == TLM_OK) {
        result = tlm_trust_vendor(trust, kid, iss, key, error);
    }
    free(iss);
    return result;
}

tlm_result tlm_signed_open(const char *text, size_t size, size_t max, const char *typ,
                           tlm_trust_use use, const tlm_trust *trust, tlm_jws **jws,
                           tlm_error *error)
{
    tlm_jws *made = NULL;
    const tlm_trust_key *key = NULL;
    if (trust == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "nobody to believe was named");
    }
    tlm_result result = tlm_jws_parse(text, size, max, &made, error);
    if (result == TLM_OK) {
        result = check_typ(made, typ, error);
    }
    if (result == TLM_OK) {
        result = find_key(made, use, trust, &key, error);
    }
    if (result == TLM_OK) {
        result = tlm_jws_verify(made, key->jwk, key->alg, error);
    }
    if (result != TLM_OK) {
        tlm_jws_free(&made);
        return result;
    }
    *jws = made;
    return TLM_OK;
}
