/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tlm/key.h>

static void check(const void *data, size_t size, const char *text)
{
    char *made = tlm_base64url_encode(data, size);
    assert_non_null(made);
    assert_string_equal(made, text);
    free(made);
    unsigned char *back = NULL;
    size_t back_size = 99;
    tlm_error error = {0};
    assert_int_equal(tlm_base64url_decode(text, strlen(text), &back, &back_size, &error), TLM_OK);
    assert_int_equal(back_size, size);
    assert_memory_equal(back, data, size);
    free(back);
}

static void test_vectors(void **state)
{
    (void)state;
    static const unsigned char rfc7515[] = {3, 236, 255, 224, 193}; /* appendix C */
    check("", 0, "");
    check("f", 1, "Zg");
    check("fo", 2, "Zm8");
    check("foo", 3, "Zm9v");
    check("foob", 4, "Zm9vYg");
    check("fooba", 5, "Zm9vYmE");
    check("foobar", 6, "Zm9vYmFy");
    check(rfc7515, sizeof rfc7515, "A-z_4ME");
}

static void test_every_length_comes_back(void **state)
{
    (void)state;
    unsigned char data[300];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)(i * 37 + 11);
    }
    for (size_t size = 0; size <= sizeof data; size++) {
        char *text = tlm_base64url_encode(data, size);
        unsigned char *back = NULL;
        size_t back_size = 0;
        assert_non_null(text);
        assert_int_equal(tlm_base64url_decode(text, strlen(text), &back, &back_size, NULL), TLM_OK);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, data, size);
        free(back);
        free(text);
    }
}

static void refuse(const char *text, size_t length)
{
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_error error = {0};
    assert_int_equal(tlm_base64url_decode(text, length, &data, &size, &error), TLM_ERR_FORMAT);
    assert_null(data);
    assert_true(error.message[0] != '\0');
}

static void test_refuses_what_is_not_strict(void **state)
{
    (void)state;
    refuse("Zg==", 4);
    refuse("Zg=", 3);
    refuse("A", 1);
    refuse("AAAAA", 5);
    refuse("Zh", 2);   /* stray bits in the last digit */
    refuse("Zm9", 3);  /* the same for two bytes */
    refuse("Zm 9", 4); /* white space */
    refuse("Zm9v\n", 5);
    refuse("+/AA", 4); /* the other alphabet */
    refuse("Zm\0v", 4);
    refuse("\xc3\xa4Zm", 4);
}

static void test_every_byte_alone(void **state)
{
    (void)state;
    unsigned good = 0;
    for (int byte = 0; byte < 256; byte++) {
        char text[2] = {'A', (char)byte};
        unsigned char *data = NULL;
        size_t size = 0;
        if (tlm_base64url_decode(text, 2, &data, &size, NULL) == TLM_OK) {
            good++;
            free(data);
        }
    }
    assert_int_equal(good, 4); /* A, Q, g, w: the digits whose last four bits are zero */
}

static void test_arguments(void **state)
{
    (void)state;
    unsigned char *data = NULL;
    size_t size = 0;
    assert_int_equal(tlm_base64url_decode(NULL, 1, &data, &size, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_base64url_decode("Zg", 2, NULL, &size, NULL), TLM_ERR_ARGUMENT);
    assert_int_equal(tlm_base64url_decode(NULL, 0, &data, &size, NULL), TLM_OK);
    assert_int_equal(size, 0);
    free(data);
    assert_null(tlm_base64url_encode(NULL, 1));
    assert_null(tlm_base64url_encode("x", SIZE_MAX));
}

static void test_hex(void **state)
{
    (void)state;
    static const unsigned char data[] = {0x00, 0x0f, 0xa5, 0xff};
    char *text = tlm_hex_encode(data, sizeof data);
    assert_string_equal(text, "000fa5ff");
    free(text);
    text = tlm_hex_encode(NULL, 0);
    assert_string_equal(text, "");
    free(text);
    assert_null(tlm_hex_encode(NULL, 1));
    assert_null(tlm_hex_encode("x", SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_length_comes_back),
        cmocka_unit_test(test_refuses_what_is_not_strict),
        cmocka_unit_test(test_every_byte_alone),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
