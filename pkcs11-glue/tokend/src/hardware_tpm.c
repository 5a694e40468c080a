/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counter and clock of a TPM. The connection is kept, for opening it costs more than counting; it
 * is one of its own beside the module's, and opened again after whatever went wrong on it.
 */
#include "hardware_make.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/counter.h>
#include <tlm/log.h>
#include <tlm/tcti.h>

typedef struct tpm_hardware {
    tlm_hardware_owner owner; /* first: the two are one address */
    char *tcti;
    pthread_mutex_t lock; /* tlm_tpm is for one thread at a time */
    tlm_tpm *tpm;
    tlm_counter counter;
} tpm_hardware;

static void disconnect(tpm_hardware *self)
{
    tlm_counter_close(self->tpm, &self->counter);
    tlm_tpm_close(&self->tpm);
}

/* Under the lock. A number that was counted and not told is one that nobody gets. */
static tlm_result try_count(tpm_hardware *self, uint64_t *value, tlm_error *error)
{
    tlm_result result =
        self->tpm == NULL ? tlm_tpm_open_tcti(self->tcti, &self->tpm, error) : TLM_OK;
    if (result == TLM_OK && !self->counter.opened) {
        result = tlm_counter_open(self->tpm, &self->counter, error);
    }
    return result == TLM_OK ? tlm_counter_next(self->tpm, &self->counter, value, error) : result;
}

static tlm_result try_clock(tpm_hardware *self, tlm_tpm_clock *clock, tlm_error *error)
{
    tlm_result result =
        self->tpm == NULL ? tlm_tpm_open_tcti(self->tcti, &self->tpm, error) : TLM_OK;
    return result == TLM_OK ? tlm_tpm_read_clock(self->tpm, clock, error) : result;
}

/* Whether what failed on a kept connection may do on a new one. */
static bool worth_another(const tpm_hardware *self, tlm_result result)
{
    return self->tpm != NULL && (result == TLM_ERR_TPM_UNAVAILABLE || result == TLM_ERR_TPM);
}

/* A connection that has gone shows itself at a command that changes nothing: counting is never
 * tried twice, for an application may take account of each number. */
static void look_at_connection(tpm_hardware *self)
{
    tlm_tpm_clock clock = {0};
    tlm_error error = {0};
    if (self->tpm != NULL && tlm_tpm_read_clock(self->tpm, &clock, &error) != TLM_OK) {
        tlm_log(TLM_LOG_INFO, "tpm_reopened", "tcti=%s for=counter", self->tcti);
        disconnect(self);
    }
}

static tlm_result count(void *context, uint64_t *value, tlm_error *error)
{
    tpm_hardware *self = context;
    (void)pthread_mutex_lock(&self->lock);
    look_at_connection(self);
    tlm_result result = try_count(self, value, error);
    if (result != TLM_OK) {
        disconnect(self);
    }
    (void)pthread_mutex_unlock(&self->lock);
    return result;
}

static tlm_result read_clock(void *context, tlm_hardware_clock *now, tlm_error *error)
{
    tpm_hardware *self = context;
    tlm_tpm_clock clock = {0};
    (void)pthread_mutex_lock(&self->lock);
    tlm_result result = try_clock(self, &clock, error);
    if (worth_another(self, result)) {
        tlm_log(TLM_LOG_INFO, "tpm_reopened", "tcti=%s for=clock", self->tcti);
        disconnect(self);
        result = try_clock(self, &clock, error);
    }
    if (result != TLM_OK) {
        disconnect(self);
    }
    (void)pthread_mutex_unlock(&self->lock);
    if (result != TLM_OK) {
        return result;
    }
    struct timespec system;
    if (clock_gettime(CLOCK_REALTIME, &system) != 0) {
        return tlm_error_set_errno(error, NULL, "reading the system's clock");
    }
    *now = (tlm_hardware_clock){.system_seconds = system.tv_sec > 0 ? (uint64_t)system.tv_sec : 0,
                                .clock_ms = clock.clock_ms,
                                .reset_count = clock.reset_count,
                                .restart_count = clock.restart_count,
                                .safe = clock.safe};
    return TLM_OK;
}

static void release(tlm_hardware_owner *owner)
{
    tpm_hardware *self = owner->hardware.context;
    disconnect(self);
    (void)pthread_mutex_destroy(&self->lock);
    free(self->tcti);
    free(self);
}

tlm_hardware_owner *tlm_hardware_of_tpm(const char *tcti)
{
    tpm_hardware *self = calloc(1, sizeof *self);
    char *copy = strdup(tcti);
    if (self == NULL || copy == NULL || pthread_mutex_init(&self->lock, NULL) != 0) {
        free(self);
        free(copy);
        return NULL;
    }
    self->owner = (tlm_hardware_owner){
        .hardware = {.tamper_proof = !tlm_tcti_is_simulated(tcti), /* its state is a file */
                     .count = count,
                     .clock = read_clock,
                     .context = self},
        .release = release};
    self->tcti = copy;
    return &self->owner;
}
