/* SPDX-License-Identifier: BSD-2-Clause */
#include "inspect_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#include "host_file.h"
#include "json_private.h"
#include "output.h"

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "-";
}

static void print_jwks(const json_t *jwks)
{
    size_t index = 0;
    const json_t *key = NULL;
    json_array_foreach(json_object_get(jwks, "keys"), index, key)
    {
        const char *use = json_string_value(json_object_get(key, "tlm:use"));
        const char *iss = json_string_value(json_object_get(key, "tlm:iss"));
        tlm_output_line("key", "%s, %s%s%s%s", text_of(key, "kid"), text_of(key, "alg"),
                        use != NULL ? ", " : "", use != NULL ? use : "",
                        json_object_get(key, "d") != NULL ? ", PRIVATE: not for others" : "");
        if (iss != NULL) {
            tlm_output_line("  signs for", "%s", iss);
        }
    }
}

static void print_identity(const tlm_host_identity *identity, const char *label)
{
    tlm_output_line(label, "%s", identity->fingerprint);
    tlm_output_line("  type", "%s%s", tlm_host_type_name(identity->type),
                    identity->hardware_bound ? "" : ", not hardware-bound");
    tlm_output_line("  key id", "%s", identity->kid);
    tlm_output_line("  key", "RSA, %d bits", EVP_PKEY_get_bits(identity->key));
    if (identity->type == TLM_FINGERPRINT_FALLBACK) {
        tlm_output_line("  components", "%u", identity->components);
    }
}

static tlm_result print_host(const tlm_our_file *file, tlm_error *error)
{
    tlm_host_file *host = NULL;
    tlm_result result = tlm_host_file_parse(file->text, file->size, file->name, &host, error);
    if (result != TLM_OK) {
        return result;
    }
    if (file->kind == TLM_FILE_REQUEST) {
        tlm_output_line("created", "%s", text_of(file->object, "created"));
    }
    print_identity(&host->primary, "fingerprint");
    if (host->fallback.key != NULL) {
        print_identity(&host->fallback, "fallback");
    }
    if (host->keys != NULL) {
        print_jwks(host->keys);
    }
    tlm_host_file_free(&host);
    return TLM_OK;
}

static void print_statement(const json_t *answer)
{
    const char *name = NULL;
    const json_t *value = NULL;
    json_object_foreach(json_object_get(answer, "statement"), name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        tlm_output_line(name, "%s",
                        json_is_string(value) ? json_string_value(value)
                        : text != NULL        ? text
                                              : "-");
        free(text);
    }
    tlm_output_line("proof", "leaf %lld, %zu hashes to the signed root (not verified)",
                    (long long)json_integer_value(json_object_get(answer, "index")),
                    json_array_size(json_object_get(answer, "path")));
}

static void print_entry(const json_t *entry)
{
    const json_t *statement = json_object_get(json_object_get(entry, "anchor"), "statement");
    if (statement != NULL) {
        tlm_output_line("anchor", "of entry %lld",
                        (long long)json_integer_value(json_object_get(statement, "seq")));
        return;
    }
    char label[32];
    (void)snprintf(label, sizeof label, "%lld",
                   (long long)json_integer_value(json_object_get(entry, "seq")));
    tlm_output_line(label, "%s %s", text_of(entry, "at"), text_of(entry, "event"));
}

static tlm_result print_audit(const tlm_our_file *file, tlm_error *error)
{
    size_t number = 1;
    for (const char *line = file->text; *line != '\0'; number++) {
        size_t length = strcspn(line, "\n");
        json_t *entry = length > 0 ? tlm_json_load(line, length) : NULL;
        if (entry == NULL && strspn(line, " \t\r") < length) {
            return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s, line %zu is no JSON object",
                                 file->name, number);
        }
        if (entry != NULL) {
            print_entry(entry);
            json_decref(entry);
        }
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    return TLM_OK;
}

tlm_result tlm_inspect_host_print(const tlm_our_file *file, tlm_error *error)
{
    switch (file->kind) {
    case TLM_FILE_REQUEST:
    case TLM_FILE_FINGERPRINT:
        return print_host(file, error);
    case TLM_FILE_AUDIT:
        return print_audit(file, error);
    case TLM_FILE_JWKS:
        print_jwks(file->object);
        return TLM_OK;
    default:
        print_statement(file->object);
        return TLM_OK;
    }
}
