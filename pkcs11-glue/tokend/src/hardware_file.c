/* SPDX-License-Identifier: BSD-2-Clause */
/* Counter and clock of a store without a TPM, and the choice between the two. */
#include "hardware_make.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/counter_file.h>

typedef struct file_hardware {
    tlm_hardware_owner owner; /* first: the two are one address */
    char *directory;
} file_hardware;

static tlm_result count(void *context, uint64_t *value, tlm_error *error)
{
    const file_hardware *self = context;
    return tlm_counter_file_next(self->directory, value, error);
}

static tlm_result read_clock(void *context, tlm_hardware_clock *now, tlm_error *error)
{
    (void)context;
    struct timespec system;
    struct timespec boot;
    if (clock_gettime(CLOCK_REALTIME, &system) != 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
        return tlm_error_set_errno(error, NULL, "reading the system's clocks");
    }
    /* Time since the boot begins anew with each one, so it is never called safe. */
    *now = (tlm_hardware_clock){.system_seconds = system.tv_sec > 0 ? (uint64_t)system.tv_sec : 0,
                                .clock_ms = (uint64_t)boot.tv_sec * 1000U +
                                            (uint64_t)boot.tv_nsec / 1000000U};
    return TLM_OK;
}

static void release(tlm_hardware_owner *owner)
{
    file_hardware *self = owner->hardware.context;
    free(self->directory);
    free(self);
}

tlm_hardware_owner *tlm_hardware_of_files(const char *directory)
{
    file_hardware *self = calloc(1, sizeof *self);
    char *copy = strdup(directory);
    if (self == NULL || copy == NULL) {
        free(self);
        free(copy);
        return NULL;
    }
    *self = (file_hardware){.owner = {.hardware = {.tamper_proof = false,
                                                   .count = count,
                                                   .clock = read_clock,
                                                   .context = self},
                                      .release = release},
                            .directory = copy};
    return &self->owner;
}

tlm_result tlm_hardware_open(const tlm_store *store, const char *tcti, tlm_hardware **hardware,
                             tlm_error *error)
{
    *hardware = NULL;
    const bool tpm = store->backend == TLM_BACKEND_TPM;
    if (store->directory == NULL || (tpm && (tcti == NULL || tcti[0] == '\0'))) {
        return tlm_error_set(
            error, TLM_ERR_ARGUMENT, "name the TPM with --tcti TCTI",
            "a store of the %s back end lacks its directory or its TPM's interface",
            tlm_backend_name(store->backend));
    }
    tlm_hardware_owner *owner =
        tpm ? tlm_hardware_of_tpm(tcti) : tlm_hardware_of_files(store->directory);
    if (owner == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for counter and clock");
    }
    *hardware = &owner->hardware;
    return TLM_OK;
}

void tlm_hardware_close(tlm_hardware **hardware)
{
    if (hardware == NULL || *hardware == NULL) {
        return;
    }
    /* What tlm_hardware_open gave is the first member of its owner. */
    tlm_hardware_owner *owner = (tlm_hardware_owner *)*hardware;
    owner->release(owner);
    *hardware = NULL;
}
