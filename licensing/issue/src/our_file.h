/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TLM_ISSUE_OUR_FILE_H
#define TLM_ISSUE_OUR_FILE_H

/*
 * Which of our files a text is.
 *
 *     tlm_our_file *file = NULL;
 *     result = tlm_our_file_read("license.jws", &file, &error);
 *     puts(tlm_our_file_kind_name(file->kind));
 *     tlm_our_file_free(&file);
 */

#include <stddef.h>

#include <jansson.h>

#include <tlm/jwe.h>
#include <tlm/jws.h>
#include <tlm/result.h>

#include "description.h"

#define TLM_OUR_FILE_MAX 67108864U

typedef enum tlm_our_file_kind {
    TLM_FILE_LICENSE,        /* container */
    TLM_FILE_SIGNED_PACKAGE, /* before it is encrypted */
    TLM_FILE_REVOCATION,
    TLM_FILE_ROOT, /* signed root of statements */
    TLM_FILE_JWS,  /* another one */
    TLM_FILE_PACKAGE,
    TLM_FILE_PERSISTENCE, /* persistence.bin */
    TLM_FILE_VAULT,       /* vault.bin */
    TLM_FILE_JWE,         /* another one */
    TLM_FILE_JWKS,
    TLM_FILE_REQUEST,
    TLM_FILE_FINGERPRINT,
    TLM_FILE_STATEMENT, /* an answer that carries one */
    TLM_FILE_AUDIT,
    TLM_FILE_DESCRIPTION,
    TLM_FILE_PUBLIC_KEY,
    TLM_FILE_PRIVATE_KEY,
    TLM_FILE_KIND_COUNT
} tlm_our_file_kind;

typedef struct tlm_our_file {
    tlm_our_file_kind kind;
    char *name; /* as messages call it */
    char *text;
    size_t size;
    tlm_jws *jws;
    tlm_jwe *jwe;
    json_t *object; /* of files that are one JSON object */
    tlm_description *description;
} tlm_our_file;

/* TLM_ERR_FORMAT where it is none of ours, with what is wrong where that can be told. */
TLM_CHECKED tlm_result tlm_our_file_read(const char *path, tlm_our_file **file, tlm_error *error);
/* Takes `text`, which is malloc's and has a zero byte behind it, over in every case. */
TLM_CHECKED tlm_result tlm_our_file_parse(char *text, size_t size, const char *name,
                                          tlm_our_file **file, tlm_error *error);
void tlm_our_file_free(tlm_our_file **file);

/* "license", "signed-package" …: for machines; and for people. */
const char *tlm_our_file_kind_name(tlm_our_file_kind kind);
const char *tlm_our_file_kind_text(tlm_our_file_kind kind);

#endif
