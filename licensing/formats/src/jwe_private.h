/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_JWE_PRIVATE_H
#define TLM_LICENSING_JWE_PRIVATE_H

#include <jansson.h>

#include <tlm/jwe.h>

struct tlm_jwe {
    json_t *members; /* of the protected header; owns the texts of `header` */
    tlm_jwe_header header;
    unsigned char *encrypted_key;
    size_t encrypted_size;
    /* The other parts as they stand in the text: libjose takes them in base64url. */
    char *protected_header;
    char *iv;
    char *ciphertext;
    char *tag;
};

/*
 * Opens the content under another protected header than the text's own: tells a damaged header from
 * a text that was sealed for somebody else.
 */
TLM_CHECKED tlm_result tlm_jwe_open_as(const tlm_jwe *jwe, const tlm_jwe_header *header,
                                       const tlm_secret *cek, tlm_secret **plain, tlm_error *error);

#endif
