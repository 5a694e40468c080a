/* SPDX-License-Identifier: BSD-2-Clause */
#include "bearer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <tlm/file.h>
#include <tlm/key.h>
#include <tlm/secret.h>

#define RANDOM_SIZE 32U

struct tlm_bearer {
    pthread_rwlock_t lock;
    tlm_secret *administrator; /* NULL: nobody is one */
    tlm_secret *client;
};

tlm_result tlm_bearer_new(tlm_bearer **bearer, tlm_error *error)
{
    *bearer = NULL;
    tlm_bearer *self = calloc(1, sizeof *self);
    if (self == NULL || pthread_rwlock_init(&self->lock, NULL) != 0) {
        free(self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the bearer tokens");
    }
    *bearer = self;
    return TLM_OK;
}

void tlm_bearer_free(tlm_bearer **bearer)
{
    if (bearer == NULL || *bearer == NULL) {
        return;
    }
    tlm_bearer *self = *bearer;
    *bearer = NULL;
    tlm_secret_free(&self->administrator);
    tlm_secret_free(&self->client);
    (void)pthread_rwlock_destroy(&self->lock);
    free(self);
}

const char *tlm_bearer_file(tlm_bearer_holder holder)
{
    return holder == TLM_BEARER_ADMINISTRATOR ? "admin.token" : "client.token";
}

static tlm_result make_file(const char *path, tlm_error *error)
{
    unsigned char bytes[RANDOM_SIZE];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return tlm_error_set_errno(error, NULL, "asking the kernel for random bytes");
    }
    char *text = tlm_base64url_encode(bytes, sizeof bytes);
    explicit_bzero(bytes, sizeof bytes);
    if (text == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to make %s", path);
    }
    size_t size = strlen(text);
    text[size] = '\n'; /* for people who look at it; it is taken off again when it is read */
    tlm_result result = tlm_file_create(path, text, size + 1, 0600, error);
    explicit_bzero(text, size + 1);
    free(text);
    /* Another process was first: its token counts. */
    return result == TLM_ERR_EXISTS ? TLM_OK : result;
}

/* The characters that RFC 6750 section 2.1 lets a token have. */
static bool is_token(const unsigned char *text, size_t size)
{
    static const char others[] = "-._~+/=";
    for (size_t i = 0; i < size; i++) {
        unsigned char letter = text[i];
        bool plain = (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
                     (letter >= 'a' && letter <= 'z');
        if (!plain && (letter == '\0' || strchr(others, letter) == NULL)) {
            return false;
        }
    }
    return size >= TLM_BEARER_MIN && size <= TLM_BEARER_MAX;
}

static tlm_result read_file(const char *path, tlm_secret **token, tlm_error *error)
{
    tlm_secret *read = NULL;
    tlm_result result = tlm_file_read_secret(path, TLM_BEARER_MAX + 2, &read, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t size = tlm_secret_size(read);
    const unsigned char *text = tlm_secret_bytes(read);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    tlm_secret_shrink(read, size > 0 ? size : 1);
    if (!is_token(text, size)) {
        tlm_secret_free(&read);
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "move it away and send the daemon SIGHUP: it makes a new one",
                             "%s is not a token: one line of %u to %u letters, digits, - . _ ~ + / "
                             "and =",
                             path, TLM_BEARER_MIN, TLM_BEARER_MAX);
    }
    *token = read;
    return TLM_OK;
}

tlm_result tlm_bearer_load(tlm_bearer *bearer, tlm_bearer_holder holder, const char *directory,
                           bool make, tlm_error *error)
{
    char *path = tlm_path_join(directory, tlm_bearer_file(holder));
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the path of %s",
                             tlm_bearer_file(holder));
    }
    tlm_secret *token = NULL;
    tlm_result result = TLM_OK;
    if (make && !tlm_file_exists(path)) {
        result = make_file(path, error);
    }
    if (result == TLM_OK) {
        result = read_file(path, &token, error);
    }
    (void)pthread_rwlock_wrlock(&bearer->lock);
    tlm_secret **place =
        holder == TLM_BEARER_ADMINISTRATOR ? &bearer->administrator : &bearer->client;
    tlm_secret *old = *place;
    *place = token;
    (void)pthread_rwlock_unlock(&bearer->lock);
    tlm_secret_free(&old);
    free(path);
    return result;
}

tlm_bearer_holder tlm_bearer_judge(tlm_bearer *bearer, const char *authorization)
{
    static const char scheme[] = "Bearer";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0 ||
        (authorization[sizeof scheme - 1] != ' ' && authorization[sizeof scheme - 1] != '\0')) {
        return TLM_BEARER_NONE;
    }
    const char *text = authorization + sizeof scheme - 1;
    text += strspn(text, " ");
    size_t size = strlen(text);
    (void)pthread_rwlock_rdlock(&bearer->lock);
    bool administrator = tlm_secret_matches(bearer->administrator, text, size);
    bool client = tlm_secret_matches(bearer->client, text, size);
    (void)pthread_rwlock_unlock(&bearer->lock);
    if (administrator) {
        return TLM_BEARER_ADMINISTRATOR;
    }
    return client ? TLM_BEARER_CLIENT : TLM_BEARER_WRONG;
}
