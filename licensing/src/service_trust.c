/* SPDX-License-Identifier: BSD-2-Clause */
#include "service_private.h"

#include <stdlib.h>

#include <tlm/log.h>

tlm_trust_box *tlm_trust_box_load(const char *directory)
{
    tlm_trust_box *box = calloc(1, sizeof *box);
    if (box == NULL || tlm_trust_new(&box->trust, NULL) != TLM_OK) {
        free(box);
        return NULL;
    }
    atomic_init(&box->users, 1);
    if (directory == NULL || !tlm_trust_runtime()) {
        return box;
    }
    if (tlm_trust_add_directory(box->trust, directory, &box->error) != TLM_OK) {
        tlm_log_error(&box->error, "trust_incomplete", "keys=%zu", tlm_trust_count(box->trust));
    }
    return box;
}

tlm_trust_box *tlm_trust_box_get(tlm_licensing *service)
{
    (void)pthread_mutex_lock(&service->lock);
    tlm_trust_box *box = service->trust;
    (void)atomic_fetch_add_explicit(&box->users, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&service->lock);
    return box;
}

void tlm_trust_box_release(tlm_trust_box **box)
{
    if (box == NULL || *box == NULL) {
        return;
    }
    if (atomic_fetch_sub_explicit(&(*box)->users, 1, memory_order_acq_rel) == 1) {
        tlm_trust_free(&(*box)->trust);
        free(*box);
    }
    *box = NULL;
}

/* The ledger first: it verifies its licenses anew, and keeps the old trust where it cannot. */
static tlm_result exchange(tlm_licensing *service, tlm_trust_box **box, tlm_error *error)
{
    (void)pthread_mutex_lock(&service->lock);
    tlm_ledger *ledger = service->ledger;
    (void)pthread_mutex_unlock(&service->lock);
    tlm_result result =
        ledger != NULL ? tlm_ledger_set_trust(ledger, (*box)->trust, error) : TLM_OK;
    if (result != TLM_OK) {
        return result;
    }
    (void)pthread_mutex_lock(&service->lock);
    tlm_trust_box *old = service->trust;
    service->trust = *box;
    *box = old;
    (void)pthread_mutex_unlock(&service->lock);
    return TLM_OK;
}

tlm_result tlm_service_trust_load(tlm_licensing *service, tlm_error *error)
{
    (void)pthread_mutex_lock(&service->trust_lock);
    tlm_trust_box *box = tlm_trust_box_load(service->trust_dir);
    tlm_result result = TLM_OK;
    if (box == NULL) {
        result = tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the trusted keys");
    } else {
        const tlm_error incomplete = box->error;
        size_t count = tlm_trust_count(box->trust);
        result = exchange(service, &box, error);
        if (result == TLM_OK) {
            tlm_log(TLM_LOG_INFO, "trust_loaded", "keys=%zu compiled_in=%zu", count,
                    tlm_trust_compiled_in());
        }
        if (result == TLM_OK && incomplete.result != TLM_OK) {
            result = incomplete.result;
            if (error != NULL) {
                *error = incomplete;
            }
        }
    }
    tlm_trust_box_release(&box);
    (void)pthread_mutex_unlock(&service->trust_lock);
    return result;
}
