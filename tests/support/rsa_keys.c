/* SPDX-License-Identifier: BSD-2-Clause */
#include "rsa_keys.h"

#include <stdatomic.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "rsa_keys.inc"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct pool {
    const char *const *pems;
    size_t count;
    atomic_size_t next;
} pool;

static EVP_PKEY *take(pool *from)
{
    const char *pem = from->pems[atomic_fetch_add(&from->next, 1U) % from->count];
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return key;
}

EVP_PKEY *tlm_test_rsa(unsigned bits)
{
    static pool pool_768 = {.pems = of_768, .count = COUNT(of_768)};
    static pool pool_1024 = {.pems = of_1024, .count = COUNT(of_1024)};
    static pool pool_2048 = {.pems = of_2048, .count = COUNT(of_2048)};
    switch (bits) {
    case 768:
        return take(&pool_768);
    case 1024:
        return take(&pool_1024);
    case 2048:
        return take(&pool_2048);
    default:
        return EVP_RSA_gen(bits);
    }
}
