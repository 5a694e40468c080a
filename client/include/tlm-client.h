/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CLIENT_H
#define TLM_CLIENT_H

/*
 * Licenses for an application: takes seats from TLLicenseManager, keeps them by renewing in the
 * background, returns them at the end, and says how to go on while the daemon is away.
 *
 *     tlm_client *client = NULL;
 *     tlm_client_lease *lease = NULL;
 *     tlm_client_error error;
 *     if (tlm_client_new(NULL, &client, &error) != TLM_CLIENT_OK ||
 *         tlm_client_set_text(client, TLM_CLIENT_HOST_KEYS_FILE, "host.jwks", &error) !=
 *             TLM_CLIENT_OK ||
 *         tlm_client_acquire(client, &(tlm_client_ask){.feature = "pro"}, &lease, &error) !=
 *             TLM_CLIENT_OK) {
 *         fprintf(stderr, "%s\n%s\n", error.message, error.hint);
 *         return 1;
 *     }
 *     … work while tlm_client_lease_level(lease) is below TLM_CLIENT_STOP …
 *     (void)tlm_client_lease_release(&lease, NULL);
 *     tlm_client_free(&client);
 *
 * Compile with `pkg-config --cflags --libs tlm-client`. docs/client.md is the guide.
 *
 * Threads: every function may be called from every thread, but a client or a lease is not to be
 * used while another thread frees it. One thread of the library renews all leases of a client; it
 * begins with the first lease and has every signal blocked.
 *
 * Fork: a client belongs to the process that made it. In a child every function on it returns
 * TLM_CLIENT_FORKED, nothing is sent, and tlm_client_free leaves the memory where it is; the lease
 * stays the parent's. Make another client there.
 *
 * Errors: `error` may be NULL wherever it is the last argument.
 */

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TLM_CLIENT_CHECKED __attribute__((warn_unused_result))
#else
#define TLM_CLIENT_CHECKED
#endif

typedef enum tlm_client_result {
    TLM_CLIENT_OK = 0,
    TLM_CLIENT_FAILED,   /* none of the following: error.code and error.message say what */
    TLM_CLIENT_ARGUMENT, /* an argument, option or file is not what it should be */
    TLM_CLIENT_REFUSED,  /* the licenses do not allow it; error.code names the reason */
    TLM_CLIENT_SEATS,    /* every seat is taken; error.position, error.retry_after */
    TLM_CLIENT_AWAY,     /* the daemon cannot be reached, or is not ready */
    TLM_CLIENT_DENIED,   /* the daemon wants a token or certificate, or another one */
    TLM_CLIENT_UNPROVEN, /* an answer is not proven by the host's key, or that is not known */
    TLM_CLIENT_GONE,     /* there is no such lease any more */
    TLM_CLIENT_FORKED    /* the client is another process's */
} tlm_client_result;

typedef struct tlm_client_error {
    tlm_client_result result;
    char code[40];        /* stable word: docs/formats.md, "Codes" */
    char message[512];    /* what happened, to what */
    char hint[512];       /* what to do next; may be empty */
    long status;          /* HTTP status, 0 where there was no answer */
    unsigned position;    /* TLM_CLIENT_SEATS: place in the queue, from 1 */
    unsigned retry_after; /* seconds, 0 where the daemon did not say */
} tlm_client_error;

/* How an application should go on with a lease; each step is the worse one. */
typedef enum tlm_client_level {
    TLM_CLIENT_FINE = 0, /* the lease is held */
    TLM_CLIENT_WARN,     /* not renewed for long: tell the user, go on */
    TLM_CLIENT_DEGRADED, /* run out, or the seat went to somebody else: save, begin nothing new */
    TLM_CLIENT_STOP      /* the grace is over, or the license does not allow it any more: end */
} tlm_client_level;

typedef struct tlm_client tlm_client;
typedef struct tlm_client_lease tlm_client_lease;

/* What a client can be told; docs/client.md describes each. */
typedef enum tlm_client_option {
    TLM_CLIENT_NAME = 0,         /* text: who holds the leases; made from host and process */
    TLM_CLIENT_TOKEN_FILE,       /* text: file with the bearer token */
    TLM_CLIENT_CA_FILE,          /* text: PEM of whom to believe the daemon's certificate */
    TLM_CLIENT_CERTIFICATE,      /* text: PEM of the client's certificate */
    TLM_CLIENT_PRIVATE_KEY,      /* text: PEM of its key */
    TLM_CLIENT_HOST_KEYS,        /* text: JWKS of the host */
    TLM_CLIENT_HOST_KEYS_FILE,   /* text: file with it */
    TLM_CLIENT_HOST_KID,         /* text: thumbprint (RFC 7638) of the host's signing key */
    TLM_CLIENT_TRUST_FILE,       /* text: keeps the host's keys from the first use on */
    TLM_CLIENT_VENDOR_KEYS_FILE, /* text: JWKS of vendors, for license files */
    TLM_CLIENT_VERIFY,           /* number: 1; 0 takes answers without proof */
    TLM_CLIENT_TIMEOUT,          /* number: milliseconds of one request; 5000 */
    TLM_CLIENT_WARN_AFTER,       /* number: seconds without contact; 0: half of the lease's time */
    TLM_CLIENT_DEGRADED_AFTER,   /* number: seconds; 0: the lease's time */
    TLM_CLIENT_STOP_AFTER,       /* number: seconds; 0: the lease's time and 900 more */
    TLM_CLIENT_OPTION_COUNT
} tlm_client_option;

/* What to ask for. Members not named are 0 or NULL; texts are copied. */
typedef struct tlm_client_ask {
    const char *feature; /* id of the feature; needed */
    const char *vendor;  /* narrow the choice where several licenses have the feature */
    const char *product;
    const char *license;
    long long units;     /* seats, or units of a use; 0: 1 */
    long long ttl;       /* acquire: seconds of the lease; 0: the daemon's default */
    const char *request; /* use: its id, 1 to 128 bytes; NULL: one is made */
    unsigned wait;       /* acquire: seconds to queue for a seat */
    bool give_back;      /* use: return tokens */
} tlm_client_ask;

/* What was granted. tlm_client_grant_clear frees `memory`. */
typedef struct tlm_client_grant {
    char lease[40]; /* id; "" for checks and uses */
    char license[40];
    char feature[257];
    char client[129];
    char vendor[257];
    char product[257];
    char model[32];
    char request[129];   /* use: its id, filled also on failure, to try the same use again */
    char *memory;        /* the license's memory for this feature, JSON; NULL: none */
    long long units;     /* seats, or units of a use */
    long long expires;   /* seconds since 1970 by the daemon's clock; -1: never */
    long long ttl;       /* seconds from the answer to the end of the lease; 0: no lease */
    long long fence;     /* grows with each new lease: lets a resource refuse the older holder */
    long long used;      /* counters, tokens, usage time, lists; -1: no such model */
    long long remaining; /* of the same; -1: no limit */
    bool borrowed;
    bool repeated; /* use: counted before, under the same id */
    bool verified; /* a statement of the host proves it */
} tlm_client_grant;

/*
 * Makes a client of the daemon at `url`: http://HOST[:PORT], https://HOST[:PORT] or unix:/PATH.
 * NULL takes TLM_URL of the environment, else http://127.0.0.1:52014. Nothing is sent yet. The
 * caller frees it.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_new(const char *url, tlm_client **client,
                                                    tlm_client_error *error);

/*
 * Returns every lease that is left (the daemon has two seconds for all of them), ends the thread
 * and frees the client with its leases. Accepts NULL and sets the caller's pointer to NULL. Not
 * from a callback.
 */
void tlm_client_free(tlm_client **client);

/*
 * Sets an option, before the first request: TLM_CLIENT_ARGUMENT later, for an option of the other
 * kind, and for a value that cannot be. Texts are copied; NULL takes the option back.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_set_text(tlm_client *client,
                                                         tlm_client_option option,
                                                         const char *value,
                                                         tlm_client_error *error);
TLM_CLIENT_CHECKED tlm_client_result tlm_client_set_number(tlm_client *client,
                                                           tlm_client_option option,
                                                           long long value,
                                                           tlm_client_error *error);

/*
 * `changed` is called for each change of a lease's level, and at TLM_CLIENT_FINE also when the
 * lease had to be taken anew (another fence). From the library's thread, one call at a time,
 * without a lock held. It may use the getters, check and use, may call exit(), and must not release
 * the lease or free the client. `cause` is why; its result is TLM_CLIENT_OK at TLM_CLIENT_FINE. Set
 * it before the first lease.
 */
typedef void (*tlm_client_changed)(void *context, tlm_client_lease *lease, tlm_client_level level,
                                   const tlm_client_error *cause);
TLM_CLIENT_CHECKED tlm_client_result tlm_client_on_change(tlm_client *client,
                                                          tlm_client_changed changed, void *context,
                                                          tlm_client_error *error);

/*
 * Takes seats and keeps them: the lease is renewed at a third of its time, at most a fifth of that
 * earlier, until it is released, the client is freed, or the process exits. One lease for each
 * feature and client name: asking again for one that this client holds is TLM_CLIENT_ARGUMENT. With
 * `wait` it queues that long.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_acquire(tlm_client *client,
                                                        const tlm_client_ask *ask,
                                                        tlm_client_lease **lease,
                                                        tlm_client_error *error);

/* How to go on, now: never better than the last callback said and never later than its time. */
tlm_client_level tlm_client_lease_level(tlm_client_lease *lease);

/* What is granted at the moment, as a copy that the caller clears. */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_lease_grant(tlm_client_lease *lease,
                                                            tlm_client_grant *grant,
                                                            tlm_client_error *error);
void tlm_client_grant_clear(tlm_client_grant *grant);

/*
 * Returns the seats and frees the lease, also where the daemon did not answer: then the lease runs
 * out by itself, and the result says so. Accepts NULL. Not from a callback.
 */
tlm_client_result tlm_client_lease_release(tlm_client_lease **lease, tlm_client_error *error);

/* Asks for a stand-alone feature (docs/rest.md, POST /api/v1/check). The caller clears `grant`. */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_check(tlm_client *client, const tlm_client_ask *ask,
                                                      tlm_client_grant *grant,
                                                      tlm_client_error *error);

/*
 * Takes (or gives back) units of a counter or of tokens, exactly once for each request id: where
 * the connection breaks, the same id is sent again, three times at most. On TLM_CLIENT_AWAY it is
 * open whether it was counted; ask again with grant->request as the id. The caller clears `grant`,
 * also on failure.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_use(tlm_client *client, const tlm_client_ask *ask,
                                                    tlm_client_grant *grant,
                                                    tlm_client_error *error);

/*
 * Borrows a seat for `seconds`, to work without contact: makes a P-256 key in PATH.key (mode 0600)
 * and keeps the host's signed word in PATH. Neither file may exist.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_borrow(tlm_client *client,
                                                       const tlm_client_ask *ask, long long seconds,
                                                       const char *path, tlm_client_error *error);

/*
 * Checks a borrowed lease without the daemon: signed by the host (the keys are the client's
 * options; they are needed whatever TLM_CLIENT_VERIFY says), for this feature, bound to the key in
 * PATH.key, and not over. The caller clears `grant`.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_borrowed(tlm_client *client, const char *path,
                                                         const char *feature,
                                                         tlm_client_grant *grant,
                                                         tlm_client_error *error);

/* Returns a borrowed lease early, proven by the key in PATH.key, and removes both files. */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_return(tlm_client *client, const char *path,
                                                       tlm_client_error *error);

/*
 * Checks a license as its vendor signed it (a file with the compact JWS) without the daemon: the
 * vendor's signature (TLM_CLIENT_VENDOR_KEYS_FILE), its times, that it is bound to `fingerprint`
 * (NULL: to the key `tlm-srk` among the client's host keys), and that it has the feature,
 * stand-alone and with a model that needs no record: perpetual or period. Everything else is the
 * daemon's to tell. The caller clears `grant`.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_license_file(tlm_client *client, const char *path,
                                                             const char *feature,
                                                             const char *fingerprint,
                                                             tlm_client_grant *grant,
                                                             tlm_client_error *error);

/*
 * Returns every lease of the process when this signal comes (SIGTERM, SIGINT, SIGHUP, SIGQUIT),
 * within two seconds, and then does what the signal did before: a handler that was installed is
 * called at once, the default action ends the process afterwards. A signal that is ignored stays
 * so. Where this is not used, leases are returned at exit() and else run out.
 */
TLM_CLIENT_CHECKED tlm_client_result tlm_client_release_on_signal(int number,
                                                                  tlm_client_error *error);

/* "fine", "warn", "degraded", "stop"; and a result in plain English. Never NULL. */
const char *tlm_client_level_text(tlm_client_level level);
const char *tlm_client_result_text(tlm_client_result result);

/* Version of the library, "0.1.0". */
const char *tlm_client_version(void);

#ifdef __cplusplus
}
#endif

#endif
