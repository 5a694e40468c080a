/* SPDX-License-Identifier: BSD-2-Clause */
#include "package_plan.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/file.h>
#include <tlm/package.h>

#include "host_file.h"
#include "output.h"
#include "text_private.h"

/* How far an issuer's clock may be ahead of this one, in seconds. */
#define TOLERANCE 300

/* What one package is made of. */
typedef struct draft {
    const tlm_host_identity *to;
    const char *iss;
    json_t *containers; /* compact texts */
    json_t *licenses;   /* their ids */
} draft;

static tlm_result no_memory(tlm_error *error)
{
    (void)tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a package");
    return TLM_ERR_MEMORY;
}

/* Adds a container whose license the host would take. */
static tlm_result add(const tlm_package_plan *plan, const tlm_host_file *host,
                      tlm_container *container, draft *to, tlm_error *error)
{
    const tlm_license *license = container->license;
    const tlm_host_identity *identity = tlm_host_file_find(host, license->fingerprint);
    tlm_result result = tlm_host_identity_check(identity != NULL ? identity : &host->primary,
                                                license->binding, license->fingerprint, error);
    if (result == TLM_OK) {
        result = tlm_license_check_time(license, plan->now, TOLERANCE, error);
        result = result == TLM_ERR_NOT_YET ? TLM_OK : result;
    }
    if (result != TLM_OK) {
        tlm_error_prefix(error, "license %s", license->jti);
        return result;
    }
    if (json_array_size(to->containers) == TLM_CONTAINERS_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, "make several packages",
                             "more than %u licenses for one package", TLM_CONTAINERS_MAX);
    }
    /* Encrypted to the host's own key wherever one of the licenses is bound to that. */
    to->to = to->to == &host->primary ? to->to : identity;
    to->iss = to->iss != NULL ? to->iss : license->vendor;
    container->used = true;
    return json_array_append_new(to->containers, json_string(container->text)) == 0 &&
                   json_array_append_new(to->licenses, json_string(license->jti)) == 0
               ? TLM_OK
               : no_memory(error);
}

/* The containers of the command line: all of them for one host, those that fit for one of many. */
static tlm_result add_containers(const tlm_package_plan *plan, const tlm_host_file *host, draft *to,
                                 tlm_error *error)
{
    for (size_t i = 0; i < plan->container_count; i++) {
        tlm_container *container = &plan->containers[i];
        if (plan->many && tlm_host_file_find(host, container->license->fingerprint) == NULL) {
            continue;
        }
        tlm_result result = add(plan, host, container, to, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    if (json_array_size(to->containers) == 0) {
        return tlm_error_set(error, TLM_ERR_FOREIGN, "issue one with: tlm-issue license --for",
                             "no container is bound to the host %.16s…", host->primary.fingerprint);
    }
    return TLM_OK;
}

/* A license of this host's own, from the description. */
static tlm_result make_container(const tlm_package_plan *plan, const tlm_host_file *host,
                                 tlm_container *container, tlm_error *error)
{
    json_t *claims = NULL;
    char *text = NULL;
    tlm_signer *signer = plan->vendor != NULL ? plan->vendor : plan->issuer;
    tlm_result result = tlm_description_claims(plan->description, host, plan->now, &claims, error);
    if (result == TLM_OK) {
        result = tlm_signer_sign(signer, TLM_LICENSE_TYP, claims, &text, error);
    }
    if (result == TLM_OK) {
        result = tlm_container_parse(text, strlen(text), "of the description", container, error);
    }
    free(text);
    json_decref(claims);
    return result;
}

static tlm_result sign(const tlm_package_plan *plan, const draft *from, const char *jti,
                       char **text, tlm_error *error)
{
    json_t *claims =
        json_pack("{s:s, s:s, s:I, s:{s:s}, s:O}", "iss", plan->iss != NULL ? plan->iss : from->iss,
                  "jti", jti, "iat", (json_int_t)plan->now, "dest", "fingerprint",
                  from->to->fingerprint, "containers", from->containers);
    if (claims == NULL) {
        return no_memory(error);
    }
    tlm_result result = tlm_signer_sign(plan->issuer, TLM_PACKAGE_TYP, claims, text, error);
    json_decref(claims);
    return result;
}

/* Nothing goes out that a host with this trust would refuse. */
static tlm_result check(const tlm_package_plan *plan, const char *text, tlm_error *error)
{
    tlm_package *package = NULL;
    if (plan->trust == NULL) {
        return TLM_OK;
    }
    tlm_result result = tlm_package_open_signed(text, strlen(text), plan->trust, &package, error);
    tlm_package_free(&package);
    return result;
}

static tlm_result seal(const tlm_package_plan *plan, const draft *from, tlm_package_item *item,
                       tlm_error *error)
{
    char *text = NULL;
    char *sealed = NULL;
    tlm_result result = tlm_uuid_make(item->jti, error);
    if (result == TLM_OK) {
        result = sign(plan, from, item->jti, &text, error);
    }
    if (result == TLM_OK) {
        result = check(plan, text, error);
    }
    if (result == TLM_OK) {
        result = tlm_package_seal(text, strlen(text), from->to->key, &sealed, error);
    }
    if (result == TLM_OK) {
        result = tlm_output_write(item->out, sealed, plan->force, error);
    }
    free(text);
    free(sealed);
    return result;
}

static tlm_result make(const tlm_package_plan *plan, const tlm_host_file *host,
                       tlm_package_item *item, tlm_error *error)
{
    tlm_container own = {.text = NULL};
    draft from = {.containers = json_array(), .licenses = json_array()};
    tlm_result result =
        from.containers != NULL && from.licenses != NULL ? TLM_OK : no_memory(error);
    if (result == TLM_OK && plan->description == NULL) {
        result = add_containers(plan, host, &from, error);
    } else if (result == TLM_OK) {
        result = make_container(plan, host, &own, error);
        result = result == TLM_OK ? add(plan, host, &own, &from, error) : result;
    }
    if (result == TLM_OK) {
        tlm_text_copy(item->fingerprint, sizeof item->fingerprint, from.to->fingerprint);
        result = seal(plan, &from, item, error);
    }
    tlm_container_clear(&own);
    json_decref(from.containers);
    item->licenses = from.licenses;
    return result;
}

tlm_result tlm_package_make(const tlm_package_plan *plan, tlm_package_item *item, tlm_error *error)
{
    tlm_host_file *host = NULL;
    if (plan->many && !plan->force && item->out != NULL && tlm_file_exists(item->out)) {
        item->outcome = TLM_PACKAGE_PRESENT;
        return TLM_OK;
    }
    tlm_result result = tlm_host_file_read(item->host, &host, error);
    if (result == TLM_OK) {
        result = make(plan, host, item, error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "%s", item->host);
        }
    }
    tlm_host_file_free(&host);
    if (plan->many && result == TLM_ERR_EXISTS) {
        item->outcome = TLM_PACKAGE_PRESENT; /* another run was quicker */
        return TLM_OK;
    }
    item->outcome = result == TLM_OK ? TLM_PACKAGE_MADE : TLM_PACKAGE_FAILED;
    return result;
}
