/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_RSA_KEYS_H
#define TLM_TEST_RSA_KEYS_H

/*
 * RSA key pairs for tests that need one and not its making, which takes memcheck many seconds:
 *
 *     EVP_PKEY *host = tlm_test_rsa(2048);
 *     EVP_PKEY *stranger = tlm_test_rsa(2048);
 *
 * The build made them (make-rsa-keys).
 */

#include <openssl/evp.h>

/**
 * The next pair of 768, 1024 or 2048 bits, where each size's come in turn: 1, 3 and 6 differ. Of
 * another size it is made here. Owned by the caller; NULL where there is none.
 */
EVP_PKEY *tlm_test_rsa(unsigned bits);

#endif
