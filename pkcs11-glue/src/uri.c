/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define EXAMPLE "Write it as RFC 7512 has it, for example pkcs11:token=tlm;object=tlm-attest"

static const char *class_name(CK_OBJECT_CLASS class)
{
    return class == CKO_CERTIFICATE ? "certificate" : "private key";
}

/* What the URI says of the object, beside its class. */
static tlm_result check_object(P11KitUri *uri, CK_OBJECT_CLASS class, tlm_error *error)
{
    const CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(uri, CKA_ID);
    const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(uri, CKA_LABEL);
    const CK_ATTRIBUTE *named = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    if (named != NULL &&
        (named->ulValueLen != sizeof class || memcmp(named->pValue, &class, sizeof class) != 0)) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Leave its type away.",
                             "the URI names an object of another type than a %s",
                             class_name(class));
    }
    bool has_id = id != NULL && id->ulValueLen > 0;
    bool has_label = label != NULL && label->ulValueLen > 0;
    if (!has_id && !has_label) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, EXAMPLE, "the URI names no %s",
                             class_name(class));
    }
    if ((has_id && id->ulValueLen > TLM_ID_MAX) ||
        (has_label && label->ulValueLen > TLM_LABEL_MAX)) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "the URI's id is longer than %u bytes, or its object than %u",
                             TLM_ID_MAX, TLM_LABEL_MAX);
    }
    return TLM_OK;
}

static tlm_result parse(const char *text, CK_OBJECT_CLASS class, P11KitUri **uri, tlm_error *error)
{
    P11KitUri *made = p11_kit_uri_new();
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for a URI");
    }
    int parsed = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, made);
    tlm_result result = TLM_OK;
    /* Before the text is shown in any message: it may hold a PIN. */
    if (parsed == P11_KIT_URI_OK &&
        (p11_kit_uri_get_pin_value(made) != NULL || p11_kit_uri_get_pin_source(made) != NULL)) {
        result = tlm_error_set(error, TLM_ERR_ARGUMENT,
                               "Remove pin-value and pin-source; tlm-tokend needs no PIN, and that "
                               "of another module is read from Pkcs11.PinFile.",
                               "the URI holds a PIN or names its place");
    } else if (parsed != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(made)) {
        result = tlm_error_set(error, TLM_ERR_ARGUMENT, EXAMPLE, "the URI is not understood: %s",
                               parsed != P11_KIT_URI_OK ? p11_kit_uri_message(parsed)
                                                        : "it has an unknown attribute");
    } else {
        result = check_object(made, class, error);
    }
    if (result != TLM_OK) {
        p11_kit_uri_free(made);
        return result;
    }
    *uri = made;
    return TLM_OK;
}

tlm_result tlm_uri_check(const char *uri, CK_OBJECT_CLASS class, tlm_error *error)
{
    P11KitUri *parsed = NULL;
    tlm_result result = parse(uri, class, &parsed, error);
    if (result == TLM_OK) {
        p11_kit_uri_free(parsed);
    }
    return result;
}

typedef struct uri_request {
    P11KitUri *uri;
    const char *text;
    CK_OBJECT_CLASS class;
    tlm_key *key;
    X509 *certificate;
} uri_request;

static tlm_result check_token(const tlm_token *token, const uri_request *request, tlm_error *error)
{
    CK_TOKEN_INFO info = {0};
    CK_RV rv = token->module->functions->C_GetTokenInfo(token->slot, &info);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetTokenInfo", "of %s", token->uri_text);
    }
    if (p11_kit_uri_match_token_info(request->uri, &info) == 0) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "Leave the token out of the URI, or name that token: Pkcs11.Token",
                             "%s names another token than the one in use, '%.32s'", request->text,
                             token->info.label);
    }
    return TLM_OK;
}

/* Fills the template from what the URI has; returns the number of its attributes. */
static CK_ULONG fill_template(const uri_request *request, CK_OBJECT_CLASS *class,
                              CK_ATTRIBUTE template[3])
{
    static const CK_ATTRIBUTE_TYPE types[] = {CKA_ID, CKA_LABEL};
    CK_ULONG size = 0;
    template[size++] = (CK_ATTRIBUTE){CKA_CLASS, class, sizeof *class};
    for (size_t i = 0; i < 2; i++) {
        const CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(request->uri, types[i]);
        if (attribute != NULL && attribute->ulValueLen > 0) {
            template[size++] = *attribute;
        }
    }
    return size;
}

static tlm_result find_object(tlm_token *token, const uri_request *request,
                              CK_OBJECT_HANDLE *handle, tlm_error *error)
{
    CK_OBJECT_CLASS class = request->class;
    CK_ATTRIBUTE template[3];
    CK_OBJECT_HANDLE found[2] = {0};
    CK_ULONG count = 0;
    tlm_result result = check_token(token, request, error);
    if (result == TLM_OK) {
        CK_ULONG size = fill_template(request, &class, template);
        result = tlm_object_find(token, template, size, found, 2, &count, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    if (count == 0) {
        return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                             "See what the token holds with: tlm-token-init status",
                             "the token has no %s that %s names", class_name(class), request->text);
    }
    if (count > 1) {
        return tlm_error_set(
            error, TLM_ERR_ARGUMENT, "Name it by its id, for example pkcs11:id=%02",
            "the token has more than one %s that %s names", class_name(class), request->text);
    }
    *handle = found[0];
    return TLM_OK;
}

static tlm_result find_key(tlm_token *token, void *context, tlm_error *error)
{
    uri_request *request = context;
    CK_OBJECT_HANDLE handle = 0;
    tlm_result result = find_object(token, request, &handle, error);
    return result == TLM_OK ? tlm_key_load_handle(token, handle, &request->key, error) : result;
}

static tlm_result find_certificate(tlm_token *token, void *context, tlm_error *error)
{
    uri_request *request = context;
    CK_OBJECT_HANDLE handle = 0;
    unsigned char *der = NULL;
    size_t size = 0;
    tlm_result result = find_object(token, request, &handle, error);
    if (result == TLM_OK) {
        result = tlm_object_get(token, handle, CKA_VALUE, TLM_ATTRIBUTE_MAX, &der, &size, error);
    }
    if (result != TLM_OK) {
        return result;
    }
    const unsigned char *at = der;
    request->certificate = d2i_X509(NULL, &at, (long)size);
    free(der);
    if (request->certificate == NULL) {
        return tlm_error_set_openssl(error, TLM_ERR_FORMAT, "reading a certificate of the token");
    }
    return TLM_OK;
}

static tlm_result run(tlm_token *token, tlm_token_operation operation, const char *uri,
                      CK_OBJECT_CLASS class, uri_request *request, tlm_error *error)
{
    *request = (uri_request){.text = uri, .class = class};
    if (token == NULL || uri == NULL) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "an object is found by token and URI");
    }
    tlm_result result = parse(uri, class, &request->uri, error);
    if (result == TLM_OK) {
        result = tlm_token_run(token, operation, request, error);
        p11_kit_uri_free(request->uri);
    }
    return result;
}

tlm_result tlm_key_find_by_uri(tlm_token *token, const char *uri, tlm_key **key, tlm_error *error)
{
    uri_request request;
    tlm_result result = run(token, find_key, uri, CKO_PRIVATE_KEY, &request, error);
    if (result == TLM_OK) {
        *key = request.key;
    }
    return result;
}

tlm_result tlm_certificate_find_by_uri(tlm_token *token, const char *uri, X509 **certificate,
                                       tlm_error *error)
{
    uri_request request;
    tlm_result result = run(token, find_certificate, uri, CKO_CERTIFICATE, &request, error);
    if (result == TLM_OK) {
        *certificate = request.certificate;
    }
    return result;
}
