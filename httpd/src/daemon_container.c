/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon_container.h"

#include <string.h>

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

/* What is known stays where there is no memory for something newer. */
static void take_engine(tlm_daemon *self)
{
    tlm_engine_facts facts;
    tlm_error error = {0};
    if (self->watch == NULL) {
        return;
    }
    if (tlm_engine_watch_copy(self->watch, &facts, &error) != TLM_OK) {
        tlm_log_error(&error, "engine_facts_failed", NULL);
        return;
    }
    tlm_engine_facts_clear(&self->engine);
    self->engine = facts;
    self->source.engine = &self->engine;
}

void tlm_daemon_container_tell(tlm_daemon *self, const tlm_identity_view *view)
{
    take_engine(self);
    tell_device(self, view);
    tlm_warnings_of_engine(&self->warnings, &self->about.container, self->source.engine);
}

tlm_result tlm_daemon_container_start(tlm_daemon *self, tlm_setup_wake changed, tlm_error *error)
{
    const tlm_settings *settings = self->settings;
    const tlm_container *container = &self->about.container;
    if (container->kind == TLM_CONTAINER_NONE) {
        return TLM_OK;
    }
    bool numbered = strlen(container->id) == 64;
    const tlm_engine_watch_config config = {.question = {.host = settings->docker_host,
                                                         .cert_path = settings->docker_cert_path,
                                                         .id = numbered ? container->id : NULL},
                                            .changed = changed,
                                            .context = self};
    return tlm_engine_watch_start(&config, &self->watch, error);
}

void tlm_daemon_container_stop(tlm_daemon *self)
{
    tlm_engine_watch_stop(&self->watch);
    self->source.engine = NULL;
    tlm_engine_facts_clear(&self->engine);
}
