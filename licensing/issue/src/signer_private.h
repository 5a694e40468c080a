/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_SIGNER_PRIVATE_H
#define TLM_ISSUE_SIGNER_PRIVATE_H

#include <tlm/key.h>
#include <tlm/token.h>

#include "signer.h"

struct tlm_signer {
    tlm_token *token; /* NULL for a file */
    tlm_key *key;
    EVP_PKEY *file;   /* private, or public where nothing is signed; NULL for a token */
    EVP_PKEY *public; /* owned by `key` or the same as `file` */
    tlm_secret *pin;  /* read from a descriptor, which gives it once */
    const char *pin_file;
    bool pin_pad;
    tlm_error pin_error; /* why the passphrase of a PEM file could not be read */
    const char *alg;
    char *kid;
};

/* Opens the token of a URI and logs in; the key is not looked for yet. */
TLM_CHECKED tlm_result tlm_signer_open_token(tlm_signer *signer, const tlm_signer_config *config,
                                             tlm_error *error);

/* A tlm_token_pin_source; the context is the signer. NULL where no PIN was named. */
tlm_result tlm_signer_pin(void *context, tlm_secret **pin, tlm_error *error);
/* Reads what the config names: a descriptor at once, a file when it is needed. */
TLM_CHECKED tlm_result tlm_signer_take_pin(tlm_signer *signer, const tlm_signer_config *config,
                                           tlm_error *error);

/* A key from a PEM file; with `private` from one that only its owner can read. */
TLM_CHECKED tlm_result tlm_signer_read_file(tlm_signer *signer, const char *path, bool private,
                                            tlm_error *error);

/* Fills alg and kid once `public` is there. */
TLM_CHECKED tlm_result tlm_signer_settle(tlm_signer *signer, const tlm_signer_config *config,
                                         tlm_error *error);

#endif
