/* SPDX-License-Identifier: BSD-2-Clause */
#include "audit_entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <tlm/statement.h>

#define DIGEST_SIZE 32U

tlm_result tlm_audit_hash(const json_t *entry, char **text, char hash[TLM_AUDIT_HASH_SIZE],
                          tlm_error *error)
{
    unsigned char digest[DIGEST_SIZE];
    char *canonical = NULL;
    tlm_result result = tlm_statement_canonical(entry, &canonical, error);
    if (result != TLM_OK) {
        return result;
    }
    if (EVP_Digest(canonical, strlen(canonical), digest, NULL, EVP_sha256(), NULL) != 1) {
        free(canonical);
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL,
                             "OpenSSL could not hash an entry of the audit log");
    }
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        (void)snprintf(hash + 2 * i, 3, "%02x", digest[i]);
    }
    *text = canonical;
    return TLM_OK;
}
