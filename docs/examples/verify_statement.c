/* SPDX-License-Identifier: BSD-2-Clause */
/* verify_statement ANSWER KEYS [NONCE]: as verify_statement.py. cc … -ljansson -ljose -lcrypto */
#include <string.h>

#include <jansson.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <openssl/sha.h>

#define HASH 32

static void check(int holds, const char *why)
{
    if (!holds) {
        (void)fprintf(stderr, "not proven: %s\n", why);
        exit(1);
    }
}

/* RFC 9162 section 2.1, over RFC 8785: jansson's text but for the case of \u001f. */
static void hash_leaf(const json_t *statement, unsigned char made[HASH])
{
    static char text[65536];
    size_t size = json_dumpb(statement, text + 1, sizeof text - 2, JSON_COMPACT | JSON_SORT_KEYS);
    check(size > 0 && size <= sizeof text - 2, "the statement is too long");
    for (char *at = text + 1; *at != '\0'; at++) {
        if (*at == '\\' && *++at == 'u') {
            for (int i = 1; i <= 4; i++) {
                at[i] = (char)(at[i] >= 'A' && at[i] <= 'F' ? at[i] | 0x20 : at[i]);
            }
        }
    }
    (void)SHA256((const unsigned char *)text, size + 1, made);
}

static void hash_node(const unsigned char *left, const unsigned char *right, unsigned char *made)
{
    unsigned char both[2 * HASH + 1] = {1};
    memcpy(both + 1, left, HASH);
    memcpy(both + 1 + HASH, right, HASH);
    (void)SHA256(both, sizeof both, made);
}

/* Section 2.1.3.2: from a leaf to the root of a tree whose last leaf is `last`. */
static void climb(const json_t *path, json_int_t place, json_int_t last, unsigned char node[HASH])
{
    check(place >= 0 && place <= last, "there is no such place in the tree");
    for (size_t i = 0; i < json_array_size(path); i++, place /= 2, last /= 2) {
        unsigned char sibling[HASH];
        check(last != 0, "the path is too long");
        check(jose_b64_dec(json_array_get(path, i), sibling, HASH) == HASH, "the path's form");
        if (place % 2 == 1 || place == last) {
            hash_node(sibling, node, node);
            for (; place % 2 == 0 && place != 0; last /= 2) {
                place /= 2;
            }
        } else {
            hash_node(node, sibling, node);
        }
    }
    check(last == 0, "the path is too short");
}

/* The claims of the signed root, once its signature was verified with a key of the host. */
static json_t *claims_of(const char *root, const json_t *keys)
{
    const char *first = strchr(root, '.');
    const char *second = first != NULL ? strchr(first + 1, '.') : NULL;
    check(second != NULL, "the root is no compact JWS");
    json_t *jws =
        json_pack("{s:s%, s:s%, s:s}", "protected", root, (size_t)(first - root), "payload",
                  first + 1, (size_t)(second - first - 1), "signature", second + 1);
    json_t *header = jose_b64_dec_load(json_object_get(jws, "protected"));
    check(json_equal(json_object_get(header, "typ"), json_string("tlm-root+jwt")), "another typ");
    check(jose_jws_ver(NULL, jws, NULL, keys, false), "the signature does not verify");
    return jose_b64_dec_load(json_object_get(jws, "payload"));
}

int main(int argc, char **argv)
{
    const char *root = NULL;
    json_t *said = NULL, *path = NULL;
    int index = 0;
    unsigned char node[HASH];
    check(argc >= 3, "verify_statement ANSWER KEYS [NONCE]");
    json_t *answer = json_load_file(argv[1], JSON_REJECT_DUPLICATES, NULL);
    check(json_unpack(answer, "{s:o, s:i, s:o, s:s}", "statement", &said, "index", &index, "path",
                      &path, "root", &root) == 0,
          "members are missing");
    json_t *claims = claims_of(root, json_load_file(argv[2], JSON_REJECT_DUPLICATES, NULL));
    hash_leaf(said, node);
    climb(path, index, json_integer_value(json_object_get(claims, "size")) - 1, node);
    check(json_equal(json_object_get(claims, "root"), jose_b64_enc(node, HASH)),
          "the path does not lead to the signed root");
    check(json_equal(json_object_get(said, "fingerprint"), json_object_get(claims, "fingerprint")),
          "the statement is another host's");
    check(argc < 4 || json_equal(json_object_get(said, "nonce"), json_string(argv[3])),
          "it answers another nonce");
    return printf("proven: %s\n", json_string_value(json_object_get(said, "type"))) < 0;
}
