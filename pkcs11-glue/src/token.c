/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define RANDOM_CHUNK 1024U
#define MECHANISMS_MAX 1024U

static void free_token(tlm_token *token)
{
    p11_kit_uri_free(token->uri);
    free(token->uri_text);
    free(token->mechanisms);
    (void)pthread_mutex_destroy(&token->info_lock);
    free(token);
}

static tlm_result parse_uri(tlm_token *token, const char *text, tlm_error *error)
{
    token->uri_text = strdup(text);
    token->uri = p11_kit_uri_new();
    if (token->uri_text == NULL || token->uri == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a token URI");
    }
    int parsed = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, token->uri);
    /* Before the text is shown in any message: it may hold a PIN. */
    if (parsed == P11_KIT_URI_OK && p11_kit_uri_get_pin_value(token->uri) != NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT,
                             "Remove pin-value; put the PIN into a file of mode 0600.",
                             "the token's URI holds a PIN");
    }
    if (parsed != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(token->uri)) {
        return tlm_error_set(
            error, TLM_ERR_ARGUMENT, "Write it as RFC 7512 has it, for example pkcs11:token=tlm",
            "a token's URI is not understood: %s",
            parsed != P11_KIT_URI_OK ? p11_kit_uri_message(parsed) : "it has an unknown attribute");
    }
    return TLM_OK;
}

/* Everything but the module; an error leaves a token to be freed all the same. */
static tlm_result fill_token(tlm_token *token, const tlm_token_config *config, tlm_error *error)
{
    (void)pthread_mutex_init(&token->info_lock, NULL);
    token->generation = tlm_fork_generation();
    token->pin = config->pin;
    token->context = config->context;
    token->read_only = config->read_only;
    token->clock = tlm_clock_now;
    return parse_uri(token, config->uri, error);
}

/* Under the lock. */
static tlm_result connect_token(tlm_token *token, const char *module, tlm_error *error)
{
    tlm_result result = tlm_module_acquire(module, &token->module, error);
    if (result != TLM_OK) {
        return result;
    }
    result = tlm_session_find_slot(token, error);
    if (result == TLM_OK) {
        result = tlm_session_open(token, error);
    }
    if (result == TLM_OK) {
        result = tlm_session_login(token, error);
    }
    if (result != TLM_OK) {
        tlm_session_close(token);
        tlm_module_release(token->module);
        return result;
    }
    atomic_store(&token->available, true);
    return TLM_OK;
}

tlm_result tlm_token_open(const tlm_token_config *config, tlm_token **token, tlm_error *error)
{
    if (config == NULL || config->module == NULL || config->uri == NULL || token == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a token is opened by module path and pkcs11: URI");
    }
    tlm_token *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a token");
    }
    tlm_error local = {0};
    tlm_result result = fill_token(made, config, &local);
    if (result == TLM_OK) {
        result = tlm_module_enter(made->generation, &local);
    }
    if (result == TLM_OK) {
        result = connect_token(made, config->module, &local);
        tlm_module_leave();
    }
    if (result != TLM_OK) {
        free_token(made);
        if (error != NULL) {
            *error = local;
        }
        return result;
    }
    *token = made;
    return TLM_OK;
}

void tlm_token_close(tlm_token **token)
{
    if (token == NULL || *token == NULL) {
        return;
    }
    tlm_token *gone = *token;
    *token = NULL;
    if (tlm_module_enter(gone->generation, NULL) != TLM_OK) {
        return; /* a forked child, or a module that hangs: nothing can be given back */
    }
    tlm_session_close(gone);
    tlm_module_release(gone->module);
    tlm_module_leave();
    free_token(gone);
}

void tlm_token_get_info(tlm_token *token, tlm_token_info *info)
{
    (void)pthread_mutex_lock(&token->info_lock);
    *info = token->info;
    (void)pthread_mutex_unlock(&token->info_lock);
}

static tlm_result ping(tlm_token *token, void *context, tlm_error *error)
{
    (void)context;
    return tlm_session_ping(token, error);
}

tlm_result tlm_token_probe(tlm_token *token, tlm_error *error)
{
    return tlm_token_run(token, ping, NULL, error);
}

bool tlm_token_available(tlm_token *token)
{
    return atomic_load(&token->available);
}

unsigned tlm_token_recoveries(tlm_token *token)
{
    return atomic_load(&token->recoveries);
}

static tlm_result read_mechanisms(tlm_token *token, CK_MECHANISM_TYPE *types, CK_ULONG *count,
                                  tlm_error *error)
{
    const CK_FUNCTION_LIST *functions = token->module->functions;
    *count = MECHANISMS_MAX;
    CK_RV rv = functions->C_GetMechanismList(token->slot, types, count);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetMechanismList", "of %s", token->uri_text);
    }
    tlm_mechanism *made = calloc(*count + 1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for %lu mechanisms", *count);
    }
    free(token->mechanisms);
    token->mechanisms = made;
    token->mechanism_count = *count;
    for (CK_ULONG i = 0; i < *count; i++) {
        CK_MECHANISM_INFO info = {0};
        made[i].type = types[i];
        if (functions->C_GetMechanismInfo(token->slot, types[i], &info) == CKR_OK) {
            made[i].flags = info.flags;
        }
    }
    return TLM_OK;
}

typedef struct mechanism_query {
    tlm_mechanism wanted;
    bool found;
} mechanism_query;

static tlm_result find_mechanism(tlm_token *token, void *context, tlm_error *error)
{
    mechanism_query *query = context;
    if (token->mechanism_count == 0) {
        CK_MECHANISM_TYPE types[MECHANISMS_MAX];
        CK_ULONG count = 0;
        tlm_result result = read_mechanisms(token, types, &count, error);
        if (result != TLM_OK) {
            return result;
        }
    }
    for (size_t i = 0; i < token->mechanism_count; i++) {
        const tlm_mechanism *known = &token->mechanisms[i];
        query->found =
            query->found || (known->type == query->wanted.type &&
                             (known->flags & query->wanted.flags) == query->wanted.flags);
    }
    return TLM_OK;
}

bool tlm_token_has_mechanism(tlm_token *token, CK_MECHANISM_TYPE mechanism, CK_FLAGS flags)
{
    mechanism_query query = {.wanted = {.type = mechanism, .flags = flags}};
    return tlm_token_run(token, find_mechanism, &query, NULL) == TLM_OK && query.found;
}

typedef struct random_request {
    unsigned char *buffer;
    size_t size;
} random_request;

static tlm_result generate_random(tlm_token *token, void *context, tlm_error *error)
{
    const random_request *request = context;
    for (size_t done = 0; done < request->size;) {
        size_t chunk = request->size - done < RANDOM_CHUNK ? request->size - done : RANDOM_CHUNK;
        CK_RV rv = token->module->functions->C_GenerateRandom(
            token->session, request->buffer + done, (CK_ULONG)chunk);
        if (rv != CKR_OK) {
            return tlm_error_set_rv(error, rv, "C_GenerateRandom", "for %zu bytes", chunk);
        }
        done += chunk;
    }
    return TLM_OK;
}

tlm_result tlm_token_random(tlm_token *token, void *buffer, size_t size, tlm_error *error)
{
    if (token == NULL || (buffer == NULL && size > 0)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "random bytes without a buffer");
    }
    random_request request = {.buffer = buffer, .size = size};
    return tlm_token_run(token, generate_random, &request, error);
}
