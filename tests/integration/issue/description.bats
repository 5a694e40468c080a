#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What is wrong with a description is said with its place, and nothing is signed then.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    keys
    host h
}

# says LINE COLUMN TEXT: of license.yaml.
says() {
    refused 1 format "license.yaml, line $1, column $2: $3" license license.yaml --for h.json \
        --key vendor.pem --out no
    [ ! -e no ]
}

@test "an error names file, line, column and member" {
    description
    sed -i 's/seats: 5/seats: five/' license.yaml
    says 6 12 "features[0].seats is a string, not an integer"
    description
    sed -i 's/seats: 5/seast: 5/' license.yaml
    says 6 5 "features[0].seast is not a member that stands here"
    [[ $stderr == *"did you mean seats?"* ]]
    description
    sed -i 's/version: "2.10"/version: 2.10/' license.yaml
    says 3 40 "product.version is a number with a fraction or exponent, not a string"
    [[ $stderr == *"put it in quotes"* ]]
    description "expires: 2026-02-30"
    says 1 10 "expires is 2026-02-30, which no calendar has"
    description
    sed -i 's/limit: 1000/limit: [1/' license.yaml
    says 10 54 "did not find expected ',' or ']'"
}

@test "JSON has places, too" {
    printf '{\n  "vendor": "ACME",\n  "customer": 5, "product": {"id": "a"}, "features": []\n}\n' > license.json
    refused 1 format "license.json, line 3, column 15: customer is an integer, not a string" \
        license license.json --key vendor.pem
    printf '{\n  "vendor": "ACME",\n  "vendor": "B"\n}\n' > license.json
    refused 1 format "license.json, line 3, column 3: the member \"vendor\" stands there twice" \
        license license.json --key vendor.pem
}

@test "a description from standard input makes the same license" {
    description 'id: 3f1d9b5e-0c6a-4b0e-9a9e-5b1a3c2d4e5f' 'issued: 2026-01-31'
    issue license license.yaml --for h.json --key vendor.pem 2> err > one.jws
    issue license - --for h.json --key vendor.pem 2> err < license.yaml > two.jws
    [ "$(cut -d. -f2 one.jws)" = "$(cut -d. -f2 two.jws)" ]
    [ "$(issue inspect one.jws --json | jq .claims.iat)" = 1769817600 ]
    refused 1 format "standard input is empty" license - --for h.json --key vendor.pem < /dev/null
}

@test "no key is opened, and no PIN spent, for a description that is wrong" {
    description
    sed -i 's/seats: 5/seats: -1/' license.yaml
    refused 1 format "features[0].seats is less than 0" license license.yaml --for h.json --key none.pem
}

@test "the installed schema is the one that counts" {
    [ "$(jq -r '."$schema"' "$SOURCE/licensing/issue/schema/license.schema.json")" = \
        https://json-schema.org/draft/2020-12/schema ]
}
