/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_root.h"

#include <tlm/container.h>

#include "../../common/src/container_internal.h"

#define ID "3f4ac0f7a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c"
#define SANDBOX "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"
#define UID "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
#define UID_OF_SLICE "0f1e2d3c_4b5a_6978_8796_a5b4c3d2e1f0"
#define OVERLAY(layers)                                                                            \
    "602 511 0:59 / / rw,relatime master:241 - overlay overlay rw,lowerdir=" layers "l/A:" layers  \
    "l/B,upperdir=" layers "f00/diff,workdir=" layers "f00/work\n"                                 \
    "603 602 0:62 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"                        \
    "606 602 0:64 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro\n"                       \
    "607 606 0:28 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n"

static void put_variables(void **state, const char *variables, size_t size)
{
    char path[TEST_PATH_MAX];
    put(state, "proc/self/environ", "");
    FILE *file = fopen(in_directory(state, "proc/self/environ", path), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(variables, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void assert_found(void **state, tlm_container_kind kind, const char *id,
                         tlm_container *container)
{
    assert_int_equal(tlm_container_look(*state, container), kind != TLM_CONTAINER_NONE);
    assert_string_equal(tlm_container_kind_name(container->kind), tlm_container_kind_name(kind));
    assert_string_equal(container->id, id);
    assert_int_equal(container->evidence_count > 0, kind != TLM_CONTAINER_NONE);
    for (size_t i = 0; i < container->evidence_count; i++) {
        assert_true(container->evidence[i][0] != '\0');
    }
}

static void an_empty_root_is_no_container(void **state)
{
    tlm_container container;
    assert_found(state, TLM_CONTAINER_NONE, "", &container);
    assert_false(container.kubernetes);
}

/* A Debian 12 server with Docker, Podman and a kubelet of its own: their mounts are all to be seen.
 */
static void a_host_with_engines_is_no_container(void **state)
{
    static const char mounts[] =
        "24 29 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
        "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
        "412 29 0:49 / /var/lib/docker/overlay2/" ID "/merged rw,relatime shared:211 - overlay "
        "overlay rw,lowerdir=/var/lib/docker/overlay2/l/A,upperdir=/var/lib/docker/overlay2/" ID
        "/diff,workdir=/var/lib/docker/overlay2/" ID "/work\n"
        "430 31 0:4 net:[4026532233] /run/docker/netns/4c5a rw shared:230 - nsfs nsfs rw\n"
        "441 29 0:52 / /var/lib/containers/storage/overlay-containers/" ID
        "/userdata/shm rw,nosuid shared:240 - tmpfs shm rw,size=64000k\n"
        "450 29 0:55 / /var/lib/kubelet/pods/" UID
        "/volumes/kubernetes.io~projected/kube-api-access-x rw shared:250 - tmpfs tmpfs rw\n"
        "451 29 254:1 /var/lib/kubelet/pods/" UID "/volumes/kubernetes.io~empty-dir/a "
        "/var/lib/kubelet/pods/" UID "/volume-subpaths/a/b/0 rw shared:1 - ext4 /dev/vda1 rw\n"
        "452 29 0:57 / /var/lib/lxcfs rw,nosuid shared:260 - fuse.lxcfs lxcfs rw\n";
    tlm_container container;
    put(state, "proc/self/mountinfo", mounts);
    put(state, "proc/self/cgroup", "0::/system.slice/TLLicenseManager.service\n");
    put(state, "proc/1/cgroup", "0::/init.scope\n");
    put(state, "etc/hostname", "server\n");
    put_variables(state, "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.0.0.1\0", 44);
    assert_found(state, TLM_CONTAINER_NONE, "", &container);
    assert_false(container.kubernetes);
}

static void the_engines_own_services_are_no_containers(void **state)
{
    static const char conmon[] = "0::/machine.slice/libpod-conmon-" ID ".scope\n";
    static const char longer[] = "12:cpu,cpuacct:/system.slice/docker-" ID "0.scope\n";
    static const char *const groups[] = {
        "0::/system.slice/docker.service\n",
        "0::/system.slice/containerd.service\n",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service\n",
        conmon,
        "0::/lxc.monitor.web\n",
        "0::/system.slice/docker-0123.scope\n",
        longer,
        "0::/docker\n",
        "0::/docker/\n",
        "no lines of a control group",
        "1:2",
        "::",
        "",
    };
    tlm_container container;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        put(state, "proc/self/cgroup", groups[i]);
        assert_found(state, TLM_CONTAINER_NONE, "", &container);
    }
}

static void control_groups_tell_engine_and_id(void **state)
{
    static const struct {
        const char *group;
        tlm_container_kind kind;
        const char *id;
    } cases[] = {
        /* version 1, cgroupfs and systemd */
        {"12:pids:/docker/" ID "\n11:memory:/docker/" ID "\n0::/\n", TLM_CONTAINER_DOCKER, ID},
        {"12:pids:/\n3:cpuset:/\n1:name=systemd:/system.slice/docker-" ID ".scope\n",
         TLM_CONTAINER_DOCKER, ID},
        /* version 2, of the host's namespace */
        {"0::/system.slice/docker-" ID ".scope\n", TLM_CONTAINER_DOCKER, ID},
        {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope\n",
         TLM_CONTAINER_DOCKER, ID},
        {"0::/../docker-" ID ".scope/init\n", TLM_CONTAINER_DOCKER, ID},
        {"0::/docker/buildkit/x9\n", TLM_CONTAINER_CONTAINERD, ""},
        {"0::/machine.slice/libpod-" ID ".scope/container\n", TLM_CONTAINER_PODMAN, ID},
        {"9:pids:/libpod_parent/" ID "\n", TLM_CONTAINER_PODMAN, ID},
        {"0::/system.slice/nerdctl-" ID ".scope", TLM_CONTAINER_CONTAINERD, ID},
        {"0::/lxc.payload.web/.lxc\n", TLM_CONTAINER_LXC, "web"},
        {"0::/lxc.payload/web\n", TLM_CONTAINER_LXC, "web"},
        {"4:memory:/lxc/web-1\n", TLM_CONTAINER_LXC, "web-1"},
        /* the innermost one counts */
        {"4:memory:/lxc/web/docker/" ID "\n", TLM_CONTAINER_DOCKER, ID},
    };
    tlm_container container;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(state, "proc/self/cgroup", cases[i].group);
        assert_found(state, cases[i].kind, cases[i].id, &container);
        assert_false(container.kubernetes);
        assert_int_equal(container.evidence_count, 1);
        assert_memory_equal(container.evidence[0], "/proc/self/cgroup: /", 20);
    }
}

static void control_groups_of_pods(void **state)
{
    static const struct {
        const char *group;
        tlm_container_kind kind;
        const char *id;
        const char *uid;
    } cases[] = {
        {"11:memory:/kubepods/burstable/pod" UID "/" ID "\n", TLM_CONTAINER_KUBERNETES, ID, UID},
        {"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_OF_SLICE
         ".slice/cri-containerd-" ID ".scope\n",
         TLM_CONTAINER_CONTAINERD, ID, UID},
        {"0::/kubepods.slice/kubepods-pod" UID_OF_SLICE ".slice/crio-" ID ".scope\n",
         TLM_CONTAINER_CRIO, ID, UID},
        {"0::/kubepods.slice/kubepods-pod" UID_OF_SLICE ".slice/docker-" ID ".scope\n",
         TLM_CONTAINER_DOCKER, ID, UID},
        {"9:cpu:/system.slice/containerd.service/kubepods-burstable-pod" UID_OF_SLICE
         ".slice:cri-containerd:" ID "\n",
         TLM_CONTAINER_CONTAINERD, ID, UID},
        /* a node that is a container itself */
        {"0::/docker/" SANDBOX "/kubelet/kubepods/burstable/pod" UID "/" ID "\n",
         TLM_CONTAINER_KUBERNETES, ID, UID},
        {"0::/kubepods/besteffort/pod1\n", TLM_CONTAINER_KUBERNETES, "", ""},
        {"0::/kubepods\n", TLM_CONTAINER_KUBERNETES, "", ""},
    };
    tlm_container container;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(state, "proc/self/cgroup", cases[i].group);
        assert_found(state, cases[i].kind, cases[i].id, &container);
        assert_true(container.kubernetes);
        assert_string_equal(container.pod_uid, cases[i].uid);
    }
}

/* Docker 20.10 and later on version 2: a namespace of its own, so that the path is "/". */
static void docker_of_which_mounts_alone_tell(void **state)
{
    static const char *const roots[] = {"/var/lib/docker", "/srv/engine data",
                                        "/home/u/.local/share/docker"};
    tlm_container container;
    put(state, "proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        char mounts[4096];
        char escaped[128] = "";
        for (const char *at = roots[i]; *at != '\0'; at++) {
            (void)snprintf(escaped + strlen(escaped), sizeof escaped - strlen(escaped),
                           *at == ' ' ? "\\040" : "%c", *at);
        }
        (void)snprintf(mounts, sizeof mounts,
                       OVERLAY("/x/") "619 602 254:1 %s/containers/" ID
                                      "/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 "
                                      "rw\n620 602 254:1 %s/containers/" ID
                                      "/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n",
                       escaped, escaped);
        put(state, "proc/self/mountinfo", mounts);
        assert_found(state, TLM_CONTAINER_DOCKER, ID, &container);
        assert_non_null(strstr(container.evidence[0], roots[i]));
    }
}

static void podman_rootful_and_rootless(void **state)
{
    static const char *const places[] = {"/containers/storage/overlay-containers/",
                                         "/containers/overlay-containers/"};
    tlm_container container;
    put(state, "proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char mounts[4096];
        /* In a pod of Podman these files are of its infra container, and the mark is our own. */
        (void)snprintf(
            mounts, sizeof mounts,
            "620 602 0:25 %s" SANDBOX "/userdata/hostname /etc/hostname rw - tmpfs t rw\n"
            "621 602 0:25 %s" ID "/userdata/.containerenv /run/.containerenv rw - tmpfs tmpfs rw\n",
            places[i], places[i]);
        put(state, "proc/self/mountinfo", mounts);
        put(state, "run/.containerenv", "");
        assert_found(state, TLM_CONTAINER_PODMAN, ID, &container);
    }
}

static void podmans_mark_has_the_id_when_privileged(void **state)
{
    tlm_container container;
    put(state, "run/.containerenv",
        "engine=\"podman-4.3.1\"\nname=\"web\"\nid=\"" ID "\"\nimage=\"debian\"\nrootless=0\n");
    assert_found(state, TLM_CONTAINER_PODMAN, ID, &container);
    put(state, "run/.containerenv", "id=\"" ID "0\"\nid=\"");
    assert_found(state, TLM_CONTAINER_PODMAN, "", &container);
}

static void containerd_without_a_pod(void **state)
{
    tlm_container container;
    put(state, "proc/self/cgroup", "0::/\n");
    put(state, "proc/self/mountinfo",
        OVERLAY(
            "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/") "620 602 8:1 "
                                                                                     "/var/lib/"
                                                                                     "nerdctl/"
                                                                                     "1935db59/"
                                                                                     "containers/"
                                                                                     "default/" ID
                                                                                     "/hostname "
                                                                                     "/etc/"
                                                                                     "hostname rw "
                                                                                     "- ext4 "
                                                                                     "/dev/sda1 "
                                                                                     "rw\n");
    assert_found(state, TLM_CONTAINER_CONTAINERD, ID, &container);
    put(state, "proc/self/mountinfo",
        "620 602 8:1 /var/lib/nerdctl/1935db59/etchosts/default/" ID
        "/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n");
    assert_found(state, TLM_CONTAINER_CONTAINERD, ID, &container);
    /* ctr run: nothing but the layers */
    put(state, "proc/self/mountinfo",
        OVERLAY("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/"));
    assert_found(state, TLM_CONTAINER_CONTAINERD, "", &container);
}

static void put_pod(void **state)
{
    put(state, "proc/self/cgroup", "0::/\n");
    put(state, "run/secrets/kubernetes.io/serviceaccount/namespace", "licensing");
    put(state, "etc/hostname", "tlm-x7k2p\n");
    put_variables(state, "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.96.0.1\0", 45);
}

static void a_pod_on_containerd(void **state)
{
    tlm_container container;
    put_pod(state);
    put(state, "proc/self/mountinfo",
        OVERLAY(
            "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/") "710 602 8:1 "
                                                                                     "/var/lib/"
                                                                                     "kubelet/"
                                                                                     "pods/" UID
                                                                                     "/etc-hosts "
                                                                                     "/etc/hosts "
                                                                                     "rw - ext4 "
                                                                                     "/dev/sda1 "
                                                                                     "rw\n"
                                                                                     "711 602 8:1 "
                                                                                     "/var/lib/"
                                                                                     "kubelet/"
                                                                                     "pods/" UID
                                                                                     "/containers/"
                                                                                     "license-"
                                                                                     "manager/"
                                                                                     "f00dbabe "
                                                                                     "/dev/"
                                                                                     "termination-"
                                                                                     "log rw - "
                                                                                     "ext4 "
                                                                                     "/dev/sda1 "
                                                                                     "rw\n"
                                                                                     "712 602 8:1 "
                                                                                     "/var/lib/"
                                                                                     "containerd/"
                                                                                     "io."
                                                                                     "containerd."
                                                                                     "grpc.v1.cri/"
                                                                                     "sandboxes"
                                                                                     "/" SANDBOX
                                                                                     "/hostname "
                                                                                     "/etc/"
                                                                                     "hostname rw "
                                                                                     "- ext4 "
                                                                                     "/dev/sda1 "
                                                                                     "rw\n");
    /* The sandbox's id is another one than the container's. */
    assert_found(state, TLM_CONTAINER_CONTAINERD, "", &container);
    assert_true(container.kubernetes);
    assert_string_equal(container.pod_uid, UID);
    assert_string_equal(container.pod_member, "license-manager");
    assert_string_equal(container.pod_space, "licensing");
    assert_string_equal(container.pod, "tlm-x7k2p");
}

static void a_pod_on_crio(void **state)
{
    tlm_container container;
    put_pod(state);
    put_variables(state, "POD_NAME=tlm-0\0", 15);
    put(state, "proc/self/mountinfo",
        "710 602 8:1 /pods/" UID "/etc-hosts /etc/hosts rw - xfs /dev/sdb1 rw\n"
        "712 602 0:25 /containers/storage/overlay-containers/" SANDBOX
        "/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n"
        "713 602 0:25 /containers/storage/overlay-containers/" ID
        "/userdata/.containerenv /run/.containerenv rw - tmpfs tmpfs rw\n");
    put(state, "run/.containerenv", "");
    assert_found(state, TLM_CONTAINER_CRIO, ID, &container);
    assert_string_equal(container.pod_uid, UID);
    assert_string_equal(container.pod, "tlm-0");
}

static void a_pod_of_which_the_account_alone_tells(void **state)
{
    tlm_container container;
    put(state, "var/run/secrets/kubernetes.io/serviceaccount/namespace", "default\n");
    assert_found(state, TLM_CONTAINER_KUBERNETES, "", &container);
    assert_string_equal(container.pod_space, "default");
    assert_string_equal(container.pod, "");
}

static void a_pod_without_an_account(void **state)
{
    tlm_container container;
    put_variables(state, "KUBERNETES_SERVICE_HOST=10.96.0.1\0", 34);
    put(state, ".dockerenv", "");
    assert_found(state, TLM_CONTAINER_DOCKER, "", &container);
    assert_true(container.kubernetes);
}

static void marks_that_managers_leave(void **state)
{
    static const struct {
        const char *file;
        const char *text;
        tlm_container_kind kind;
    } cases[] = {
        {".dockerenv", "", TLM_CONTAINER_DOCKER},
        {"run/.containerenv", "", TLM_CONTAINER_PODMAN},
        {"run/systemd/container", "lxc", TLM_CONTAINER_LXC},
        {"run/systemd/container", "podman\n", TLM_CONTAINER_PODMAN},
        {"run/systemd/container", "", TLM_CONTAINER_OTHER},
        {"run/host/container-manager", "systemd-nspawn", TLM_CONTAINER_NSPAWN},
        {"proc/self/environ", "container=lxc", TLM_CONTAINER_LXC},
        {"proc/self/environ", "container=oci", TLM_CONTAINER_OTHER},
        {"proc/self/environ", "container=", TLM_CONTAINER_NONE},
        {"proc/self/environ", "acontainer=lxc", TLM_CONTAINER_NONE},
        {"proc/self/mountinfo", "50 40 0:30 /proc/cpuinfo /proc/cpuinfo rw - fuse.lxcfs lxcfs rw\n",
         TLM_CONTAINER_LXC},
    };
    tlm_container container;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[TEST_PATH_MAX];
        put(state, cases[i].file, cases[i].text);
        assert_found(state, cases[i].kind, "", &container);
        assert_int_equal(remove(in_directory(state, cases[i].file, path)), 0);
    }
}

static void what_an_engine_throws_away(void **state)
{
    (void)state;
    assert_false(tlm_container_is_thrown_away(TLM_CONTAINER_NONE));
    assert_false(tlm_container_is_thrown_away(TLM_CONTAINER_LXC));
    assert_false(tlm_container_is_thrown_away(TLM_CONTAINER_NSPAWN));
    assert_true(tlm_container_is_thrown_away(TLM_CONTAINER_DOCKER));
    assert_true(tlm_container_is_thrown_away(TLM_CONTAINER_KUBERNETES));
    assert_string_equal(tlm_container_kind_name((tlm_container_kind)99), "other");
}

static void long_signs_are_cut(void **state)
{
    char group[3000];
    tlm_container container;
    (void)snprintf(group, sizeof group, "0::/docker/%0*d\n", 2900, 1);
    put(state, "proc/self/cgroup", group);
    assert_found(state, TLM_CONTAINER_DOCKER, "", &container);
    assert_int_equal(strlen(container.evidence[0]), TLM_CONTAINER_EVIDENCE_SIZE - 1);
    (void)snprintf(group, sizeof group, "0::/lxc/%0*d\n", 65, 1);
    put(state, "proc/self/cgroup", group);
    assert_found(state, TLM_CONTAINER_LXC, "", &container);
}

/* Cut at every byte, no reader runs over the end (valgrind and the sanitizers see it). */
static void cut_texts_are_read_to_their_end(void **state)
{
    static const char groups[] = "0::/kubepods.slice/kubepods-pod" UID_OF_SLICE
                                 ".slice/cri-containerd-" ID ".scope\n1:x:/lxc.payload.web";
    static const char mounts[] =
        "711 602 8:1 /pods/" UID "/containers/m/f0 /dev/termination-log rw - ext4 /dev/sda1 rw\n"
        "619 602 254:1 /docker/containers/" ID "/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n";
    (void)state;
    for (size_t size = 0; size < sizeof mounts; size++) {
        tlm_container container = {.kind = TLM_CONTAINER_NONE};
        char *text = strndup(mounts, size);
        assert_non_null(text);
        tlm_container_read_mounts(text, "mounts", &container);
        free(text);
        text = strndup(groups, size);
        assert_non_null(text);
        tlm_container_read_cgroup(text, "groups", &container);
        free(text);
    }
}

static void this_system_gives_the_same_twice(void **state)
{
    (void)state;
    tlm_container first;
    tlm_container second;
    assert_int_equal(tlm_container_look("/", &first), tlm_container_look("/", &second));
    assert_memory_equal(&first, &second, sizeof first);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(an_empty_root_is_no_container),
        WITH_DIRECTORY(a_host_with_engines_is_no_container),
        WITH_DIRECTORY(the_engines_own_services_are_no_containers),
        WITH_DIRECTORY(control_groups_tell_engine_and_id),
        WITH_DIRECTORY(control_groups_of_pods),
        WITH_DIRECTORY(docker_of_which_mounts_alone_tell),
        WITH_DIRECTORY(podman_rootful_and_rootless),
        WITH_DIRECTORY(podmans_mark_has_the_id_when_privileged),
        WITH_DIRECTORY(containerd_without_a_pod),
        WITH_DIRECTORY(a_pod_on_containerd),
        WITH_DIRECTORY(a_pod_on_crio),
        WITH_DIRECTORY(a_pod_of_which_the_account_alone_tells),
        WITH_DIRECTORY(a_pod_without_an_account),
        WITH_DIRECTORY(marks_that_managers_leave),
        cmocka_unit_test(what_an_engine_throws_away),
        WITH_DIRECTORY(long_signs_are_cut),
        cmocka_unit_test(cut_texts_are_read_to_their_end),
        cmocka_unit_test(this_system_gives_the_same_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
