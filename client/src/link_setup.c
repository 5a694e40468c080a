/* SPDX-License-Identifier: BSD-2-Clause */
#include "link_setup_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <tlm/file.h>
#include <tlm/secret.h>

#include "client_private.h"

#define TOKEN_MAX 512U
#define ROOM_FIRST 4096U
#define PATH_MAX_LENGTH 512U
#define RETRY_AFTER_MAX 86400L

static size_t take_data(char *data, size_t one, size_t count, void *context)
{
    tlm_link_setup *setup = context;
    size_t size = one * count; /* libcurl's `one` is always 1 */
    if (size > TLM_CLIENT_ANSWER_MAX - setup->size) {
        return 0;
    }
    if (setup->size + size + 1 > setup->room) {
        size_t room = setup->room == 0 ? ROOM_FIRST : setup->room;
        while (room < setup->size + size + 1) {
            room *= 2;
        }
        char *more = realloc(setup->data, room);
        if (more == NULL) {
            return 0;
        }
        setup->data = more;
        setup->room = room;
    }
    memcpy(setup->data + setup->size, data, size);
    setup->size += size;
    setup->data[setup->size] = '\0';
    return size;
}

/* Of the headers one counts: Retry-After in seconds (RFC 9110 section 10.2.3). */
static size_t take_header(char *data, size_t one, size_t count, void *context)
{
    static const char name[] = "retry-after:";
    tlm_link_setup *setup = context;
    size_t size = one * count;
    char value[16];
    if (size > sizeof name - 1 && strncasecmp(data, name, sizeof name - 1) == 0 &&
        size - (sizeof name - 1) < sizeof value) {
        size_t length = size - (sizeof name - 1);
        memcpy(value, data + sizeof name - 1, length);
        value[length] = '\0';
        char *end = NULL;
        long seconds = strtol(value, &end, 10);
        if (end != value && seconds > 0 && seconds <= RETRY_AFTER_MAX) {
            setup->retry_after = (unsigned)seconds;
        }
    }
    return size;
}

static int look(void *context, curl_off_t download, curl_off_t downloaded, curl_off_t upload,
                curl_off_t uploaded)
{
    (void)download;
    (void)downloaded;
    (void)upload;
    (void)uploaded;
    const tlm_link_setup *setup = context;
    return !setup->last && atomic_load(&setup->client->stopping) ? 1 : 0;
}

static bool add_header(tlm_link_setup *setup, const char *line)
{
    struct curl_slist *longer = curl_slist_append(setup->headers, line);
    if (longer == NULL) {
        return false;
    }
    setup->headers = longer;
    return true;
}

static tlm_client_result add_token(tlm_link_setup *setup, tlm_client_error *error)
{
    const char *path = tlm_client_text(setup->client, TLM_CLIENT_TOKEN_FILE);
    if (path == NULL) {
        return TLM_CLIENT_OK;
    }
    tlm_secret *token = NULL;
    tlm_error cause = {0};
    if (tlm_file_read_secret(path, TOKEN_MAX, &token, &cause) != TLM_OK) {
        (void)tlm_trouble_of(error, &cause);
        return tlm_trouble_class("", 0);
    }
    const char *text = (const char *)tlm_secret_bytes(token);
    size_t length = strcspn(text, "\r\n");
    size_t rest = strspn(text + length, "\r\n");
    tlm_client_result result = TLM_CLIENT_OK;
    if (length == 0 || length + rest != tlm_secret_size(token)) {
        result = tlm_trouble(error, TLM_CLIENT_ARGUMENT, "format", NULL,
                             "%s does not hold one token on one line", path);
    } else {
        char line[TOKEN_MAX + 32];
        (void)snprintf(line, sizeof line, "Authorization: Bearer %.*s", (int)length, text);
        result = add_header(setup, line) ? TLM_CLIENT_OK : tlm_trouble_memory(error);
        explicit_bzero(line, sizeof line);
    }
    tlm_secret_free(&token);
    return result;
}

static tlm_client_result set_body(tlm_link_setup *setup, CURL *handle,
                                  const tlm_link_request *request, tlm_client_error *error)
{
    const char *text = request->text;
    size_t size = request->size;
    if (request->body != NULL) {
        setup->body = json_dumps(request->body, JSON_COMPACT);
        text = setup->body;
        size = text != NULL ? strlen(text) : 0;
    }
    bool good = add_header(setup, "Accept: application/json") && add_header(setup, "Expect:");
    if (request->body != NULL || request->text != NULL) {
        good = good && text != NULL &&
               add_header(setup, request->body != NULL ? "Content-Type: application/json"
                                                       : "Content-Type: application/jose") &&
               curl_easy_setopt(handle, CURLOPT_POSTFIELDS, text) == CURLE_OK &&
               curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) == CURLE_OK;
    } else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "DELETE") != 0) {
        good = good && curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "") == CURLE_OK;
    }
    good = good && curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    return good ? TLM_CLIENT_OK : tlm_trouble_memory(error);
}

static bool set_files(const tlm_client *client, CURL *handle)
{
    const char *ca = tlm_client_text(client, TLM_CLIENT_CA_FILE);
    const char *certificate = tlm_client_text(client, TLM_CLIENT_CERTIFICATE);
    const char *key = tlm_client_text(client, TLM_CLIENT_PRIVATE_KEY);
    return (ca == NULL || (curl_easy_setopt(handle, CURLOPT_CAINFO, ca) == CURLE_OK &&
                           curl_easy_setopt(handle, CURLOPT_CAPATH, NULL) == CURLE_OK)) &&
           (certificate == NULL ||
            curl_easy_setopt(handle, CURLOPT_SSLCERT, certificate) == CURLE_OK) &&
           (key == NULL || curl_easy_setopt(handle, CURLOPT_SSLKEY, key) == CURLE_OK);
}

static bool set_limits(tlm_link_setup *setup, CURL *handle, long timeout)
{
    return curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, timeout) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
               CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_USERAGENT, "tlm-client/" TLM_VERSION) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, setup->words) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_data) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_WRITEDATA, setup) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_HEADERDATA, setup) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, look) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_XFERINFODATA, setup) == CURLE_OK &&
           curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

tlm_client_result tlm_link_prepare(tlm_link_setup *setup, CURL *handle,
                                   const tlm_link_request *request, tlm_client_error *error)
{
    const tlm_client *client = setup->client;
    char url[sizeof client->target.base + PATH_MAX_LENGTH];
    long timeout = request->timeout > 0 ? request->timeout
                                        : (long)tlm_client_number(client, TLM_CLIENT_TIMEOUT);
    int written = snprintf(url, sizeof url, "%s%s", client->target.base, request->path);
    if (written < 0 || (size_t)written >= sizeof url) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "argument", NULL, "the path is too long");
    }
    bool good = set_limits(setup, handle, timeout) && set_files(client, handle) &&
                curl_easy_setopt(handle, CURLOPT_URL, url) == CURLE_OK;
    if (client->target.socket[0] != '\0') {
        good = good && curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, client->target.socket) ==
                           CURLE_OK;
    }
    if (!good) {
        return tlm_trouble(error, TLM_CLIENT_FAILED, "unsupported", NULL,
                           "libcurl refuses an option of the request");
    }
    tlm_client_result result = set_body(setup, handle, request, error);
    if (result == TLM_CLIENT_OK) {
        result = add_token(setup, error);
    }
    if (result == TLM_CLIENT_OK &&
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, setup->headers) != CURLE_OK) {
        result = tlm_trouble_memory(error);
    }
    return result;
}

void tlm_link_release(tlm_link_setup *setup)
{
    for (struct curl_slist *item = setup->headers; item != NULL; item = item->next) {
        explicit_bzero(item->data, strlen(item->data)); /* the token is one of them */
    }
    curl_slist_free_all(setup->headers);
    free(setup->body);
    free(setup->data);
    *setup = (tlm_link_setup){0};
}
