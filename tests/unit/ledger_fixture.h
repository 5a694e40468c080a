/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TEST_LEDGER_FIXTURE_H
#define TLM_TEST_LEDGER_FIXTURE_H

/*
 * A ledger in a directory of the test's own, with a clock that the test moves and a vendor of the
 * test's own.
 *
 *     cmocka_unit_test_setup_teardown(grants, ledger_setup, ledger_teardown)
 *
 *     static void grants(void **state)
 *     {
 *         fixture *f = *state;
 *         put(f, license(f, 1, "[{'id':'pro','seats':2,'model':{'type':'perpetual'}}]"));
 *         tlm_ledger_request r = {.ask = {.feature = "pro", .client = "c1"}};
 *         assert_int_equal(run(f, TLM_LEDGER_ACQUIRE, &r), TLM_OK);
 *         pass(f, 300);                                        // seconds
 *         tlm_ledger_request_clear(&r);
 */

#include "test_directory.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/ledger.h>

#include "issued.h"

#define TEST_FINGERPRINT "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0"
#define TEST_FALLBACK "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define TEST_STORAGE "5707a9e0-0000-4000-8000-000000000000"
#define TEST_BEGIN (1760000000LL * 1000)
#define TEST_DAY 86400LL

typedef struct fixture {
    char *path; /* of the test's directory */
    char directory[TEST_PATH_MAX];
    tlm_issued *issued;
    int64_t wall; /* milliseconds; read by the ledger's thread while the test waits */
    int64_t steady;
    tlm_host_component components[TLM_HOST_COMPONENTS];
    tlm_ledger_config config;
    tlm_ledger *ledger;
} fixture;

static inline int64_t fixture_wall(void *context)
{
    return __atomic_load_n(&((fixture *)context)->wall, __ATOMIC_ACQUIRE);
}

static inline int64_t fixture_steady(void *context)
{
    return __atomic_load_n(&((fixture *)context)->steady, __ATOMIC_ACQUIRE);
}

static inline void pass_ms(fixture *f, int64_t milliseconds)
{
    __atomic_add_fetch(&f->wall, milliseconds, __ATOMIC_ACQ_REL);
    __atomic_add_fetch(&f->steady, milliseconds, __ATOMIC_ACQ_REL);
}

static inline void pass(fixture *f, int64_t seconds)
{
    pass_ms(f, seconds * 1000);
}

static inline tlm_result try_open(fixture *f, tlm_error *error)
{
    return tlm_ledger_open(&f->config, &f->ledger, error);
}

static inline void open_ledger(fixture *f)
{
    tlm_error error = {0};
    if (try_open(f, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
}

static inline void reopen(fixture *f)
{
    tlm_ledger_close(&f->ledger);
    open_ledger(f);
}

/* Clears what the request held, and runs it. */
static inline tlm_result run(fixture *f, tlm_ledger_op op, tlm_ledger_request *request)
{
    tlm_ledger_request_clear(request);
    request->op = op;
    tlm_result result = tlm_ledger_run(f->ledger, request);
    if (result != TLM_OK) {
        assert_string_not_equal(request->error.message, "");
    }
    return result;
}

#define assert_runs(f, op, request)                                                                \
    do {                                                                                           \
        if (run((f), (op), (request)) != TLM_OK) {                                                 \
            fail_msg("%s", (request)->error.message);                                              \
        }                                                                                          \
    } while (0)

static inline json_t *claims_of(fixture *f, unsigned number, const char *features)
{
    return tlm_issued_claims(f->issued, number, TEST_FINGERPRINT, features);
}

/* Activates one license by its claims, whose reference it takes. */
static inline tlm_result try_put(fixture *f, json_t *claims, tlm_ledger_request *request)
{
    char *container = tlm_issued_license(f->issued, claims);
    tlm_package *package = tlm_issued_package(f->issued, TEST_FINGERPRINT, &container, 1);
    request->package = package;
    tlm_result result = run(f, TLM_LEDGER_ACTIVATE, request);
    request->package = NULL;
    tlm_package_free(&package);
    free(container);
    return result;
}

static inline void put(fixture *f, json_t *claims)
{
    tlm_ledger_request request = {0};
    if (try_put(f, claims, &request) != TLM_OK) {
        fail_msg("%s", request.error.message);
    }
    tlm_ledger_request_clear(&request);
}

static inline void put_feature(fixture *f, unsigned number, const char *features)
{
    put(f, claims_of(f, number, features));
}

/* One member of the one feature of a license, as GET /api/v1/licenses has it; -1 for null. */
static inline json_int_t figure(fixture *f, unsigned number, const char *name)
{
    tlm_ledger_request request = {.ask = {.license = tlm_issued_jti(number)}};
    assert_runs(f, TLM_LEDGER_LICENSE, &request);
    const json_t *feature = json_array_get(json_object_get(request.answer, "features"), 0);
    const json_t *value = json_object_get(feature, name);
    assert_non_null(value);
    json_int_t number_of = json_is_integer(value) ? json_integer_value(value) : -1;
    tlm_ledger_request_clear(&request);
    return number_of;
}

static inline void assert_license_state(fixture *f, unsigned number, const char *expected)
{
    tlm_ledger_request request = {.ask = {.license = tlm_issued_jti(number)}};
    assert_runs(f, TLM_LEDGER_LICENSE, &request);
    assert_string_equal(json_string_value(json_object_get(request.answer, "state")), expected);
    tlm_ledger_request_clear(&request);
}

/* A lease of 300 seconds; its id, or "" with the refusal in *result. */
typedef struct lease_id {
    char text[37];
} lease_id;

static inline lease_id acquire(fixture *f, const char *feature, const char *client,
                               tlm_result expected)
{
    lease_id id = {""};
    tlm_ledger_request request = {.ask = {.feature = feature, .client = client, .local = true}};
    tlm_result result = run(f, TLM_LEDGER_ACQUIRE, &request);
    if (result != expected) {
        fail_msg("%s of %s: %s (%s)", feature, client, tlm_result_code(result),
                 request.error.message);
    }
    (void)snprintf(id.text, sizeof id.text, "%s", request.grant.lease);
    tlm_ledger_request_clear(&request);
    return id;
}

static inline tlm_result release(fixture *f, const char *lease)
{
    tlm_ledger_request request = {.ask = {.lease = lease, .local = true}};
    tlm_result result = run(f, TLM_LEDGER_RELEASE, &request);
    tlm_ledger_request_clear(&request);
    return result;
}

static inline tlm_result renew(fixture *f, const char *lease)
{
    tlm_ledger_request request = {.ask = {.lease = lease, .local = true}};
    tlm_result result = run(f, TLM_LEDGER_RENEW, &request);
    tlm_ledger_request_clear(&request);
    return result;
}

/* How many entries of the audit log tell of this. */
static inline size_t count_events(fixture *f, const char *event)
{
    tlm_ledger_request r = {0};
    size_t count = 0;
    size_t index = 0;
    const json_t *entry = NULL;
    assert_runs(f, TLM_LEDGER_AUDIT, &r);
    json_array_foreach(json_object_get(r.answer, "entries"), index, entry)
    {
        count += strcmp(json_string_value(json_object_get(entry, "event")), event) == 0;
    }
    tlm_ledger_request_clear(&r);
    return count;
}

static inline void fill_components(fixture *f)
{
    static const char *const ids[] = {"cpu", "system", "board", "machine-id", "disk", "network"};
    for (size_t i = 0; i < TLM_HOST_COMPONENTS; i++) {
        tlm_host_component *component = &f->components[i];
        *component = (tlm_host_component){.weight = 1, .present = true};
        (void)snprintf(component->id, sizeof component->id, "%s", ids[i]);
        (void)snprintf(component->sha256, sizeof component->sha256, "%064zu", i);
    }
}

static inline int ledger_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    void *path = NULL;
    if (f == NULL || directory_setup(&path) != 0) {
        free(f);
        return -1;
    }
    f->path = path;
    (void)snprintf(f->directory, sizeof f->directory, "%.400s/licensing", f->path);
    f->issued = tlm_issued_new("ACME");
    f->wall = TEST_BEGIN;
    f->steady = 1000000;
    fill_components(f);
    f->config = (tlm_ledger_config){
        .directory = f->directory,
        .storage_id = TEST_STORAGE,
        .trust = f->issued->trust,
        .host = {.type = TLM_FINGERPRINT_TPM,
                 .fingerprint = TEST_FINGERPRINT,
                 .fallback = TEST_FALLBACK,
                 .components = f->components,
                 .component_count = TLM_HOST_COMPONENTS},
        .limits = {.ttl = 300,
                   .ttl_max = TEST_DAY,
                   .borrow_max = 30 * TEST_DAY,
                   .clock_tolerance = 300},
        .clock = {.wall = fixture_wall, .steady = fixture_steady, .context = f},
    };
    open_ledger(f);
    *state = f;
    return 0;
}

static inline int ledger_teardown(void **state)
{
    fixture *f = *state;
    void *path = f->path;
    tlm_ledger_close(&f->ledger);
    tlm_issued_free(&f->issued);
    free(f);
    *state = NULL;
    return directory_teardown(&path);
}

#endif
