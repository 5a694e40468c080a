/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/log.h>

#include "engine_fixture.h"
#include "engine_watch.h"

#define ID "98cad86ebcf415a2f91a958f6f0c9e20f4b0970c7cfd039a13aeb377cf856e35"
#define HOUR_MS 3600000U
#define QUICK_MS 20U

static atomic_uint changes;

static int start_counting(void **state)
{
    atomic_store(&changes, 0);
    return start_fake(state);
}

static void count_change(void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
}

static tlm_engine_watch *start_watch(const char *where, unsigned interval_ms)
{
    tlm_engine_watch_config config = {.question = {.host = where, .id = ID, .timeout_ms = HOUR_MS},
                                      .interval_ms = interval_ms,
                                      .interval_max_ms = interval_ms,
                                      .changed = count_change,
                                      .context = &changes};
    tlm_engine_watch *watch = NULL;
    tlm_error error = {0};
    if (tlm_engine_watch_start(&config, &watch, &error) != TLM_OK) {
        fail_msg("%s", error.message);
    }
    return watch;
}

static void pause_a_little(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    (void)nanosleep(&pause, NULL);
}

/* Waits until the facts are in this state, and gives them. */
static void wait_for(tlm_engine_watch *watch, tlm_engine_state wanted, tlm_engine_facts *facts)
{
    for (unsigned i = 0; i < 12000; i++) {
        assert_int_equal(tlm_engine_watch_copy(watch, facts, NULL), TLM_OK);
        if (facts->state == wanted) {
            return;
        }
        tlm_engine_facts_clear(facts);
        pause_a_little();
    }
    fail_msg("the state did not become %s", tlm_engine_state_name(wanted));
}

static void wait_for_count(tlm_fake_engine *engine, const unsigned *counter, unsigned wanted)
{
    for (unsigned i = 0; i < 12000 && tlm_fake_engine_count(engine, counter) < wanted; i++) {
        pause_a_little();
    }
    assert_true(tlm_fake_engine_count(engine, counter) >= wanted);
}

static void asks_at_the_start(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    tlm_engine_watch *watch = start_watch(host, HOUR_MS);
    wait_for(watch, TLM_ENGINE_ANSWERING, &facts);
    assert_true(facts.known);
    assert_string_equal(facts.name, "tl-license-manager");
    assert_int_equal(atomic_load(&changes), 1);
    tlm_engine_facts_clear(&facts);
    tlm_engine_watch_stop(&watch);
    assert_null(watch);
    assert_int_equal(tlm_fake_engine_count(&fake, &fake.asked), 4);
    tlm_engine_watch_stop(&watch);
}

static void asks_again(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    tlm_engine_watch *watch = start_watch(host, QUICK_MS);
    wait_for_count(&fake, &fake.asked, 13);
    wait_for(watch, TLM_ENGINE_ANSWERING, &facts);
    /* What stays the same is told once. */
    assert_int_equal(atomic_load(&changes), 1);
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_rule(&fake, "GET /v1.41/containers/", 404,
                         "{\"message\":\"No such container\"}", TLM_FAKE_PLAIN);
    for (unsigned i = 0; i < 12000 && atomic_load(&changes) < 2; i++) {
        pause_a_little();
    }
    wait_for(watch, TLM_ENGINE_ANSWERING, &facts);
    assert_false(facts.known);
    assert_int_equal(atomic_load(&changes), 2);
    tlm_engine_facts_clear(&facts);
    tlm_engine_watch_stop(&watch);
}

static void goes_and_returns(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    tlm_engine_watch *watch = start_watch(host, QUICK_MS);
    wait_for(watch, TLM_ENGINE_ANSWERING, &facts);
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_stop(&fake);
    wait_for(watch, TLM_ENGINE_NONE, &facts);
    assert_false(facts.known);
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_new(&fake);
    tlm_fake_engine_vectors(&fake, "docker-20.10");
    tlm_fake_engine_rule(&fake, "GET ", 500, "{\"message\":\"not yet\"}", TLM_FAKE_PLAIN);
    tlm_fake_engine_start(&fake, path);
    wait_for(watch, TLM_ENGINE_UNREACHABLE, &facts);
    assert_non_null(strstr(facts.error.message, "not yet"));
    tlm_engine_facts_clear(&facts);
    tlm_fake_engine_unrule(&fake);
    wait_for(watch, TLM_ENGINE_ANSWERING, &facts);
    assert_true(facts.known);
    /* Another engine may have come: what it allows is asked anew. */
    assert_int_equal(tlm_fake_engine_count(&fake, &fake.posts), 1);
    tlm_engine_facts_clear(&facts);
    tlm_engine_watch_stop(&watch);
}

/* Its question may take an hour: that it ends at all is that it was broken off. */
static void stops_while_the_engine_hangs(void **state)
{
    (void)state;
    tlm_fake_engine_rule(&fake, "GET /version ", 200, "", TLM_FAKE_HANG);
    tlm_engine_facts facts;
    tlm_engine_watch *watch = start_watch(host, HOUR_MS);
    wait_for_count(&fake, &fake.hanging, 1);
    assert_int_equal(tlm_engine_watch_copy(watch, &facts, NULL), TLM_OK);
    assert_int_equal(facts.state, TLM_ENGINE_NONE);
    tlm_engine_facts_clear(&facts);
    tlm_engine_watch_stop(&watch);
    assert_int_equal(atomic_load(&changes), 0);
}

static void stops_at_any_time(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        tlm_engine_watch *watch = start_watch(host, QUICK_MS);
        struct timespec pause = {.tv_nsec = (long)i * 100000L};
        (void)nanosleep(&pause, NULL);
        tlm_engine_watch_stop(&watch);
    }
}

static void no_host(void **state)
{
    (void)state;
    static const char *const hosts[] = {"ssh://host", "fd://", "nonsense"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        tlm_engine_facts facts;
        tlm_engine_watch *watch = start_watch(hosts[i], QUICK_MS);
        assert_int_equal(tlm_engine_watch_copy(watch, &facts, NULL), TLM_OK);
        assert_int_equal(facts.state, TLM_ENGINE_UNREACHABLE);
        assert_int_not_equal(facts.error.result, TLM_OK);
        assert_string_not_equal(facts.error.hint, "");
        tlm_engine_facts_clear(&facts);
        tlm_engine_watch_stop(&watch);
    }
    tlm_engine_watch_config config = {.question = {.host = host, .id = "no id"}};
    tlm_engine_watch *watch = NULL;
    tlm_error error = {0};
    assert_int_equal(tlm_engine_watch_start(&config, &watch, &error), TLM_ERR_ARGUMENT);
    assert_int_equal(error.result, TLM_ERR_ARGUMENT);
    assert_null(watch);
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, start_counting, stop_fake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAKE(asks_at_the_start), WITH_FAKE(asks_again),
        WITH_FAKE(goes_and_returns),  WITH_FAKE(stops_while_the_engine_hangs),
        WITH_FAKE(stops_at_any_time), cmocka_unit_test(no_host),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
