/* SPDX-License-Identifier: BSD-2-Clause */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

const char *tlm_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

static tlm_result read_stream(FILE *stream, size_t max, char **text, size_t *size, tlm_error *error)
{
    char *made = NULL;
    size_t used = 0;
    size_t room = 0;
    for (;;) {
        if (used + 1 >= room) {
            room = room == 0 ? 16384 : 2 * room;
            char *grown = realloc(made, room);
            if (grown == NULL) {
                free(made);
                return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for standard input");
            }
            made = grown;
        }
        size_t got = fread(made + used, 1, room - used - 1, stream);
        used += got;
        if (used > max || got == 0) {
            break;
        }
    }
    if (used > max || ferror(stream) != 0) {
        free(made);
        return used > max ? tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                                          "standard input is larger than the %zu bytes that are "
                                          "accepted",
                                          max)
                          : tlm_error_set_errno(error, NULL, "reading standard input");
    }
    made[used] = '\0';
    *text = made;
    *size = used;
    return TLM_OK;
}

tlm_result tlm_input_read(const char *path, size_t max, char **text, size_t *size, tlm_error *error)
{
    return strcmp(path, "-") == 0 ? read_stream(stdin, max, text, size, error)
                                  : tlm_file_read(path, max, text, size, error);
}
