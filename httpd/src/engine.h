/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ENGINE_H
#define TLM_ENGINE_H

/*
 * What a container engine says of the container that this program runs in: the Docker Engine API
 * over a unix socket or TCP, which Podman speaks too. Nothing is asked of it that changes anything,
 * and of its answer neither environment nor labels are kept, which may hold secrets.
 *
 *     tlm_engine_question question = {.host = "unix:///var/run/docker.sock", .id = id};
 *     tlm_engine *engine = NULL;
 *     result = tlm_engine_open(&question, &engine, &error);
 *     tlm_engine_facts facts;
 *     if (result == TLM_OK && tlm_engine_ask(engine, &facts, &error) == TLM_OK && facts.known) {
 *         printf("%s runs %s\n", facts.name, facts.image);
 *     }
 *     tlm_engine_facts_clear(&facts);
 *     tlm_engine_close(&engine);
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <tlm/result.h>

/* Where an engine is looked for when no host is named. */
#define TLM_ENGINE_SOCKET "/var/run/docker.sock"

#define TLM_ENGINE_ANSWER_MAX ((size_t)1024 * 1024)
#define TLM_ENGINE_MOUNTS_MAX 1024U
#define TLM_ENGINE_PATH_MAX 4096U

typedef enum tlm_engine_state {
    TLM_ENGINE_NONE,        /* there is no socket: nobody to ask, and nothing wrong with that */
    TLM_ENGINE_UNREACHABLE, /* a host was named or a socket is there, and no answer came: error */
    TLM_ENGINE_ANSWERING
} tlm_engine_state;

/* Whether whoever has this access could change containers, and so become root on the host. */
typedef enum tlm_engine_access {
    TLM_ENGINE_ACCESS_UNKNOWN,
    TLM_ENGINE_ACCESS_READ, /* a proxy or plugin refuses what is not a look */
    TLM_ENGINE_ACCESS_WRITE
} tlm_engine_access;

typedef struct tlm_engine_mount {
    char type[16];        /* "bind", "volume", "tmpfs", … */
    char *source;         /* path on the host; "" where there is none */
    char *destination;    /* path in the container */
    char propagation[16]; /* "rprivate", …; may be empty */
    bool writable;
} tlm_engine_mount;

/* Texts are UTF-8, "" where the engine did not say. Times are 0 then. */
typedef struct tlm_engine_facts {
    tlm_engine_state state;
    tlm_error error; /* why it is unreachable; result TLM_OK otherwise */

    /* While it answers. */
    char host[256];          /* "unix:///var/run/docker.sock" */
    char api_version[16];    /* that was agreed on: "1.41" */
    char engine_version[64]; /* "20.10.24+dfsg1", "4.3.1" */
    char engine_name[64];    /* "Docker Engine", "Podman Engine" */
    tlm_engine_access access;

    /* Of this container, once it was recognized: by its id, or by its host name. */
    bool known;
    bool by_hostname;
    char id[65];
    char name[256];         /* without the slash before it */
    char image[512];        /* as it was asked for: "trustedlicensing:latest" */
    char image_id[136];     /* "sha256:…" of its configuration */
    char image_digest[136]; /* "sha256:…" of its manifest; "" for one that was built here */
    char status[16];        /* "running", "paused", … */
    char health[16];        /* "starting", "healthy", "unhealthy"; "" without a health check */
    char network_mode[128]; /* "bridge", "host", … */
    unsigned restart_count;
    time_t created;
    time_t started;
    bool privileged;
    bool read_only; /* the root file system */
    tlm_engine_mount *mounts;
    size_t mount_count;
} tlm_engine_facts;

typedef struct tlm_engine_question {
    const char *host;      /* as DOCKER_HOST; NULL or "": TLM_ENGINE_SOCKET where it is a socket */
    const char *cert_path; /* directory of ca.pem, cert.pem, key.pem: TLS; NULL or "": none */
    const char *id;        /* 64 hexadecimal digits; NULL or "": recognized by the host name */
    const char *hostname;  /* NULL: gethostname(2) */
    unsigned timeout_ms;   /* for all requests of one ask together; 0: 5000 */
} tlm_engine_question;

typedef struct tlm_engine tlm_engine;

/*
 * Copies the question and looks whether the host can be one: TLM_ERR_UNSUPPORTED for ssh:// and
 * fd://, TLM_ERR_SETTING for what is no address. Connects to nothing.
 */
TLM_CHECKED tlm_result tlm_engine_open(const tlm_engine_question *question, tlm_engine **engine,
                                       tlm_error *error);

/*
 * Asks, at most as long as the question says, and fills `facts` in any case. TLM_OK where somebody
 * answered (whether this container is known there or not) and where there is no socket; otherwise
 * state and error in `facts` say what `error` says. One thread at a time.
 */
TLM_CHECKED tlm_result tlm_engine_ask(tlm_engine *engine, tlm_engine_facts *facts,
                                      tlm_error *error);

/* From another thread: ends an ask that is under way, and each later one, with TLM_ERR_TIMEOUT. */
void tlm_engine_interrupt(tlm_engine *engine);

/* Accepts NULL. */
void tlm_engine_close(tlm_engine **engine);

/* A copy of its own, to be cleared; TLM_ERR_MEMORY leaves `to` empty. */
TLM_CHECKED tlm_result tlm_engine_facts_copy(const tlm_engine_facts *from, tlm_engine_facts *to,
                                             tlm_error *error);
/* Whether both say the same. */
bool tlm_engine_facts_same(const tlm_engine_facts *left, const tlm_engine_facts *right);
void tlm_engine_facts_clear(tlm_engine_facts *facts);

/* "none", "unreachable", "answering"; "unknown", "read", "write". Never NULL. */
const char *tlm_engine_state_name(tlm_engine_state state);
const char *tlm_engine_access_name(tlm_engine_access access);

#endif
