/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <tlm/secret.h>

static bool refuse_mmap;
static bool refuse_mlock;
static bool refuse_mprotect;
/* What stood in the memory when it was given back. */
static bool watch_munmap;
static size_t left_behind;

void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
int __real_mlock(const void *address, size_t size);
int __wrap_mlock(const void *address, size_t size);
int __real_mprotect(void *address, size_t size, int protection);
int __wrap_mprotect(void *address, size_t size, int protection);
int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    if (refuse_mmap) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(address, size, protection, flags, file, offset);
}

int __wrap_mlock(const void *address, size_t size)
{
    if (refuse_mlock) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mlock(address, size);
}

int __wrap_mprotect(void *address, size_t size, int protection)
{
    if (refuse_mprotect) {
        errno = EACCES;
        return -1;
    }
    return __real_mprotect(address, size, protection);
}

int __wrap_munmap(void *address, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (watch_munmap) {
        const unsigned char *bytes = (const unsigned char *)address + page;
        for (size_t i = 0; i < size - 2 * page; i++) {
            left_behind += bytes[i] != 0 ? 1 : 0;
        }
    }
    return __real_munmap(address, size);
}

static void a_new_secret_is_zeroed_and_terminated(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 4095, 4096, 4097, TLM_SECRET_MAX};
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        tlm_secret *secret = NULL;
        assert_int_equal(tlm_secret_new(sizes[n], &secret, NULL), TLM_OK);
        assert_int_equal(tlm_secret_size(secret), sizes[n]);
        for (size_t i = 0; i <= sizes[n]; i++) {
            assert_int_equal(tlm_secret_bytes(secret)[i], 0);
        }
        memset(tlm_secret_data(secret), 0xff, sizes[n]);
        assert_int_equal(tlm_secret_bytes(secret)[sizes[n]], 0);
        tlm_secret_free(&secret);
        assert_null(secret);
    }
}

static void sizes_outside_the_contract_are_refused(void **state)
{
    (void)state;
    tlm_secret *secret = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_secret_new(0, &secret, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_secret_new((size_t)TLM_SECRET_MAX + 1, &secret, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_secret_new(SIZE_MAX, &secret, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_secret_new(1, NULL, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_secret_from(NULL, 1, &secret, &error), TLM_ERR_ARGUMENT);
    assert_null(secret);
    assert_true(error.message[0] != '\0');
}

static void from_copies(void **state)
{
    (void)state;
    char source[] = "1234";
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_from(source, 4, &secret, NULL), TLM_OK);
    source[0] = 'x';
    assert_string_equal((const char *)tlm_secret_bytes(secret), "1234");
    tlm_secret_free(&secret);
}

static void shrinking_wipes_the_rest_and_never_lengthens(void **state)
{
    (void)state;
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_from("123456", 6, &secret, NULL), TLM_OK);
    tlm_secret_shrink(secret, 9);
    assert_int_equal(tlm_secret_size(secret), 6);
    tlm_secret_shrink(secret, 2);
    assert_int_equal(tlm_secret_size(secret), 2);
    assert_memory_equal(tlm_secret_bytes(secret), "12\0\0\0\0", 7);
    tlm_secret_free(&secret);
}

static void equality_needs_the_same_bytes(void **state)
{
    (void)state;
    tlm_secret *left = NULL;
    assert_int_equal(tlm_secret_from("secret", 6, &left, NULL), TLM_OK);
    static const char *const others[] = {"secret", "secreT", "Secret", "secre", "secrets"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        tlm_secret *right = NULL;
        assert_int_equal(tlm_secret_from(others[i], strlen(others[i]), &right, NULL), TLM_OK);
        assert_int_equal(tlm_secret_equal(left, right), i == 0);
        assert_int_equal(tlm_secret_matches(left, others[i], strlen(others[i])), i == 0);
        tlm_secret_free(&right);
    }
    assert_true(tlm_secret_equal(left, left));
    assert_false(tlm_secret_equal(left, NULL));
    assert_false(tlm_secret_equal(NULL, left));
    assert_false(tlm_secret_equal(NULL, NULL));
    assert_false(tlm_secret_matches(NULL, "secret", 6));
    assert_false(tlm_secret_matches(left, NULL, 6));
    assert_false(tlm_secret_matches(left, "", 0));
    tlm_secret_free(&left);
}

static void freeing_wipes(void **state)
{
    (void)state;
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_new(5000, &secret, NULL), TLM_OK);
    memset(tlm_secret_data(secret), 0xa5, 5000);
    left_behind = 0;
    watch_munmap = true;
    tlm_secret_free(&secret);
    watch_munmap = false;
    assert_int_equal(left_behind, 0);
    tlm_secret_free(&secret);
    tlm_secret_free(NULL);
}

static void a_limit_on_locked_memory_is_told_not_fatal(void **state)
{
    (void)state;
    tlm_secret *secret = NULL;
    refuse_mlock = true;
    tlm_result result = tlm_secret_new(16, &secret, NULL);
    refuse_mlock = false;
    assert_int_equal(result, TLM_OK);
    assert_false(tlm_secret_locked(secret));
    tlm_secret_free(&secret);
}

static void lack_of_memory_is_an_error(void **state)
{
    (void)state;
    tlm_secret *secret = NULL;
    tlm_error error = {0};
    refuse_mmap = true;
    tlm_result result = tlm_secret_from("x", 1, &secret, &error);
    refuse_mmap = false;
    assert_int_equal(result, TLM_ERR_MEMORY);
    refuse_mprotect = true;
    result = tlm_secret_new(1, &secret, &error);
    refuse_mprotect = false;
    assert_int_equal(result, TLM_ERR_PERMISSION);
    assert_null(secret);
}

/* In a child, which the guard page has to end. */
static int signal_of_touching(tlm_secret *secret, ptrdiff_t offset)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        volatile unsigned char *byte = tlm_secret_data(secret);
        byte[offset] = 1;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void guard_pages_stand_on_both_sides(void **state)
{
    (void)state;
    tlm_secret *secret = NULL;
    assert_int_equal(tlm_secret_new(1, &secret, NULL), TLM_OK);
    ptrdiff_t page = (ptrdiff_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(signal_of_touching(secret, 0), 0);
    assert_int_equal(signal_of_touching(secret, page), SIGSEGV);
    assert_int_equal(signal_of_touching(secret, -page), SIGSEGV);
    tlm_secret_free(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_secret_is_zeroed_and_terminated),
        cmocka_unit_test(sizes_outside_the_contract_are_refused),
        cmocka_unit_test(from_copies),
        cmocka_unit_test(shrinking_wipes_the_rest_and_never_lengthens),
        cmocka_unit_test(equality_needs_the_same_bytes),
        cmocka_unit_test(freeing_wipes),
        cmocka_unit_test(a_limit_on_locked_memory_is_told_not_fatal),
        cmocka_unit_test(lack_of_memory_is_an_error),
        cmocka_unit_test(guard_pages_stand_on_both_sides),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
