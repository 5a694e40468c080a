/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_TPM2_STORE_ROWS_H
#define TLM_TPM2_STORE_ROWS_H

/* What the files of tlm/tpm2_store.h share. */

#include <sqlite3.h>

#include <tlm/tpm2_store.h>

struct tlm_tpm2_store {
    sqlite3 *db;
    char *path;
};

/* Rows larger than this are no rows of tpm2-pkcs11. */
#define TLM_TPM2_ROW_MAX 262144

/* Hexadecimal digits into at most `room` bytes. */
bool tlm_tpm2_from_hex(const char *text, size_t length, unsigned char *bytes, size_t room,
                       size_t *size);

/* Text of a column, NULL where it is too large to be ours. */
const char *tlm_tpm2_column_text(sqlite3_stmt *row, int column, size_t *size);

/* Fills `error` from SQLite's last error: "reading the tokens in /…: … (SQLite 5)". */
tlm_result tlm_tpm2_store_fail(tlm_tpm2_store *store, tlm_error *error, const char *what);

#endif
