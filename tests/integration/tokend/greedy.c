/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that opens sessions until it is refused, says how many it got and why no more, and keeps
 * them until its standard input ends:
 *
 *     greedy MODULE        "sessions=32 refused=CKR_SESSION_COUNT"
 */
#include <stdio.h>
#include <unistd.h>

#include <p11-kit/p11-kit.h>

#include <tlm/token.h>

#define ENOUGH 100000U

int main(int argc, char **argv)
{
    CK_FUNCTION_LIST *module =
        argc == 2 ? p11_kit_module_load(argv[1], P11_KIT_MODULE_UNMANAGED) : NULL;
    if (module == NULL || module->C_Initialize(NULL) != CKR_OK) {
        (void)fprintf(stderr, "greedy: the module was not loaded\n");
        return 1;
    }
    CK_SLOT_ID slot = 0;
    CK_ULONG count = 1;
    CK_RV rv = module->C_GetSlotList(CK_TRUE, &slot, &count);
    unsigned opened = 0;
    while (rv == CKR_OK && opened < ENOUGH) {
        CK_SESSION_HANDLE session = 0;
        rv = module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
        opened += rv == CKR_OK ? 1U : 0U;
    }
    (void)printf("sessions=%u refused=%s\n", opened, tlm_pkcs11_rv_name(rv));
    (void)fflush(stdout);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    (void)module->C_Finalize(NULL);
    p11_kit_module_release(module);
    return 0;
}
