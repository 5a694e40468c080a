/* SPDX-License-Identifier: BSD-2-Clause */
#include "link_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "client_private.h"
#include "link_setup_private.h"
#include "reply_private.h"

#define RETRY_BASE_MS 100U

static CURL *take_handle(tlm_client *client)
{
    CURL *handle = NULL;
    (void)pthread_mutex_lock(&client->link_lock);
    if (client->handle_count > 0) {
        handle = client->handles[--client->handle_count];
    }
    (void)pthread_mutex_unlock(&client->link_lock);
    return handle != NULL ? handle : curl_easy_init();
}

static void give_handle(tlm_client *client, CURL *handle)
{
    bool kept = false;
    curl_easy_reset(handle); /* keeps the connection */
    (void)pthread_mutex_lock(&client->link_lock);
    if (client->handle_count < TLM_CLIENT_HANDLES) {
        client->handles[client->handle_count++] = handle;
        kept = true;
    }
    (void)pthread_mutex_unlock(&client->link_lock);
    if (!kept) {
        curl_easy_cleanup(handle);
    }
}

void tlm_link_close(tlm_client *client)
{
    (void)pthread_mutex_lock(&client->link_lock);
    while (client->handle_count > 0) {
        curl_easy_cleanup(client->handles[--client->handle_count]);
    }
    (void)pthread_mutex_unlock(&client->link_lock);
}

/*
 * TLS writes without MSG_NOSIGNAL, and what SIGPIPE does is the application's to say: it is held
 * back from this thread, and taken away where it came meanwhile.
 */
typedef struct quiet {
    sigset_t before;
    bool pending;
} quiet;

static void pipe_hold(quiet *hold)
{
    sigset_t pipe;
    sigset_t waiting;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)sigemptyset(&waiting);
    (void)sigpending(&waiting);
    hold->pending = sigismember(&waiting, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &hold->before);
}

static void pipe_let(const quiet *hold)
{
    if (!hold->pending) {
        sigset_t pipe;
        const struct timespec none = {0};
        (void)sigemptyset(&pipe);
        (void)sigaddset(&pipe, SIGPIPE);
        while (sigtimedwait(&pipe, NULL, &none) == -1 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}

static tlm_client_result refuse_code(tlm_client *client, const tlm_link_setup *setup, CURLcode code,
                                     tlm_client_error *error)
{
    const char *where =
        client->target.socket[0] != '\0' ? client->target.socket : client->target.base;
    const char *why = setup->words[0] != '\0' ? setup->words : curl_easy_strerror(code);
    switch (code) {
    case CURLE_WRITE_ERROR:
        return tlm_trouble(error, TLM_CLIENT_FAILED, "too-large", NULL,
                           "the answer of %s is larger than the %u bytes that are accepted", where,
                           TLM_CLIENT_ANSWER_MAX);
    case CURLE_OUT_OF_MEMORY:
        return tlm_trouble_memory(error);
    case CURLE_PEER_FAILED_VERIFICATION:
        return tlm_trouble(error, TLM_CLIENT_UNPROVEN, "untrusted",
                           "give the CA of the daemon's certificate: docs/https.md",
                           "the certificate of %s is not trusted: %s", where, why);
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting",
                           "give a file in PEM, and the key that fits the certificate",
                           "certificate or key for %s cannot be used: %s", where, why);
    default:
        break;
    }
    return tlm_trouble(error, TLM_CLIENT_AWAY, code == CURLE_OPERATION_TIMEDOUT ? "timeout" : "io",
                       "is it running? See: systemctl status TLLicenseManager",
                       "no answer from %s: %s", where, why);
}

/* Whether the request may have been lost on a connection that had worked: worth another try. */
static bool broke(CURLcode code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_PARTIAL_FILE;
}

static void pause_before(unsigned attempt)
{
    unsigned most = RETRY_BASE_MS << attempt;
    uint32_t delay = most / 2 + tlm_random_below(most / 2);
    struct timespec left = {.tv_nsec = (long)delay * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static tlm_client_result perform(tlm_client *client, CURL *handle, const tlm_link_request *request,
                                 tlm_link_answer *answer, tlm_client_error *error)
{
    tlm_link_setup setup = {.client = client, .last = request->last};
    tlm_client_result result = tlm_link_prepare(&setup, handle, request, error);
    CURLcode code = CURLE_OK;
    if (result == TLM_CLIENT_OK) {
        unsigned tries = request->tries > 0 ? request->tries : 1;
        for (unsigned i = 0; i < tries; i++) {
            if (i > 0) {
                pause_before(i);
            }
            setup.size = 0;
            setup.retry_after = 0;
            code = curl_easy_perform(handle);
            if (!broke(code)) {
                break;
            }
        }
        result = code != CURLE_OK ? refuse_code(client, &setup, code, error) : TLM_CLIENT_OK;
    }
    if (result == TLM_CLIENT_OK) {
        (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer->status);
        const tlm_reply reply = {.status = answer->status,
                                 .text = setup.data,
                                 .size = setup.size,
                                 .retry_after = setup.retry_after,
                                 .lease = request->address != NULL};
        result = tlm_reply_read(&reply, &answer->body, error);
    }
    tlm_link_release(&setup);
    return result;
}

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void tlm_link_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, start_curl);
}

tlm_client_result tlm_link_call(tlm_client *client, const tlm_link_request *request,
                                tlm_link_answer *answer, tlm_client_error *error)
{
    *answer = (tlm_link_answer){0};
    CURL *handle = take_handle(client);
    if (handle == NULL) {
        return tlm_trouble_memory(error);
    }
    quiet hold;
    pipe_hold(&hold);
    tlm_client_result result = perform(client, handle, request, answer, error);
    give_handle(client, handle);
    pipe_let(&hold);
    return result;
}
