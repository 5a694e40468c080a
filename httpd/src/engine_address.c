/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#include "engine.h"

#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define ADDRESS_HINT "write unix:///var/run/docker.sock, tcp://HOST:2375, or none to ask nobody"

/* The ports that Docker means where none is written. */
#define PORT_PLAIN "2375"
#define PORT_TLS "2376"

static tlm_result refuse(const char *text, const char *why, tlm_error *error)
{
    char quoted[160];
    return tlm_error_set(error, TLM_ERR_SETTING, ADDRESS_HINT,
                         "%s is no address of a container engine: %s",
                         tlm_log_quote(text, quoted, sizeof quoted), why);
}

/* What follows a prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static tlm_result take_socket(const char *text, const char *path, tlm_engine_address *address,
                              tlm_error *error)
{
    if (path[0] != '/') {
        return refuse(text, "the path of the socket does not begin with /", error);
    }
    if (strlen(path) >= sizeof address->socket) {
        return refuse(text, "the path of the socket is longer than 107 bytes", error);
    }
    (void)snprintf(address->socket, sizeof address->socket, "%s", path);
    (void)snprintf(address->shown, sizeof address->shown, "unix://%s", path);
    (void)snprintf(address->base, sizeof address->base, "http://localhost");
    return TLM_OK;
}

static bool port_good(const char *port)
{
    size_t length = strlen(port);
    if (length == 0 || length > 5 || strspn(port, "0123456789") != length) {
        return false;
    }
    unsigned long number = strtoul(port, NULL, 10);
    return number > 0 && number <= 65535;
}

/* How long the host is, with brackets around an IPv6 address; 0 where it is none. */
static size_t host_length(const char *host)
{
    if (host[0] != '[') {
        return strspn(host, HOST_CHARACTERS);
    }
    size_t length = strspn(host + 1, "0123456789abcdefABCDEF:.");
    return length > 0 && host[length + 1] == ']' ? length + 2 : 0;
}

static tlm_result take_tcp(const char *text, const char *rest, tlm_engine_address *address,
                           tlm_error *error)
{
    size_t length = host_length(rest);
    if (length == 0) {
        return refuse(text, "there is no host in it", error);
    }
    if (length > 255 - sizeof "https://:65535") {
        return refuse(text, "the host is too long", error);
    }
    char port[8] = "";
    const char *end = rest + length;
    if (*end == ':') {
        size_t digits = strcspn(end + 1, "/");
        if (digits < sizeof port) {
            memcpy(port, end + 1, digits);
        }
        if (!port_good(port)) {
            return refuse(text, "the port is not a number from 1 to 65535", error);
        }
        end += digits + 1;
    }
    /* A user and a password end here, too: they would go over the wire, and into the status. */
    if (strcmp(end, "") != 0 && strcmp(end, "/") != 0) {
        return refuse(text, "only a host and a port may follow the scheme", error);
    }
    if (port[0] == '\0') {
        memcpy(port, address->tls ? PORT_TLS : PORT_PLAIN, sizeof PORT_TLS);
    }
    (void)snprintf(address->base, sizeof address->base, "%s://%.*s:%s",
                   address->tls ? "https" : "http", (int)length, rest, port);
    (void)snprintf(address->shown, sizeof address->shown, "%s://%.*s:%s",
                   address->tls ? "https" : "tcp", (int)length, rest, port);
    return TLM_OK;
}

tlm_result tlm_engine_address_parse(const char *text, bool certificates,
                                    tlm_engine_address *address, tlm_error *error)
{
    static const char *const foreign[] = {"ssh://", "fd://", "npipe://"};
    *address = (tlm_engine_address){.nobody = false};
    text = text != NULL && text[0] != '\0' ? text : "unix://" TLM_ENGINE_SOCKET;
    if (strcmp(text, "none") == 0) {
        address->nobody = true;
        return TLM_OK;
    }
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (after(text, foreign[i]) != NULL) {
            return tlm_error_set(error, TLM_ERR_UNSUPPORTED, ADDRESS_HINT,
                                 "a container engine cannot be asked by way of %s", foreign[i]);
        }
    }
    const char *rest = after(text, "unix://");
    if (rest != NULL) {
        return take_socket(text, rest, address, error);
    }
    static const struct {
        const char *prefix;
        bool plain; /* also where certificates are named */
        bool tls;
    } schemes[] = {{"tcp://", false, false}, {"http://", true, false}, {"https://", false, true}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        rest = after(text, schemes[i].prefix);
        if (rest != NULL) {
            address->tls = schemes[i].tls || (certificates && !schemes[i].plain);
            return take_tcp(text, rest, address, error);
        }
    }
    return refuse(text, "it has none of the schemes unix, tcp, http, https", error);
}
