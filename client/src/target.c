/* SPDX-License-Identifier: BSD-2-Clause */
#include "target_private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client_private.h"

#define FORMS "give http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH"
#define PORT_DIGITS 5U

static tlm_client_result wrong(tlm_client_error *error, const char *url, const char *why)
{
    char shown[128];
    size_t length = 0;
    for (; url[length] != '\0' && length + 1 < sizeof shown; length++) {
        shown[length] = isprint((unsigned char)url[length]) ? url[length] : '?';
    }
    shown[length] = '\0';
    return tlm_trouble(error, TLM_CLIENT_ARGUMENT, "setting", FORMS, "the URL '%s' %s", shown, why);
}

static tlm_client_result parse_socket(const char *url, const char *path, tlm_target *target,
                                      tlm_client_error *error)
{
    if (path[0] != '/') {
        return wrong(error, url, "does not name a socket by its whole path");
    }
    if (strlen(path) >= sizeof target->socket) {
        return wrong(error, url, "names a socket by more than 107 bytes");
    }
    (void)snprintf(target->socket, sizeof target->socket, "%s", path);
    (void)snprintf(target->base, sizeof target->base, "http://localhost");
    target->local = true;
    return TLM_CLIENT_OK;
}

static bool port_fits(const char *port)
{
    size_t length = strspn(port, "0123456789");
    if (length == 0 || length > PORT_DIGITS || port[length] != '\0') {
        return false;
    }
    unsigned number = 0;
    for (size_t i = 0; i < length; i++) {
        number = number * 10 + (unsigned)(port[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

/* Bytes of the host in "HOST[:PORT]", 0 where there is none. An IPv6 address stands in brackets. */
static size_t host_length(const char *place)
{
    if (place[0] == '[') {
        size_t length = strspn(place + 1, "0123456789abcdefABCDEF:.");
        return length > 0 && place[1 + length] == ']' ? length + 2 : 0;
    }
    return strspn(place, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
}

static bool is_loopback(const char *host, size_t length)
{
    static const char *const names[] = {"localhost", "[::1]", "127.0.0.1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == length && strncasecmp(names[i], host, length) == 0) {
            return true;
        }
    }
    return false;
}

tlm_client_result tlm_target_parse(const char *url, tlm_target *target, tlm_client_error *error)
{
    static const char *const schemes[] = {"http://", "https://"};
    tlm_target made = {0};
    if (strncmp(url, "unix:", 5) == 0) {
        tlm_client_result result = parse_socket(url, url + 5, &made, error);
        if (result == TLM_CLIENT_OK) {
            *target = made;
        }
        return result;
    }
    const char *place = NULL;
    const char *scheme = NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0) {
            scheme = schemes[i];
            place = url + strlen(scheme);
        }
    }
    if (place == NULL) {
        return wrong(error, url, "is of no form that is known");
    }
    size_t host = host_length(place);
    size_t length = strlen(place);
    if (length > host && place[length - 1] == '/') {
        length--;
    }
    char port[PORT_DIGITS + 2] = TLM_TARGET_PORT;
    if (host == 0 || (length > host && place[host] != ':') || length - host > PORT_DIGITS + 1) {
        return wrong(error, url, "is not a host and a port alone");
    }
    if (length > host) {
        (void)snprintf(port, sizeof port, "%.*s", (int)(length - host - 1), place + host + 1);
    }
    if (!port_fits(port)) {
        return wrong(error, url, "has a port that is no number from 1 to 65535");
    }
    int written =
        snprintf(made.base, sizeof made.base, "%s%.*s:%s", scheme, (int)host, place, port);
    if (written < 0 || (size_t)written >= sizeof made.base) {
        return wrong(error, url, "has a host name that is too long");
    }
    made.local = is_loopback(place, host);
    *target = made;
    return TLM_CLIENT_OK;
}
