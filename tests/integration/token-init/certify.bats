#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# csr and install-cert against a CA made by openssl.

load ../../support/tokens

setup() {
    tokens_setup
    provision > "$work/log"
    cd "$work" || return 1
    make_ca root "/CN=Test root" ""
    make_ca middle "/CN=Test issuer" root
}

teardown() {
    cd /
    tokens_teardown
}

# make_ca NAME SUBJECT ISSUER: NAME.pem and NAME.key; self-signed where ISSUER is empty.
make_ca() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
        -subj "$2" -out "$1.csr" 2> err
    printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n' > ca.ext
    sign_request "$1.csr" "${3:-$1}" "$1.pem" ca.ext 3650 "${3:-}"
}

# sign_request CSR CA OUT EXTENSIONS DAYS [ISSUER]: by CA.key; ISSUER "" makes it self-signed.
sign_request() {
    if [ "${6-$2}" = "" ]; then
        openssl x509 -req -in "$1" -signkey "$2.key" -days "$5" -extfile "$4" -out "$3" 2> err
    else
        openssl x509 -req -in "$1" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$5" \
            -extfile "$4" -out "$3" 2> err
    fi
}

# issue KEY OUT [DAYS [EXTENSION]…]: a certificate of Test issuer for the key's request.
issue() {
    local key=$1 out=$2 days=${3:-365}
    rm -f "$key.csr"
    "$TOKEN_INIT" csr --key "$key" --subject "CN=host.example" --out "$key.csr"
    printf '%s\n' basicConstraints=CA:FALSE "${@:4}" > leaf.ext
    sign_request "$key.csr" middle "$out" leaf.ext "$days"
}

# The certificates that other programs see beside a key.
certificates() {
    pkcs11 --list-objects --type cert | grep -c "label: *$1\$"
}

read_certificate() {
    rm -f present.der
    pkcs11 --read-object --type cert --id "$1" --output-file present.der > log
    openssl x509 -inform der -in present.der
}

# refused CODE TEXT COMMAND…: the message holds both, and the key's certificate stays.
refused() {
    local before
    before=$(read_certificate 02)
    run -1 "$TOKEN_INIT" install-cert "${@:3}"
    echo "$output"
    [[ $output == *"$2"* && $output == *"[$1]"* ]]
    [ "$(read_certificate 02)" = "$before" ]
    [ "$(find "$store" -name 'tlm-attest-*.pem' | wc -l)" -eq 0 ]
}

@test "a request holds subject, names and use, and verifies" {
    "$TOKEN_INIT" csr --subject 'CN=host.example,O=Example\, Inc.' \
        --san DNS:host.example,IP:192.0.2.1 > attest.csr
    openssl req -in attest.csr -verify -noout 2>&1 | grep -i 'verify OK'
    [ "$(openssl req -in attest.csr -noout -subject)" = \
        'subject=CN = host.example, O = "Example, Inc."' ]
    openssl req -in attest.csr -noout -text > text
    grep -F 'DNS:host.example, IP Address:192.0.2.1' text
    grep -F 'ecdsa-with-SHA256' text
    [ "$(grep -A 1 'Key Usage: critical' text | tail -n 1 | xargs)" = 'Digital Signature' ]
    "$TOKEN_INIT" csr --key tlm-srk --out srk.csr
    openssl req -in srk.csr -verify -noout 2>&1 | grep -i 'verify OK'
    openssl req -in srk.csr -pubkey -noout | cmp - "$store/srk.pem"
    [ "$(openssl req -in srk.csr -noout -subject)" = \
        "subject=CN = tlm-srk $(fingerprint | cut -c1-16)" ]
    openssl req -in srk.csr -noout -text | grep -F sha256WithRSAEncryption
    run -1 "$TOKEN_INIT" csr --key tlm-srk --out srk.csr
    [[ $output == *"[exists]"* ]]
}

@test "wrong subjects, names and keys" {
    for subject in host 'CN=' 'XX=y' 'CN=a,,O=b' 'C=Europe' '=x'; do
        run -2 "$TOKEN_INIT" csr --subject "$subject"
        [[ $output == *"[setting]"* ]]
    done
    for names in host.example DNS: 'DNS:a b' IP:300.1.1.1 dirName:x 'DNS:a,'; do
        run -2 "$TOKEN_INIT" csr --san "$names"
        [[ $output == *"no alternative name"* || $output == *"between two commas"* ]]
    done
    run -2 "$TOKEN_INIT" csr --key tlm-other
    run -2 "$TOKEN_INIT" install-cert
    [[ $output == *"needs the file"* ]]
}

@test "a certificate of a CA takes the place of the self-signed one, which is saved" {
    for key in tlm-attest tlm-srk; do
        id=02
        [ "$key" = tlm-attest ] || id=01
        before=$(read_certificate "$id")
        issue "$key" leaf.pem
        run -0 "$TOKEN_INIT" install-cert leaf.pem --ca middle.pem --key "$key"
        echo "$output"
        [[ $output == *"installed: certificate of $key"* ]]
        [ "$BACKEND" = softhsm ] || [[ $output == *"systemctl restart tlm-tokend"* ]]
        saved=$(sed -n 's/^the certificate before it is saved in //p' <<< "$output")
        [ "$(cat "$saved")" = "$before" ]
        [ "$(read_certificate "$id")" = "$(cat leaf.pem)" ]
        [ "$(certificates "$key")" -eq 1 ]
        run -0 "$TOKEN_INIT" install-cert leaf.pem --ca middle.pem --key "$key"
        [[ $output == "already installed"* ]]
    done
    assert_usable
    provision
    [ "$(read_certificate 01)" = "$(cat leaf.pem)" ]
}

@test "a chain in the file is enough, and so is the root with the chain" {
    issue tlm-attest leaf.pem
    cat leaf.pem middle.pem > chain.pem
    "$TOKEN_INIT" install-cert chain.pem
    issue tlm-attest leaf.pem
    cat leaf.pem middle.pem > chain.pem
    run -1 "$TOKEN_INIT" install-cert chain.pem --ca root.pem
    [[ $output == *"--replace"* && $output == *"[exists]"* ]]
    "$TOKEN_INIT" install-cert chain.pem --ca root.pem --replace
    [ "$(read_certificate 02)" = "$(cat leaf.pem)" ]
    [ "$(find "$store" -name 'tlm-attest-*.pem' | wc -l)" -eq 2 ]
}

@test "what does not verify is refused, and nothing changes" {
    issue tlm-attest leaf.pem
    refused incomplete "not among the trusted ones" leaf.pem
    refused incomplete "not among the trusted ones" leaf.pem --ca root.pem
    make_ca foreign "/CN=Test issuer" ""
    refused incomplete "not among the trusted ones" leaf.pem --ca foreign.pem
    cat leaf.pem foreign.pem > chain.pem
    refused incomplete "" chain.pem
    openssl x509 -in leaf.pem -outform der -out leaf.der
    size=$(stat -c %s leaf.der)
    printf '\xff' | dd of=leaf.der bs=1 seek=$((size - 9)) conv=notrunc 2> err
    refused signature "does not verify" leaf.der --ca middle.pem
    issue tlm-attest leaf.pem -1
    refused signature "has expired" leaf.pem --ca middle.pem
    issue tlm-srk srk.pem
    refused foreign "not one of key 'tlm-attest'" srk.pem --ca middle.pem
    cat middle.pem leaf.pem > chain.pem
    refused foreign "not one of key 'tlm-attest'" chain.pem
    refused format "no certificate" tlm-attest.csr
    refused not-found "none.pem" none.pem
    issue tlm-attest leaf.pem 10 keyUsage=keyAgreement
    refused format "digital signatures" leaf.pem --ca middle.pem
    "$TOKEN_INIT" csr > again.csr
    sign_request again.csr middle ca-leaf.pem ca.ext 10
    refused format "one for a CA" ca-leaf.pem --ca middle.pem
    read_certificate 02 > self.pem
    refused signature "self-signed" self.pem --ca middle.pem
}

@test "an exchange that was interrupted is completed" {
    issue tlm-attest leaf.pem
    openssl x509 -in leaf.pem -outform der -out leaf.der
    openssl x509 -in leaf.pem -noout -subject -nameopt RFC2253 > subject
    # What a run leaves that was killed between the new certificate and the old one.
    pkcs11 --write-object leaf.der --type cert --id 02 --label tlm-attest
    [ "$(certificates tlm-attest)" -eq 2 ]
    "$TOKEN_INIT" install-cert leaf.pem --ca middle.pem
    [ "$(certificates tlm-attest)" -eq 1 ]
    [ "$(read_certificate 02)" = "$(cat leaf.pem)" ]
}

# ask WORD: one answer of the holder.
ask() {
    echo "$1" >&"${HOLDER[1]}"
    read -r -t 20 answer <&"${HOLDER[0]}"
    echo "$1: $answer"
}

@test "a program that has the token open goes on, and sees the certificate once it opens anew" {
    issue tlm-attest leaf.pem
    coproc HOLDER { exec "$CERTIFICATE_HOLDER" "$persistence" ${tcti:+"$tcti"} 3>&- 2> holder.err; }
    holder=$HOLDER_PID
    ask sign && [ "$answer" = signed ]
    ask certificate && [[ $answer == "tlm-attest "* ]]
    "$TOKEN_INIT" install-cert leaf.pem --ca middle.pem
    ask sign && [ "$answer" = signed ]
    ask certificate
    # SoftHSM reads its files again, tpm2-pkcs11 does not.
    [ "$BACKEND" = softhsm ] || [[ $answer == "tlm-attest "* ]]
    [ "$BACKEND" = swtpm ] || [ "$answer" = "Test issuer" ]
    ask mark && [ "$answer" = marked ]
    ask reopen && [ "$answer" = open ]
    ask certificate && [ "$answer" = "Test issuer" ]
    ask sign && [ "$answer" = signed ]
    echo end >&"${HOLDER[1]}"
    wait "$holder"
    [ "$(certificates tlm-attest)" -eq 1 ]
    [ "$(read_certificate 02)" = "$(cat leaf.pem)" ]
    assert_usable
}
