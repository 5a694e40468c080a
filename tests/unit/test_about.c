/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tlm/trust.h>

#include "about.h"

static void reads_the_name_of_the_system(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
    } cases[] = {
        {"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", "Debian GNU/Linux 12 (bookworm)"},
        {"NAME=x\nPRETTY_NAME='Some OS'\nID=y\n", "Some OS"},
        {"PRETTY_NAME=Plain", "Plain"},
        {"PRETTY_NAME=\"open", "open"},
        {"PRETTY_NAME=", ""},
        {"PRETTY_NAME=\"", ""},
        {"NOT_PRETTY_NAME=\"x\"\n", ""},
        {"", ""},
        {"\n\n", ""},
    };
    char path[] = "/tmp/tlm-about.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64] = "before";
        assert_int_equal(ftruncate(file, 0), 0);
        assert_int_equal(pwrite(file, cases[i].text, strlen(cases[i].text), 0),
                         strlen(cases[i].text));
        tlm_about_read_os(path, name, sizeof name);
        assert_string_equal(name, cases[i].name);
    }
    char small[5];
    assert_int_equal(pwrite(file, "PRETTY_NAME=longer", 18, 0), 18);
    tlm_about_read_os(path, small, sizeof small);
    assert_string_equal(small, "long");
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(path), 0);
    tlm_about_read_os(path, small, sizeof small);
    assert_string_equal(small, "");
}

static void knows_itself(void **state)
{
    (void)state;
    tlm_about about;
    time_t before = time(NULL);
    tlm_about_fill(&about);
    assert_true(about.started >= before && about.started <= time(NULL));
    assert_int_equal(about.elevated, geteuid() == 0);
    assert_memory_equal(about.kernel, "Linux ", 6);
    assert_true(strlen(about.arch) > 0);
}

static void version_says_what_was_built(void **state)
{
    (void)state;
    char text[1024];
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    tlm_about_print_version(stream);
    assert_int_equal(fclose(stream), 0);
    assert_memory_equal(text, "TLLicenseManager " TLM_VERSION "\n",
                        strlen("TLLicenseManager " TLM_VERSION "\n"));
    const tlm_build *build = tlm_about_build();
    assert_non_null(strstr(text, build->compiler));
    assert_non_null(strstr(text, build->fastcrypt ? "FASTCRYPT: ON" : "FASTCRYPT: off"));
    assert_non_null(strstr(text, tlm_trust_runtime() ? "runtime trust: ON" : "runtime trust: off"));
    char keys[48];
    (void)snprintf(keys, sizeof keys, "compiled-in keys: %zu\n", tlm_trust_compiled_in());
    assert_non_null(strstr(text, keys));
    assert_non_null(strstr(text, build->tpm_on ? "TPM support: yes" : "TPM support: no"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_name_of_the_system),
        cmocka_unit_test(knows_itself),
        cmocka_unit_test(version_says_what_was_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
