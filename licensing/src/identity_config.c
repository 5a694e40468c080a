/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/file.h>

static bool copy_text(const char *from, const char **to)
{
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

/* The module wants an absolute store, and the working directory may change. */
static bool copy_path(const char *from, const char **to)
{
    char directory[PATH_MAX];
    if (from == NULL || from[0] == '/' || getcwd(directory, sizeof directory) == NULL) {
        return copy_text(from, to);
    }
    *to = tlm_path_join(directory, from);
    return *to != NULL;
}

bool tlm_identity_config_copy(const tlm_identity_config *from, tlm_identity_config *to)
{
    static const char *const some_words[] = {NULL};
    *to = (tlm_identity_config){.tpm = from->tpm,
                                .tcti_simulated = from->tcti_simulated,
                                .tokend = from->tokend != NULL ? some_words : NULL,
                                .changed = from->changed,
                                .context = from->context};
    bool done = copy_path(from->persistence_dir, &to->persistence_dir);
    done = copy_path(from->store_dir, &to->store_dir) && done;
    done = copy_path(from->socket, &to->socket) && done;
    done = copy_text(from->tcti, &to->tcti) && done;
    done = copy_text(from->module, &to->module) && done;
    done = copy_text(from->token_uri, &to->token_uri) && done;
    return copy_path(from->pin_file, &to->pin_file) && done;
}

static void free_text(const char **text)
{
    union {
        const char *text;
        char *owned;
    } both = {.text = *text};
    free(both.owned);
    *text = NULL;
}

void tlm_identity_config_clear(tlm_identity_config *config)
{
    free_text(&config->persistence_dir);
    free_text(&config->store_dir);
    free_text(&config->socket);
    free_text(&config->tcti);
    free_text(&config->module);
    free_text(&config->token_uri);
    free_text(&config->pin_file);
}
