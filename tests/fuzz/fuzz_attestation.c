/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vendor reads from a host: attestation, answer, and the TPM's structures in them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../token-init/src/attestation_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_structures(const unsigned char *data, size_t size)
{
    tlm_wire_public area;
    tlm_wire_attest attest;
    unsigned char signature[TLM_WIRE_SIGNATURE_SIZE];
    EVP_PKEY *key = NULL;
    if (tlm_wire_read_public(data, size, &area, NULL) == TLM_OK &&
        tlm_wire_to_key(&area, &key, NULL) == TLM_OK) {
        EVP_PKEY_free(key);
    }
    tlm_result result = tlm_wire_read_attest(data, size, &attest, NULL);
    if (result == TLM_OK && attest.name.size > size) {
        abort();
    }
    result = tlm_wire_read_signature(data, size, signature, NULL);
    if (result == TLM_OK && size < 8) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    tlm_attestation *attestation = NULL;
    tlm_error error = {0};
    read_structures(data, size);
    if (tlm_attestation_parse(text, size, &attestation, &error) != TLM_OK) {
        return 0;
    }
    read_structures(attestation->ek_area.data, attestation->ek_area.size);
    for (size_t i = 0; i < TLM_ATTESTATION_KEYS; i++) {
        read_structures(attestation->keys[i].attest.data, attestation->keys[i].attest.size);
        read_structures(attestation->keys[i].signature.data, attestation->keys[i].signature.size);
    }
    const tlm_attestation_expect expect = {.ca_count = 0};
    tlm_attestation_report report;
    /* Without a CA nothing can be genuine. */
    if (tlm_attestation_verify(attestation, &expect, &report, &error) == TLM_OK ||
        tlm_attestation_check_answer(attestation, text, size, text, size, &error) == TLM_OK) {
        abort();
    }
    tlm_attestation_free(&attestation);
    return 0;
}
