/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <sys/stat.h>

#include "test_directory.h"

#include "bearer.h"

static tlm_bearer *bearer;

static int setup(void **state)
{
    assert_int_equal(tlm_bearer_new(&bearer, NULL), TLM_OK);
    return directory_setup(state);
}

static int teardown(void **state)
{
    tlm_bearer_free(&bearer);
    assert_null(bearer);
    tlm_bearer_free(&bearer);
    tlm_bearer_free(NULL);
    return directory_teardown(state);
}

static void write_token(void **state, tlm_bearer_holder holder, const char *text, mode_t mode)
{
    char path[TEST_PATH_MAX];
    in_directory(state, tlm_bearer_file(holder), path);
    (void)unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
}

static void read_token(void **state, tlm_bearer_holder holder, char header[300])
{
    char path[TEST_PATH_MAX];
    in_directory(state, tlm_bearer_file(holder), path);
    (void)snprintf(header, 300, "Bearer ");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    ssize_t size = read(file, header + 7, 256);
    assert_true(size > 0);
    assert_int_equal(header[7 + size - 1], '\n');
    header[7 + size - 1] = '\0';
    assert_int_equal(close(file), 0);
}

static void is_made_once_and_for_the_owner_alone(void **state)
{
    char first[300];
    char again[300];
    char client[300];
    char path[TEST_PATH_MAX];
    struct stat status;
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, false, NULL),
                     TLM_ERR_NOT_FOUND);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL), TLM_OK);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_CLIENT, *state, true, NULL), TLM_OK);
    read_token(state, TLM_BEARER_ADMINISTRATOR, first);
    read_token(state, TLM_BEARER_CLIENT, client);
    assert_int_equal(strlen(first), 7 + 43); /* 32 bytes in base64url */
    assert_string_not_equal(first, client);
    in_directory(state, "admin.token", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL), TLM_OK);
    read_token(state, TLM_BEARER_ADMINISTRATOR, again);
    assert_string_equal(first, again);
    assert_int_equal(tlm_bearer_judge(bearer, first), TLM_BEARER_ADMINISTRATOR);
    assert_int_equal(tlm_bearer_judge(bearer, client), TLM_BEARER_CLIENT);
}

#define ADMINISTRATOR "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CLIENT "cccccccccccccccccccccccccccc"

static void judges_a_header(void **state)
{
    static const struct {
        const char *header;
        tlm_bearer_holder holder;
    } cases[] = {
        {NULL, TLM_BEARER_NONE},
        {"", TLM_BEARER_NONE},
        {"Basic " ADMINISTRATOR, TLM_BEARER_NONE},
        {"Bearerx " ADMINISTRATOR, TLM_BEARER_NONE},
        {ADMINISTRATOR, TLM_BEARER_NONE},
        {"Bearer " ADMINISTRATOR, TLM_BEARER_ADMINISTRATOR},
        {"bEARER   " ADMINISTRATOR, TLM_BEARER_ADMINISTRATOR},
        {"Bearer " CLIENT, TLM_BEARER_CLIENT},
        {"Bearer", TLM_BEARER_WRONG},
        {"Bearer ", TLM_BEARER_WRONG},
        {"Bearer " ADMINISTRATOR " ", TLM_BEARER_WRONG},
        {"Bearer " ADMINISTRATOR "a", TLM_BEARER_WRONG},
        {"Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaa", TLM_BEARER_WRONG},
        {"Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaab", TLM_BEARER_WRONG},
        {"Bearer " ADMINISTRATOR CLIENT, TLM_BEARER_WRONG},
    };
    assert_int_equal(tlm_bearer_judge(bearer, "Bearer " ADMINISTRATOR), TLM_BEARER_WRONG);
    write_token(state, TLM_BEARER_ADMINISTRATOR, ADMINISTRATOR "\r\n", 0600);
    write_token(state, TLM_BEARER_CLIENT, CLIENT, 0400);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL), TLM_OK);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_CLIENT, *state, true, NULL), TLM_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(tlm_bearer_judge(bearer, cases[i].header), cases[i].holder);
    }
}

static void what_is_no_token_makes_nobody_an_administrator(void **state)
{
    char longest[TLM_BEARER_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[TLM_BEARER_MAX + 1] = '\0';
    static const char *const texts[] = {"",
                                        "\n",
                                        "\n\n",
                                        "aaaaaaaaaaaaaaaaaaaaa\n",
                                        ADMINISTRATOR " " ADMINISTRATOR,
                                        ADMINISTRATOR "\n" ADMINISTRATOR "\n",
                                        " " ADMINISTRATOR,
                                        ADMINISTRATOR "\xc3\xa4",
                                        ADMINISTRATOR "\"",
                                        ADMINISTRATOR "\x01"};
    write_token(state, TLM_BEARER_ADMINISTRATOR, ADMINISTRATOR, 0600);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL), TLM_OK);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tlm_error error = {0};
        write_token(state, TLM_BEARER_ADMINISTRATOR, texts[i], 0600);
        assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, &error),
                         TLM_ERR_FORMAT);
        assert_non_null(strstr(error.message, "admin.token"));
        assert_null(strstr(error.message, "aaaaa"));
        assert_int_equal(tlm_bearer_judge(bearer, "Bearer " ADMINISTRATOR), TLM_BEARER_WRONG);
    }
    write_token(state, TLM_BEARER_ADMINISTRATOR, longest, 0600);
    assert_int_not_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL),
                         TLM_OK);
    longest[TLM_BEARER_MAX] = '\0';
    write_token(state, TLM_BEARER_ADMINISTRATOR, longest, 0600);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL), TLM_OK);
    longest[TLM_BEARER_MIN] = '\0';
    write_token(state, TLM_BEARER_ADMINISTRATOR, longest, 0600);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, NULL), TLM_OK);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    tlm_error error = {0};
    write_token(state, TLM_BEARER_ADMINISTRATOR, ADMINISTRATOR, 0640);
    assert_int_equal(tlm_bearer_load(bearer, TLM_BEARER_ADMINISTRATOR, *state, true, &error),
                     TLM_ERR_PERMISSION);
    assert_non_null(strstr(error.hint, "chmod"));
    assert_int_equal(tlm_bearer_judge(bearer, "Bearer " ADMINISTRATOR), TLM_BEARER_WRONG);
}

#define BEARER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEARER_TEST(is_made_once_and_for_the_owner_alone),
        BEARER_TEST(judges_a_header),
        BEARER_TEST(what_is_no_token_makes_nobody_an_administrator),
        BEARER_TEST(a_file_that_others_can_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
