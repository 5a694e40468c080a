/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program for one host, which also works without contact to the daemon.
 *
 *     cc standalone.c $(pkg-config --cflags --libs tlm-client) -o standalone
 *     ./standalone check FEATURE HOST.JWKS                      asks the daemon
 *     ./standalone borrowed FEATURE HOST.JWKS FILE              a lease that was borrowed
 *     ./standalone license FEATURE HOST.JWKS FILE VENDOR.JWKS   a license as the vendor signed it
 *
 * The last two send nothing.
 */
#include <stdio.h>
#include <string.h>

#include <tlm-client.h>

static tlm_client_result ask(tlm_client *client, char **argv, tlm_client_grant *grant,
                             tlm_client_error *error)
{
    const tlm_client_ask question = {.feature = argv[2]};
    if (strcmp(argv[1], "borrowed") == 0 && argv[4] != NULL) {
        return tlm_client_borrowed(client, argv[4], argv[2], grant, error);
    }
    if (strcmp(argv[1], "license") == 0 && argv[4] != NULL && argv[5] != NULL) {
        tlm_client_result result =
            tlm_client_set_text(client, TLM_CLIENT_VENDOR_KEYS_FILE, argv[5], error);
        return result == TLM_CLIENT_OK
                   ? tlm_client_license_file(client, argv[4], argv[2], NULL, grant, error)
                   : result;
    }
    return tlm_client_check(client, &question, grant, error);
}

int main(int argc, char **argv)
{
    tlm_client *client = NULL;
    tlm_client_grant grant = {0};
    tlm_client_error error;
    if (argc < 4) {
        fprintf(stderr, "usage: standalone check|borrowed|license FEATURE HOST.JWKS [FILE …]\n");
        return 2;
    }
    tlm_client_result result = tlm_client_new(NULL, &client, &error);
    if (result == TLM_CLIENT_OK) {
        result = tlm_client_set_text(client, TLM_CLIENT_HOST_KEYS_FILE, argv[3], &error);
    }
    if (result == TLM_CLIENT_OK) {
        result = ask(client, argv, &grant, &error);
    }
    if (result != TLM_CLIENT_OK) {
        fprintf(stderr, "%s [%s]\n%s\n", error.message, error.code, error.hint);
    } else if (grant.expires < 0) {
        printf("%s may be used, for ever\n", grant.feature);
    } else {
        printf("%s may be used until %lld\n", grant.feature, grant.expires);
    }
    tlm_client_grant_clear(&grant);
    tlm_client_free(&client);
    return result == TLM_CLIENT_OK ? 0 : 1;
}
