/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/host.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <tlm/container.h>

#include "host_private.h"
#include "text_private.h"

typedef struct source {
    const char *id;
    unsigned weight;
    bool (*read)(const tlm_host_root *root, char *value);
} source;

/*
 * The order enters the fallback fingerprint: new ones go to the end. Weights: the product's UUID
 * names one machine; board, disks, cards and installation name a part of it; a processor of one
 * make stands in many machines.
 */
static const source sources[TLM_HOST_COMPONENTS] = {
    {"cpu", 1, tlm_host_cpu},     {"system", 3, tlm_host_system},
    {"board", 2, tlm_host_board}, {"machine-id", 2, tlm_host_machine_id},
    {"disk", 2, tlm_host_disk},   {"network", 2, tlm_host_network},
};

static bool hash_value(const void *salt, size_t salt_size, const char *id, const char *value,
                       char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[32];
    unsigned int size = sizeof digest;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, salt, salt_size) == 1 &&
                EVP_DigestUpdate(context, id, strlen(id) + 1) == 1 &&
                EVP_DigestUpdate(context, value, strlen(value)) == 1 &&
                EVP_DigestFinal_ex(context, digest, &size) == 1;
    EVP_MD_CTX_free(context);
    for (size_t i = 0; done && i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 0x0FU];
    }
    hex[done ? 64 : 0] = '\0';
    return done;
}

size_t tlm_host_components(const char *root, const void *salt, size_t salt_size,
                           tlm_host_component components[TLM_HOST_COMPONENTS])
{
    const tlm_host_root where = {.path = root,
                                 .container = tlm_host_runtime(root) == TLM_RUNTIME_CONTAINER};
    size_t present = 0;
    for (size_t i = 0; i < TLM_HOST_COMPONENTS; i++) {
        char value[TLM_HOST_TEXT_MAX];
        tlm_host_component *to = &components[i];
        memset(to, 0, sizeof *to);
        tlm_text_copy(to->id, sizeof to->id, sources[i].id);
        to->weight = sources[i].weight;
        to->present = sources[i].read(&where, value) &&
                      hash_value(salt, salt_size, to->id, value, to->sha256);
        present += to->present ? 1U : 0U;
        explicit_bzero(value, sizeof value);
    }
    return present;
}

tlm_runtime tlm_host_runtime(const char *root)
{
    tlm_container container;
    if (tlm_container_look(root, &container)) {
        return TLM_RUNTIME_CONTAINER;
    }
    return isatty(STDIN_FILENO) == 1 || isatty(STDERR_FILENO) == 1 ? TLM_RUNTIME_INTERACTIVE
                                                                   : TLM_RUNTIME_DAEMON;
}

const char *tlm_runtime_name(tlm_runtime runtime)
{
    switch (runtime) {
    case TLM_RUNTIME_INTERACTIVE:
        return "interactive";
    case TLM_RUNTIME_DAEMON:
        return "daemon";
    case TLM_RUNTIME_CONTAINER:
        return "container";
    }
    return "daemon";
}
