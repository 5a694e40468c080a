/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <tlm/file.h>

/* The n-th call of one wrapped function fails with `number`; 0 is none. */
typedef struct fault {
    int at;
    int number;
    int calls;
} fault;

static fault write_fault;
static fault fsync_fault;
static fault rename_fault;
static fault link_fault;
static fault close_fault;
static bool short_writes;

static bool due(fault *self)
{
    if (self->at == 0 || ++self->calls != self->at) {
        return false;
    }
    errno = self->number;
    return true;
}

static void clear_faults(void)
{
    fault *const all[] = {&write_fault, &fsync_fault, &rename_fault, &link_fault, &close_fault};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i] = (fault){0};
    }
    short_writes = false;
}

ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);
int __real_fsync(int file);
int __wrap_fsync(int file);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __real_close(int file);
int __wrap_close(int file);

ssize_t __wrap_write(int file, const void *data, size_t size)
{
    if (due(&write_fault)) {
        return -1;
    }
    return __real_write(file, data, short_writes && size > 1 ? size / 2 : size);
}

int __wrap_fsync(int file)
{
    return due(&fsync_fault) ? -1 : __real_fsync(file);
}

int __wrap_rename(const char *from, const char *to)
{
    return due(&rename_fault) ? -1 : __real_rename(from, to);
}

int __wrap_link(const char *from, const char *to)
{
    return due(&link_fault) ? -1 : __real_link(from, to);
}

int __wrap_close(int file)
{
    int result = __real_close(file);
    return due(&close_fault) ? -1 : result;
}

static void assert_content(const char *path, const char *expected)
{
    char buffer[256];
    assert_string_equal(get_file(path, buffer, sizeof buffer), expected);
}

static tlm_result replace(const char *path, const char *text, tlm_error *error)
{
    return tlm_file_replace(path, text, strlen(text), 0600, error);
}

static void replacing_keeps_the_previous_generation(void **state)
{
    char path[TEST_PATH_MAX];
    char backup[TEST_PATH_MAX];
    in_directory(state, "f", path);
    in_directory(state, "f.bak", backup);
    assert_int_equal(replace(path, "one", NULL), TLM_OK);
    assert_false(tlm_file_exists(backup));
    assert_int_equal(replace(path, "two", NULL), TLM_OK);
    assert_int_equal(replace(path, "three", NULL), TLM_OK);
    assert_content(path, "three");
    assert_content(backup, "two");
    assert_int_equal(count_entries(state), 2);
}

static void the_mode_is_the_one_asked_for(void **state)
{
    char path[TEST_PATH_MAX];
    struct stat info;
    in_directory(state, "f", path);
    mode_t before = umask(0077);
    tlm_result result = tlm_file_replace(path, "x", 1, 0644, NULL);
    (void)umask(before);
    assert_int_equal(result, TLM_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777U, 0644);
}

static void an_empty_content_is_one(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "f", path);
    assert_int_equal(tlm_file_replace(path, NULL, 0, 0600, NULL), TLM_OK);
    assert_content(path, "");
    assert_int_equal(tlm_file_replace(path, NULL, 1, 0600, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_file_replace("", "x", 1, 0600, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_file_create(NULL, "x", 1, 0600, NULL), TLM_ERR_ARGUMENT);
}

static void what_a_killed_run_left_is_cleared_away(void **state)
{
    char path[TEST_PATH_MAX];
    char name[TEST_PATH_MAX];
    in_directory(state, "f", path);
    put_file(path, "one");
    put_file(in_directory(state, "f.tmp", name), "half");
    put_file(in_directory(state, "f.bak.tmp", name), "half");
    assert_int_equal(replace(path, "two", NULL), TLM_OK);
    assert_content(path, "two");
    assert_content(in_directory(state, "f.bak", name), "one");
    assert_int_equal(count_entries(state), 2);
}

/* Killed between keeping the backup and the exchange: both names are one file then. */
static void a_backup_that_is_the_same_file_is_no_trap(void **state)
{
    char path[TEST_PATH_MAX];
    char backup[TEST_PATH_MAX];
    in_directory(state, "f", path);
    in_directory(state, "f.bak", backup);
    put_file(path, "one");
    assert_int_equal(link(path, backup), 0);
    assert_int_equal(replace(path, "two", NULL), TLM_OK);
    assert_content(path, "two");
    assert_content(backup, "one");
    assert_int_equal(count_entries(state), 2);
}

static void a_link_in_the_way_is_not_written_through(void **state)
{
    char path[TEST_PATH_MAX];
    char victim[TEST_PATH_MAX];
    char tmp[TEST_PATH_MAX];
    in_directory(state, "f", path);
    in_directory(state, "victim", victim);
    in_directory(state, "f.tmp", tmp);
    put_file(victim, "mine");
    assert_int_equal(symlink(victim, tmp), 0);
    assert_int_equal(symlink(victim, path), 0);
    assert_int_equal(replace(path, "two", NULL), TLM_OK);
    assert_content(victim, "mine");
    assert_content(path, "two");
}

static void short_and_interrupted_writes_are_continued(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "f", path);
    short_writes = true;
    write_fault = (fault){.at = 2, .number = EINTR};
    tlm_result result = replace(path, "a longer text than one byte", NULL);
    clear_faults();
    assert_int_equal(result, TLM_OK);
    assert_content(path, "a longer text than one byte");
}

static void every_failure_leaves_the_file_whole(void **state)
{
    static const struct {
        fault *which;
        int at;
        int number;
        tlm_result result;
    } rows[] = {
        {&write_fault, 1, ENOSPC, TLM_ERR_NO_SPACE},
        {&write_fault, 1, EIO, TLM_ERR_IO},
        {&fsync_fault, 1, EIO, TLM_ERR_IO},
        {&fsync_fault, 1, ENOSPC, TLM_ERR_NO_SPACE},
        {&close_fault, 1, EDQUOT, TLM_ERR_NO_SPACE},
        {&link_fault, 1, ENOSPC, TLM_ERR_NO_SPACE},
        {&link_fault, 1, EIO, TLM_ERR_IO},
        {&rename_fault, 1, EIO, TLM_ERR_IO},
        {&rename_fault, 2, EROFS, TLM_ERR_PERMISSION},
    };
    char path[TEST_PATH_MAX];
    char name[TEST_PATH_MAX];
    in_directory(state, "f", path);
    assert_int_equal(replace(path, "one", NULL), TLM_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tlm_error error = {0};
        *rows[i].which = (fault){.at = rows[i].at, .number = rows[i].number};
        tlm_result result = replace(path, "two", &error);
        clear_faults();
        assert_int_equal(result, rows[i].result);
        assert_int_equal(error.native, rows[i].number);
        assert_content(path, "one");
        assert_false(tlm_file_exists(in_directory(state, "f.tmp", name)));
        assert_false(tlm_file_exists(in_directory(state, "f.bak.tmp", name)));
        if (rows[i].result == TLM_ERR_NO_SPACE) {
            assert_non_null(strstr(error.hint, *state));
        }
    }
    assert_int_equal(replace(path, "two", NULL), TLM_OK);
    assert_content(path, "two");
}

static void a_directory_that_cannot_be_synced_is_told(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "f", path);
    assert_int_equal(replace(path, "one", NULL), TLM_OK);
    fsync_fault = (fault){.at = 2, .number = EIO};
    tlm_result result = replace(path, "two", NULL);
    clear_faults();
    assert_int_equal(result, TLM_ERR_IO);
    assert_content(path, "two");
    /* Where the file system cannot do it at all there is nothing to tell. */
    fsync_fault = (fault){.at = 2, .number = EINVAL};
    result = replace(path, "three", NULL);
    clear_faults();
    assert_int_equal(result, TLM_OK);
}

static void without_hard_links_the_backup_is_a_copy(void **state)
{
    char path[TEST_PATH_MAX];
    char backup[TEST_PATH_MAX];
    in_directory(state, "f", path);
    in_directory(state, "f.bak", backup);
    assert_int_equal(replace(path, "one", NULL), TLM_OK);
    link_fault = (fault){.at = 1, .number = EPERM};
    tlm_result result = replace(path, "two", NULL);
    clear_faults();
    assert_int_equal(result, TLM_OK);
    assert_content(path, "two");
    assert_content(backup, "one");
    /* The copy's write fails: the second one, after the new content's own. */
    link_fault = (fault){.at = 1, .number = EPERM};
    write_fault = (fault){.at = 2, .number = ENOSPC};
    result = replace(path, "three", NULL);
    clear_faults();
    assert_int_equal(result, TLM_ERR_NO_SPACE);
    assert_content(path, "two");
    assert_content(backup, "one");
    assert_int_equal(count_entries(state), 2);
}

static void creating_never_replaces(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_error error = {0};
    in_directory(state, "f", path);
    assert_int_equal(tlm_file_create(path, "one", 3, 0600, &error), TLM_OK);
    assert_int_equal(tlm_file_create(path, "two", 3, 0600, &error), TLM_ERR_EXISTS);
    assert_non_null(strstr(error.message, path));
    assert_content(path, "one");
    assert_int_equal(count_entries(state), 1);
}

static void creating_works_without_hard_links(void **state)
{
    char path[TEST_PATH_MAX];
    in_directory(state, "f", path);
    link_fault = (fault){.at = 1, .number = EPERM};
    tlm_result result = tlm_file_create(path, "one", 3, 0600, NULL);
    link_fault = (fault){.at = 1, .number = EPERM};
    tlm_result again = tlm_file_create(path, "two", 3, 0600, NULL);
    clear_faults();
    assert_int_equal(result, TLM_OK);
    assert_int_equal(again, TLM_ERR_EXISTS);
    assert_content(path, "one");
    assert_int_equal(count_entries(state), 1);
}

static void a_failed_creation_leaves_nothing(void **state)
{
    fault *const faults[] = {&write_fault, &fsync_fault, &link_fault, &close_fault};
    char path[TEST_PATH_MAX];
    in_directory(state, "f", path);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        *faults[i] = (fault){.at = 1, .number = ENOSPC};
        tlm_result result = tlm_file_create(path, "one", 3, 0600, NULL);
        clear_faults();
        assert_int_equal(result, TLM_ERR_NO_SPACE);
        assert_int_equal(count_entries(state), 0);
    }
    fsync_fault = (fault){.at = 2, .number = EIO};
    tlm_result result = tlm_file_create(path, "one", 3, 0600, NULL);
    clear_faults();
    assert_int_equal(result, TLM_ERR_IO);
    assert_int_equal(count_entries(state), 0);
}

typedef struct racer {
    const char *path;
    char text[8];
    tlm_result result;
} racer;

static void *race(void *argument)
{
    racer *self = argument;
    self->result = tlm_file_create(self->path, self->text, strlen(self->text), 0600, NULL);
    return NULL;
}

static void of_several_creators_one_wins(void **state)
{
    char path[TEST_PATH_MAX];
    racer racers[8];
    pthread_t threads[8];
    in_directory(state, "f", path);
    for (int i = 0; i < 8; i++) {
        racers[i] = (racer){.path = path};
        (void)snprintf(racers[i].text, sizeof racers[i].text, "by %d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    int winner = -1;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (racers[i].result == TLM_OK) {
            assert_int_equal(winner, -1);
            winner = i;
        } else {
            assert_int_equal(racers[i].result, TLM_ERR_EXISTS);
        }
    }
    assert_in_range(winner, 0, 7);
    assert_content(path, racers[winner].text);
    assert_int_equal(count_entries(state), 1);
}

static void a_missing_directory_is_named_with_its_remedy(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_error error = {0};
    in_directory(state, "none/f", path);
    assert_int_equal(replace(path, "x", &error), TLM_ERR_NOT_FOUND);
    assert_non_null(strstr(error.hint, "mkdir -p "));
    assert_int_equal(tlm_file_create(path, "x", 1, 0600, &error), TLM_ERR_NOT_FOUND);
}

static void reading_gives_everything_up_to_the_maximum(void **state)
{
    char path[TEST_PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    in_directory(state, "f", path);
    put_file(path, "12345");
    assert_int_equal(tlm_file_read(path, 5, &data, &size, NULL), TLM_OK);
    assert_int_equal(size, 5);
    assert_string_equal(data, "12345");
    free(data);
    data = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_file_read(path, 4, &data, &size, &error), TLM_ERR_TOO_LARGE);
    assert_null(data);
    put_file(path, "");
    assert_int_equal(tlm_file_read(path, 0, &data, &size, NULL), TLM_OK);
    assert_int_equal(size, 0);
    assert_string_equal(data, "");
    free(data);
}

static void reading_follows_files_that_do_not_tell_their_size(void **state)
{
    (void)state;
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(tlm_file_read("/proc/self/maps", (size_t)1 << 20, &data, &size, NULL), TLM_OK);
    assert_in_range(size, 100, (size_t)1 << 20);
    assert_int_equal(strlen(data), size);
    free(data);
    data = NULL;
    assert_int_equal(tlm_file_read("/proc/self/maps", 10, &data, &size, NULL), TLM_ERR_TOO_LARGE);
    assert_null(data);
}

static void what_is_no_regular_file_is_not_read(void **state)
{
    char path[TEST_PATH_MAX];
    char *data = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_file_read(*state, 9, &data, &size, &error), TLM_ERR_FORMAT);
    assert_non_null(strstr(error.message, "directory"));
    in_directory(state, "fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(tlm_file_read(path, 9, &data, &size, &error), TLM_ERR_FORMAT);
    in_directory(state, "none", path);
    assert_int_equal(tlm_file_read(path, 9, &data, &size, &error), TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_file_read(NULL, 9, &data, &size, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_file_read(path, SIZE_MAX, &data, &size, &error), TLM_ERR_ARGUMENT);
}

static void a_secret_is_read_from_a_private_file_alone(void **state)
{
    static const mode_t open_modes[] = {0640, 0604, 0660, 0620, 0601, 0644};
    char path[TEST_PATH_MAX];
    tlm_secret *secret = NULL;
    tlm_error error = {0};
    in_directory(state, "pin", path);
    put_file(path, "123456");
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_int_equal(tlm_file_read_secret(path, 64, &secret, &error), TLM_ERR_PERMISSION);
        assert_non_null(strstr(error.hint, "chmod 600 "));
        assert_null(secret);
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(tlm_file_read_secret(path, 6, &secret, &error), TLM_OK);
    assert_int_equal(tlm_secret_size(secret), 6);
    assert_string_equal((const char *)tlm_secret_bytes(secret), "123456");
    tlm_secret_free(&secret);
    assert_int_equal(tlm_file_read_secret(path, 5, &secret, &error), TLM_ERR_TOO_LARGE);
    put_file(path, "");
    assert_int_equal(tlm_file_read_secret(path, 5, &secret, &error), TLM_ERR_FORMAT);
    assert_int_equal(tlm_file_read_secret(path, 0, &secret, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_file_read_secret(path, (size_t)TLM_SECRET_MAX + 1, &secret, &error),
                     TLM_ERR_ARGUMENT);
    assert_null(secret);
}

/* Only root can give a file away; for others the refusal is not to be had this way. */
static void a_secret_of_another_user_is_refused(void **state)
{
    char path[TEST_PATH_MAX];
    tlm_secret *secret = NULL;
    tlm_error error = {0};
    in_directory(state, "pin", path);
    put_file(path, "123456");
    assert_int_equal(chmod(path, 0600), 0);
    tlm_result expected = geteuid() == 0 ? TLM_ERR_PERMISSION : TLM_OK;
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
    }
    assert_int_equal(tlm_file_read_secret(path, 64, &secret, &error), expected);
    if (expected != TLM_OK) {
        assert_non_null(strstr(error.message, "12345"));
        assert_non_null(strstr(error.hint, "chown 0 "));
    }
    tlm_secret_free(&secret);
}

static void directories_are_made_with_those_above(void **state)
{
    char path[TEST_PATH_MAX];
    struct stat info;
    tlm_error error = {0};
    assert_int_equal(tlm_directory_make(in_directory(state, "a/b//c/", path), 0700, &error),
                     TLM_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(info.st_mode & 0777U, 0700);
    assert_int_equal(stat(in_directory(state, "a/b", path), &info), 0);
    assert_int_equal(info.st_mode & 0755U, 0755U & info.st_mode);
    /* Again, with another mode: nothing changes. */
    in_directory(state, "a/b/c", path);
    assert_int_equal(tlm_directory_make(path, 0755, &error), TLM_OK);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777U, 0700);
    assert_int_equal(tlm_directory_make("/", 0700, &error), TLM_OK);
    assert_int_equal(tlm_directory_make("", 0700, &error), TLM_ERR_ARGUMENT);
}

static void a_file_where_a_directory_should_be_is_named(void **state)
{
    char path[TEST_PATH_MAX];
    char below[TEST_PATH_MAX];
    tlm_error error = {0};
    put_file(in_directory(state, "f", path), "x");
    assert_int_equal(tlm_directory_make(path, 0700, &error), TLM_ERR_EXISTS);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(tlm_directory_make(in_directory(state, "f/g", below), 0700, &error),
                     TLM_ERR_EXISTS);
    in_directory(state, "dangling", path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(tlm_directory_make(path, 0700, &error), TLM_ERR_EXISTS);
    assert_true(tlm_file_exists(path));
    assert_false(tlm_file_exists(NULL));
}

static void paths_are_joined_with_one_slash(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"/a", "b", "/a/b"}, {"/a/", "b", "/a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *path = tlm_path_join(rows[i][0], rows[i][1]);
        assert_string_equal(path, rows[i][2]);
        free(path);
    }
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(replacing_keeps_the_previous_generation),
        IN_DIRECTORY(the_mode_is_the_one_asked_for),
        IN_DIRECTORY(an_empty_content_is_one),
        IN_DIRECTORY(what_a_killed_run_left_is_cleared_away),
        IN_DIRECTORY(a_backup_that_is_the_same_file_is_no_trap),
        IN_DIRECTORY(a_link_in_the_way_is_not_written_through),
        IN_DIRECTORY(short_and_interrupted_writes_are_continued),
        IN_DIRECTORY(every_failure_leaves_the_file_whole),
        IN_DIRECTORY(a_directory_that_cannot_be_synced_is_told),
        IN_DIRECTORY(without_hard_links_the_backup_is_a_copy),
        IN_DIRECTORY(creating_never_replaces),
        IN_DIRECTORY(creating_works_without_hard_links),
        IN_DIRECTORY(a_failed_creation_leaves_nothing),
        IN_DIRECTORY(of_several_creators_one_wins),
        IN_DIRECTORY(a_missing_directory_is_named_with_its_remedy),
        IN_DIRECTORY(reading_gives_everything_up_to_the_maximum),
        IN_DIRECTORY(reading_follows_files_that_do_not_tell_their_size),
        IN_DIRECTORY(what_is_no_regular_file_is_not_read),
        IN_DIRECTORY(a_secret_is_read_from_a_private_file_alone),
        IN_DIRECTORY(a_secret_of_another_user_is_refused),
        IN_DIRECTORY(directories_are_made_with_those_above),
        IN_DIRECTORY(a_file_where_a_directory_should_be_is_named),
        IN_DIRECTORY(paths_are_joined_with_one_slash),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
