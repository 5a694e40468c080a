/* SPDX-License-Identifier: BSD-2-Clause */
/* Packages: as they come, encrypted; what is inside; and claims that get a good signature. */
#include "formats.h"

#include <tlm/jwe.h>
#include <tlm/package.h>

/* The content key of the corpus, whatever was wrapped. */
static tlm_result unwrap(void *context, const char *kid, const unsigned char *wrapped, size_t size,
                         tlm_secret **key, tlm_error *error)
{
    unsigned char bytes[TLM_JWE_CEK_SIZE];
    (void)context;
    fuzz_need(strlen(kid) == 43 && wrapped != NULL && size > 0);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)i;
    }
    return tlm_secret_from(bytes, sizeof bytes, key, error);
}

static void check(const tlm_package *package)
{
    fuzz_need(package->license_count >= 1 && package->license_count <= TLM_CONTAINERS_MAX);
    fuzz_need(strlen(package->jti) == 36 && strlen(package->fingerprint) == 64);
    for (size_t i = 0; i < package->license_count; i++) {
        fuzz_need(package->licenses[i]->feature_count > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const tlm_trust *trust = fuzz_formats_get()->trust;
    tlm_package *package = NULL;
    tlm_error error = {.result = TLM_OK};
    size_t length = 0;
    char kid[44] = "";
    char *text = fuzz_text(data, size, TLM_PACKAGE_TYP, &length);
    tlm_result result = tlm_package_open(text, length, unwrap, NULL, trust, &package, &error);
    fuzz_check(result, &error, package);
    fuzz_need(result != TLM_OK || tlm_package_kid(text, length, kid, NULL) == TLM_OK);
    if (result == TLM_OK) {
        check(package);
    }
    tlm_package_free(&package);
    result = tlm_package_open_signed(text, length, trust, &package, &error);
    fuzz_check(result, &error, package);
    if (result == TLM_OK) {
        check(package);
    }
    tlm_package_free(&package);
    free(text);
    return 0;
}
