/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_EXPLAIN_H
#define TLM_LEDGER_EXPLAIN_H

/* Refusals in words: which license, since when, what to do. For choose.c. */

#include "ledger_private.h"

/* Fills the error of a pool's refusal and returns it. */
tlm_result tlm_explain(const tlm_ledger *ledger, const tlm_choice *choice, const tlm_pool *pool,
                       tlm_error *error);

/* No license here has the feature, or none that fits what narrows the choice. */
tlm_result tlm_explain_none(const tlm_ledger *ledger, const tlm_ledger_ask *ask, tlm_error *error);

#endif
