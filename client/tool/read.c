/* SPDX-License-Identifier: BSD-2-Clause */
#include "read_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>

#include "client_private.h"
#include "reply_private.h"

static tlm_client_result read_standard_input(size_t max, char **text, size_t *size,
                                             tlm_client_error *error)
{
    size_t room = 65536;
    size_t length = 0;
    char *data = malloc(room);
    while (data != NULL && length <= max) {
        if (length + 1 == room) {
            char *more = realloc(data, room * 2);
            if (more == NULL) {
                break;
            }
            data = more;
            room *= 2;
        }
        size_t got = fread(data + length, 1, room - length - 1, stdin);
        length += got;
        if (got == 0) {
            break;
        }
    }
    if (data == NULL || ferror(stdin) != 0 || (feof(stdin) == 0 && length <= max)) {
        free(data);
        return tlm_trouble(error, TLM_CLIENT_FAILED, "io", NULL, "reading standard input: %s",
                           strerror(errno));
    }
    if (length > max) {
        free(data);
        return tlm_trouble(error, TLM_CLIENT_FAILED, "too-large", NULL,
                           "standard input has more than the %zu bytes that are accepted", max);
    }
    data[length] = '\0';
    *text = data;
    *size = length;
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_tool_read(const char *path, size_t max, char **text, size_t *size,
                                tlm_client_error *error)
{
    if (strcmp(path, "-") == 0) {
        return read_standard_input(max, text, size, error);
    }
    tlm_error cause = {0};
    return tlm_file_read(path, max, text, size, &cause) == TLM_OK ? TLM_CLIENT_OK
                                                                  : tlm_trouble_of(error, &cause);
}

tlm_client_result tlm_tool_read_json(const char *path, size_t max, json_t **object,
                                     tlm_client_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_client_result result = tlm_tool_read(path, max, &text, &size, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    *object = tlm_reply_object(text, size);
    free(text);
    return *object != NULL ? TLM_CLIENT_OK
                           : tlm_trouble(error, TLM_CLIENT_FAILED, "format", NULL,
                                         "%s is not one JSON object", path);
}

bool tlm_tool_path(const char *base, const char *id, char *path, size_t size,
                   tlm_client_error *error)
{
    size_t length = strspn(id, "0123456789abcdefABCDEF-");
    int written = -1;
    if (length > 0 && id[length] == '\0') {
        written = snprintf(path, size, "%s/%s", base, id);
    }
    if (written < 0 || (size_t)written >= size) {
        (void)tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting",
                          "ids are UUIDs, as the list shows them", "'%.64s' is not an id", id);
        return false;
    }
    return true;
}
