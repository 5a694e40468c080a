/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/notify.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <tlm/log.h>

/* The address of $NOTIFY_SOCKET: a path, or an abstract name that begins with '@'. */
static socklen_t manager_address(struct sockaddr_un *address)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t size = name != NULL ? strlen(name) : 0;
    if (size < 2 || size >= sizeof address->sun_path || (name[0] != '/' && name[0] != '@')) {
        return 0;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, name, size);
    if (name[0] == '@') {
        address->sun_path[0] = '\0';
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

void tlm_notify(const char *format, ...)
{
    struct sockaddr_un address;
    socklen_t address_size = manager_address(&address);
    if (address_size == 0) {
        return;
    }
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        return;
    }
    size_t length = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0) {
        return;
    }
    if (sendto(file, text, length, MSG_NOSIGNAL, (struct sockaddr *)&address, address_size) < 0) {
        tlm_log(TLM_LOG_DEBUG, "notify_failed", "socket=%s", getenv("NOTIFY_SOCKET"));
    }
    (void)close(file);
}

void tlm_notify_reloading(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    tlm_notify("RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}
