/* SPDX-License-Identifier: BSD-2-Clause */
/* tlm-health: the health check of the container image. Exit status 0 healthy, 1 not, 2 usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/health.h>

#define PORT 52014
#define TIMEOUT_MS 2500
#define SOCKET_MAX 256

enum { HEALTHY = 0, UNHEALTHY = 1, USAGE = 2 };

static const char usage[] =
    "Usage: tlm-health [PATH]\n"
    "       tlm-health --connect SOCKET\n"
    "Asks TLLicenseManager in the same container: exit status 0 where GET PATH (default /ready)\n"
    "is answered with 200. TLM_REST_PORT names the port; where it speaks HTTPS, the socket of\n"
    "the administrators is asked (TLM_ADMIN_SOCKET). With --connect: 0 where somebody listens on\n"
    "that unix socket, as tlm-tokend does on its own.\n";

/* admin.sock beside the socket of tlm-tokend, unless named, as the daemon has it. */
static const char *admin_socket(char *room, size_t size)
{
    const char *named = getenv("TLM_ADMIN_SOCKET");
    if (named != NULL && named[0] != '\0') {
        return named;
    }
    const char *beside = getenv("TLM_PKCS11_SOCKET");
    const char *slash = beside != NULL ? strrchr(beside, '/') : NULL;
    int length = snprintf(room, size, "%.*s/admin.sock", slash != NULL ? (int)(slash - beside) : 8,
                          slash != NULL ? beside : "/run/tlm");
    return length > 0 && (size_t)length < size ? room : NULL;
}

static int tell(bool healthy, const tlm_health_answer *answer)
{
    if (answer->status != 0) {
        (void)printf("%d %s\n", answer->status, answer->text);
    } else if (!healthy) {
        (void)printf("%s\n", answer->text);
    }
    return healthy ? HEALTHY : UNHEALTHY;
}

int main(int argc, char **argv)
{
    static tlm_health_answer answer;
    char room[SOCKET_MAX];
    if (argc == 3 && strcmp(argv[1], "--connect") == 0) {
        return tell(tlm_health_connect(argv[2], TIMEOUT_MS, &answer), &answer);
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return fputs(usage, stdout) >= 0 ? HEALTHY : UNHEALTHY;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] != '/')) {
        (void)fputs(usage, stderr);
        return USAGE;
    }
    tlm_health_ask ask = {.path = argc == 2 ? argv[1] : "/ready",
                          .port = tlm_health_port(getenv("TLM_REST_PORT"), PORT),
                          .socket = admin_socket(room, sizeof room),
                          .timeout_ms = TIMEOUT_MS};
    if (ask.port == 0) {
        (void)fprintf(stderr, "tlm-health: TLM_REST_PORT is no port to be asked: %s\n",
                      getenv("TLM_REST_PORT"));
        return USAGE;
    }
    return tell(tlm_health_get(&ask, &answer), &answer);
}
