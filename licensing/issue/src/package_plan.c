/* SPDX-License-Identifier: BSD-2-Clause */
#include "package_plan.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tlm/file.h>
#include <tlm/package.h>

#include "input.h"

#define ENDING ".json"

static tlm_result no_memory(tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the packages");
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Takes the path over. */
static tlm_result add_host(tlm_package_plan *plan, char *path, tlm_error *error)
{
    /* The room doubles whenever the count is a power of two. */
    if (path != NULL && (plan->count & (plan->count - 1)) == 0) {
        size_t room = plan->count == 0 ? 1 : 2 * plan->count;
        tlm_package_item *grown = realloc(plan->items, room * sizeof *grown);
        if (grown == NULL) {
            free(path);
            return no_memory(error);
        }
        plan->items = grown;
    }
    if (path == NULL) {
        return no_memory(error);
    }
    plan->items[plan->count++] = (tlm_package_item){.host = path};
    return TLM_OK;
}

static int only_json(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > strlen(ENDING) &&
           strcmp(entry->d_name + length - strlen(ENDING), ENDING) == 0;
}

static tlm_result add_directory(tlm_package_plan *plan, const char *path, tlm_error *error)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, only_json, alphasort);
    if (count < 0) {
        return tlm_error_set_errno(error, NULL, "reading the directory %s", path);
    }
    tlm_result result = TLM_OK;
    for (int i = 0; i < count; i++) {
        if (result == TLM_OK) {
            result = add_host(plan, tlm_path_join(path, entries[i]->d_name), error);
        }
        free(entries[i]);
    }
    free(entries);
    if (result == TLM_OK && count == 0) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND, "files of hosts end with " ENDING,
                             "the directory %s holds no file of a host", path);
    }
    return result;
}

static tlm_result find_hosts(const tlm_issue_options *options, tlm_package_plan *plan,
                             tlm_error *error)
{
    plan->many = options->hosts.count > 1;
    for (size_t i = 0; i < options->hosts.count; i++) {
        const char *path = options->hosts.items[i];
        bool directory = is_directory(path);
        plan->many = plan->many || directory;
        tlm_result result =
            directory ? add_directory(plan, path, error) : add_host(plan, strdup(path), error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

/* The file of a package in a directory: the name of the host's file with another ending. */
static char *out_in(const char *directory, const char *host)
{
    const char *slash = strrchr(host, '/');
    const char *name = slash != NULL ? slash + 1 : host;
    size_t length = strlen(name);
    if (length > strlen(ENDING) && strcmp(name + length - strlen(ENDING), ENDING) == 0) {
        length -= strlen(ENDING);
    }
    char *file = NULL;
    if (asprintf(&file, "%.*s" TLM_PACKAGE_ENDING, (int)length, name) < 0) {
        return NULL;
    }
    char *path = tlm_path_join(directory, file);
    free(file);
    return path;
}

typedef struct sorted_item {
    const tlm_package_item *item;
} sorted_item;

static int by_out(const void *left, const void *right)
{
    const sorted_item *a = left;
    const sorted_item *b = right;
    return strcmp(a->item->out, b->item->out);
}

/* Two hosts' files of one name would end in one package's file. */
static tlm_result refuse_collisions(const tlm_package_plan *plan, tlm_error *error)
{
    sorted_item *sorted = calloc(plan->count, sizeof *sorted);
    if (sorted == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < plan->count; i++) {
        sorted[i].item = &plan->items[i];
    }
    qsort(sorted, plan->count, sizeof *sorted, by_out);
    tlm_result result = TLM_OK;
    for (size_t i = 1; result == TLM_OK && i < plan->count; i++) {
        const tlm_package_item *one = sorted[i - 1].item;
        const tlm_package_item *two = sorted[i].item;
        if (strcmp(one->out, two->out) == 0) {
            result =
                tlm_error_set(error, TLM_ERR_SETTING, "give the files names of their own",
                              "%s and %s would both become %s", one->host, two->host, two->out);
        }
    }
    free(sorted);
    return result;
}

static tlm_result find_places(const tlm_issue_options *options, tlm_package_plan *plan,
                              tlm_error *error)
{
    const char *out = options->out;
    if (plan->many && out == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, "add --out DIR",
                             "many packages were asked for, and no directory for them");
    }
    if (plan->many) {
        tlm_result result = tlm_directory_make(out, 0755, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    bool directory = out != NULL && is_directory(out);
    for (size_t i = 0; out != NULL && i < plan->count; i++) {
        plan->items[i].out = directory ? out_in(out, plan->items[i].host) : strdup(out);
        if (plan->items[i].out == NULL) {
            return no_memory(error);
        }
    }
    return plan->many ? refuse_collisions(plan, error) : TLM_OK;
}

static tlm_result read_containers(const tlm_issue_options *options, tlm_package_plan *plan,
                                  tlm_error *error)
{
    size_t count = options->operands.count;
    plan->containers = calloc(count + 1, sizeof *plan->containers);
    if (plan->containers == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        tlm_result result =
            tlm_container_read(options->operands.items[i], &plan->containers[i], error);
        if (result != TLM_OK) {
            return result;
        }
        plan->container_count++;
    }
    return TLM_OK;
}

static tlm_result read_description(const tlm_issue_options *options, tlm_package_plan *plan,
                                   tlm_error *error)
{
    if (options->description == NULL) {
        return TLM_OK;
    }
    tlm_result result = tlm_description_read(options->description, &plan->description, error);
    if (result == TLM_OK && plan->many && tlm_description_has_id(plan->description)) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "leave id out of the description: each license gets one of its own",
                             "one id is no id for the licenses of many hosts");
    }
    return result;
}

tlm_result tlm_package_read_trust(const tlm_words *files, tlm_trust **trust, tlm_error *error)
{
    tlm_trust *made = NULL;
    tlm_result result = tlm_trust_new(&made, error);
    for (size_t i = 0; result == TLM_OK && i < files->count; i++) {
        char *text = NULL;
        size_t size = 0;
        result = tlm_input_read(files->items[i], TLM_JWKS_MAX, &text, &size, error);
        if (result == TLM_OK) {
            result = tlm_trust_add(made, text, size, files->items[i], error);
        }
        free(text);
    }
    if (result != TLM_OK) {
        tlm_trust_free(&made);
        return result;
    }
    *trust = made;
    return TLM_OK;
}

/* The keys last: no PIN is spent on what cannot be made. */
static tlm_result open_keys(const tlm_issue_options *options, tlm_package_plan *plan,
                            tlm_error *error)
{
    tlm_signer_config config = tlm_signer_config_of(options);
    tlm_result result = tlm_signer_open(&config, &plan->issuer, error);
    if (result != TLM_OK || options->vendor_key == NULL) {
        return result;
    }
    config.key = options->vendor_key;
    config.alg = NULL;
    config.kid = NULL;
    if (options->vendor_pin_file != NULL) {
        config.pin_file = options->vendor_pin_file;
        config.pin_fd = NULL;
        config.pin_pad = false;
    }
    return tlm_signer_open(&config, &plan->vendor, error);
}

static tlm_result check_options(const tlm_issue_options *options, tlm_error *error)
{
    if (options->hosts.count == 0) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "add --for host.json, which the host makes with: tlm request",
                             "which host the package is for was not said");
    }
    if ((options->operands.count == 0) == (options->description == NULL)) {
        return tlm_error_set(error, TLM_ERR_SETTING, "see: tlm-issue help package",
                             "a package takes either containers or --description");
    }
    if (options->description == NULL &&
        (options->vendor_key != NULL || options->vendor_pin_file != NULL)) {
        return tlm_error_set(error, TLM_ERR_SETTING, "see: tlm-issue help package",
                             "--vendor-key and --vendor-pin-file go with --description");
    }
    if (options->pin_fd != NULL && options->vendor_key != NULL &&
        options->vendor_pin_file == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING, "use --pin-file, or add --vendor-pin-file",
                             "a descriptor gives a PIN once, and two keys were named");
    }
    return TLM_OK;
}

tlm_result tlm_package_plan_make(const tlm_issue_options *options, tlm_package_plan *plan,
                                 tlm_error *error)
{
    tlm_result (*const steps[])(const tlm_issue_options *, tlm_package_plan *, tlm_error *) = {
        find_hosts, find_places, read_containers, read_description};
    tlm_result result = check_options(options, error);
    plan->force = options->force;
    plan->iss = options->iss;
    for (size_t i = 0; result == TLM_OK && i < sizeof steps / sizeof steps[0]; i++) {
        result = steps[i](options, plan, error);
    }
    if (result == TLM_OK && options->trust.count > 0) {
        result = tlm_package_read_trust(&options->trust, &plan->trust, error);
    }
    return result == TLM_OK ? open_keys(options, plan, error) : result;
}

void tlm_package_plan_clear(tlm_package_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->items[i].host);
        free(plan->items[i].out);
        json_decref(plan->items[i].licenses);
    }
    for (size_t i = 0; i < plan->container_count; i++) {
        tlm_container_clear(&plan->containers[i]);
    }
    free(plan->items);
    free(plan->containers);
    tlm_signer_close(&plan->issuer);
    tlm_signer_close(&plan->vendor);
    tlm_trust_free(&plan->trust);
    tlm_description_free(&plan->description);
}
