/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/mounts.h>

static const char text[] =
    "602 511 0:59 / / rw,relatime master:241 - overlay overlay rw,lowerdir=/d/l/A,upperdir=/d/u\n"
    "606 602 0:64 / /sys ro,nosuid,nodev - sysfs sysfs rw\n"
    "610 602 8:1 /srv/a\\040b /etc/p rw,relatime shared:1 master:2 propagate_from:3 - ext4 "
    "/dev/sda1 rw,errors=remount-ro\n"
    "611 602 8:1 /srv/c /etc/p/token rw - ext4 /dev/sda1 rw\n"
    "612 602 0:70 / /etc/p rw - tmpfs tmpfs rw,size=64k\n";

static void lines_are_taken_apart(void **state)
{
    (void)state;
    const char *next = text;
    tlm_mount mount;
    assert_true(tlm_mounts_next(&next, &mount));
    assert_string_equal(mount.root, "/");
    assert_string_equal(mount.point, "/");
    assert_string_equal(mount.type, "overlay");
    assert_false(mount.read_only);
    assert_true(tlm_mount_has_option(&mount, "upperdir=/d/u"));
    assert_false(tlm_mount_has_option(&mount, "upperdir=/d/u\n"));
    assert_false(tlm_mount_has_option(&mount, "sysfs"));
    assert_true(tlm_mounts_next(&next, &mount));
    assert_true(mount.read_only);
    assert_true(tlm_mounts_next(&next, &mount));
    assert_string_equal(mount.root, "/srv/a b");
    assert_string_equal(mount.type, "ext4");
    assert_false(mount.read_only);
    assert_true(tlm_mounts_next(&next, &mount));
    assert_true(tlm_mounts_next(&next, &mount));
    assert_false(tlm_mounts_next(&next, &mount));
    assert_false(tlm_mounts_next(&next, &mount));
}

static void the_longest_and_last_mount_has_the_path(void **state)
{
    static const struct {
        const char *path;
        const char *point;
        const char *type;
    } cases[] = {
        {"/", "/", "overlay"},           {"/etc", "/", "overlay"},
        {"/etc/px", "/", "overlay"},     {"/etc/p", "/etc/p", "tmpfs"},
        {"/etc/p/x", "/etc/p", "tmpfs"}, {"/etc/p/token/x", "/etc/p/token", "ext4"},
        {"/sys", "/sys", "sysfs"},
    };
    (void)state;
    tlm_mount mount;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(tlm_mounts_find(text, cases[i].path, &mount));
        assert_string_equal(mount.point, cases[i].point);
        assert_string_equal(mount.type, cases[i].type);
    }
    assert_false(tlm_mounts_find(text, "relative", &mount));
    assert_false(tlm_mounts_find("", "/", &mount));
}

static void lines_of_another_form_are_passed_over(void **state)
{
    static const char *const lines[] = {
        "\n",
        "1 2 3:4 / / rw\n",
        "1 2 3:4 / / rw - \n",
        "1 2 3:4 / relative rw - ext4 x rw\n",
        "1 2 3:4 /a\\000b / rw - ext4 x rw\n",
        "- - - - - -\n",
        "1 2 3:4 / / rw shared:1 shared:2\n",
    };
    (void)state;
    tlm_mount mount;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char both[256];
        const char *next = both;
        (void)snprintf(both, sizeof both, "%s1 2 3:4 / /good rw - ext4  rw", lines[i]);
        assert_true(tlm_mounts_next(&next, &mount));
        assert_string_equal(mount.point, "/good");
        assert_false(tlm_mounts_next(&next, &mount));
    }
}

static void escapes_that_are_none_stay(void **state)
{
    (void)state;
    tlm_mount mount;
    const char *next = "1 2 3:4 /a\\04 /b\\\\134\\134\\777 rw - t s\n";
    assert_true(tlm_mounts_next(&next, &mount));
    assert_string_equal(mount.root, "/a\\04");
    assert_string_equal(mount.point, "/b\\\\\\\\777");
    assert_int_equal(mount.options_size, 0);
    assert_false(tlm_mount_has_option(&mount, "x"));
}

static void paths_of_the_greatest_length(void **state)
{
    char line[2 * TLM_MOUNT_PATH_MAX];
    (void)state;
    for (int over = 0; over < 2; over++) {
        tlm_mount mount;
        const char *next = line;
        (void)snprintf(line, sizeof line, "1 2 3:4 / /%0*d rw - ext4 s rw\n",
                       (int)TLM_MOUNT_PATH_MAX - 2 + over, 0);
        assert_int_equal(tlm_mounts_next(&next, &mount), over == 0);
    }
    tlm_mount mount;
    const char *next = line;
    (void)snprintf(line, sizeof line, "1 2 3:4 / / rw - %0*d s rw\n", 64, 0);
    assert_false(tlm_mounts_next(&next, &mount));
}

static void cut_texts_are_read_to_their_end(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof text; size++) {
        tlm_mount mount;
        char *cut = strndup(text, size);
        assert_non_null(cut);
        size_t count = 0;
        for (const char *next = cut; tlm_mounts_next(&next, &mount);) {
            (void)tlm_mount_has_option(&mount, "rw");
            count++;
        }
        assert_in_range(count, 0, 5);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_taken_apart),
        cmocka_unit_test(the_longest_and_last_mount_has_the_path),
        cmocka_unit_test(lines_of_another_form_are_passed_over),
        cmocka_unit_test(escapes_that_are_none_stay),
        cmocka_unit_test(paths_of_the_greatest_length),
        cmocka_unit_test(cut_texts_are_read_to_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
