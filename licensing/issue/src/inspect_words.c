/* SPDX-License-Identifier: BSD-2-Clause */
#include "inspect_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/key.h>
#include <tlm/package.h>

#include "container.h"
#include "host_file.h"
#include "inspect_host.h"
#include "instant.h"
#include "output.h"
#include "signer.h"

#define MODEL_TEXT 160U

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "-";
}

static void print_instant(const char *label, const json_t *claims, const char *name)
{
    char text[TLM_INSTANT_TEXT];
    const json_t *value = json_object_get(claims, name);
    if (json_is_integer(value)) {
        tlm_output_line(label, "%s", tlm_instant_text(json_integer_value(value), text));
    }
}

static void describe_period(const tlm_model *model, char text[MODEL_TEXT])
{
    char from[TLM_INSTANT_TEXT];
    char to[TLM_INSTANT_TEXT];
    bool begins = model->not_before != INT64_MIN;
    (void)snprintf(text, MODEL_TEXT, "%s%suntil %s",
                   begins ? tlm_instant_text(model->not_before, from) : "", begins ? " " : "",
                   tlm_instant_text(model->not_after, to));
}

static void describe_model(const tlm_model *model, char text[MODEL_TEXT])
{
    static const char *const words[TLM_MODEL_COUNT] = {
        [TLM_MODEL_PERPETUAL] = "for ever",
        [TLM_MODEL_TRIAL] = "%" PRId64 " days from the first use",
        [TLM_MODEL_ACTIVATION] = "%" PRId64 " days from the activation",
        [TLM_MODEL_USAGE_TIME] = "%" PRId64 " seconds of use",
        [TLM_MODEL_COUNTER_DOWN] = "%" PRId64 " units, each use takes some",
        [TLM_MODEL_COUNTER_UP] = "uses are counted, up to %" PRId64,
        [TLM_MODEL_TOKENS] = "%" PRId64 " tokens, taken and returned",
        [TLM_MODEL_LIST] = "at most %" PRId64 " distinct clients",
    };
    if (model->type == TLM_MODEL_PERIOD) {
        describe_period(model, text);
    } else if (model->type == TLM_MODEL_PERPETUAL ||
               (model->type == TLM_MODEL_COUNTER_UP && model->amount < 0)) {
        (void)snprintf(text, MODEL_TEXT, "%s",
                       model->type == TLM_MODEL_PERPETUAL ? "for ever" : "uses are counted");
    } else {
        const char *form = words[model->type];
        const char *number = strchr(form, '%');
        const char *rest = number + strlen("%" PRId64);
        (void)snprintf(text, MODEL_TEXT, "%.*s%" PRId64 "%s", (int)(number - form), form,
                       model->amount, rest);
    }
}

void tlm_inspect_feature(const tlm_feature *feature)
{
    char model[MODEL_TEXT];
    describe_model(&feature->model, model);
    char seats[64] = "this host only";
    if (feature->seats > 0) {
        (void)snprintf(seats, sizeof seats, "%" PRId64 " seats", feature->seats);
    }
    char borrow[48] = "";
    if (feature->borrow_days >= 0) {
        (void)snprintf(borrow, sizeof borrow, ", borrowed for at most %" PRId64 " days",
                       feature->borrow_days);
    }
    tlm_output_line("feature", "%s%s%s%s: %s, %s%s", feature->id, feature->name != NULL ? " (" : "",
                    feature->name != NULL ? feature->name : "", feature->name != NULL ? ")" : "",
                    seats, model, borrow);
    if (feature->memory != NULL) {
        tlm_output_line("  memory", "%s", feature->memory);
    }
}

static void print_license(const tlm_license *license)
{
    char text[TLM_INSTANT_TEXT];
    tlm_output_line("license", "%s", license->jti);
    tlm_output_line("vendor", "%s", license->vendor);
    tlm_output_line("customer", "%s", license->customer);
    tlm_output_line(
        "product", "%s%s%s%s%s%s", license->product_id, license->product_name != NULL ? " (" : "",
        license->product_name != NULL ? license->product_name : "",
        license->product_name != NULL ? ")" : "", license->product_version != NULL ? " " : "",
        license->product_version != NULL ? license->product_version : "");
    tlm_output_line("issued", "%s", tlm_instant_text(license->issued, text));
    if (license->not_before != INT64_MIN) {
        tlm_output_line("begins", "%s", tlm_instant_text(license->not_before, text));
    }
    if (license->expires != INT64_MAX) {
        tlm_output_line("expires", "%s", tlm_instant_text(license->expires, text));
    }
    tlm_output_line("host", "%s", license->fingerprint);
    tlm_output_line("  accepts", "%s%s", tlm_host_type_name(license->binding),
                    license->binding == TLM_FINGERPRINT_TPM     ? ": a TPM"
                    : license->binding == TLM_FINGERPRINT_TOKEN ? ": any PKCS#11 token"
                                                                : ": also the host's components");
    if (license->min_components > 0) {
        tlm_output_line("  components", "at least %u unchanged", license->min_components);
    }
    for (size_t i = 0; i < license->feature_count; i++) {
        tlm_inspect_feature(&license->features[i]);
    }
}

static void print_header(const tlm_our_file *file)
{
    const tlm_jws_header *header = tlm_jws_get_header(file->jws);
    tlm_output_line("signed", "%s, key id %s (not verified)", header->alg, header->kid);
}

static tlm_result print_container(const tlm_our_file *file, tlm_error *error)
{
    tlm_license *license = NULL;
    tlm_result result = tlm_license_parse(tlm_jws_claims(file->jws), &license, error);
    if (result == TLM_OK) {
        print_header(file);
        print_license(license);
        tlm_license_free(&license);
    }
    return result;
}

static tlm_result print_signed_package(const tlm_our_file *file, tlm_error *error)
{
    const json_t *claims = tlm_jws_claims(file->jws);
    const json_t *containers = json_object_get(claims, "containers");
    print_header(file);
    tlm_output_line("issuer", "%s", text_of(claims, "iss"));
    tlm_output_line("package", "%s", text_of(claims, "jti"));
    print_instant("issued", claims, "iat");
    tlm_output_line("for host", "%s", text_of(json_object_get(claims, "dest"), "fingerprint"));
    for (size_t i = 0; i < json_array_size(containers); i++) {
        const char *text = json_string_value(json_array_get(containers, i));
        tlm_container container = {.text = NULL};
        tlm_result result =
            tlm_container_parse(text != NULL ? text : "", text != NULL ? strlen(text) : 0,
                                "of the package", &container, error);
        if (result != TLM_OK) {
            return result;
        }
        (void)puts("");
        print_license(container.license);
        tlm_container_clear(&container);
    }
    return TLM_OK;
}

static tlm_result print_revocation(const tlm_our_file *file)
{
    const json_t *claims = tlm_jws_claims(file->jws);
    const json_t *revoked = json_object_get(claims, "revoked");
    print_header(file);
    tlm_output_line("vendor", "%s", text_of(claims, "iss"));
    print_instant("issued", claims, "iat");
    tlm_output_line("serial", "%lld",
                    (long long)json_integer_value(json_object_get(claims, "serial")));
    tlm_output_line("revoked", "%zu licenses", json_array_size(revoked));
    for (size_t i = 0; i < json_array_size(revoked); i++) {
        const char *id = json_string_value(json_array_get(revoked, i));
        tlm_output_line("", "%s", id != NULL ? id : "-");
    }
    return TLM_OK;
}

static tlm_result print_jwe(const tlm_our_file *file)
{
    const tlm_jwe_header *header = tlm_jwe_get_header(file->jwe);
    tlm_output_line("encrypted", "%s, %s, %zu bytes", header->alg, header->enc, file->size);
    unsigned char *bytes = NULL;
    size_t size = 0;
    const char *kid = header->kid != NULL ? header->kid : "-";
    tlm_output_line("key id", "%s", kid);
    if (file->kind == TLM_FILE_PACKAGE &&
        tlm_base64url_decode(kid, strlen(kid), &bytes, &size, NULL) == TLM_OK &&
        size == TLM_THUMBPRINT_SIZE) {
        char *hex = tlm_hex_encode(bytes, size);
        tlm_output_line("for host", "%s", hex != NULL ? hex : "-");
        tlm_output_line("", "(the thumbprint of its key; its content opens on that host alone)");
        free(hex);
    }
    free(bytes);
    return TLM_OK;
}

static tlm_result print_other(const tlm_our_file *file)
{
    char *text = json_dumps(tlm_jws_claims(file->jws), JSON_COMPACT);
    const tlm_jws_header *header = tlm_jws_get_header(file->jws);
    print_header(file);
    tlm_output_line("typ", "%s", header->typ);
    tlm_output_line("claims", "%s", text != NULL ? text : "-");
    free(text);
    return TLM_OK;
}

static tlm_result print_key(const tlm_our_file *file, tlm_error *error)
{
    const tlm_signer_config config = {.key = file->name};
    json_t *jwk = NULL;
    if (strcmp(file->name, "standard input") == 0) {
        return TLM_OK;
    }
    tlm_result result = tlm_signer_public(&config, &jwk, error);
    if (result == TLM_OK) {
        tlm_output_line("algorithm", "%s", text_of(jwk, "alg"));
        tlm_output_line("key id", "%s", text_of(jwk, "kid"));
        json_decref(jwk);
    }
    return result;
}

static tlm_result print_description(const tlm_our_file *file, tlm_error *error)
{
    const json_t *value = file->description->document->value;
    const json_t *features = json_object_get(value, "features");
    (void)error;
    tlm_output_line("vendor", "%s", text_of(value, "vendor"));
    tlm_output_line("customer", "%s", text_of(value, "customer"));
    tlm_output_line("product", "%s", text_of(json_object_get(value, "product"), "id"));
    for (size_t i = 0; i < json_array_size(features); i++) {
        const json_t *feature = json_array_get(features, i);
        const json_t *model = json_object_get(feature, "model");
        tlm_output_line("feature", "%s: %s", text_of(feature, "id"),
                        json_is_string(model) ? json_string_value(model) : text_of(model, "type"));
    }
    return TLM_OK;
}

tlm_result tlm_inspect_print(const tlm_our_file *file, tlm_error *error)
{
    switch (file->kind) {
    case TLM_FILE_LICENSE:
        return print_container(file, error);
    case TLM_FILE_SIGNED_PACKAGE:
        return print_signed_package(file, error);
    case TLM_FILE_REVOCATION:
        return print_revocation(file);
    case TLM_FILE_PACKAGE:
    case TLM_FILE_PERSISTENCE:
    case TLM_FILE_VAULT:
    case TLM_FILE_JWE:
        return print_jwe(file);
    case TLM_FILE_ROOT:
    case TLM_FILE_JWS:
        return print_other(file);
    case TLM_FILE_PUBLIC_KEY:
    case TLM_FILE_PRIVATE_KEY:
        return print_key(file, error);
    case TLM_FILE_DESCRIPTION:
        return print_description(file, error);
    default:
        return tlm_inspect_host_print(file, error);
    }
}
