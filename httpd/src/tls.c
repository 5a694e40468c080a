/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/pkcs11.h>
#include <microhttpd.h>

#include <tlm/log.h>

#include "tls_session.h"

#define CHECK_MS 10000 /* the token, and the certificate's time */
#define RETRY_FIRST_MS 250
#define RETRY_LAST_MS 10000
/* After a refused PIN or in lockout nothing gets better within seconds. */
#define RETRY_LOCKED_MS 600000

struct tlm_tls {
    tlm_tls_sources sources; /* its texts are ours */
    tlm_tls_token *token;    /* NULL: all files; otherwise the thread's */
    bool key_in_token;
    void (*changed)(void *context);
    void *context;

    pthread_t thread;
    bool started;

    /* The thread's alone. */
    bool must_load; /* until it went well */
    long retry_ms;
    unsigned recoveries; /* of the token when it was last read */
    char told_age[sizeof((tlm_error *)NULL)->message];

    pthread_mutex_t lock;
    pthread_cond_t wakened;
    bool stopping;
    bool reload;
    bool failed; /* a signature was not made since the thread last looked */
    tlm_tls_credentials *current;
    tlm_error error;
};

/* From a server's thread, in a handshake. */
static void signature_failed(void *context, const tlm_error *error)
{
    tlm_tls *self = context;
    tlm_tls_session_give_up();
    (void)pthread_mutex_lock(&self->lock);
    bool first = !self->failed && self->error.result == TLM_OK;
    self->failed = true;
    self->error = *error;
    (void)pthread_cond_signal(&self->wakened);
    (void)pthread_mutex_unlock(&self->lock);
    if (first) {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, error, "tls_signature_failed", NULL);
        self->changed(self->context);
    }
}

static tlm_result check_library(tlm_error *error)
{
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES ||
        MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK2) != MHD_YES) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                             "Install a libmicrohttpd with TLS (Debian's libmicrohttpd12 has it), "
                             "or leave REST.Tls unset and put a TLS proxy before the interface.",
                             "libmicrohttpd %s of this host was built without TLS",
                             MHD_get_version());
    }
    return TLM_OK;
}

static bool copy_text(const char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return *to != NULL || from == NULL;
}

/* Texts that are ours, behind the pointers to const that the callers see. */
static void free_text(const char *text)
{
    const union {
        const char *constant;
        char *plain;
    } owned = {.constant = text};
    free(owned.plain);
}

/* Reads the sources as they are now. */
static tlm_result read_credentials(tlm_tls *self, tlm_tls_credentials **made, tlm_error *error)
{
    tlm_result result = tlm_tls_credentials_load(&self->sources, self->token, made, error);
    if (result == TLM_OK) {
        gnutls_certificate_set_retrieve_function3((*made)->trust, tlm_tls_session_certificate);
    }
    return result;
}

static tlm_result make_token(tlm_tls *self, const tlm_tls_config *config, tlm_error *error)
{
    self->key_in_token = tlm_tls_is_uri(self->sources.key);
    if (!self->key_in_token && !tlm_tls_is_uri(self->sources.certificate)) {
        return read_credentials(self, &self->current, error);
    }
    if (config->module == NULL) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "Install it (Debian: apt-get install p11-kit-modules), or name a "
                             "module: Pkcs11.Module (--pkcs11-module)",
                             "p11-kit-client.so, through which tlm-tokend is used, was not found");
    }
    /* Never a module of GnuTLS's own accord: ours must not be loaded twice. */
    (void)gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_MANUAL, NULL);
    tlm_tls_token_config token = {.module = config->module,
                                  .uri = config->token_uri,
                                  .pin_file = config->pin_file,
                                  .wait_ms = (int64_t)config->wait_seconds * 1000,
                                  .failed = signature_failed,
                                  .context = self};
    self->must_load = true;
    return tlm_tls_token_new(&token, &self->token, error);
}

tlm_result tlm_tls_new(const tlm_tls_config *config, tlm_tls **tls, tlm_error *error)
{
    *tls = NULL;
    tlm_result result = check_library(error);
    if (result == TLM_OK) {
        result = tlm_tls_sources_check(&config->sources, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    tlm_tls *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for HTTPS");
    }
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_cond_init(&self->wakened, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    self->changed = config->changed;
    self->context = config->context;
    self->sources.client_optional = config->sources.client_optional;
    bool copied = copy_text(&self->sources.certificate, config->sources.certificate) &&
                  copy_text(&self->sources.key, config->sources.key) &&
                  copy_text(&self->sources.client_ca, config->sources.client_ca);
    result = copied ? make_token(self, config, error)
                    : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for HTTPS");
    if (result != TLM_OK) {
        tlm_tls_stop(&self);
        return result;
    }
    *tls = self;
    return TLM_OK;
}

tlm_tls_credentials *tlm_tls_current(tlm_tls *tls)
{
    (void)pthread_mutex_lock(&tls->lock);
    tlm_tls_credentials *held = tlm_tls_credentials_hold(tls->current);
    (void)pthread_mutex_unlock(&tls->lock);
    return held;
}

void tlm_tls_get(tlm_tls *tls, tlm_tls_state *state)
{
    tlm_tls_credentials *held = tlm_tls_current(tls);
    *state = (tlm_tls_state){.key_in_token = tls->key_in_token};
    (void)pthread_mutex_lock(&tls->lock);
    state->error = tls->error;
    (void)pthread_mutex_unlock(&tls->lock);
    state->ready = held != NULL;
    if (held != NULL) {
        state->not_after = held->not_after;
        (void)tlm_tls_credentials_age(held, time(NULL), &state->expiration);
    }
    tlm_tls_credentials_release(&held);
}

/* Whether the token may be another one than that which was read. */
static bool is_stale(tlm_tls *self)
{
    return self->token != NULL && self->recoveries != tlm_tls_token_recoveries(self->token);
}

static tlm_result load(tlm_tls *self, tlm_error *error)
{
    tlm_tls_credentials *made = NULL;
    tlm_result result = self->token != NULL ? tlm_tls_token_open(self->token, error) : TLM_OK;
    unsigned recoveries = self->token != NULL ? tlm_tls_token_recoveries(self->token) : 0;
    if (result == TLM_OK) {
        result = read_credentials(self, &made, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    self->recoveries = recoveries;
    (void)pthread_mutex_lock(&self->lock);
    tlm_tls_credentials *old = self->current;
    self->current = made;
    (void)pthread_mutex_unlock(&self->lock);
    tlm_tls_credentials_release(&old);
    tlm_log(TLM_LOG_INFO, "tls_loaded", "key=%s", self->key_in_token ? "token" : "file");
    return TLM_OK;
}

/* Keeps what came of it; whether that is another thing than before. */
static bool conclude(tlm_tls *self, tlm_result result, const tlm_error *error)
{
    static const tlm_error none = {.result = TLM_OK};
    const tlm_error *now = result == TLM_OK ? &none : error;
    (void)pthread_mutex_lock(&self->lock);
    bool was_wrong = self->error.result != TLM_OK;
    bool other = self->error.result != now->result;
    self->error = *now;
    (void)pthread_mutex_unlock(&self->lock);
    if (result != TLM_OK && other) {
        tlm_log_write_error(TLM_LOG_ERROR, __func__, now, "tls_unavailable", NULL);
    } else if (result == TLM_OK && was_wrong) {
        tlm_log(TLM_LOG_INFO, "tls_available", NULL);
    }
    return other;
}

/* Whether the certificate's time is told otherwise than when it was last looked at. */
static bool age_changed(tlm_tls *self)
{
    tlm_error now = {0};
    if (self->current != NULL) {
        (void)tlm_tls_credentials_age(self->current, time(NULL), &now);
    }
    bool other = strcmp(now.message, self->told_age) != 0;
    memcpy(self->told_age, now.message, sizeof self->told_age);
    if (other && now.result != TLM_OK) {
        tlm_log_write_error(TLM_LOG_WARNING, __func__, &now, "tls_certificate", NULL);
    }
    return other;
}

static long next_wait(tlm_tls *self, tlm_result result)
{
    if (result == TLM_OK) {
        self->retry_ms = 0;
        return CHECK_MS;
    }
    if (result == TLM_ERR_PIN || result == TLM_ERR_LOCKED) {
        return RETRY_LOCKED_MS;
    }
    long next = self->retry_ms == 0 ? RETRY_FIRST_MS : self->retry_ms * 2;
    self->retry_ms = next < RETRY_LAST_MS ? next : RETRY_LAST_MS;
    return self->retry_ms;
}

/* One look at everything; returns the milliseconds until the next one. */
static long step(tlm_tls *self)
{
    tlm_error error = {0};
    tlm_result result = TLM_OK;
    bool loaded = false;
    if (self->token != NULL && self->current != NULL) {
        result = tlm_tls_token_probe(self->token, &error);
    }
    if (result == TLM_OK && (self->must_load || is_stale(self))) {
        result = load(self, &error);
        self->must_load = result != TLM_OK;
        loaded = result == TLM_OK;
    }
    bool changed = conclude(self, result, &error);
    changed = age_changed(self) || changed || loaded;
    if (changed) {
        self->changed(self->context);
    }
    return next_wait(self, result);
}

/* Sleeps until something is to be done; false: the end. */
static bool await(tlm_tls *self, long wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&self->lock);
    int waited = 0;
    while (!self->stopping && !self->reload && !self->failed && waited == 0) {
        waited = pthread_cond_timedwait(&self->wakened, &self->lock, &until);
    }
    self->must_load = self->must_load || self->reload || self->failed;
    self->reload = false;
    self->failed = false;
    bool go_on = !self->stopping;
    (void)pthread_mutex_unlock(&self->lock);
    return go_on;
}

static void *work(void *context)
{
    tlm_tls *self = context;
    long wait_ms = 0;
    while (await(self, wait_ms)) {
        wait_ms = step(self);
    }
    return NULL;
}

tlm_result tlm_tls_start(tlm_tls *tls, tlm_error *error)
{
    int number = pthread_create(&tls->thread, NULL, work, tls);
    if (number != 0) {
        errno = number;
        return tlm_error_set_errno(error, "look at ulimit -u and the limit of tasks",
                                   "starting the thread of HTTPS");
    }
    tls->started = true;
    return TLM_OK;
}

void tlm_tls_reload(tlm_tls *tls)
{
    (void)pthread_mutex_lock(&tls->lock);
    tls->reload = true;
    (void)pthread_cond_signal(&tls->wakened);
    (void)pthread_mutex_unlock(&tls->lock);
}

void tlm_tls_stop(tlm_tls **tls)
{
    tlm_tls *self = *tls;
    *tls = NULL;
    if (self == NULL) {
        return;
    }
    if (self->started) {
        (void)pthread_mutex_lock(&self->lock);
        self->stopping = true;
        (void)pthread_cond_signal(&self->wakened);
        (void)pthread_mutex_unlock(&self->lock);
        (void)pthread_join(self->thread, NULL);
    }
    tlm_tls_credentials_release(&self->current);
    if (self->token != NULL) {
        tlm_tls_token_free(&self->token);
        gnutls_pkcs11_deinit();
    }
    (void)pthread_cond_destroy(&self->wakened);
    (void)pthread_mutex_destroy(&self->lock);
    free_text(self->sources.certificate);
    free_text(self->sources.key);
    free_text(self->sources.client_ca);
    free(self);
}
