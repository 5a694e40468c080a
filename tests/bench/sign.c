/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Signatures through the library and through the module under it, in one process, on one login,
 * with the same key, the digest made by the same call. Batches alternate in the order ABBA, so that
 * a drift of the machine counts on both sides. Each line of the output is one pair: nanoseconds for
 * a signature through the library and directly.
 *
 *     bench-sign STORE TCTI ES256|RS256 BATCH PAIRS
 */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include <tlm/key.h>
#include <tlm/store.h>
#include <tlm/token.h>

#include "../support/store_secrets.h"

#define SLOTS_MAX 16U
#define DATA_SIZE 200U

/* DigestInfo of SHA-256 up to the digest, RFC 8017 section 9.2 */
static const unsigned char digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                            0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                            0x01, 0x05, 0x00, 0x04, 0x20};

typedef struct direct {
    CK_FUNCTION_LIST *functions;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool rsa;
} direct;

static const unsigned char data[DATA_SIZE] = "what is signed";

static void fail(const char *what, const char *message)
{
    (void)fprintf(stderr, "bench-sign: %s: %s\n", what, message);
    exit(1);
}

static void check(CK_RV rv, const char *call)
{
    if (rv != CKR_OK) {
        fail(call, tlm_pkcs11_rv_name(rv));
    }
}

static int64_t now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static CK_OBJECT_HANDLE find(const direct *to, const char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG found = 0;
    char name[33];
    (void)snprintf(name, sizeof name, "%s", label);
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, name, strlen(name)}};
    check(to->functions->C_FindObjectsInit(to->session, template, 2), "C_FindObjectsInit");
    check(to->functions->C_FindObjects(to->session, &key, 1, &found), "C_FindObjects");
    check(to->functions->C_FindObjectsFinal(to->session), "C_FindObjectsFinal");
    if (found != 1) {
        fail(label, "there is no such key");
    }
    return key;
}

/* The module is loaded, initialized and logged in by the library: only a session is added. */
static void open_direct(direct *to, const tlm_store *store, const char *label)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_C_GetFunctionList get = NULL;
    void *module = dlopen(store->module, RTLD_NOW | RTLD_LOCAL);
    if (module != NULL) {
        *(void **)&get = dlsym(module, "C_GetFunctionList");
    }
    if (get == NULL) {
        fail(store->module, dlerror());
    }
    check(get(&to->functions), "C_GetFunctionList");
    check(to->functions->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (CK_ULONG i = 0; i < count && to->session == 0; i++) {
        CK_TOKEN_INFO info;
        check(to->functions->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        if (memcmp(info.label, store->label, strlen(store->label)) == 0) {
            check(to->functions->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                               NULL, &to->session),
                  "C_OpenSession");
        }
    }
    to->key = find(to, label);
}

static int64_t run_direct(const direct *to, long batch)
{
    int64_t begun = now();
    for (long i = 0; i < batch; i++) {
        CK_MECHANISM mechanism = {to->rsa ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
        unsigned char input[sizeof digest_info + 32];
        unsigned char signature[TLM_SIGNATURE_MAX];
        CK_ULONG size = sizeof signature;
        size_t prefix = to->rsa ? sizeof digest_info : 0;
        unsigned digest_size = 32;
        memcpy(input, digest_info, prefix);
        if (EVP_Digest(data, sizeof data, input + prefix, &digest_size, EVP_sha256(), NULL) != 1) {
            fail("EVP_Digest", "no digest");
        }
        check(to->functions->C_SignInit(to->session, &mechanism, to->key), "C_SignInit");
        check(to->functions->C_Sign(to->session, input, prefix + 32, signature, &size), "C_Sign");
    }
    return (now() - begun) / batch;
}

static int64_t run_library(tlm_key *key, tlm_jwa algorithm, long batch)
{
    tlm_error error = {0};
    int64_t begun = now();
    for (long i = 0; i < batch; i++) {
        unsigned char signature[TLM_SIGNATURE_MAX];
        size_t size = sizeof signature;
        if (tlm_key_sign(key, algorithm, data, sizeof data, signature, &size, &error) != TLM_OK) {
            fail("tlm_key_sign", error.message);
        }
    }
    return (now() - begun) / batch;
}

static void measure(tlm_key *key, const direct *to, long batch, long pairs)
{
    tlm_jwa algorithm = to->rsa ? TLM_JWA_RS256 : TLM_JWA_ES256;
    (void)run_library(key, algorithm, 1);
    (void)run_direct(to, 1);
    for (long i = 0; i < pairs; i++) {
        bool first = i % 2 == 0;
        int64_t library = first ? run_library(key, algorithm, batch) : 0;
        int64_t module = run_direct(to, batch);
        library = first ? library : run_library(key, algorithm, batch);
        (void)printf("%lld %lld\n", (long long)library, (long long)module);
    }
}

static void open_key(const char *directory, const char *tcti, const char *label, tlm_store *store,
                     tlm_token **token, tlm_key **key)
{
    tlm_error error = {0};
    if (tlm_store_load(directory, store, &error) != TLM_OK ||
        tlm_store_export_environment(store, tcti, &error) != TLM_OK) {
        fail(directory, error.message);
    }
    tlm_store_secrets secrets = {0};
    if (tlm_test_secrets(store, tcti, &secrets, &error) != TLM_OK) {
        fail(directory, error.message);
    }
    tlm_token_config config = {
        .module = store->module, .uri = store->uri, .pin = tlm_test_pin, .context = &secrets};
    if (tlm_token_open(&config, token, &error) != TLM_OK ||
        tlm_key_find(*token, label, key, &error) != TLM_OK) {
        fail(label, error.message);
    }
    tlm_store_secrets_clear(&secrets); /* a recovery in between would spoil the numbers anyway */
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fputs("bench-sign STORE TCTI ES256|RS256 BATCH PAIRS\n", stderr);
        return 2;
    }
    long batch = strtol(argv[4], NULL, 10);
    long pairs = strtol(argv[5], NULL, 10);
    if (batch < 1 || batch > 1000000 || pairs < 1 || pairs > 10000) {
        fail(argv[4], "BATCH and PAIRS are numbers from 1 on");
    }
    tlm_store store = {0};
    tlm_token *token = NULL;
    tlm_key *key = NULL;
    direct to = {.rsa = strcmp(argv[3], "RS256") == 0};
    const char *label = to.rsa ? "tlm-srk" : "tlm-attest";
    open_key(argv[1], argv[2], label, &store, &token, &key);
    open_direct(&to, &store, label);
    measure(key, &to, batch, pairs);
    (void)to.functions->C_CloseSession(to.session);
    tlm_key_free(&key);
    tlm_token_close(&token);
    tlm_store_clear(&store);
    return 0;
}
