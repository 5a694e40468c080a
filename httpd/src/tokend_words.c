/* SPDX-License-Identifier: BSD-2-Clause */
#include "tokend_words.h"

#include <stdio.h>
#include <string.h>

typedef struct list {
    const tlm_settings *settings;
    tlm_tokend_words *out;
    size_t count;
} list;

static void add(list *to, const char *flag, const char *value)
{
    to->out->words[to->count++] = flag;
    to->out->words[to->count++] = value;
}

/* What a flag said; environment and file say it to the child, too. */
static void add_said(list *to, size_t setting, const char *flag, const char *value)
{
    if (to->settings->origin[setting] == TLM_ORIGIN_COMMAND_LINE) {
        add(to, flag, value);
    }
}

void tlm_tokend_words_fill(const tlm_settings *settings, const char *token_store,
                           tlm_tokend_words *words)
{
    memset(words, 0, sizeof *words);
    list to = {.settings = settings, .out = words};
    if (settings->config[0] != '\0') {
        add(&to, "--config", settings->config);
    }
    add(&to, "--config-dir", settings->config_dir);
    add(&to, "--persistence-dir", settings->persistence_dir);
    add(&to, "--token-store", token_store);
    add(&to, "--token-label", settings->token_label);
    add(&to, "--log-dir", settings->log_dir);
    add(&to, "--pkcs11-socket", settings->pkcs11_socket);
    add_said(&to, TLM_SETTING_log_level, "--log-level", tlm_log_level_name(settings->log_level));
    add_said(&to, TLM_SETTING_log_format, "--log-format",
             settings->log_format == TLM_LOG_JSON ? "json" : "text");
    add_said(&to, TLM_SETTING_tcti, "--tcti", settings->tcti);
    add_said(&to, TLM_SETTING_tpm_device, "--tpm-device", settings->tpm_device);
    add_said(&to, TLM_SETTING_tpm_host, "--tpm-host", settings->tpm_host);
    (void)snprintf(words->port, sizeof words->port, "%u", settings->tpm_port);
    add_said(&to, TLM_SETTING_tpm_port, "--tpm-port", words->port);
    add_said(&to, TLM_SETTING_tpm_priority, "--tpm-priority", settings->tpm_priority);
}
