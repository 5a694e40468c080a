/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_FINGERPRINT_JSON_H
#define TLM_FINGERPRINT_JSON_H

/*
 * The documents of /fingerprint and /fingerprint/fallback.
 *
 *     char *text = tlm_fingerprint_text(&view->fingerprint, view->hardware_bound);
 */

#include <stdbool.h>

#include <tlm/fingerprint.h>

/* One line of JSON; the caller frees it. NULL where memory is out. */
char *tlm_fingerprint_text(const tlm_fingerprint *fingerprint, bool hardware_bound);

#endif
