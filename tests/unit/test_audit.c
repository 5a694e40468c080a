/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/log.h>

#include "audit.h"

#define MINUTE 60000

/* The time, and what was written since the last look. */
static int64_t now = 1000;
static char written[262144];

int64_t __wrap_tlm_clock_now(void);
ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);

int64_t __wrap_tlm_clock_now(void)
{
    return now;
}

ssize_t __wrap_write(int file, const void *data, size_t size)
{
    if (file != STDERR_FILENO) {
        return __real_write(file, data, size);
    }
    size_t used = strlen(written);
    assert_true(size < sizeof written - used);
    memcpy(written + used, data, size);
    written[used + size] = '\0';
    return (ssize_t)size;
}

/* The only line that was written is this one, behind its time. */
static void expect(const char *line)
{
    assert_true(strlen(written) > 25);
    assert_int_equal(written[23], 'Z');
    char *end = strchr(written, '\n');
    assert_non_null(end);
    assert_int_equal(end[1], '\0');
    *end = '\0';
    assert_string_equal(written + 25, line);
    written[0] = '\0';
}

static void expect_nothing(void)
{
    assert_string_equal(written, "");
}

static size_t count_lines(void)
{
    size_t count = 0;
    for (const char *at = written; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    written[0] = '\0';
    return count;
}

static tlm_peer nginx(uid_t uid)
{
    return (tlm_peer){.uid = uid, .gid = 33, .pid = 812, .program = "nginx"};
}

static void refuse(const tlm_peer *peer, const char *key, const char *operation)
{
    tlm_audit_refused(peer, key, TLM_AUDIT_NO_MECHANISM, operation, CKR_ACTION_PROHIBITED);
}

static void test_use(void **state)
{
    (void)state;
    tlm_peer peer = nginx(33);
    tlm_audit_used(&peer, "tlm-attest", CKM_ECDSA, "sign", CKR_OK);
    expect("INFO audit key_used uid=33 pid=812 program=nginx key=tlm-attest mechanism=CKM_ECDSA "
           "operation=sign result=CKR_OK");
    tlm_audit_used(&peer, "tlm-srk", CKM_RSA_PKCS_OAEP, "decrypt", CKR_ENCRYPTED_DATA_INVALID);
    expect("INFO audit key_used uid=33 pid=812 program=nginx key=tlm-srk "
           "mechanism=CKM_RSA_PKCS_OAEP operation=decrypt result=CKR_ENCRYPTED_DATA_INVALID");
    /* Whatever happens as often as it likes, a use is never left out. */
    for (int i = 0; i < 1000; i++) {
        tlm_audit_used(&peer, "tlm-attest", CKM_ECDSA, "sign", CKR_OK);
    }
    assert_int_equal(count_lines(), 1000);
}

static void test_numbers_without_a_name(void **state)
{
    (void)state;
    tlm_peer peer = nginx(33);
    tlm_audit_used(&peer, "tlm-counter", TLM_AUDIT_NO_MECHANISM, "counter", CKR_OK);
    expect("INFO audit key_used uid=33 pid=812 program=nginx key=tlm-counter mechanism=none "
           "operation=counter result=CKR_OK");
    tlm_audit_used(&peer, NULL, CKM_VENDOR_DEFINED | 5UL, "sign", CKR_VENDOR_DEFINED | 6UL);
    expect("INFO audit key_used uid=33 pid=812 program=nginx key=\"\" mechanism=0x80000005 "
           "operation=sign result=0x80000006");
    tlm_audit_used(&peer, "", 0x7ffffffeUL, "sign", 0x7ffffffeUL);
    expect("INFO audit key_used uid=33 pid=812 program=nginx key=\"\" mechanism=0x7ffffffe "
           "operation=sign result=0x7ffffffe");
}

static void test_peer_cannot_forge_a_line(void **state)
{
    (void)state;
    tlm_peer peer = nginx(33);
    (void)snprintf(peer.program, sizeof peer.program, "ssh key=x");
    tlm_audit_used(&peer, "a\nINFO audit \"b\"", CKM_ECDSA, "sign", CKR_OK);
    expect("INFO audit key_used uid=33 pid=812 program=\"ssh key=x\" "
           "key=\"a\\nINFO audit \\\"b\\\"\" mechanism=CKM_ECDSA operation=sign result=CKR_OK");
}

static void test_refusals_are_counted(void **state)
{
    (void)state;
    tlm_peer peer = nginx(1000);
    refuse(&peer, "tlm-srk", "manage");
    expect("WARNING audit refused uid=1000 pid=812 program=nginx key=tlm-srk mechanism=none "
           "operation=manage result=CKR_ACTION_PROHIBITED");
    for (int i = 0; i < 41; i++) {
        now += 1000;
        refuse(&peer, "tlm-srk", "manage");
        expect_nothing();
    }
    now += MINUTE - 41 * 1000 - 1;
    refuse(&peer, "tlm-srk", "manage");
    expect_nothing();
    now += 1;
    peer.pid = 813; /* a new process is no new peer */
    refuse(&peer, "tlm-srk", "manage");
    expect("WARNING audit refused uid=1000 pid=813 program=nginx key=tlm-srk mechanism=none "
           "operation=manage result=CKR_ACTION_PROHIBITED repeated=42");
    now += MINUTE;
    refuse(&peer, "tlm-srk", "manage");
    expect("WARNING audit refused uid=1000 pid=813 program=nginx key=tlm-srk mechanism=none "
           "operation=manage result=CKR_ACTION_PROHIBITED");
}

/* A flood of one refusal hides no other one. */
static void test_other_refusals_are_told(void **state)
{
    (void)state;
    tlm_peer peer = nginx(1001);
    tlm_peer other = nginx(1002);
    refuse(&peer, "tlm-srk", "manage");
    refuse(&peer, "tlm-srk", "manage");
    assert_int_equal(count_lines(), 1);
    refuse(&peer, "tlm-attest", "manage");
    refuse(&peer, "tlm-srk", "sign");
    tlm_audit_refused(&peer, "tlm-srk", CKM_ECDSA, "manage", CKR_FUNCTION_NOT_SUPPORTED);
    refuse(&other, "tlm-srk", "manage");
    assert_int_equal(count_lines(), 4);
}

/* Labels are the peer's to choose, so choosing many does not fill the disk. */
static void test_many_labels_are_few_lines(void **state)
{
    (void)state;
    tlm_peer peer = nginx(1003);
    char label[32];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(label, sizeof label, "label-%d", i);
        refuse(&peer, label, "manage");
    }
    assert_int_equal(count_lines(), 9);
    now += MINUTE;
    (void)snprintf(label, sizeof label, "label-%d", 4999);
    refuse(&peer, label, "manage");
    assert_int_equal(count_lines(), 1);
    /* The next ones that have no room tell how many there were. */
    for (int i = 0; i < 8; i++) {
        (void)snprintf(label, sizeof label, "other-%d", i);
        refuse(&peer, label, "manage");
    }
    assert_non_null(strstr(written, "repeated=4991\n"));
    written[0] = '\0';
}

/* What was counted and makes room is told before. */
static void test_no_count_is_lost(void **state)
{
    (void)state;
    tlm_peer peer = nginx(1004);
    refuse(&peer, "tlm-srk", "manage");
    refuse(&peer, "tlm-srk", "manage");
    written[0] = '\0';
    now += MINUTE;
    /* More users than the table has room for: every outlived entry gives way. */
    for (uid_t uid = 200000; uid < 200128; uid++) {
        tlm_peer other = nginx(uid);
        refuse(&other, "tlm-srk", "manage");
    }
    assert_non_null(strstr(written, "WARNING audit refused_before uid=1004 key=tlm-srk "
                                    "operation=manage result=CKR_ACTION_PROHIBITED repeated=1\n"));
    written[0] = '\0';
}

/* A user namespace gives one person thousands of users. */
static void test_many_users_are_few_lines(void **state)
{
    (void)state;
    now += MINUTE;
    for (uid_t uid = 300000; uid < 310000; uid++) {
        tlm_peer peer = nginx(uid);
        refuse(&peer, "tlm-srk", "manage");
    }
    assert_in_range(count_lines(), 128, 2 * 129);
    now += MINUTE;
    for (uid_t uid = 300000; uid < 300129; uid++) {
        tlm_peer peer = nginx(uid);
        refuse(&peer, "tlm-srk", "manage");
    }
    /* 10,000 less the table's 128 and the first one beyond. */
    assert_non_null(strstr(written, "repeated=9871\n"));
    written[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_numbers_without_a_name),
        cmocka_unit_test(test_peer_cannot_forge_a_line),
        cmocka_unit_test(test_refusals_are_counted),
        cmocka_unit_test(test_other_refusals_are_told),
        cmocka_unit_test(test_many_labels_are_few_lines),
        cmocka_unit_test(test_no_count_is_lost),
        cmocka_unit_test(test_many_users_are_few_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
