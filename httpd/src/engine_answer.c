/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_answer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <tlm/json.h>

#define ID_LENGTH 64U
#define HEXADECIMAL "0123456789abcdef"

/*
 * The API versions that are spoken. What is read here has been the same since 1.24 (Docker 1.12);
 * the newest is the one whose documentation was read.
 */
#define API_MAJOR 1U
#define API_OLDEST 24U
#define API_NEWEST 51U

/* One answer that is being read: the first thing that is wrong with it stays. */
typedef struct reading {
    const char *what; /* "the container", for messages */
    tlm_result result;
    tlm_error *error;
} reading;

static void wrong(reading *self, const char *member, const char *why)
{
    if (self->result == TLM_OK) {
        self->result = tlm_error_set(
            self->error, TLM_ERR_FORMAT, "is this a Docker Engine API? See: docker version",
            "the engine's answer about %s: %s %s", self->what, member, why);
    }
}

/* The root of an answer, an object; NULL where it is none. */
static json_t *parse(reading *self, const char *text, size_t size)
{
    json_error_t cause;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &cause);
    if (root == NULL) {
        char place[80];
        (void)snprintf(place, sizeof place, "is not JSON at line %d, column %d", cause.line,
                       cause.column);
        wrong(self, "it", place);
        return NULL;
    }
    if (!json_is_object(root)) {
        wrong(self, "it", "is not an object");
        json_decref(root);
        return NULL;
    }
    return root;
}

/* NULL where it is missing or null; of another type than `type` is wrong. */
static json_t *member_of(reading *self, const json_t *object, const char *name, json_type type)
{
    json_t *value = json_object_get(object, name);
    if (value == NULL || json_is_null(value)) {
        return NULL;
    }
    if (json_typeof(value) != type) {
        char why[80];
        (void)snprintf(why, sizeof why, "is %s", tlm_json_type(value));
        wrong(self, name, why);
        return NULL;
    }
    return value;
}

static void take_text(reading *self, const json_t *object, const char *name, char *text,
                      size_t size)
{
    const json_t *value = member_of(self, object, name, JSON_STRING);
    text[0] = '\0';
    if (value == NULL) {
        return;
    }
    if (json_string_length(value) >= size) {
        wrong(self, name, "is too long");
        return;
    }
    memcpy(text, json_string_value(value), json_string_length(value) + 1);
}

static bool take_truth(reading *self, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (value != NULL && !json_is_null(value) && !json_is_boolean(value)) {
        wrong(self, name, "is not a boolean");
    }
    return json_is_true(value);
}

static unsigned take_count(reading *self, const json_t *object, const char *name)
{
    const json_t *value = member_of(self, object, name, JSON_INTEGER);
    json_int_t number = json_integer_value(value);
    if (number < 0 || number > INT32_MAX) {
        wrong(self, name, "is out of range");
        return 0;
    }
    return (unsigned)number;
}

/* "+01:00", "-07:30" or "Z" as seconds east of Greenwich. */
static bool read_offset(const char *text, long *seconds)
{
    if (strcmp(text, "Z") == 0) {
        *seconds = 0;
        return true;
    }
    bool form = strlen(text) == 6 && (text[0] == '+' || text[0] == '-') && text[3] == ':' &&
                strspn(text + 1, "0123456789") == 2 && strspn(text + 4, "0123456789") == 2;
    if (form) {
        long value = strtol(text + 1, NULL, 10) * 3600L + strtol(text + 4, NULL, 10) * 60L;
        *seconds = text[0] == '-' ? -value : value;
    }
    return form;
}

/* RFC 3339 with a fraction, which is dropped; year 1 is how Go writes "never". */
static time_t take_time(reading *self, const json_t *object, const char *name)
{
    char text[64];
    take_text(self, object, name, text, sizeof text);
    if (text[0] == '\0' || strncmp(text, "0001-", 5) == 0) {
        return 0;
    }
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest != NULL && *rest == '.') {
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    long offset = 0;
    if (rest == NULL || !read_offset(rest, &offset)) {
        wrong(self, name, "is not an instant of RFC 3339");
        return 0;
    }
    time_t instant = timegm(&parts) - offset;
    return instant > 0 ? instant : 0;
}

static bool is_id(const char *text)
{
    return strlen(text) == ID_LENGTH && strspn(text, HEXADECIMAL) == ID_LENGTH;
}

/* "sha256:…" of 64 digits, or "sha512:…" of 128. */
static bool is_digest(const char *text)
{
    size_t digits = strncmp(text, "sha256:", 7) == 0   ? 64
                    : strncmp(text, "sha512:", 7) == 0 ? 128
                                                       : 0;
    return digits > 0 && strlen(text) == 7 + digits && strspn(text + 7, HEXADECIMAL) == digits;
}

tlm_result tlm_engine_answer_version(const char *text, size_t size, tlm_engine_version *version,
                                     tlm_error *error)
{
    reading self = {.what = "its version", .error = error};
    *version = (tlm_engine_version){.api = ""};
    json_t *root = parse(&self, text, size);
    take_text(&self, root, "ApiVersion", version->api, sizeof version->api);
    take_text(&self, root, "MinAPIVersion", version->minimum, sizeof version->minimum);
    take_text(&self, root, "Version", version->version, sizeof version->version);
    const json_t *first = json_array_get(member_of(&self, root, "Components", JSON_ARRAY), 0);
    take_text(&self, first, "Name", version->name, sizeof version->name);
    if (strcmp(version->name, "Engine") == 0) {
        (void)snprintf(version->name, sizeof version->name, "Docker Engine");
    }
    if (version->api[0] == '\0') {
        wrong(&self, "ApiVersion", "is missing");
    }
    json_decref(root);
    return self.result;
}

/* "1.41"; false for anything else. */
static bool read_api(const char *text, unsigned *minor)
{
    char *end = NULL;
    if (strncmp(text, "1.", 2) != 0 || text[2] < '0' || text[2] > '9' || strlen(text) > 6) {
        return false;
    }
    *minor = (unsigned)strtoul(text + 2, &end, 10);
    return *end == '\0';
}

tlm_result tlm_engine_answer_agree(const tlm_engine_version *version, char agreed[16],
                                   tlm_error *error)
{
    unsigned theirs = 0;
    unsigned least = 0;
    if (!read_api(version->api, &theirs) ||
        (version->minimum[0] != '\0' && !read_api(version->minimum, &least)) || least > theirs) {
        return tlm_error_set(error, TLM_ERR_FORMAT, "is this a Docker Engine API?",
                             "the engine's answer about its version: the API version is no 1.x");
    }
    if (theirs < API_OLDEST) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "update the container engine",
                             "the engine speaks API %u.%u; %u.%u or newer is needed", API_MAJOR,
                             theirs, API_MAJOR, API_OLDEST);
    }
    /* One that has left our versions behind is asked in its oldest: what is read here is old. */
    unsigned newest = least > API_NEWEST ? least : API_NEWEST;
    (void)snprintf(agreed, 16, "%u.%u", API_MAJOR, theirs < newest ? theirs : newest);
    return TLM_OK;
}

static char *take_path(reading *self, const json_t *object, const char *name)
{
    const json_t *value = member_of(self, object, name, JSON_STRING);
    if (value != NULL && json_string_length(value) > TLM_ENGINE_PATH_MAX) {
        wrong(self, name, "is too long");
        value = NULL;
    }
    char *path = strdup(value != NULL ? json_string_value(value) : "");
    if (path == NULL && self->result == TLM_OK) {
        self->result =
            tlm_error_set(self->error, TLM_ERR_MEMORY, NULL, "no memory for a container's mounts");
    }
    return path;
}

static void take_mounts(reading *self, const json_t *root, tlm_engine_facts *facts)
{
    const json_t *list = member_of(self, root, "Mounts", JSON_ARRAY);
    size_t count = json_array_size(list);
    if (count == 0) {
        return;
    }
    if (count > TLM_ENGINE_MOUNTS_MAX) {
        wrong(self, "Mounts", "has too many entries");
        return;
    }
    facts->mounts = calloc(count, sizeof *facts->mounts);
    if (facts->mounts == NULL) {
        self->result =
            tlm_error_set(self->error, TLM_ERR_MEMORY, NULL, "no memory for a container's mounts");
        return;
    }
    for (size_t i = 0; i < count && self->result == TLM_OK; i++) {
        const json_t *entry = json_array_get(list, i);
        tlm_engine_mount *mount = &facts->mounts[facts->mount_count++];
        if (!json_is_object(entry)) {
            wrong(self, "Mounts", "has an entry that is no object");
        }
        take_text(self, entry, "Type", mount->type, sizeof mount->type);
        take_text(self, entry, "Propagation", mount->propagation, sizeof mount->propagation);
        mount->source = take_path(self, entry, "Source");
        mount->destination = take_path(self, entry, "Destination");
        mount->writable = take_truth(self, entry, "RW");
    }
}

/* Early versions of Podman leave out which hash it is. */
static void take_image(reading *self, const json_t *root, tlm_engine_facts *facts)
{
    static const char algorithm[] = "sha256:";
    char *id = facts->image_id;
    take_text(self, root, "Image", id, sizeof facts->image_id);
    if (is_id(id)) {
        memmove(id + sizeof algorithm - 1, id, ID_LENGTH + 1);
        memcpy(id, algorithm, sizeof algorithm - 1);
    }
    if (id[0] != '\0' && !is_digest(id)) {
        wrong(self, "Image", "is not a digest");
    }
}

static void take_container(reading *self, const json_t *root, tlm_engine_facts *facts,
                           char hostname[TLM_ENGINE_HOSTNAME_SIZE])
{
    const json_t *state = member_of(self, root, "State", JSON_OBJECT);
    const json_t *health = member_of(self, state, "Health", JSON_OBJECT);
    const json_t *host = member_of(self, root, "HostConfig", JSON_OBJECT);
    const json_t *config = member_of(self, root, "Config", JSON_OBJECT);
    take_text(self, root, "Id", facts->id, sizeof facts->id);
    take_text(self, root, "Name", facts->name, sizeof facts->name);
    take_image(self, root, facts);
    take_text(self, config, "Image", facts->image, sizeof facts->image);
    take_text(self, config, "Hostname", hostname, TLM_ENGINE_HOSTNAME_SIZE);
    take_text(self, state, "Status", facts->status, sizeof facts->status);
    take_text(self, health, "Status", facts->health, sizeof facts->health);
    take_text(self, host, "NetworkMode", facts->network_mode, sizeof facts->network_mode);
    facts->restart_count = take_count(self, root, "RestartCount");
    facts->created = take_time(self, root, "Created");
    facts->started = take_time(self, state, "StartedAt");
    facts->privileged = take_truth(self, host, "Privileged");
    facts->read_only = take_truth(self, host, "ReadonlyRootfs");
    take_mounts(self, root, facts);
    if (facts->name[0] == '/') {
        memmove(facts->name, facts->name + 1, strlen(facts->name));
    }
    if (strcmp(facts->health, "none") == 0) {
        facts->health[0] = '\0';
    }
    if (!is_id(facts->id)) {
        wrong(self, "Id", "is not 64 hexadecimal digits");
    }
}

tlm_result tlm_engine_answer_container(const char *text, size_t size, tlm_engine_facts *facts,
                                       char hostname[TLM_ENGINE_HOSTNAME_SIZE], tlm_error *error)
{
    reading self = {.what = "the container", .error = error};
    hostname[0] = '\0';
    json_t *root = parse(&self, text, size);
    if (root != NULL) {
        take_container(&self, root, facts, hostname);
    }
    json_decref(root);
    return self.result;
}

/* How long the repository is in "host:5000/name:tag@sha256:…", or in a digest's text. */
static size_t repository_length(const char *image)
{
    size_t length = strcspn(image, "@");
    for (size_t i = length; i > 0 && image[i - 1] != '/'; i--) {
        if (image[i - 1] == ':') {
            return i - 1;
        }
    }
    return length;
}

/* The digest in "repository@sha256:…", or NULL. */
static const char *digest_in(const char *text)
{
    const char *at = strchr(text, '@');
    return at != NULL && is_digest(at + 1) ? at + 1 : NULL;
}

static bool same_repository(const char *image, const char *text)
{
    size_t length = repository_length(image);
    return length == strcspn(text, "@") && strncmp(image, text, length) == 0;
}

static const char *find_digest(const json_t *list, const char *image)
{
    const char *first = NULL;
    size_t index = 0;
    const json_t *entry = NULL;
    json_array_foreach(list, index, entry)
    {
        const char *text = json_string_value(entry);
        const char *digest = text != NULL ? digest_in(text) : NULL;
        if (digest != NULL && same_repository(image, text)) {
            return digest;
        }
        first = first == NULL ? digest : first;
    }
    return first;
}

tlm_result tlm_engine_answer_digest(const char *text, size_t size, const char *image,
                                    char digest[136], tlm_error *error)
{
    reading self = {.what = "the image", .error = error};
    digest[0] = '\0';
    json_t *root = parse(&self, text, size);
    const char *found = digest_in(image);
    if (found == NULL) {
        found = find_digest(member_of(&self, root, "RepoDigests", JSON_ARRAY), image);
    }
    /* Engines that keep images as containerd does know the digest of one they built, too. */
    const json_t *descriptor = member_of(&self, root, "Descriptor", JSON_OBJECT);
    char described[136];
    take_text(&self, descriptor, "digest", described, sizeof described);
    if (found == NULL && is_digest(described)) {
        found = described;
    }
    if (self.result == TLM_OK && found != NULL) {
        (void)snprintf(digest, 136, "%s", found);
    }
    json_decref(root);
    return self.result;
}

void tlm_engine_answer_message(const char *text, size_t size, char *message, size_t room)
{
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *words = json_string_value(json_object_get(root, "message"));
    (void)snprintf(message, room, "%s", words != NULL ? words : "");
    for (char *at = message; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7e) {
            *at = '?';
        }
    }
    json_decref(root);
}
