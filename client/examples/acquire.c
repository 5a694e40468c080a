/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that needs a floating seat: takes one, works, and goes by the grace ladder while the
 * daemon is away.
 *
 *     cc acquire.c $(pkg-config --cflags --libs tlm-client) -o acquire
 *     ./acquire FEATURE HOST.JWKS < /dev/tty
 *
 * The daemon is the one of TLM_URL, or of this host. Whatever is read stands for work.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <tlm-client.h>

static atomic_int stop;

/* Called from the library's thread, so it says what is to be done and leaves it to the others. */
static void changed(void *context, tlm_client_lease *lease, tlm_client_level level,
                    const tlm_client_error *cause)
{
    atomic_int *flag = context;
    (void)lease;
    printf("level %s %s\n", tlm_client_level_text(level), cause->code);
    fflush(stdout);
    atomic_store(flag, level == TLM_CLIENT_STOP);
}

static int complain(const tlm_client_error *error)
{
    fprintf(stderr, "%s [%s]\n%s\n", error->message, error->code, error->hint);
    return error->result == TLM_CLIENT_SEATS ? 3 : 1;
}

static void work(tlm_client_lease *lease)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char data[128];
    while (atomic_load(&stop) == 0) {
        if (poll(&input, 1, 1000) <= 0) {
            continue; /* to look whether to stop */
        }
        if (read(STDIN_FILENO, data, sizeof data) <= 0) {
            return;
        }
        printf("worked at level %s\n", tlm_client_level_text(tlm_client_lease_level(lease)));
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    tlm_client *client = NULL;
    tlm_client_lease *lease = NULL;
    tlm_client_grant grant;
    tlm_client_error error;
    if (argc != 3) {
        fprintf(stderr, "usage: acquire FEATURE HOST.JWKS\n");
        return 2;
    }
    const tlm_client_ask ask = {.feature = argv[1], .units = 1};
    if (tlm_client_new(NULL, &client, &error) != TLM_CLIENT_OK) {
        return complain(&error);
    }
    /* Save it once, from a place that is trusted: tlm keys > host.jwks */
    if (tlm_client_set_text(client, TLM_CLIENT_HOST_KEYS_FILE, argv[2], &error) != TLM_CLIENT_OK ||
        tlm_client_on_change(client, changed, &stop, &error) != TLM_CLIENT_OK ||
        tlm_client_release_on_signal(SIGTERM, &error) != TLM_CLIENT_OK ||
        tlm_client_acquire(client, &ask, &lease, &error) != TLM_CLIENT_OK ||
        tlm_client_lease_grant(lease, &grant, &error) != TLM_CLIENT_OK) {
        tlm_client_free(&client);
        return complain(&error);
    }
    printf("held %s fence %lld memory %s\n", grant.feature, grant.fence,
           grant.memory != NULL ? grant.memory : "none");
    fflush(stdout);
    tlm_client_grant_clear(&grant);

    work(lease);

    if (tlm_client_lease_release(&lease, &error) != TLM_CLIENT_OK) {
        fprintf(stderr, "the seat was not returned and runs out: %s\n", error.message);
    }
    tlm_client_free(&client);
    return 0;
}
