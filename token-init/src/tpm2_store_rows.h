/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM2_STORE_ROWS_H
#define TLM_TPM2_STORE_ROWS_H

/* What the two files of tlm/tpm2_store.h share. */

#include <sqlite3.h>

#include <tlm/tpm2_store.h>

struct tlm_tpm2_store {
    sqlite3 *db;
    char *path;
};

/* Fills `error` from SQLite's last error: "reading the tokens in /…: … (SQLite 5)". */
tlm_result tlm_tpm2_store_fail(tlm_tpm2_store *store, tlm_error *error, const char *what);

#endif
