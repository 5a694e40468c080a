/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_DOCUMENTS_H
#define TLM_DOCUMENTS_H

/*
 * Makes every document of the REST interface from what is known now.
 *
 *     tlm_status_source source = {.view = view, …};
 *     result = tlm_documents_publish(answers, &source, &error);
 */

#include <tlm/result.h>

#include "answers.h"
#include "status.h"

/* On failure the documents that could not be made stay as they were. */
TLM_CHECKED tlm_result tlm_documents_publish(tlm_answers *answers, const tlm_status_source *source,
                                             tlm_error *error);

#endif
