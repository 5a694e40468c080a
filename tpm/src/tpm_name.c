/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/primary.h>

#include <stdio.h>
#include <string.h>

bool tlm_tpm_name_equal(const tlm_tpm_name *left, const tlm_tpm_name *right)
{
    return left->size == right->size && left->size > 0 &&
           memcmp(left->bytes, right->bytes, left->size) == 0;
}

void tlm_tpm_name_text(const tlm_tpm_name *name, char text[2 * TLM_TPM_NAME_MAX + 1])
{
    text[0] = '\0';
    for (size_t i = 0; i < name->size && i < TLM_TPM_NAME_MAX; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", name->bytes[i]);
    }
}

/* Esys_TR_Serialize begins with the handle (4 bytes) and the name (2 bytes of length, the name). */
tlm_result tlm_tpm_parse_blob(const unsigned char *blob, size_t size, uint32_t *handle,
                              tlm_tpm_name *name, tlm_error *error)
{
    if (size < 6) {
        return tlm_error_set(error, TLM_ERR_DAMAGED, NULL,
                             "the stored TPM object has %zu bytes, too few for a handle and a name",
                             size);
    }
    size_t length = ((size_t)blob[4] << 8) | blob[5];
    if (length == 0 || length > sizeof name->bytes || length > size - 6) {
        return tlm_error_set(error, TLM_ERR_DAMAGED, NULL,
                             "the stored TPM object claims a name of %zu bytes in %zu", length,
                             size);
    }
    *handle = ((uint32_t)blob[0] << 24) | ((uint32_t)blob[1] << 16) | ((uint32_t)blob[2] << 8) |
              (uint32_t)blob[3];
    memcpy(name->bytes, blob + 6, length);
    name->size = length;
    return TLM_OK;
}
