/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_LEDGER_GUARD_STORE_H
#define TLM_LEDGER_GUARD_STORE_H

/* The guard's one row in the ledger. */

#include "guard_private.h"

/* Fills all that the ledger keeps. *found is false, and nothing filled, in a new one. */
TLM_CHECKED tlm_result tlm_guard_read(tlm_guard *guard, sqlite3 *db, bool *found, tlm_error *error);

/* Writes all of it, and takes note that the marks are kept. */
TLM_CHECKED tlm_result tlm_guard_write(tlm_guard *guard, sqlite3 *db, tlm_error *error);

#endif
