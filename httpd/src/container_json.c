/* SPDX-License-Identifier: BSD-2-Clause */
#include "container_json.h"

#include "json_text.h"

static json_t *whole(json_t *value, int failed)
{
    if (failed != 0) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *pod_object(const tlm_container *container)
{
    if (!container->kubernetes) {
        return json_null();
    }
    json_t *object = json_object();
    int failed = json_object_set_new(object, "namespace", tlm_json_text(container->pod_space));
    failed |= json_object_set_new(object, "pod", tlm_json_text(container->pod));
    failed |= json_object_set_new(object, "podUid", tlm_json_text(container->pod_uid));
    failed |= json_object_set_new(object, "container", tlm_json_text(container->pod_member));
    return whole(object, failed);
}

static json_t *container_evidence(const tlm_container *container)
{
    json_t *array = json_array();
    int failed = 0;
    for (size_t i = 0; i < container->evidence_count; i++) {
        failed |= json_array_append_new(array, tlm_json_text(container->evidence[i]));
    }
    return whole(array, failed);
}

static json_t *mount_object(const tlm_engine_mount *mount)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "type", tlm_json_text(mount->type));
    failed |= json_object_set_new(object, "source", tlm_json_text(mount->source));
    failed |= json_object_set_new(object, "destination", tlm_json_text(mount->destination));
    failed |= json_object_set_new(object, "rw", json_boolean(mount->writable));
    return whole(object, failed);
}

static json_t *mounts_array(const tlm_engine_facts *facts)
{
    if (facts == NULL) {
        return json_null();
    }
    json_t *array = json_array();
    int failed = 0;
    for (size_t i = 0; i < facts->mount_count; i++) {
        failed |= json_array_append_new(array, mount_object(&facts->mounts[i]));
    }
    return whole(array, failed);
}

/* Who was asked: null where there is nobody, which is nothing wrong. */
static json_t *engine_object(const tlm_engine_facts *facts)
{
    if (facts == NULL || facts->state == TLM_ENGINE_NONE) {
        return json_null();
    }
    bool answering = facts->state == TLM_ENGINE_ANSWERING;
    const tlm_error *error = &facts->error;
    json_t *object = json_object();
    int failed =
        json_object_set_new(object, "state", tlm_json_text(tlm_engine_state_name(facts->state)));
    failed |= json_object_set_new(object, "host", tlm_json_text(facts->host));
    failed |= json_object_set_new(object, "name", tlm_json_text(facts->engine_name));
    failed |= json_object_set_new(object, "version", tlm_json_text(facts->engine_version));
    failed |= json_object_set_new(object, "apiVersion", tlm_json_text(facts->api_version));
    failed |= json_object_set_new(object, "access",
                                  answering ? tlm_json_text(tlm_engine_access_name(facts->access))
                                            : json_null());
    failed |= json_object_set_new(object, "message", tlm_json_text(error->message));
    failed |= json_object_set_new(object, "hint", tlm_json_text(error->hint));
    return whole(object, failed);
}

/* What the engine knows of this container; all null where it knows nothing of it. */
static int set_facts(json_t *object, const tlm_engine_facts *facts)
{
    int failed = json_object_set_new(object, "name", tlm_json_text(facts ? facts->name : NULL));
    failed |= json_object_set_new(object, "image", tlm_json_text(facts ? facts->image : NULL));
    failed |= json_object_set_new(object, "imageId", tlm_json_text(facts ? facts->image_id : NULL));
    failed |=
        json_object_set_new(object, "digest", tlm_json_text(facts ? facts->image_digest : NULL));
    failed |= json_object_set_new(object, "status", tlm_json_text(facts ? facts->status : NULL));
    failed |= json_object_set_new(object, "health", tlm_json_text(facts ? facts->health : NULL));
    failed |=
        json_object_set_new(object, "restartCount",
                            facts ? json_integer((json_int_t)facts->restart_count) : json_null());
    failed |= json_object_set_new(object, "createdAt", tlm_json_time(facts ? facts->created : 0));
    failed |=
        json_object_set_new(object, "runningSince", tlm_json_time(facts ? facts->started : 0));
    failed |=
        json_object_set_new(object, "network", tlm_json_text(facts ? facts->network_mode : NULL));
    failed |= json_object_set_new(object, "privileged",
                                  facts ? json_boolean(facts->privileged) : json_null());
    failed |= json_object_set_new(object, "readOnly",
                                  facts ? json_boolean(facts->read_only) : json_null());
    failed |= json_object_set_new(object, "mounts", mounts_array(facts));
    return failed;
}

json_t *tlm_container_json(const tlm_container *container, const tlm_engine_facts *engine)
{
    if (container->kind == TLM_CONTAINER_NONE) {
        return json_null();
    }
    const tlm_engine_facts *facts = engine != NULL && engine->known ? engine : NULL;
    const char *id = container->id[0] != '\0' || facts == NULL ? container->id : facts->id;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "runtime",
                                     tlm_json_text(tlm_container_kind_name(container->kind)));
    failed |= json_object_set_new(object, "id", tlm_json_text(id));
    failed |= json_object_set_new(object, "kubernetes", pod_object(container));
    failed |= json_object_set_new(object, "evidence", container_evidence(container));
    failed |= json_object_set_new(object, "engine", engine_object(engine));
    failed |= set_facts(object, facts);
    return whole(object, failed);
}

json_t *tlm_machine_json(const tlm_virtual_machine *machine)
{
    json_t *evidence = json_array();
    json_t *object = json_object();
    int failed = 0;
    for (size_t i = 0; i < machine->evidence_count; i++) {
        failed |= json_array_append_new(evidence, tlm_json_text(machine->evidence[i]));
    }
    failed |= json_object_set_new(object, "detected", json_boolean(machine->detected));
    failed |= json_object_set_new(object, "hypervisor", tlm_json_text(machine->hypervisor));
    failed |= json_object_set_new(object, "evidence", evidence);
    return whole(object, failed);
}
