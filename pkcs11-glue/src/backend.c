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

/* The client of p11-kit's remoting, a part of the distribution. */
static const char *const client_modules[] = {
    MULTIARCH("/pkcs11/p11-kit-client.so"), /* NOLINT(bugprone-suspicious-missing-comma) */
    "/usr/lib64/pkcs11/p11-kit-client.so",     "/usr/lib/pkcs11/p11-kit-client.so",
    "/usr/local/lib/pkcs11/p11-kit-client.so", NULL,
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

static const char *first_there(const char *const *paths)
{
    while (*paths != NULL && !tlm_file_exists(*paths)) {
        paths++;
    }
    return *paths;
}

const char *tlm_backend_module(tlm_backend backend)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        if (backends[i].backend == backend) {
            return first_there(backends[i].modules);
        }
    }
    return NULL;
}

const char *tlm_backend_module_of(tlm_backend backend, const char *recorded)
{
    for (size_t i = 0; i < BACKENDS; i++) {
        for (const char *const *at = backends[i].modules;
             backends[i].backend == backend && *at != NULL; at++) {
            if (strcmp(*at, recorded) == 0 && !tlm_file_exists(recorded)) {
                const char *here = first_there(backends[i].modules);
                return here != NULL ? here : recorded;
            }
        }
    }
    return recorded;
}

const char *tlm_client_module(void)
{
    return first_there(client_modules);
}
