/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <stdlib.h>

tlm_result tlm_object_find(tlm_token *token, CK_ATTRIBUTE *template, CK_ULONG size,
                           CK_OBJECT_HANDLE *handles, CK_ULONG max, CK_ULONG *count,
                           tlm_error *error)
{
    const CK_FUNCTION_LIST *functions = token->module->functions;
    *count = 0;
    CK_RV rv = functions->C_FindObjectsInit(token->session, template, size);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_FindObjectsInit", "on %s", token->uri_text);
    }
    CK_ULONG found = 0;
    do {
        rv = functions->C_FindObjects(token->session, handles + *count, max - *count, &found);
        *count += rv == CKR_OK ? found : 0;
    } while (rv == CKR_OK && found > 0 && *count < max);
    CK_RV final = functions->C_FindObjectsFinal(token->session);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_FindObjects", "on %s", token->uri_text);
    }
    if (final != CKR_OK) {
        return tlm_error_set_rv(error, final, "C_FindObjectsFinal", "on %s", token->uri_text);
    }
    return TLM_OK;
}

static tlm_result no_attribute(CK_ATTRIBUTE_TYPE type, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_NOT_FOUND, NULL, "an object has no attribute 0x%lx", type);
}

tlm_result tlm_object_get(tlm_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
                          size_t max, unsigned char **data, size_t *size, tlm_error *error)
{
    const CK_FUNCTION_LIST *functions = token->module->functions;
    CK_ATTRIBUTE attribute = {.type = type};
    CK_RV rv = functions->C_GetAttributeValue(token->session, handle, &attribute, 1);
    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
        (rv == CKR_OK &&
         (attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION || attribute.ulValueLen == 0))) {
        return no_attribute(type, error);
    }
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetAttributeValue", "of attribute 0x%lx", type);
    }
    if (attribute.ulValueLen > max) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "attribute 0x%lx of an object has %lu bytes, more than %zu", type,
                             attribute.ulValueLen, max);
    }
    unsigned char *made = calloc(attribute.ulValueLen + 1, 1);
    if (made == NULL) {
        return tlm_error_set(error, TLM_ERR_MEMORY, NULL, "no memory for an attribute");
    }
    attribute.pValue = made;
    rv = functions->C_GetAttributeValue(token->session, handle, &attribute, 1);
    if (rv != CKR_OK) {
        free(made);
        return tlm_error_set_rv(error, rv, "C_GetAttributeValue", "of attribute 0x%lx", type);
    }
    *data = made;
    *size = attribute.ulValueLen;
    return TLM_OK;
}

tlm_result tlm_object_get_ulong(tlm_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type,
                                CK_ULONG *value, tlm_error *error)
{
    CK_ATTRIBUTE attribute = {.type = type, .pValue = value, .ulValueLen = sizeof *value};
    CK_RV rv = token->module->functions->C_GetAttributeValue(token->session, handle, &attribute, 1);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GetAttributeValue", "of attribute 0x%lx", type);
    }
    if (attribute.ulValueLen != sizeof *value) {
        return no_attribute(type, error);
    }
    return TLM_OK;
}
