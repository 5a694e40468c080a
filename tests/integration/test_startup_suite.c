/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The identity beside a real token: cold, warm, files and tokens taken away and exchanged. Each
 * start has a tlm-tokend of its own, started and ended by it, as in a container.
 *
 * Each start is a process of its own (this program with --start), as in life: modules keep their
 * environment and their login to their end. Runs below tests/support/with-token --other.
 */
#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include <tlm/file.h>
#include <tlm/identity.h>
#include <tlm/process.h>

#define PATH_SIZE 512
/* The doctor has the TPM make its primary again, which takes its time on a busy machine. */
#define SETTLE_MS 120000

/* ---- the started program ---- */

static bool settled(const tlm_identity_view *view, const char *wanted)
{
    if (view->ready) {
        return view->has_fallback;
    }
    return view->state != TLM_START_PENDING &&
           (wanted == NULL || strcmp(tlm_startup_describe(view->state)->name, wanted) == 0);
}

/* Prints what the start came to: state, backend, type, fingerprint, storage, code, message, hint.
 */
static int start(char **argv)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    tlm_identity *identity = NULL;
    char socket[PATH_SIZE];
    const char *words[] = {"--persistence-dir",
                           argv[0],
                           "--token-store",
                           argv[1],
                           "--pkcs11-socket",
                           socket,
                           "--config-dir",
                           argv[0],
                           "--log-dir",
                           argv[0],
                           "--log-level",
                           "error",
                           NULL,
                           argv[2],
                           NULL};
    (void)snprintf(socket, sizeof socket, "%s.sock/pkcs11.sock", argv[0]);
    if (argv[2][0] != '\0') {
        words[12] = "--tcti";
    }
    (void)signal(SIGPIPE, SIG_IGN);
    const tlm_identity_config config = {.persistence_dir = argv[0],
                                        .store_dir = argv[1],
                                        .tpm = true,
                                        .socket = socket,
                                        .tokend = words,
                                        .tcti = argv[2][0] != '\0' ? argv[2] : NULL,
                                        .tcti_simulated = true};
    if (tlm_identity_start(&config, &identity, NULL) != TLM_OK) {
        return 1;
    }
    for (int waited = 0; waited < SETTLE_MS; waited += 5) {
        const tlm_identity_view *view = tlm_identity_view_get(identity);
        bool done = settled(view, argv[3]);
        if (done || waited + 5 >= SETTLE_MS) {
            (void)printf(
                "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n", tlm_startup_describe(view->state)->name,
                view->backend,
                view->has_fingerprint ? tlm_fingerprint_type_name(view->fingerprint.type) : "-",
                view->has_fingerprint ? view->fingerprint.text : "-",
                view->storage_id[0] != '\0' ? view->storage_id : "-",
                tlm_result_code(view->error.result), view->error.message, view->error.hint);
            waited = SETTLE_MS;
        }
        tlm_identity_view_release(&view);
        (void)nanosleep(&nap, NULL);
    }
    tlm_identity_stop(&identity);
    return 0;
}

/* ---- the tests ---- */

typedef struct outcome {
    char text[4096];
    const char *state;
    const char *backend;
    const char *type;
    const char *fingerprint;
    const char *storage;
    const char *code;
    const char *message;
    const char *hint;
} outcome;

typedef struct place {
    char persistence[PATH_SIZE];
    char store[PATH_SIZE];
    char tcti[PATH_SIZE];
} place;

static place own;
static place other;
static bool on_tpm;

static void from_environment(const char *name, char value[PATH_SIZE])
{
    const char *text = getenv(name);
    assert_non_null(text);
    int length = snprintf(value, PATH_SIZE, "%s", text);
    assert_in_range(length, 0, PATH_SIZE - 1);
}

static int setup(void **state)
{
    (void)state;
    const char *backend = getenv("TLM_TEST_BACKEND");
    if (backend == NULL) {
        (void)fputs("run below tests/support/with-token --other\n", stderr);
        return -1;
    }
    on_tpm = strcmp(backend, "swtpm") == 0;
    from_environment("TLM_TEST_PERSISTENCE", own.persistence);
    from_environment("TLM_TEST_STORE", own.store);
    from_environment("TLM_TEST_TCTI", own.tcti);
    from_environment("TLM_TEST_OTHER_PERSISTENCE", other.persistence);
    from_environment("TLM_TEST_OTHER_STORE", other.store);
    from_environment("TLM_TEST_OTHER_TCTI", other.tcti);
    return 0;
}

/* Fills `seen`, whose texts point into itself. */
static void run_until(const place *at, const char *wanted, outcome *seen)
{
    const char *const argv[] = {"/proc/self/exe", "--start", at->persistence, at->store, at->tcti,
                                wanted,           NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    assert_int_equal(
        tlm_process_run(argv, SETTLE_MS + 30000, sizeof seen->text - 1, &output, &error), TLM_OK);
    assert_int_equal(output.status, 0);
    (void)snprintf(seen->text, sizeof seen->text, "%s", output.text);
    tlm_process_output_clear(&output);
    const char **const fields[] = {&seen->state,       &seen->backend, &seen->type,
                                   &seen->fingerprint, &seen->storage, &seen->code,
                                   &seen->message,     &seen->hint};
    char *next = seen->text;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = next;
        next += strcspn(next, "\n");
        assert_int_equal(*next, '\n');
        *next++ = '\0';
    }
}

static void run(const place *at, const char *wanted, outcome *seen)
{
    run_until(at, wanted, seen);
    if (strcmp(seen->state, wanted) != 0) {
        fail_msg("%s, not %s: %s (%s)", seen->state, wanted, seen->message, seen->hint);
    }
}

static const char *join(const char *directory, const char *name, char path[PATH_SIZE])
{
    int length = snprintf(path, PATH_SIZE, "%.400s/%.100s", directory, name);
    assert_in_range(length, 1, PATH_SIZE - 1);
    return path;
}

static void move(const char *directory, const char *from, const char *to)
{
    char source[PATH_SIZE];
    char target[PATH_SIZE];
    assert_int_equal(rename(join(directory, from, source), join(directory, to, target)), 0);
}

static void copy(const char *from, const char *to)
{
    char *data = NULL;
    size_t size = 0;
    (void)unlink(to);
    assert_int_equal(tlm_file_read(from, 1 << 20, &data, &size, NULL), TLM_OK);
    assert_int_equal(tlm_file_create(to, data, size, 0600, NULL), TLM_OK);
    free(data);
}

/* SHA-256 of names and contents of what a start must not change; the lock file does not count. */
static void checksum(const char *directory, unsigned char digest[32])
{
    static const char *const names[] = {"persistence.bin", "vault.bin", "token/token.json",
                                        "token/secrets.json", "token/srk.pem"};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned int length = 32;
    assert_int_equal(EVP_DigestInit_ex(context, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH_SIZE];
        char *data = NULL;
        size_t size = 0;
        if (tlm_file_read(join(directory, names[i], path), 1 << 20, &data, &size, NULL) == TLM_OK) {
            assert_int_equal(EVP_DigestUpdate(context, names[i], strlen(names[i])), 1);
            assert_int_equal(EVP_DigestUpdate(context, data, size), 1);
            free(data);
        }
    }
    assert_int_equal(EVP_DigestFinal_ex(context, digest, &length), 1);
    EVP_MD_CTX_free(context);
}

/* Runs a start that must be refused: nothing changes. */
static void run_refused(const place *at, const char *wanted, outcome *seen)
{
    unsigned char before[32];
    unsigned char after[32];
    char staging[PATH_SIZE];
    checksum(at->persistence, before);
    run(at, wanted, seen);
    checksum(at->persistence, after);
    assert_memory_equal(before, after, sizeof before);
    assert_false(tlm_file_exists(join(at->persistence, ".new", staging)));
    assert_true(seen->hint[0] != '\0');
}

static void cold_then_warm_is_the_same_host(void **state)
{
    (void)state;
    outcome cold;
    outcome warm;
    unsigned char before[32];
    unsigned char after[32];
    run(&own, "cold", &cold);
    assert_string_equal(cold.backend, on_tpm ? "swtpm" : "softhsm");
    assert_string_equal(cold.type, on_tpm ? "tpm" : "token");
    assert_int_equal(strlen(cold.fingerprint), 64);
    checksum(own.persistence, before);
    for (int i = 0; i < 3; i++) {
        run(&own, "warm", &warm);
        assert_string_equal(warm.fingerprint, cold.fingerprint);
        assert_string_equal(warm.storage, cold.storage);
    }
    checksum(own.persistence, after);
    assert_memory_equal(before, after, sizeof before);
}

static void the_fingerprint_is_that_of_the_store(void **state)
{
    (void)state;
    outcome warm;
    char path[PATH_SIZE];
    char *data = NULL;
    size_t size = 0;
    run(&own, "warm", &warm);
    assert_int_equal(tlm_file_read(join(own.store, "token.json", path), 65536, &data, &size, NULL),
                     TLM_OK);
    assert_non_null(strstr(data, warm.fingerprint));
    free(data);
}

static void missing_files_are_named(void **state)
{
    (void)state;
    outcome seen;
    move(own.persistence, "persistence.bin", "away1");
    run_refused(&own, "persistence-missing", &seen);
    move(own.persistence, "vault.bin", "away2");
    run_refused(&own, "files-missing", &seen);
    assert_non_null(strstr(seen.hint, "tlm-token-init forget-storage"));
    assert_non_null(strstr(seen.hint, "--yes-forget 'tlm'"));
    move(own.persistence, "away1", "persistence.bin");
    run_refused(&own, "vault-missing", &seen);
    move(own.persistence, "away2", "vault.bin");
    run(&own, "warm", &seen);
}

static void a_cut_off_start_is_completed(void **state)
{
    (void)state;
    outcome before;
    outcome seen;
    char path[PATH_SIZE];
    run(&own, "warm", &before);
    assert_int_equal(mkdir(join(own.persistence, ".new", path), 0700), 0);
    move(own.persistence, "persistence.bin", ".new/persistence.bin");
    run(&own, "cold", &seen);
    assert_string_equal(seen.storage, before.storage);
    assert_string_equal(seen.fingerprint, before.fingerprint);
    assert_false(tlm_file_exists(path));
    run(&own, "warm", &seen);
}

static void flip(const char *path, size_t at)
{
    FILE *file = fopen(path, "r+e");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    int kept = fgetc(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_true(fputc(kept ^ 1, file) != EOF);
    assert_int_equal(fclose(file), 0);
}

/* A sample: every byte is flipped in the unit tests, where a decryption costs no token. */
static void damage_is_named(void **state)
{
    (void)state;
    outcome seen;
    char path[PATH_SIZE];
    char backup[PATH_SIZE];
    struct stat info;
    join(own.persistence, "persistence.bin", path);
    join(own.persistence, "persistence.bin.bak", backup);
    copy(path, backup);
    assert_int_equal(stat(path, &info), 0);
    const size_t places[] = {0, 30, 200, (size_t)info.st_size - 60, (size_t)info.st_size - 3};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        flip(path, places[i]);
        run_refused(&own, "persistence-damaged", &seen);
        assert_non_null(strstr(seen.hint, "cp -p '"));
        copy(backup, path);
    }
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    run_refused(&own, "persistence-damaged", &seen);
    copy(backup, path);
    assert_int_equal(unlink(backup), 0);
    join(own.persistence, "vault.bin", path);
    copy(path, join(own.persistence, "kept", backup));
    flip(path, 100);
    run_refused(&own, "vault-damaged", &seen);
    assert_null(strstr(seen.hint, "cp -p"));
    copy(backup, path);
    assert_int_equal(unlink(backup), 0);
    run(&own, "warm", &seen);
}

static void files_beside_another_token_are_refused(void **state)
{
    (void)state;
    outcome first;
    outcome seen;
    char from[PATH_SIZE];
    char to[PATH_SIZE];
    run(&own, "warm", &first);
    copy(join(own.persistence, "persistence.bin", from),
         join(other.persistence, "persistence.bin", to));
    copy(join(own.persistence, "vault.bin", from), join(other.persistence, "vault.bin", to));
    run_refused(&other, "foreign", &seen);
    assert_string_equal(seen.code, "foreign");
    assert_non_null(strstr(seen.message, first.fingerprint));
    assert_string_equal(seen.fingerprint, "-");
    assert_int_equal(unlink(to), 0);
    assert_int_equal(unlink(join(other.persistence, "persistence.bin", to)), 0);
    /* Untouched by all this, the other token makes files of its own. */
    run(&other, "cold", &seen);
    assert_string_not_equal(seen.fingerprint, first.fingerprint);
}

/* Files and store, all of one host, beside the TPM of another. */
static void a_state_beside_another_tpm_is_refused(void **state)
{
    (void)state;
    outcome seen;
    place moved = own;
    if (!on_tpm) {
        /* SoftHSM holds its keys in the store itself: the copy is the token, and it works. */
        run(&moved, "warm", &seen);
        return;
    }
    (void)snprintf(moved.tcti, sizeof moved.tcti, "%s", other.tcti);
    run_refused(&moved, "foreign", &seen);
    assert_string_equal(seen.code, "foreign");
    assert_non_null(strstr(seen.message, "another TPM"));
    run(&own, "warm", &seen);
}

static void a_token_without_its_store_is_missing(void **state)
{
    (void)state;
    outcome seen;
    move(own.persistence, "token", "elsewhere");
    run_refused(&own, "token-missing", &seen);
    move(own.persistence, "elsewhere", "token");
    run(&own, "warm", &seen);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "--start") == 0) {
        return start(argv + 2);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_then_warm_is_the_same_host),
        cmocka_unit_test(the_fingerprint_is_that_of_the_store),
        cmocka_unit_test(missing_files_are_named),
        cmocka_unit_test(a_cut_off_start_is_completed),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(files_beside_another_token_are_refused),
        cmocka_unit_test(a_state_beside_another_tpm_is_refused),
        cmocka_unit_test(a_token_without_its_store_is_missing),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
