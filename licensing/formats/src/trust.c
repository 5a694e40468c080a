/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/trust.h>

#include <stdlib.h>
#include <string.h>

#include <tlm/jwk.h>

#include "claims_private.h"
#include "json_private.h"
#include "jwk_private.h"
#include "jws_private.h"
#include "trust_private.h"

#define COMPILED_IN "compiled in"

typedef struct entry {
    tlm_trust_key key;
    /* What the key points to. */
    char *kid;
    char *iss;
    char *origin;
    json_t *jwk;
    bool compiled_in;
} entry;

struct tlm_trust {
    entry **entries; /* each of its own, so that pointers to keys stay good */
    size_t count;
};

static void free_entry(entry *gone)
{
    if (gone != NULL) {
        free(gone->kid);
        free(gone->iss);
        free(gone->origin);
        json_decref(gone->jwk);
        free(gone);
    }
}

static void cut(tlm_trust *trust, size_t count)
{
    while (trust->count > count) {
        free_entry(trust->entries[--trust->count]);
    }
}

static tlm_result read_use(const tlm_claims *claims, entry *to, tlm_error *error)
{
    char *use = NULL;
    tlm_result result = tlm_claims_text(claims, "tlm:use", TLM_JWS_TEXT_MAX, &use, error);
    if (result != TLM_OK) {
        return result;
    }
    bool vendor = strcmp(use, "vendor") == 0;
    bool issuer = strcmp(use, "issuer") == 0;
    free(use);
    if (!vendor && !issuer) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s.tlm:use is neither vendor nor issuer",
                             claims->path);
    }
    to->key.use = vendor ? TLM_TRUST_VENDOR : TLM_TRUST_ISSUER;
    return vendor ? tlm_claims_text(claims, "tlm:iss", TLM_JWS_TEXT_MAX, &to->iss, error) : TLM_OK;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool for_verifying(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *operations = json_object_get(jwk, "key_ops");
    bool found = operations == NULL;
    for (size_t i = 0; i < json_array_size(operations); i++) {
        found = found || is_text(json_array_get(operations, i), "verify");
    }
    return found && (use == NULL || is_text(use, "sig"));
}

/* The key itself: public, whole, and fit for its algorithm. */
static tlm_result read_key(const tlm_claims *claims, entry *to, tlm_error *error)
{
    const json_t *jwk = claims->object;
    if (tlm_jwk_is_private(jwk)) {
        return tlm_error_set(error, TLM_ERR_FORMAT,
                             "Take this key for known to others and make a new one. Trust files "
                             "hold public keys.",
                             "%s is a private or a symmetric key", claims->path);
    }
    const tlm_jws_algorithm *algorithm =
        tlm_jws_algorithm_find(json_string_value(json_object_get(jwk, "alg")));
    if (algorithm == NULL) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "%s.alg is none of ES256, ES384, RS256, PS256", claims->path);
    }
    if (!for_verifying(jwk)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                             "%s is not for signatures: its use or key_ops say otherwise",
                             claims->path);
    }
    size_t size = 0;
    EVP_PKEY *public = NULL;
    tlm_result result = tlm_jwk_for(jwk, algorithm, &to->jwk, &size, error);
    if (result == TLM_OK) {
        result = tlm_jwk_to_public(to->jwk, &public, error);
    }
    EVP_PKEY_free(public);
    if (result != TLM_OK) {
        tlm_error_prefix(error, "%s", claims->path);
        return result;
    }
    to->key.alg = algorithm->name;
    return TLM_OK;
}

static tlm_result read_entry(const tlm_claims *claims, const char *origin, entry *to,
                             tlm_error *error)
{
    tlm_result result = tlm_claims_text(claims, "kid", TLM_JWS_TEXT_MAX, &to->kid, error);
    if (result == TLM_OK) {
        result = read_use(claims, to, error);
    }
    if (result == TLM_OK) {
        result = read_key(claims, to, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    to->origin = strdup(origin);
    if (to->origin == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a trusted key");
    }
    to->key.kid = to->kid;
    to->key.iss = to->iss;
    to->key.origin = to->origin;
    to->key.jwk = to->jwk;
    return TLM_OK;
}

static bool same_vendor(const entry *left, const entry *right)
{
    return left->key.use == right->key.use &&
           (left->key.use == TLM_TRUST_ISSUER || strcmp(left->iss, right->iss) == 0);
}

/*
 * Whether the key may be added beside those that are there; *known where it is there already. One
 * key may be a vendor's and an issuer's, but not one kid two keys, and what was compiled in gets no
 * further use from a file.
 */
static tlm_result compare(const tlm_trust *trust, const entry *made, bool *known, tlm_error *error)
{
    const entry *against = NULL;
    bool same_key = false;
    *known = false;
    for (size_t i = 0; i < trust->count; i++) {
        const entry *other = trust->entries[i];
        if (strcmp(other->kid, made->kid) != 0) {
            continue;
        }
        bool equal = json_equal(other->jwk, made->jwk) == 1;
        if (equal && same_vendor(other, made)) {
            *known = true;
            return TLM_OK;
        }
        if (!equal || (other->compiled_in && !made->compiled_in)) {
            against = other;
            same_key = equal;
        }
    }
    if (against == NULL) {
        return TLM_OK;
    }
    return tlm_error_set(error, TLM_ERR_CONFLICT,
                         "Give each key a kid of its own; its thumbprint is a good one.",
                         "the key %s stands for %s: %s", made->kid,
                         same_key ? "another use" : "another key", against->origin);
}

static tlm_result append(tlm_trust *trust, entry *made, tlm_error *error)
{
    if (trust->count >= TLM_TRUST_KEYS_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, "Leave out the keys that are not needed.",
                             "more than %u trusted keys", TLM_TRUST_KEYS_MAX);
    }
    entry **grown = realloc(trust->entries, (trust->count + 1) * sizeof(entry *));
    if (grown == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a trusted key");
    }
    trust->entries = grown;
    trust->entries[trust->count++] = made;
    return TLM_OK;
}

static tlm_result add_one(tlm_trust *trust, const json_t *jwk, size_t index, const char *origin,
                          tlm_error *error)
{
    tlm_claims claims = tlm_claims_at(jwk, "keys[%zu]", index);
    if (!json_is_object(jwk)) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "%s is not an object", claims.path);
    }
    entry *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a trusted key");
    }
    made->compiled_in = origin == NULL;
    bool known = false;
    tlm_result result = read_entry(&claims, origin == NULL ? COMPILED_IN : origin, made, error);
    if (result == TLM_OK) {
        result = compare(trust, made, &known, error);
    }
    if (result == TLM_OK && !known) {
        result = append(trust, made, error);
    }
    if (result != TLM_OK || known) {
        free_entry(made);
    }
    return result;
}

/* `origin` is NULL for what was compiled in. */
static tlm_result add_all(tlm_trust *trust, const char *text, size_t size, const char *origin,
                          tlm_error *error)
{
    json_t *root = NULL;
    const json_t *keys = NULL;
    size_t before = trust->count;
    tlm_result result = tlm_json_parse(text, size, "a JWKS", &root, error);
    if (result == TLM_OK) {
        tlm_claims claims = tlm_claims_at(root, "%s", "");
        result = tlm_claims_array(&claims, "keys", 0, TLM_TRUST_KEYS_MAX, &keys, error);
    }
    for (size_t i = 0; result == TLM_OK && i < json_array_size(keys); i++) {
        result = add_one(trust, json_array_get(keys, i), i, origin, error);
    }
    json_decref(root);
    if (result != TLM_OK) {
        cut(trust, before);
        tlm_error_prefix(error, "trusted keys, %s", origin == NULL ? COMPILED_IN : origin);
    }
    return result;
}

tlm_result tlm_trust_add(tlm_trust *trust, const char *text, size_t size, const char *origin,
                         tlm_error *error)
{
    if (trust == NULL || text == NULL || origin == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "trusted keys need text and origin");
    }
    if (size > TLM_JWKS_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "%s: %zu bytes are more than the %u of trusted keys", origin, size,
                             TLM_JWKS_MAX);
    }
    return add_all(trust, text, size, origin, error);
}

tlm_result tlm_trust_new(tlm_trust **trust, tlm_error *error)
{
    tlm_trust *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for trusted keys");
    }
    tlm_result result = TLM_OK;
    if (tlm_trust_build_size > 0) {
        result =
            add_all(made, (const char *)tlm_trust_build_jwks, tlm_trust_build_size, NULL, error);
    }
    if (result != TLM_OK) {
        tlm_trust_free(&made);
        return result;
    }
    *trust = made;
    return TLM_OK;
}

void tlm_trust_free(tlm_trust **trust)
{
    if (trust == NULL || *trust == NULL) {
        return;
    }
    cut(*trust, 0);
    free((*trust)->entries);
    free(*trust);
    *trust = NULL;
}

bool tlm_trust_runtime(void)
{
    return tlm_trust_build_runtime;
}

size_t tlm_trust_compiled_in(void)
{
    tlm_trust *trust = NULL;
    if (tlm_trust_new(&trust, NULL) != TLM_OK || trust == NULL) {
        return 0;
    }
    size_t count = trust->count;
    tlm_trust_free(&trust);
    return count;
}

size_t tlm_trust_count(const tlm_trust *trust)
{
    return trust->count;
}

const tlm_trust_key *tlm_trust_at(const tlm_trust *trust, size_t index)
{
    return index < trust->count ? &trust->entries[index]->key : NULL;
}

/* The first key with this kid, for what a refusal says. */
static const tlm_trust_key *any_with(const tlm_trust *trust, const char *kid)
{
    for (size_t i = 0; i < trust->count; i++) {
        if (strcmp(trust->entries[i]->kid, kid) == 0) {
            return &trust->entries[i]->key;
        }
    }
    return NULL;
}

static const tlm_trust_key *find(const tlm_trust *trust, const char *kid, tlm_trust_use use,
                                 const char *iss)
{
    for (size_t i = 0; i < trust->count; i++) {
        const tlm_trust_key *key = &trust->entries[i]->key;
        if (key->use == use && strcmp(key->kid, kid) == 0 &&
            (use == TLM_TRUST_ISSUER || strcmp(key->iss, iss) == 0)) {
            return key;
        }
    }
    return NULL;
}

/* `iss` is NULL where an issuer was looked for. */
static tlm_result untrusted(const tlm_trust *trust, const char *kid, const char *iss,
                            tlm_error *error)
{
    const tlm_trust_key *other = any_with(trust, kid);
    const char *wanted = iss == NULL ? "an issuer" : "the vendor ";
    const char *name = iss == NULL ? "" : iss;
    if (other == NULL) {
        return tlm_error_set(error, TLM_ERR_UNTRUSTED,
                             trust->count == 0 ? "This host trusts nobody yet: put the keys (JWKS) "
                                                 "of vendor and issuer into its trust directory."
                                               : NULL,
                             "no trusted key of %s%s has the kid %s", wanted, name, kid);
    }
    return tlm_error_set(error, TLM_ERR_UNTRUSTED, NULL,
                         "the key %s is not one of %s%s: it is trusted as %s %s", kid, wanted, name,
                         other->use == TLM_TRUST_ISSUER ? "an issuer" : "the vendor",
                         other->use == TLM_TRUST_ISSUER ? "of packages" : other->iss);
}

tlm_result tlm_trust_vendor(const tlm_trust *trust, const char *kid, const char *iss,
                            const tlm_trust_key **key, tlm_error *error)
{
    if (trust == NULL || kid == NULL || iss == NULL || key == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a vendor's key needs kid and iss");
    }
    *key = find(trust, kid, TLM_TRUST_VENDOR, iss);
    return *key != NULL ? TLM_OK : untrusted(trust, kid, iss, error);
}

tlm_result tlm_trust_issuer(const tlm_trust *trust, const char *kid, const tlm_trust_key **key,
                            tlm_error *error)
{
    if (trust == NULL || kid == NULL || key == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "an issuer's key needs its kid");
    }
    *key = find(trust, kid, TLM_TRUST_ISSUER, NULL);
    return *key != NULL ? TLM_OK : untrusted(trust, kid, NULL, error);
}
