/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our side of tests with another JOSE implementation: one text on standard input, one on output.
 *
 *     formats-peer sign ALG KID TYP KEY.pem < claims.json
 *     formats-peer seal HOST.pem < signed package
 *     formats-peer license TRUST.jwks < container
 *     formats-peer package TRUST.jwks HOST-PRIVATE.pem < package
 *     formats-peer revocation TRUST.jwks < list
 *
 * The readers print the ids of the licenses, one a line. What is refused is exit code 1 with the
 * code of the result and the message on standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <tlm/file.h>
#include <tlm/jws.h>
#include <tlm/key.h>
#include <tlm/package.h>
#include <tlm/revocation.h>

#define INPUT_MAX (TLM_REVOCATION_MAX + 1024U)

static char *input;
static size_t input_size;

static EVP_PKEY *read_key(const char *path, int private)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = NULL;
    if (file != NULL) {
        key = private ? PEM_read_PrivateKey(file, NULL, NULL, NULL)
                      : PEM_read_PUBKEY(file, NULL, NULL, NULL);
        (void)fclose(file);
    }
    if (key == NULL) {
        (void)fprintf(stderr, "usage %s is no key\n", path);
        exit(2);
    }
    return key;
}

static tlm_result read_trust(const char *path, tlm_trust **trust, tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = tlm_file_read(path, TLM_JWKS_MAX, &text, &size, error);
    if (result == TLM_OK) {
        result = tlm_trust_new(trust, error);
    }
    if (result == TLM_OK) {
        result = tlm_trust_add(*trust, text, size, path, error);
    }
    free(text);
    return result;
}

static tlm_result sign(char **arguments, tlm_error *error)
{
    const tlm_jws_header header = {.alg = arguments[0], .kid = arguments[1], .typ = arguments[2]};
    EVP_PKEY *key = read_key(arguments[3], 1);
    json_t *claims = json_loadb(input, input_size, JSON_REJECT_DUPLICATES, NULL);
    char *text = NULL;
    tlm_result result = tlm_jws_make(&header, claims, tlm_jws_sign_pkey, key, &text, error);
    if (result == TLM_OK) {
        (void)puts(text);
    }
    free(text);
    json_decref(claims);
    EVP_PKEY_free(key);
    return result;
}

static tlm_result seal(char **arguments, tlm_error *error)
{
    EVP_PKEY *host = read_key(arguments[0], 0);
    char *text = NULL;
    tlm_result result = tlm_package_seal(input, input_size, host, &text, error);
    if (result == TLM_OK) {
        (void)puts(text);
    }
    free(text);
    EVP_PKEY_free(host);
    return result;
}

static tlm_result license(char **arguments, tlm_error *error)
{
    tlm_trust *trust = NULL;
    tlm_license *made = NULL;
    tlm_result result = read_trust(arguments[0], &trust, error);
    if (result == TLM_OK) {
        result = tlm_license_open(input, input_size, trust, &made, error);
    }
    if (result == TLM_OK) {
        (void)puts(made->jti);
    }
    tlm_license_free(&made);
    tlm_trust_free(&trust);
    return result;
}

static tlm_result unwrap(void *context, const char *kid, const unsigned char *wrapped, size_t size,
                         tlm_secret **key, tlm_error *error)
{
    unsigned char plain[TLM_SIGNATURE_MAX];
    size_t plain_size = sizeof plain;
    (void)kid;
    EVP_PKEY_CTX *decryption = EVP_PKEY_CTX_new(context, NULL);
    int done = EVP_PKEY_decrypt_init(decryption) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(decryption, RSA_PKCS1_OAEP_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_oaep_md(decryption, EVP_sha256()) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(decryption, EVP_sha256()) == 1 &&
               EVP_PKEY_decrypt(decryption, plain, &plain_size, wrapped, size) == 1;
    EVP_PKEY_CTX_free(decryption);
    return done ? tlm_secret_from(plain, plain_size, key, error)
                : tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "not encrypted to this key");
}

static tlm_result package(char **arguments, tlm_error *error)
{
    tlm_trust *trust = NULL;
    tlm_package *made = NULL;
    EVP_PKEY *host = read_key(arguments[1], 1);
    tlm_result result = read_trust(arguments[0], &trust, error);
    if (result == TLM_OK) {
        result = tlm_package_open(input, input_size, unwrap, host, trust, &made, error);
    }
    for (size_t i = 0; result == TLM_OK && i < made->license_count; i++) {
        (void)puts(made->licenses[i]->jti);
    }
    tlm_package_free(&made);
    tlm_trust_free(&trust);
    EVP_PKEY_free(host);
    return result;
}

static tlm_result revocation(char **arguments, tlm_error *error)
{
    tlm_trust *trust = NULL;
    tlm_revocation *made = NULL;
    tlm_result result = read_trust(arguments[0], &trust, error);
    if (result == TLM_OK) {
        result = tlm_revocation_open(input, input_size, trust, &made, error);
    }
    for (size_t i = 0; result == TLM_OK && i < made->count; i++) {
        (void)puts(made->revoked[i]);
    }
    tlm_revocation_free(&made);
    tlm_trust_free(&trust);
    return result;
}

static const struct {
    const char *name;
    int arguments;
    tlm_result (*run)(char **arguments, tlm_error *error);
} commands[] = {
    {"sign", 4, sign},
    {"seal", 1, seal},
    {"license", 1, license},
    {"package", 2, package},
    {"revocation", 1, revocation},
};

int main(int argc, char **argv)
{
    tlm_error error = {.result = TLM_OK};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, argv[1]) != 0 || argc != commands[i].arguments + 2) {
            continue;
        }
        input = malloc(INPUT_MAX);
        input_size = input == NULL ? 0 : fread(input, 1, INPUT_MAX, stdin);
        tlm_result result = commands[i].run(argv + 2, &error);
        free(input);
        if (result != TLM_OK) {
            (void)fprintf(stderr, "%s %s\n", tlm_result_code(result), error.message);
        }
        return result == TLM_OK ? 0 : 1;
    }
    (void)fprintf(stderr, "usage sign, seal, license, package or revocation\n");
    return 2;
}
