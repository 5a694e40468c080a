/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_link.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include <tlm/file.h>

#include "engine.h"

#define CONNECT_MS 2000L
#define URL_MAX 1024U
#define ROOM_FIRST 8192U
#define GROUPS_SHOWN 64

struct tlm_engine_link {
    tlm_engine_address address;
    CURLM *multi;
    char *ca;
    char *certificate;
    char *key;
    atomic_bool interrupted;
};

/* What one request gathers. */
typedef struct gathering {
    tlm_engine_reply *reply;
    size_t room;
    bool too_large;
    char words[CURL_ERROR_SIZE];
} gathering;

static size_t take_data(char *data, size_t one, size_t count, void *context)
{
    gathering *self = context;
    tlm_engine_reply *reply = self->reply;
    size_t size = one * count; /* libcurl's `one` is always 1 */
    if (size > TLM_ENGINE_ANSWER_MAX - reply->size) {
        self->too_large = true;
        return 0;
    }
    if (reply->size + size + 1 > self->room) {
        size_t room = self->room == 0 ? ROOM_FIRST : self->room;
        while (room < reply->size + size + 1) {
            room *= 2;
        }
        char *more = realloc(reply->text, room);
        if (more == NULL) {
            return 0;
        }
        reply->text = more;
        self->room = room;
    }
    memcpy(reply->text + reply->size, data, size);
    reply->size += size;
    reply->text[reply->size] = '\0';
    return size;
}

static bool set_way(const tlm_engine_link *link, CURL *handle)
{
    bool good = true;
    if (link->address.socket[0] != '\0') {
        good = curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, link->address.socket) == CURLE_OK;
    }
    if (link->address.tls) {
        good = good && curl_easy_setopt(handle, CURLOPT_SSLVERSION,
                                        (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    }
    if (link->ca != NULL) {
        good = good && curl_easy_setopt(handle, CURLOPT_CAINFO, link->ca) == CURLE_OK &&
               curl_easy_setopt(handle, CURLOPT_CAPATH, NULL) == CURLE_OK &&
               curl_easy_setopt(handle, CURLOPT_SSLCERT, link->certificate) == CURLE_OK &&
               curl_easy_setopt(handle, CURLOPT_SSLKEY, link->key) == CURLE_OK;
    }
    return good;
}

static bool set_bounds(CURL *handle, unsigned timeout_ms)
{
    long whole = (long)timeout_ms;
    bool good =
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, whole) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                         whole < CONNECT_MS ? whole : CONNECT_MS) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that is still being looked up would otherwise hold the daemon's end. */
    good = good && curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#endif
    return good;
}

static bool set_request(CURL *handle, const char *method, const char *url, gathering *gathered)
{
    bool good =
        curl_easy_setopt(handle, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_USERAGENT, "TLLicenseManager/" TLM_VERSION) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, gathered->words) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_data) == CURLE_OK &&
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, gathered) == CURLE_OK;
    if (strcmp(method, "GET") != 0) {
        good = good && curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "") == CURLE_OK &&
               curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
    }
    return good;
}

/* "1000, 113": the groups of this process, the effective one first. */
static void write_groups(char *text, size_t size, gid_t searched, bool *member)
{
    gid_t groups[GROUPS_SHOWN];
    int count = getgroups(GROUPS_SHOWN, groups);
    *member = getegid() == searched;
    int used = snprintf(text, size, "%u", (unsigned)getegid());
    for (int i = 0; i < count; i++) {
        *member = *member || groups[i] == searched;
        if (groups[i] != getegid() && used > 0 && (size_t)used < size) {
            int more = snprintf(text + used, size - (size_t)used, ", %u", (unsigned)groups[i]);
            used += more > 0 ? more : 0;
        }
    }
}

static tlm_result refuse_permission(const tlm_engine_address *address, tlm_error *error)
{
    struct stat file = {0};
    const char *path = address->socket;
    if (stat(path, &file) != 0) {
        return tlm_error_set(error, TLM_ERR_PERMISSION,
                             "give this user the way to it, or name another: --docker-host none",
                             "the path to the container engine's socket %s is closed to uid %u",
                             path, (unsigned)geteuid());
    }
    char groups[128];
    bool member = false;
    write_groups(groups, sizeof groups, file.st_gid, &member);
    tlm_result result = tlm_error_set(
        error, TLM_ERR_PERMISSION, NULL,
        "the container engine's socket %s (uid %u, gid %u, mode %04o) refuses uid %u with gid %s",
        path, (unsigned)file.st_uid, (unsigned)file.st_gid, (unsigned)file.st_mode & 07777U,
        (unsigned)geteuid(), groups);
    if (error == NULL) {
        return result;
    }
    if (member || (file.st_mode & S_IWGRP) == 0) {
        tlm_error_set_hint(error,
                           "the group is not what is missing: look at the mode of %s on the "
                           "host, and at SELinux or AppArmor there (ausearch -m avc)",
                           path);
    } else {
        tlm_error_set_hint(error,
                           "start the container with --group-add %u (compose: group_add: "
                           "[\"%u\"]), or without the socket",
                           (unsigned)file.st_gid, (unsigned)file.st_gid);
    }
    return result;
}

static tlm_result refuse_connect(const tlm_engine_link *link, long number, const char *why,
                                 tlm_error *error)
{
    const tlm_engine_address *address = &link->address;
    bool local = address->socket[0] != '\0';
    if (local && (number == ENOENT || number == ENOTDIR)) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "mount it, or name another: --docker-host",
                             "there is no socket %s", address->socket);
    }
    if (local && (number == EACCES || number == EPERM)) {
        return refuse_permission(address, error);
    }
    return tlm_error_set(error, TLM_ERR_IO,
                         local ? "is the engine running? On the host: systemctl status docker"
                               : "is the engine running, and does it listen there? --docker-host",
                         "no container engine answers at %s: %s", address->shown,
                         number != 0 ? strerrordesc_np((int)number) : why);
}

static tlm_result refuse(const tlm_engine_link *link, CURL *handle, CURLcode code,
                         const gathering *gathered, tlm_error *error)
{
    const char *where = link->address.shown;
    const char *why = gathered->words[0] != '\0' ? gathered->words : curl_easy_strerror(code);
    long number = 0;
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        (void)curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &number);
        return refuse_connect(link, number, why, error);
    case CURLE_OPERATION_TIMEDOUT:
        return tlm_error_set(error, TLM_ERR_TIMEOUT, "see whether it answers: docker version",
                             "the container engine at %s did not answer in time", where);
    case CURLE_OUT_OF_MEMORY:
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask %s", where);
    case CURLE_PEER_FAILED_VERIFICATION:
        return tlm_error_set(
            error, TLM_ERR_UNTRUSTED, "name the directory of its ca.pem: --docker-cert-path",
            "the certificate of the container engine at %s is not trusted: %s", where, why);
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "ca.pem, cert.pem and key.pem have to be in --docker-cert-path, and "
                             "readable",
                             "certificate or key for the container engine at %s: %s", where, why);
    default:
        break;
    }
    if (gathered->too_large) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "the container engine at %s answered with more than %zu bytes", where,
                             TLM_ENGINE_ANSWER_MAX);
    }
    return tlm_error_set(error, TLM_ERR_IO, "see whether it answers: docker version",
                         "the container engine at %s broke off: %s", where, why);
}

/* Until the one transfer is over; false where it was interrupted. */
static bool run(tlm_engine_link *link, CURLcode *code)
{
    int running = 1;
    while (!atomic_load(&link->interrupted)) {
        if (curl_multi_perform(link->multi, &running) != CURLM_OK) {
            *code = CURLE_OUT_OF_MEMORY;
            return true;
        }
        if (running == 0) {
            int left = 0;
            const CURLMsg *message = curl_multi_info_read(link->multi, &left);
            *code = message != NULL ? message->data.result : CURLE_FAILED_INIT;
            return true;
        }
        /* Returns for the transfer's own deadlines, and at once for tlm_engine_link_interrupt. */
        (void)curl_multi_poll(link->multi, NULL, 0, 1000, NULL);
    }
    return false;
}

static tlm_result transfer(tlm_engine_link *link, CURL *handle, const gathering *gathered,
                           tlm_error *error)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (curl_multi_add_handle(link->multi, handle) != CURLM_OK) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask %s",
                             link->address.shown);
    }
    bool whole = run(link, &code);
    tlm_result result = TLM_OK;
    if (!whole) {
        result = tlm_error_set(error, TLM_ERR_TIMEOUT, NULL, "asking %s was broken off",
                               link->address.shown);
    } else if (code != CURLE_OK) {
        result = refuse(link, handle, code, gathered, error);
    }
    (void)curl_multi_remove_handle(link->multi, handle);
    return result;
}

tlm_result tlm_engine_link_send(tlm_engine_link *link, const char *method, const char *path,
                                unsigned timeout_ms, tlm_engine_reply *reply, tlm_error *error)
{
    *reply = (tlm_engine_reply){.status = 0};
    gathering gathered = {.reply = reply};
    char url[URL_MAX];
    int length = snprintf(url, sizeof url, "%s%s", link->address.base, path);
    CURL *handle = length > 0 && (size_t)length < sizeof url ? curl_easy_init() : NULL;
    tlm_result result = TLM_OK;
    if (handle == NULL || !set_way(link, handle) || !set_bounds(handle, timeout_ms) ||
        !set_request(handle, method, url, &gathered)) {
        result =
            tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                          "libcurl refuses an option of the request to %s", link->address.shown);
    }
    if (result == TLM_OK) {
        result = transfer(link, handle, &gathered, error);
    }
    if (result == TLM_OK) {
        (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply->status);
    }
    if (result == TLM_OK && reply->text == NULL) {
        reply->text = calloc(1, 1);
        result = reply->text != NULL
                     ? TLM_OK
                     : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for an answer");
    }
    curl_easy_cleanup(handle);
    return result;
}

void tlm_engine_reply_clear(tlm_engine_reply *reply)
{
    free(reply->text);
    *reply = (tlm_engine_reply){.status = 0};
}

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

tlm_result tlm_engine_link_new(const tlm_engine_address *address, const char *cert_path,
                               tlm_engine_link **link, tlm_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *link = NULL;
    (void)pthread_once(&once, start_curl);
    tlm_engine_link *self = calloc(1, sizeof *self);
    bool whole = self != NULL;
    if (whole) {
        self->address = *address;
        atomic_init(&self->interrupted, false);
        self->multi = curl_multi_init();
        whole = self->multi != NULL;
    }
    if (whole && address->tls && cert_path != NULL && cert_path[0] != '\0') {
        self->ca = tlm_path_join(cert_path, "ca.pem");
        self->certificate = tlm_path_join(cert_path, "cert.pem");
        self->key = tlm_path_join(cert_path, "key.pem");
        whole = self->ca != NULL && self->certificate != NULL && self->key != NULL;
    }
    if (!whole) {
        tlm_engine_link_free(&self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory to ask a container engine");
    }
    *link = self;
    return TLM_OK;
}

void tlm_engine_link_interrupt(tlm_engine_link *link)
{
    atomic_store(&link->interrupted, true);
    (void)curl_multi_wakeup(link->multi);
}

void tlm_engine_link_free(tlm_engine_link **link)
{
    tlm_engine_link *self = *link;
    *link = NULL;
    if (self == NULL) {
        return;
    }
    (void)curl_multi_cleanup(self->multi);
    free(self->ca);
    free(self->certificate);
    free(self->key);
    free(self);
}
