/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define COMMON_NAME_MAX 64U /* ub-common-name, RFC 5280 appendix A.1 */

static tlm_result sign_tbs(tlm_key *key, const unsigned char *tbs, size_t tbs_size,
                           X509 **certificate, tlm_error *error)
{
    unsigned char signature[TLM_SIGNATURE_MAX];
    size_t size = 0;
    tlm_result result = tlm_x509_sign(key, tbs, tbs_size, signature, &size, error);
    return result == TLM_OK ? tlm_certificate_assemble(key->public, tbs, tbs_size, signature, size,
                                                       certificate, error)
                            : result;
}

tlm_result tlm_certificate_self_sign(tlm_key *key, const char *name, long not_before, unsigned days,
                                     X509 **certificate, tlm_error *error)
{
    if (key == NULL || certificate == NULL || name == NULL || name[0] == '\0' ||
        strlen(name) > COMMON_NAME_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a certificate takes a key and a name of 1 to %u bytes",
                             COMMON_NAME_MAX);
    }
    tlm_certificate_request request = {
        .public = key->public, .name = name, .not_before = not_before, .days = days};
    unsigned char *tbs = NULL;
    size_t tbs_size = 0;
    X509 *made = NULL;
    tlm_result result = tlm_certificate_tbs(&request, &tbs, &tbs_size, error);
    if (result == TLM_OK) {
        result = sign_tbs(key, tbs, tbs_size, &made, error);
    }
    free(tbs);
    if (result == TLM_OK && X509_verify(made, key->public) != 1) {
        X509_free(made);
        return tlm_error_set_openssl(error, TLM_ERR_CRYPTO, "checking the new certificate");
    }
    if (result == TLM_OK) {
        *certificate = made;
    }
    return result;
}
