/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM_JSON_H
#define TLM_TPM_JSON_H

/*
 * What is known of a TPM as the JSON that `tlm-token-init status --json` and the state file of
 * tlm-tokend show (docs/formats.md).
 *
 *     json_t *handles = json_array();
 *     json_array_append_new(handles, tlm_tpm_object_to_json(0x810003E8, &object, json_null()));
 *     json_t *tpm = tlm_tpm_facts_to_json(&facts, handles);
 */

#include <jansson.h>

#include <tlm/primary.h>
#include <tlm/tpm.h>

/* A new object, or NULL without memory; takes the reference of `handles`, as NULL an empty list. */
json_t *tlm_tpm_facts_to_json(const tlm_tpm_facts *facts, json_t *handles);

/* One of `handles`; takes the reference of `ours`: true, false, or null where it is not known. */
json_t *tlm_tpm_object_to_json(uint32_t handle, const tlm_tpm_object *object, json_t *ours);

#endif
