/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENGINE_ADDRESS_H
#define TLM_ENGINE_ADDRESS_H

/*
 * Where a container engine is, from a text as DOCKER_HOST has it.
 *
 *     tlm_engine_address address;
 *     result = tlm_engine_address_parse("tcp://engine:2376", true, &address, &error);
 *     printf("%s\n", address.base);        https://engine:2376
 */

#include <stdbool.h>

#include <tlm/result.h>

typedef struct tlm_engine_address {
    bool nobody;      /* "none": no engine is to be asked */
    bool tls;         /* https */
    char shown[256];  /* as a user would write it */
    char socket[108]; /* path of a unix socket; "" for TCP */
    char base[300];   /* what URLs begin with; for a socket the host in it means nothing */
} tlm_engine_address;

/*
 * NULL and "" are TLM_ENGINE_SOCKET. `certificates`: a directory of certificates is named, so
 * tcp:// means TLS. TLM_ERR_UNSUPPORTED for a way that is not gone here, TLM_ERR_SETTING for what
 * is none.
 */
TLM_CHECKED tlm_result tlm_engine_address_parse(const char *text, bool certificates,
                                                tlm_engine_address *address, tlm_error *error);

#endif
