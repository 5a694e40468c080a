/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/jws.h>

/* The claims of a container that nobody vouches for: to show it, and to know it again when its key
 * is trusted. */
static tlm_result parse_only(const char *text, tlm_license **license, tlm_error *error)
{
    tlm_jws *jws = NULL;
    tlm_license *made = NULL;
    tlm_result result = tlm_jws_parse(text, strlen(text), TLM_LICENSE_MAX, &jws, error);
    if (result == TLM_OK) {
        result = tlm_license_parse(tlm_jws_claims(jws), &made, error);
    }
    if (result == TLM_OK && made->text == NULL) {
        made->text = strdup(text);
    }
    if (result == TLM_OK && made->kid == NULL) {
        made->kid = strdup(tlm_jws_get_header(jws)->kid);
    }
    tlm_jws_free(&jws);
    if (result == TLM_OK && (made->text == NULL || made->kid == NULL)) {
        tlm_license_free(&made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a license");
    }
    *license = made;
    return result;
}

tlm_result tlm_records_parse(const tlm_trust *trust, const char *text, bool *untrusted,
                             tlm_license **license, tlm_error *error)
{
    tlm_result result = tlm_license_open(text, strlen(text), trust, license, error);
    *untrusted = result == TLM_ERR_UNTRUSTED || result == TLM_ERR_SIGNATURE;
    return *untrusted ? parse_only(text, license, error) : result;
}
