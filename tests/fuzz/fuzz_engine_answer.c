/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int good)
{
    if (!good) {
        abort();
    }
}

static void read_container(const char *text, size_t size)
{
    tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING};
    tlm_engine_facts copy;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    if (tlm_engine_answer_container(text, size, &facts, hostname, NULL) == TLM_OK) {
        demand(strlen(facts.id) == 64 && strlen(hostname) < sizeof hostname);
        demand(facts.created >= 0 && facts.started >= 0);
        demand(tlm_engine_facts_copy(&facts, &copy, NULL) == TLM_OK);
        demand(tlm_engine_facts_same(&facts, &copy));
        tlm_engine_facts_clear(&copy);
    }
    tlm_engine_facts_clear(&facts);
}

/* The first byte chooses which request is answered; whoever has the socket answers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    size_t length = size - 1;
    char digest[136];
    char agreed[16];
    char message[64];
    tlm_engine_version version;
    switch (data[0]) {
    case 'v':
        if (tlm_engine_answer_version(text, length, &version, NULL) == TLM_OK &&
            tlm_engine_answer_agree(&version, agreed, NULL) == TLM_OK) {
            demand(strncmp(agreed, "1.", 2) == 0 && strspn(agreed + 2, "0123456789") > 0);
        }
        break;
    case 'c':
        read_container(text, length);
        break;
    case 'i':
        if (tlm_engine_answer_digest(text, length, "a/b:1", digest, NULL) == TLM_OK) {
            demand(digest[0] == '\0' || strncmp(digest, "sha", 3) == 0);
        }
        break;
    default:
        tlm_engine_answer_message(text, length, message, sizeof message);
        demand(strlen(message) < sizeof message);
        break;
    }
    return 0;
}
