/* SPDX-License-Identifier: BSD-2-Clause */
/* Where keys and PINs come from: token, PEM file, PIN file, descriptor. */
#include "signer_private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <p11-kit/uri.h>

#include <tlm/file.h>

#define PEM_MAX 32768U
#define PIN_MAX 256U

static tlm_result read_pin(const char *number, tlm_secret **pin, tlm_error *error)
{
    char *end = NULL;
    errno = 0;
    long descriptor = strtol(number, &end, 10);
    if (errno != 0 || *end != '\0' || descriptor < 0 || descriptor > INT_MAX) {
        return tlm_error_set(error, TLM_ERR_SETTING, "for example: --pin-fd 3 3< FILE",
                             "--pin-fd is no number of a descriptor: %s", number);
    }
    tlm_secret *made = NULL;
    tlm_result result = tlm_secret_new(PIN_MAX + 1, &made, error);
    if (result != TLM_OK) {
        return result;
    }
    size_t used = 0;
    ssize_t got = 1;
    while (used <= PIN_MAX && got > 0) {
        got = read((int)descriptor, tlm_secret_data(made) + used, PIN_MAX + 1 - used);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        used += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        result = tlm_error_set_errno(error, NULL, "reading the PIN from descriptor %s", number);
    }
    const unsigned char *text = tlm_secret_bytes(made);
    while (used > 0 && (text[used - 1] == '\n' || text[used - 1] == '\r')) {
        used--;
    }
    if (result == TLM_OK && (used == 0 || used > PIN_MAX)) {
        result = tlm_error_set(error, TLM_ERR_FORMAT, NULL,
                               "descriptor %s gives no PIN of 1 to %u bytes", number, PIN_MAX);
    }
    if (result != TLM_OK) {
        tlm_secret_free(&made);
        return result;
    }
    tlm_secret_shrink(made, used);
    *pin = made;
    return TLM_OK;
}

tlm_result tlm_signer_take_pin(tlm_signer *signer, const tlm_signer_config *config,
                               tlm_error *error)
{
    int ways = (config->pin_file != NULL) + (config->pin_fd != NULL) + config->pin_pad;
    if (ways > 1) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL,
                             "of --pin-file, --pin-fd and --pin-pad one is enough");
    }
    signer->pin_file = config->pin_file;
    signer->pin_pad = config->pin_pad;
    return config->pin_fd != NULL ? read_pin(config->pin_fd, &signer->pin, error) : TLM_OK;
}

tlm_result tlm_signer_pin(void *context, tlm_secret **pin, tlm_error *error)
{
    tlm_signer *signer = context;
    if (signer->pin != NULL) {
        return tlm_secret_from(tlm_secret_bytes(signer->pin), tlm_secret_size(signer->pin), pin,
                               error);
    }
    if (signer->pin_file != NULL) {
        char *path = strdup(signer->pin_file);
        if (path == NULL) {
            return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a path");
        }
        tlm_result result = tlm_pin_from_file(path, pin, error);
        free(path);
        return result;
    }
    return tlm_pin_of_token(NULL, pin, error);
}

/* Checks the URI (a PIN in it is refused) and takes its module, if it names one. */
static tlm_result module_of(const char *uri, const char *given, char **module, tlm_error *error)
{
    tlm_result result = tlm_uri_check(uri, CKO_PRIVATE_KEY, error);
    if (result != TLM_OK) {
        if (strstr(error != NULL ? error->message : "", "PIN") != NULL) {
            tlm_error_set_hint(error, "leave the PIN out of the URI and write it into a file of "
                                      "mode 0600: --pin-file FILE");
        }
        return result;
    }
    P11KitUri *parsed = p11_kit_uri_new();
    if (parsed != NULL && p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, parsed) == P11_KIT_URI_OK) {
        const char *path = p11_kit_uri_get_module_path(parsed);
        path = given != NULL ? given : path;
        *module = path != NULL ? strdup(path) : NULL;
    }
    p11_kit_uri_free(parsed);
    if (*module == NULL) {
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "add --module FILE, or ?module-path=FILE to the URI",
                             "the PKCS#11 module of the token was not named");
    }
    return TLM_OK;
}

tlm_result tlm_signer_open_token(tlm_signer *signer, const tlm_signer_config *config,
                                 tlm_error *error)
{
    char *module = NULL;
    tlm_result result = module_of(config->key, config->module, &module, error);
    if (result != TLM_OK) {
        return result;
    }
    bool login = signer->pin != NULL || signer->pin_file != NULL || signer->pin_pad;
    const tlm_token_config token = {.module = module,
                                    .uri = config->key,
                                    .pin = login ? tlm_signer_pin : NULL,
                                    .context = signer};
    result = tlm_token_open(&token, &signer->token, error);
    free(module);
    return result;
}

/* OpenSSL asks for the passphrase of a PEM file: never at the terminal. */
static int passphrase(char *buffer, int size, int writing, void *context)
{
    (void)writing;
    tlm_secret *pin = NULL;
    tlm_signer *signer = context;
    bool given = signer->pin != NULL || signer->pin_file != NULL;
    if (!given || tlm_signer_pin(signer, &pin, &signer->pin_error) != TLM_OK || pin == NULL) {
        return -1;
    }
    int length = (int)tlm_secret_size(pin);
    if (length <= size) {
        memcpy(buffer, tlm_secret_bytes(pin), tlm_secret_size(pin));
    } else {
        length = -1;
    }
    tlm_secret_free(&pin);
    return length;
}

static EVP_PKEY *parse_pem(tlm_signer *signer, const void *text, size_t size, bool private)
{
    BIO *memory = BIO_new_mem_buf(text, (int)size);
    EVP_PKEY *key = NULL;
    if (memory != NULL && private) {
        key = PEM_read_bio_PrivateKey(memory, NULL, passphrase, signer);
    } else if (memory != NULL) {
        key = PEM_read_bio_PUBKEY(memory, NULL, NULL, NULL);
    }
    BIO_free(memory);
    ERR_clear_error();
    return key;
}

static tlm_result no_key(const char *path, const char *what, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_FORMAT,
                         "make one with: tlm-issue keygen --key FILE.pem; an encrypted one needs "
                         "--pin-file with its passphrase",
                         "%s holds no %s in PEM that can be read", path, what);
}

static tlm_result read_private(tlm_signer *signer, const char *path, tlm_error *error)
{
    tlm_secret *text = NULL;
    tlm_result result = tlm_file_read_secret(path, PEM_MAX, &text, error);
    if (result != TLM_OK) {
        return result;
    }
    signer->file = parse_pem(signer, tlm_secret_bytes(text), tlm_secret_size(text), true);
    tlm_secret_free(&text);
    if (signer->file == NULL && signer->pin_error.result != TLM_OK) {
        /* The PIN file is what is wrong. */
        return tlm_error_set(error, signer->pin_error.result, signer->pin_error.hint, "%s",
                             signer->pin_error.message);
    }
    return signer->file != NULL ? TLM_OK : no_key(path, "private key", error);
}

tlm_result tlm_signer_read_file(tlm_signer *signer, const char *path, bool private,
                                tlm_error *error)
{
    char *text = NULL;
    size_t size = 0;
    tlm_result result = TLM_OK;
    if (!private) {
        result = tlm_file_read(path, PEM_MAX, &text, &size, error);
        if (result != TLM_OK) {
            return result;
        }
        bool secret = strstr(text, "PRIVATE KEY") != NULL;
        signer->file = secret ? NULL : parse_pem(signer, text, size, false);
        OPENSSL_cleanse(text, size);
        free(text);
        private = secret;
    }
    if (private) {
        result = read_private(signer, path, error);
    } else if (signer->file == NULL) {
        result = no_key(path, "key", error);
    }
    signer->public = signer->file;
    return result;
}
