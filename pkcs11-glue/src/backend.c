/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include <tlm/file.h>
#include <tlm/store.h>

/* TLM_LIBRARY_DIR is the multiarch directory of the build host, for example x86_64-linux-gnu. */
#define MULTIARCH(path) "/usr/lib/" TLM_LIBRARY_DIR path

static const char *const tpm_modules[] = {
    MULTIARCH("/libtpm2_pkcs11.so.1"),     MULTIARCH("/pkcs11/libtpm2_pkcs11.so"),
    "/usr/lib64/pkcs11/libtpm2_pkcs11.so", "/usr/lib64/libtpm2_pkcs11.so.1",
    "/usr/lib/pkcs11/libtpm2_pkcs11.so",   "/usr/lib/libtpm2_pkcs11.so.1",
    "/usr/local/lib/libtpm2_pkcs11.so.1",  NULL,
};

static const char *const softhsm_modules[] = {
    MULTIARCH("/softhsm/libsofthsm2.so"), /* NOLINT(bugprone-suspicious-missing-comma) */
    "/usr/lib/softhsm/libsofthsm2.so",       "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",     "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so", NULL,
};

static const struct {
    tlm_backend backend;
    const char *name;
    const char *const *modules;
} backends[] = {
    {TLM_BACKEND_TPM, "tpm", tpm_modules},
    {TLM_BACKEND_SOFTHSM, "softhsm", softhsm_modules},
};

#define BACKENDS (sizeof backends / sizeof backends[0])

const char *tlm_backend_name(tlm_backend backend)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (backends[i].backend == backend) {
            return backends[i].name;
        }
    }
    return "unknown";
}

bool tlm_backend_from_name(const char *name, tlm_backend *backend)
{
    for (size_t i = 0; name != NULL && i < BACKENDS; i++) {
        if (strcmp(backends[i].name, name) == 0) {
            *backend = backends[i].backend;
            return true;
        }
    }
    return false;
}

const char *tlm_backend_module(tlm_backend backend)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (backends[i].backend != backend) {
            continue;
        }
        for (const char *const *path = backends[i].modules; *path != NULL; path++) {
            if (tlm_file_exists(*path)) {
                return *path;
            }
        }
    }
    return NULL;
}
