/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_VIRTUAL_MACHINE_H
#define TLM_VIRTUAL_MACHINE_H

/*
 * Whether this kernel runs in a virtual machine, of which hypervisor, and what shows it: the
 * processor's own word (CPUID leaf 0x40000000), the firmware's texts (DMI), /sys/hypervisor.
 *
 *     tlm_virtual_cpu cpu;
 *     tlm_virtual_machine machine;
 *     tlm_virtual_cpu_read(&cpu);
 *     if (tlm_virtual_machine_look("/", &cpu, &machine)) {
 *         printf("%s\n", machine.hypervisor);
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#define TLM_VIRTUAL_EVIDENCE_MAX 4
#define TLM_VIRTUAL_EVIDENCE_SIZE 160

typedef struct tlm_virtual_cpu {
    bool hypervisor;    /* CPUID leaf 1, bit 31 of ECX: "a hypervisor is present" */
    char signature[13]; /* leaf 0x40000000, "KVMKVMKVM"; empty where there is none */
} tlm_virtual_cpu;

typedef struct tlm_virtual_machine {
    bool detected;
    char hypervisor[24]; /* "kvm", "vmware" …; "unknown" where none is named; empty on hardware */
    char evidence[TLM_VIRTUAL_EVIDENCE_MAX][TLM_VIRTUAL_EVIDENCE_SIZE];
    size_t evidence_count;
} tlm_virtual_machine;

/* Asks this processor; nothing is known on others than x86. */
void tlm_virtual_cpu_read(tlm_virtual_cpu *cpu);

/* Fills `machine` from below `root` and what the processor said; true in a virtual machine. */
bool tlm_virtual_machine_look(const char *root, const tlm_virtual_cpu *cpu,
                              tlm_virtual_machine *machine);

#endif
