/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/log.h>

#include "text_private.h"

/* A view is never changed once it is published; the last user frees it. */
struct tlm_view_box {
    tlm_identity_view view; /* first, so that a view leads to its box */
    atomic_uint users;
};

tlm_view_box *tlm_view_box_new(void)
{
    tlm_view_box *box = calloc(1, sizeof *box);
    if (box != NULL) {
        atomic_init(&box->users, 1);
        box->view.backend = "none";
    }
    return box;
}

tlm_identity_view *tlm_view_box_edit(tlm_view_box *box)
{
    return &box->view;
}

const tlm_identity_view *tlm_view_box_get(tlm_view_box *box)
{
    (void)atomic_fetch_add_explicit(&box->users, 1, memory_order_relaxed);
    return &box->view;
}

void tlm_view_box_release(tlm_view_box *box)
{
    if (box != NULL && atomic_fetch_sub_explicit(&box->users, 1, memory_order_acq_rel) == 1) {
        tlm_fingerprint_clear(&box->view.fingerprint);
        tlm_fingerprint_clear(&box->view.fallback);
        free(box);
    }
}

const tlm_identity_view *tlm_identity_view_get(tlm_identity *identity)
{
    (void)pthread_mutex_lock(&identity->lock);
    const tlm_identity_view *view = tlm_view_box_get(identity->current);
    (void)pthread_mutex_unlock(&identity->lock);
    return view;
}

void tlm_identity_view_release(const tlm_identity_view **view)
{
    if (view == NULL || *view == NULL) {
        return;
    }
    /* The caller's pointer is to const for his own good; the box behind it counts. */
    union {
        const tlm_identity_view *view;
        tlm_view_box *box;
    } both = {.view = *view};
    tlm_view_box_release(both.box);
    *view = NULL;
}

static bool is_simulated(const tlm_identity *identity, const tlm_identity_view *view)
{
    return view->holder == TLM_HOLDER_TPM &&
           (identity->config.tcti_simulated || identity->holder.report.simulated ||
            (view->has_token && strncmp(view->token_info.model, "SW   TPM", 8) == 0));
}

static const char *backend_name(tlm_key_holder holder, bool simulated)
{
    switch (holder) {
    case TLM_HOLDER_TPM:
        return simulated ? "swtpm" : "tpm";
    case TLM_HOLDER_SOFTHSM:
        return "softhsm";
    case TLM_HOLDER_MODULE:
        return "pkcs11";
    case TLM_HOLDER_LOCAL:
        return "local";
    case TLM_HOLDER_NONE:
        break;
    }
    return "none";
}

static void fill_holder(const tlm_identity *identity, tlm_identity_view *view)
{
    view->holder = identity->holder.kind;
    if (identity->holder.token != NULL) {
        tlm_token_get_info(identity->holder.token, &view->token_info);
        view->has_token = true;
        view->recoveries = tlm_token_recoveries(identity->holder.token);
    }
    view->simulated = is_simulated(identity, view);
    view->backend = backend_name(view->holder, view->simulated);
    bool hardware = identity->holder.served ? identity->holder.report.hardware_bound
                                            : view->token_info.hardware_slot;
    view->hardware_bound =
        view->has_token && ((view->holder == TLM_HOLDER_TPM && !view->simulated) ||
                            (view->holder == TLM_HOLDER_MODULE && hardware));
}

/* Who serves the token, as far as it is one that is served. */
static void fill_provider(const tlm_identity *identity, tlm_identity_view *view)
{
    tlm_tokend_report report;
    bool token = view->holder == TLM_HOLDER_TPM || view->holder == TLM_HOLDER_SOFTHSM ||
                 identity->holder.served;
    if (identity->supervisor == NULL || !token) {
        return;
    }
    view->has_provider = true;
    (void)snprintf(view->provider_socket, sizeof view->provider_socket, "%s",
                   identity->config.socket);
    view->provider_pid = tlm_supervisor_child(identity->supervisor);
    view->provider_supervised = view->provider_pid != 0;
    if (!view->provider_supervised && tlm_tokend_connect(identity->config.socket, NULL) == TLM_OK &&
        tlm_tokend_report_read(tlm_supervisor_report(identity->supervisor), &report, NULL) ==
            TLM_OK) {
        view->provider_pid = report.pid;
    }
}

static tlm_result fill(const tlm_identity *identity, tlm_identity_view *view, tlm_error *error)
{
    view->state = identity->state;
    view->ready = tlm_startup_describe(identity->state)->healthy && identity->has_fingerprint;
    view->warm = identity->settled == TLM_START_WARM;
    view->state_since = identity->state_since;
    view->error = identity->error;
    fill_holder(identity, view);
    fill_provider(identity, view);
    tlm_text_copy(view->storage_id, sizeof view->storage_id, identity->storage_id);
    tlm_result result = TLM_OK;
    if (identity->has_fingerprint) {
        result = tlm_fingerprint_copy(&identity->fingerprint, &view->fingerprint, error);
        view->has_fingerprint = result == TLM_OK;
    }
    if (result == TLM_OK && identity->has_fallback) {
        result = tlm_fingerprint_copy(&identity->fallback, &view->fallback, error);
        view->has_fallback = result == TLM_OK;
    }
    return result;
}

void tlm_identity_publish(tlm_identity *identity)
{
    tlm_error error = {0};
    tlm_view_box *box = tlm_view_box_new();
    if (box == NULL || fill(identity, tlm_view_box_edit(box), &error) != TLM_OK) {
        tlm_view_box_release(box);
        tlm_log(TLM_LOG_ERROR, "view_not_published", "reason=\"%s\"", "out of memory");
        return;
    }
    (void)pthread_mutex_lock(&identity->lock);
    tlm_view_box *old = identity->current;
    identity->current = box;
    (void)pthread_mutex_unlock(&identity->lock);
    tlm_view_box_release(old);
    if (identity->config.changed != NULL) {
        identity->config.changed(identity->config.context);
    }
}
