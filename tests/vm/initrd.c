/* SPDX-License-Identifier: BSD-2-Clause */
/* The first program of the virtual machine, in its initial RAM disk: loads the driver of its disks,
 * goes to the root file system and becomes its /sbin/tlm-vm-init. Static, as there are no libraries
 * yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* One needs those before it. */
static const char *const modules[] = {
    "/virtio_ring.ko",           "/virtio.ko",     "/virtio_pci_legacy_dev.ko",
    "/virtio_pci_modern_dev.ko", "/virtio_pci.ko", "/virtio_blk.ko",
};

static void fail(const char *what)
{
    (void)dprintf(STDERR_FILENO, "initrd: %s: %s\n", what, strerrordesc_np(errno));
    /* The kernel panics at the end of its first program, and with panic=-1 the machine ends. */
    _exit(1);
}

static void load(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0) {
        fail(path);
    }
    (void)close(file);
}

int main(void)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0) {
        fail("/dev");
    }
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        load(modules[i]);
    }
    for (int tries = 0; access("/dev/vda", F_OK) != 0 && tries < 6000; tries++) {
        (void)nanosleep(&moment, NULL);
    }
    if (mount("/dev/vda", "/root", "ext4", 0, NULL) != 0 || chdir("/root") != 0 ||
        mount("/dev", "dev", NULL, MS_MOVE, NULL) != 0 ||
        mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) {
        fail("the root file system");
    }
    (void)execl("/sbin/tlm-vm-init", "tlm-vm-init", (char *)NULL);
    fail("/sbin/tlm-vm-init");
}
