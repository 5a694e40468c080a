/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

/*
 * A program that opens its token again and again with a PIN that the token refuses would end in
 * the TPM's lockout. So refused PINs are remembered beyond the tlm_token, as SHA-256 over a random
 * salt, the token's URI and the PIN; a PIN that was mended is another one and passes.
 */
#define REMEMBERED 16U
#define SALT_SIZE 16U

static struct {
    pthread_mutex_t lock;
    bool salted;
    unsigned char salt[SALT_SIZE];
    unsigned char digests[REMEMBERED][TLM_DIGEST_SIZE];
    size_t count;
    size_t next;
} refused = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool digest_pin(const char *uri, const tlm_secret *pin,
                       unsigned char digest[TLM_DIGEST_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, refused.salt, sizeof refused.salt) == 1 &&
                EVP_DigestUpdate(context, uri, strlen(uri) + 1) == 1 &&
                EVP_DigestUpdate(context, tlm_secret_bytes(pin), tlm_secret_size(pin)) == 1 &&
                EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return done;
}

bool tlm_pin_was_refused(const char *uri, const tlm_secret *pin)
{
    unsigned char digest[TLM_DIGEST_SIZE];
    bool found = false;
    (void)pthread_mutex_lock(&refused.lock);
    if (refused.count > 0 && digest_pin(uri, pin, digest)) {
        for (size_t i = 0; i < refused.count; i++) {
            found = found || CRYPTO_memcmp(refused.digests[i], digest, sizeof digest) == 0;
        }
    }
    (void)pthread_mutex_unlock(&refused.lock);
    return found;
}

void tlm_pin_note_refused(const char *uri, const tlm_secret *pin)
{
    (void)pthread_mutex_lock(&refused.lock);
    if (!refused.salted) {
        refused.salted = RAND_bytes(refused.salt, (int)sizeof refused.salt) == 1;
    }
    if (refused.salted && digest_pin(uri, pin, refused.digests[refused.next])) {
        refused.next = (refused.next + 1) % REMEMBERED;
        refused.count += refused.count < REMEMBERED ? 1U : 0U;
    }
    (void)pthread_mutex_unlock(&refused.lock);
}
