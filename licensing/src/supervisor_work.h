/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LICENSING_SUPERVISOR_WORK_H
#define TLM_LICENSING_SUPERVISOR_WORK_H

/* What the files of the supervisor share: supervisor.c is the owner's side, supervisor_work.c the
 * thread, supervisor_child.c what the thread does to the child. */

#include <pthread.h>
#include <stdint.h>

#include "supervisor_private.h"

#define TLM_TOKEND_PROGRAM "tlm-tokend"
/* How often is looked where nothing tells: pidfd_open is missing in old kernels. */
#define TLM_SUPERVISOR_SLICE_MS 50

struct tlm_supervisor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    int wake_file;
    char *socket;
    char *directory; /* of the socket */
    char *report;
    char *program;
    char *arguments[TLM_SUPERVISOR_ARGUMENTS_MAX + 1];
    bool may_start;
    bool ended; /* of the owner alone: the thread was joined */
    void (*changed)(void *context);
    void *context;

    /* Of the thread alone. */
    int watch_file; /* inotify on the directory; -1 where there is none yet */
    int pidfd;
    int64_t started;
    int64_t not_before;
    unsigned failures;
    bool others; /* somebody else was seen to serve */

    /* Under the lock. */
    pid_t child;
    unsigned long changes;
    bool needed;
    bool stopping;
    tlm_error error; /* why the latest need was not met; TLM_OK while it is looked after */
};

/* ---- supervisor_work.c ---- */

/* CLOCK_MONOTONIC. */
int64_t tlm_supervisor_now_ms(void);
/* Has the thread look. */
void tlm_supervisor_wake(tlm_supervisor *self);
/* Tells everybody who waits for a change, and the owner. */
void tlm_supervisor_tell(tlm_supervisor *self);
/*
 * The need is met, or cannot be: `error` then says why. The same reason is told once: the owner
 * answers news with another look, and so with the same need.
 */
void tlm_supervisor_settle(tlm_supervisor *self, const tlm_error *error);
/* The thread; ends the child before it ends itself. */
void *tlm_supervisor_work(void *context);

/* ---- supervisor_child.c, for the thread ---- */

/* Makes the socket's directory and starts a child, or settles the need with the reason. */
void tlm_supervisor_start_child(tlm_supervisor *self);
/* Notes a child that ended, and when the next may be started. */
void tlm_supervisor_reap(tlm_supervisor *self);
/* SIGTERM, and SIGKILL after a while. */
void tlm_supervisor_end_child(tlm_supervisor *self);

#endif
