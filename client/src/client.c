/* SPDX-License-Identifier: BSD-2-Clause */
#include "client_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include <tlm/key.h>

#include "link_private.h"

#define TEXT_MAX 4096U
#define URL_VARIABLE "TLM_URL"
#define NAME_RANDOM 6U

typedef enum value_kind { KIND_TEXT, KIND_NUMBER } value_kind;

/* The options by their number: kind, and of a number the default, the least and the most. */
static const struct {
    const char *name;
    value_kind kind;
    long long initial;
    long long least;
    long long most;
} options[TLM_CLIENT_OPTION_COUNT] = {
    [TLM_CLIENT_NAME] = {"TLM_CLIENT_NAME", KIND_TEXT, 0, 1, 128},
    [TLM_CLIENT_TOKEN_FILE] = {"TLM_CLIENT_TOKEN_FILE", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_CA_FILE] = {"TLM_CLIENT_CA_FILE", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_CERTIFICATE] = {"TLM_CLIENT_CERTIFICATE", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_PRIVATE_KEY] = {"TLM_CLIENT_PRIVATE_KEY", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_HOST_KEYS] = {"TLM_CLIENT_HOST_KEYS", KIND_TEXT, 0, 2, TLM_CLIENT_FILE_MAX},
    [TLM_CLIENT_HOST_KEYS_FILE] = {"TLM_CLIENT_HOST_KEYS_FILE", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_HOST_KID] = {"TLM_CLIENT_HOST_KID", KIND_TEXT, 0, 43, 43},
    [TLM_CLIENT_TRUST_FILE] = {"TLM_CLIENT_TRUST_FILE", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_VENDOR_KEYS_FILE] = {"TLM_CLIENT_VENDOR_KEYS_FILE", KIND_TEXT, 0, 1, TEXT_MAX},
    [TLM_CLIENT_VERIFY] = {"TLM_CLIENT_VERIFY", KIND_NUMBER, 1, 0, 1},
    [TLM_CLIENT_TIMEOUT] = {"TLM_CLIENT_TIMEOUT", KIND_NUMBER, 5000, 10, 600000},
    [TLM_CLIENT_WARN_AFTER] = {"TLM_CLIENT_WARN_AFTER", KIND_NUMBER, 0, 0, INT_MAX},
    [TLM_CLIENT_DEGRADED_AFTER] = {"TLM_CLIENT_DEGRADED_AFTER", KIND_NUMBER, 0, 0, INT_MAX},
    [TLM_CLIENT_STOP_AFTER] = {"TLM_CLIENT_STOP_AFTER", KIND_NUMBER, 0, 0, INT_MAX},
};

int64_t tlm_steady_now(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint32_t tlm_random_below(uint32_t bound)
{
    uint32_t value = 0;
    if (bound == 0 || RAND_bytes((unsigned char *)&value, (int)sizeof value) != 1) {
        return 0;
    }
    return value % bound;
}

tlm_client_result tlm_random_text(char text[TLM_CLIENT_NONCE_SIZE], tlm_client_error *error)
{
    unsigned char bytes[32];
    if (RAND_bytes(bytes, (int)sizeof bytes) != 1) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "crypto", NULL,
                           "OpenSSL gave no random bytes");
    }
    char *encoded = tlm_base64url_encode(bytes, sizeof bytes);
    if (encoded == NULL) {
        return tlm_trouble_memory(error);
    }
    (void)snprintf(text, TLM_CLIENT_NONCE_SIZE, "%s", encoded);
    free(encoded);
    return TLM_CLIENT_OK;
}

/* HOST:PID:RANDOM: two processes, or two clients of one, never share a lease by accident. */
static tlm_client_result make_name(tlm_client *client, tlm_client_error *error)
{
    char host[64] = "host";
    char random[TLM_CLIENT_NONCE_SIZE];
    tlm_client_result result = tlm_random_text(random, error);
    if (gethostname(host, sizeof host) != 0) {
        (void)snprintf(host, sizeof host, "host");
    }
    host[sizeof host - 1] = '\0';
    (void)snprintf(client->name, sizeof client->name, "%s:%ld:%.*s", host, (long)getpid(),
                   (int)NAME_RANDOM, random);
    return result;
}

static tlm_client_result make(const char *url, tlm_client *made, tlm_client_error *error)
{
    tlm_client_result result = tlm_target_parse(url, &made->target, error);
    if (result == TLM_CLIENT_OK) {
        result = make_name(made, error);
    }
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    for (size_t i = 0; i < TLM_CLIENT_OPTION_COUNT; i++) {
        if (options[i].kind == KIND_NUMBER) {
            made->options[i].number = options[i].initial;
        }
    }
    made->generation = tlm_fork_generation();
    if (pthread_mutex_init(&made->lock, NULL) != 0 ||
        pthread_mutex_init(&made->link_lock, NULL) != 0 ||
        pthread_mutex_init(&made->key_lock, NULL) != 0 ||
        pthread_cond_init(&made->idle, NULL) != 0) {
        return tlm_trouble_memory(error);
    }
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_client_new(const char *url, tlm_client **client, tlm_client_error *error)
{
    if (client == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "no place for a client");
    }
    if (url == NULL || url[0] == '\0') {
        url = secure_getenv(URL_VARIABLE);
    }
    if (url == NULL || url[0] == '\0') {
        url = TLM_TARGET_DEFAULT;
    }
    tlm_client *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_trouble_memory(error);
    }
    made->timer = -1;
    made->wake = -1;
    tlm_client_result result = make(url, made, error);
    if (result != TLM_CLIENT_OK) {
        free(made);
        return result;
    }
    tlm_exits_add(made);
    *client = made;
    return TLM_CLIENT_OK;
}

static void free_lease_list(tlm_client *client)
{
    while (client->leases != NULL) {
        tlm_client_lease *gone = client->leases;
        client->leases = gone->next;
        tlm_lease_free(gone);
    }
}

void tlm_client_free(tlm_client **client)
{
    if (client == NULL || *client == NULL) {
        return;
    }
    tlm_client *gone = *client;
    *client = NULL;
    if (gone->generation != tlm_fork_generation()) {
        return; /* locks and connections are the parent's: nothing of them may be touched */
    }
    tlm_exits_remove(gone);
    atomic_store(&gone->stopping, true);
    tlm_keeper_stop(gone);
    tlm_lease_farewell(gone);
    free_lease_list(gone);
    tlm_link_close(gone);
    json_decref(gone->keys);
    json_decref(gone->received);
    for (size_t i = 0; i < TLM_CLIENT_OPTION_COUNT; i++) {
        if (options[i].kind == KIND_TEXT) {
            free(gone->options[i].text);
        }
    }
    (void)pthread_cond_destroy(&gone->idle);
    (void)pthread_mutex_destroy(&gone->key_lock);
    (void)pthread_mutex_destroy(&gone->link_lock);
    (void)pthread_mutex_destroy(&gone->lock);
    free(gone);
}

static tlm_client_result whose(const tlm_client *client, tlm_client_error *error)
{
    if (client == NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "there is no client");
    }
    if (client->generation != tlm_fork_generation()) {
        return tlm_trouble(error, TLM_CLIENT_FORKED, "argument",
                           "make a client of its own in each process: tlm_client_new",
                           "the client was made by the process that forked this one");
    }
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_client_begin(tlm_client *client, tlm_client_error *error)
{
    tlm_client_result result = whose(client, error);
    if (result == TLM_CLIENT_OK) {
        atomic_store(&client->used, true);
    }
    return result;
}

static tlm_client_result check_set(const tlm_client *client, tlm_client_option option,
                                   value_kind kind, tlm_client_error *error)
{
    tlm_client_result result = whose(client, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    if ((unsigned)option >= TLM_CLIENT_OPTION_COUNT || options[option].kind != kind) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "there is no option %u of this kind", (unsigned)option);
    }
    if (atomic_load(&client->used)) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument",
                           "set every option before the first request", "%s is set too late",
                           options[option].name);
    }
    return TLM_CLIENT_OK;
}

static bool text_fits(tlm_client_option option, const char *value)
{
    size_t length = strlen(value);
    if (length < (size_t)options[option].least || length > (size_t)options[option].most) {
        return false;
    }
    for (const char *at = value; option == TLM_CLIENT_NAME && *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return false;
        }
    }
    return true;
}

tlm_client_result tlm_client_set_text(tlm_client *client, tlm_client_option option,
                                      const char *value, tlm_client_error *error)
{
    tlm_client_result result = check_set(client, option, KIND_TEXT, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    if (value != NULL && !text_fits(option, value)) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "%s has %lld to %lld bytes, a name without control characters",
                           options[option].name, options[option].least, options[option].most);
    }
    char *copy = value != NULL ? strdup(value) : NULL;
    if (value != NULL && copy == NULL) {
        return tlm_trouble_memory(error);
    }
    free(client->options[option].text);
    client->options[option].text = copy;
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_client_set_number(tlm_client *client, tlm_client_option option,
                                        long long value, tlm_client_error *error)
{
    tlm_client_result result = check_set(client, option, KIND_NUMBER, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    if (value < options[option].least || value > options[option].most) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL,
                           "%s is a number from %lld to %lld", options[option].name,
                           options[option].least, options[option].most);
    }
    client->options[option].number = value;
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_client_on_change(tlm_client *client, tlm_client_changed changed,
                                       void *context, tlm_client_error *error)
{
    tlm_client_result result = whose(client, error);
    if (result != TLM_CLIENT_OK) {
        return result;
    }
    (void)pthread_mutex_lock(&client->lock);
    if (client->leases != NULL || client->running) {
        result = tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument",
                             "set the callback before the first lease", "there are leases already");
    } else {
        client->changed = changed;
        client->context = context;
    }
    (void)pthread_mutex_unlock(&client->lock);
    return result;
}

const char *tlm_client_text(const tlm_client *client, tlm_client_option option)
{
    const char *text = client->options[option].text;
    return text == NULL && option == TLM_CLIENT_NAME ? client->name : text;
}

long long tlm_client_number(const tlm_client *client, tlm_client_option option)
{
    return client->options[option].number;
}

const char *tlm_client_version(void)
{
    return TLM_VERSION;
}
