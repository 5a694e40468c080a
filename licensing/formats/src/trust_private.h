/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FORMATS_TRUST_PRIVATE_H
#define TLM_FORMATS_TRUST_PRIVATE_H

/* What a build trusts; cmake/TlmTrust.cmake makes the definitions of TLM_TRUST_JWKS and
 * TLM_RUNTIME_TRUST. */

#include <stdbool.h>
#include <stddef.h>

/* The JWKS that was compiled in; size 0 where there is none. */
extern const unsigned char tlm_trust_build_jwks[];
extern const size_t tlm_trust_build_size;
/* Whether keys are read from files, too. */
extern const bool tlm_trust_build_runtime;

#endif
