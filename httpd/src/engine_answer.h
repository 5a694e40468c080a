/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENGINE_ANSWER_H
#define TLM_ENGINE_ANSWER_H

/*
 * Answers of the Docker Engine API, of which only what is asked for is taken. Members that are
 * missing are empty; one of another type, too long or out of range is TLM_ERR_FORMAT, which names
 * it, and so is JSON with a repeated member. The caller bounds the size.
 *
 *     char hostname[TLM_ENGINE_HOSTNAME_SIZE];
 *     result = tlm_engine_answer_container(text, size, &facts, hostname, &error);
 *     printf("%s at %s\n", facts.name, hostname);
 */

#include <stddef.h>

#include <tlm/result.h>

#include "engine.h"

#define TLM_ENGINE_HOSTNAME_SIZE 256

typedef struct tlm_engine_version {
    char api[16];
    char minimum[16]; /* the oldest API that it speaks; may be empty */
    char version[64];
    char name[64]; /* "Docker Engine", "Podman Engine"; may be empty */
} tlm_engine_version;

/* GET /version. */
TLM_CHECKED tlm_result tlm_engine_answer_version(const char *text, size_t size,
                                                 tlm_engine_version *version, tlm_error *error);

/*
 * The API version both speak, the newest one; TLM_ERR_UNSUPPORTED where the engine's is older than
 * any that is understood here.
 */
TLM_CHECKED tlm_result tlm_engine_answer_agree(const tlm_engine_version *version, char agreed[16],
                                               tlm_error *error);

/*
 * GET /containers/{id}/json: fills the part of `facts` about the container, but for known,
 * by_hostname and image_digest, and gives the host name it was started with.
 */
TLM_CHECKED tlm_result tlm_engine_answer_container(const char *text, size_t size,
                                                   tlm_engine_facts *facts,
                                                   char hostname[TLM_ENGINE_HOSTNAME_SIZE],
                                                   tlm_error *error);

/*
 * GET /images/{id}/json: the digest by which a registry knows the image (of several that of the
 * repository in `image`), or "".
 */
TLM_CHECKED tlm_result tlm_engine_answer_digest(const char *text, size_t size, const char *image,
                                                char digest[136], tlm_error *error);

/* What an error answer says ({"message": …}), in printable ASCII; "" where it says nothing. */
void tlm_engine_answer_message(const char *text, size_t size, char *message, size_t room);

#endif
