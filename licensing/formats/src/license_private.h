/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FORMATS_LICENSE_PRIVATE_H
#define TLM_FORMATS_LICENSE_PRIVATE_H

#include <stdlib.h>

#include <tlm/jws.h>
#include <tlm/license.h>

#include "claims_private.h"

/* Reads one model; `path` names it in messages. */
TLM_CHECKED tlm_result tlm_model_parse(json_t *object, const char *path, tlm_model *model,
                                       tlm_error *error);

/*
 * Parses what a vendor or an issuer signs, up to its verified signature: `typ`, then a key for this
 * use, then the signature. The caller frees the JWS.
 */
TLM_CHECKED tlm_result tlm_signed_open(const char *text, size_t size, size_t max, const char *typ,
                                       tlm_trust_use use, const tlm_trust *trust, tlm_jws **jws,
                                       tlm_error *error);

#endif
