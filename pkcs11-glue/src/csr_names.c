/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/csr.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "internal.h"

#define SUBJECT_HINT "write it as CN=host.example,O=Example; put \\ before a comma inside a value"
#define NAMES_HINT "write it as DNS:host.example,IP:192.0.2.1; types are DNS, IP, URI, email"

/* One name of the list, its type still before it. */
typedef tlm_result (*take_piece)(void *list, char *piece, tlm_error *error);

/*
 * Cuts text at commas, removes the backslashes, and hands the pieces on without the blanks before
 * them. Works on a copy: pieces are changed in place.
 */
static tlm_result each_piece(const char *text, const char *hint, take_piece take, void *list,
                             tlm_error *error)
{
    if (strlen(text) > TLM_CSR_TEXT_MAX) {
        return tlm_error_set(error, TLM_ERR_SETTING, NULL, "a name of %zu bytes, more than %u",
                             strlen(text), TLM_CSR_TEXT_MAX);
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "out of memory for a name");
    }
    tlm_result result = TLM_OK;
    char *from = copy;
    bool more = true;
    while (result == TLM_OK && more) {
        from += strspn(from, " ");
        char *piece = from;
        char *to = piece;
        while (*from != '\0' && *from != ',') {
            from += from[0] == '\\' && from[1] != '\0' ? 1 : 0;
            *to++ = *from++;
        }
        more = *from == ',';
        from += more ? 1 : 0;
        *to = '\0';
        result = to > piece ? take(list, piece, error)
                            : tlm_error_set(error, TLM_ERR_SETTING, hint,
                                            "there is nothing between two commas of '%s'", text);
    }
    free(copy);
    return result;
}

static tlm_result take_pair(void *list, char *piece, tlm_error *error)
{
    char *value = strchr(piece, '=');
    if (value == NULL || value == piece || value[1] == '\0') {
        return tlm_error_set(error, TLM_ERR_SETTING, SUBJECT_HINT,
                             "the subject has '%s' where TYPE=VALUE is due", piece);
    }
    *value++ = '\0';
    ASN1_OBJECT *type = OBJ_txt2obj(piece, 0);
    if (type == NULL) {
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "usual types are CN, O, OU, L, ST, C and serialNumber",
                             "the subject has the type '%s', which nobody knows", piece);
    }
    int added =
        X509_NAME_add_entry_by_OBJ(list, type, MBSTRING_UTF8, (unsigned char *)value, -1, -1, 0);
    ASN1_OBJECT_free(type);
    if (added != 1) {
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_SETTING,
                             "a country has 2 letters, a common name at most 64 characters; values "
                             "are UTF-8",
                             "the subject cannot have '%s' as %s", value, piece);
    }
    return TLM_OK;
}

tlm_result tlm_csr_parse_subject(const char *text, X509_NAME **subject, tlm_error *error)
{
    X509_NAME *made = X509_NAME_new();
    if (made == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "making a subject");
    }
    tlm_result result = each_piece(text, SUBJECT_HINT, take_pair, made, error);
    if (result != TLM_OK) {
        X509_NAME_free(made);
        return result;
    }
    *subject = made;
    return TLM_OK;
}

static const struct {
    const char *name;
    int type;
} types[] = {{"DNS", GEN_DNS}, {"IP", GEN_IPADD}, {"URI", GEN_URI}, {"email", GEN_EMAIL}};

/* IA5String takes any byte from OpenSSL, and a blank in a host's name helps nobody. */
static bool printable(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value <= ' ' || *value > '~') {
            return false;
        }
    }
    return true;
}

static tlm_result take_name(void *list, char *piece, tlm_error *error)
{
    size_t length = strcspn(piece, ":");
    const char *value = piece + length + (piece[length] == ':' ? 1 : 0);
    GENERAL_NAME *made = NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strlen(types[i].name) == length && strncmp(types[i].name, piece, length) == 0 &&
            value[0] != '\0' && printable(value)) {
            made = a2i_GENERAL_NAME(NULL, NULL, NULL, types[i].type, value, 0);
        }
    }
    if (made == NULL) {
        ERR_clear_error();
        return tlm_error_set(error, TLM_ERR_SETTING, NAMES_HINT,
                             "'%s' is no alternative name for a certificate", piece);
    }
    if (sk_GENERAL_NAME_push(list, made) <= 0) {
        GENERAL_NAME_free(made);
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "collecting alternative names");
    }
    return TLM_OK;
}

tlm_result tlm_csr_parse_names(const char *text, GENERAL_NAMES **names, tlm_error *error)
{
    GENERAL_NAMES *made = GENERAL_NAMES_new();
    if (made == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_MEMORY, "making alternative names");
    }
    tlm_result result = each_piece(text, NAMES_HINT, take_name, made, error);
    if (result != TLM_OK) {
        GENERAL_NAMES_free(made);
        return result;
    }
    *names = made;
    return TLM_OK;
}
