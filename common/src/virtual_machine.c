/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/virtual_machine.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "root_file.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define LEAF_FEATURES 1U
#define LEAF_HYPERVISOR 0x40000000U
#define LEAF_NEXT 0x100U
#define ECX_HYPERVISOR (1U << 31)

static void read_signature(unsigned leaf, char signature[13])
{
    unsigned words[4] = {0};
    __cpuid(leaf, words[0], words[1], words[2], words[3]);
    memcpy(signature, &words[1], 12);
    signature[12] = '\0';
}

/* KVM that plays Hyper-V for Windows guests shows itself one range further. */
void tlm_virtual_cpu_read(tlm_virtual_cpu *cpu)
{
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    char second[13];
    *cpu = (tlm_virtual_cpu){.hypervisor = false};
    if (__get_cpuid(LEAF_FEATURES, &eax, &ebx, &ecx, &edx) == 0 || (ecx & ECX_HYPERVISOR) == 0) {
        return;
    }
    cpu->hypervisor = true;
    read_signature(LEAF_HYPERVISOR, cpu->signature);
    read_signature(LEAF_HYPERVISOR + LEAF_NEXT, second);
    if (strcmp(cpu->signature, "Microsoft Hv") == 0 && strcmp(second, "KVMKVMKVM") == 0) {
        memcpy(cpu->signature, second, sizeof second);
    }
}
#else
void tlm_virtual_cpu_read(tlm_virtual_cpu *cpu)
{
    *cpu = (tlm_virtual_cpu){.hypervisor = false};
}
#endif

static const struct {
    const char *signature;
    const char *name;
} signatures[] = {
    {"KVMKVMKVM", "kvm"},
    {"Linux KVM Hv", "kvm"},
    {"TCGTCGTCGTCG", "qemu"},
    {"VMwareVMware", "vmware"},
    {"Microsoft Hv", "hyper-v"},
    {"XenVMMXenVMM", "xen"},
    {"VBoxVBoxVBox", "virtualbox"},
    {"prl hyperv  ", "parallels"},
    {" lrpepyh  vr", "parallels"},
    {"bhyve bhyve ", "bhyve"},
    {"ACRNACRNACRN", "acrn"},
    {"EVMMEVMMEVMM", "intel-evmm"},
    {"OpenBSDVMM58", "openbsd-vmm"},
    {"QNXQVMBSQG", "qnx"},
    {"SRESRESRESRE", "sre"},
};

/*
 * Texts of the firmware, by their beginning. A maker that sells hardware too is asked for the
 * product as well. SeaBIOS is none of them: laptops boot by it.
 */
static const struct {
    const char *vendor;  /* sys_vendor, NULL: any */
    const char *product; /* product_name, NULL: any */
    const char *name;
} firmware[] = {
    {"QEMU", NULL, "qemu"},
    {NULL, "KVM", "kvm"},
    {NULL, "Standard PC (", "qemu"},
    {"VMware", NULL, "vmware"},
    {NULL, "VMware", "vmware"},
    {"innotek GmbH", NULL, "virtualbox"},
    {NULL, "VirtualBox", "virtualbox"},
    {"Xen", NULL, "xen"},
    {"Microsoft Corporation", "Virtual Machine", "hyper-v"},
    {"Parallels", NULL, "parallels"},
    {NULL, "BHYVE", "bhyve"},
    {"Bochs", NULL, "bochs"},
    {"Google", "Google Compute Engine", "kvm"},
    {"OpenStack Foundation", NULL, "unknown"},
    {"DigitalOcean", NULL, "kvm"},
    {"Hetzner", "vServer", "kvm"},
    {"Apple Inc.", "Apple Virtualization", "apple"},
    {"Nutanix", "AHV", "kvm"},
    {"oVirt", NULL, "kvm"},
    {"Red Hat", "RHEV", "kvm"},
};

static void add_evidence(tlm_virtual_machine *machine, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first that names a hypervisor counts; "unknown" names none. */
static void add_evidence(tlm_virtual_machine *machine, const char *name, const char *format, ...)
{
    machine->detected = true;
    if (machine->hypervisor[0] == '\0' || strcmp(machine->hypervisor, "unknown") == 0) {
        (void)snprintf(machine->hypervisor, sizeof machine->hypervisor, "%s", name);
    }
    if (machine->evidence_count < TLM_VIRTUAL_EVIDENCE_MAX) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(machine->evidence[machine->evidence_count++], TLM_VIRTUAL_EVIDENCE_SIZE,
                        format, arguments);
        va_end(arguments);
    }
}

static void look_at_cpu(const tlm_virtual_cpu *cpu, tlm_virtual_machine *machine)
{
    const char *name = "unknown";
    if (!cpu->hypervisor) {
        return;
    }
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        if (strcmp(cpu->signature, signatures[i].signature) == 0) {
            name = signatures[i].name;
        }
    }
    char shown[13];
    for (size_t i = 0; i < sizeof shown; i++) {
        char byte = cpu->signature[i];
        shown[i] = (char)(byte != '\0' && (byte < ' ' || byte > '~') ? '?' : byte);
    }
    add_evidence(machine, name, "CPUID 0x40000000: %s", shown);
}

static bool begins(const char *text, const char *prefix)
{
    return prefix == NULL || strncmp(text, prefix, strlen(prefix)) == 0;
}

static void look_at_firmware(const char *root, tlm_virtual_machine *machine)
{
    char vendor[64];
    char product[64];
    char bios[64];
    (void)tlm_root_line(root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    (void)tlm_root_line(root, "/sys/class/dmi/id/product_name", product, sizeof product);
    (void)tlm_root_line(root, "/sys/class/dmi/id/bios_vendor", bios, sizeof bios);
    for (size_t i = 0; i < sizeof firmware / sizeof firmware[0]; i++) {
        if (begins(vendor, firmware[i].vendor) && begins(product, firmware[i].product)) {
            add_evidence(machine, firmware[i].name, "DMI: %s, %s", vendor, product);
            return;
        }
    }
    /* Amazon names its machines alike, with and without a hypervisor. */
    if (begins(vendor, "Amazon EC2") && strstr(product, ".metal") == NULL && product[0] != '\0') {
        add_evidence(machine, "amazon", "DMI: %s, %s", vendor, product);
    } else if (begins(bios, "Xen") || begins(bios, "BHYVE") || begins(bios, "Parallels")) {
        add_evidence(machine,
                     bios[0] == 'X'   ? "xen"
                     : bios[0] == 'B' ? "bhyve"
                                      : "parallels",
                     "DMI: firmware of %s", bios);
    }
}

static void look_at_hypervisor(const char *root, tlm_virtual_machine *machine)
{
    char type[24];
    if (tlm_root_line(root, "/sys/hypervisor/type", type, sizeof type)) {
        add_evidence(machine, type, "/sys/hypervisor/type: %s", type);
    }
    /* Of ARM and PowerPC, which have neither DMI nor CPUID: "linux,kvm". */
    if (tlm_root_line(root, "/proc/device-tree/hypervisor/compatible", type, sizeof type)) {
        add_evidence(machine, strstr(type, "kvm") != NULL ? "kvm" : type,
                     "/proc/device-tree/hypervisor: %s", type);
    }
}

bool tlm_virtual_machine_look(const char *root, const tlm_virtual_cpu *cpu,
                              tlm_virtual_machine *machine)
{
    char control[64];
    memset(machine, 0, sizeof *machine);
    /* Xen's first domain has the hypervisor below it and the hardware in its hands. */
    if (tlm_root_line(root, "/proc/xen/capabilities", control, sizeof control) &&
        strstr(control, "control_d") != NULL) {
        return false;
    }
    look_at_cpu(cpu, machine);
    look_at_firmware(root, machine);
    look_at_hypervisor(root, machine);
    return machine->detected;
}
