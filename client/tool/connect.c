/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tlm/file.h>

#include "client_private.h"
#include "link_private.h"
#include "tool.h"

#define ADMIN_SOCKET "/run/tlm/admin.sock"
#define PERSISTENCE "/etc/asperion/trustedLicensing/persistence"
#define ADMIN_TOKEN "admin.token"
#define TIMEOUT_MAX 600

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

static bool is_socket(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISSOCK(status.st_mode) && access(path, W_OK) == 0;
}

/* Where to go: what was named, else for administrators their socket where it is there. */
static tlm_client_result make(const tlm_tool_options *options, tlm_client **client, bool *named,
                              tlm_client_error *error)
{
    char url[160];
    const char *socket = options->socket;
    *named = socket != NULL || options->url != NULL || environment("TLM_URL", NULL) != NULL;
    if (options->socket != NULL && options->url != NULL) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", NULL,
                           "--url and --socket are given both");
    }
    bool administrator = options->command->administrator || options->force;
    if (!*named && administrator && is_socket(environment("TLM_ADMIN_SOCKET", ADMIN_SOCKET))) {
        socket = environment("TLM_ADMIN_SOCKET", ADMIN_SOCKET);
    }
    if (socket == NULL) {
        return tlm_client_new(options->url, client, error);
    }
    int written = snprintf(url, sizeof url, "unix:%s", socket);
    if (written < 0 || (size_t)written >= sizeof url) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", NULL,
                           "the path of the socket is too long");
    }
    return tlm_client_new(url, client, error);
}

/* The administrator's token, where this user may read it: only for the daemon of this host. */
static char *own_token(const tlm_tool_options *options, const tlm_client *client)
{
    if ((!options->command->administrator && !options->force) || !client->target.local ||
        client->target.socket[0] != '\0') {
        return NULL;
    }
    char *path = tlm_path_join(environment("TLM_PERSISTENCE_DIR", PERSISTENCE), ADMIN_TOKEN);
    if (path != NULL && access(path, R_OK) != 0) {
        free(path);
        return NULL;
    }
    return path;
}

static tlm_client_result set_token(const tlm_tool_options *options, tlm_client *client,
                                   tlm_client_error *error)
{
    const char *given =
        options->token_file != NULL ? options->token_file : environment("TLM_TOKEN_FILE", NULL);
    char *own = given == NULL ? own_token(options, client) : NULL;
    tlm_client_result result =
        tlm_client_set_text(client, TLM_CLIENT_TOKEN_FILE, given != NULL ? given : own, error);
    free(own);
    return result;
}

static tlm_client_result set_name(const tlm_tool_options *options, tlm_client *client,
                                  tlm_client_error *error)
{
    char host[64] = "host";
    char name[128];
    if (options->client != NULL) {
        return tlm_client_set_text(client, TLM_CLIENT_NAME, options->client, error);
    }
    if (options->command->run == tlm_tool_run) {
        return TLM_CLIENT_OK; /* each run is a client of its own */
    }
    if (gethostname(host, sizeof host) != 0) {
        (void)snprintf(host, sizeof host, "host");
    }
    host[sizeof host - 1] = '\0';
    const char *user = environment("USER", NULL);
    if (user != NULL && strlen(user) < 48) {
        (void)snprintf(name, sizeof name, "%s@%s", user, host);
    } else {
        (void)snprintf(name, sizeof name, "%ld@%s", (long)getuid(), host);
    }
    return tlm_client_set_text(client, TLM_CLIENT_NAME, name, error);
}

static tlm_client_result set_numbers(const tlm_tool_options *options, tlm_client *client,
                                     tlm_client_error *error)
{
    long long seconds = 0;
    tlm_client_result result = tlm_tool_number(options->timeout, "timeout", 0, &seconds, error);
    if (result == TLM_CLIENT_OK && options->timeout != NULL &&
        (seconds < 1 || seconds > TIMEOUT_MAX)) {
        return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", NULL,
                           "--timeout takes 1 to %d seconds", TIMEOUT_MAX);
    }
    if (result == TLM_CLIENT_OK && seconds > 0) {
        result = tlm_client_set_number(client, TLM_CLIENT_TIMEOUT, seconds * 1000, error);
    }
    /* The way to the daemon of this host needs no proof, unless somebody wants one. */
    bool keys = options->keys != NULL || options->host_kid != NULL || options->trust_file != NULL;
    bool verify = keys || (!options->no_verify && !client->target.local);
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_set_number(client, TLM_CLIENT_VERIFY, verify ? 1 : 0, error);
    }
    return result;
}

static tlm_client_result set_all(const tlm_tool_options *options, tlm_client *client,
                                 tlm_client_error *error)
{
    const struct {
        tlm_client_option option;
        const char *value;
    } texts[] = {{TLM_CLIENT_CA_FILE, options->ca},
                 {TLM_CLIENT_CERTIFICATE, options->certificate},
                 {TLM_CLIENT_PRIVATE_KEY, options->private_key},
                 {TLM_CLIENT_HOST_KEYS_FILE, options->keys},
                 {TLM_CLIENT_HOST_KID, options->host_kid},
                 {TLM_CLIENT_TRUST_FILE, options->trust_file},
                 {TLM_CLIENT_VENDOR_KEYS_FILE, options->vendor_keys}};
    tlm_client_result result = TLM_CLIENT_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && result == TLM_CLIENT_OK; i++) {
        result = tlm_client_set_text(client, texts[i].option, texts[i].value, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = set_token(options, client, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = set_name(options, client, error);
    }
    return result == TLM_CLIENT_OK ? set_numbers(options, client, error) : result;
}

tlm_client_result tlm_tool_connect(const tlm_tool_options *options, tlm_client **client,
                                   tlm_client_error *error)
{
    bool named = false;
    tlm_client *made = NULL;
    tlm_client_result result = make(options, &made, &named, error);
    if (result == TLM_CLIENT_OK) {
        result = set_all(options, made, error);
    }
    if (result != TLM_CLIENT_OK) {
        tlm_client_free(&made);
        return result;
    }
    *client = made;
    return TLM_CLIENT_OK;
}

tlm_client_result tlm_tool_ask(const tlm_tool_options *options, tlm_client_ask *ask,
                               tlm_client_error *error)
{
    long long wait = 0;
    *ask = (tlm_client_ask){.feature = options->feature,
                            .vendor = options->vendor,
                            .product = options->product,
                            .license = options->license,
                            .request = options->request,
                            .give_back = options->give_back};
    tlm_client_result result = tlm_tool_number(options->units, "units", 0, &ask->units, error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_number(options->ttl, "ttl", 0, &ask->ttl, error);
    }
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_number(options->wait, "wait", 0, &wait, error);
    }
    ask->wait = wait < 86400LL * 365 ? (unsigned)wait : 86400U * 365U;
    if (result == TLM_CLIENT_OK && options->feature == NULL) {
        result = tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", NULL,
                             "--feature is missing: %s needs the id of a feature",
                             options->command->name);
    }
    return result;
}

tlm_client_result tlm_tool_call(tlm_client *client, const char *method, const char *path,
                                json_t *body, json_t **answer, tlm_client_error *error)
{
    const tlm_link_request request = {.method = method, .path = path, .body = body, .tries = 2};
    tlm_link_answer got;
    tlm_client_result result = tlm_link_call(client, &request, &got, error);
    json_decref(body);
    *answer = got.body;
    return result;
}

int tlm_tool_fetch(const tlm_tool_options *options, const char *path, json_t **answer)
{
    tlm_client *client = NULL;
    tlm_client_error error;
    tlm_client_result result = tlm_tool_connect(options, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_tool_call(client, "GET", path, NULL, answer, &error);
    }
    tlm_client_free(&client);
    return result == TLM_CLIENT_OK ? TLM_EXIT_DONE : tlm_tool_failure(&error);
}
