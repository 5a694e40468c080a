/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The floor of a process and of HTTP: libmicrohttpd with the options of TLLicenseManager and one
 * prebuilt response for each path, nothing else. Linked against the same shared libraries.
 *
 * Says "ready http://…" once it listens; port 0 takes a free one.
 *
 *     bench-floor-http PORT                                  /health answers {"status":"ok"}
 *     bench-floor-http PORT /health=FILE /fingerprint=FILE   each path answers what is in its file
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

#define PATHS_MAX 4
#define BODY_MAX 16384U
#define CONNECTIONS 2560U

typedef struct page {
    const char *path;
    struct MHD_Response *response;
} page;

static page pages[PATHS_MAX];
static int page_count;

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_size;
    if (*state == NULL) {
        *state = context; /* an answer on the first call would close the connection */
        return MHD_YES;
    }
    for (int i = 0; i < page_count; i++) {
        if (strcmp(pages[i].path, url) == 0) {
            return MHD_queue_response(connection, MHD_HTTP_OK, pages[i].response);
        }
    }
    return MHD_NO;
}

static bool add_page(const char *path, char *body, size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL || page_count == PATHS_MAX) {
        return false;
    }
    pages[page_count++] = (page){path, response};
    return MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                   "application/json; charset=utf-8") == MHD_YES &&
           MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES;
}

/* PATH=FILE */
static bool add_file(char *argument)
{
    static char body[BODY_MAX];
    char *name = strchr(argument, '=');
    if (name == NULL) {
        return false;
    }
    *name++ = '\0';
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(body, 1, sizeof body, file);
    bool whole = ferror(file) == 0 && feof(file) != 0;
    (void)fclose(file);
    return whole && add_page(argument, body, size);
}

static struct MHD_Daemon *listen_at(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL,
        handle, &pages, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)8192,
        MHD_OPTION_CONNECTION_TIMEOUT, 60U, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U, MHD_OPTION_END);
}

static unsigned port_of(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info != NULL ? info->port : 0;
}

static void allow_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < CONNECTIONS + 64) {
        limit.rlim_cur = limit.rlim_max < CONNECTIONS + 64 ? limit.rlim_max : CONNECTIONS + 64;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static char healthy[] = "{\"status\":\"ok\"}";
    char *end = NULL;
    int number = 0;
    sigset_t stop;
    unsigned long port = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    bool good = argc > 1 && end != argv[1] && port <= 65535 && *end == '\0';
    for (int i = 2; good && i < argc; i++) {
        good = add_file(argv[i]);
    }
    if (good && argc == 2) {
        good = add_page("/health", healthy, sizeof healthy - 1);
    }
    if (!good) {
        (void)fputs("bench-floor-http PORT [PATH=FILE]...\n", stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
    allow_connections();
    struct MHD_Daemon *daemon = listen_at((unsigned)port);
    if (daemon == NULL) {
        (void)fprintf(stderr, "bench-floor-http: port %lu: %s\n", port, strerror(errno));
        return 1;
    }
    (void)printf("ready http://127.0.0.1:%u\n", port_of(daemon));
    (void)fflush(stdout);
    (void)sigwait(&stop, &number);
    MHD_stop_daemon(daemon);
    for (int i = 0; i < page_count; i++) {
        MHD_destroy_response(pages[i].response);
    }
    return 0;
}
