#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# libtlm-client as an application has it: leases that renew themselves, a daemon that goes away,
# answers that lie.

load common

setup_file() {
    make_stage
}

teardown_file() {
    rm -rf "$stage"
}

setup() {
    new_home
}

teardown() {
    take_away
}

@test "a lease is held, renewed and returned" {
    start_fake --ttl 3
    start_holder pro "$keys"
    wait_until 60 says '^held pro fence [0-9]* memory {"level":3,"text":"größe"}'
    wait_until 60 at_least 'PUT /api/v1/leases/' 3
    [ "$(leases_held)" -eq 1 ]
    exec 9>&-
    end_of "$holder"
    [ "$status" -eq 0 ]
    none_held
    [ "$(requests 'POST /api/v1/leases ')" -eq 1 ]
    [ "$(requests 'DELETE /api/v1/leases/')" -eq 1 ]
    run -1 says '^level'
}

@test "renewals come at a third of the time, at most a fifth of that earlier" {
    start_fake --ttl 3
    local begun
    begun=$(date +%s%3N)
    start_holder pro "$keys"
    wait_until 60 says '^held '
    wait_until 60 at_least 'PUT /api/v1/leases/' 3
    local took=$(($(date +%s%3N) - begun))
    # Three renewals, 0.8 to 1 s each; a slow machine only makes it longer.
    [ "$took" -ge 2400 ]
    run -1 says '^level'
}

@test "every request carries a nonce of its own" {
    start_fake --ttl 1
    start_holder pro "$keys"
    wait_until 60 at_least 'PUT /api/v1/leases/' 2
    grep -o '"nonce":"[^"]*"' "$home/log" | sort > "$home/nonces"
    [ "$(wc -l < "$home/nonces")" -ge 3 ]
    [ "$(sort -u "$home/nonces" | wc -l)" -eq "$(wc -l < "$home/nonces")" ]
}

@test "SIGTERM returns the lease and ends the program as before" {
    start_fake --ttl 60
    start_holder pro "$keys"
    wait_until 60 says '^held '
    kill -TERM "$holder"
    end_of "$holder"
    [ "$status" -eq 143 ]
    none_held
}

@test "a program that is killed leaves its lease to run out" {
    start_fake --ttl 2
    start_holder pro "$keys"
    wait_until 60 says '^held '
    kill -KILL "$holder"
    end_of "$holder"
    [ "$status" -eq 137 ]
    [ "$(leases_held)" -eq 1 ]
    wait_until 60 none_held
    [ "$(requests DELETE)" -eq 0 ]
}

@test "the daemon goes away and comes back: the ladder goes down and up, with another fence" {
    start_fake --ttl 1
    start_holder pro "$keys"
    wait_until 60 says '^held '
    stop_fake
    wait_until 60 says '^level warn io'
    wait_until 60 says '^level degraded io'
    echo >&9
    wait_until 60 says '^worked at level degraded'
    start_fake --ttl 1 --port "${TLM_URL##*:}"
    wait_until 60 says '^level fine'
    echo >&9
    wait_until 60 says '^worked at level fine'
    [ "$(grep '^level' "$home/out" | head -n 2 | tr '\n' ' ')" = 'level warn io level degraded io ' ]
    [ "$(leases_held)" -eq 1 ]
}

@test "a license that is taken back ends the ladder at once" {
    start_fake --ttl 3
    start_holder pro "$keys"
    wait_until 60 says '^held '
    fault 'problem 403 revoked for PUT'
    wait_until 60 says '^level stop revoked'
    run -1 says '^level warn'
}

@test "a rolled back state is as an absence" {
    start_fake --ttl 3
    start_holder pro "$keys"
    wait_until 60 says '^held '
    fault 'problem 409 rollback for PUT'
    wait_until 60 says '^level warn rollback'
    fault ''
    wait_until 60 says '^level fine'
    run -1 says '^level stop'
}

@test "a lease that the daemon lost is taken anew without a step down" {
    start_fake --ttl 3
    start_holder pro "$keys"
    wait_until 60 says '^held '
    curl -s -X DELETE "$TLM_URL$(grep -o '/api/v1/leases/[0-9a-f-]*' "$home/log" | head -n 1)" || true
    wait_until 60 at_least 'PUT /api/v1/leases/' 1
    curl -s -X DELETE "$TLM_URL$(grep -o 'PUT /api/v1/leases/[0-9a-f-]*' "$home/log" | head -n 1 | cut -c5-)"
    wait_until 60 says '^level fine'
    [ "$(grep -c '^level' "$home/out")" -eq 1 ]
    [ "$(requests 'POST /api/v1/leases ')" -eq 2 ]
    [ "$(leases_held)" -eq 1 ]
}

# Faults while a lease is held: none of them may be taken for a renewal.
no_renewal_by() {
    start_fake --ttl 1
    start_holder pro "$keys"
    wait_until 60 says '^held '
    fault "$1 for PUT"
    wait_until 60 says "^level warn $2"
    fault ''
    wait_until 60 says '^level fine'
}

@test "a connection that is reset is no renewal" {
    no_renewal_by reset io
}

@test "garbage is no renewal" {
    no_renewal_by garbage format
}

@test "an answer that is too large is no renewal" {
    no_renewal_by oversize too-large
}

@test "a proxy's page is no renewal" {
    no_renewal_by html io
}

@test "a renewal for another nonce is none" {
    no_renewal_by other-nonce signature
}

@test "a renewal by another key is none" {
    no_renewal_by other-key signature
}

@test "a renewal without a statement is none" {
    no_renewal_by unsigned '[a-z]*'
}

@test "a renewal that promises more time than is proven is none" {
    no_renewal_by longer signature
}

# A grant that is not what was asked for or not proven is refused.
no_grant_by() {
    start_fake
    fault "$1 for POST /api/v1/leases"
    run "$stage/acquire" pro "$keys" < /dev/null
    [ "$status" -eq 1 ]
    [[ $output == *"[$2]"* ]]
    [[ $output != *held* ]]
}

@test "a lease for another nonce is refused" {
    no_grant_by other-nonce signature
}

@test "a lease signed by another key is refused" {
    no_grant_by other-key signature
}

@test "a lease whose feature is not the proven one is refused" {
    no_grant_by other-feature signature
}

@test "a lease whose memory is not the proven one is refused" {
    no_grant_by other-memory signature
}

@test "garbage instead of a lease is refused" {
    no_grant_by garbage format
}

@test "a reset instead of a lease is an absence, after a second try" {
    no_grant_by reset io
    [ "$(requests 'POST /api/v1/leases ')" -ge 2 ]
}

@test "an unlicensed feature, and seats that are taken" {
    start_fake --seats 1
    run "$stage/acquire" missing "$keys" < /dev/null
    [ "$status" -eq 1 ]
    [[ $output == *'[unlicensed]'* ]]
    start_holder pro "$keys"
    wait_until 60 says '^held '
    run "$stage/acquire" pro "$keys" < /dev/null
    [ "$status" -eq 3 ]
    [[ $output == *'[seats-exhausted]'* ]]
}

@test "no daemon at all is told with what to do" {
    start_fake
    stop_fake
    run "$stage/acquire" pro "$keys" < /dev/null
    [ "$status" -eq 1 ]
    [[ $output == *"${TLM_URL}"*'[io]'* ]]
    [[ $output == *systemctl* ]]
}

@test "a stand-alone feature: asked, borrowed, and by the vendor's own license" {
    start_fake
    run "$stage/standalone" check lone "$keys"
    [ "$output" = "lone may be used, for ever" ]
    fault 'other-feature for POST /api/v1/check' 'problem 403 not-local for POST /api/v1/check'
    run "$stage/standalone" check lone "$keys"
    [ "$status" -eq 0 ] # the first order counts, and does nothing to a check
    fault 'problem 403 not-local for POST /api/v1/check'
    run "$stage/standalone" check lone "$keys"
    [ "$status" -eq 1 ]
    [[ $output == *'[not-local]'* ]]

    fault ''
    "$tlm" lease borrow "$home/seat" --feature pro --keys "$keys"
    stop_fake
    run "$stage/standalone" borrowed pro "$keys" "$home/seat"
    [ "$status" -eq 0 ]
    [[ $output == "pro may be used until "* ]]
    run "$stage/standalone" borrowed other "$keys" "$home/seat"
    [ "$status" -eq 1 ]
    [[ $output == *'[signature]'* ]]

    "$SOURCE/tests/integration/client/license.py" "$home"
    run "$stage/standalone" license lone "$keys" "$home/good.jws" "$home/vendor.jwks"
    [ "$output" = "lone may be used, for ever" ]
    local bad
    for bad in pro:unsupported missing:unlicensed trial:unsupported over:expired; do
        run "$stage/standalone" license "${bad%:*}" "$keys" "$home/good.jws" "$home/vendor.jwks"
        [ "$status" -eq 1 ]
        [[ $output == *"[${bad#*:}]"* ]] || { echo "$bad: $output"; return 1; }
    done
    for bad in foreign:foreign expired:expired forged:signature unknown:untrusted; do
        run "$stage/standalone" license lone "$keys" "$home/${bad%:*}.jws" "$home/vendor.jwks"
        [ "$status" -eq 1 ]
        [[ $output == *"[${bad#*:}]"* ]] || { echo "$bad: $output"; return 1; }
    done
}

# start_leaver HOW: as start_holder.
start_leaver() {
    mkfifo "$home/in"
    "$stage/leaver" "$1" "$keys" > "$home/out" 2> "$home/err" < "$home/in" 3>&- &
    holder=$!
    pids+=("$holder")
    exec 9> "$home/in"
    wait_until 60 says '^held'
}

@test "a lease is returned by exit" {
    start_fake --ttl 60
    start_leaver exit
    end_of "$holder"
    [ "$status" -eq 4 ]
    none_held
}

@test "a lease is returned by exit from the callback" {
    start_fake --ttl 1
    start_leaver callback
    fault 'problem 403 revoked for PUT'
    end_of "$holder"
    [ "$status" -eq 5 ]
    says '^callback stop'
    at_least 'DELETE /api/v1/leases/' 1
    none_held
}

@test "a handler of the application's own is called, and the lease returned" {
    start_fake --ttl 60
    start_leaver handler
    wait_until 60 says '^waiting'
    kill -TERM "$holder"
    end_of "$holder"
    [ "$status" -eq 6 ]
    says '^handled 15'
    [ "$(requests 'DELETE /api/v1/leases/')" -eq 1 ]
    none_held
}

@test "a child of fork neither uses nor returns the parent's lease" {
    start_fake --ttl 60
    start_leaver fork
    wait_until 60 says '^the child is gone, level fine'
    [ "$(requests DELETE)" -eq 0 ]
    [ "$(leases_held)" -eq 1 ]
    exec 9>&-
    end_of "$holder"
    [ "$status" -eq 7 ]
    none_held
}

@test "what is installed: the library's own functions, what it needs, no more" {
    local library
    library=$(find "$libraries" -name 'libtlm-client.so.0.*')
    nm -D --defined-only "$library" | awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort > "$home/exported"
    grep -oE '\btlm_client_[a-z_]+\(' "$include/tlm-client.h" | tr -d '(' | sort -u > "$home/declared"
    diff "$home/declared" "$home/exported"
    readelf -d "$library" | grep -q 'SONAME.*\[libtlm-client.so.0\]'
    readelf -d "$library" > "$home/dynamic"
    run grep -E 'NEEDED.*(p11-kit|sqlite|microhttpd|tss2|smartcols)' "$home/dynamic"
    [ -z "$output" ]
    grep -q 'NEEDED.*libcurl' "$home/dynamic"
    # The header needs nothing of ours, and C++ takes it.
    printf '#include <tlm-client.h>\nint main(void) { return 0; }\n' > "$home/alone.c"
    cc -std=c99 -pedantic -Werror -I "$include" -fsyntax-only "$home/alone.c"
}

@test "every option is described, and every function" {
    local word
    sed -n '/typedef enum tlm_client_option/,/^}/p' "$SOURCE/client/include/tlm-client.h" |
        grep -oE 'TLM_CLIENT_[A-Z_]+' | grep -v OPTION_COUNT > "$home/options"
    [ "$(wc -l < "$home/options")" -ge 15 ]
    while read -r word; do
        grep -q "\`$word\`" "$SOURCE/docs/client.md" || { echo "docs/client.md lacks $word"; return 1; }
    done < "$home/options"
    for word in $(grep -oE '\btlm_client_[a-z_]+\(' "$SOURCE/client/include/tlm-client.h" | tr -d '(' | sort -u); do
        grep -q "^\.Fn $word " "$SOURCE/client/man/libtlm-client.3" || { echo "the manual lacks $word"; return 1; }
    done
}
