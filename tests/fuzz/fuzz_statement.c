/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers with statements over any JSON: canonical forms that stay themselves, and no answer that
 * verifies with a key that nobody has. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tlm/statement.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A P-256 key of RFC 7515 appendix A.3; its private half is in the RFC, in no input. */
static const char jwk[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
                          "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                          "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

static void check_canonical(const json_t *value)
{
    char *first = NULL;
    char *second = NULL;
    tlm_error error = {0};
    if (tlm_statement_canonical(value, &first, &error) != TLM_OK) {
        if (first != NULL || error.message[0] == '\0') {
            abort();
        }
        return;
    }
    json_t *again =
        json_loads(first, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (again == NULL || !json_equal(again, value) ||
        tlm_statement_canonical(again, &second, NULL) != TLM_OK || strcmp(first, second) != 0) {
        abort();
    }
    json_decref(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tlm_error error = {0};
    tlm_statement_report report;
    json_t *answer = json_loadb((const char *)data, size,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (answer == NULL) {
        return 0;
    }
    check_canonical(answer);
    json_t *key = json_loads(jwk, 0, NULL);
    tlm_result result = tlm_statement_verify(answer, key, NULL, &report, &error);
    if (result == TLM_OK || error.result != result || error.message[0] == '\0') {
        abort();
    }
    json_decref(key);
    json_decref(answer);
    return 0;
}
