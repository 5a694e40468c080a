/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_root.h"

#include <tlm/confinement.h>

#define DEFAULT_SET "00000000a80425fb" /* Docker's 14 */
#define FULL "000001ffffffffff"
#define STATUS(effective, bounding, seccomp)                                                       \
    "Name:\tTLLicenseManage\nUid:\t1000\t1000\t1000\t1000\nCapInh:\t0000000000000000\n"            \
    "CapPrm:\t" effective "\nCapEff:\t" effective "\nCapBnd:\t" bounding                           \
    "\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t" seccomp "\nSeccomp_filters:\t1\n"

static bool is_none(void **state, const char *status)
{
    tlm_confinement confinement;
    put(state, "proc/self/status", status);
    assert_true(tlm_confinement_look(*state, &confinement));
    return tlm_confinement_is_none(&confinement);
}

static void fields_are_read(void **state)
{
    (void)state;
    tlm_confinement confinement;
    assert_true(tlm_confinement_parse(STATUS("0000000000000001", DEFAULT_SET, "2"), &confinement));
    assert_int_equal(confinement.effective, 1);
    assert_int_equal(confinement.bounding, 0xa80425fb);
    assert_int_equal(confinement.seccomp, 2);
    assert_true(confinement.no_new_privileges);
    assert_true(tlm_confinement_parse("CapEff:\t0\nCapBnd:\t0", &confinement));
    assert_int_equal(confinement.seccomp, TLM_SECCOMP_UNKNOWN);
    assert_false(confinement.no_new_privileges);
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "CapEff:\t0\n",
        "CapBnd:\t0\n",
        "CapEff:\t0\nCapBnd:\t\n",
        "CapEff:\t0\nCapBnd:\txyz\n",
        "CapEff:\t0\nCapBnd:\t-1\n",
        "CapEff:\t0\nCapBnd:\t1ffffffffffffffff\n",
        "CapEff:\t0\nCapBnd 0\n",
        " CapEff:\t0\nXCapBnd:\t0\n",
    };
    (void)state;
    tlm_confinement confinement;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(tlm_confinement_parse(texts[i], &confinement));
    }
}

/* An ordinary user of a privileged container can do nothing yet, and everything can be had. */
static void privileged_containers_are_seen_by_any_user(void **state)
{
    put(state, "proc/sys/kernel/cap_last_cap", "40\n");
    put(state, "proc/self/uid_map", "         0          0 4294967295\n");
    assert_true(is_none(state, STATUS(FULL, FULL, "0")));
    assert_true(is_none(state, STATUS("0000000000000000", FULL, "0")));
    assert_true(is_none(state, STATUS("0000000000000000", FULL, "2")));
}

static void others_are_not(void **state)
{
    put(state, "proc/sys/kernel/cap_last_cap", "40\n");
    assert_false(is_none(state, STATUS("0000000000000000", DEFAULT_SET, "2")));
    assert_false(is_none(state, STATUS(DEFAULT_SET, DEFAULT_SET, "0")));
    assert_false(is_none(state, STATUS("0000000000000000", "0000000000000000", "2")));
    /* Docker's with one of those that make a root, and each of these missing from the whole. */
    assert_false(is_none(state, STATUS(FULL, "00000000a82425fb", "0")));
    assert_false(is_none(state, STATUS(FULL, "000001fffffffffb", "0")));
    assert_false(is_none(state, STATUS(FULL, "000001fffffeffff", "0")));
    assert_false(is_none(state, STATUS(FULL, "000001fffffdffff", "0")));
    assert_false(is_none(state, STATUS(FULL, "000001fffff7ffff", "0")));
    assert_false(is_none(state, STATUS(FULL, "000001ffffdfffff", "0")));
    /* Whole, in a user namespace: nothing of the host. */
    put(state, "proc/self/uid_map", "         0       1000          1\n");
    assert_false(is_none(state, STATUS(FULL, FULL, "0")));
}

/* A host that holds one back from everybody, and kernels that have more or fewer of them. */
static void hosts_differ(void **state)
{
    static const struct {
        const char *last;
        uint64_t known;
    } cases[] = {{"37\n", 0x3fffffffff},       {"40\n", 0x1ffffffffff}, {"41\n", 0x3ffffffffff},
                 {"63\n", UINT64_MAX},         {"64\n", 0x1ffffffffff}, {"-1\n", 0x1ffffffffff},
                 {"nonsense\n", 0x1ffffffffff}};
    assert_true(is_none(state, STATUS(FULL, "000001fffeffffff", "0")));
    assert_true(is_none(state, STATUS(FULL, "0000003fffffffff", "0")));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_confinement confinement;
        put(state, "proc/sys/kernel/cap_last_cap", cases[i].last);
        assert_true(tlm_confinement_look(*state, &confinement));
        assert_true(confinement.known == cases[i].known);
    }
}

static void nothing_is_known_without_the_file(void **state)
{
    tlm_confinement confinement;
    assert_false(tlm_confinement_look(*state, &confinement));
    assert_false(tlm_confinement_is_none(&confinement));
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(other_texts_are_refused),
        WITH_DIRECTORY(privileged_containers_are_seen_by_any_user),
        WITH_DIRECTORY(others_are_not),
        WITH_DIRECTORY(hosts_differ),
        WITH_DIRECTORY(nothing_is_known_without_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
