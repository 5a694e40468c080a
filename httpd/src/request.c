/* SPDX-License-Identifier: BSD-2-Clause */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <tlm/log.h>

#include "body.h"
#include "json_text.h"
#include "outcome.h"
#include "problem.h"
#include "query.h"
#include "server.h"

struct tlm_request {
    tlm_api *api;
    struct MHD_Connection *connection;
    const tlm_caller *caller;
    tlm_route_match match;
    tlm_query_values query;
    tlm_body body;
    const char *refused; /* code of a refusal that is no result; its text is in call.error */
    unsigned refused_status;
    bool submitted;
    tlm_call call; /* its error is that of a refusal, too */
    void (*done)(void *context);
    void *context;
};

tlm_request *tlm_request_new(tlm_api *api, struct MHD_Connection *connection,
                             const tlm_caller *caller, const tlm_route_match *match)
{
    tlm_request *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->api = api;
    self->connection = connection;
    self->caller = caller;
    self->match = *match;
    tlm_body_begin(&self->body, match->route->body_max);
    self->call.op = match->route->call;
    self->call.local = caller->local;
    (void)snprintf(self->call.peer, sizeof self->call.peer, "%s", caller->name);
    return self;
}

void tlm_request_free(tlm_request **request)
{
    if (request == NULL || *request == NULL) {
        return;
    }
    tlm_request *self = *request;
    *request = NULL;
    tlm_body_clear(&self->body);
    json_decref(self->call.input);
    json_decref(self->call.answer);
    free(self);
}

static bool is_refused(const tlm_request *self)
{
    return self->call.error.result != TLM_OK;
}

/* A refusal of HTTP's own, which no result of the programs stands for. */
static bool refuse(tlm_request *self, unsigned status, const char *code, const char *hint,
                   const char *format, ...) TLM_PRINTF(5, 6);

static bool refuse(tlm_request *self, unsigned status, const char *code, const char *hint,
                   const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    self->refused_status = status;
    self->refused = code;
    (void)tlm_error_set(&self->call.error, TLM_ERR_ARGUMENT, hint, "%s", text);
    return false;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

unsigned long long tlm_request_announced(struct MHD_Connection *connection, bool *chunked)
{
    *chunked = header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
    const char *length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return *chunked || length == NULL ? 0 : strtoull(length, NULL, 10);
}

/* A wrong token counts against its address; after ten of them none is looked at. */
static bool judge_token(tlm_request *self, tlm_bearer_holder *holder, int64_t now_ms)
{
    const char *authorization = header(self->connection, MHD_HTTP_HEADER_AUTHORIZATION);
    tlm_limits *limits = tlm_api_limits(self->api);
    bool counted = !self->caller->unix_socket;
    *holder = TLM_BEARER_NONE;
    if (authorization == NULL) {
        return true;
    }
    unsigned seconds = counted ? tlm_limits_barred(limits, self->caller->key, now_ms) : 0;
    if (seconds > 0) {
        self->call.retry_after = seconds;
        (void)tlm_error_set(
            &self->call.error, TLM_ERR_RATE, "mend the token of whoever asks from this address",
            "%s sent %u wrong tokens within a minute", self->caller->name, TLM_LIMITS_WRONG);
        return false;
    }
    *holder = tlm_bearer_judge(tlm_api_bearer(self->api), authorization);
    if (*holder == TLM_BEARER_WRONG && counted) {
        tlm_limits_wrong(limits, self->caller->key, now_ms);
    }
    return true;
}

static bool judge_access(tlm_request *self, bool certificate, int64_t now_ms)
{
    tlm_access_facts facts = {.who = self->match.route->who,
                              .mode = tlm_api_mode(self->api),
                              .caller = self->caller,
                              .certificate = certificate,
                              .force = self->query.force};
    return judge_token(self, &facts.holder, now_ms) &&
           tlm_access_judge(&facts, &self->call.administrator, &self->call.error) == TLM_OK;
}

static bool is_media(const char *type, const char *wanted)
{
    size_t length = strcspn(type, "; \t");
    return length == strlen(wanted) && strncasecmp(type, wanted, length) == 0;
}

static bool judge_body(tlm_request *self)
{
    const tlm_route *route = self->match.route;
    bool chunked = false;
    unsigned long long announced = tlm_request_announced(self->connection, &chunked);
    if (announced == 0 && !chunked) {
        return true;
    }
    if (route->media == TLM_MEDIA_NONE) {
        return refuse(self, MHD_HTTP_CONTENT_TOO_LARGE, "content-too-large",
                      "send it without a body", "a request of this path has no body");
    }
    if (announced > route->body_max) {
        return refuse(self, MHD_HTTP_CONTENT_TOO_LARGE, "content-too-large", NULL,
                      "the body has %llu bytes, and this path takes %zu at most", announced,
                      route->body_max);
    }
    const char *type = header(self->connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *wanted = route->media == TLM_MEDIA_JSON ? "application/json" : "application/jose";
    if (type == NULL || !is_media(type, wanted)) {
        char quoted[80];
        char hint[80];
        (void)snprintf(hint, sizeof hint, "send it with Content-Type: %s", wanted);
        return refuse(self, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "media-type", hint,
                      "the body is %s, and this path takes %s",
                      type != NULL ? tlm_log_quote(type, quoted, sizeof quoted) : "of no type",
                      wanted);
    }
    return true;
}

bool tlm_request_judge(tlm_request *request, bool certificate, int64_t now_ms)
{
    const tlm_route *route = request->match.route;
    /* Nobody learns from the query's errors what may be asked before it was told who asks. */
    tlm_error error = {.result = TLM_OK};
    tlm_result query = tlm_query_read(request->connection, route->query, &request->query, &error);
    if (!judge_access(request, certificate, now_ms)) {
        return false;
    }
    if (query != TLM_OK) {
        request->call.error = error;
        return false;
    }
    return judge_body(request);
}

bool tlm_request_take(tlm_request *request, const char *data, size_t size)
{
    if (is_refused(request)) {
        return true; /* its announced size was judged by the server */
    }
    tlm_body_add(&request->body, data, size);
    return request->body.over <= TLM_SERVER_BODY_MAX;
}

static int add_query(const tlm_request *self, json_t *input)
{
    if (self->match.route->query == TLM_QUERY_FORCE) {
        return json_object_set_new(input, "force", json_boolean(self->query.force));
    }
    return json_object_set_new(input, "after", json_integer((json_int_t)self->query.after)) |
           json_object_set_new(input, "limit", json_integer((json_int_t)self->query.limit));
}

static bool make_input(tlm_request *self)
{
    const tlm_route *route = self->match.route;
    if (route->media == TLM_MEDIA_JSON &&
        tlm_body_object(&self->body, &self->call.input, &self->call.error) != TLM_OK) {
        return false;
    }
    if (route->query == TLM_QUERY_NONE) {
        return true;
    }
    /* What the query says is no member of the body: there it would need no administrator. */
    if (route->query == TLM_QUERY_FORCE && json_object_get(self->call.input, "force") != NULL) {
        (void)tlm_error_set(&self->call.error, TLM_ERR_ARGUMENT,
                            "write it behind the path: ?force=true",
                            "there is no member \"force\"");
        return false;
    }
    if (self->call.input == NULL) {
        self->call.input = json_object();
    }
    if (self->call.input == NULL || add_query(self, self->call.input) != 0) {
        (void)tlm_error_set(&self->call.error, TLM_ERR_MEMORY, NULL, "no memory for the request");
        return false;
    }
    return true;
}

bool tlm_request_prepare(tlm_request *request)
{
    tlm_call *call = &request->call;
    const tlm_route *route = request->match.route;
    if (is_refused(request)) {
        return false;
    }
    if (request->body.over > 0) {
        return refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "content-too-large", NULL,
                      "the body has more than the %zu bytes that this path takes", route->body_max);
    }
    if (request->body.starving) {
        (void)tlm_error_set(&call->error, TLM_ERR_MEMORY, NULL, "no memory for the body");
        return false;
    }
    call->id = request->match.id[0] != '\0' ? request->match.id : NULL;
    if (route->media == TLM_MEDIA_JOSE) {
        return tlm_body_text(&request->body, &call->text, &call->size, &call->error) == TLM_OK;
    }
    return make_input(request);
}

static void call_done(tlm_call *call)
{
    tlm_request *self = call->context;
    self->done(self->context);
}

void tlm_request_submit(tlm_request *request, void (*done)(void *context), void *context)
{
    request->submitted = true;
    request->done = done;
    request->context = context;
    request->call.done = call_done;
    request->call.context = request;
    if (!tlm_api_submit(request->api, &request->call)) {
        (void)tlm_error_set(&request->call.error, TLM_ERR_BUSY, "try again in a few seconds",
                            "licensing does not run: the daemon starts, or stops");
        done(context);
    }
}

bool tlm_request_submitted(const tlm_request *request)
{
    return request->submitted;
}

char *tlm_request_answer(const tlm_request *request, const char *url, tlm_reply_head *head)
{
    if (request->refused == NULL) {
        return tlm_outcome_text(&request->call, request->match.route->media, url, head);
    }
    head->status = request->refused_status;
    tlm_problem problem = {.status = head->status,
                           .code = request->refused,
                           .detail = request->call.error.message,
                           .hint = request->call.error.hint,
                           .instance = url};
    return tlm_problem_text(&problem);
}
