/* SPDX-License-Identifier: BSD-2-Clause */
#include "api.h"

#include <pthread.h>
#include <stdlib.h>

struct tlm_api {
    tlm_access_mode mode;
    tlm_bearer *bearer;
    tlm_limits *limits;
    pthread_mutex_t lock;
    pthread_cond_t left;
    tlm_licensing *licensing; /* NULL: calls are not taken */
    unsigned inside;          /* threads that are in tlm_licensing_submit */
};

tlm_result tlm_api_new(tlm_access_mode mode, unsigned rate, tlm_api **api, tlm_error *error)
{
    *api = NULL;
    tlm_api *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the interface");
    }
    self->mode = mode;
    tlm_result result = TLM_OK;
    if (pthread_mutex_init(&self->lock, NULL) != 0) {
        free(self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the interface's lock");
    }
    if (pthread_cond_init(&self->left, NULL) != 0) {
        (void)pthread_mutex_destroy(&self->lock);
        free(self);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the interface's lock");
    }
    result = tlm_bearer_new(&self->bearer, error);
    if (result == TLM_OK) {
        result = tlm_limits_new(rate, &self->limits, error);
    }
    if (result != TLM_OK) {
        tlm_api_free(&self);
        return result;
    }
    *api = self;
    return TLM_OK;
}

void tlm_api_free(tlm_api **api)
{
    if (api == NULL || *api == NULL) {
        return;
    }
    tlm_api *self = *api;
    *api = NULL;
    tlm_bearer_free(&self->bearer);
    tlm_limits_free(&self->limits);
    (void)pthread_cond_destroy(&self->left);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

tlm_bearer *tlm_api_bearer(tlm_api *api)
{
    return api->bearer;
}

tlm_limits *tlm_api_limits(tlm_api *api)
{
    return api->limits;
}

tlm_access_mode tlm_api_mode(const tlm_api *api)
{
    return api->mode;
}

void tlm_api_open(tlm_api *api, tlm_licensing *licensing)
{
    (void)pthread_mutex_lock(&api->lock);
    api->licensing = licensing;
    (void)pthread_mutex_unlock(&api->lock);
}

void tlm_api_close(tlm_api *api)
{
    (void)pthread_mutex_lock(&api->lock);
    api->licensing = NULL;
    while (api->inside > 0) {
        (void)pthread_cond_wait(&api->left, &api->lock);
    }
    (void)pthread_mutex_unlock(&api->lock);
}

bool tlm_api_submit(tlm_api *api, tlm_call *call)
{
    (void)pthread_mutex_lock(&api->lock);
    tlm_licensing *licensing = api->licensing;
    api->inside += licensing != NULL ? 1U : 0U;
    (void)pthread_mutex_unlock(&api->lock);
    if (licensing == NULL) {
        return false;
    }
    /* Not under the lock: `done` may be called in there. */
    tlm_licensing_submit(licensing, call);
    (void)pthread_mutex_lock(&api->lock);
    api->inside--;
    if (api->inside == 0) {
        (void)pthread_cond_signal(&api->left);
    }
    (void)pthread_mutex_unlock(&api->lock);
    return true;
}
