/* SPDX-License-Identifier: BSD-2-Clause */
#include <tlm/seal.h>

#include <string.h>

#include <openssl/evp.h>

#define REGISTER(index) (1U << (index))

/* TPM 2.0 Part 2, section 6.5.2. */
#define CC_POLICY_AUTH_VALUE 0x0000016BU
#define CC_POLICY_OR 0x00000171U
#define CC_POLICY_PCR 0x0000017FU

static const struct {
    const char *name;
    unsigned registers;
} policies[TLM_VAULT_COUNT] = {
    [TLM_VAULT_NONE] = {"none", 0},
    [TLM_VAULT_SECURE_BOOT] = {"SecureBoot", REGISTER(7)},
    [TLM_VAULT_FIRMWARE_BOOT] = {"FirmwareBoot", REGISTER(0) | REGISTER(7)},
    [TLM_VAULT_BOOT_SEQUENCE] = {"BootSequence", REGISTER(0) | REGISTER(2) | REGISTER(7)},
};

const char *tlm_vault_policy_name(tlm_vault_policy policy)
{
    return (unsigned)policy < TLM_VAULT_COUNT ? policies[policy].name : "unknown";
}

bool tlm_vault_policy_from_name(const char *name, tlm_vault_policy *policy)
{
    for (unsigned i = 0; name != NULL && i < TLM_VAULT_COUNT; i++) {
        if (strcmp(policies[i].name, name) == 0) {
            *policy = (tlm_vault_policy)i;
            return true;
        }
    }
    return false;
}

unsigned tlm_vault_policy_registers(tlm_vault_policy policy)
{
    return (unsigned)policy < TLM_VAULT_COUNT ? policies[policy].registers : 0;
}

typedef struct piece {
    const void *data;
    size_t size;
} piece;

static bool hash(const piece *pieces, size_t count, unsigned char digest[TLM_SEAL_DIGEST])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; done && i < count; i++) {
        done = EVP_DigestUpdate(context, pieces[i].data, pieces[i].size) == 1;
    }
    done = done && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return done;
}

/* A policy session begins with zeros, and every policy command extends what is there. */
static bool extend_fresh(unsigned command, const void *data, size_t size,
                         unsigned char digest[TLM_SEAL_DIGEST])
{
    static const unsigned char zeros[TLM_SEAL_DIGEST];
    const unsigned char code[4] = {(unsigned char)(command >> 24), (unsigned char)(command >> 16),
                                   (unsigned char)(command >> 8), (unsigned char)command};
    const piece pieces[] = {{zeros, sizeof zeros}, {code, sizeof code}, {data, size}};
    return hash(pieces, sizeof pieces / sizeof pieces[0], digest);
}

static bool hash_registers(const tlm_seal_pcr *pcrs, size_t count,
                           unsigned char digest[TLM_SEAL_DIGEST])
{
    /* TPML_PCR_SELECTION: one bank, SHA-256, three octets of registers; then the values' digest. */
    unsigned char data[10 + TLM_SEAL_DIGEST] = {0, 0, 0, 1, 0x00, 0x0B, 3};
    piece values[TLM_SEAL_PCR_MAX];
    for (size_t i = 0; i < count; i++) {
        data[7 + pcrs[i].index / 8] |= (unsigned char)(1U << (pcrs[i].index % 8));
        values[i] = (piece){pcrs[i].sha256, sizeof pcrs[i].sha256};
    }
    return hash(values, count, data + 10) && extend_fresh(CC_POLICY_PCR, data, sizeof data, digest);
}

tlm_result tlm_seal_policy_digest(const tlm_seal_pcr *pcrs, size_t count,
                                  unsigned char branches[2][TLM_SEAL_DIGEST],
                                  unsigned char digest[TLM_SEAL_DIGEST], tlm_error *error)
{
    if (count == 0 || count > TLM_SEAL_PCR_MAX) {
        return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "a policy over %zu registers", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (pcrs[i].index > 23) {
            return tlm_error_set(error, TLM_ERR_ARGUMENT, NULL, "there is no PCR %u",
                                 pcrs[i].index);
        }
    }
    if (!hash_registers(pcrs, count, branches[0]) ||
        !extend_fresh(CC_POLICY_AUTH_VALUE, NULL, 0, branches[1]) ||
        !extend_fresh(CC_POLICY_OR, branches, 2 * (size_t)TLM_SEAL_DIGEST, digest)) {
        return tlm_error_set(error, TLM_ERR_CRYPTO, NULL, "SHA-256 of a policy failed");
    }
    return TLM_OK;
}
