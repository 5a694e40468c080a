/* SPDX-License-Identifier: BSD-2-Clause */
#include "answers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reply.h"

typedef struct answer {
    struct MHD_Response *response;
    unsigned status;
} answer;

/* /status without the uptime, and the second for which its response was made. */
typedef struct timed {
    char *body; /* NULL while /status is none of these */
    time_t built;
} timed;

struct tlm_answers {
    pthread_mutex_t lock; /* held for pointer moves and MHD_queue_response alone */
    answer items[TLM_DOCUMENT_COUNT];
    timed uptime;
    time_t started; /* monotonic */
    tlm_reply_end end;
};

static time_t now_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

tlm_result tlm_answers_new(tlm_answers **answers, tlm_error *error)
{
    *answers = NULL;
    tlm_answers *self = calloc(1, sizeof *self);
    if (self == NULL || pthread_mutex_init(&self->lock, NULL) != 0) {
        free(self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the prepared answers");
    }
    self->started = now_seconds();
    *answers = self;
    return TLM_OK;
}

void tlm_answers_free(tlm_answers **answers)
{
    tlm_answers *self = *answers;
    *answers = NULL;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < TLM_DOCUMENT_COUNT; i++) {
        if (self->items[i].response != NULL) {
            MHD_destroy_response(self->items[i].response);
        }
    }
    free(self->uptime.body);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

/* The body with uptimeSeconds as its last member. */
static char *with_uptime(const char *body, time_t uptime)
{
    size_t size = strlen(body);
    size_t room = size + 48;
    char *text = malloc(room);
    if (text != NULL) {
        (void)snprintf(text, room, "%.*s,\"uptimeSeconds\":%lld}", (int)size - 1, body,
                       (long long)uptime);
    }
    return text;
}

static void put(answer *to, struct MHD_Response *response, unsigned status)
{
    if (to->response != NULL) {
        MHD_destroy_response(to->response);
    }
    *to = (answer){.response = response, .status = status};
}

tlm_result tlm_answers_set(tlm_answers *answers, tlm_document document, unsigned status, char *body,
                           tlm_error *error)
{
    char *timed_body = NULL;
    time_t now = now_seconds();
    if (document == TLM_DOCUMENT_STATUS && status < 400 && body != NULL) {
        timed_body = body;
        body = with_uptime(timed_body, now - answers->started);
    }
    tlm_reply_head head = {.status = status, .end = answers->end};
    struct MHD_Response *response = tlm_reply_new(&head, body);
    if (response == NULL) {
        free(timed_body);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the answer of %s",
                             tlm_route_path(document));
    }
    (void)pthread_mutex_lock(&answers->lock);
    put(&answers->items[document], response, status);
    if (document == TLM_DOCUMENT_STATUS) {
        char *old = answers->uptime.body;
        answers->uptime = (timed){.body = timed_body, .built = now};
        timed_body = old;
    }
    (void)pthread_mutex_unlock(&answers->lock);
    free(timed_body);
    return TLM_OK;
}

void tlm_answers_close(tlm_answers *answers)
{
    (void)pthread_mutex_lock(&answers->lock);
    answers->end = TLM_REPLY_CLOSE;
    (void)pthread_mutex_unlock(&answers->lock);
}

bool tlm_answers_closing(tlm_answers *answers)
{
    (void)pthread_mutex_lock(&answers->lock);
    bool closing = answers->end == TLM_REPLY_CLOSE;
    (void)pthread_mutex_unlock(&answers->lock);
    return closing;
}

/* Under the lock. Without memory the uptime of an earlier second is sent. */
static void renew_uptime(tlm_answers *self)
{
    time_t now = now_seconds();
    if (self->uptime.body == NULL || self->uptime.built == now) {
        return;
    }
    answer *status = &self->items[TLM_DOCUMENT_STATUS];
    char *body = with_uptime(self->uptime.body, now - self->started);
    tlm_reply_head head = {.status = status->status, .end = self->end};
    struct MHD_Response *response = tlm_reply_new(&head, body);
    if (response != NULL) {
        put(status, response, status->status);
        self->uptime.built = now;
    }
}

enum MHD_Result tlm_answers_send(tlm_answers *answers, tlm_document document,
                                 struct MHD_Connection *connection, unsigned *status)
{
    enum MHD_Result result = MHD_NO;
    (void)pthread_mutex_lock(&answers->lock);
    if (document == TLM_DOCUMENT_STATUS) {
        renew_uptime(answers);
    }
    const answer *found = &answers->items[document];
    *status = found->status;
    if (found->response != NULL) {
        result = MHD_queue_response(connection, found->status, found->response);
    }
    (void)pthread_mutex_unlock(&answers->lock);
    return result;
}
