/* SPDX-License-Identifier: BSD-2-Clause */
#include "documents.h"

#include "fingerprint_json.h"

typedef struct document_text {
    unsigned status;
    char *body;
} document_text;

static document_text unavailable(const tlm_identity_view *view, tlm_document document)
{
    return (document_text){MHD_HTTP_SERVICE_UNAVAILABLE,
                           tlm_status_problem_text(view, tlm_route_path(document))};
}

static document_text make_ready(const tlm_identity_view *view)
{
    if (!view->ready) {
        return unavailable(view, TLM_DOCUMENT_READY);
    }
    return (document_text){MHD_HTTP_OK, tlm_status_ready_text(view)};
}

/* A fingerprint stays true while its token is away: it is given as long as it is known. */
static document_text make_fingerprint(const tlm_identity_view *view)
{
    if (!view->has_fingerprint) {
        return unavailable(view, TLM_DOCUMENT_FINGERPRINT);
    }
    return (document_text){MHD_HTTP_OK,
                           tlm_fingerprint_text(&view->fingerprint, view->hardware_bound)};
}

/* The fallback's key is a file: it is never bound to hardware. */
static document_text make_fallback(const tlm_identity_view *view)
{
    if (!view->has_fallback) {
        return unavailable(view, TLM_DOCUMENT_FALLBACK);
    }
    return (document_text){MHD_HTTP_OK, tlm_fingerprint_text(&view->fallback, false)};
}

static document_text make(tlm_document document, const tlm_status_source *source)
{
    switch (document) {
    case TLM_DOCUMENT_HEALTH:
        return (document_text){MHD_HTTP_OK, tlm_status_health_text(source->view)};
    case TLM_DOCUMENT_READY:
        return make_ready(source->view);
    case TLM_DOCUMENT_STATUS:
        return (document_text){MHD_HTTP_OK, tlm_status_text(source)};
    case TLM_DOCUMENT_FINGERPRINT:
        return make_fingerprint(source->view);
    case TLM_DOCUMENT_FALLBACK:
        return make_fallback(source->view);
    case TLM_DOCUMENT_COUNT:
        break;
    }
    return (document_text){0, NULL};
}

tlm_result tlm_documents_publish(tlm_answers *answers, const tlm_status_source *source,
                                 tlm_error *error)
{
    tlm_result worst = TLM_OK;
    for (int i = 0; i < TLM_DOCUMENT_COUNT; i++) {
        document_text text = make((tlm_document)i, source);
        tlm_result result =
            tlm_answers_set(answers, (tlm_document)i, text.status, text.body, error);
        worst = result != TLM_OK ? result : worst;
    }
    return worst;
}
