/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_root.h"

#include <errno.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include <tlm/host.h>

#include "../../licensing/src/host_private.h"

#define SALT "salt"

enum { CPU, SYSTEM, BOARD, MACHINE_ID, DISK, NETWORK };

static void take(void **state, const char *name)
{
    char path[TEST_PATH_MAX];
    assert_int_equal(remove(in_directory(state, name, path)), 0);
}

static void put_disk(void **state, const char *name, const char *removable, const char *serial)
{
    char path[128];
    (void)snprintf(path, sizeof path, "sys/block/%s/removable", name);
    put(state, path, removable);
    if (serial != NULL) {
        (void)snprintf(path, sizeof path, "sys/block/%s/device/serial", name);
        put(state, path, serial);
    }
}

static void put_card(void **state, const char *name, const char *address, const char *assigned,
                     int with_device)
{
    char path[128];
    (void)snprintf(path, sizeof path, "sys/class/net/%s/address", name);
    put(state, path, address);
    (void)snprintf(path, sizeof path, "sys/class/net/%s/addr_assign_type", name);
    put(state, path, assigned);
    if (with_device) {
        (void)snprintf(path, sizeof path, "sys/class/net/%s/device/vendor", name);
        put(state, path, "0x8086\n");
    }
}

static void put_host(void **state)
{
    put(state, "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 158\n"
        "model name\t: A CPU\nstepping\t: 10\ncpu MHz\t\t: 800.1\n\nprocessor\t: 1\n"
        "vendor_id\t: Other\n");
    put(state, "sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8054-B2C04F4A5931\n");
    put(state, "sys/class/dmi/id/board_serial", "/ABC123/CN0123/\n");
    put(state, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put_disk(state, "sda", "0\n", "DISK-B\n");
    put_disk(state, "nvme0n1", "0\n", "DISK-A  \n");
    put_card(state, "eth0", "00:1b:21:aa:bb:cc\n", "0\n", 1);
}

static void expected_hash(const char *id, const char *value, char hex[65])
{
    unsigned char bytes[1024];
    unsigned char digest[32];
    unsigned int size = sizeof digest;
    int used = snprintf((char *)bytes, sizeof bytes, "%s%s%c%s", SALT, id, '\0', value);
    assert_int_equal(EVP_Digest(bytes, (size_t)used, digest, &size, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

static size_t look(void **state, tlm_host_component components[TLM_HOST_COMPONENTS])
{
    return tlm_host_components(*state, SALT, strlen(SALT), components);
}

static void assert_value(const tlm_host_component *component, const char *value)
{
    char hex[65];
    expected_hash(component->id, value, hex);
    assert_true(component->present);
    assert_string_equal(component->sha256, hex);
}

static void finds_every_component(void **state)
{
    static const char *const ids[] = {"cpu", "system", "board", "machine-id", "disk", "network"};
    tlm_host_component components[TLM_HOST_COMPONENTS];
    put_host(state);
    assert_int_equal(look(state, components), TLM_HOST_COMPONENTS);
    for (size_t i = 0; i < TLM_HOST_COMPONENTS; i++) {
        assert_string_equal(components[i].id, ids[i]);
        assert_in_range(components[i].weight, 1, 3);
    }
    assert_value(&components[CPU], "cpu family=6\nmodel name=A CPU\nmodel=158\nstepping=10\n"
                                   "vendor_id=GenuineIntel");
    assert_value(&components[SYSTEM], "4c4c4544-0042-3510-8054-b2c04f4a5931");
    assert_value(&components[BOARD], "/ABC123/CN0123/");
    assert_value(&components[MACHINE_ID], "0123456789abcdef0123456789abcdef");
    assert_value(&components[DISK], "DISK-A\nDISK-B");
    assert_value(&components[NETWORK], "00:1b:21:aa:bb:cc");
}

static void an_empty_host_has_none(void **state)
{
    tlm_host_component components[TLM_HOST_COMPONENTS];
    assert_int_equal(look(state, components), 0);
    for (size_t i = 0; i < TLM_HOST_COMPONENTS; i++) {
        assert_false(components[i].present);
        assert_string_equal(components[i].sha256, "");
        assert_true(components[i].id[0] != '\0');
    }
}

static void the_salt_hides_the_values(void **state)
{
    tlm_host_component first[TLM_HOST_COMPONENTS];
    tlm_host_component second[TLM_HOST_COMPONENTS];
    put_host(state);
    (void)look(state, first);
    (void)tlm_host_components(*state, "other", 5, second);
    for (size_t i = 0; i < TLM_HOST_COMPONENTS; i++) {
        assert_string_not_equal(first[i].sha256, second[i].sha256);
    }
}

static void placeholders_are_absent(void **state)
{
    static const char *const serials[] = {"To be filled by O.E.M.\n",
                                          "None\n",
                                          "none\n",
                                          "Not Specified\n",
                                          "Default string\n",
                                          "0000000\n",
                                          "................\n",
                                          " \n",
                                          "",
                                          "FFFFFFFF\n",
                                          "xxxxxxx\n"};
    tlm_host_component components[TLM_HOST_COMPONENTS];
    put_host(state);
    for (size_t i = 0; i < sizeof serials / sizeof *serials; i++) {
        put(state, "sys/class/dmi/id/board_serial", serials[i]);
        assert_int_equal(look(state, components), TLM_HOST_COMPONENTS - 1);
        assert_false(components[BOARD].present);
    }
    put(state, "sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
    put(state, "etc/machine-id", "uninitialized\n");
    (void)look(state, components);
    assert_false(components[SYSTEM].present);
    assert_false(components[MACHINE_ID].present);
}

static void only_what_stays_in_the_machine_counts(void **state)
{
    tlm_host_component before[TLM_HOST_COMPONENTS];
    tlm_host_component after[TLM_HOST_COMPONENTS];
    char from[TEST_PATH_MAX];
    char to[TEST_PATH_MAX];
    put_host(state);
    (void)look(state, before);
    put_disk(state, "sdb", "1\n", "STICK\n");
    put_disk(state, "loop0", "0\n", NULL);
    put(state, "sys/block/dm-0/serial", "MAPPER\n");
    put(state, "sys/block/dm-0/removable", "0\n");
    put_card(state, "docker0", "00:1b:21:00:00:01\n", "0\n", 0);
    put_card(state, "veth1", "00:1b:21:00:00:02\n", "0\n", 0);
    put_card(state, "eth1", "52:54:00:12:34:56\n", "0\n", 1);
    put_card(state, "eth2", "00:1b:21:00:00:03\n", "1\n", 1);
    put_card(state, "eth3", "00:1b:21:00:00:04\n", "3\n", 1);
    put_card(state, "ib0", "80:00:02:08:fe:80:00:00\n", "0\n", 1);
    put_card(state, "eth4", "00:00:00:00:00:00\n", "0\n", 1);
    put_card(state, "eth5", "00:1b:21:00:00:05\n", "0\n", 1);
    put(state, "sys/class/net/eth5/device/physfn/vendor", "0x8086\n");
    /* A disk on USB says that it is not removable, and is. */
    put(state, "sys/devices/pci0/usb1/1-1/sdc/removable", "0\n");
    put(state, "sys/devices/pci0/usb1/1-1/sdc/device/serial", "USB-DISK\n");
    in_directory(state, "sys/block/sdc", to);
    (void)snprintf(from, sizeof from, "../devices/pci0/usb1/1-1/sdc");
    assert_int_equal(symlink(from, to), 0);
    (void)look(state, after);
    assert_string_equal(after[DISK].sha256, before[DISK].sha256);
    assert_string_equal(after[NETWORK].sha256, before[NETWORK].sha256);
}

static void each_new_part_is_seen(void **state)
{
    tlm_host_component before[TLM_HOST_COMPONENTS];
    tlm_host_component after[TLM_HOST_COMPONENTS];
    put_host(state);
    (void)look(state, before);
    put_disk(state, "sdd", "0\n", "DISK-C\n");
    put_card(state, "eth9", "00:1b:21:dd:ee:ff\n", "0\n", 1);
    (void)look(state, after);
    assert_value(&after[DISK], "DISK-A\nDISK-B\nDISK-C");
    assert_value(&after[NETWORK], "00:1b:21:aa:bb:cc\n00:1b:21:dd:ee:ff");
    assert_string_equal(after[CPU].sha256, before[CPU].sha256);
    assert_string_equal(after[BOARD].sha256, before[BOARD].sha256);
}

static void sets_are_sorted_and_bounded(void **state)
{
    (void)state;
    tlm_host_set set = {.count = 0};
    char value[TLM_HOST_TEXT_MAX];
    char item[TLM_HOST_ITEM_MAX];
    assert_false(tlm_host_set_join(&set, value));
    for (unsigned i = 200; i > 0; i--) {
        (void)snprintf(item, sizeof item, "%03u", i);
        tlm_host_set_add(&set, item);
        tlm_host_set_add(&set, item);
    }
    assert_int_equal(set.count, TLM_HOST_SET_MAX);
    assert_string_equal(set.items[0], "001");
    assert_string_equal(set.items[TLM_HOST_SET_MAX - 1], "064");
    assert_true(tlm_host_set_join(&set, value));
    assert_memory_equal(value, "001\n002\n", 8);
    tlm_host_set_add(&set, "zzz");
    assert_string_equal(set.items[TLM_HOST_SET_MAX - 1], "064");
}

static void a_containers_own_values_do_not_count(void **state)
{
    tlm_host_component components[TLM_HOST_COMPONENTS];
    put_host(state);
    put(state, ".dockerenv", "");
    assert_int_equal(tlm_host_runtime(*state), TLM_RUNTIME_CONTAINER);
    assert_int_equal(look(state, components), TLM_HOST_COMPONENTS - 1);
    assert_false(components[MACHINE_ID].present);
    put(state, "run/host/etc/machine-id", "fedcba9876543210fedcba9876543210\n");
    (void)look(state, components);
    assert_value(&components[MACHINE_ID], "fedcba9876543210fedcba9876543210");
}

#define MOUNTS(id)                                                                                 \
    "602 511 0:59 / / rw - overlay overlay rw,upperdir=/var/lib/docker/overlay2/" id "/diff\n"     \
    "620 602 8:1 /var/lib/docker/containers/" id id id id                                          \
    "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"

/* What a container of Docker sees of the host in put_host, as an ordinary user and without mounts.
 */
static void put_container(void **state, const char *mounts, const char *machine_id,
                          const char *address)
{
    put_host(state);
    take(state, "sys/class/dmi/id/product_uuid"); /* 0400 root */
    take(state, "sys/class/dmi/id/board_serial");
    put(state, "proc/self/cgroup", "0::/\n");
    put(state, "proc/self/mountinfo", mounts);
    put(state, "etc/machine-id", machine_id);
    put(state, "etc/hostname", machine_id);
    /* Its network: a veth in the place of the host's cards. */
    take(state, "sys/class/net/eth0/device/vendor");
    take(state, "sys/class/net/eth0/device");
    put(state, "sys/class/net/eth0/address", address);
    put(state, "sys/class/net/eth0/addr_assign_type", "3\n");
}

static void a_container_made_anew_keeps_its_components(void **state)
{
    tlm_host_component first[TLM_HOST_COMPONENTS];
    tlm_host_component second[TLM_HOST_COMPONENTS];
    put_container(state, MOUNTS("0123456789abcdef"), "aaaabbbbccccddddaaaabbbbccccdddd\n",
                  "02:42:ac:11:00:02\n");
    assert_int_equal(tlm_host_runtime(*state), TLM_RUNTIME_CONTAINER);
    assert_int_equal(look(state, first), 2);
    assert_true(first[CPU].present);
    assert_value(&first[DISK], "DISK-A\nDISK-B");
    put_container(state, MOUNTS("fedcba9876543210"), "eeeeffff0000111122223333444455ee\n",
                  "02:42:ac:11:00:09\n");
    assert_int_equal(look(state, second), 2);
    assert_memory_equal(first, second, sizeof first);
    /* Another host's disks are seen. */
    put_disk(state, "sda", "0\n", "DISK-OF-ANOTHER\n");
    (void)look(state, second);
    assert_string_not_equal(first[DISK].sha256, second[DISK].sha256);
}

static void the_hosts_machine_id_can_be_mounted(void **state)
{
    static const char *const hosts[] = {"/etc/machine-id", "/@/etc/machine-id"};
    static const char *const others[] = {"/machine-id", "/containers/x/machine-id",
                                         "/etc/machine-id.d"};
    tlm_host_component components[TLM_HOST_COMPONENTS];
    char mounts[1024];
    static const char form[] =
        MOUNTS("0123456789abcdef") "630 602 8:1 %s /etc/machine-id ro - ext4 /dev/sda1 rw\n";
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        (void)snprintf(mounts, sizeof mounts, form, hosts[i]);
        put_container(state, mounts, "0123456789abcdef0123456789abcdef\n", "02:42:ac:11:00:02\n");
        assert_int_equal(look(state, components), 3);
        assert_value(&components[MACHINE_ID], "0123456789abcdef0123456789abcdef");
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        (void)snprintf(mounts, sizeof mounts, form, others[i]);
        put(state, "proc/self/mountinfo", mounts);
        assert_int_equal(look(state, components), 2);
        assert_false(components[MACHINE_ID].present);
    }
    put(state, "run/host/etc/machine-id", "fedcba9876543210fedcba9876543210\n");
    (void)look(state, components);
    assert_value(&components[MACHINE_ID], "fedcba9876543210fedcba9876543210");
}

static void containers_are_told_by_any_of_their_signs(void **state)
{
    static const char *const files[] = {".dockerenv", "run/.containerenv", "run/systemd/container"};
    put(state, "proc/1/cgroup", "0::/init.scope\n");
    assert_int_not_equal(tlm_host_runtime(*state), TLM_RUNTIME_CONTAINER);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        put(state, files[i], "");
        assert_int_equal(tlm_host_runtime(*state), TLM_RUNTIME_CONTAINER);
        take(state, files[i]);
    }
    put(state, "proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
    assert_int_equal(tlm_host_runtime(*state), TLM_RUNTIME_CONTAINER);
    put(state, "proc/1/cgroup", "12:cpu:/docker/0123\n");
    assert_int_equal(tlm_host_runtime(*state), TLM_RUNTIME_CONTAINER);
    assert_string_equal(tlm_runtime_name(TLM_RUNTIME_CONTAINER), "container");
    assert_string_equal(tlm_runtime_name(TLM_RUNTIME_DAEMON), "daemon");
    assert_string_equal(tlm_runtime_name(TLM_RUNTIME_INTERACTIVE), "interactive");
    assert_string_equal(tlm_runtime_name((tlm_runtime)9), "daemon");
}

static void this_host_gives_the_same_twice(void **state)
{
    (void)state;
    tlm_host_component first[TLM_HOST_COMPONENTS];
    tlm_host_component second[TLM_HOST_COMPONENTS];
    size_t count = tlm_host_components("/", SALT, 4, first);
    assert_int_equal(tlm_host_components("/", SALT, 4, second), count);
    assert_memory_equal(first, second, sizeof first);
    assert_true(first[CPU].present);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(finds_every_component),
        WITH_DIRECTORY(an_empty_host_has_none),
        WITH_DIRECTORY(the_salt_hides_the_values),
        WITH_DIRECTORY(placeholders_are_absent),
        WITH_DIRECTORY(only_what_stays_in_the_machine_counts),
        WITH_DIRECTORY(each_new_part_is_seen),
        cmocka_unit_test(sets_are_sorted_and_bounded),
        WITH_DIRECTORY(a_containers_own_values_do_not_count),
        WITH_DIRECTORY(a_container_made_anew_keeps_its_components),
        WITH_DIRECTORY(the_hosts_machine_id_can_be_mounted),
        WITH_DIRECTORY(containers_are_told_by_any_of_their_signs),
        cmocka_unit_test(this_host_gives_the_same_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
