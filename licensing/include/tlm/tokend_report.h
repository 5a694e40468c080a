/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TOKEND_REPORT_H
#define TLM_TOKEND_REPORT_H

/*
 * What tlm-tokend says about itself in tokend.json, the public file beside its socket: whether the
 * token can be used, which one it is, and else why not. For everybody who has neither the TPM nor
 * the token store (docs/formats.md, tokend.json).
 *
 *     char *path = tlm_tokend_report_path("/run/tlm/pkcs11.sock");
 *     tlm_tokend_report report;
 *     if (tlm_tokend_connect("/run/tlm/pkcs11.sock", &error) == TLM_OK &&
 *         tlm_tokend_report_read(path, &report, &error) == TLM_OK &&
 *         report.phase == TLM_TOKEND_UNAVAILABLE) {
 *         puts(report.error.message);
 *     }
 *     free(path);
 *
 * The file outlives a tlm-tokend that was killed: it counts while somebody serves the socket.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <tlm/result.h>

#define TLM_TOKEND_REPORT_VERSION 1
#define TLM_TOKEND_REPORT_MAX 65536U
#define TLM_TOKEND_SOCKET_MAX 107U

typedef enum tlm_tokend_phase {
    TLM_TOKEND_STARTING = 1, /* the token is being opened for the first time */
    TLM_TOKEND_READY,
    TLM_TOKEND_UNAVAILABLE
} tlm_tokend_phase;

typedef enum tlm_tokend_backend {
    TLM_TOKEND_UNKNOWN = 0, /* there is no token, or none was looked at yet */
    TLM_TOKEND_TPM,
    TLM_TOKEND_SOFTHSM,
    TLM_TOKEND_MODULE
} tlm_tokend_backend;

typedef struct tlm_tokend_report {
    tlm_tokend_phase phase;
    tlm_tokend_backend backend;
    pid_t pid;        /* in tlm-tokend's own namespace of processes */
    char label[33];   /* of the token; empty where it is not known */
    char store[1024]; /* its directory, as tlm-tokend sees it; likewise */
    bool simulated;   /* a simulated TPM */
    bool hardware_bound;
    tlm_error error; /* result TLM_OK unless the token is unavailable */
} tlm_tokend_report;

/* Path of the report beside a socket in a new string; NULL where memory is out. */
char *tlm_tokend_report_path(const char *socket);

/*
 * TLM_ERR_NOT_FOUND where there is none, TLM_ERR_NEWER, TLM_ERR_FORMAT. An error's code that is not
 * known here becomes TLM_ERR_TOKEN_UNAVAILABLE.
 */
TLM_CHECKED tlm_result tlm_tokend_report_read(const char *path, tlm_tokend_report *report,
                                              tlm_error *error);
TLM_CHECKED tlm_result tlm_tokend_report_parse(const char *text, size_t size, const char *path,
                                               tlm_tokend_report *report, tlm_error *error);

/*
 * Whether somebody serves the socket: connects and hangs up. TLM_ERR_NOT_FOUND where nobody does
 * (no socket, or one that a dead process left), TLM_ERR_PERMISSION where we may not connect,
 * TLM_ERR_ARGUMENT for a path that no socket can have.
 */
TLM_CHECKED tlm_result tlm_tokend_connect(const char *socket, tlm_error *error);

#endif
