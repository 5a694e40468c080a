/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlm/jws.h>
#include <tlm/license.h>
#include <tlm/revocation.h>

#include "input.h"
#include "options.h"
#include "output.h"
#include "signer.h"
#include "text_private.h"

/* What the new list is to say; the ids are members of an object, which keeps them distinct. */
typedef struct list {
    json_t *ids;
    const char *iss;
    json_int_t serial;
    tlm_jws *previous;
} list;

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a revocation list");
}

static tlm_result add(list *to, const char *id, size_t length, const char *place, tlm_error *error)
{
    char uuid[TLM_UUID_SIZE] = "";
    bool fits = length < sizeof uuid;
    for (size_t i = 0; fits && i < length; i++) {
        uuid[i] = (char)tolower((unsigned char)id[i]);
    }
    if (!fits || !tlm_uuid_valid(uuid, length)) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "the id of a license is its jti: tlm-issue inspect FILE",
                             "%s: %.*s is no UUID", place, (int)(length > 80 ? 80 : length), id);
    }
    if (json_object_set_new(to->ids, uuid, json_true()) != 0) {
        return no_memory(error);
    }
    return json_object_size(to->ids) <= TLM_REVOKED_MAX
               ? TLM_OK
               : tlm_error_set(error, TLM_ERR_TOO_LARGE, "leave out licenses that expired",
                               "more than %u licenses for one list", TLM_REVOKED_MAX);
}

static tlm_result add_file(const char *path, list *to, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_REVOCATION_MAX, &text, &size, error);
    for (char *line = text; result == TLM_OK && *line != '\0';) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] == '\n' ? 1 : 0);
        size_t begin = strspn(line, " \t");
        size_t end = length;
        while (end > begin && strchr(" \t\r", line[end - 1]) != NULL) {
            end--;
        }
        if (begin < end && line[begin] != '#') {
            result = add(to, line + begin, end - begin, tlm_input_name(path), error);
        }
        line = next;
    }
    free(text);
    return result;
}

/* Verified where our own key signed it; the trust of an older key is not at hand here. */
static tlm_result read_previous(const char *path, const tlm_signer *signer, list *to,
                                tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_input_read(path, TLM_REVOCATION_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_jws_parse(text, size, TLM_REVOCATION_MAX, &to->previous, error);
    }
    free(text);
    if (result != TLM_OK) {
        return result;
    }
    const tlm_jws_header *header = tlm_jws_get_header(to->previous);
    const json_t *claims = tlm_jws_claims(to->previous);
    const json_t *revoked = json_object_get(claims, "revoked");
    const json_t *serial = json_object_get(claims, "serial");
    const char *iss = json_string_value(json_object_get(claims, "iss"));
    if (strcmp(header->typ, TLM_REVOCATION_TYP) != 0 || iss == NULL || !json_is_array(revoked) ||
        !json_is_integer(serial)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is no revocation list", path);
    }
    if (strcmp(header->kid, tlm_signer_kid(signer)) == 0) {
        json_t *jwk = NULL;
        result = tlm_signer_jwk(signer, &jwk, error);
        if (result == TLM_OK) {
            result = tlm_jws_verify(to->previous, jwk, tlm_signer_alg(signer), error);
        }
        json_decref(jwk);
    } else {
        tlm_output_warning("%s was signed by another key, %s, and is not verified", path,
                           header->kid);
    }
    to->iss = iss;
    to->serial = json_integer_value(serial);
    for (size_t i = 0; result == TLM_OK && i < json_array_size(revoked); i++) {
        const json_t *id = json_array_get(revoked, i);
        const char *jti = json_is_string(id) ? json_string_value(id) : "";
        result = add(to, jti, strlen(jti), path, error);
    }
    return result;
}

static tlm_result settle_serial(const char *given, bool previous, list *to, tlm_error *error)
{
    char *end = NULL;
    errno = 0;
    long long number = given != NULL ? strtoll(given, &end, 10) : 0;
    if (given == NULL && !previous) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "add --previous FILE, or for the first list --serial 1",
                             "the number of the list was not said");
    }
    if (given == NULL) {
        to->serial++;
        return TLM_OK;
    }
    if (errno != 0 || *end != '\0' || number < 0 || number > TLM_LICENSE_NUMBER_MAX) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--serial is a number from 0 to %lld",
                             TLM_LICENSE_NUMBER_MAX);
    }
    if (previous && number <= to->serial) {
        return tlm_error_set(error, TLM_ERR_SETTING, "leave --serial away",
                             "the previous list has the serial %lld already, and hosts refuse a "
                             "lower one",
                             (long long)to->serial);
    }
    to->serial = number;
    return TLM_OK;
}

static tlm_result settle_vendor(const char *given, list *to, tlm_error *error)
{
    if (given != NULL && to->iss != NULL && strcmp(given, to->iss) != 0) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL,
                             "the previous list is of the vendor %s, not %s", to->iss, given);
    }
    to->iss = given != NULL ? given : to->iss;
    return to->iss != NULL ? TLM_OK
                           : tlm_error_set(error, TLM_ERR_SETTING, "add --iss CODE",
                                           "the vendor of the list was not named");
}

static int by_text(const void *left, const void *right)
{
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

static json_t *sorted_ids(json_t *ids)
{
    size_t count = json_object_size(ids);
    const char **names = calloc(count + 1, sizeof *names);
    json_t *array = json_array();
    size_t i = 0;
    const char *name = NULL;
    json_t *ignored = NULL;
    if (names == NULL || array == NULL) {
        free(names);
        json_decref(array);
        return NULL;
    }
    json_object_foreach(ids, name, ignored)
    {
        names[i++] = name;
    }
    qsort(names, count, sizeof *names, by_text);
    for (i = 0; i < count; i++) {
        (void)json_array_append_new(array, json_string(names[i]));
    }
    free(names);
    return array;
}

static tlm_result collect(const tlm_issue_options *options, const tlm_signer *signer, list *to,
                          tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (options->previous != NULL) {
        result = read_previous(options->previous, signer, to, error);
    }
    for (size_t i = 0; result == TLM_OK && i < options->operands.count; i++) {
        const char *id = options->operands.items[i];
        result = add(to, id, strlen(id), "revoke", error);
    }
    if (result == TLM_OK && options->file != NULL) {
        result = add_file(options->file, to, error);
    }
    if (result == TLM_OK) {
        result = settle_serial(options->serial, options->previous != NULL, to, error);
    }
    return result == TLM_OK ? settle_vendor(options->iss, to, error) : result;
}

static tlm_result make(const tlm_issue_options *options, list *self, char **text, tlm_error *error)
{
    const tlm_signer_config config = tlm_signer_config_of(options);
    tlm_signer *signer = NULL;
    json_t *claims = NULL;
    tlm_result result = tlm_signer_open(&config, &signer, error);
    if (result == TLM_OK) {
        result = collect(options, signer, self, error);
    }
    if (result == TLM_OK) {
        claims = json_pack("{s:s, s:I, s:I, s:o}", "iss", self->iss, "iat", (json_int_t)time(NULL),
                           "serial", self->serial, "revoked", sorted_ids(self->ids));
        result = claims != NULL
                     ? tlm_signer_sign(signer, TLM_REVOCATION_TYP, claims, text, error)
                     : tlm_error_set(error, TLM_ERR_FORMAT, NULL, "--iss is no text in UTF-8");
    }
    json_decref(claims);
    tlm_signer_close(&signer);
    return result;
}

int tlm_issue_revoke(const tlm_issue_options *options)
{
    tlm_error error = {0};
    list self = {.ids = json_object()};
    char *text = NULL;
    tlm_result result = self.ids != NULL ? make(options, &self, &text, &error) : no_memory(&error);
    if (result == TLM_OK) {
        result = tlm_output_write(options->out, text, options->force, &error);
    }
    free(text);
    json_decref(self.ids);
    tlm_jws_free(&self.previous);
    return result == TLM_OK ? TLM_EXIT_DONE : tlm_output_failure(&error);
}
