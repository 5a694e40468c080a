/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/attest.h>

#include <stdlib.h>
#include <string.h>

void tlm_tpm_bytes_clear(tlm_tpm_bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}
