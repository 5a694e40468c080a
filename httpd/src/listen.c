/* SPDX-License-Identifier: BSD-2-Clause */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* New clients that wait to be accepted; the kernel cuts it to net.core.somaxconn. */
#define BACKLOG 1024

typedef union endpoint {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} endpoint;

static bool parse_address(const char *address, unsigned port, endpoint *to)
{
    char text[INET6_ADDRSTRLEN + 1];
    size_t size = strlen(address);
    if (strcmp(address, "localhost") == 0) {
        address = "127.0.0.1";
    } else if (size > 2 && address[0] == '[' && address[size - 1] == ']' && size <= sizeof text) {
        memcpy(text, address + 1, size - 2);
        text[size - 2] = '\0';
        address = text;
    }
    memset(to, 0, sizeof *to);
    if (inet_pton(AF_INET, address, &to->four.sin_addr) == 1) {
        to->four.sin_family = AF_INET;
        to->four.sin_port = htons((in_port_t)port);
        return true;
    }
    if (inet_pton(AF_INET6, address, &to->six.sin6_addr) == 1) {
        to->six.sin6_family = AF_INET6;
        to->six.sin6_port = htons((in_port_t)port);
        return true;
    }
    return false;
}

static socklen_t endpoint_size(const endpoint *at)
{
    return at->any.sa_family == AF_INET6 ? sizeof at->six : sizeof at->four;
}

/* The names of the bound address; a wildcard is reached through the loopback address. */
static void name_listener(tlm_listener *listener, const endpoint *at)
{
    char host[INET6_ADDRSTRLEN] = "";
    bool six = at->any.sa_family == AF_INET6;
    unsigned port = ntohs(six ? at->six.sin6_port : at->four.sin_port);
    bool wild = six ? IN6_IS_ADDR_UNSPECIFIED(&at->six.sin6_addr) != 0
                    : at->four.sin_addr.s_addr == htonl(INADDR_ANY);
    if (six) {
        (void)inet_ntop(AF_INET6, &at->six.sin6_addr, host, sizeof host);
    } else {
        (void)inet_ntop(AF_INET, &at->four.sin_addr, host, sizeof host);
    }
    const char *open = six ? "[" : "";
    const char *close = six ? "]" : "";
    (void)snprintf(listener->bound, sizeof listener->bound, "%s%s%s:%u", open, host, close, port);
    const char *reach = !wild ? host : six ? "::1" : "127.0.0.1";
    (void)snprintf(listener->url, sizeof listener->url, "http://%s%s%s:%u", open, reach, close,
                   port);
}

static tlm_result bind_failed(const char *address, unsigned port, tlm_error *error)
{
    int number = errno;
    tlm_result result =
        tlm_error_set_errno(error, NULL, "binding the REST interface to %s port %u", address, port);
    switch (number) {
    case EADDRINUSE:
        tlm_error_set_hint(error,
                           "see who has the port: ss -ltnp 'sport = :%u'; or take another one: "
                           "--rest-port PORT (0 takes a free one)",
                           port);
        result = TLM_ERR_BUSY;
        break;
    case EADDRNOTAVAIL:
        tlm_error_set_hint(error,
                           "this host has no address %s (ip address shows those it has); "
                           "name another: --rest-host ADDRESS",
                           address);
        break;
    case EACCES:
        tlm_error_set_hint(error, "ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one: "
                                  "--rest-port PORT");
        break;
    default:
        tlm_error_set_hint(error, "name another address or port: --rest-host, --rest-port");
        break;
    }
    if (error != NULL) {
        error->result = result;
    }
    return result;
}

static tlm_result open_socket(const endpoint *at, const char *address, unsigned port,
                              tlm_listener *listener, tlm_error *error)
{
    int on = 1;
    int off = 0;
    listener->file =
        socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (listener->file < 0) {
        return tlm_error_set_errno(error, "name an address of another kind: --rest-host",
                                   "making a socket for %s", address);
    }
    /* Connections of an earlier run that linger must not keep this one from starting. */
    (void)setsockopt(listener->file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->any.sa_family == AF_INET6) {
        (void)setsockopt(listener->file, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(listener->file, &at->any, endpoint_size(at)) != 0 ||
        listen(listener->file, BACKLOG) != 0) {
        return bind_failed(address, port, error);
    }
    endpoint bound;
    socklen_t size = sizeof bound;
    memset(&bound, 0, sizeof bound);
    if (getsockname(listener->file, &bound.any, &size) != 0) {
        return tlm_error_set_errno(error, NULL, "asking for the address that was bound");
    }
    name_listener(listener, &bound);
    return TLM_OK;
}

tlm_result tlm_listen(const char *address, unsigned port, tlm_listener *listener, tlm_error *error)
{
    *listener = (tlm_listener){.file = -1};
    endpoint at;
    if (port > 65535 || !parse_address(address, port, &at)) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "give an IPv4 or IPv6 address, for example 127.0.0.1, 0.0.0.0 or ::1",
                             "'%s' is not an address to listen on", address);
    }
    tlm_result result = open_socket(&at, address, port, listener, error);
    if (result != TLM_OK) {
        tlm_listener_close(listener);
    }
    return result;
}

void tlm_listener_close(tlm_listener *listener)
{
    if (listener->file >= 0) {
        (void)close(listener->file);
    }
    listener->file = -1;
}
