/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Licenses for a host, as its vendor would make them: DIRECTORY/bench.jwks, the keys to trust, and
 * DIRECTORY/0000.tlmpkg and so on, packages of up to 200 licenses. The first license has the
 * feature "bench", each other one of its own.
 *
 *     bench-issue DIRECTORY FINGERPRINT.json COUNT
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include <tlm/file.h>
#include <tlm/package.h>

#include "vendor.h"

#define PER_PACKAGE 200U
#define COUNT_MAX 1000000UL
#define PATH_SIZE 4096

/* An answer of GET /fingerprint. */
typedef struct host {
    json_t *answer;
    const char *type;
    const char *fingerprint;
    EVP_PKEY *key;
} host;

static void read_host(const char *path, host *to)
{
    const char *pem = NULL;
    to->answer = json_load_file(path, 0, NULL);
    if (to->answer == NULL ||
        json_unpack(to->answer, "{s:s, s:s, s:s}", "type", &to->type, "fingerprint",
                    &to->fingerprint, "publicKey", &pem) != 0) {
        bench_fail(path, "is no answer of /fingerprint");
    }
    BIO *text = BIO_new_mem_buf(pem, -1);
    to->key = text != NULL ? PEM_read_bio_PUBKEY(text, NULL, NULL, NULL) : NULL;
    BIO_free(text);
    if (to->key == NULL) {
        bench_fail(path, "has no public key");
    }
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[PATH_SIZE];
    tlm_error error = {0};
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    if (tlm_file_replace(path, text, strlen(text), 0600, &error) != TLM_OK) {
        bench_fail(path, error.message);
    }
}

static void write_packages(const bench_vendor *vendor, const char *directory, const host *to,
                           unsigned count)
{
    for (unsigned done = 0; done < count;) {
        char name[64];
        json_t *licenses = json_array();
        (void)snprintf(name, sizeof name, "%04u" TLM_PACKAGE_ENDING, done / PER_PACKAGE);
        for (unsigned i = 0; i < PER_PACKAGE && done < count; i++, done++) {
            char *license = bench_vendor_license(vendor, to->type, to->fingerprint, done);
            (void)json_array_append_new(licenses, json_string(license));
            free(license);
        }
        char *package = NULL;
        char *inner = bench_vendor_package(vendor, to->fingerprint, licenses);
        tlm_error error = {0};
        if (tlm_package_seal(inner, strlen(inner), to->key, &package, &error) != TLM_OK) {
            bench_fail("a package", error.message);
        }
        free(inner);
        write_file(directory, name, package);
        free(package);
        json_decref(licenses);
    }
}

int main(int argc, char **argv)
{
    unsigned long count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (count == 0 || count > COUNT_MAX) {
        (void)fputs("bench-issue DIRECTORY FINGERPRINT.json COUNT\n", stderr);
        return 2;
    }
    bench_vendor vendor = {0};
    host to = {0};
    read_host(argv[2], &to);
    bench_vendor_make(&vendor);
    char *jwks = bench_vendor_jwks(&vendor);
    write_file(argv[1], "bench.jwks", jwks);
    write_packages(&vendor, argv[1], &to, (unsigned)count);
    free(jwks);
    bench_vendor_clear(&vendor);
    EVP_PKEY_free(to.key);
    json_decref(to.answer);
    return 0;
}
