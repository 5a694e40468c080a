/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "gate.h"

#define WAITERS 6

static tlm_gate gate;
static atomic_uint inside;
static atomic_uint entered;
static unsigned order[WAITERS];

static void sleep_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    (void)nanosleep(&time, NULL);
}

static int make_gate(void **state)
{
    (void)state;
    tlm_gate_init(&gate);
    atomic_store(&inside, 0);
    atomic_store(&entered, 0);
    return 0;
}

static int end_gate(void **state)
{
    (void)state;
    tlm_gate_destroy(&gate);
    return 0;
}

static void *enter_once(void *context)
{
    const unsigned *number = context;
    if (tlm_gate_enter(&gate, 60000)) {
        order[atomic_fetch_add(&entered, 1U)] = *number;
        tlm_gate_leave(&gate);
    }
    return NULL;
}

static bool has_waiters(unsigned count)
{
    (void)pthread_mutex_lock(&gate.mutex);
    bool same = gate.waiting == count;
    (void)pthread_mutex_unlock(&gate.mutex);
    return same;
}

static void wait_for_waiters(unsigned count)
{
    for (int i = 0; i < 10000 && !has_waiters(count); i++) {
        sleep_ms(1);
    }
    assert_true(has_waiters(count));
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    pthread_t threads[WAITERS];
    unsigned numbers[WAITERS];
    assert_true(tlm_gate_enter(&gate, 0));
    for (unsigned i = 0; i < WAITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, enter_once, &numbers[i]), 0);
        wait_for_waiters(i + 1);
    }
    assert_int_equal(atomic_load(&entered), 0);
    tlm_gate_leave(&gate);
    for (unsigned i = 0; i < WAITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(order[i], i);
    }
    assert_int_equal(atomic_load(&entered), WAITERS);
}

static void test_deadline(void **state)
{
    (void)state;
    pthread_t thread;
    unsigned number = 3;
    assert_true(tlm_gate_enter(&gate, 0));
    assert_false(tlm_gate_enter(&gate, 0));
    assert_false(tlm_gate_enter(&gate, 30));
    /* One that gave up is not waited for, and one behind it is served. */
    assert_int_equal(pthread_create(&thread, NULL, enter_once, &number), 0);
    wait_for_waiters(1);
    assert_false(tlm_gate_enter(&gate, 30));
    tlm_gate_leave(&gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(order[0], 3);
    assert_true(tlm_gate_enter(&gate, 0));
    tlm_gate_leave(&gate);
}

static void *enter_often(void *context)
{
    (void)context;
    for (unsigned i = 0; i < 2000; i++) {
        if (tlm_gate_enter(&gate, 60000)) {
            unsigned others = atomic_fetch_add(&inside, 1U);
            atomic_fetch_add(&entered, others == 0 ? 1U : 0U);
            atomic_fetch_sub(&inside, 1U);
            tlm_gate_leave(&gate);
        }
    }
    return NULL;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[WAITERS];
    for (unsigned i = 0; i < WAITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, enter_often, NULL), 0);
    }
    for (unsigned i = 0; i < WAITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&entered), WAITERS * 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_come_first_served, make_gate, end_gate),
        cmocka_unit_test_setup_teardown(test_deadline, make_gate, end_gate),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, make_gate, end_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
