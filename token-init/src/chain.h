/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CHAIN_H
#define TLM_CHAIN_H

/* Certificates from files, and chains of them. */

#include <stdbool.h>

#include <openssl/x509.h>

#include <tlm/result.h>

/* One file of certificates: bundles of CAs are larger than any chain. */
#define TLM_CHAIN_FILE_MAX 1048576U
#define TLM_CHAIN_MAX 1024

/*
 * Adds the certificates of a PEM file (or the one of a DER file) to the list, in their order.
 * TLM_ERR_FORMAT where there is none or one cannot be read.
 */
TLM_CHECKED tlm_result tlm_chain_read(const char *path, STACK_OF(X509) * list, tlm_error *error);

/*
 * Whether `leaf` leads over `between` to one of `trusted` (root or not), each certificate valid
 * now. TLM_ERR_SIGNATURE with OpenSSL's reason and the certificate's subject, TLM_ERR_INCOMPLETE
 * where an issuer is missing. `what` names the chain in messages.
 */
TLM_CHECKED tlm_result tlm_chain_verify(X509 *leaf, STACK_OF(X509) * between,
                                        STACK_OF(X509) * trusted, const char *what,
                                        tlm_error *error);

/* "CN = host, O = Example" as a new string; NULL without memory. */
char *tlm_chain_name(const X509_NAME *name);

#endif
