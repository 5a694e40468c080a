/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine_answer.h"

#define ID20 "98cad86ebcf415a2f91a958f6f0c9e20f4b0970c7cfd039a13aeb377cf856e35"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"
#define THREES "3333333333333333333333333333333333333333333333333333333333333333"

/* An answer of tests/vectors/engine without white space. */
static char *load(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, TLM_ENGINE_VECTORS "/%s.json", name);
    json_t *root = json_load_file(path, 0, NULL);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    assert_non_null(text);
    return text;
}

static void load_container(const char *name, tlm_engine_facts *facts,
                           char hostname[TLM_ENGINE_HOSTNAME_SIZE])
{
    char *text = load(name);
    tlm_error error = {0};
    *facts = (tlm_engine_facts){.state = TLM_ENGINE_ANSWERING};
    if (tlm_engine_answer_container(text, strlen(text), facts, hostname, &error) != TLM_OK) {
        fail_msg("%s: %s", name, error.message);
    }
    free(text);
}

static void expect_version(const char *name, const char *api, const char *version,
                           const char *engine)
{
    char *text = load(name);
    tlm_engine_version got;
    char agreed[16];
    assert_int_equal(tlm_engine_answer_version(text, strlen(text), &got, NULL), TLM_OK);
    assert_string_equal(got.api, api);
    assert_string_equal(got.version, version);
    assert_string_equal(got.name, engine);
    assert_int_equal(tlm_engine_answer_agree(&got, agreed, NULL), TLM_OK);
    assert_string_equal(agreed, api);
    free(text);
}

static void versions(void **state)
{
    (void)state;
    expect_version("docker-20.10-version", "1.41", "20.10.24+dfsg1", "Docker Engine");
    expect_version("docker-24-version", "1.43", "24.0.7", "Docker Engine");
    expect_version("docker-28-version", "1.50", "28.2.2", "Docker Engine");
    expect_version("podman-4.3-version", "1.41", "4.3.1", "Podman Engine");
}

static void agreement(void **state)
{
    (void)state;
    static const struct {
        const char *api;
        const char *minimum;
        const char *agreed; /* NULL: none */
    } cases[] = {{"1.24", "1.12", "1.24"}, {"1.23", "1.12", NULL},   {"1.51", "", "1.51"},
                 {"1.99", "1.44", "1.51"}, {"1.99", "1.60", "1.60"}, {"1.40", "1.41", NULL},
                 {"2.0", "", NULL},        {"1.", "", NULL},         {"1.-5", "", NULL},
                 {"1.4x", "", NULL},       {"1.41", "x", NULL},      {"1.12345", "", NULL},
                 {"1.41/..", "", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_engine_version version = {.api = ""};
        char agreed[16] = "";
        (void)snprintf(version.api, sizeof version.api, "%s", cases[i].api);
        (void)snprintf(version.minimum, sizeof version.minimum, "%s", cases[i].minimum);
        tlm_result result = tlm_engine_answer_agree(&version, agreed, NULL);
        assert_int_equal(result == TLM_OK, cases[i].agreed != NULL);
        assert_string_equal(agreed, cases[i].agreed != NULL ? cases[i].agreed : "");
    }
}

static void no_version(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{}",
                                        "[]",
                                        "null",
                                        "<html></html>",
                                        "{\"ApiVersion\":1.41}",
                                        "{\"ApiVersion\":\"\"}",
                                        "{\"ApiVersion\":\"1.41\",\"ApiVersion\":\"1.41\"}",
                                        "{\"ApiVersion\":\"1.41\",\"Version\":[]}",
                                        "{\"ApiVersion\":\"1.41\",\"Components\":{}}",
                                        "{\"ApiVersion\":\"1.4100000000000000\"}",
                                        "{\"ApiVersion\":\"1.41\"} x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tlm_engine_version version;
        tlm_error error = {0};
        assert_int_equal(tlm_engine_answer_version(texts[i], strlen(texts[i]), &version, &error),
                         TLM_ERR_FORMAT);
        assert_non_null(strstr(error.message, "its version"));
    }
    tlm_engine_version version;
    static const char least[] = "{\"ApiVersion\":\"1.41\",\"Components\":null,\"Version\":null}";
    assert_int_equal(tlm_engine_answer_version(least, sizeof least - 1, &version, NULL), TLM_OK);
    assert_string_equal(version.version, "");
}

static void docker_20(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    load_container("docker-20.10-container", &facts, hostname);
    assert_string_equal(hostname, "tl-license-manager");
    assert_string_equal(facts.id, ID20);
    assert_string_equal(facts.name, "tl-license-manager");
    assert_string_equal(facts.image, "trustedlicensing:latest");
    assert_string_equal(facts.image_id,
                        "sha256:943ebda682c6cfe3f210c1023eae8d6adfa650a393dea9bd0d6a67cf81618909");
    assert_string_equal(facts.image_digest, "");
    assert_string_equal(facts.status, "running");
    assert_string_equal(facts.health, "healthy");
    assert_string_equal(facts.network_mode, "none");
    assert_int_equal(facts.restart_count, 0);
    assert_int_equal(facts.created, 1795798665);
    assert_int_equal(facts.started, 1795798665);
    assert_false(facts.privileged);
    assert_true(facts.read_only);
    assert_int_equal(facts.mount_count, 3);
    assert_string_equal(facts.mounts[0].type, "bind");
    assert_string_equal(facts.mounts[0].source, "/srv/tlm/_persistence");
    assert_string_equal(facts.mounts[0].destination, "/etc/asperion/trustedLicensing/persistence");
    assert_string_equal(facts.mounts[0].propagation, "rprivate");
    assert_true(facts.mounts[0].writable);
    assert_false(facts.mounts[1].writable);
    assert_string_equal(facts.mounts[2].type, "volume");
    assert_string_equal(facts.mounts[2].propagation, "");
    tlm_engine_facts_clear(&facts);
}

static void docker_24(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    load_container("docker-24-container", &facts, hostname);
    assert_string_equal(facts.image, "registry.example:5000/vendor/trustedlicensing:1.2");
    assert_string_equal(facts.health, "starting");
    assert_string_equal(facts.network_mode, "tlm_default");
    assert_int_equal(facts.restart_count, 3);
    assert_true(facts.privileged);
    assert_false(facts.read_only);
    assert_int_equal(facts.mount_count, 4);
    assert_string_equal(facts.mounts[3].type, "tmpfs");
    assert_string_equal(facts.mounts[3].source, "");
    tlm_engine_facts_clear(&facts);
}

static void docker_28(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    load_container("docker-28-container", &facts, hostname);
    assert_string_equal(facts.health, "");
    assert_string_equal(facts.image_id, "sha256:" THREES);
    /* 2025-06-02T08:00:00.5+02:00 */
    assert_int_equal(facts.started, 1748844000);
    tlm_engine_facts_clear(&facts);
}

static void podman(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    load_container("podman-4.3-container", &facts, hostname);
    assert_string_equal(hostname, "tl-license-manager");
    assert_string_equal(facts.image, "localhost/trustedlicensing:latest");
    assert_string_equal(facts.status, "created");
    assert_string_equal(facts.health, "");
    assert_int_equal(facts.started, 0);
    assert_true(facts.created > 0);
    assert_int_equal(facts.mount_count, 3);
    tlm_engine_facts_clear(&facts);
}

static void expect_digest(const char *name, const char *image, const char *digest)
{
    char *text = load(name);
    char got[136];
    assert_int_equal(tlm_engine_answer_digest(text, strlen(text), image, got, NULL), TLM_OK);
    assert_string_equal(got, digest);
    free(text);
}

static void digests(void **state)
{
    (void)state;
    expect_digest("docker-20.10-image", "trustedlicensing:latest", "");
    expect_digest("docker-24-image", "registry.example:5000/vendor/trustedlicensing:1.2",
                  "sha256:" TWOS);
    expect_digest("docker-24-image", "registry.example:5000/vendor/trustedlicensing",
                  "sha256:" TWOS);
    /* Of another repository: the first. */
    expect_digest("docker-24-image", "trustedlicensing:latest",
                  "sha256:1111111111111111111111111111111111111111111111111111111111111111");
    expect_digest("docker-24-image", "trustedlicensing@sha256:" THREES, "sha256:" THREES);
    expect_digest("docker-28-image", "trustedlicensing:latest", "sha256:" THREES);
    expect_digest("podman-4.3-image", "localhost/trustedlicensing:latest",
                  "sha256:627bd0cd5b3fc37f09416148d49e542b77473b3b0d5ef34c149bf14b2c90289a");
}

static void odd_digests(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{\"RepoDigests\":[]}",
        "{\"RepoDigests\":[1,null,{},\"\",\"@\",\"a@sha256:\",\"a@sha256:22\"]}",
        "{\"RepoDigests\":[\"a@sha256:" TWOS "2\"]}",
        "{\"RepoDigests\":[\"a@SHA256:" TWOS "\"]}",
        "{\"Descriptor\":{}}",
        "{\"Descriptor\":{\"digest\":\"none\"}}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char digest[136] = "x";
        assert_int_equal(tlm_engine_answer_digest(texts[i], strlen(texts[i]), "a", digest, NULL),
                         TLM_OK);
        assert_string_equal(digest, "");
    }
    static const char *const wrong[] = {"{\"RepoDigests\":{}}", "{\"Descriptor\":[]}",
                                        "{\"Descriptor\":{\"digest\":1}}", "[]"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char digest[136] = "x";
        assert_int_equal(tlm_engine_answer_digest(wrong[i], strlen(wrong[i]), "a", digest, NULL),
                         TLM_ERR_FORMAT);
        assert_string_equal(digest, "");
    }
    char digest[136];
    static const char both[] = "{\"RepoDigests\":[\"a@sha512:" TWOS TWOS "\"]}";
    assert_int_equal(tlm_engine_answer_digest(both, sizeof both - 1, "a", digest, NULL), TLM_OK);
    assert_string_equal(digest, "sha512:" TWOS TWOS);
}

/* The answer of Docker 20.10 with one member (a path with dots) replaced by other JSON. */
static char *changed(const char *path, const char *value)
{
    char *text = load("docker-20.10-container");
    json_t *root = json_loads(text, 0, NULL);
    json_t *object = root;
    char name[64];
    const char *rest = path;
    for (const char *dot = strchr(rest, '.'); dot != NULL; dot = strchr(rest, '.')) {
        (void)snprintf(name, sizeof name, "%.*s", (int)(dot - rest), rest);
        object = json_object_get(object, name);
        rest = dot + 1;
    }
    json_t *other = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(other);
    assert_int_equal(json_object_set_new(object, rest, other), 0);
    free(text);
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    assert_non_null(text);
    return text;
}

static tlm_result read_changed(const char *path, const char *value, tlm_engine_facts *facts,
                               tlm_error *error)
{
    char *text = changed(path, value);
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    *facts = (tlm_engine_facts){.state = TLM_ENGINE_ANSWERING};
    tlm_result result = tlm_engine_answer_container(text, strlen(text), facts, hostname, error);
    free(text);
    return result;
}

static void wrong_types(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *value;
    } cases[] = {
        {"Id", "1"},
        {"Id", "\"\""},
        {"Id", "null"},
        {"Id", "\"98CAD86EBCF415A2F91A958F6F0C9E20F4B0970C7CFD039A13AEB377CF856E35\""},
        {"Id", "\"98cad86ebcf4\""},
        {"Name", "[]"},
        {"Image", "\"latest\""},
        {"Image", "\"sha256:22\""},
        {"Created", "1795798665"},
        {"Created", "\"yesterday\""},
        {"Created", "\"2026-11-27\""},
        {"Created", "\"2026-11-27T16:57:45\""},
        {"Created", "\"2026-11-27T16:57:45+1:00\""},
        {"Created", "\"2026-11-27T16:57:45 01:00\""},
        {"Created", "\"2026-11-27T16:57:45Zx\""},
        {"State", "\"running\""},
        {"State.Status", "true"},
        {"State.Status", "\"much too long a state\""},
        {"State.Health", "\"healthy\""},
        {"State.StartedAt", "\"x\""},
        {"RestartCount", "\"1\""},
        {"RestartCount", "-1"},
        {"RestartCount", "1.5"},
        {"RestartCount", "2147483648"},
        {"HostConfig", "[]"},
        {"HostConfig.Privileged", "\"true\""},
        {"HostConfig.ReadonlyRootfs", "0"},
        {"HostConfig.NetworkMode", "{}"},
        {"Config", "1"},
        {"Config.Hostname", "1"},
        {"Config.Image", "[]"},
        {"Mounts", "{}"},
        {"Mounts", "[1]"},
        {"Mounts", "[{\"RW\":1}]"},
        {"Mounts", "[{\"Type\":\"longer than any type\"}]"},
        {"Mounts", "[{\"Source\":\"/a\"},{\"Destination\":2}]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tlm_engine_facts facts;
        tlm_error error = {0};
        print_message("%s %s\n", cases[i].path, cases[i].value);
        assert_int_equal(read_changed(cases[i].path, cases[i].value, &facts, &error),
                         TLM_ERR_FORMAT);
        const char *dot = strrchr(cases[i].path, '.');
        if (cases[i].value[0] != '[' || cases[i].value[1] != '{') {
            assert_non_null(strstr(error.message, dot != NULL ? dot + 1 : cases[i].path));
        }
        tlm_engine_facts_clear(&facts);
    }
}

static void absent_members(void **state)
{
    (void)state;
    static const char *const paths[] = {"Name",         "Image",        "Created",
                                        "State",        "State.Health", "State.StartedAt",
                                        "RestartCount", "HostConfig",   "HostConfig.Privileged",
                                        "Config",       "Mounts"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        tlm_engine_facts facts;
        assert_int_equal(read_changed(paths[i], "null", &facts, NULL), TLM_OK);
        tlm_engine_facts_clear(&facts);
    }
    tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING};
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    static const char least[] = "{\"Id\":\"" TWOS "\"}";
    assert_int_equal(tlm_engine_answer_container(least, sizeof least - 1, &facts, hostname, NULL),
                     TLM_OK);
    assert_string_equal(facts.id, TWOS);
    assert_string_equal(facts.name, "");
    assert_null(facts.mounts);
}

static void other_forms(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    /* Early versions of Podman. */
    assert_int_equal(read_changed("Image", "\"" TWOS "\"", &facts, NULL), TLM_OK);
    assert_string_equal(facts.image_id, "sha256:" TWOS);
    tlm_engine_facts_clear(&facts);
    assert_int_equal(read_changed("State.Health.Status", "\"none\"", &facts, NULL), TLM_OK);
    assert_string_equal(facts.health, "");
    tlm_engine_facts_clear(&facts);
    assert_int_equal(read_changed("RestartCount", "2147483647", &facts, NULL), TLM_OK);
    assert_int_equal(facts.restart_count, 2147483647);
    tlm_engine_facts_clear(&facts);
    assert_int_equal(read_changed("Name", "\"name\"", &facts, NULL), TLM_OK);
    assert_string_equal(facts.name, "name");
    tlm_engine_facts_clear(&facts);
    assert_int_equal(read_changed("Created", "\"2025-01-01T00:30:00-07:30\"", &facts, NULL),
                     TLM_OK);
    assert_int_equal(facts.created, 1735718400);
    tlm_engine_facts_clear(&facts);
}

static void long_paths(void **state)
{
    (void)state;
    char path[TLM_ENGINE_PATH_MAX + 2];
    char value[TLM_ENGINE_PATH_MAX + 64];
    for (size_t over = 0; over < 2; over++) {
        tlm_engine_facts facts;
        memset(path, '/', sizeof path);
        path[TLM_ENGINE_PATH_MAX + over] = '\0';
        (void)snprintf(value, sizeof value, "[{\"Source\":\"%s\"}]", path);
        assert_int_equal(read_changed("Mounts", value, &facts, NULL),
                         over == 0 ? TLM_OK : TLM_ERR_FORMAT);
        tlm_engine_facts_clear(&facts);
    }
}

static void many_mounts(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        tlm_engine_facts facts;
        json_t *list = json_array();
        for (size_t i = 0; i < TLM_ENGINE_MOUNTS_MAX + over; i++) {
            assert_int_equal(json_array_append_new(list, json_object()), 0);
        }
        char *value = json_dumps(list, JSON_COMPACT);
        assert_int_equal(read_changed("Mounts", value, &facts, NULL),
                         over == 0 ? TLM_OK : TLM_ERR_FORMAT);
        assert_int_equal(facts.mount_count, over == 0 ? TLM_ENGINE_MOUNTS_MAX : 0);
        free(value);
        json_decref(list);
        tlm_engine_facts_clear(&facts);
    }
}

static void not_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"Id\":\"" TWOS "\",\"Name\":\"\xff\"}",
        "{\"Id\":\"" TWOS "\",\"Name\":\"\xed\xa0\x80\"}",
        "{\"Id\":\"" TWOS "\",\"Name\":\"a\\u0000b\"}",
        "{\"Id\":\"" TWOS "\",\"Config\":{\"Env\":[],\"Env\":[]}}",
        "{\"Id\":\"" TWOS "\",\"Id\":\"" TWOS "\"}",
        "[{\"Id\":\"" TWOS "\"}]",
        "\"" TWOS "\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING};
        char hostname[TLM_ENGINE_HOSTNAME_SIZE];
        assert_int_equal(
            tlm_engine_answer_container(texts[i], strlen(texts[i]), &facts, hostname, NULL),
            TLM_ERR_FORMAT);
        tlm_engine_facts_clear(&facts);
    }
}

static void cut_anywhere(void **state)
{
    (void)state;
    char *text = load("docker-20.10-container");
    size_t size = strlen(text);
    for (size_t cut = 0; cut < size; cut++) {
        tlm_engine_facts facts = {.state = TLM_ENGINE_ANSWERING};
        char hostname[TLM_ENGINE_HOSTNAME_SIZE];
        assert_int_equal(tlm_engine_answer_container(text, cut, &facts, hostname, NULL),
                         TLM_ERR_FORMAT);
        tlm_engine_facts_clear(&facts);
    }
    free(text);
}

/* Neither the environment nor a label, where secrets are kept, is in what stays. */
static void secrets_are_left(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    char *text = load("docker-20.10-container");
    assert_non_null(strstr(text, "hunter2"));
    free(text);
    load_container("docker-20.10-container", &facts, hostname);
    assert_null(memmem(&facts, sizeof facts, "hunter2", 7));
    assert_null(memmem(&facts, sizeof facts, "com.example.secret", 18));
    tlm_engine_facts_clear(&facts);
}

static void copies(void **state)
{
    (void)state;
    tlm_engine_facts facts;
    tlm_engine_facts copy;
    char hostname[TLM_ENGINE_HOSTNAME_SIZE];
    load_container("docker-24-container", &facts, hostname);
    assert_int_equal(tlm_engine_facts_copy(&facts, &copy, NULL), TLM_OK);
    assert_true(tlm_engine_facts_same(&facts, &copy));
    assert_ptr_not_equal(facts.mounts, copy.mounts);
    copy.mounts[3].writable = false;
    assert_false(tlm_engine_facts_same(&facts, &copy));
    copy.mounts[3].writable = true;
    copy.restart_count++;
    assert_false(tlm_engine_facts_same(&facts, &copy));
    copy.restart_count--;
    copy.mounts[0].source[1] = 'x';
    assert_false(tlm_engine_facts_same(&facts, &copy));
    tlm_engine_facts_clear(&copy);
    assert_false(tlm_engine_facts_same(&facts, &copy));
    tlm_engine_facts_clear(&facts);
    tlm_engine_facts_clear(&facts);
    assert_true(tlm_engine_facts_same(&facts, &copy));
}

static void messages(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {{"{\"message\":\"No such container: x\"}", "No such container: x"},
                 {"{\"message\":\"a\\u001b[31mb\\nc\xc3\xa4\"}", "a?[31mb?c??"},
                 {"{\"message\":1}", ""},
                 {"[]", ""},
                 {"<html>", ""},
                 {"", ""},
                 {"{\"message\":\"0123456789012345678901234567890123456789\"}",
                  "0123456789012345678901234567890"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char message[32];
        tlm_engine_answer_message(cases[i].text, strlen(cases[i].text), message, sizeof message);
        assert_string_equal(message, cases[i].message);
    }
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(tlm_engine_state_name(TLM_ENGINE_NONE), "none");
    assert_string_equal(tlm_engine_state_name(TLM_ENGINE_UNREACHABLE), "unreachable");
    assert_string_equal(tlm_engine_state_name(TLM_ENGINE_ANSWERING), "answering");
    assert_string_equal(tlm_engine_access_name(TLM_ENGINE_ACCESS_UNKNOWN), "unknown");
    assert_string_equal(tlm_engine_access_name(TLM_ENGINE_ACCESS_READ), "read");
    assert_string_equal(tlm_engine_access_name(TLM_ENGINE_ACCESS_WRITE), "write");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions),         cmocka_unit_test(agreement),
        cmocka_unit_test(no_version),       cmocka_unit_test(docker_20),
        cmocka_unit_test(docker_24),        cmocka_unit_test(docker_28),
        cmocka_unit_test(podman),           cmocka_unit_test(digests),
        cmocka_unit_test(odd_digests),      cmocka_unit_test(wrong_types),
        cmocka_unit_test(absent_members),   cmocka_unit_test(other_forms),
        cmocka_unit_test(long_paths),       cmocka_unit_test(many_mounts),
        cmocka_unit_test(not_json),         cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(secrets_are_left), cmocka_unit_test(copies),
        cmocka_unit_test(messages),         cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
