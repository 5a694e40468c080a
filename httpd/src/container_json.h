/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_CONTAINER_JSON_H
#define TLM_CONTAINER_JSON_H

/*
 * Members `container` and `virtualMachine` of the status, from what was found at the start and what
 * the engine says since.
 *
 *     json_object_set_new(status, "container", tlm_container_json(&about->container, engine));
 */

#include <jansson.h>

#include <tlm/container.h>
#include <tlm/virtual_machine.h>

#include "engine.h"

/* null outside of a container. `engine` NULL: nobody was asked. NULL where memory is out. */
json_t *tlm_container_json(const tlm_container *container, const tlm_engine_facts *engine);

json_t *tlm_machine_json(const tlm_virtual_machine *machine);

#endif
