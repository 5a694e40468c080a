/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include "licensing_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <tlm/file.h>

#include "../../licensing/src/storage_private.h"
#include "rsa_keys.h"

/* The n-th call that changes the disk fails with `number`, or the process ends there. */
static struct {
    int at;
    int number;
    bool die;
    int calls;
} fault;

static bool due(void)
{
    if (fault.at == 0 || ++fault.calls != fault.at) {
        return false;
    }
    if (fault.die) {
        (void)raise(SIGKILL);
    }
    errno = fault.number;
    return true;
}

ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);
int __real_fsync(int file);
int __wrap_fsync(int file);
int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __real_mkdirat(int directory, const char *name, mode_t mode);
int __wrap_mkdirat(int directory, const char *name, mode_t mode);
int __real_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags);

static bool without_renameat2;

ssize_t __wrap_write(int file, const void *data, size_t size)
{
    if (fault.at != 0 && fault.die && fault.calls + 1 == fault.at && size > 1) {
        (void)__real_write(file, data, size / 2); /* torn in the middle */
    }
    return due() ? -1 : __real_write(file, data, size);
}

int __wrap_fsync(int file)
{
    return due() ? -1 : __real_fsync(file);
}

int __wrap_link(const char *from, const char *to)
{
    return due() ? -1 : __real_link(from, to);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (without_renameat2) {
        errno = EINVAL;
        return -1;
    }
    return due() ? -1 : __real_renameat2(from_dir, from, to_dir, to, flags);
}

int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return due() ? -1 : __real_linkat(from_dir, from, to_dir, to, flags);
}

int __wrap_mkdirat(int directory, const char *name, mode_t mode)
{
    return due() ? -1 : __real_mkdirat(directory, name, mode);
}

/* Removing cannot fail here, but the process can end before it. */
int __wrap_unlinkat(int directory, const char *name, int flags)
{
    if (fault.die) {
        (void)due();
    }
    return __real_unlinkat(directory, name, flags);
}

static EVP_PKEY *key;
static EVP_PKEY *other;

tlm_result __wrap_tlm_local_key_make(EVP_PKEY **made, tlm_error *error);

/* Making a key pair takes longer than all the rest, and hundreds are made here. */
tlm_result __wrap_tlm_local_key_make(EVP_PKEY **made, tlm_error *error)
{
    (void)error;
    assert_int_equal(EVP_PKEY_up_ref(other), 1);
    *made = other;
    return TLM_OK;
}

static int setup(void **state)
{
    (void)state;
    key = tlm_test_rsa(2048U);
    other = tlm_test_rsa(2048U);
    return key != NULL && other != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

/* A directory of the test's own, and no fault pending. */
static int begin(void **state)
{
    memset(&fault, 0, sizeof fault);
    without_renameat2 = false;
    return directory_setup(state);
}

static tlm_opener opener_of(unwrapper *unwrap, EVP_PKEY *own)
{
    *unwrap = (unwrapper){.key = own};
    return (tlm_opener){.public_key = own, .unwrap = unwrap_with, .context = unwrap};
}

static tlm_result create(void **state, char id[TLM_UUID_SIZE], tlm_error *error)
{
    unwrapper unwrap;
    const tlm_opener opener = opener_of(&unwrap, key);
    tlm_storage storage = {0};
    tlm_result result = tlm_storage_create(*state, &opener, &storage, error);
    if (result == TLM_OK && id != NULL) {
        memcpy(id, storage.persistence.storage_id, TLM_UUID_SIZE);
    }
    tlm_storage_clear(&storage);
    return result;
}

static void inspect(void **state, EVP_PKEY *own, tlm_storage *storage)
{
    unwrapper unwrap;
    const tlm_opener opener = opener_of(&unwrap, own);
    tlm_error error = {0};
    assert_int_equal(tlm_storage_inspect(*state, &opener, storage, &error), TLM_OK);
    assert_true(unwrap.calls <= 1);
}

static tlm_start_state state_of(const tlm_storage *storage, tlm_found_token token)
{
    const tlm_start_findings found = {
        .persistence = storage->persistence_found, .vault = storage->vault_found, .token = token};
    return tlm_startup_decide(&found);
}

static void makes_two_files_and_nothing_else(void **state)
{
    char id[TLM_UUID_SIZE] = "";
    char path[TEST_PATH_MAX];
    struct stat info;
    tlm_storage storage;
    assert_int_equal(create(state, id, NULL), TLM_OK);
    assert_int_equal(count_entries(state), 2);
    assert_int_equal(stat(in_directory(state, "persistence.bin", path), &info), 0);
    assert_int_equal(info.st_mode & 07777U, 0600);
    assert_int_equal(stat(in_directory(state, "vault.bin", path), &info), 0);
    assert_int_equal(info.st_mode & 07777U, 0600);
    inspect(state, key, &storage);
    assert_int_equal(storage.persistence_found, TLM_FOUND_GOOD);
    assert_int_equal(storage.vault_found, TLM_FOUND_GOOD);
    assert_string_equal(storage.persistence.storage_id, id);
    assert_int_equal(storage.error.result, TLM_OK);
    tlm_storage_clear(&storage);
    tlm_storage_clear(NULL);
}

static void looks_without_a_key(void **state)
{
    tlm_storage storage;
    assert_int_equal(tlm_storage_inspect(*state, NULL, &storage, NULL), TLM_OK);
    assert_int_equal(storage.persistence_found, TLM_FOUND_ABSENT);
    assert_int_equal(storage.vault_found, TLM_FOUND_ABSENT);
    assert_int_equal(create(state, NULL, NULL), TLM_OK);
    assert_int_equal(tlm_storage_inspect(*state, NULL, &storage, NULL), TLM_OK);
    assert_int_equal(storage.persistence_found, TLM_FOUND_UNOPENED);
    assert_int_equal(storage.vault_found, TLM_FOUND_UNOPENED);
}

static void replaces_nothing(void **state)
{
    char path[TEST_PATH_MAX];
    char before[8192];
    char after[8192];
    tlm_error error = {0};
    put_file(in_directory(state, "vault.bin", path), "somebody's");
    assert_int_equal(create(state, NULL, &error), TLM_ERR_EXISTS);
    assert_string_equal(get_file(path, after, sizeof after), "somebody's");
    assert_int_equal(count_entries(state), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(create(state, NULL, NULL), TLM_OK);
    get_file(path, before, sizeof before);
    assert_int_equal(create(state, NULL, &error), TLM_ERR_EXISTS);
    assert_string_equal(get_file(path, after, sizeof after), before);
    assert_int_equal(count_entries(state), 2);
}

static void tells_what_is_wrong_with_files(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_storage storage;
    assert_int_equal(create(state, NULL, NULL), TLM_OK);
    inspect(state, other, &storage);
    assert_int_equal(storage.persistence_found, TLM_FOUND_FOREIGN);
    assert_int_equal(storage.vault_found, TLM_FOUND_UNOPENED);
    assert_int_equal(storage.error.result, TLM_ERR_FOREIGN);
    tlm_storage_clear(&storage);

    put_file(in_directory(state, "vault.bin", path), "torn");
    inspect(state, key, &storage);
    assert_int_equal(storage.persistence_found, TLM_FOUND_GOOD);
    assert_int_equal(storage.vault_found, TLM_FOUND_DAMAGED);
    tlm_storage_clear(&storage);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    inspect(state, key, &storage);
    assert_int_equal(storage.vault_found, TLM_FOUND_UNREADABLE);
    tlm_storage_clear(&storage);

    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/nowhere/vault.bin", path), 0);
    inspect(state, key, &storage);
    assert_int_equal(storage.vault_found, TLM_FOUND_UNREADABLE);
    assert_non_null(strstr(storage.error.message, "leads nowhere"));
    tlm_storage_clear(&storage);

    char *large = calloc(1, TLM_JWE_MAX + 2);
    assert_non_null(large);
    memset(large, 'A', TLM_JWE_MAX + 1);
    put_file(in_directory(state, "persistence.bin", path), large);
    free(large);
    inspect(state, key, &storage);
    assert_int_equal(storage.persistence_found, TLM_FOUND_DAMAGED);
    tlm_storage_clear(&storage);
}

static void a_token_that_is_away_is_no_damage(void **state)
{
    unwrapper unwrap;
    tlm_opener opener = opener_of(&unwrap, key);
    tlm_storage storage;
    tlm_error error = {0};
    assert_int_equal(create(state, NULL, NULL), TLM_OK);
    unwrap.fails_with = TLM_ERR_TOKEN_UNAVAILABLE;
    assert_int_equal(tlm_storage_inspect(*state, &opener, &storage, &error),
                     TLM_ERR_TOKEN_UNAVAILABLE);
    assert_int_equal(error.result, TLM_ERR_TOKEN_UNAVAILABLE);
    assert_null(storage.persistence.vault_key);
}

static void a_key_that_cannot_decrypt_makes_no_files(void **state)
{
    unwrapper unwrap;
    const tlm_opener opener = opener_of(&unwrap, key);
    tlm_storage storage = {0};
    unwrap.fails_with = TLM_ERR_UNSUPPORTED;
    assert_int_equal(tlm_storage_create(*state, &opener, &storage, NULL), TLM_ERR_UNSUPPORTED);
    assert_int_equal(count_entries(state), 0);
    unwrap.fails_with = TLM_ERR_CRYPTO;
    assert_int_equal(tlm_storage_create(*state, &opener, &storage, NULL), TLM_ERR_DAMAGED);
    assert_int_equal(count_entries(state), 0);
}

/* After whatever happened: nothing, or what a further start completes to two good files. */
static void assert_recovers(void **state)
{
    tlm_storage storage;
    char id[TLM_UUID_SIZE];
    memset(&fault, 0, sizeof fault);
    inspect(state, key, &storage);
    tlm_start_state found = state_of(&storage, TLM_TOKEN_UNMARKED);
    memcpy(id, storage.persistence.storage_id, sizeof id);
    if (found == TLM_START_INTERRUPTED) {
        assert_int_equal(tlm_storage_complete(*state, &storage, NULL), TLM_OK);
    } else if (found == TLM_START_COLD) {
        tlm_storage_clear(&storage);
        assert_int_equal(create(state, id, NULL), TLM_OK);
    } else {
        assert_int_equal(found, TLM_START_WARM);
    }
    tlm_storage_clear(&storage);
    inspect(state, key, &storage);
    assert_int_equal(state_of(&storage, TLM_TOKEN_UNMARKED), TLM_START_WARM);
    assert_string_equal(storage.persistence.storage_id, id);
    tlm_storage_clear(&storage);
    tlm_storage_tidy(*state);
    assert_int_equal(count_entries(state), 2);
}

static void empty(void **state)
{
    char path[TEST_PATH_MAX];
    (void)unlink(in_directory(state, "persistence.bin", path));
    (void)unlink(in_directory(state, "vault.bin", path));
    assert_int_equal(count_entries(state), 0);
}

static void fail_at_each_call(void **state, int number, tlm_result expected)
{
    int failures = 0;
    bool done = false;
    for (int at = 1; !done; at++) {
        tlm_error error = {0};
        assert_true(at < 100);
        memset(&fault, 0, sizeof fault);
        fault.at = at;
        fault.number = number;
        tlm_result result = create(state, NULL, &error);
        done = result == TLM_OK && fault.calls < at;
        if (result != TLM_OK) {
            failures++;
            assert_int_equal(result, expected);
            assert_int_equal(error.native, number);
            assert_non_null(strstr(error.message, (const char *)*state));
        }
        assert_recovers(state);
        empty(state);
    }
    /* make .new; two files of write, fsync, link, fsync; two moves, each with an fsync */
    assert_in_range(failures, 11, 20);
}

static void a_full_disk_leaves_nothing_half_written(void **state)
{
    fail_at_each_call(state, ENOSPC, TLM_ERR_NO_SPACE);
}

static void a_failing_disk_leaves_nothing_half_written(void **state)
{
    fail_at_each_call(state, EIO, TLM_ERR_IO);
}

static void nothing_stays_before_the_first_move(void **state)
{
    /* Of a full disk no trace is left: .new is gone as well. */
    for (int at = 1; at <= 9; at++) {
        memset(&fault, 0, sizeof fault);
        fault.at = at;
        fault.number = ENOSPC;
        assert_int_equal(create(state, NULL, NULL), TLM_ERR_NO_SPACE);
        assert_int_equal(count_entries(state), 0);
    }
}

static bool dies_at(void **state, int at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        memset(&fault, 0, sizeof fault);
        fault.at = at;
        fault.die = true;
        _exit(create(state, NULL, NULL) == TLM_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return killed;
}

static void a_crash_at_any_point_is_rolled_forward(void **state)
{
    int at = 1;
    while (dies_at(state, at)) {
        assert_true(at < 100);
        assert_recovers(state);
        empty(state);
        at++;
    }
    assert_in_range(at, 12, 40);
}

static void a_crash_is_rolled_forward_where_renameat2_is_missing(void **state)
{
    without_renameat2 = true;
    int at = 1;
    while (dies_at(state, at)) {
        assert_true(at < 100);
        assert_recovers(state);
        empty(state);
        at++;
    }
    assert_in_range(at, 12, 40);
}

static void completing_is_interrupted_as_well(void **state)
{
    for (int at = 1; at < 6; at++) {
        tlm_storage storage;
        /* Both staged, nothing moved: the tenth call is the first move. */
        assert_true(dies_at(state, 10));
        inspect(state, key, &storage);
        assert_int_equal(storage.persistence_found, TLM_FOUND_STAGED);
        assert_int_equal(storage.vault_found, TLM_FOUND_STAGED);
        fault.at = at;
        fault.number = EIO;
        tlm_result result = tlm_storage_complete(*state, &storage, NULL);
        assert_true(result == TLM_OK || at <= 4);
        tlm_storage_clear(&storage);
        assert_recovers(state);
        empty(state);
    }
}

static void tidying_takes_away_leftovers_alone(void **state)
{
    char from[TEST_PATH_MAX];
    char to[TEST_PATH_MAX];
    assert_int_equal(create(state, NULL, NULL), TLM_OK);
    tlm_storage_tidy(*state);
    assert_int_equal(mkdir(in_directory(state, ".new", to), 0700), 0);
    in_directory(state, "vault.bin", from);
    assert_int_equal(link(from, in_directory(state, ".new/vault.bin", to)), 0);
    put_file(in_directory(state, ".new/x.tmp", to), "half");
    tlm_storage_tidy(*state);
    assert_int_equal(count_entries(state), 2);

    assert_int_equal(mkdir(in_directory(state, ".new", to), 0700), 0);
    put_file(in_directory(state, ".new/vault.bin", to), "somebody's");
    tlm_storage_tidy(*state);
    assert_true(tlm_file_exists(to));
    assert_int_equal(count_entries(state), 3);
}

static void hint_for(void **state, tlm_start_state found, EVP_PKEY *own, tlm_error *error)
{
    unwrapper unwrap;
    const tlm_opener opener = opener_of(&unwrap, own);
    tlm_storage storage;
    assert_int_equal(tlm_storage_inspect(*state, &opener, &storage, NULL), TLM_OK);
    (void)tlm_error_set(error, TLM_ERR_DAMAGED, "old hint", "message");
    tlm_storage_hint_backup(*state, &opener, &storage, found, error);
    tlm_storage_clear(&storage);
}

static void copy_file(const char *from, const char *to)
{
    char content[8192];
    put_file(to, get_file(from, content, sizeof content));
}

static void a_good_backup_is_named_with_its_command(void **state)
{
    char path[TEST_PATH_MAX];
    char backup[TEST_PATH_MAX];
    tlm_error error = {0};
    assert_int_equal(create(state, NULL, NULL), TLM_OK);
    copy_file(in_directory(state, "persistence.bin", path),
              in_directory(state, "persistence.bin.bak", backup));
    put_file(path, "damaged");
    hint_for(state, TLM_START_PERSISTENCE_DAMAGED, key, &error);
    assert_non_null(strstr(error.hint, "cp -p '"));
    assert_non_null(strstr(error.hint, "persistence.bin.bak' '"));
    /* Of another key's, or damaged itself, it is no help. */
    hint_for(state, TLM_START_PERSISTENCE_DAMAGED, other, &error);
    assert_string_equal(error.hint, "old hint");
    hint_for(state, TLM_START_FOREIGN, key, &error);
    assert_string_equal(error.hint, "old hint");
    copy_file(backup, path);
    put_file(backup, "damaged");
    hint_for(state, TLM_START_PERSISTENCE_DAMAGED, key, &error);
    assert_string_equal(error.hint, "old hint");

    in_directory(state, "vault.bin", path);
    hint_for(state, TLM_START_VAULT_DAMAGED, key, &error);
    assert_string_equal(error.hint, "old hint");
    copy_file(path, in_directory(state, "vault.bin.bak", backup));
    assert_int_equal(unlink(path), 0);
    hint_for(state, TLM_START_VAULT_MISSING, key, &error);
    assert_non_null(strstr(error.hint, "vault.bin.bak' '"));
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, begin, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(makes_two_files_and_nothing_else),
        WITH_DIRECTORY(looks_without_a_key),
        WITH_DIRECTORY(replaces_nothing),
        WITH_DIRECTORY(tells_what_is_wrong_with_files),
        WITH_DIRECTORY(a_token_that_is_away_is_no_damage),
        WITH_DIRECTORY(a_key_that_cannot_decrypt_makes_no_files),
        WITH_DIRECTORY(a_full_disk_leaves_nothing_half_written),
        WITH_DIRECTORY(a_failing_disk_leaves_nothing_half_written),
        WITH_DIRECTORY(nothing_stays_before_the_first_move),
        WITH_DIRECTORY(a_crash_at_any_point_is_rolled_forward),
        WITH_DIRECTORY(a_crash_is_rolled_forward_where_renameat2_is_missing),
        WITH_DIRECTORY(completing_is_interrupted_as_well),
        WITH_DIRECTORY(tidying_takes_away_leftovers_alone),
        WITH_DIRECTORY(a_good_backup_is_named_with_its_command),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
