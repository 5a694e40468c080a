/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends in ways that a lease has to survive, or to be returned in: leaver HOW HOST.JWKS.
 *
 *     exit      by exit() with a lease held
 *     callback  by exit() from the callback
 *     handler   by its own SIGTERM handler, which the library calls
 *     fork      after a child that has the same client has ended by exit()
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tlm-client.h>

static volatile sig_atomic_t handled;

static void on_term(int number)
{
    handled = number;
}

static void leave(void *context, tlm_client_lease *lease, tlm_client_level level,
                  const tlm_client_error *cause)
{
    (void)context;
    (void)lease;
    (void)cause;
    printf("callback %s\n", tlm_client_level_text(level));
    exit(5);
}

static int by_handler(tlm_client_lease *lease)
{
    printf("waiting\n");
    fflush(stdout);
    while (handled == 0) {
        (void)poll(NULL, 0, 50);
    }
    /* The library returns the lease beside the handler. */
    while (tlm_client_lease_level(lease) != TLM_CLIENT_STOP) {
        (void)poll(NULL, 0, 50);
    }
    printf("handled %d\n", (int)handled);
    return 6;
}

/* Whether a thread waits for something: the letter behind its name in /proc. */
static bool waits(const char *thread)
{
    char path[300];
    char line[512] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return true; /* it has ended */
    }
    const char *end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    (void)fclose(file);
    return end != NULL && end[1] == ' ' && end[2] == 'S';
}

static bool others_wait(void)
{
    DIR *threads = opendir("/proc/self/task");
    bool all = threads != NULL;
    char own[24];
    (void)snprintf(own, sizeof own, "%ld", (long)getpid());
    for (const struct dirent *entry = NULL; all && (entry = readdir(threads)) != NULL;) {
        all = entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0 || waits(entry->d_name);
    }
    if (threads != NULL) {
        (void)closedir(threads);
    }
    return all;
}

static int by_fork(tlm_client *client, tlm_client_lease *lease)
{
    fflush(stdout);
    /* AddressSanitizer's allocator, unlike the C library's, stays locked in a child that was forked
     * while another thread was in it. */
    while (!others_wait()) {
        (void)poll(NULL, 0, 10);
    }
    pid_t child = fork();
    if (child == 0) {
        tlm_client_lease *mine = lease;
        int right = tlm_client_lease_level(lease) == TLM_CLIENT_STOP &&
                    tlm_client_lease_release(&mine, NULL) == TLM_CLIENT_FORKED && mine == NULL;
        tlm_client_free(&client);
        exit(right ? 0 : 1); /* with the handlers of exit: they are the parent's, too */
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return 1;
    }
    printf("the child is gone, level %s\n", tlm_client_level_text(tlm_client_lease_level(lease)));
    fflush(stdout);
    (void)getchar();
    return 7;
}

int main(int argc, char **argv)
{
    tlm_client *client = NULL;
    tlm_client_lease *lease = NULL;
    tlm_client_error error;
    const tlm_client_ask ask = {.feature = "pro"};
    if (argc != 3) {
        return 2;
    }
    struct sigaction action = {.sa_handler = on_term};
    (void)sigaction(SIGTERM, &action, NULL);
    if (tlm_client_new(NULL, &client, &error) != TLM_CLIENT_OK ||
        tlm_client_set_text(client, TLM_CLIENT_HOST_KEYS_FILE, argv[2], &error) != TLM_CLIENT_OK ||
        tlm_client_on_change(client, strcmp(argv[1], "callback") == 0 ? leave : NULL, NULL,
                             &error) != TLM_CLIENT_OK ||
        tlm_client_release_on_signal(SIGTERM, &error) != TLM_CLIENT_OK ||
        tlm_client_acquire(client, &ask, &lease, &error) != TLM_CLIENT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("held\n");
    fflush(stdout);
    if (strcmp(argv[1], "handler") == 0) {
        return by_handler(lease);
    }
    if (strcmp(argv[1], "fork") == 0) {
        return by_fork(client, lease);
    }
    while (strcmp(argv[1], "callback") == 0) {
        (void)poll(NULL, 0, 50);
    }
    exit(4);
}
