/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/jws.h>

#include <stdlib.h>
#include <string.h>

#include "json_private.h"
#include "jws_private.h"
#include "text_private.h"

/* Digits of a header: three texts, each byte of which may be written as an escape. */
#define HEADER_DIGITS_MAX 8192U
/* More than any signature has; what is too long by less is the algorithm's to judge. */
#define SIGNATURE_DIGITS_MAX 1024U

struct tlm_jws {
    char *text;
    tlm_jws_parts parts; /* in `text` */
    json_t *members;     /* of the header; owns the texts of `header` */
    tlm_jws_header header;
    json_t *claims;
};

tlm_result tlm_jws_split(const char *text, size_t size, tlm_jws_parts *parts, tlm_error *error)
{
    const char *end = text + size;
    const char *first = memchr(text, '.', size);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "not a compact JWS: it does not have 3 parts");
    }
    *parts = (tlm_jws_parts){
        .header = text,
        .header_size = (size_t)(first - text),
        .payload = first + 1,
        .payload_size = (size_t)(second - first - 1),
        .signature = second + 1,
        .signature_size = (size_t)(end - second - 1),
    };
    return TLM_OK;
}

static tlm_result parse_object(const char *text, size_t size, const char *what, json_t **object,
                               tlm_error *error)
{
    unsigned char *data = NULL;
    size_t data_size = 0;
    tlm_result result = tlm_base64url_decode(text, size, &data, &data_size, error);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", what);
        return result;
    }
    result = tlm_json_parse(data, data_size, what, object, error);
    free(data);
    return result;
}

static tlm_result refuse_others(json_t *members, tlm_error *error)
{
    static const char *const known[] = {"alg", "kid", "typ"};
    const char *name = NULL;
    const json_t *value = NULL;
    json_object_foreach(members, name, value)
    {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            found = found || strcmp(name, known[i]) == 0;
        }
        if (!found) {
            char shown[64];
            tlm_text_show(shown, sizeof shown, name);
            return tlm_error_set(
                error, TLM_ERR_UNSUPPORTED, "Sign with a header of alg, kid and typ alone.",
                "the header of a JWS has the member %s, which is not accepted", shown);
        }
    }
    return TLM_OK;
}

static tlm_result read_text(const json_t *members, const char *name, const char **text,
                            tlm_error *error)
{
    *text = tlm_json_member(members, name, TLM_JWS_TEXT_MAX);
    if (*text == NULL || tlm_text_has_controls(*text)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "%s in the header of a JWS is missing, or not a text of 1 to %u bytes",
                             name, TLM_JWS_TEXT_MAX);
    }
    return TLM_OK;
}

static tlm_result read_header(tlm_jws *jws, tlm_error *error)
{
    tlm_jws_header *header = &jws->header;
    tlm_result result = refuse_others(jws->members, error);
    if (result == TLM_OK) {
        result = read_text(jws->members, "alg", &header->alg, error);
    }
    if (result == TLM_OK && tlm_jws_algorithm_find(header->alg) == NULL) {
        return tlm_error_set(error, TLM_ERR_UNSUPPORTED, "Sign with ES256, ES384, PS256 or RS256.",
                             "the alg of a JWS is %.32s, which is not accepted", header->alg);
    }
    if (result == TLM_OK) {
        result = read_text(jws->members, "kid", &header->kid, error);
    }
    if (result == TLM_OK) {
        result = read_text(jws->members, "typ", &header->typ, error);
    }
    return result;
}

/* Only to see that there is one text for one signature; its size is the algorithm's to judge. */
static tlm_result check_signature_text(const tlm_jws_parts *parts, tlm_error *error)
{
    unsigned char *data = NULL;
    size_t size = 0;
    if (parts->signature_size == 0 || parts->signature_size > SIGNATURE_DIGITS_MAX) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "a JWS with a signature of %zu digits",
                             parts->signature_size);
    }
    tlm_result result =
        tlm_base64url_decode(parts->signature, parts->signature_size, &data, &size, error);
    free(data);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "the signature of a JWS");
    }
    return result;
}

static tlm_result parse_parts(tlm_jws *jws, tlm_error *error)
{
    const tlm_jws_parts *parts = &jws->parts;
    if (parts->header_size > HEADER_DIGITS_MAX) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "a JWS with a header of %zu digits",
                             parts->header_size);
    }
    tlm_result result = parse_object(parts->header, parts->header_size, "the header of a JWS",
                                     &jws->members, error);
    if (result == TLM_OK) {
        result = read_header(jws, error);
    }
    if (result == TLM_OK) {
        result = check_signature_text(parts, error);
    }
    if (result == TLM_OK) {
        result = parse_object(parts->payload, parts->payload_size, "the payload of a JWS",
                              &jws->claims, error);
    }
    return result;
}

tlm_result tlm_jws_parse(const char *text, size_t size, size_t max, tlm_jws **jws, tlm_error *error)
{
    if (text == NULL || jws == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a JWS without text");
    }
    tlm_text_trim(&text, &size);
    if (size > max) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "a JWS of %zu bytes is larger than the %zu that are accepted", size,
                             max);
    }
    tlm_jws *made = calloc(1, sizeof *made);
    if (made == NULL || (made->text = malloc(size + 1)) == NULL) {
        free(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a JWS");
    }
    memcpy(made->text, text, size);
    made->text[size] = '\0';
    tlm_result result = tlm_jws_split(made->text, size, &made->parts, error);
    if (result == TLM_OK) {
        result = parse_parts(made, error);
    }
    if (result != TLM_OK) {
        tlm_jws_free(&made);
        return result;
    }
    *jws = made;
    return TLM_OK;
}

void tlm_jws_free(tlm_jws **jws)
{
    if (jws == NULL || *jws == NULL) {
        return;
    }
    tlm_jws *gone = *jws;
    json_decref(gone->members);
    json_decref(gone->claims);
    free(gone->text);
    free(gone);
    *jws = NULL;
}

const tlm_jws_header *tlm_jws_get_header(const tlm_jws *jws)
{
    return &jws->header;
}

const json_t *tlm_jws_claims(const tlm_jws *jws)
{
    return jws->claims;
}

const char *tlm_jws_text(const tlm_jws *jws)
{
    return jws->text;
}

tlm_result tlm_jws_verify(const tlm_jws *jws, const json_t *jwk, const char *alg, tlm_error *error)
{
    if (jws == NULL || jwk == NULL || alg == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "verifying takes a JWS, a key and its algorithm");
    }
    if (strcmp(jws->header.alg, alg) != 0) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "the JWS says %s, but its key %s is for %.32s", jws->header.alg,
                             jws->header.kid, alg);
    }
    tlm_result result = tlm_jws_verify_parts(&jws->parts, jwk, alg, error);
    if (result == TLM_ERR_SIGNATURE) {
        return tlm_error_set(error, TLM_ERR_SIGNATURE, NULL,
                             "the signature does not verify with the key %s (%s)", jws->header.kid,
                             alg);
    }
    return result;
}
