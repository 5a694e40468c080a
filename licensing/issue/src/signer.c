/* SPDX-License-Identifier: BSD-2-Clause */
#include "signer_private.h"

#include <stdlib.h>
#include <string.h>

#include <tlm/jwk.h>
#include <tlm/jws.h>

#include "output.h"

bool tlm_signer_in_token(const char *key)
{
    return strncmp(key, "pkcs11:", 7) == 0;
}

tlm_signer_config tlm_signer_config_of(const tlm_issue_options *options)
{
    return (tlm_signer_config){.key = options->key,
                               .module = options->module,
                               .pin_file = options->pin_file,
                               .pin_fd = options->pin_fd,
                               .pin_pad = options->pin_pad,
                               .alg = options->alg,
                               .kid = options->kid};
}

static tlm_result unfit(const char *alg, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_UNSUPPORTED,
                         "ES256 is for P-256, ES384 for P-384, PS256 and RS256 for RSA of 2048 to "
                         "4096 bits",
                         alg != NULL ? "the key does not fit %s"
                                     : "the key is of no type that "
                                       "signs licenses%s",
                         alg != NULL ? alg : "");
}

/* The constant text of an algorithm that fits the key. */
static const char *fitting(EVP_PKEY *key, const char *wanted)
{
    static const char *const rsa[] = {"PS256", "RS256"};
    const char *natural = tlm_jws_algorithm_of(key);
    if (natural == NULL || wanted == NULL || strcmp(natural, wanted) == 0) {
        return natural;
    }
    bool both = strcmp(natural, rsa[0]) == 0 && strcmp(wanted, rsa[1]) == 0;
    return both ? rsa[1] : NULL;
}

tlm_result tlm_signer_settle(tlm_signer *signer, const tlm_signer_config *config, tlm_error *error)
{
    unsigned char thumbprint[TLM_THUMBPRINT_SIZE];
    signer->alg = fitting(signer->public, config->alg);
    if (signer->alg == NULL) {
        return unfit(config->alg, error);
    }
    if (config->kid != NULL && strlen(config->kid) > TLM_JWS_TEXT_MAX) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "--kid is longer than %u bytes",
                             TLM_JWS_TEXT_MAX);
    }
    tlm_result result = tlm_public_thumbprint(signer->public, thumbprint, error);
    if (result != TLM_OK) {
        return result;
    }
    signer->kid = config->kid != NULL ? strdup(config->kid)
                                      : tlm_base64url_encode(thumbprint, sizeof thumbprint);
    return signer->kid != NULL ? TLM_OK
                               : tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
}

static tlm_result open_key(tlm_signer *signer, const tlm_signer_config *config, tlm_error *error)
{
    if (!tlm_signer_in_token(config->key)) {
        tlm_result read = tlm_signer_read_file(signer, config->key, true, error);
        if (read == TLM_OK) {
            tlm_output_warning("%s is a key in a file, for trials: whoever reads it issues "
                               "licenses; keep others in a token",
                               config->key);
        }
        return read;
    }
    tlm_result result = tlm_signer_open_token(signer, config, error);
    if (result == TLM_OK) {
        result = tlm_key_find_by_uri(signer->token, config->key, &signer->key, error);
    }
    if (result == TLM_OK) {
        signer->public = tlm_key_public(signer->key);
    } else if (result == TLM_ERR_NOT_FOUND && signer->pin == NULL && signer->pin_file == NULL &&
               !signer->pin_pad) {
        tlm_error_set_hint(error, "private keys show after a login: add --pin-file FILE");
    }
    return result;
}

tlm_result tlm_signer_open(const tlm_signer_config *config, tlm_signer **signer, tlm_error *error)
{
    if (config->key == NULL) {
        (void)tlm_error_set(error, TLM_ERR_SETTING,
                            "add --key 'pkcs11:token=TOKEN;object=LABEL', or --key FILE.pem for "
                            "trials",
                            "the key that signs was not named");
        return TLM_ERR_SETTING;
    }
    tlm_signer *made = calloc(1, sizeof *made);
    if (made == NULL) {
        (void)tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
        return TLM_ERR_MEMORY;
    }
    tlm_result result = tlm_signer_take_pin(made, config, error);
    if (result == TLM_OK) {
        result = open_key(made, config, error);
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

void tlm_signer_close(tlm_signer **signer)
{
    if (signer == NULL || *signer == NULL) {
        return;
    }
    tlm_key_free(&(*signer)->key);
    tlm_token_close(&(*signer)->token);
    EVP_PKEY_free((*signer)->file);
    tlm_secret_free(&(*signer)->pin);
    free((*signer)->kid);
    free(*signer);
    *signer = NULL;
}

const char *tlm_signer_alg(const tlm_signer *signer)
{
    return signer->alg;
}

const char *tlm_signer_kid(const tlm_signer *signer)
{
    return signer->kid;
}

tlm_result tlm_signer_sign(tlm_signer *signer, const char *typ, const json_t *claims, char **text,
                           tlm_error *error)
{
    const tlm_jws_header header = {.alg = signer->alg, .kid = signer->kid, .typ = typ};
    return signer->token != NULL
               ? tlm_jws_make(&header, claims, tlm_jws_sign_token, signer->key, text, error)
               : tlm_jws_make(&header, claims, tlm_jws_sign_pkey, signer->file, text, error);
}

tlm_result tlm_signer_jwk(const tlm_signer *signer, json_t **jwk, tlm_error *error)
{
    json_t *made = NULL;
    tlm_result result = tlm_jwk_from_public(signer->public, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    if (json_object_set_new(made, "kid", json_string(signer->kid)) != 0 ||
        json_object_set_new(made, "alg", json_string(signer->alg)) != 0) {
        json_decref(made);
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
    }
    *jwk = made;
    return TLM_OK;
}

tlm_result tlm_signer_pem(const tlm_signer *signer, char **pem, tlm_error *error)
{
    return tlm_public_to_pem(signer->public, pem, error);
}

static tlm_result open_public(tlm_signer *signer, const tlm_signer_config *config, tlm_error *error)
{
    tlm_result result = tlm_signer_take_pin(signer, config, error);
    if (result == TLM_OK) {
        result = tlm_signer_read_file(signer, config->key, false, error);
    }
    return result == TLM_OK ? tlm_signer_settle(signer, config, error) : result;
}

tlm_result tlm_signer_public(const tlm_signer_config *config, json_t **jwk, tlm_error *error)
{
    tlm_signer *signer = NULL;
    tlm_result result = TLM_OK;
    if (tlm_signer_in_token(config->key)) {
        result = tlm_signer_open(config, &signer, error);
    } else {
        signer = calloc(1, sizeof *signer);
        if (signer == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a key");
        }
        result = open_public(signer, config, error);
    }
    if (result == TLM_OK) {
        result = tlm_signer_jwk(signer, jwk, error);
    }
    tlm_signer_close(&signer);
    return result;
}
