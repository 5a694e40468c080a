/* SPDX-License-Identifier: BSD-2-Clause */
#include "verify_checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/audit.h>
#include <tlm/package.h>
#include <tlm/revocation.h>
#include <tlm/statement.h>

#include "input.h"
#include "instant.h"
#include "json_private.h"
#include "package_plan.h"

/* How far an issuer's clock may be ahead of this one, in seconds. */
#define TOLERANCE 300

static void pass(tlm_checks *checks, const char *name, const char *format, ...) TLM_PRINTF(3, 4);

static void pass(tlm_checks *checks, const char *name, const char *format, ...)
{
    if (checks->count == TLM_CHECKS_MAX) {
        return;
    }
    tlm_check *check = &checks->items[checks->count++];
    *check = (tlm_check){.name = name, .ok = true};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(check->message, sizeof check->message, format, arguments);
    va_end(arguments);
}

static void fail(tlm_checks *checks, const char *name, const tlm_error *error)
{
    checks->failed++;
    if (checks->count == TLM_CHECKS_MAX) {
        return;
    }
    tlm_check *check = &checks->items[checks->count++];
    *check = (tlm_check){.name = name, .result = error->result};
    (void)snprintf(check->message, sizeof check->message, "%.250s", error->message);
}

tlm_result tlm_verify_inputs_read(const tlm_issue_options *options, tlm_verify_inputs *inputs,
                                  tlm_error *error)
{
    tlm_result result = TLM_OK;
    if (options->trust.count > 0 || tlm_trust_compiled_in() > 0) {
        result = tlm_package_read_trust(&options->trust, &inputs->trust, error);
    }
    if (result == TLM_OK && options->hosts.count > 0) {
        result = tlm_host_file_read(options->hosts.items[0], &inputs->host, error);
    }
    if (result == TLM_OK && options->keys != NULL) {
        char *text = NULL;
        size_t size = 0;
        result = tlm_input_read(options->keys, TLM_JWKS_MAX, &text, &size, error);
        if (result == TLM_OK) {
            result = tlm_json_parse(text, size, options->keys, &inputs->keys, error);
        }
        free(text);
    }
    return result;
}

void tlm_verify_inputs_clear(tlm_verify_inputs *inputs)
{
    tlm_trust_free(&inputs->trust);
    tlm_host_file_free(&inputs->host);
    json_decref(inputs->keys);
    inputs->keys = NULL;
}

static tlm_result missing(const char *hint, const char *what, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_SETTING, hint, "without %s there is nothing to check with",
                         what);
}

static void check_license(const tlm_license *license, const tlm_verify_inputs *inputs,
                          tlm_checks *checks)
{
    tlm_error error = {0};
    char text[TLM_INSTANT_TEXT];
    if (tlm_license_check_time(license, inputs->now, TOLERANCE, &error) != TLM_OK) {
        fail(checks, "times", &error);
    } else if (license->expires == INT64_MAX) {
        pass(checks, "times", "license %s does not expire", license->jti);
    } else {
        pass(checks, "times", "license %s expires %s", license->jti,
             tlm_instant_text(license->expires, text));
    }
    if (inputs->host == NULL) {
        return;
    }
    const tlm_host_identity *identity = tlm_host_file_find(inputs->host, license->fingerprint);
    identity = identity != NULL ? identity : &inputs->host->primary;
    if (tlm_host_identity_check(identity, license->binding, license->fingerprint, &error) !=
        TLM_OK) {
        fail(checks, "binding", &error);
    } else if (license->min_components > identity->components) {
        (void)tlm_error_set(&error, TLM_ERR_FOREIGN, NULL,
                            "license %s asks for %u components, the host has %u", license->jti,
                            license->min_components, identity->components);
        fail(checks, "binding", &error);
    } else {
        pass(checks, "binding", "license %s is bound to this host", license->jti);
    }
}

static void check_container(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                            tlm_checks *checks)
{
    tlm_error error = {0};
    tlm_license *license = NULL;
    if (tlm_license_open(file->text, file->size, inputs->trust, &license, &error) != TLM_OK) {
        fail(checks, "signature", &error);
        return;
    }
    pass(checks, "signature", "of the vendor %s, key id %s", license->vendor, license->kid);
    check_license(license, inputs, checks);
    tlm_license_free(&license);
}

static void check_signed_package(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                                 tlm_checks *checks)
{
    tlm_error error = {0};
    tlm_package *package = NULL;
    if (tlm_package_open_signed(file->text, file->size, inputs->trust, &package, &error) !=
        TLM_OK) {
        fail(checks, "signatures", &error);
        return;
    }
    pass(checks, "signatures", "of the issuer %s, key id %s, and of %zu licenses", package->issuer,
         package->kid, package->license_count);
    if (inputs->host != NULL && tlm_host_file_find(inputs->host, package->fingerprint) == NULL) {
        (void)tlm_error_set(&error, TLM_ERR_FOREIGN, NULL, "the package is for %.16s…, not %.16s…",
                            package->fingerprint, inputs->host->primary.fingerprint);
        fail(checks, "destination", &error);
    } else {
        pass(checks, "destination", "%s", package->fingerprint);
    }
    for (size_t i = 0; i < package->license_count; i++) {
        check_license(package->licenses[i], inputs, checks);
    }
    tlm_package_free(&package);
}

static tlm_result check_package(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                                tlm_checks *checks, tlm_error *error)
{
    char kid[44] = "";
    tlm_error why = {0};
    if (inputs->host == NULL) {
        return missing("add --for host.json", "the host's file", error);
    }
    if (tlm_package_kid(file->text, file->size, kid, &why) != TLM_OK) {
        fail(checks, "form", &why);
        return TLM_OK;
    }
    pass(checks, "form", "encrypted with RSA-OAEP-256 and A256GCM");
    const tlm_host_file *host = inputs->host;
    bool fallback = host->fallback.key != NULL && strcmp(host->fallback.kid, kid) == 0;
    if (strcmp(host->primary.kid, kid) != 0 && !fallback) {
        (void)tlm_error_set(&why, TLM_ERR_FOREIGN, NULL,
                            "encrypted to the key %s, the host's is %s", kid, host->primary.kid);
        fail(checks, "destination", &why);
        return TLM_OK;
    }
    pass(checks, "destination", "encrypted to this host's %skey; what is inside opens there alone",
         fallback ? "fallback " : "");
    return TLM_OK;
}

static void check_revocation(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                             tlm_checks *checks)
{
    tlm_error error = {0};
    tlm_revocation *list = NULL;
    if (tlm_revocation_open(file->text, file->size, inputs->trust, &list, &error) != TLM_OK) {
        fail(checks, "signature", &error);
        return;
    }
    pass(checks, "signature", "of the vendor %s, key id %s", list->vendor, list->kid);
    pass(checks, "list", "serial %lld, %zu licenses", (long long)list->serial, list->count);
    tlm_revocation_free(&list);
}

static void check_jwks(const tlm_our_file *file, tlm_checks *checks)
{
    tlm_error error = {0};
    tlm_trust *trust = NULL;
    tlm_result result = tlm_trust_new(&trust, &error);
    if (result == TLM_OK) {
        result = tlm_trust_add(trust, file->text, file->size, file->name, &error);
    }
    if (result != TLM_OK) {
        fail(checks, "keys", &error);
    } else {
        pass(checks, "keys", "%zu keys that a host trusts", tlm_trust_count(trust));
    }
    tlm_trust_free(&trust);
}

static void check_host(const tlm_our_file *file, tlm_checks *checks)
{
    tlm_error error = {0};
    tlm_host_file *host = NULL;
    if (tlm_host_file_parse(file->text, file->size, file->name, &host, &error) != TLM_OK) {
        fail(checks, "fingerprint", &error);
        return;
    }
    pass(checks, "fingerprint", "%s is that of its key", host->primary.fingerprint);
    tlm_host_file_free(&host);
}

static const json_t *keys_of(const tlm_verify_inputs *inputs)
{
    return inputs->keys != NULL ? inputs->keys : inputs->host != NULL ? inputs->host->keys : NULL;
}

static tlm_result check_statement(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                                  tlm_checks *checks, tlm_error *error)
{
    tlm_error why = {0};
    tlm_statement_report report;
    char text[TLM_INSTANT_TEXT];
    if (keys_of(inputs) == NULL) {
        return missing("add --for host.json, a request, or --keys FILE", "the host's keys", error);
    }
    if (tlm_statement_verify(file->object, keys_of(inputs), NULL, &report, &why) != TLM_OK) {
        fail(checks, "proof", &why);
        return TLM_OK;
    }
    pass(checks, "proof", "%s of %s, signed %s with %s", report.type, report.fingerprint,
         tlm_instant_text(report.signed_at, text), report.kid);
    return TLM_OK;
}

static tlm_result check_audit(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                              tlm_checks *checks, tlm_error *error)
{
    tlm_error why = {0};
    tlm_audit_report report;
    (void)error;
    if (tlm_audit_verify(file->text, file->size, keys_of(inputs), &report, &why) != TLM_OK) {
        fail(checks, "chain", &why);
        return TLM_OK;
    }
    pass(checks, "chain", "entries %lld to %lld", (long long)report.first, (long long)report.last);
    pass(checks, "anchors", "%zu verified, up to entry %lld%s", report.anchors,
         (long long)report.anchored_to,
         keys_of(inputs) == NULL ? " (the host's keys were not given)" : "");
    return TLM_OK;
}

/* What needs a trust file. */
static tlm_result check_signed(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                               tlm_checks *checks, tlm_error *error)
{
    if (inputs->trust == NULL) {
        return missing("add --trust FILE, made with: tlm-issue jwks", "a trust file", error);
    }
    if (file->kind == TLM_FILE_LICENSE) {
        check_container(file, inputs, checks);
    } else if (file->kind == TLM_FILE_SIGNED_PACKAGE) {
        check_signed_package(file, inputs, checks);
    } else {
        check_revocation(file, inputs, checks);
    }
    return TLM_OK;
}

tlm_result tlm_verify_file(const tlm_our_file *file, const tlm_verify_inputs *inputs,
                           tlm_checks *checks, tlm_error *error)
{
    switch (file->kind) {
    case TLM_FILE_LICENSE:
    case TLM_FILE_SIGNED_PACKAGE:
    case TLM_FILE_REVOCATION:
        return check_signed(file, inputs, checks, error);
    case TLM_FILE_PACKAGE:
        return check_package(file, inputs, checks, error);
    case TLM_FILE_JWKS:
        check_jwks(file, checks);
        return TLM_OK;
    case TLM_FILE_REQUEST:
    case TLM_FILE_FINGERPRINT:
        check_host(file, checks);
        return TLM_OK;
    case TLM_FILE_STATEMENT:
        return check_statement(file, inputs, checks, error);
    case TLM_FILE_AUDIT:
        return check_audit(file, inputs, checks, error);
    case TLM_FILE_DESCRIPTION:
        pass(checks, "schema", "it describes a license");
        return TLM_OK;
    default:
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "see what it says: tlm-issue inspect FILE",
                             "%s is %s, of which nothing can be verified here", file->name,
                             tlm_our_file_kind_text(file->kind));
    }
}
