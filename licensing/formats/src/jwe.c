/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/jwe.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/key.h>

#include "json_private.h"
#include "jwe_private.h"

#define PARTS 5U
#define GCM_IV_SIZE 12U
#define GCM_TAG_SIZE 16U
#define HEADER_TEXT_MAX 256U

enum { PART_HEADER, PART_KEY, PART_IV, PART_CIPHERTEXT, PART_TAG };

typedef struct part {
    const char *text;
    size_t length;
} part;

static bool split(const char *text, size_t size, part parts[PARTS])
{
    size_t start = 0;
    for (size_t i = 0; i < PARTS; i++) {
        const char *dot = memchr(text + start, '.', size - start);
        bool last = i == PARTS - 1;
        if ((dot == NULL) != last) {
            return false;
        }
        size_t end = last ? size : (size_t)(dot - text);
        parts[i] = (part){text + start, end - start};
        start = end + 1;
    }
    return true;
}

/* Decodes one part whose size is known, only to see that it is canonical. */
static tlm_result check_part(const part *from, size_t expected, const char *name, tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_base64url_decode(from->text, from->length, &data, &size, error);
    free(data);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s of a JWE", name);
        return result;
    }
    if (expected != 0 && size != expected) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s of a JWE has %zu bytes, not %zu",
                             name, size, expected);
    }
    return TLM_OK;
}

/* Fills *text with a member that may be missing; false where it is there and no short text. */
static bool optional_text(const json_t *object, const char *name, const char **text)
{
    if (json_object_get(object, name) == NULL) {
        return true;
    }
    *text = tlm_json_member(object, name, HEADER_TEXT_MAX);
    return *text != NULL;
}

static tlm_result check_header(const json_t *members, tlm_jwe_header *header, tlm_error *error)
{
    header->alg = tlm_json_member(members, "alg", HEADER_TEXT_MAX);
    header->enc = tlm_json_member(members, "enc", HEADER_TEXT_MAX);
    if (header->alg == NULL || header->enc == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "the header of a JWE lacks alg or enc");
    }
    if (json_object_get(members, "zip") != NULL || json_object_get(members, "crit") != NULL) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL,
                             "the header of a JWE asks for zip or crit, which are not accepted");
    }
    if (strcmp(header->enc, TLM_JWE_ENC_A256GCM) != 0) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, NULL, "the enc of a JWE is not %s",
                             TLM_JWE_ENC_A256GCM);
    }
    if (!optional_text(members, "kid", &header->kid) ||
        !optional_text(members, "typ", &header->typ) ||
        !optional_text(members, "cty", &header->cty)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "kid, typ or cty of a JWE is not a text of 1 to %u bytes",
                             HEADER_TEXT_MAX);
    }
    return TLM_OK;
}

static tlm_result parse_header(const part *from, tlm_jwe *jwe, tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    tlm_result result = tlm_base64url_decode(from->text, from->length, &data, &size, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the header of a JWE");
        return result;
    }
    result = tlm_json_parse(data, size, "the header of a JWE", &jwe->members, error);
    free(data);
    if (result != TLM_OK) {
        return result;
    }
    return check_header(jwe->members, &jwe->header, error);
}

static tlm_result parse_key(const part *from, tlm_jwe *jwe, tlm_error *error)
{
    const char *alg = jwe->header.alg;
    bool direct = alg != NULL && strcmp(alg, TLM_JWE_ALG_DIR) == 0;
    if (direct != (from->length == 0)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             direct ? "a JWE with alg dir carries an encrypted key"
                                    : "a JWE carries no encrypted key");
    }
    if (direct) {
        return TLM_OK;
    }
    tlm_result result = tlm_base64url_decode(from->text, from->length, &jwe->encrypted_key,
                                             &jwe->encrypted_size, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the encrypted key of a JWE");
    }
    return result;
}

static char *copy_part(const part *from)
{
    char *text = malloc(from->length + 1);
    if (text != NULL) {
        memcpy(text, from->text, from->length);
        text[from->length] = '\0';
    }
    return text;
}

static tlm_result keep_parts(const part parts[PARTS], tlm_jwe *jwe, tlm_error *error)
{
    jwe->protected_header = copy_part(&parts[PART_HEADER]);
    jwe->iv = copy_part(&parts[PART_IV]);
    jwe->ciphertext = copy_part(&parts[PART_CIPHERTEXT]);
    jwe->tag = copy_part(&parts[PART_TAG]);
    if (jwe->protected_header == NULL || jwe->iv == NULL || jwe->ciphertext == NULL ||
        jwe->tag == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for the parts of a JWE");
    }
    return TLM_OK;
}

static tlm_result parse_parts(const part parts[PARTS], tlm_jwe *jwe, tlm_error *error)
{
    tlm_result result = parse_header(&parts[PART_HEADER], jwe, error);
    if (result == TLM_OK) {
        result = parse_key(&parts[PART_KEY], jwe, error);
    }
    if (result == TLM_OK) {
        result = check_part(&parts[PART_IV], GCM_IV_SIZE, "the nonce", error);
    }
    if (result == TLM_OK && parts[PART_CIPHERTEXT].length == 0) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "a JWE has no cipher text");
    }
    if (result == TLM_OK) {
        result = check_part(&parts[PART_CIPHERTEXT], 0, "the cipher text", error);
    }
    if (result == TLM_OK) {
        result = check_part(&parts[PART_TAG], GCM_TAG_SIZE, "the authentication tag", error);
    }
    return result == TLM_OK ? keep_parts(parts, jwe, error) : result;
}

tlm_result tlm_jwe_parse(const char *text, size_t size, tlm_jwe **jwe, tlm_error *error)
{
    return tlm_jwe_parse_large(text, size, TLM_JWE_MAX, jwe, error);
}

tlm_result tlm_jwe_parse_large(const char *text, size_t size, size_t max, tlm_jwe **jwe,
                               tlm_error *error)
{
    if (text == NULL || jwe == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWE without text");
    }
    if (size > max) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "a JWE of %zu bytes is larger than the %zu that are accepted", size,
                             max);
    }
    part parts[PARTS];
    if (!split(text, size, parts)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "not a compact JWE: it does not have %u parts", PARTS);
    }
    tlm_jwe *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JWE");
    }
    tlm_result result = parse_parts(parts, made, error);
    if (result != TLM_OK) {
        tlm_jwe_free(&made);
        return result;
    }
    *jwe = made;
    return TLM_OK;
}

void tlm_jwe_free(tlm_jwe **jwe)
{
    if (jwe == NULL || *jwe == NULL) {
        return;
    }
    tlm_jwe *gone = *jwe;
    json_decref(gone->members);
    free(gone->encrypted_key);
    free(gone->protected_header);
    free(gone->iv);
    free(gone->ciphertext);
    free(gone->tag);
    free(gone);
    *jwe = NULL;
}

const tlm_jwe_header *tlm_jwe_get_header(const tlm_jwe *jwe)
{
    return &jwe->header;
}

const unsigned char *tlm_jwe_encrypted_key(const tlm_jwe *jwe)
{
    return jwe->encrypted_key;
}

size_t tlm_jwe_encrypted_size(const tlm_jwe *jwe)
{
    return jwe->encrypted_size;
}
