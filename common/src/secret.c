/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/secret.h>

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * One mapping for each secret: guard page, data pages, guard page. The record itself stands at the
 * start of the data pages, so that its size field is as protected as the bytes.
 */
struct tlm_secret {
    size_t size;
    size_t mapped; /* bytes of the whole mapping, guards included */
    bool locked;
    unsigned char bytes[];
};

static size_t page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (size_t)size : 4096U;
}

tlm_result tlm_secret_new(size_t size, tlm_secret **secret, tlm_error *error)
{
    if (secret == NULL || size == 0 || size > TLM_SECRET_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a secret of %zu bytes was asked for",
                             size);
    }
    size_t page = page_size();
    size_t data = (sizeof(tlm_secret) + size + 1 + page - 1) / page * page;
    size_t mapped = data + 2 * page;
    unsigned char *map =
        mmap(NULL, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        return tlm_error_set_errno(error, NULL, "mapping %zu bytes for a secret", mapped);
    }
    if (mprotect(map + page, data, PROT_READ | PROT_WRITE) != 0) {
        tlm_result result = tlm_error_set_errno(error, NULL, "unprotecting memory for a secret");
        (void)munmap(map, mapped);
        return result;
    }
    tlm_secret *made = (tlm_secret *)(void *)(map + page);
    bool locked = mlock(made, data) == 0;
    /* Both are best effort: an old kernel or valgrind may know neither. */
    (void)madvise(made, data, MADV_DONTDUMP);
    (void)madvise(made, data, MADV_WIPEONFORK);
    made->size = size;
    made->mapped = mapped;
    made->locked = locked;
    *secret = made;
    return TLM_OK;
}

tlm_result tlm_secret_from(const void *data, size_t size, tlm_secret **secret, tlm_error *error)
{
    if (data == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a secret without bytes");
    }
    tlm_result result = tlm_secret_new(size, secret, error);
    if (result == TLM_OK) {
        memcpy((*secret)->bytes, data, size);
    }
    return result;
}

unsigned char *tlm_secret_data(tlm_secret *secret)
{
    return secret->bytes;
}

const unsigned char *tlm_secret_bytes(const tlm_secret *secret)
{
    return secret->bytes;
}

size_t tlm_secret_size(const tlm_secret *secret)
{
    return secret->size;
}

void tlm_secret_shrink(tlm_secret *secret, size_t size)
{
    if (size < secret->size) {
        explicit_bzero(secret->bytes + size, secret->size - size);
        secret->size = size;
    }
}

bool tlm_secret_locked(const tlm_secret *secret)
{
    return secret->locked;
}

bool tlm_secret_equal(const tlm_secret *left, const tlm_secret *right)
{
    return right != NULL && tlm_secret_matches(left, right->bytes, right->size);
}

bool tlm_secret_matches(const tlm_secret *secret, const void *data, size_t size)
{
    if (secret == NULL || data == NULL || secret->size != size) {
        return false;
    }
    const unsigned char *bytes = data;
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference = (unsigned char)(difference | (secret->bytes[i] ^ bytes[i]));
    }
    return difference == 0;
}

void tlm_secret_free(tlm_secret **secret)
{
    if (secret == NULL || *secret == NULL) {
        return;
    }
    tlm_secret *gone = *secret;
    size_t page = page_size();
    size_t mapped = gone->mapped;
    explicit_bzero(gone, mapped - 2 * page);
    (void)munmap((unsigned char *)gone - page, mapped);
    *secret = NULL;
}
