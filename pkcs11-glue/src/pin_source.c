/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/token.h>

#include <tlm/file.h>

#define PIN_MAX 256U

tlm_result tlm_pin_from_file(void *context, tlm_secret **pin, tlm_error *error)
{
    const char *path = context;
    tlm_secret *read = NULL;
    tlm_result result = tlm_file_read_secret(path, PIN_MAX, &read, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t size = tlm_secret_size(read);
    const unsigned char *text = tlm_secret_bytes(read);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    if (size == 0) {
        tlm_secret_free(&read);
        return tlm_error_set(error, TLM_ERR_FORMAT, "Write the PIN into it.",
                             "the PIN file %s has no PIN", path);
    }
    tlm_secret_shrink(read, size);
    *pin = read;
    return TLM_OK;
}

tlm_result tlm_pin_of_token(void *context, tlm_secret **pin, tlm_error *error)
{
    (void)context;
    (void)error;
    *pin = NULL; /* the token's own keypad asks */
    return TLM_OK;
}
