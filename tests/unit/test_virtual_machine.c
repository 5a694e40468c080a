/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_root.h"

#include <tlm/virtual_machine.h>

static const tlm_virtual_cpu bare = {.hypervisor = false};

static void put_firmware(void **state, const char *vendor, const char *product, const char *bios)
{
    put(state, "sys/class/dmi/id/sys_vendor", vendor);
    put(state, "sys/class/dmi/id/product_name", product);
    put(state, "sys/class/dmi/id/bios_vendor", bios);
}

static void assert_machine(void **state, const tlm_virtual_cpu *cpu, const char *hypervisor)
{
    tlm_virtual_machine machine;
    bool wanted = hypervisor[0] != '\0';
    assert_int_equal(tlm_virtual_machine_look(*state, cpu, &machine), wanted);
    assert_int_equal(machine.detected, wanted);
    assert_string_equal(machine.hypervisor, hypervisor);
    assert_int_equal(machine.evidence_count > 0, wanted);
}

static void hardware_is_no_virtual_machine(void **state)
{
    static const struct {
        const char *vendor;
        const char *product;
        const char *bios;
    } cases[] = {
        {"Dell Inc.\n", "PowerEdge R640\n", "Dell Inc.\n"},
        {"Microsoft Corporation\n", "Surface Laptop 5\n", "Microsoft Corporation\n"},
        {"Apple Inc.\n", "MacBookPro16,1\n", "Apple Inc.\n"},
        {"Amazon EC2\n", "m5.metal\n", "Amazon EC2\n"},
        {"Google\n", "Kohaku\n", "coreboot\n"},
        {"HP\n", "HP EliteBook\n", "SeaBIOS\n"},
        {"Oracle Corporation\n", "SUN SERVER X4-2\n", "American Megatrends Inc.\n"},
        {"Red Hat Ltd\n", "Workstation\n", "AMI\n"},
        {"", "", ""},
    };
    assert_machine(state, &bare, "");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_firmware(state, cases[i].vendor, cases[i].product, cases[i].bios);
        assert_machine(state, &bare, "");
    }
}

static void the_processor_names_the_hypervisor(void **state)
{
    static const struct {
        const char *signature;
        const char *name;
    } cases[] = {
        {"KVMKVMKVM", "kvm"},
        {"VMwareVMware", "vmware"},
        {"Microsoft Hv", "hyper-v"},
        {"TCGTCGTCGTCG", "qemu"},
        {"XenVMMXenVMM", "xen"},
        {"VBoxVBoxVBox", "virtualbox"},
        {"bhyve bhyve ", "bhyve"},
        {"prl hyperv  ", "parallels"},
        {" lrpepyh  vr", "parallels"},
        {"KVMKVMKVM ", "unknown"},
        {"", "unknown"},
        {"\x01\xff", "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_virtual_cpu cpu = {.hypervisor = true};
        (void)snprintf(cpu.signature, sizeof cpu.signature, "%s", cases[i].signature);
        assert_machine(state, &cpu, cases[i].name);
    }
    /* Whatever stands there without the bit is no word of a hypervisor. */
    const tlm_virtual_cpu noise = {.hypervisor = false, .signature = "KVMKVMKVM"};
    assert_machine(state, &noise, "");
}

static void the_firmware_names_it_where_the_processor_does_not(void **state)
{
    static const struct {
        const char *vendor;
        const char *product;
        const char *bios;
        const char *name;
    } cases[] = {
        {"QEMU", "Standard PC (Q35 + ICH9, 2009)", "SeaBIOS", "qemu"},
        {"Red Hat", "KVM", "SeaBIOS", "kvm"},
        {"VMware, Inc.", "VMware Virtual Platform", "Phoenix", "vmware"},
        {"innotek GmbH", "VirtualBox", "innotek GmbH", "virtualbox"},
        {"Microsoft Corporation", "Virtual Machine", "American Megatrends", "hyper-v"},
        {"Xen", "HVM domU", "Xen", "xen"},
        {"", "", "Xen", "xen"},
        {"Amazon EC2", "m5.large", "Amazon EC2", "amazon"},
        {"Google", "Google Compute Engine", "Google", "kvm"},
        {"Apple Inc.", "Apple Virtualization Generic Platform", "Apple Inc.", "apple"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_firmware(state, cases[i].vendor, cases[i].product, cases[i].bios);
        assert_machine(state, &bare, cases[i].name);
    }
    const tlm_virtual_cpu silent = {.hypervisor = true};
    put_firmware(state, "VMware, Inc.", "VMware7,1", "VMware, Inc.");
    assert_machine(state, &silent, "vmware");
    /* The processor comes first: QEMU as the maker, KVM below it. */
    const tlm_virtual_cpu kvm = {.hypervisor = true, .signature = "KVMKVMKVM"};
    put_firmware(state, "QEMU", "Standard PC (i440FX + PIIX, 1996)", "SeaBIOS");
    assert_machine(state, &kvm, "kvm");
}

static void xen_and_its_first_domain(void **state)
{
    const tlm_virtual_cpu cpu = {.hypervisor = true, .signature = "XenVMMXenVMM"};
    put(state, "sys/hypervisor/type", "xen\n");
    assert_machine(state, &bare, "xen");
    put(state, "proc/xen/capabilities", "\n");
    assert_machine(state, &cpu, "xen");
    put(state, "proc/xen/capabilities", "control_d\n");
    assert_machine(state, &cpu, "");
}

static void machines_without_dmi(void **state)
{
    put(state, "proc/device-tree/hypervisor/compatible", "linux,kvm");
    assert_machine(state, &bare, "kvm");
    put(state, "proc/device-tree/hypervisor/compatible", "xen,xen-4.14");
    assert_machine(state, &bare, "xen,xen-4.14");
}

static void texts_of_any_length(void **state)
{
    char text[400];
    tlm_virtual_machine machine;
    (void)snprintf(text, sizeof text, "QEMU%0*d", 390, 0);
    put_firmware(state, text, text, text);
    put(state, "sys/hypervisor/type", text);
    assert_true(tlm_virtual_machine_look(*state, &bare, &machine));
    assert_string_equal(machine.hypervisor, "qemu");
    assert_int_equal(machine.evidence_count, 2);
}

static void this_machine_gives_the_same_twice(void **state)
{
    (void)state;
    tlm_virtual_cpu cpu;
    tlm_virtual_machine first;
    tlm_virtual_machine second;
    tlm_virtual_cpu_read(&cpu);
    assert_int_equal(tlm_virtual_machine_look("/", &cpu, &first),
                     tlm_virtual_machine_look("/", &cpu, &second));
    assert_memory_equal(&first, &second, sizeof first);
    assert_true(!cpu.hypervisor || first.detected || access("/proc/xen", F_OK) == 0);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(hardware_is_no_virtual_machine),
        WITH_DIRECTORY(the_processor_names_the_hypervisor),
        WITH_DIRECTORY(the_firmware_names_it_where_the_processor_does_not),
        WITH_DIRECTORY(xen_and_its_first_domain),
        WITH_DIRECTORY(machines_without_dmi),
        WITH_DIRECTORY(texts_of_any_length),
        cmocka_unit_test(this_machine_gives_the_same_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
