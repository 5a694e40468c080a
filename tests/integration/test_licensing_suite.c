/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Licensing beside a real token, through a tlm-tokend that the identity starts: packages encrypted
 * to tlm-srk and to the fallback key, every model through time, statements, checkpoints of the
 * counter, a ledger that is reopened and one that is put back. Runs below tests/support/with-token.
 *
 * The identity lives as long as the program; the service is started and stopped by each test, which
 * goes on with the ledger of the one before. Time is the test's.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include <tlm/file.h>
#include <tlm/host_keys.h>
#include <tlm/identity.h>
#include <tlm/process.h>
#include <tlm/statement.h>

#include "../../licensing/src/service_private.h"
#include "issued.h"
#include "service_calls.h"

#define PATH_SIZE 512
#define SETTLE_MS 120000
#define DAY 86400
#define HOUR 3600

static struct {
    char persistence[PATH_SIZE];
    char store[PATH_SIZE];
    char tcti[PATH_SIZE];
    char socket[PATH_SIZE];
    char trust[PATH_SIZE];
    tlm_identity_config identity_config;
    tlm_identity *identity;
    const tlm_identity_view *view;
    tlm_issued *issued;
    bool on_tpm;

    tlm_licensing *service;
    json_t *jwks;
    _Atomic int64_t now;    /* of the wall clock, which is set */
    _Atomic int64_t steady; /* and of the one that is not */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned changes;
} at = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- the host ---- */

static void from_environment(const char *name, char value[PATH_SIZE])
{
    const char *text = getenv(name);
    assert_non_null(text);
    int length = snprintf(value, PATH_SIZE, "%s", text);
    assert_in_range(length, 0, PATH_SIZE - 1);
}

static const char *below(const char *directory, const char *name, char path[PATH_SIZE])
{
    int length = snprintf(path, PATH_SIZE, "%.380s/%.100s", directory, name);
    assert_in_range(length, 1, PATH_SIZE - 1);
    return path;
}

static void await_identity(void)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    for (int waited = 0; waited < SETTLE_MS; waited += 5) {
        at.view = tlm_identity_view_get(at.identity);
        if (at.view->ready && at.view->has_fallback) {
            return;
        }
        tlm_identity_view_release(&at.view);
        (void)nanosleep(&nap, NULL);
    }
    fail_msg("the identity did not become ready");
}

static void start_identity(void)
{
    static const char *words[16];
    const char *const fixed[] = {"--persistence-dir",
                                 at.persistence,
                                 "--token-store",
                                 at.store,
                                 "--pkcs11-socket",
                                 at.socket,
                                 "--config-dir",
                                 at.persistence,
                                 "--log-dir",
                                 at.persistence,
                                 "--log-level",
                                 "error",
                                 at.tcti[0] != '\0' ? "--tcti" : NULL,
                                 at.tcti,
                                 NULL};
    memcpy(words, fixed, sizeof fixed);
    at.identity_config = (tlm_identity_config){.persistence_dir = at.persistence,
                                               .store_dir = at.store,
                                               .tpm = true,
                                               .socket = at.socket,
                                               .tokend = words,
                                               .tcti = at.tcti[0] != '\0' ? at.tcti : NULL,
                                               .tcti_simulated = true};
    assert_int_equal(tlm_identity_start(&at.identity_config, &at.identity, NULL), TLM_OK);
    await_identity();
}

static void write_trust(void)
{
    char path[PATH_SIZE];
    char *jwks = tlm_issued_jwks(at.issued);
    assert_int_equal(mkdir(at.trust, 0700), 0);
    assert_int_equal(
        tlm_file_create(below(at.trust, "vendor.jwks", path), jwks, strlen(jwks), 0600, NULL),
        TLM_OK);
    free(jwks);
}

static int setup(void **state)
{
    (void)state;
    char directory[PATH_SIZE];
    char run[PATH_SIZE];
    (void)signal(SIGPIPE, SIG_IGN);
    from_environment("TLM_TEST_DIR", directory);
    from_environment("TLM_TEST_PERSISTENCE", at.persistence);
    from_environment("TLM_TEST_STORE", at.store);
    from_environment("TLM_TEST_TCTI", at.tcti);
    from_environment("TLM_TEST_BACKEND", run);
    at.on_tpm = strcmp(run, "swtpm") == 0;
    assert_int_equal(mkdir(below(directory, "run", run), 0700), 0);
    (void)below(run, "pkcs11.sock", at.socket);
    (void)below(directory, "trust", at.trust);
    at.issued = tlm_issued_new("ACME");
    write_trust();
    atomic_store(&at.now, (int64_t)time(NULL) * 1000);
    atomic_store(&at.steady, 1000);
    start_identity();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tlm_licensing_stop(&at.service);
    tlm_identity_view_release(&at.view);
    tlm_identity_stop(&at.identity);
    tlm_issued_free(&at.issued);
    json_decref(at.jwks);
    return 0;
}

/* ---- the service ---- */

static int64_t test_clock(void *context)
{
    (void)context;
    return atomic_load(&at.now);
}

static int64_t steady_clock(void *context)
{
    (void)context;
    return atomic_load(&at.steady);
}

static void pass(int64_t seconds)
{
    (void)atomic_fetch_add(&at.now, seconds * 1000);
    (void)atomic_fetch_add(&at.steady, seconds * 1000);
}

static void set_clock(int64_t seconds)
{
    (void)atomic_fetch_add(&at.now, seconds * 1000);
}

static void changed(void *context)
{
    (void)context;
    (void)pthread_mutex_lock(&at.lock);
    at.changes++;
    (void)pthread_cond_broadcast(&at.changed);
    (void)pthread_mutex_unlock(&at.lock);
}

static json_t *counter_of(const json_t *status)
{
    return json_object_get(status, "counter");
}

/* Waits for the state and for the first reading of the counter. */
static void await_state(const char *wanted)
{
    unsigned seen = 0;
    for (bool here = false; !here;) {
        json_t *status = tlm_licensing_status(at.service);
        const char *state = json_string_value(json_object_get(status, "state"));
        here = state != NULL && strcmp(state, wanted) == 0 &&
               json_is_true(json_object_get(counter_of(status), "checked"));
        json_decref(status);
        (void)pthread_mutex_lock(&at.lock);
        while (!here && at.changes == seen) {
            (void)pthread_cond_wait(&at.changed, &at.lock);
        }
        seen = at.changes;
        (void)pthread_mutex_unlock(&at.lock);
    }
}

static void start_service(const char *wanted)
{
    const tlm_ledger_clock clock = {.wall = test_clock, .steady = steady_clock};
    const tlm_licensing_config config = {
        .persistence_dir = at.persistence,
        .trust_dir = at.trust,
        .identity = &at.identity_config,
        .limits = {.ttl = 300, .ttl_max = DAY, .borrow_max = 30LL * DAY, .clock_tolerance = 300},
        .checkpoint_seconds = 1,
        .changed = changed};
    assert_int_equal(tlm_licensing_start_at(&config, &clock, &at.service, NULL), TLM_OK);
    tlm_licensing_identity(at.service, at.view);
    await_state(wanted);
}

static tlm_call *ask(tlm_call_op op, const char *id, const char *input)
{
    return service_ask(at.service, service_new(op, id, input != NULL ? service_json(input) : NULL));
}

static void is(tlm_call_op op, const char *input, tlm_result expected)
{
    service_is(ask(op, NULL, input), expected);
}

static json_t *claims_for(unsigned number, const char *features)
{
    json_t *claims = tlm_issued_claims(at.issued, number, at.view->fingerprint.text, features);
    if (!at.on_tpm) {
        assert_int_equal(
            json_object_set_new(json_object_get(claims, "binding"), "type", json_string("token")),
            0);
    }
    return claims;
}

static EVP_PKEY *public_key(const tlm_fingerprint *of)
{
    BIO *memory = BIO_new_mem_buf(of->public_key, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);
    BIO_free(memory);
    assert_non_null(key);
    return key;
}

static tlm_result activate(json_t *claims, const tlm_fingerprint *to)
{
    EVP_PKEY *key = public_key(to);
    char *container = tlm_issued_license(at.issued, claims);
    char *package = tlm_issued_sealed(at.issued, to->text, &container, 1, key);
    tlm_call *call = service_new(TLM_CALL_ACTIVATE, NULL, NULL);
    call->text = package;
    call->size = strlen(package);
    (void)service_ask(at.service, call);
    tlm_result result = call->error.result;
    if (result != TLM_OK) {
        print_message("%s (%s)\n", call->error.message, call->error.hint);
    }
    service_done(&call);
    free(package);
    free(container);
    EVP_PKEY_free(key);
    return result;
}

static void activated(unsigned number, const char *features)
{
    assert_int_equal(activate(claims_for(number, features), &at.view->fingerprint), TLM_OK);
}

/* ---- packages ---- */

static void a_package_for_the_token(void **state)
{
    (void)state;
    char id[37] = "";
    tlm_host_keys *keys = NULL;
    start_service("ok");
    tlm_call *call = ask(TLM_CALL_KEYS, NULL, NULL);
    at.jwks = json_incref(call->answer);
    assert_int_equal(json_array_size(json_object_get(at.jwks, "keys")), 2);
    service_done(&call);
    activated(1, "[{'id':'pro','seats':2,'model':{'type':'perpetual'}}]");
    is(TLM_CALL_ACQUIRE, "{'feature':'pro','client':'a'}", TLM_OK);
    /* The vault knows the ledger. */
    const tlm_host_keys_config config = {.identity = &at.identity_config, .view = at.view};
    assert_int_equal(tlm_host_keys_open(&config, &keys, NULL), TLM_OK);
    json_t *status = tlm_licensing_status(at.service);
    do { /* it is noted a moment after the ledger is open */
    } while (tlm_host_keys_ledger(keys, id, NULL) == TLM_ERR_NOT_FOUND);
    assert_string_equal(json_string_value(json_object_get(json_object_get(status, "ledger"), "id")),
                        id);
    json_decref(status);
    tlm_host_keys_close(&keys);
    tlm_licensing_stop(&at.service);
}

static void a_package_for_the_fallback(void **state)
{
    (void)state;
    start_service("ok");
    json_t *claims = tlm_issued_claims(at.issued, 2, at.view->fallback.text,
                                       "[{'id':'light','seats':1,'model':{'type':'perpetual'}}]");
    json_t *binding = json_object_get(claims, "binding");
    assert_int_equal(json_object_set_new(binding, "type", json_string("fallback")), 0);
    assert_int_equal(activate(claims, &at.view->fallback), TLM_OK);
    is(TLM_CALL_ACQUIRE, "{'feature':'light','client':'a'}", TLM_OK);
    /* A license that wants a TPM is not bound to less than that. */
    tlm_result strict = activate(tlm_issued_claims(at.issued, 3, at.view->fingerprint.text,
                                                   "[{'id':'hard','seats':1,'model':{'type':"
                                                   "'perpetual'}}]"),
                                 &at.view->fingerprint);
    assert_int_equal(strict, at.on_tpm ? TLM_OK : TLM_ERR_FOREIGN);
    tlm_licensing_stop(&at.service);
}

/* ---- models ---- */

#define ACQUIRE(feature) TLM_CALL_ACQUIRE, "{'feature':'" feature "','client':'c'}"
#define CHECK(feature) TLM_CALL_CHECK, "{'feature':'" feature "','client':'c'}"
#define USE(feature, request, units)                                                               \
    TLM_CALL_USE, "{'feature':'" feature "','client':'c','request':'" request "','units':" units "}"

static void timed_models_end(void **state)
{
    (void)state;
    char features[512];
    json_int_t now = (json_int_t)(atomic_load(&at.now) / 1000);
    (void)snprintf(features, sizeof features,
                   "[{'id':'period','seats':1,'model':{'type':'period','notBefore':%lld,"
                   "'notAfter':%lld}},"
                   "{'id':'trial','seats':1,'model':{'type':'trial','days':10}},"
                   "{'id':'late','seats':1,'model':{'type':'trial','days':10}},"
                   "{'id':'active','seats':1,'model':{'type':'activation','days':5}}]",
                   (long long)now + DAY, (long long)now + 3LL * DAY);
    start_service("ok");
    activated(10, features);
    is(ACQUIRE("period"), TLM_ERR_NOT_YET);
    is(ACQUIRE("trial"), TLM_OK);
    is(ACQUIRE("active"), TLM_OK);
    pass(2LL * DAY);
    is(ACQUIRE("period"), TLM_OK);
    pass(2LL * DAY);
    is(ACQUIRE("period"), TLM_ERR_EXPIRED);
    is(ACQUIRE("active"), TLM_OK);
    tlm_licensing_stop(&at.service);
    /* Time passes while nobody runs. */
    pass(2LL * DAY);
    start_service("ok");
    is(ACQUIRE("active"), TLM_ERR_EXPIRED);
    is(ACQUIRE("trial"), TLM_OK);
    pass(5LL * DAY);
    is(ACQUIRE("trial"), TLM_ERR_EXPIRED);
    is(ACQUIRE("late"), TLM_OK); /* its ten days begin now */
    tlm_licensing_stop(&at.service);
}

static void counted_models_run_down(void **state)
{
    (void)state;
    start_service("ok");
    activated(11,
              "[{'id':'down','seats':0,'model':{'type':'counter','direction':'down','limit':5}},"
              "{'id':'up','seats':0,'model':{'type':'counter','direction':'up'}},"
              "{'id':'coins','seats':0,'model':{'type':'tokens','amount':4}},"
              "{'id':'names','seats':0,'model':{'type':'list','max':1}},"
              "{'id':'hour','seats':1,'model':{'type':'usageTime','seconds':3600}}]");
    is(USE("down", "d1", "4"), TLM_OK);
    is(USE("up", "u1", "100"), TLM_OK);
    is(USE("coins", "k1", "3"), TLM_OK);
    is(CHECK("names"), TLM_OK);
    tlm_call *call = ask(TLM_CALL_ACQUIRE, NULL, "{'feature':'hour','client':'c','ttl':1800}");
    assert_int_equal(call->error.result, TLM_OK);
    assert_int_equal(answer_number(call, "remaining"), 1800);
    service_done(&call);
    tlm_licensing_stop(&at.service);

    start_service("ok");
    is(USE("down", "d1", "4"), TLM_OK); /* the same again: counted once */
    is(USE("down", "d2", "2"), TLM_ERR_EXHAUSTED);
    is(USE("down", "d3", "1"), TLM_OK);
    call = ask(TLM_CALL_USE, NULL, "{'feature':'up','client':'c','request':'u2'}");
    assert_int_equal(answer_number(call, "used"), 101);
    service_done(&call);
    is(USE("coins", "k2", "2"), TLM_ERR_EXHAUSTED);
    is(TLM_CALL_USE, "{'feature':'coins','client':'c','request':'k3','units':3,'action':'return'}",
       TLM_OK);
    is(USE("coins", "k4", "4"), TLM_OK);
    is(TLM_CALL_CHECK, "{'feature':'names','client':'other'}", TLM_ERR_EXHAUSTED);
    /* The lease runs out, and the half hour with it; then the other one. */
    pass(HOUR);
    is(TLM_CALL_ACQUIRE, "{'feature':'hour','client':'c','ttl':1800}", TLM_OK);
    pass(HOUR);
    is(ACQUIRE("hour"), TLM_ERR_EXHAUSTED);
    tlm_licensing_stop(&at.service);
}

/* ---- statements ---- */

static void write_json(const char *name, const json_t *value, char path[PATH_SIZE])
{
    char directory[PATH_SIZE];
    from_environment("TLM_TEST_DIR", directory);
    assert_int_equal(json_dump_file(value, below(directory, name, path), JSON_COMPACT), 0);
}

static int run_example(const char *interpreter, const char *program, const char *answer,
                       const char *keys, const char *nonce)
{
    const char *const argv[] = {
        interpreter != NULL ? interpreter : program, interpreter != NULL ? program : answer,
        interpreter != NULL ? answer : keys,         interpreter != NULL ? keys : nonce,
        interpreter != NULL ? nonce : NULL,          NULL};
    tlm_process_output output = {0};
    tlm_error error = {0};
    if (tlm_process_run(argv, 60000, 65536, &output, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    int status = output.status;
    tlm_process_output_clear(&output);
    return status;
}

static void examples_say(const char *answer, const char *keys, const char *nonce, bool proven)
{
    int in_c = run_example(NULL, TLM_TEST_EXAMPLE_C, answer, keys, nonce);
    int in_python = run_example(TLM_TEST_PYTHON, TLM_TEST_EXAMPLE_PY, answer, keys, nonce);
    assert_int_equal(in_c == 0, proven);
    assert_int_equal(in_python == 0, proven);
}

/* The two examples of the documents, with nothing but the host's public keys. */
static void statements_are_verified_by_others(void **state)
{
    (void)state;
    enum { CALLS = 24 };
    char answer[PATH_SIZE];
    char keys[PATH_SIZE];
    tlm_call *calls[CALLS];
    start_service("ok");
    activated(20, "[{'id':'many','seats':100,'model':{'type':'perpetual'},"
                  "'memory':{'\xc3\xa4':'\\u001f\\n\\\\','b':[1,2]}}]");
    write_json("keys.json", at.jwks, keys);
    for (size_t i = 0; i < CALLS; i++) {
        char input[96];
        (void)snprintf(input, sizeof input, "{'feature':'many','client':'c%zu','nonce':'n%zu'}", i,
                       i);
        calls[i] = service_new(TLM_CALL_ACQUIRE, NULL, service_json(input));
        tlm_licensing_submit(at.service, calls[i]);
    }
    for (size_t i = 0; i < CALLS; i++) {
        char nonce[16];
        tlm_statement_report report;
        (void)snprintf(nonce, sizeof nonce, "n%zu", i);
        service_wait(calls[i]);
        assert_int_equal(calls[i]->error.result, TLM_OK);
        assert_int_equal(tlm_statement_verify(calls[i]->answer, at.jwks, nonce, &report, NULL),
                         TLM_OK);
        assert_string_equal(report.fingerprint, at.view->fingerprint.text);
    }
    /* The last one has neighbors below its root. */
    write_json("answer.json", calls[CALLS - 1]->answer, answer);
    examples_say(answer, keys, "n23", true);
    examples_say(answer, keys, "n22", false);
    json_t *statement = json_object_get(calls[CALLS - 1]->answer, "statement");
    assert_int_equal(json_object_set_new(statement, "units", json_integer(50)), 0);
    write_json("answer.json", calls[CALLS - 1]->answer, answer);
    examples_say(answer, keys, "n23", false);
    for (size_t i = 0; i < CALLS; i++) {
        service_done(&calls[i]);
    }
    tlm_licensing_stop(&at.service);
}

static void the_audit_log_is_anchored(void **state)
{
    (void)state;
    start_service("ok");
    bool anchored = false;
    while (!anchored) { /* the first anchor follows the first checkpoint */
        tlm_call *call = ask(TLM_CALL_AUDIT, NULL, NULL);
        const json_t *entries = json_object_get(call->answer, "entries");
        for (size_t i = 0; i < json_array_size(entries); i++) {
            const json_t *anchor = json_object_get(json_array_get(entries, i), "anchor");
            tlm_statement_report report;
            if (anchor != NULL) {
                assert_int_equal(tlm_statement_verify(anchor, at.jwks, NULL, &report, NULL),
                                 TLM_OK);
                assert_string_equal(report.type, "audit");
                anchored = true;
            }
        }
        service_done(&call);
    }
    tlm_licensing_stop(&at.service);
}

/* ---- rollback ---- */

static void copy_file(const char *from, const char *to, const char *name)
{
    char source[PATH_SIZE];
    char target[PATH_SIZE];
    char *data = NULL;
    size_t size = 0;
    (void)unlink(below(to, name, target));
    if (tlm_file_read(below(from, name, source), 64UL << 20, &data, &size, NULL) == TLM_OK) {
        assert_int_equal(tlm_file_create(target, data, size, 0600, NULL), TLM_OK);
    }
    free(data);
}

static void copy_ledger(const char *from, const char *to)
{
    static const char *const names[] = {"ledger.db", "ledger.db-wal", "ledger.db-shm"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        copy_file(from, to, names[i]);
    }
}

static json_int_t counter_value(void)
{
    tlm_call *call = ask(TLM_CALL_STATE, NULL, NULL);
    json_int_t value = json_integer_value(json_object_get(counter_of(call->answer), "value"));
    service_done(&call);
    return value;
}

/* The state names how good its guard is. */
static void the_counter_is_named(void **state)
{
    (void)state;
    start_service("ok");
    tlm_call *call = ask(TLM_CALL_STATE, NULL, NULL);
    const json_t *counter = counter_of(call->answer);
    assert_string_equal(json_string_value(json_object_get(counter, "kind")),
                        at.on_tpm ? "tpm" : "file");
    assert_false(json_is_true(json_object_get(counter, "tamperProof"))); /* no real TPM here */
    assert_non_null(strstr(json_string_value(json_object_get(counter, "message")), "counter"));
    service_done(&call);
    json_int_t before = counter_value();
    is(USE("up", "checkpoint", "1"), TLM_OK);
    tlm_licensing_stop(&at.service); /* with a last reading */
    start_service("ok");
    assert_true(counter_value() > before);
    tlm_licensing_stop(&at.service);
}

static void an_older_ledger_is_noticed(void **state)
{
    (void)state;
    char ledger[PATH_SIZE];
    char aside[PATH_SIZE];
    (void)below(at.persistence, TLM_LEDGER_DIRECTORY, ledger);
    assert_int_equal(mkdir(below(at.persistence, "aside", aside), 0700), 0);
    copy_ledger(ledger, aside);
    start_service("ok");
    is(USE("up", "later", "50"), TLM_OK);
    tlm_licensing_stop(&at.service);

    copy_ledger(aside, ledger);
    start_service("rolled-back");
    is(USE("up", "again", "1"), TLM_ERR_ROLLBACK);
    is(TLM_CALL_ACQUIRE, "{'feature':'pro','client':'a'}", TLM_OK); /* perpetual: goes on */
    tlm_call *call = ask(TLM_CALL_ATTEST, NULL, "{'nonce':'n'}");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(call->answer, "statement"), "state")),
        "rolled-back");
    service_done(&call);
    tlm_licensing_stop(&at.service);
    /* It stays so until somebody takes it on himself. */
    start_service("rolled-back");
    is(TLM_CALL_ACCEPT, "{'reason':'restored on purpose'}", TLM_OK);
    await_state("ok");
    is(USE("up", "accepted", "1"), TLM_OK);
    tlm_licensing_stop(&at.service);
}

/* What the weaker guard does not see: the counter's file put back with the ledger. */
static void a_counter_in_a_file_goes_back_with_it(void **state)
{
    (void)state;
    char ledger[PATH_SIZE];
    char aside[PATH_SIZE];
    if (at.on_tpm) {
        return; /* a TPM's counter cannot be put back with the files */
    }
    (void)below(at.persistence, TLM_LEDGER_DIRECTORY, ledger);
    (void)below(at.persistence, "aside", aside);
    copy_ledger(ledger, aside);
    copy_file(at.store, aside, "counter");
    start_service("ok");
    is(USE("up", "lost", "50"), TLM_OK);
    tlm_licensing_stop(&at.service);
    copy_ledger(aside, ledger);
    copy_file(aside, at.store, "counter");
    start_service("ok");
    tlm_licensing_stop(&at.service);
}

static void a_clock_that_is_set_back_is_noticed(void **state)
{
    (void)state;
    start_service("ok");
    tlm_licensing_stop(&at.service);
    set_clock(-10LL * DAY);
    start_service("clock-back");
    is(USE("up", "back", "1"), TLM_ERR_ROLLBACK);
    is(TLM_CALL_ACQUIRE, "{'feature':'pro','client':'a'}", TLM_OK);
    set_clock(10LL * DAY + HOUR);
    await_state("ok"); /* right again: it ends by itself */
    is(USE("up", "forth", "1"), TLM_OK);
    tlm_licensing_stop(&at.service);
}

/* A failed test leaves no service behind that would have the ledger of the next one. */
static int stop_left(void **state)
{
    (void)state;
    tlm_licensing_stop(&at.service);
    return 0;
}

#define STOPPED(test) cmocka_unit_test_teardown(test, stop_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(a_package_for_the_token),
        STOPPED(a_package_for_the_fallback),
        STOPPED(timed_models_end),
        STOPPED(counted_models_run_down),
        STOPPED(statements_are_verified_by_others),
        STOPPED(the_audit_log_is_anchored),
        STOPPED(the_counter_is_named),
        STOPPED(an_older_ledger_is_noticed),
        STOPPED(a_counter_in_a_file_goes_back_with_it),
        STOPPED(a_clock_that_is_set_back_is_noticed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
