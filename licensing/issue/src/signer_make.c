/* SPDX-License-Identifier: BSD-2-Clause */
#include "signer_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <p11-kit/uri.h>

#include <tlm/file.h>

#include "output.h"

/* Ids below are those of a host's own keys. */
#define FIRST_ID 0x10
#define LAST_ID 0xff

static EVP_PKEY *generate(const char *alg, unsigned bits)
{
    EVP_PKEY *key = NULL;
    if (strcmp(alg, "ES256") == 0) {
        key = EVP_EC_gen("P-256");
    } else if (strcmp(alg, "ES384") == 0) {
        key = EVP_EC_gen("P-384");
    } else {
        key = EVP_RSA_gen(bits);
    }
    ERR_clear_error();
    return key;
}

static tlm_result make_file(tlm_signer *signer, const tlm_signer_config *config, unsigned bits,
                            tlm_error *error)
{
    signer->file = generate(config->alg, bits);
    signer->public = signer->file;
    BIO *memory = BIO_new(BIO_s_secmem());
    char *text = NULL;
    tlm_result result = TLM_OK;
    if (signer->file == NULL || memory == NULL ||
        PEM_write_bio_PKCS8PrivateKey(memory, signer->file, NULL, NULL, 0, NULL, NULL) != 1) {
        result = tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "OpenSSL made no key");
    } else {
        long size = BIO_get_mem_data(memory, &text);
        result = tlm_file_create(config->key, text, (size_t)size, 0600, error);
    }
    BIO_free(memory);
    if (result == TLM_ERR_EXISTS) {
        tlm_error_set_hint(error, "keys are never replaced; name another file");
    } else if (result == TLM_OK) {
        tlm_output_warning("%s is a key in a file, for trials: whoever reads it issues licenses; "
                           "keep others in a token",
                           config->key);
    }
    return result;
}

/* Label and, where the URI has one, id of the key that is to be made. */
static tlm_result name_of(const char *uri, char **label, int *id, tlm_error *error)
{
    P11KitUri *parsed = p11_kit_uri_new();
    const CK_ATTRIBUTE *name = NULL;
    if (parsed != NULL && p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, parsed) == P11_KIT_URI_OK) {
        name = p11_kit_uri_get_attribute(parsed, CKA_LABEL);
        const CK_ATTRIBUTE *given = p11_kit_uri_get_attribute(parsed, CKA_ID);
        *id = given == NULL ? -1 : given->ulValueLen == 1 ? *(unsigned char *)given->pValue : -2;
    }
    if (name != NULL && name->ulValueLen > 0) {
        *label = strndup(name->pValue, name->ulValueLen);
    }
    p11_kit_uri_free(parsed);
    if (*label == NULL || *id == -2) {
        free(*label);
        *label = NULL;
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "for example: --key 'pkcs11:token=vendor;object=acme'",
                             "the URI of a new key needs object, and an id of one byte if any");
    }
    return TLM_OK;
}

/* The first id that no key has; a failure to look is one that making the key will tell of. */
static unsigned char free_id(tlm_token *token)
{
    for (unsigned id = FIRST_ID; id <= LAST_ID; id++) {
        unsigned char byte = (unsigned char)id;
        tlm_key *key = NULL;
        if (tlm_key_find_by_id(token, &byte, sizeof byte, &key, NULL) == TLM_ERR_NOT_FOUND) {
            return byte;
        }
        tlm_key_free(&key);
    }
    return LAST_ID;
}

static tlm_result make_in_token(tlm_signer *signer, const tlm_signer_config *config, unsigned bits,
                                tlm_error *error)
{
    char *label = NULL;
    int given = -1;
    tlm_result result = tlm_signer_open_token(signer, config, error);
    if (result == TLM_OK) {
        result = name_of(config->key, &label, &given, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    unsigned char id = given >= 0 ? (unsigned char)given : free_id(signer->token);
    if (strcmp(config->alg, "ES256") == 0) {
        result = tlm_key_generate_p256(signer->token, label, id, &signer->key, error);
    } else if (strcmp(config->alg, "ES384") == 0) {
        result = tlm_key_generate_p384(signer->token, label, id, &signer->key, error);
    } else {
        result = tlm_key_generate_rsa(signer->token, bits, label, id, &signer->key, error);
    }
    free(label);
    if (result == TLM_OK) {
        signer->public = tlm_key_public(signer->key);
    }
    return result;
}

tlm_result tlm_signer_make(const tlm_signer_config *config, unsigned bits, tlm_signer **signer,
                           tlm_error *error)
{
    tlm_signer *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
    }
    tlm_result result = tlm_signer_take_pin(made, config, error);
    if (result == TLM_OK) {
        result = tlm_signer_in_token(config->key) ? make_in_token(made, config, bits, error)
                                                  : make_file(made, config, bits, error);
    }
    if (result == TLM_OK) {
        result = tlm_signer_settle(made, config, error);
    }
    if (result != TLM_OK) {
        tlm_signer_close(&made);
        return result;
    }
    *signer = made;
    return TLM_OK;
}
