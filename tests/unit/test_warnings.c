/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_root.h"

#include <jansson.h>

#include "container_json.h"
#include "warnings.h"

#define ID "3f4ac0f7a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c"
#define PLACE "/etc/asperion/trustedLicensing/persistence"
#define ROOT "602 511 0:59 / / rw,relatime - overlay overlay rw,upperdir=/var/lib/docker/x/diff\n"
#define FULL "CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nSeccomp:\t0\n"
#define USUAL "CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n"

static const tlm_container docker = {.kind = TLM_CONTAINER_DOCKER, .id = ID};
static const tlm_container none = {.kind = TLM_CONTAINER_NONE};

static size_t count(const tlm_notices *warnings)
{
    size_t found = 0;
    for (size_t i = 0; i < TLM_NOTICES_MAX; i++) {
        found += warnings->items[i].code != NULL ? 1U : 0U;
    }
    return found;
}

static const tlm_notice *find(const tlm_notices *warnings, const char *code)
{
    for (size_t i = 0; i < TLM_NOTICES_MAX; i++) {
        if (warnings->items[i].code != NULL && strcmp(warnings->items[i].code, code) == 0) {
            return &warnings->items[i];
        }
    }
    return NULL;
}

/* NULL: no warning; otherwise what its message and its hint have. */
static void assert_persistence(void **state, const tlm_container *container, const char *mounts,
                               const char *message, const char *hint)
{
    tlm_notices warnings = {0};
    put(state, "proc/self/mountinfo", mounts);
    tlm_warnings_of_start(&warnings, container, *state, PLACE);
    const tlm_notice *notice = find(&warnings, "persistence-not-on-volume");
    if (message == NULL) {
        assert_null(notice);
        return;
    }
    assert_non_null(notice);
    assert_non_null(strstr(notice->error.message, PLACE));
    assert_non_null(strstr(notice->error.message, message));
    assert_non_null(strstr(notice->error.hint, hint));
}

static void files_that_go_with_the_container(void **state)
{
    assert_persistence(state, &docker, ROOT, "container's own file system",
                       "docker cp 3f4ac0f7a1b2:" PLACE "/. ./_persistence");
    /* A volume beside it, and one for a part of it. */
    assert_persistence(state, &docker,
                       ROOT "610 602 8:1 /srv/c /etc/asperion/trustedLicensing/config rw - ext4 "
                            "/dev/sda1 rw\n611 602 8:1 /srv/t " PLACE "/token rw - ext4 a rw\n",
                       "container's own file system", "-v ./_persistence:" PLACE);
    /* Storage drivers whose layers are a part of the host's file system. */
    assert_persistence(state, &docker,
                       "602 511 8:1 /var/lib/docker/vfs/dir/" ID " / rw - ext4 s rw", "(ext4)",
                       "docker cp");
    assert_persistence(state, &docker, "602 511 8:1 / / rw - zfs rpool/docker/" ID " rw", "(zfs)",
                       "docker cp");
    /* What another volume hides does not count. */
    assert_persistence(state, &docker,
                       ROOT "611 602 8:1 /srv/t " PLACE " rw - ext4 a rw\n"
                            "612 602 0:70 / " PLACE " rw - tmpfs tmpfs rw\n",
                       "is in memory", "-v ./_persistence:" PLACE);
    assert_persistence(state, &docker,
                       ROOT "611 602 8:1 /var/lib/docker/volumes/" ID "/_data " PLACE
                            " rw - ext4 /dev/sda1 rw\n",
                       "without a name", "docker cp 3f4ac0f7a1b2");
    tlm_container pod = docker;
    pod.kubernetes = true;
    assert_persistence(state, &pod, ROOT, "container's own file system", "mountPath: " PLACE);
    tlm_container unknown = {.kind = TLM_CONTAINER_PODMAN};
    assert_persistence(state, &unknown, ROOT, "container's own file system",
                       "podman cp CONTAINER:");
}

static void files_that_stay(void **state)
{
    assert_persistence(state, &docker, ROOT "611 602 8:1 /srv/p " PLACE " rw - ext4 /dev/sda1 rw\n",
                       NULL, NULL);
    assert_persistence(state, &docker,
                       ROOT "611 602 8:1 /var/lib/docker/volumes/tlm_persistence/_data " PLACE
                            " rw - ext4 /dev/sda1 rw\n",
                       NULL, NULL);
    assert_persistence(state, &docker,
                       ROOT "611 602 8:1 /srv/a /etc/asperion/trustedLicensing rw - ext4 d rw\n",
                       NULL, NULL);
    /* A virtual machine made of an image, with its mark still there. */
    assert_persistence(state, &docker, "27 1 254:0 / / rw - ext4 /dev/vda rw\n", NULL, NULL);
    /* These keep their root file system. */
    tlm_container lxc = {.kind = TLM_CONTAINER_LXC};
    assert_persistence(state, &lxc, ROOT, NULL, NULL);
    assert_persistence(state, &none, ROOT, NULL, NULL);
    assert_persistence(state, &docker, "", NULL, NULL);
}

static void a_warning_goes_when_it_does_not_hold(void **state)
{
    tlm_notices warnings = {0};
    put(state, "proc/self/mountinfo", ROOT);
    put(state, "proc/self/status", FULL);
    tlm_warnings_of_start(&warnings, &docker, *state, PLACE);
    assert_int_equal(count(&warnings), 2);
    put(state, "proc/self/mountinfo", ROOT "611 602 8:1 /srv/p " PLACE " rw - ext4 d rw\n");
    put(state, "proc/self/status", USUAL);
    tlm_warnings_of_start(&warnings, &docker, *state, PLACE);
    assert_int_equal(count(&warnings), 0);
}

static void privileged_containers(void **state)
{
    tlm_notices warnings = {0};
    put(state, "proc/self/status", USUAL);
    tlm_warnings_of_start(&warnings, &docker, *state, PLACE);
    assert_null(find(&warnings, "privileged"));
    put(state, "proc/self/status", FULL);
    tlm_warnings_of_start(&warnings, &none, *state, PLACE);
    assert_null(find(&warnings, "privileged"));
    tlm_warnings_of_start(&warnings, &docker, *state, PLACE);
    const tlm_notice *notice = find(&warnings, "privileged");
    assert_non_null(notice);
    assert_non_null(strstr(notice->error.message, "41 of the kernel's 41 capabilities"));
    assert_non_null(strstr(notice->error.message, "seccomp is off"));
    assert_non_null(strstr(notice->error.hint, "--device /dev/tpmrm0 --group-add"));
    /* A user namespace makes them harmless to the host. */
    put(state, "proc/self/uid_map", "0 100000 65536\n");
    tlm_warnings_of_start(&warnings, &docker, *state, PLACE);
    assert_null(find(&warnings, "privileged"));
}

static void the_device_with_its_numbers(void **state)
{
    (void)state;
    tlm_notices warnings = {0};
    tlm_error refused = {0};
    tlm_warnings_of_device(&warnings, &docker, NULL);
    tlm_warnings_of_device(&warnings, &docker, &refused);
    assert_int_equal(count(&warnings), 0);
    (void)tlm_error_set(&refused, TLM_ERR_PERMISSION, "--group-add 113", "gid 113, ours 1000");
    tlm_warnings_of_device(&warnings, &none, &refused);
    assert_int_equal(count(&warnings), 0);
    tlm_warnings_of_device(&warnings, &docker, &refused);
    const tlm_notice *notice = find(&warnings, "tpm-device");
    assert_non_null(notice);
    assert_string_equal(notice->error.message, "gid 113, ours 1000");
    assert_string_equal(notice->error.hint, "--group-add 113");
    tlm_warnings_of_device(&warnings, &docker, NULL);
    assert_int_equal(count(&warnings), 0);
}

static void a_socket_that_lets_everything_be_done(void **state)
{
    (void)state;
    static const char code[] = "docker-socket-writable";
    tlm_notices warnings = {0};
    tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING,
                              .host = "unix:///var/run/docker.sock",
                              .access = TLM_ENGINE_ACCESS_WRITE};
    tlm_warnings_of_engine(&warnings, &docker, NULL);
    tlm_warnings_of_engine(&warnings, &none, &facts);
    assert_null(find(&warnings, code));
    tlm_warnings_of_engine(&warnings, &docker, &facts);
    const tlm_notice *notice = find(&warnings, code);
    assert_non_null(notice);
    assert_non_null(strstr(notice->error.message, facts.host));
    assert_non_null(strstr(notice->error.message, ":ro"));
    assert_non_null(strstr(notice->error.hint, "read-only proxy"));
    facts.access = TLM_ENGINE_ACCESS_READ;
    tlm_warnings_of_engine(&warnings, &docker, &facts);
    assert_null(find(&warnings, code));
    facts.access = TLM_ENGINE_ACCESS_UNKNOWN;
    tlm_warnings_of_engine(&warnings, &docker, &facts);
    assert_null(find(&warnings, code));
    facts.access = TLM_ENGINE_ACCESS_WRITE;
    facts.state = TLM_ENGINE_UNREACHABLE;
    tlm_warnings_of_engine(&warnings, &docker, &facts);
    assert_null(find(&warnings, code));
}

static const char *text_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    assert_non_null(value);
    return json_string_value(value);
}

static void outside_of_a_container_there_is_none(void **state)
{
    (void)state;
    tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING, .known = true};
    json_t *value = tlm_container_json(&none, &facts);
    assert_true(json_is_null(value));
    json_decref(value);
}

static void the_engine_knows_nothing_of_it(void **state)
{
    (void)state;
    const tlm_engine_facts facts = {.state = TLM_ENGINE_NONE};
    json_t *value = tlm_container_json(&docker, &facts);
    assert_string_equal(text_of(value, "runtime"), "docker");
    assert_string_equal(text_of(value, "id"), ID);
    assert_true(json_is_null(json_object_get(value, "engine")));
    assert_true(json_is_null(json_object_get(value, "kubernetes")));
    assert_true(json_is_null(json_object_get(value, "mounts")));
    assert_true(json_is_null(json_object_get(value, "restartCount")));
    json_decref(value);
    tlm_engine_facts refused = {.state = TLM_ENGINE_UNREACHABLE, .host = "unix:///d.sock"};
    (void)tlm_error_set(&refused.error, TLM_ERR_PERMISSION, "--group-add 999", "gid 999");
    value = tlm_container_json(&docker, &refused);
    const json_t *engine = json_object_get(value, "engine");
    assert_string_equal(text_of(engine, "state"), "unreachable");
    assert_string_equal(text_of(engine, "message"), "gid 999");
    assert_string_equal(text_of(engine, "hint"), "--group-add 999");
    assert_true(json_is_null(json_object_get(engine, "access")));
    json_decref(value);
}

static void what_the_engine_says_is_in_it(void **state)
{
    (void)state;
    char source[] = "/srv/p";
    char destination[] = PLACE;
    tlm_engine_mount mount = {.type = "bind", .source = source, .destination = destination};
    tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING,
                              .host = "unix:///var/run/docker.sock",
                              .engine_version = "24.0.7",
                              .access = TLM_ENGINE_ACCESS_READ,
                              .known = true,
                              .id = ID,
                              .name = "tl-license-manager",
                              .image = "trustedlicensing:latest",
                              .image_digest = "sha256:aa",
                              .status = "running",
                              .restart_count = 3,
                              .started = 1700000000,
                              .mounts = &mount,
                              .mount_count = 1};
    tlm_container container = docker;
    container.id[0] = '\0';
    json_t *value = tlm_container_json(&container, &facts);
    assert_string_equal(text_of(value, "id"), ID);
    assert_string_equal(text_of(value, "name"), "tl-license-manager");
    assert_string_equal(text_of(value, "image"), "trustedlicensing:latest");
    assert_string_equal(text_of(value, "digest"), "sha256:aa");
    assert_string_equal(text_of(value, "status"), "running");
    assert_string_equal(text_of(value, "runningSince"), "2023-11-14T22:13:20Z");
    assert_int_equal(json_integer_value(json_object_get(value, "restartCount")), 3);
    assert_true(json_is_false(json_object_get(value, "privileged")));
    const json_t *mounts = json_object_get(value, "mounts");
    assert_int_equal(json_array_size(mounts), 1);
    assert_string_equal(text_of(json_array_get(mounts, 0), "source"), source);
    assert_true(json_is_false(json_object_get(json_array_get(mounts, 0), "rw")));
    assert_string_equal(text_of(json_object_get(value, "engine"), "access"), "read");
    /* An engine that answers and does not know this one. */
    json_decref(value);
    facts.known = false;
    value = tlm_container_json(&container, &facts);
    assert_true(json_is_null(json_object_get(value, "id")));
    assert_true(json_is_null(json_object_get(value, "name")));
    assert_string_equal(text_of(json_object_get(value, "engine"), "state"), "answering");
    json_decref(value);
}

static void a_pod_is_told(void **state)
{
    (void)state;
    const tlm_container pod = {.kind = TLM_CONTAINER_CONTAINERD,
                               .kubernetes = true,
                               .pod = "tlm-0",
                               .pod_space = "licensing",
                               .evidence = {"one", "two"},
                               .evidence_count = 2};
    json_t *value = tlm_container_json(&pod, NULL);
    const json_t *kubernetes = json_object_get(value, "kubernetes");
    assert_string_equal(text_of(kubernetes, "pod"), "tlm-0");
    assert_string_equal(text_of(kubernetes, "namespace"), "licensing");
    assert_true(json_is_null(json_object_get(kubernetes, "podUid")));
    assert_int_equal(json_array_size(json_object_get(value, "evidence")), 2);
    json_decref(value);
}

static void machines(void **state)
{
    (void)state;
    const tlm_virtual_machine hardware = {.detected = false};
    json_t *value = tlm_machine_json(&hardware);
    assert_true(json_is_false(json_object_get(value, "detected")));
    assert_true(json_is_null(json_object_get(value, "hypervisor")));
    assert_int_equal(json_array_size(json_object_get(value, "evidence")), 0);
    json_decref(value);
    const tlm_virtual_machine guest = {
        .detected = true, .hypervisor = "kvm", .evidence = {"CPUID"}, .evidence_count = 1};
    value = tlm_machine_json(&guest);
    assert_string_equal(text_of(value, "hypervisor"), "kvm");
    assert_int_equal(json_array_size(json_object_get(value, "evidence")), 1);
    json_decref(value);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(files_that_go_with_the_container),
        WITH_DIRECTORY(files_that_stay),
        WITH_DIRECTORY(a_warning_goes_when_it_does_not_hold),
        WITH_DIRECTORY(privileged_containers),
        cmocka_unit_test(the_device_with_its_numbers),
        cmocka_unit_test(a_socket_that_lets_everything_be_done),
        cmocka_unit_test(outside_of_a_container_there_is_none),
        cmocka_unit_test(the_engine_knows_nothing_of_it),
        cmocka_unit_test(what_the_engine_says_is_in_it),
        cmocka_unit_test(a_pod_is_told),
        cmocka_unit_test(machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
