/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include <tlm/jws.h>

#include "options.h"
#include "output.h"
#include "signer.h"

static tlm_result read_options(const tlm_issue_options *options, tlm_signer_config *config,
                               unsigned *bits, tlm_error *error)
{
    static const char *const algorithms[] = {"ES256", "ES384", "PS256", "RS256"};
    static const struct {
        const char *text;
        unsigned bits;
    } sizes[] = {{"3072", 3072}, {"2048", 2048}, {"4096", 4096}};
    *config = tlm_signer_config_of(options);
    config->alg = config->alg != NULL ? config->alg : algorithms[0];
    size_t i = 0;
    while (i < 4 && strcmp(algorithms[i], config->alg) != 0) {
        i++;
    }
    if (config->key == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "add --key 'pkcs11:token=TOKEN;object=LABEL', or --key FILE.pem for "
                             "trials",
                             "where to make the key was not said");
    }
    if (i == 4) {
        return tlm_error_set(error, TLM_ERR_SETTING, "--alg is ES256, ES384, PS256 or RS256",
                             "there is no algorithm '%s'", config->alg);
    }
    if (options->bits != NULL && i < 2) {
        return tlm_error_set(error, TLM_ERR_SETTING, "leave --bits away",
                             "the size of a key for %s is given by its curve", config->alg);
    }
    for (i = 0; i < 3; i++) {
        if (options->bits == NULL || strcmp(sizes[i].text, options->bits) == 0) {
            *bits = sizes[i].bits;
            return TLM_OK;
        }
    }
    return tlm_error_set(error, TLM_ERR_SETTING, "--bits is 2048, 3072 or 4096",
                         "RSA keys of '%s' bits are not made", options->bits);
}

static int report(const tlm_issue_options *options, const tlm_signer *signer, tlm_error *error)
{
    json_t *jwk = NULL;
    if (!options->json) {
        tlm_output_line("made", "%s", options->key);
        tlm_output_line("algorithm", "%s", tlm_signer_alg(signer));
        tlm_output_line("key id", "%s", tlm_signer_kid(signer));
        return TLM_EXIT_DONE;
    }
    if (tlm_signer_jwk(signer, &jwk, error) != TLM_OK) {
        return tlm_output_failure(error);
    }
    json_t *answer = json_pack("{s:s, s:s, s:s, s:o}", "key", options->key, "alg",
                               tlm_signer_alg(signer), "kid", tlm_signer_kid(signer), "jwk", jwk);
    return tlm_output_json(answer) ? TLM_EXIT_DONE : TLM_EXIT_FAILED;
}

int tlm_issue_keygen(const tlm_issue_options *options)
{
    tlm_error error = {0};
    tlm_signer_config config;
    tlm_signer *signer = NULL;
    char *pem = NULL;
    unsigned bits = 0;
    tlm_result result = read_options(options, &config, &bits, &error);
    if (result == TLM_OK) {
        result = tlm_signer_make(&config, bits, &signer, &error);
    }
    if (result == TLM_OK && options->public_file != NULL) {
        result = tlm_signer_pem(signer, &pem, &error);
    }
    if (pem != NULL) {
        pem[strlen(pem) - 1] = '\0'; /* the line end is written with it */
        result = tlm_output_write(options->public_file, pem, false, &error);
    }
    int status = result == TLM_OK ? report(options, signer, &error) : tlm_output_failure(&error);
    free(pem);
    tlm_signer_close(&signer);
    return status;
}
