/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A data object is replaced by making the new one and then removing the old one. A crash between
 * leaves both, so CKA_APPLICATION numbers them ("tlm 0000000000000002") and the highest counts.
 */
#define DATA_MAX 4096U
#define COPIES_MAX 16U
#define APPLICATION "tlm "
#define NUMBER_DIGITS 16U

typedef struct data_request {
    const char *label;
    const void *data;
    size_t size;
    unsigned char *read;
    size_t read_size;
} data_request;

/* The objects of one label. */
typedef struct copies {
    CK_OBJECT_HANDLE handles[COPIES_MAX];
    CK_ULONG count;
    CK_ULONG newest;
    uint64_t number; /* of the newest; 0 where there is none */
} copies;

static uint64_t parse_number(const unsigned char *text, size_t size)
{
    uint64_t number = 0;
    if (size != sizeof APPLICATION - 1 + NUMBER_DIGITS ||
        memcmp(text, APPLICATION, sizeof APPLICATION - 1) != 0) {
        return 0;
    }
    for (size_t i = sizeof APPLICATION - 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    return number;
}

static tlm_result find_copies(tlm_token *token, const char *label, copies *found, tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_LABEL, tlm_unconst(label), (CK_ULONG)strlen(label)},
    };
    *found = (copies){.count = 0};
    tlm_result result =
        tlm_object_find(token, template, 2, found->handles, COPIES_MAX, &found->count, error);
    for (CK_ULONG i = 0; result == TLM_OK && i < found->count; i++) {
        unsigned char *text = NULL;
        size_t size = 0;
        result =
            tlm_object_get(token, found->handles[i], CKA_APPLICATION, 256, &text, &size, error);
        uint64_t number = result == TLM_OK ? parse_number(text, size) : 0;
        if (number > found->number) {
            found->number = number;
            found->newest = i;
        }
        if (result == TLM_OK) {
            free(text);
        } else if (result == TLM_ERR_NOT_FOUND) {
            result = TLM_OK;
        }
    }
    return result;
}

static tlm_result not_found(const char *label, tlm_error *error)
{
    return tlm_error_set(error, TLM_ERR_NOT_FOUND,
                         "See what the token holds with: tlm-token-init status",
                         "no data object '%s' on the token", label);
}

static tlm_result read_data(tlm_token *token, void *context, tlm_error *error)
{
    data_request *request = context;
    copies found;
    tlm_result result = find_copies(token, request->label, &found, error);
    if (result != TLM_OK) {
        return result;
    }
    if (found.count == 0) {
        return not_found(request->label, error);
    }
    result = tlm_object_get(token, found.handles[found.newest], CKA_VALUE, DATA_MAX, &request->read,
                            &request->read_size, error);
    if (result == TLM_ERR_NOT_FOUND) {
        return tlm_error_set(error, TLM_ERR_FORMAT, NULL, "data object '%s' is empty",
                             request->label);
    }
    return result;
}

static tlm_result create(tlm_token *token, const data_request *request, uint64_t number,
                         CK_OBJECT_HANDLE *handle, tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BBOOL yes = CK_TRUE;
    char application[sizeof APPLICATION + 20];
    (void)snprintf(application, sizeof application, APPLICATION "%016" PRIu64, number);
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_PRIVATE, &yes, sizeof yes}, /* tpm2-pkcs11 has no other */
        {CKA_LABEL, tlm_unconst(request->label), (CK_ULONG)strlen(request->label)},
        {CKA_APPLICATION, application, (CK_ULONG)strlen(application)},
        {CKA_VALUE, tlm_unconst(request->data), (CK_ULONG)request->size},
    };
    CK_RV rv = token->module->functions->C_CreateObject(
        token->session, template, sizeof template / sizeof template[0], handle);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_CreateObject", "for data '%s'", request->label);
    }
    return TLM_OK;
}

static tlm_result destroy_copies(tlm_token *token, const char *label, const copies *found,
                                 tlm_error *error)
{
    for (CK_ULONG i = 0; i < found->count; i++) {
        CK_RV rv = token->module->functions->C_DestroyObject(token->session, found->handles[i]);
        if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID) {
            return tlm_error_set_rv(error, rv, "C_DestroyObject", "of data '%s'", label);
        }
    }
    return TLM_OK;
}

static tlm_result store_data(tlm_token *token, void *context, tlm_error *error)
{
    const data_request *request = context;
    copies found;
    CK_OBJECT_HANDLE made = 0;
    tlm_result result = find_copies(token, request->label, &found, error);
    if (result == TLM_OK) {
        result = create(token, request, found.number + 1, &made, error);
    }
    return result == TLM_OK ? destroy_copies(token, request->label, &found, error) : result;
}

static tlm_result remove_data(tlm_token *token, void *context, tlm_error *error)
{
    const data_request *request = context;
    copies found;
    tlm_result result = find_copies(token, request->label, &found, error);
    if (result != TLM_OK) {
        return result;
    }
    if (found.count == 0) {
        return not_found(request->label, error);
    }
    return destroy_copies(token, request->label, &found, error);
}

static tlm_result check_label(const tlm_token *token, const char *label, tlm_error *error)
{
    if (token == NULL || label == NULL || label[0] == '\0' || strlen(label) > TLM_LABEL_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a data object has a label of 1 to %u bytes", TLM_LABEL_MAX);
    }
    return TLM_OK;
}

tlm_result tlm_token_data_read(tlm_token *token, const char *label, char **data, size_t *size,
                               tlm_error *error)
{
    tlm_result result = check_label(token, label, error);
    if (result != TLM_OK) {
        return result;
    }
    data_request request = {.label = label};
    result = tlm_token_run(token, read_data, &request, error);
    if (result == TLM_OK) {
        *data = (char *)request.read;
        *size = request.read_size;
    }
    return result;
}

tlm_result tlm_token_data_store(tlm_token *token, const char *label, const void *data, size_t size,
                                tlm_error *error)
{
    tlm_result result = check_label(token, label, error);
    if (result != TLM_OK) {
        return result;
    }
    if (data == NULL || size == 0) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Remove the object instead.",
                             "data object '%s' would be empty", label);
    }
    if (size > DATA_MAX) {
        return tlm_error_set(error, TLM_ERR_TOO_LARGE, NULL,
                             "%zu bytes for data object '%s', more than %u", size, label, DATA_MAX);
    }
    data_request request = {.label = label, .data = data, .size = size};
    return tlm_token_run(token, store_data, &request, error);
}

tlm_result tlm_token_data_remove(tlm_token *token, const char *label, tlm_error *error)
{
    tlm_result result = check_label(token, label, error);
    if (result != TLM_OK) {
        return result;
    }
    data_request request = {.label = label};
    return tlm_token_run(token, remove_data, &request, error);
}
