/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tlm/file.h>

#define FILE_NAME "TLLicenseManager.json"

static tlm_result store_defaults(tlm_settings *settings, tlm_error *error)
{
    static const tlm_setting_source source = {TLM_ORIGIN_DEFAULT, "default", "the default"};
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        tlm_result result = tlm_settings_store(settings, row, row->initial, &source, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

/* The first of a row's names that is set to something; container tools set empty ones for unset. */
static const char *environment_value(const tlm_setting_row *row, const char **name)
{
    for (size_t i = 0; (*name = tlm_settings_environment_name(row, i)) != NULL; i++) {
        const char *value = getenv(*name);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return NULL;
}

static tlm_result store_environment(tlm_program program, tlm_settings *settings, tlm_error *error)
{
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[i];
        const char *name = NULL;
        const char *value = environment_value(row, &name);
        if (value == NULL || (row->programs & (unsigned)program) == 0) {
            continue;
        }
        const tlm_setting_source source = {TLM_ORIGIN_ENVIRONMENT, name, name};
        tlm_result result = tlm_settings_store(settings, row, value, &source, error);
        if (result != TLM_OK) {
            tlm_error_prefix(error, "environment");
            return result;
        }
    }
    return TLM_OK;
}

static tlm_result store_command(const tlm_settings_command *command, tlm_settings *settings,
                                tlm_error *error)
{
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        if (command->values[i] == NULL) {
            continue;
        }
        const tlm_setting_row *row = &tlm_setting_rows[i];
        const tlm_setting_source source = {TLM_ORIGIN_COMMAND_LINE, row->flag, row->flag};
        tlm_result result = tlm_settings_store(settings, row, command->values[i], &source, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    return TLM_OK;
}

/*
 * Reads the configuration file in between: its name may come from the command line or the
 * environment, which both go over what it says.
 */
static tlm_result store_file(const tlm_settings_command *command, tlm_settings *settings,
                             tlm_error *error)
{
    static const size_t places[] = {TLM_SETTING_config, TLM_SETTING_config_dir};
    const char *values[2] = {NULL, NULL};
    for (size_t i = 0; i < 2; i++) {
        const tlm_setting_row *row = &tlm_setting_rows[places[i]];
        const char *name = NULL;
        values[i] = command->values[places[i]];
        values[i] = values[i] != NULL ? values[i] : environment_value(row, &name);
    }
    bool named = values[0] != NULL;
    const char *directory = values[1] != NULL ? values[1] : settings->config_dir;
    char *path = named ? strdup(values[0]) : tlm_path_join(directory, FILE_NAME);
    if (path == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a file name");
    }
    char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, TLM_SETTINGS_FILE_MAX, &data, &size, error);
    if (result == TLM_ERR_NOT_FOUND && !named) {
        free(path);
        return TLM_OK;
    }
    if (result == TLM_OK) {
        result = tlm_settings_parse(data, size, path, settings, error);
    } else {
        tlm_error_prefix(error, "configuration file");
        if (result == TLM_ERR_NOT_FOUND) {
            tlm_error_set_hint(error, "name a file that exists, or leave out --config and "
                                      "TLM_CONFIG to do without one");
        }
    }
    free(data);
    if (result != TLM_OK || named) {
        free(path);
        return result;
    }
    /* The file that was found is shown where a named one would be. */
    free(settings->config);
    settings->config = path;
    return TLM_OK;
}

/* Names of the client library and of tlm, for which there is no setting. */
static const char *const client_names[] = {"TLM_URL", "TLM_TOKEN_FILE"};

#define CLIENT_NAMES (sizeof client_names / sizeof client_names[0])

/* Other programs have names of their own below TLM_: a warning, not an error. */
static void warn_unknown_environment(void)
{
    const char *known[(size_t)TLM_SETTING_COUNT * TLM_SETTINGS_NAMES_MAX + CLIENT_NAMES];
    size_t count = 0;
    for (; count < CLIENT_NAMES; count++) {
        known[count] = client_names[count];
    }
    for (size_t i = 0; i < TLM_SETTING_COUNT; i++) {
        const char *name = NULL;
        for (size_t n = 0; (name = tlm_settings_environment_name(&tlm_setting_rows[i], n)) != NULL;
             n++) {
            known[count++] = name;
        }
    }
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t length = strcspn(*entry, "=");
        char name[TLM_SETTINGS_NAME_SIZE * 2];
        if (strncmp(*entry, "TLM_", 4) != 0 || length >= sizeof name) {
            continue;
        }
        memcpy(name, *entry, length);
        name[length] = '\0';
        bool found = false;
        for (size_t i = 0; i < count && !found; i++) {
            found = strcmp(known[i], name) == 0;
        }
        if (!found) {
            const char *nearest = tlm_settings_nearest(name, known, count);
            char quoted[TLM_SETTINGS_NAME_SIZE * 4];
            tlm_log(TLM_LOG_WARNING, "unknown_environment", "name=%s nearest=%s",
                    tlm_log_quote(name, quoted, sizeof quoted), nearest != NULL ? nearest : "none");
        }
    }
}

tlm_result tlm_settings_load(tlm_program program, int argc, char **argv, tlm_settings *settings,
                             tlm_settings_outcome *outcome, tlm_error *error)
{
    if (argv == NULL || settings == NULL || outcome == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "loading settings into nothing");
    }
    *settings = (tlm_settings){0};
    *outcome = (tlm_settings_outcome){0};
    tlm_settings_command command;
    tlm_result result = store_defaults(settings, error);
    if (result == TLM_OK) {
        result = tlm_settings_parse_command(program, argc, argv, &command, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    *outcome = command.outcome;
    /* A broken file must not keep the help away that says how to mend it. */
    if (outcome->action == TLM_ACTION_HELP || outcome->action == TLM_ACTION_VERSION) {
        return TLM_OK;
    }
    result = store_file(&command, settings, error);
    if (result == TLM_OK) {
        result = store_environment(program, settings, error);
    }
    if (result == TLM_OK) {
        result = store_command(&command, settings, error);
    }
    if (result == TLM_OK) {
        warn_unknown_environment();
    }
    return result;
}
