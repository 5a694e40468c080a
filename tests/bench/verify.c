/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Verification of a license: tlm_license_open, which also parses and checks the claims, and
 * libjose's jose_jws_ver over the same text, in batches in the order ABBA. Each line of the output
 * is one pair: nanoseconds of ours and of libjose's.
 *
 *     bench-verify BATCH PAIRS
 *     bench-verify bare COUNT      nanoseconds of COUNT ES256 verifications by OpenSSL, key at hand
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jose/jws.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <tlm/license.h>
#include <tlm/trust.h>

#include "vendor.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef struct subject {
    char *text;
    tlm_trust *trust;
    json_t *jwks; /* for libjose, parsed beforehand as the trust is */
} subject;

static int64_t now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int64_t run_ours(const subject *of, long batch)
{
    size_t size = strlen(of->text);
    int64_t begun = now();
    for (long i = 0; i < batch; i++) {
        tlm_license *license = NULL;
        tlm_error error = {0};
        if (tlm_license_open(of->text, size, of->trust, &license, &error) != TLM_OK) {
            bench_fail("tlm_license_open", error.message);
        }
        tlm_license_free(&license);
    }
    return (now() - begun) / batch;
}

/* The least a caller of libjose does: the three parts as a JSON object, and the question. */
static int64_t run_libjose(const subject *of, long batch)
{
    size_t head = strcspn(of->text, ".");
    const char *payload = of->text + head + 1;
    size_t body = strcspn(payload, ".");
    int64_t begun = now();
    for (long i = 0; i < batch; i++) {
        json_t *jws = json_pack("{s:s%, s:s%, s:s}", "protected", of->text, head, "payload",
                                payload, body, "signature", payload + body + 1);
        if (jws == NULL || !jose_jws_ver(NULL, jws, NULL, json_array_get(of->jwks, 0), false)) {
            bench_fail("jose_jws_ver", "does not verify");
        }
        json_decref(jws);
    }
    return (now() - begun) / batch;
}

static void make_subject(subject *of)
{
    bench_vendor vendor = {0};
    tlm_error error = {0};
    bench_vendor_make(&vendor);
    char *jwks = bench_vendor_jwks(&vendor);
    of->text = bench_vendor_license(&vendor, "token", FINGERPRINT, 0);
    if (tlm_trust_new(&of->trust, &error) != TLM_OK ||
        tlm_trust_add(of->trust, jwks, strlen(jwks), "bench", &error) != TLM_OK) {
        bench_fail("the trust", error.message);
    }
    json_t *parsed = json_loads(jwks, 0, NULL);
    of->jwks = json_incref(json_object_get(parsed, "keys"));
    json_decref(parsed);
    free(jwks);
    bench_vendor_clear(&vendor);
}

static void clear_subject(subject *of)
{
    free(of->text);
    tlm_trust_free(&of->trust);
    json_decref(of->jwks);
}

static void measure(long batch, long pairs)
{
    subject of = {0};
    make_subject(&of);
    (void)run_ours(&of, 1);
    (void)run_libjose(&of, 1);
    for (long i = 0; i < pairs; i++) {
        bool first = i % 2 == 0;
        int64_t ours = first ? run_ours(&of, batch) : 0;
        int64_t libjose = run_libjose(&of, batch);
        ours = first ? ours : run_ours(&of, batch);
        (void)printf("%lld %lld\n", (long long)ours, (long long)libjose);
    }
    clear_subject(&of);
}

static void measure_bare(long count)
{
    static const unsigned char data[400] = "what is signed";
    unsigned char signature[128];
    size_t size = sizeof signature;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = key != NULL && context != NULL &&
                EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &size, data, sizeof data) == 1;
    int64_t begun = now();
    for (long i = 0; i < count && done; i++) {
        EVP_MD_CTX_reset(context);
        done = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(context, signature, size, data, sizeof data) == 1;
    }
    int64_t took = now() - begun;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!done) {
        bench_fail("EVP_DigestVerify", "does not verify");
    }
    (void)printf("%lld\n", (long long)took);
}

int main(int argc, char **argv)
{
    bool bare = argc == 3 && strcmp(argv[1], "bare") == 0;
    long batch = argc == 3 && !bare ? strtol(argv[1], NULL, 10) : 1;
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (batch < 1 || batch > 1000000 || count < 1 || count > 1000000) {
        (void)fputs("bench-verify BATCH PAIRS, or bare COUNT\n", stderr);
        return 2;
    }
    if (bare) {
        measure_bare(count);
    } else {
        measure(batch, count);
    }
    return 0;
}
