/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_HEALTH_H
#define TLM_HEALTH_H

/*
 * Asks a daemon of this machine how it is, for a container's health check: one request, one answer,
 * one deadline. Needs libc alone, so that an image holds no HTTP client for it.
 *
 *     tlm_health_ask ask = {.path = "/ready", .port = 52014, .socket = "/run/tlm/admin.sock",
 *                           .timeout_ms = 2500};
 *     tlm_health_answer answer;
 *     if (!tlm_health_get(&ask, &answer)) {
 *         (void)fprintf(stderr, "%s\n", answer.text);
 *     }
 */

#include <stdbool.h>
#include <stdint.h>

#define TLM_HEALTH_TEXT 2048

typedef struct tlm_health_ask {
    const char *path;    /* of the request: "/ready" */
    uint16_t port;       /* on the loopback address */
    const char *socket;  /* of the administrators, asked where the port speaks TLS; or NULL */
    unsigned timeout_ms; /* for all of it */
} tlm_health_ask;

typedef struct tlm_health_answer {
    int status;                 /* of HTTP; 0 where there was no answer */
    char text[TLM_HEALTH_TEXT]; /* the answer's body, else why there is none; ends with NUL */
} tlm_health_answer;

/* Whether the daemon answers GET path with 200. A port that does not answer in plain HTTP speaks
 * TLS with a certificate that is not ours to judge: the administrators' socket is asked then, which
 * speaks HTTP whatever the port does. */
bool tlm_health_get(const tlm_health_ask *ask, tlm_health_answer *answer);

/* Whether somebody listens on a unix socket; text says why not. */
bool tlm_health_connect(const char *socket, unsigned timeout_ms, tlm_health_answer *answer);

/* The status in the first line of an HTTP/1 answer; 0 where it is none. */
int tlm_health_status(const char *answer);

/* The port that a text names, fallback where it is NULL or empty; 0 where it is no port. */
uint16_t tlm_health_port(const char *text, uint16_t fallback);

#endif
