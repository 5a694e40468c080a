/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "engine_address.h"
#include "engine_answer.h"
#include "engine_link.h"

#define TIMEOUT_MS 5000U
#define PATH_SIZE 512U
#define HTTP_OK 200
#define HTTP_BAD_REQUEST 400
#define HTTP_NOT_FOUND 404
#define HTTP_TOO_MANY 429
#define HTTP_SERVER 500

#define ID_LENGTH 64U
#define HOSTNAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/*
 * A request that only a reader is refused, and that changes nothing even where there is such a
 * container: it would wait for that to end.
 */
#define NOBODY "0000000000000000000000000000000000000000000000000000000000000000"

#define PROXY_HINT                                                                                 \
    "let GET /version, /v*/containers/*/json and /v*/images/*/json pass: docs/container.md"

struct tlm_engine {
    tlm_engine_address address;
    tlm_engine_link *link; /* NULL: nobody is to be asked */
    char *id;
    char *hostname;
    unsigned timeout_ms;
    tlm_engine_access access; /* asked once for each time that an engine comes back */
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One ask: what is left of its time, and the API version that was agreed on. */
typedef struct asking {
    tlm_engine *engine;
    int64_t until;
    char api[16];
} asking;

static tlm_result send(const asking *self, const char *method, const char *path,
                       tlm_engine_reply *reply, tlm_error *error)
{
    int64_t left = self->until - now_ms();
    *reply = (tlm_engine_reply){.status = 0};
    if (left <= 0) {
        return tlm_error_set(error, TLM_ERR_TIMEOUT, "see whether it answers: docker version",
                             "the container engine at %s did not answer in time",
                             self->engine->address.shown);
    }
    return tlm_engine_link_send(self->engine->link, method, path, (unsigned)left, reply, error);
}

static tlm_result refuse_status(const asking *self, const char *path, const tlm_engine_reply *reply,
                                tlm_error *error)
{
    char message[200];
    bool forbidden = reply->status >= HTTP_BAD_REQUEST && reply->status < HTTP_SERVER;
    tlm_engine_answer_message(reply->text, reply->size, message, sizeof message);
    return tlm_error_set(error, forbidden ? TLM_ERR_PERMISSION : TLM_ERR_IO,
                         forbidden ? PROXY_HINT : "look at the engine's own log",
                         "the container engine at %s answered GET %s with status %ld%s%s",
                         self->engine->address.shown, path, reply->status,
                         message[0] != '\0' ? ": " : "", message);
}

/* GET; TLM_OK with status 200, or with 404 where that is an answer. */
static tlm_result get(const asking *self, const char *path, tlm_engine_reply *reply,
                      tlm_error *error)
{
    tlm_result result = send(self, "GET", path, reply, error);
    if (result == TLM_OK && reply->status != HTTP_OK && reply->status != HTTP_NOT_FOUND) {
        result = refuse_status(self, path, reply, error);
    }
    return result;
}

static tlm_result ask_version(asking *self, tlm_engine_facts *facts, tlm_error *error)
{
    tlm_engine_reply reply;
    tlm_engine_version version = {.api = ""};
    tlm_result result = get(self, "/version", &reply, error);
    if (result == TLM_OK && reply.status == HTTP_NOT_FOUND) {
        result = refuse_status(self, "/version", &reply, error);
    }
    if (result == TLM_OK) {
        result = tlm_engine_answer_version(reply.text, reply.size, &version, error);
    }
    if (result == TLM_OK) {
        result = tlm_engine_answer_agree(&version, self->api, error);
    }
    if (result == TLM_OK) {
        memcpy(facts->api_version, self->api, sizeof facts->api_version);
        memcpy(facts->engine_version, version.version, sizeof facts->engine_version);
        memcpy(facts->engine_name, version.name, sizeof facts->engine_name);
    }
    tlm_engine_reply_clear(&reply);
    return result;
}

/* "" where a path cannot hold it, and so no engine gave it: it would be another question. */
static const char *wanted(const tlm_engine *engine)
{
    if (engine->id != NULL) {
        return engine->id;
    }
    const char *name = engine->hostname != NULL ? engine->hostname : "";
    size_t length = strlen(name);
    bool good = length > 0 && length < TLM_ENGINE_HOSTNAME_SIZE && name[0] != '.' &&
                strspn(name, HOSTNAME_CHARACTERS) == length;
    return good ? name : "";
}

/*
 * By its id the container is known for certain. By a host name an engine may find one that merely
 * has this name, or an id that begins so: it must run, and have been given this host name.
 */
static bool is_ours(const tlm_engine *engine, const tlm_engine_facts *facts, const char *hostname)
{
    if (engine->id != NULL) {
        return strcmp(facts->id, engine->id) == 0;
    }
    return strcmp(hostname, engine->hostname) == 0 && strcmp(facts->status, "running") == 0;
}

static tlm_result ask_container(const asking *self, tlm_engine_facts *facts, tlm_error *error)
{
    tlm_engine_reply reply = {.status = 0};
    char path[PATH_SIZE];
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    const char *which = wanted(self->engine);
    if (which[0] == '\0') {
        return TLM_OK;
    }
    (void)snprintf(path, sizeof path, "/v%s/containers/%s/json", self->api, which);
    tlm_result result = get(self, path, &reply, error);
    if (result == TLM_OK && reply.status == HTTP_OK) {
        tlm_engine_facts found = *facts; /* no mounts yet, so nothing is shared */
        result = tlm_engine_answer_container(reply.text, reply.size, &found, hostname, error);
        found.known = result == TLM_OK && is_ours(self->engine, &found, hostname);
        found.by_hostname = found.known && self->engine->id == NULL;
        if (found.known) {
            *facts = found;
        } else {
            tlm_engine_facts_clear(&found);
        }
    }
    tlm_engine_reply_clear(&reply);
    return result;
}

/* An image that was removed meanwhile has no digest, nor has one that a proxy keeps to itself. */
static tlm_result ask_digest(const asking *self, tlm_engine_facts *facts, tlm_error *error)
{
    tlm_engine_reply reply;
    char path[PATH_SIZE];
    if (!facts->known || facts->image_id[0] == '\0') {
        return TLM_OK;
    }
    (void)snprintf(path, sizeof path, "/v%s/images/%s/json", self->api, facts->image_id);
    tlm_result result = send(self, "GET", path, &reply, error);
    if (result == TLM_OK && reply.status == HTTP_OK) {
        result = tlm_engine_answer_digest(reply.text, reply.size, facts->image, facts->image_digest,
                                          error);
    }
    tlm_engine_reply_clear(&reply);
    return result;
}

static tlm_engine_access read_access(const tlm_engine_reply *reply)
{
    char message[256];
    tlm_engine_answer_message(reply->text, reply->size, message, sizeof message);
    if (reply->status == HTTP_NOT_FOUND && strcasestr(message, "such container") != NULL) {
        return TLM_ENGINE_ACCESS_WRITE; /* the engine itself looked for it */
    }
    bool refused = reply->status >= HTTP_BAD_REQUEST && reply->status < HTTP_SERVER;
    return refused && reply->status != HTTP_TOO_MANY ? TLM_ENGINE_ACCESS_READ
                                                     : TLM_ENGINE_ACCESS_UNKNOWN;
}

static void ask_access(const asking *self, tlm_engine_facts *facts)
{
    tlm_engine *engine = self->engine;
    if (engine->access == TLM_ENGINE_ACCESS_UNKNOWN) {
        tlm_engine_reply reply;
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof path, "/v%s/containers/" NOBODY "/wait", self->api);
        if (send(self, "POST", path, &reply, NULL) == TLM_OK) {
            engine->access = read_access(&reply);
        }
        tlm_engine_reply_clear(&reply);
    }
    facts->access = engine->access;
}

/* Nothing is left of an answer that went wrong half way. */
static tlm_result give_up(tlm_engine *engine, tlm_engine_facts *facts, const tlm_error *cause,
                          tlm_error *error)
{
    tlm_engine_facts_clear(facts);
    engine->access = TLM_ENGINE_ACCESS_UNKNOWN;
    (void)snprintf(facts->host, sizeof facts->host, "%s", engine->address.shown);
    if (cause->result == TLM_ERR_NOT_FOUND) {
        return TLM_OK; /* no socket, nobody to ask */
    }
    facts->state = TLM_ENGINE_UNREACHABLE;
    facts->error = *cause;
    if (error != NULL) {
        *error = *cause;
    }
    return cause->result;
}

tlm_result tlm_engine_ask(tlm_engine *engine, tlm_engine_facts *facts, tlm_error *error)
{
    asking self = {.engine = engine, .until = now_ms() + (int64_t)engine->timeout_ms};
    tlm_error cause = {.result = TLM_OK};
    *facts = (tlm_engine_facts){.state = TLM_ENGINE_NONE};
    if (engine->link == NULL) {
        return TLM_OK;
    }
    (void)snprintf(facts->host, sizeof facts->host, "%s", engine->address.shown);
    tlm_result result = ask_version(&self, facts, &cause);
    if (result == TLM_OK) {
        facts->state = TLM_ENGINE_ANSWERING;
        result = ask_container(&self, facts, &cause);
    }
    if (result == TLM_OK) {
        result = ask_digest(&self, facts, &cause);
    }
    if (result != TLM_OK) {
        return give_up(engine, facts, &cause, error);
    }
    ask_access(&self, facts);
    return TLM_OK;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static char *own_hostname(void)
{
    char name[TLM_ENGINE_HOSTNAME_SIZE] = "";
    if (gethostname(name, sizeof name - 1) != 0) {
        name[0] = '\0';
    }
    return strdup(name);
}

static tlm_result fill(tlm_engine *self, const tlm_engine_question *question, tlm_error *error)
{
    self->timeout_ms = question->timeout_ms > 0 ? question->timeout_ms : TIMEOUT_MS;
    self->hostname = question->hostname != NULL ? strdup(question->hostname) : own_hostname();
    self->id = is_set(question->id) ? strdup(question->id) : NULL;
    if (self->hostname == NULL || (is_set(question->id) && self->id == NULL)) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask a container engine");
    }
    if (self->id != NULL &&
        (strlen(self->id) != ID_LENGTH || strspn(self->id, "0123456789abcdef") != ID_LENGTH)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a container's id is 64 hexadecimal digits");
    }
    return self->address.nobody
               ? TLM_OK
               : tlm_engine_link_new(&self->address, question->cert_path, &self->link, error);
}

tlm_result tlm_engine_open(const tlm_engine_question *question, tlm_engine **engine,
                           tlm_error *error)
{
    *engine = NULL;
    tlm_engine_address address;
    tlm_result result =
        tlm_engine_address_parse(question->host, is_set(question->cert_path), &address, error);
    if (result != TLM_OK) {
        return result;
    }
    tlm_engine *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask a container engine");
    }
    self->address = address;
    result = fill(self, question, error);
    if (result != TLM_OK) {
        tlm_engine_close(&self);
        return result;
    }
    *engine = self;
    return TLM_OK;
}

void tlm_engine_interrupt(tlm_engine *engine)
{
    if (engine->link != NULL) {
        tlm_engine_link_interrupt(engine->link);
    }
}

void tlm_engine_close(tlm_engine **engine)
{
    tlm_engine *self = *engine;
    *engine = NULL;
    if (self == NULL) {
        return;
    }
    tlm_engine_link_free(&self->link);
    free(self->id);
    free(self->hostname);
    free(self);
}
