#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# attest on TPMs that swtpm_setup manufactured with its local CA, verify-attestation beside them.

load ../../support/tokens
load ../../support/manufacture

setup() {
    tokens_setup
    cd "$work" || return 1
}

teardown() {
    cd /
    tokens_teardown
}

# host NAME: a token on that TPM in a store of its own; attestations are of it from now on.
host() {
    use_swtpm "$1"
    persistence=$work/p-$1
    store=$persistence/token
    export TLM_PERSISTENCE_DIR=$persistence
    if [ ! -e "$store/token.json" ]; then
        kind=tpm
        provision > "$work/log"
    fi
}

verify() {
    "$TOKEN_INIT" verify-attestation "$@"
}

# refused CODE TEXT ARGUMENT…: verify-attestation ends with 1; the message holds text and code.
refused() {
    run -1 verify "${@:3}"
    echo "$output"
    [[ $output == *"$2"* && $output == *"[$1]"* ]]
}

# define INDEX FILE: NV of the present TPM, readable as a maker's.
define() {
    tpm2_nvdefine -Q -C o -s "$(stat -c %s "$2")" -a "ownerwrite|ownerread|authread|no_da" "$1"
    tpm2_nvwrite -Q -C o -i "$2" "$1"
}

# A CA of openssl: own_ca NAME DAYS.
own_ca() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -subj "/CN=$1" -days "$2" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -out "$1.pem" 2> err
}

# ek_certificate CA ALGORITHM DAYS [EXTENSION]…: DER in ek.der, for the present TPM's EK.
ek_certificate() {
    tpm2_createek -Q -c ek.ctx -G "$2" -u ek.pub -f pem
    tpm2_flushcontext -t
    openssl req -new -newkey rsa:2048 -nodes -keyout any.key -subj / -out any.csr 2> err
    cat > ek.ext << 'EXT'
basicConstraints = critical,CA:FALSE
subjectAltName = critical,dirName:tpm
[tpm]
1.2.23.133.2.1 = id:54455354
1.2.23.133.2.2 = Model
1.2.23.133.2.3 = id:1
EXT
    sed -i "1i $(printf '%s\\n' "${@:4}" | sed 's/\\n$//')" ek.ext
    openssl x509 -req -in any.csr -force_pubkey ek.pub -CA "$1.pem" -CAkey "$1.key" \
        -CAcreateserial -days "$3" -extfile ek.ext -outform der -out ek.der 2> err || {
        cat err
        return 1
    }
}

ek_use="extendedKeyUsage = 2.23.133.8.1"

@test "a genuine TPM, with the challenge" {
    manufacture one ca
    host one
    before=$(handles)
    "$TOKEN_INIT" attest --nonce 00ff10 --out host.json
    run -3 verify host.json --ca "$ca"
    [[ $output == *"NOT YET BOUND"* ]]
    [[ $output == *"fingerprint=$(fingerprint)"* ]]
    run -0 verify host.json --ca "$ca" --nonce 00FF10 --expect-fingerprint "$(fingerprint)" \
        --make-challenge challenge.json --secret-file secret.json
    [ "$(stat -c %a secret.json)" = 600 ]
    "$TOKEN_INIT" attest --challenge challenge.json --out answer.json
    run -0 verify host.json --ca "$ca" --answer answer.json --secret-file secret.json
    [[ $output == *"bound: "* && $output != *"NOT YET"* ]]
    run -0 verify host.json --ca "$ca" --answer answer.json --secret-file secret.json --json
    echo "$output" | jq -e --arg fingerprint "$(fingerprint)" '.verified and .bound and
        .fingerprint == $fingerprint and .manufacturer == "id:00001014" and
        .ekTrustedBy == "certificate"'
    # Over the root with the TPM's issuer beside it, too.
    run -3 verify host.json --ca "$work/ca/swtpm-localca-rootca-cert.pem" --ca "$ca"
    # Nothing stays in the TPM, and the same keys come again.
    [ "$(handles)" = "$before" ]
    [ -z "$(tpm2_getcap handles-transient)$(tpm2_getcap handles-loaded-session)" ]
    [ "$(status_json | jq .tpm.lockout.counter)" -eq 0 ]
    "$TOKEN_INIT" attest > again.json
    [ "$(jq .ak again.json)" = "$(jq .ak host.json)" ]
    [ "$(jq .ek again.json)" = "$(jq .ek host.json)" ]
    # An answer that is wrong, and files that stay.
    jq '.secret |= "AAAA" + .[4:]' answer.json > wrong.json
    refused signature "the answer is wrong" host.json --ca "$ca" --answer wrong.json \
        --secret-file secret.json
    run -1 "$TOKEN_INIT" attest --out host.json
    [[ $output == *"[exists]"* ]]
    jq '.idObject |= .[:-4] + "AAAA"' challenge.json > changed.json
    run -1 "$TOKEN_INIT" attest --challenge changed.json
    [[ $output == *"[foreign]"* ]]
    # Larger than any modulus of 2048 bits, and a challenge of nothing.
    jq --arg ff "$(head -c 256 /dev/zero | tr '\0' '\377' | basenc --base64url -w0 | tr -d =)" \
        '.encryptedSecret = $ff' challenge.json > changed.json
    run -1 "$TOKEN_INIT" attest --challenge changed.json
    [[ $output == *"[foreign]"* ]]
    jq 'del(.akName)' challenge.json > changed.json
    run -1 "$TOKEN_INIT" attest --challenge changed.json
    [[ $output == *"is no challenge"* && $output == *"[format]"* ]]
    "$TOKEN_INIT" attest --challenge challenge.json | jq -S . > once-more.json
    jq -S . answer.json | cmp - once-more.json
    # The token works on.
    assert_usable
}

@test "another TPM's key, answer, certificate" {
    manufacture one ca
    manufacture two ca
    host one
    "$TOKEN_INIT" attest --out one.json
    host two
    "$TOKEN_INIT" attest --out two.json
    run -3 verify one.json --ca "$ca"
    run -3 verify two.json --ca "$ca"
    for index in 0 1; do
        jq --slurpfile two two.json --argjson i "$index" '.keys[$i] = $two[0].keys[$i]' one.json \
            > mixed.json
        refused foreign "another attestation key" mixed.json --ca "$ca"
        jq --slurpfile two two.json --argjson i "$index" \
            '.keys[$i] |= (.public = $two[0].keys[$i].public | .jwk = $two[0].keys[$i].jwk)' \
            one.json > mixed.json
        refused foreign "about another key" mixed.json --ca "$ca"
    done
    jq --slurpfile two two.json '.ek.certificate = $two[0].ek.certificate' one.json > mixed.json
    refused foreign "another key than the attestation's EK" mixed.json --ca "$ca"
    jq --slurpfile two two.json '.ek = $two[0].ek' one.json > mixed.json
    refused signature "changed after the TPM signed it" mixed.json --ca "$ca"
    jq --slurpfile two two.json '.ak = $two[0].ak' one.json > mixed.json
    refused foreign "another attestation key" mixed.json --ca "$ca"
    refused foreign "not of the expected one" two.json --ca "$ca" \
        --expect-fingerprint "$(jq -r .thumbprint "$work/p-one/token/token.json")"
    # The challenge for one, on two.
    verify one.json --ca "$ca" --make-challenge challenge.json --secret-file secret.json
    run -1 "$TOKEN_INIT" attest --challenge challenge.json
    [[ $output == *"not made for this TPM"* && $output == *"[foreign]"* ]]
    verify two.json --ca "$ca" --make-challenge two.challenge --secret-file two.secret
    "$TOKEN_INIT" attest --challenge two.challenge --out two.answer
    refused foreign "another TPM" one.json --ca "$ca" --answer two.answer --secret-file secret.json
    refused foreign "another TPM" one.json --ca "$ca" --answer two.answer --secret-file two.secret
    verify two.json --ca "$ca" --answer two.answer --secret-file two.secret
}

@test "a SoftHSM key" {
    manufacture one ca
    host one
    "$TOKEN_INIT" attest --out host.json
    kind=softhsm
    persistence=$work/soft
    store=$persistence/token
    export TLM_PERSISTENCE_DIR=$persistence
    provision > log
    run -1 "$TOKEN_INIT" attest
    [[ $output == *"its keys are in no TPM"* && $output == *"[unsupported]"* ]]
    n=$(openssl rsa -pubin -in "$store/srk.pem" -noout -modulus | cut -d= -f2 |
        basenc --base16 -d | basenc --base64url -w0 | tr -d =)
    jq --arg n "$n" '.keys[0].jwk.n = $n' host.json > jwk.json
    refused foreign "its JWK is not the key" jwk.json --ca "$ca"
    # The public area too: the TPM's first 26 bytes, then the other modulus.
    jq -r '.keys[0].public' host.json | sed 's/$/==/' | basenc --base64url -d 2> err |
        head -c 22 > area || true
    openssl rsa -pubin -in "$store/srk.pem" -noout -modulus | cut -d= -f2 | basenc --base16 -d \
        >> area
    public=$(basenc --base64url -w0 area | tr -d =)
    jq --arg public "$public" '.keys[0].public = $public' jwk.json > both.json
    refused foreign "about another key" both.json --ca "$ca"
}

@test "a foreign CA, and certificates that are expired or for something else" {
    manufacture one ca
    host one
    "$TOKEN_INIT" attest --out host.json
    own_ca foreign 10
    refused incomplete "not among the trusted ones" host.json --ca foreign.pem
    run -2 verify host.json
    [[ $output == *"--ca"* ]]
    start_swtpm bare
    host bare
    "$TOKEN_INIT" attest --out none.json
    refused incomplete "holds no EK certificate" none.json --ca foreign.pem
    own_ca maker 10
    ek_certificate maker rsa 5 "$ek_use" "keyUsage = critical,keyEncipherment"
    run -3 verify none.json --ek-public ek.pub
    refused foreign "another key than the one in" none.json --ek-public "$store/srk.pem"
    define 0x01C00002 ek.der
    "$TOKEN_INIT" attest --out good.json
    run -3 verify good.json --ca maker.pem
    [[ $output == *"id:54455354 Model"* ]]
    expired_ca
    not_an_ek
}

# The same TPM with a certificate that is expired, and one of a CA that is.
expired_ca() {
    tpm2_nvundefine -Q -C o 0x01C00002
    ek_certificate maker rsa -1 "$ek_use" "keyUsage = critical,keyEncipherment"
    define 0x01C00002 ek.der
    "$TOKEN_INIT" attest --out expired.json
    refused signature "has expired" expired.json --ca maker.pem
    openssl x509 -req -in <(openssl x509 -in maker.pem -x509toreq -signkey maker.key 2> err) \
        -signkey maker.key -days -1 -extfile <(echo basicConstraints=critical,CA:TRUE) \
        -out old.pem 2> err
    refused signature "has expired" good.json --ca old.pem
}

not_an_ek() {
    tpm2_nvundefine -Q -C o 0x01C00002
    ek_certificate maker rsa 5 "extendedKeyUsage = serverAuth" "keyUsage = keyEncipherment"
    define 0x01C00002 ek.der
    "$TOKEN_INIT" attest --out other.json
    refused format "not one for an endorsement key" other.json --ca maker.pem
    tpm2_nvundefine -Q -C o 0x01C00002
    ek_certificate maker rsa 5 "$ek_use" "keyUsage = critical,digitalSignature"
    define 0x01C00002 ek.der
    "$TOKEN_INIT" attest --out signing.json
    refused format "not one for an endorsement key" signing.json --ca maker.pem
}

@test "an ECC endorsement key, and the issuer's certificate in NV" {
    start_swtpm bare
    host bare
    own_ca root 10
    openssl req -new -newkey rsa:2048 -nodes -keyout middle.key -subj /CN=middle -out middle.csr 2> err
    openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -CAcreateserial -days 10 \
        -extfile <(printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n') \
        -out middle.pem 2> err
    ek_certificate middle ecc 5 "$ek_use" "keyUsage = critical,keyAgreement"
    define 0x01C0000A ek.der
    "$TOKEN_INIT" attest --out short.json
    refused incomplete "issued by 'CN = middle'" short.json --ca root.pem
    # Makers spread their chain over indexes of a fixed size.
    { openssl x509 -in middle.pem -outform der; head -c 40 /dev/zero; } > chain.der
    head -c 400 chain.der > chain.1
    tail -c +401 chain.der > chain.2
    define 0x01C00100 chain.1
    define 0x01C00101 chain.2
    "$TOKEN_INIT" attest --out host.json
    [ "$(jq '.ek.chain | length' host.json)" -eq 1 ]
    run -3 verify host.json --ca root.pem
    verify host.json --ca root.pem --make-challenge challenge.json --secret-file secret.json
    [ "$(jq -r .ek challenge.json)" = P-256 ]
    "$TOKEN_INIT" attest --challenge challenge.json --out answer.json
    verify host.json --ca root.pem --answer answer.json --secret-file secret.json
}

@test "an authorization on the endorsement hierarchy" {
    manufacture one ca
    host one
    tpm2_changeauth -c e secret
    run -1 "$TOKEN_INIT" attest
    [[ $output == *"--endorsement-auth-file"* && $output == *"[permission]"* ]]
    (umask 077 && echo secret > auth)
    "$TOKEN_INIT" attest --endorsement-auth-file auth --out host.json
    verify host.json --ca "$ca" --make-challenge challenge.json --secret-file secret.json
    "$TOKEN_INIT" attest --endorsement-auth-file auth --challenge challenge.json --out answer.json
    verify host.json --ca "$ca" --answer answer.json --secret-file secret.json
    [ "$(status_json | jq .tpm.lockout.counter)" -eq 0 ]
}

@test "beside a program that has the token open" {
    manufacture one ca
    host one
    coproc HOLDER { exec "$CERTIFICATE_HOLDER" "$persistence" "$tcti" 3>&- 2> holder.err; }
    holder=$HOLDER_PID
    echo sign >&"${HOLDER[1]}"
    read -r -t 20 answer <&"${HOLDER[0]}"
    [ "$answer" = signed ]
    "$TOKEN_INIT" attest --out host.json
    run -3 verify host.json --ca "$ca"
    echo sign >&"${HOLDER[1]}"
    read -r -t 20 answer <&"${HOLDER[0]}"
    [ "$answer" = signed ]
    echo end >&"${HOLDER[1]}"
    wait "$holder"
}

@test "wrong options and files" {
    for arguments in "" "x" "x --ca y --answer z" "x --ca y --secret-file z" \
        "x --ca y --make-challenge a --answer b --secret-file c"; do
        # shellcheck disable=SC2086 # the words are the arguments
        run -2 verify $arguments
        [[ $output == *"[setting]"* ]]
    done
    run -1 verify none.json --ca none.pem
    [[ $output == *"none.json"* && $output == *"[not-found]"* ]]
    echo '{}' > empty.json
    refused format "type" empty.json --ca none.pem
    run -1 "$TOKEN_INIT" attest
    [[ $output == *"[not-provisioned]"* ]]
    run -2 "$TOKEN_INIT" attest --nonce
}
