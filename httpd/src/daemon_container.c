/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon_container.h"

#include <tlm/log.h>

#include "warnings.h"

static void log_machine(const tlm_virtual_machine *machine)
{
    if (machine->detected) {
        char evidence[2 * TLM_VIRTUAL_EVIDENCE_SIZE];
        tlm_log(TLM_LOG_INFO, "virtual_machine", "hypervisor=%s evidence=%s", machine->hypervisor,
                tlm_log_quote(machine->evidence[0], evidence, sizeof evidence));
    }
}

void tlm_daemon_container_look(tlm_daemon *self)
{
    const tlm_container *container = &self->about.container;
    log_machine(&self->about.machine);
    if (container->kind == TLM_CONTAINER_NONE) {
        return;
    }
    char evidence[2 * TLM_CONTAINER_EVIDENCE_SIZE];
    tlm_log(TLM_LOG_INFO, "container", "runtime=%s id=%s evidence=%s",
            tlm_container_kind_name(container->kind), container->id,
            tlm_log_quote(container->evidence[0], evidence, sizeof evidence));
    tlm_warnings_of_start(&self->warnings, container, "/", self->settings->persistence_dir);
}

/* While the key can be used nobody misses the device: somebody else has it, or no TPM is meant. */
static void tell_device(tlm_daemon *self, const tlm_identity_view *view)
{
    const tlm_error *refused =
        self->interface != NULL && !view->ready && view->state != TLM_START_PENDING
            ? &self->interface->passed
            : NULL;
    tlm_warnings_of_device(&self->warnings, &self->about.container, refused);
}

void tlm_daemon_container_tell(tlm_daemon *self, const tlm_identity_view *view)
{
    tell_device(self, view);
    tlm_warnings_of_engine(&self->warnings, &self->about.container, NULL);
    self->source.engine = NULL;
}
