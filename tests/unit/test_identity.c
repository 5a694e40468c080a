/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_fixture.h"

#include <errno.h>
#include <sys/wait.h>

#include <tlm/store.h>

/* ---- with a key file ---- */

static void a_first_start_makes_an_identity(void **state)
{
    scene self;
    prepare(state, &self, "new/persistence");
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_COLD);
    assert_false(view->warm);
    assert_int_equal(view->holder, TLM_HOLDER_LOCAL);
    assert_string_equal(view->backend, "local");
    assert_false(view->hardware_bound);
    assert_false(view->simulated);
    assert_false(view->has_token);
    assert_true(view->has_fingerprint);
    assert_int_equal(view->fingerprint.type, TLM_FINGERPRINT_FALLBACK);
    assert_string_equal(view->fingerprint.text, view->fallback.text);
    assert_int_equal(view->fallback.component_count, TLM_HOST_COMPONENTS);
    assert_int_equal(strlen(view->storage_id), 36);
    assert_in_range(view->state_since, time(NULL) - 60, time(NULL));
    tlm_identity_view_release(&view);
    assert_null(view);
    tlm_identity_view_release(&view);
    assert_true(atomic_load(&self.changes) >= 1);
    tlm_identity_stop(&self.identity);
    tlm_identity_stop(&self.identity);
    tlm_identity_stop(NULL);
    static const char *const names[] = {"persistence.bin", "vault.bin", "local.key", "local.mark"};
    for (size_t i = 0; i < 4; i++) {
        char path[TEST_PATH_MAX];
        struct stat info;
        assert_int_equal(stat(below(&self, names[i], path), &info), 0);
        assert_int_equal(info.st_mode & 07777U, 0600);
    }
    assert_false(has(&self, ".new"));
}

static void a_second_start_is_the_same_host(void **state)
{
    scene self;
    trace before;
    prepare(state, &self, "p");
    outcome first = run(&self, TLM_START_COLD);
    look(&self, &before);
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_WARM);
    assert_true(view->warm);
    assert_string_equal(view->fingerprint.text, first.fingerprint);
    assert_string_equal(view->storage_id, first.storage_id);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.identity);
    assert_untouched(&self, &before);
}

static void a_view_outlives_its_identity(void **state)
{
    scene self;
    prepare(state, &self, "p");
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_COLD);
    tlm_identity_stop(&self.identity);
    assert_int_equal(strlen(view->fingerprint.text), 64);
    assert_non_null(strstr(view->fingerprint.jwk, "\"kty\""));
    tlm_identity_view_release(&view);
}

static void missing_files_are_named_and_not_made_again(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        tlm_start_state state;
        const char *hint;
    } rows[] = {
        {"persistence.bin", NULL, TLM_START_PERSISTENCE_MISSING, "persistence.bin"},
        {"vault.bin", NULL, TLM_START_VAULT_MISSING, "vault.bin"},
        {"persistence.bin", "vault.bin", TLM_START_FILES_MISSING, "local.mark"},
        {"local.key", NULL, TLM_START_TOKEN_MISSING, "local.key"},
    };
    scene self;
    prepare(state, &self, "p");
    outcome made = run(&self, TLM_START_COLD);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        trace before;
        move(&self, rows[i].first, "away1");
        if (rows[i].second != NULL) {
            move(&self, rows[i].second, "away2");
        }
        look(&self, &before);
        outcome seen = run(&self, rows[i].state);
        assert_non_null(strstr(seen.error.hint, rows[i].hint));
        assert_string_equal(seen.fingerprint, "");
        assert_untouched(&self, &before);
        move(&self, "away1", rows[i].first);
        if (rows[i].second != NULL) {
            move(&self, "away2", rows[i].second);
        }
    }
    outcome again = run(&self, TLM_START_WARM);
    assert_string_equal(again.fingerprint, made.fingerprint);
}

static void files_that_come_back_are_opened(void **state)
{
    scene self;
    prepare(state, &self, "p");
    outcome made = run(&self, TLM_START_COLD);
    move(&self, "vault.bin", "away");
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_VAULT_MISSING);
    tlm_identity_view_release(&view);
    move(&self, "away", "vault.bin");
    view = await(&self, TLM_START_WARM);
    assert_string_equal(view->fingerprint.text, made.fingerprint);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.identity);
}

static void damage_is_named_with_the_backup_that_helps(void **state)
{
    scene self;
    char path[TEST_PATH_MAX];
    prepare(state, &self, "p");
    (void)run(&self, TLM_START_COLD);
    move(&self, "persistence.bin", "persistence.bin.bak");
    put_file(below(&self, "persistence.bin", path), "damaged");
    outcome seen = run(&self, TLM_START_PERSISTENCE_DAMAGED);
    assert_int_equal(seen.error.result, TLM_ERR_DAMAGED);
    assert_non_null(strstr(seen.error.hint, "cp -p '"));
    assert_non_null(strstr(seen.error.message, "persistence.bin was changed or torn"));
    move(&self, "persistence.bin.bak", "persistence.bin");
    put_file(below(&self, "vault.bin", path), "damaged");
    seen = run(&self, TLM_START_VAULT_DAMAGED);
    assert_string_equal(seen.error.hint, tlm_startup_describe(TLM_START_VAULT_DAMAGED)->hint);
}

static void files_of_another_key_are_refused(void **state)
{
    scene self;
    scene other;
    trace before;
    prepare(state, &self, "p");
    prepare(state, &other, "q");
    (void)run(&self, TLM_START_COLD);
    (void)run(&other, TLM_START_COLD);
    copy(&other, &self, "persistence.bin");
    look(&self, &before);
    outcome seen = run(&self, TLM_START_FOREIGN);
    assert_int_equal(seen.error.result, TLM_ERR_FOREIGN);
    assert_non_null(strstr(seen.error.message, "thumbprint"));
    assert_untouched(&self, &before);
}

static void files_of_two_installations_are_refused(void **state)
{
    scene self;
    scene other;
    prepare(state, &self, "p");
    prepare(state, &other, "q");
    (void)run(&self, TLM_START_COLD);
    (void)run(&other, TLM_START_COLD);
    copy(&other, &self, "vault.bin");
    outcome seen = run(&self, TLM_START_OTHER_STORAGE);
    assert_int_equal(seen.error.result, TLM_ERR_FOREIGN);
    copy(&other, &self, "persistence.bin");
    copy(&other, &self, "local.key");
    seen = run(&self, TLM_START_OTHER_STORAGE);
    assert_non_null(strstr(seen.error.message, "marked"));
    copy(&other, &self, "local.mark");
    (void)run(&self, TLM_START_WARM);
}

static void a_cut_off_first_start_is_completed(void **state)
{
    scene self;
    char path[TEST_PATH_MAX];
    prepare(state, &self, "p");
    outcome made = run(&self, TLM_START_COLD);
    take(&self, "local.mark");
    assert_int_equal(mkdir(below(&self, ".new", path), 0700), 0);
    move(&self, "persistence.bin", ".new/persistence.bin");
    outcome seen = run(&self, TLM_START_COLD);
    assert_string_equal(seen.storage_id, made.storage_id);
    assert_string_equal(seen.fingerprint, made.fingerprint);
    assert_true(has(&self, "local.mark"));
    assert_false(has(&self, ".new"));
    /* Cut off between the files and the mark. */
    take(&self, "local.mark");
    (void)run(&self, TLM_START_WARM);
    assert_true(has(&self, "local.mark"));
}

static void one_process_at_a_time(void **state)
{
    scene self;
    scene second;
    prepare(state, &self, "p");
    prepare(state, &second, "p");
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_COLD);
    tlm_identity_view_release(&view);
    start(&second);
    view = await(&second, TLM_START_IN_USE);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(view->error.message, pid));
    assert_int_equal(view->error.result, TLM_ERR_BUSY);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.identity);
    view = await(&second, TLM_START_WARM);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&second.identity);
}

static void a_directory_that_cannot_be_made_is_told(void **state)
{
    scene self;
    char path[TEST_PATH_MAX];
    prepare(state, &self, "file/p");
    put_file(in_directory(state, "file", path), "in the way");
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_UNWRITABLE);
    assert_non_null(strstr(view->error.message, path));
    assert_true(view->error.hint[0] != '\0');
    tlm_identity_view_release(&view);
    assert_int_equal(unlink(path), 0);
    view = await(&self, TLM_START_COLD);
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.identity);
}

static void unreadable_files_are_told(void **state)
{
    scene self;
    char path[TEST_PATH_MAX];
    prepare(state, &self, "p");
    (void)run(&self, TLM_START_COLD);
    move(&self, "vault.bin", "away");
    assert_int_equal(mkdir(below(&self, "vault.bin", path), 0700), 0);
    outcome seen = run(&self, TLM_START_UNREADABLE);
    assert_non_null(strstr(seen.error.message, "vault.bin"));
    assert_int_equal(rmdir(path), 0);
    move(&self, "away", "vault.bin");
    assert_int_equal(chmod(below(&self, "local.key", path), 0644), 0);
    seen = run(&self, TLM_START_TOKEN_UNAVAILABLE);
    assert_non_null(strstr(seen.error.hint, "chmod 600"));
}

/* In a child, which cannot assert: whether a start by another user comes to the state. */
static bool comes_to(scene *self, tlm_start_state wanted)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    bool there = false;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
        return false;
    }
    if (tlm_identity_start(&self->config, &self->identity, NULL) != TLM_OK) {
        return false;
    }
    for (int i = 0; i < 2000 && !there; i++) {
        const tlm_identity_view *view = tlm_identity_view_get(self->identity);
        there = view->state == wanted && (wanted != TLM_START_UNWRITABLE ||
                                          (view->error.native == EACCES &&
                                           strstr(view->error.message, self->directory) != NULL &&
                                           view->error.hint[0] != '\0'));
        tlm_identity_view_release(&view);
        (void)nanosleep(&nap, NULL);
    }
    tlm_identity_stop(&self->identity);
    return there;
}

static void assert_comes_to(scene *self, tlm_start_state wanted)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(comes_to(self, wanted) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_read_only_directory_is_enough_for_a_warm_start(void **state)
{
    static const char *const names[] = {"persistence.bin", "vault.bin", "local.key", "local.mark"};
    scene self;
    scene empty;
    prepare(state, &self, "p");
    prepare(state, &empty, "q");
    (void)run(&self, TLM_START_COLD);
    for (size_t i = 0; i < 4 && geteuid() == 0; i++) {
        char path[TEST_PATH_MAX];
        assert_int_equal(chown(below(&self, names[i], path), 65534, 65534), 0);
    }
    take(&self, "lock");
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(chmod(self.directory, 0555), 0);
    assert_int_equal(mkdir(empty.directory, 0555), 0);
    assert_comes_to(&self, TLM_START_WARM);
    assert_false(has(&self, "lock"));
    assert_comes_to(&empty, TLM_START_UNWRITABLE);
    assert_false(has(&empty, "local.key"));
    assert_false(has(&empty, ".new"));
    assert_int_equal(chmod(self.directory, 0700), 0);
}

/* ---- which token ---- */

static void without_a_store_there_is_no_token(void **state)
{
    scene self;
    prepare(state, &self, "p");
    self.config.tpm = true;
    self.config.tcti = "swtpm:path=/nowhere/sock";
    outcome seen = run(&self, TLM_START_NOT_PROVISIONED);
    assert_non_null(strstr(seen.error.hint, "tlm-token-init provision"));
    assert_false(tlm_file_exists(self.directory));
    self.config.tpm = false;
    (void)run(&self, TLM_START_COLD);
    self.config.tpm = true;
    seen = run(&self, TLM_START_TOKEN_MISSING);
    assert_non_null(strstr(seen.error.hint, "--no-tpm"));
}

static void save_store(const scene *self, tlm_backend backend, bool complete)
{
    char directory[TEST_PATH_MAX];
    char label[] = "tlm";
    char uri[] = "pkcs11:token=tlm";
    char module[] = "/nowhere/module.so";
    char created[] = "2026-01-31T12:00:00Z";
    memcpy(directory, self->store, sizeof directory);
    assert_int_equal(tlm_directory_make(directory, 0700, NULL), TLM_OK);
    const tlm_store store = {.directory = directory,
                             .backend = backend,
                             .label = label,
                             .uri = uri,
                             .module = module,
                             .created = created,
                             .complete = complete};
    assert_int_equal(tlm_store_save(&store, NULL), TLM_OK);
}

static void a_tpms_token_is_left_alone_without_a_tpm(void **state)
{
    scene self;
    prepare(state, &self, "p");
    save_store(&self, TLM_BACKEND_TPM, true);
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_FOREIGN);
    assert_int_equal(view->holder, TLM_HOLDER_TPM);
    assert_non_null(strstr(view->error.hint, "--no-tpm"));
    tlm_identity_view_release(&view);
    tlm_identity_stop(&self.identity);
    assert_false(has(&self, "local.key"));
    assert_false(has(&self, "persistence.bin"));
}

static void an_incomplete_store_is_told(void **state)
{
    scene self;
    prepare(state, &self, "p");
    self.config.tpm = true;
    self.config.tcti = "swtpm:path=/nowhere/sock";
    self.config.socket = "/nowhere/pkcs11.sock";
    save_store(&self, TLM_BACKEND_TPM, false);
    outcome seen = run(&self, TLM_START_NOT_PROVISIONED);
    assert_non_null(strstr(seen.error.message, "not provisioned to its end"));
    save_store(&self, TLM_BACKEND_TPM, true);
    seen = run(&self, TLM_START_TOKEN_UNAVAILABLE);
    assert_non_null(strstr(seen.error.message, "/nowhere/pkcs11.sock"));
    assert_non_null(strstr(seen.error.hint, "--pkcs11-socket"));
    /* Of a start without a TPM it would have been a reason to go on with a key file. */
    save_store(&self, TLM_BACKEND_SOFTHSM, false);
    self.config.tpm = false;
    (void)run(&self, TLM_START_COLD);
}

static void stopping_does_not_wait_for_the_next_look(void **state)
{
    struct timespec begin;
    struct timespec end;
    scene self;
    prepare(state, &self, "p");
    start(&self);
    const tlm_identity_view *view = await(&self, TLM_START_COLD);
    tlm_identity_view_release(&view);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    tlm_identity_stop(&self.identity);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range(end.tv_sec - begin.tv_sec, 0, 2);
}

static void stopping_does_not_wait_for_a_child(void **state)
{
    const struct timespec nap = {.tv_nsec = 300000000};
    struct timespec begin;
    struct timespec end;
    char script[TEST_PATH_MAX];
    char mark[TEST_PATH_MAX];
    char text[2 * TEST_PATH_MAX];
    scene self;
    prepare(state, &self, "p");
    in_directory(state, "begun", mark);
    (void)snprintf(text, sizeof text, "#!/bin/sh\n: > '%s'\nexec sleep 30\n", mark);
    put_file(in_directory(state, "script", script), text);
    assert_int_equal(chmod(script, 0700), 0);
    token_init = script;
    start(&self);
    for (int i = 0; i < 60 && !tlm_file_exists(mark); i++) {
        (void)nanosleep(&nap, NULL);
    }
    assert_true(tlm_file_exists(mark));
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    tlm_identity_stop(&self.identity);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    token_init = NULL;
    assert_in_range(end.tv_sec - begin.tv_sec, 0, 3);
    /* Given up is not failed: the next start provisions, and no key file stands in its way. */
    assert_false(has(&self, "local.key"));
}

static void a_failed_provisioning_leaves_the_key_file(void **state)
{
    char script[TEST_PATH_MAX];
    scene self;
    prepare(state, &self, "p");
    put_file(in_directory(state, "script", script), "#!/bin/sh\necho no >&2\nexit 1\n");
    assert_int_equal(chmod(script, 0700), 0);
    token_init = script;
    (void)run(&self, TLM_START_COLD);
    (void)run(&self, TLM_START_WARM);
    token_init = NULL;
    assert_true(has(&self, "local.key"));
}

static void wrong_arguments_are_refused(void **state)
{
    tlm_identity *identity = NULL;
    const tlm_identity_config nothing = {0};
    (void)state;
    assert_int_equal(tlm_identity_start(NULL, &identity, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_identity_start(&nothing, &identity, NULL), TLM_ERR_ARGUMENT);
    assert_null(identity);
    tlm_identity_view_release(NULL);
}

#define WITH_DIRECTORY(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(a_first_start_makes_an_identity),
        WITH_DIRECTORY(a_second_start_is_the_same_host),
        WITH_DIRECTORY(a_view_outlives_its_identity),
        WITH_DIRECTORY(missing_files_are_named_and_not_made_again),
        WITH_DIRECTORY(files_that_come_back_are_opened),
        WITH_DIRECTORY(damage_is_named_with_the_backup_that_helps),
        WITH_DIRECTORY(files_of_another_key_are_refused),
        WITH_DIRECTORY(files_of_two_installations_are_refused),
        WITH_DIRECTORY(a_cut_off_first_start_is_completed),
        WITH_DIRECTORY(one_process_at_a_time),
        WITH_DIRECTORY(a_directory_that_cannot_be_made_is_told),
        WITH_DIRECTORY(unreadable_files_are_told),
        WITH_DIRECTORY(a_read_only_directory_is_enough_for_a_warm_start),
        WITH_DIRECTORY(without_a_store_there_is_no_token),
        WITH_DIRECTORY(a_tpms_token_is_left_alone_without_a_tpm),
        WITH_DIRECTORY(an_incomplete_store_is_told),
        WITH_DIRECTORY(stopping_does_not_wait_for_the_next_look),
        WITH_DIRECTORY(stopping_does_not_wait_for_a_child),
        WITH_DIRECTORY(a_failed_provisioning_leaves_the_key_file),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
