/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_RECORD_POOLS_H
#define TLM_LEDGER_RECORD_POOLS_H

/* The pools of the licenses in memory; for records.c. */

#include "ledger_private.h"

/* Gives each feature of the license its pool: the one there was, or a new one. What a pool counted
 * under another model is worth nothing under the new one and begins anew. */
TLM_CHECKED tlm_result tlm_record_fit_pools(tlm_ledger *ledger, tlm_record *record,
                                            tlm_error *error);

/* Reads every pool of the licenses in memory. */
TLM_CHECKED tlm_result tlm_pools_load(tlm_ledger *ledger, tlm_error *error);

#endif
