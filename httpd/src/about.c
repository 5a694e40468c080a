/* SPDX-License-Identifier: BSD-2-Clause */
#include "about.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <tlm/file.h>
#include <tlm/trust.h>

#define OS_RELEASE_MAX 16384U

static const tlm_build build = {
#if defined(__clang__)
    .compiler = "clang " __clang_version__,
#else
    .compiler = "GCC " __VERSION__,
#endif
    .type = TLM_BUILD_TYPE,
#ifdef TLM_FASTCRYPT
    .fastcrypt = true,
#endif
#ifdef TLM_TPM_ON
    .tpm_on = true,
#endif
};

const tlm_build *tlm_about_build(void)
{
    return &build;
}

/* The value of one line, KEY="value", KEY='value' or KEY=value, without its quotes. */
static void copy_value(const char *from, char *to, size_t size)
{
    char quote = '\n';
    if (*from == '"' || *from == '\'') {
        quote = *from++;
    }
    size_t length = 0;
    while (from[length] != '\0' && from[length] != '\n' && from[length] != quote) {
        length++;
    }
    (void)snprintf(to, size, "%.*s", (int)length, from);
}

void tlm_about_read_os(const char *path, char *name, size_t size)
{
    static const char key[] = "PRETTY_NAME=";
    char *text = NULL;
    size_t text_size = 0;
    name[0] = '\0';
    if (tlm_file_read(path, OS_RELEASE_MAX, &text, &text_size, NULL) != TLM_OK) {
        return;
    }
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncmp(line, key, sizeof key - 1) == 0) {
            copy_value(line + sizeof key - 1, name, size);
            break;
        }
    }
    free(text);
}

void tlm_about_fill(tlm_about *about)
{
    *about = (tlm_about){
        .started = time(NULL), .runtime = tlm_host_runtime("/"), .elevated = geteuid() == 0};
    struct utsname names;
    if (uname(&names) == 0) {
        (void)snprintf(about->kernel, sizeof about->kernel, "%.60s %.60s", names.sysname,
                       names.release);
        (void)snprintf(about->arch, sizeof about->arch, "%.64s", names.machine);
    }
    tlm_about_read_os("/etc/os-release", about->os, sizeof about->os);
    tlm_virtual_cpu cpu;
    tlm_virtual_cpu_read(&cpu);
    (void)tlm_virtual_machine_look("/", &cpu, &about->machine);
    (void)tlm_container_look("/", &about->container);
}

void tlm_about_print_version(FILE *stream)
{
    (void)fprintf(
        stream,
        "%s %s\n"
        "build: %s, %s\n"
        "TPM support: %s\n"
        "FASTCRYPT: %s\n"
        "runtime trust: %s\n"
        "compiled-in keys: %zu\n",
        TLM_SERVICE, TLM_VERSION, build.type, build.compiler,
        build.tpm_on ? "yes" : "no (built with TPM_ON=OFF)",
        build.fastcrypt ? "ON - small local keys, for tests; never for production" : "off",
        tlm_trust_runtime() ? "ON - keys of vendors are read from config/trust; for trials" : "off",
        tlm_trust_compiled_in());
}
