/* SPDX-License-Identifier: BSD-2-Clause */
#include "internal.h"

#include <string.h>

typedef struct generate_request {
    const char *label;
    unsigned char id;
    CK_ULONG bits; /* 0: EC */
    bool p384;
    bool tried; /* an earlier attempt may have made the key and lost the answer */
    tlm_key *key;
} generate_request;

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;

#define ATTRIBUTES_MAX 16

typedef struct template
{
    CK_ATTRIBUTE items[ATTRIBUTES_MAX];
    CK_ULONG count;
}
template;

static void add(template *to, CK_ATTRIBUTE_TYPE type, void *value, size_t size)
{
    to->items[to->count++] = (CK_ATTRIBUTE){type, value, (CK_ULONG)size};
}

static void add_common(template *to, generate_request *request)
{
    add(to, CKA_TOKEN, &yes, sizeof yes);
    add(to, CKA_LABEL, tlm_unconst(request->label), strlen(request->label));
    add(to, CKA_ID, &request->id, sizeof request->id);
}

/*
 * Yes and no to each use: what a template leaves open SoftHSM allows. Of an EC key encryption stays
 * open, with which no mechanism does anything: tpm2-pkcs11 1.9 takes CKA_ENCRYPT for the TPM's
 * "sign" and CKA_DECRYPT for what it then says of CKA_VERIFY, so a no to either fails.
 */
static void add_uses(template *public, template *private, bool rsa)
{
    add(public, CKA_VERIFY, &yes, sizeof yes);
    add(public, CKA_WRAP, &no, sizeof no);
    add(public, CKA_DERIVE, &no, sizeof no);
    add(private, CKA_SIGN, &yes, sizeof yes);
    add(private, CKA_UNWRAP, &no, sizeof no);
    add(private, CKA_DERIVE, &no, sizeof no);
    if (rsa) {
        add(public, CKA_ENCRYPT, &yes, sizeof yes);
        add(private, CKA_DECRYPT, &yes, sizeof yes);
    }
}

static tlm_result generate(tlm_token *token, generate_request *request, tlm_error *error)
{
    /* OBJECT IDENTIFIER prime256v1, secp384r1 */
    static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static CK_BYTE p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    static CK_BYTE exponent[] = {0x01, 0x00, 0x01};
    bool rsa = request->bits != 0;
    template public = {.count = 0};
    template private = {.count = 0};
    add_common(&public, request);
    if (rsa) {
        add(&public, CKA_MODULUS_BITS, &request->bits, sizeof request->bits);
        add(&public, CKA_PUBLIC_EXPONENT, exponent, sizeof exponent);
    } else {
        add(&public, CKA_EC_PARAMS, request->p384 ? p384 : p256,
            request->p384 ? sizeof p384 : sizeof p256);
    }
    add_common(&private, request);
    add(&private, CKA_PRIVATE, &yes, sizeof yes);
    add(&private, CKA_SENSITIVE, &yes, sizeof yes);
    add(&private, CKA_EXTRACTABLE, &no, sizeof no);
    add_uses(&public, &private, rsa);
    CK_MECHANISM mechanism = {.mechanism = rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN};
    CK_OBJECT_HANDLE handles[2] = {0};
    CK_RV rv = token->module->functions->C_GenerateKeyPair(token->session, &mechanism, public.items,
                                                           public.count, private.items,
                                                           private.count, &handles[0], &handles[1]);
    if (rv != CKR_OK) {
        return tlm_error_set_rv(error, rv, "C_GenerateKeyPair", "for key '%s'", request->label);
    }
    return TLM_OK;
}

static tlm_result refuse_existing(tlm_token *token, generate_request *request, tlm_error *error)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE by_label[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_LABEL, tlm_unconst(request->label), (CK_ULONG)strlen(request->label)},
    };
    CK_ATTRIBUTE by_id[] = {
        {CKA_CLASS, &class, sizeof class},
        {CKA_ID, &request->id, sizeof request->id},
    };
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG labels = 0;
    CK_ULONG ids = 0;
    tlm_result result = tlm_object_find(token, by_label, 2, &found, 1, &labels, error);
    if (result == TLM_OK) {
        result = tlm_object_find(token, by_id, 2, &found, 1, &ids, error);
    }
    if (result == TLM_OK && labels + ids > 0) {
        return tlm_error_set(error, TLM_ERR_EXISTS, "Keys are never replaced; use the one there.",
                             "a private key with %s is on the token already",
                             labels > 0 ? "that label" : "that id");
    }
    return result;
}

static tlm_result generate_key(tlm_token *token, void *context, tlm_error *error)
{
    generate_request *request = context;
    tlm_result result = refuse_existing(token, request, error);
    if (result == TLM_OK) {
        request->tried = true;
        result = generate(token, request, error);
    } else if (result == TLM_ERR_EXISTS && request->tried) {
        result = TLM_OK;
    }
    if (result != TLM_OK) {
        return result;
    }
    tlm_key_name name = {.label = request->label};
    result = tlm_key_load(token, &name, &request->key, error);
    /* The parent and the new key stay in the TPM's few slots until the next login. */
    token->state = TLM_SESSION_SPENT;
    return result;
}

static tlm_result run_generate(tlm_token *token, generate_request *request, tlm_key **key,
                               tlm_error *error)
{
    if (token == NULL || key == NULL || request->label == NULL || request->label[0] == '\0' ||
        strlen(request->label) > TLM_LABEL_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL,
                             "a key is made with a label of 1 to %u bytes", TLM_LABEL_MAX);
    }
    tlm_result result = tlm_token_run(token, generate_key, request, error);
    if (result == TLM_OK) {
        *key = request->key;
    }
    return result;
}

tlm_result tlm_key_generate_rsa(tlm_token *token, unsigned bits, const char *label,
                                unsigned char id, tlm_key **key, tlm_error *error)
{
    if (bits != 2048 && bits != 3072 && bits != 4096) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, "Ask for 2048, 3072 or 4096 bits.",
                             "an RSA key of %u bits was asked for", bits);
    }
    generate_request request = {.label = label, .id = id, .bits = bits};
    return run_generate(token, &request, key, error);
}

tlm_result tlm_key_generate_p256(tlm_token *token, const char *label, unsigned char id,
                                 tlm_key **key, tlm_error *error)
{
    generate_request request = {.label = label, .id = id};
    return run_generate(token, &request, key, error);
}

tlm_result tlm_key_generate_p384(tlm_token *token, const char *label, unsigned char id,
                                 tlm_key **key, tlm_error *error)
{
    generate_request request = {.label = label, .id = id, .p384 = true};
    return run_generate(token, &request, key, error);
}
