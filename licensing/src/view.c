/* SPDX-License-Identifier: BSD-2-Clause */
#include "view_private.h"

#include <stdlib.h>
#include <string.h>

void tlm_view_forget(tlm_identity_view **view)
{
    if (view != NULL && *view != NULL) {
        tlm_fingerprint_clear(&(*view)->fingerprint);
        tlm_fingerprint_clear(&(*view)->fallback);
        free(*view);
        *view = NULL;
    }
}

tlm_identity_view *tlm_view_keep(const tlm_identity_view *view)
{
    tlm_identity_view *kept = calloc(1, sizeof *kept);
    if (kept == NULL) {
        return NULL;
    }
    kept->state = view->state;
    kept->ready = view->ready;
    kept->error = view->error;
    kept->holder = view->holder;
    kept->backend = "";
    kept->has_fingerprint = view->has_fingerprint;
    kept->has_fallback = view->has_fallback;
    memcpy(kept->storage_id, view->storage_id, sizeof kept->storage_id);
    bool copied = !view->has_fingerprint ||
                  tlm_fingerprint_copy(&view->fingerprint, &kept->fingerprint, NULL) == TLM_OK;
    copied = copied && (!view->has_fallback ||
                        tlm_fingerprint_copy(&view->fallback, &kept->fallback, NULL) == TLM_OK);
    if (!copied) {
        tlm_view_forget(&kept);
    }
    return kept;
}
