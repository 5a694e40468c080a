/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ABOUT_H
#define TLM_ABOUT_H

/*
 * What does not change while the program runs: its build, the platform, how it was started.
 *
 *     tlm_about about;
 *     tlm_about_fill(&about);
 *     tlm_about_print_version(stdout);
 */

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include <tlm/container.h>
#include <tlm/host.h>
#include <tlm/virtual_machine.h>

#define TLM_SERVICE "TLLicenseManager"

typedef struct tlm_about {
    time_t started;
    tlm_runtime runtime;
    bool elevated;    /* runs with the effective rights of root */
    char os[128];     /* PRETTY_NAME of os-release(5); empty where there is none */
    char kernel[128]; /* "Linux 6.1.0-18-amd64" */
    char arch[65];    /* "x86_64" */
    tlm_container container;
    tlm_virtual_machine machine;
} tlm_about;

typedef struct tlm_build {
    const char *compiler; /* "GCC 12.2.0" */
    const char *type;     /* CMake's build type */
    bool fastcrypt;       /* small local keys, for tests alone */
    bool tpm_on;          /* has the TPM back end */
} tlm_build;

void tlm_about_fill(tlm_about *about);
const tlm_build *tlm_about_build(void);

/* The text of --version. */
void tlm_about_print_version(FILE *stream);

/* PRETTY_NAME of an os-release file, without quotes; "" where there is none. */
void tlm_about_read_os(const char *path, char *name, size_t size);

#endif
