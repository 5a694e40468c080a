/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptions of licenses on standard input, one JSON text a line; for each a line "good" or
 * "bad:" and why, by the schema alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "schema.h"

static void judge(const tlm_schema *schema, const char *line, size_t size)
{
    tlm_document *document = NULL;
    tlm_error error = {0};
    tlm_result result = tlm_document_parse(line, size, "line", &document, &error);
    if (result == TLM_OK) {
        result = tlm_schema_check(schema, document, &error);
    }
    (void)printf("%s%s\n", result == TLM_OK ? "good" : "bad: ", error.message);
    tlm_document_free(&document);
}

int main(void)
{
    tlm_schema *schema = NULL;
    tlm_error error = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t size = 0;
    if (tlm_schema_license(&schema, &error) != TLM_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    while ((size = getline(&line, &room, stdin)) > 0) {
        judge(schema, line, (size_t)size);
    }
    free(line);
    tlm_schema_free(&schema);
    return 0;
}
