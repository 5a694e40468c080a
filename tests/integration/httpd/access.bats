#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Who may ask for what: tokens, client certificates, the administrators' socket, limits.

load common
load tls
load licensing

setup() {
    new_home
    trust_vendor
}

teardown() {
    if [ -n "${second:-}" ]; then
        kill "$second" 2> /dev/null || true
        wait "$second" || true
    fi
    take_away
}

# by_socket STATUS METHOD PATH [CURL OPTION…]
by_socket() {
    local wanted=$1 method=$2 path=$3
    shift 3
    url=http://localhost call "$wanted" "$method" "$path" --unix-socket "$home/admin.sock" "$@"
}

has_notice() {
    [ "$(json /status "[.errors[].code] | index(\"$1\") != null")" = true ]
}

lacks_notice() {
    [ "$(json /status "[.errors[].code] | index(\"$1\") == null")" = true ]
}

@test "tokens are made once, for their owner alone, and stay" {
    local name before
    start_ready
    for name in admin client; do
        [ "$(stat -c '%a %U' "$home/persistence/$name.token")" = "600 $(id -un)" ]
        [[ $(cat "$home/persistence/$name.token") =~ ^[A-Za-z0-9_-]{43}$ ]]
    done
    before=$(cat "$home/persistence/admin.token" "$home/persistence/client.token")
    finish TERM
    start_ready
    [ "$(cat "$home/persistence/admin.token" "$home/persistence/client.token")" = "$before" ]
    [ -z "$(printf '%s' "$before" | grep -F -f - "$err" "$out" "$log")" ]
}

takes() {
    call 200 GET /api/v1/leases -H "Authorization: Bearer $1" > /dev/null
}

@test "SIGHUP reads tokens again, and makes one that is gone" {
    local file=$home/persistence/admin.token own=0123456789abcdef0123456789abcdef
    start_ready
    find_tokens
    call 200 GET /api/v1/leases -H "$admin"
    printf '%s\n' $own > "$file"
    kill -HUP "$pid"
    wait_until 60 takes $own
    call 403 GET /api/v1/leases -H "$admin"
    chmod 644 "$file"
    kill -HUP "$pid"
    wait_until 60 has_notice admin-token
    call 403 GET /api/v1/leases -H "Authorization: Bearer $own"
    [[ $(json /status '.errors[] | select(.code == "admin-token") | .hint') == *chmod* ]]
    rm "$file"
    kill -HUP "$pid"
    wait_until 60 lacks_notice admin-token
    takes "$(cat "$file")"
}

@test "REST.Access token: applications need client.token" {
    start_ready --rest-access token
    find_tokens
    activate_usual
    call 200 GET /api/v1/keys
    status_is /status 200
    send 401 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    grep -qi $'^WWW-Authenticate: Bearer\r' "$home/head"
    call 401 GET /api/v1/state
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1"}' -H "$application"
    call 200 GET /api/v1/state -H "$admin"
    send 403 POST /api/v1/leases '{"feature":"pro","client":"c1"}' -H "${application}x"
    [ "$(says .code)" = permission ]
    by_socket 200 GET /api/v1/state
}

@test "REST.Access certificate needs ClientCa, and then a certificate or an administrator" {
    refused --rest-access certificate
    grep -q 'REST.Tls.ClientCa' "$err"
    make_ca ours
    make_pair ours web ec serverAuth
    make_pair ours alice ec clientAuth
    refused --rest-access certificate --rest-tls-certificate "$home/web.crt" \
        --rest-tls-key "$home/web.key"
    start_ready --rest-access certificate --rest-tls-certificate "$home/web.crt" \
        --rest-tls-key "$home/web.key" --rest-tls-client-ca "$home/ours.crt" \
        --rest-tls-client-optional
    find_tokens
    tls=(--cacert "$home/ours.crt")
    activate_usual
    local version
    for version in 1.2 1.3; do
        send 401 POST /api/v1/leases '{"feature":"pro","client":"c1"}' --tlsv$version --tls-max $version
        call 403 GET /api/v1/state -H "$application" --tlsv$version --tls-max $version
        call 200 GET /api/v1/state --cert "$home/alice.crt" --key "$home/alice.key" \
            --tlsv$version --tls-max $version
        call 200 GET /api/v1/state -H "$admin" --tlsv$version --tls-max $version
        call 200 GET /api/v1/keys --tlsv$version --tls-max $version
    done
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1"}' --cert "$home/alice.crt" \
        --key "$home/alice.key"
    call 401 GET /api/v1/leases --cert "$home/alice.crt" --key "$home/alice.key"
    by_socket 200 GET /api/v1/leases
}

@test "HTTPS: calls, bodies and kept connections" {
    make_ca ours
    make_pair ours web ec serverAuth
    start_ready --rest-tls-certificate "$home/web.crt" --rest-tls-key "$home/web.key"
    find_tokens
    tls=(--cacert "$home/ours.crt")
    activate_usual
    activate 200 "$home/usual.tlmpkg" -H "$admin"
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1","nonce":"n"}'
    says .statement.lease
    call 200 PUT "/api/v1/leases/$(says .lease)"
    [ "$(curl -s "${tls[@]}" -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}' \
        "$url/api/v1/keys" "$url/api/v1/state" "$url/api/v1/leases")" = 100 ]
    head -c 1000000 /dev/zero | tr '\0' a > "$home/large"
    activate 400 "$home/large" -H "$admin"
    activate 401 "$home/large"
    finish TERM
    [ "$ended_with" -eq 0 ]
}

@test "the administrators' socket: owner and group, without a token" {
    start_ready
    [ "$(stat -c '%a %F' "$home/admin.sock")" = "660 socket" ]
    [ "$(json /status .paths.adminSocket)" = "$home/admin.sock" ]
    find_tokens
    make_package "$home/p" "$(claims "$license" "$(feature pro 2 '{"type":"perpetual"}')")"
    by_socket 201 POST /api/v1/licenses -H "$jose_type" --data-binary "@$home/p"
    by_socket 200 GET /api/v1/leases
    by_socket 200 GET '/api/v1/audit'
    [ "$(says "[.entries[] | tostring | contains(\"uid $(id -u)\")] | any")" = true ]
    by_socket 200 GET /health
    by_socket 404 GET /nowhere
    by_socket 403 GET /api/v1/leases -H "Authorization: Bearer wrong"
    finish TERM
    [ "$ended_with" -eq 0 ]
    [ ! -e "$home/admin.sock" ]
}

@test "who is neither owner nor of the group may not use it, whatever its mode" {
    [ "$(id -u)" -eq 0 ] || {
        echo "this test needs a user to be another one than"
        return 1
    }
    local as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    start_ready
    chmod 755 "$home"
    touch "$home/answer" "$home/head"
    run -7 "${as[@]}" curl -s --unix-socket "$home/admin.sock" http://localhost/api/v1/keys
    chmod 666 "$home/admin.sock"
    run -0 "${as[@]}" curl -s --unix-socket "$home/admin.sock" http://localhost/api/v1/keys
    [ "$(jq -r '"\(.status) \(.code)"' <<< "$output")" = "403 permission" ]
    [[ $(jq -r .detail <<< "$output") == *"uid 65534"* ]]
    as=(setpriv --reuid 65534 --regid 65534 --groups "$(id -g)")
    run -0 "${as[@]}" curl -s --unix-socket "$home/admin.sock" http://localhost/api/v1/leases
    [ "$(jq -r '.leases | length' <<< "$output")" = 0 ]
}

@test "a socket that cannot be made is told, and the daemon goes on" {
    start_ready --admin-socket /proc/nowhere/admin.sock
    has_notice admin-socket
    [ "$(json /status .paths.adminSocket)" = null ]
    [ "$(json /health .status)" = ok ]
    finish TERM
    printf x > "$home/admin.sock"
    start_ready
    has_notice admin-socket
    [ "$(cat "$home/admin.sock")" = x ]
    finish TERM
    refused --admin-socket relative.sock
    grep -q 'no absolute path' "$err"
    launch --admin-socket "/$(printf 'a%.0s' $(seq 107))"
    ended_with=0
    wait "$pid" || ended_with=$?
    pid=""
    [ "$ended_with" -eq 2 ]
}

@test "a socket that another daemon serves is left to it" {
    start_ready
    local first=$pid
    second=$pid
    mkdir -m 700 "$home/persistence2"
    settings+=(--persistence-dir "$home/persistence2" --log-dir "$home/log2")
    start_ready --pkcs11-socket "$home/second.sock" --admin-socket "$home/admin.sock"
    has_notice admin-socket
    finish TERM
    curl -fs --unix-socket "$home/admin.sock" http://localhost/health
    kill -0 "$first"
}

@test "ten wrong tokens bar tokens of that address for a while" {
    start_ready --log-level debug
    find_tokens
    local wrong='Authorization: Bearer 0123456789012345678901234567890123456789'
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        call 403 GET /api/v1/keys -H "$wrong"
    done
    call 429 GET /api/v1/keys -H "$wrong"
    [ "$(says .code)" = too-many-requests ]
    grep -qiE '^Retry-After: [1-6]?[0-9]' "$home/head"
    call 429 GET /api/v1/leases -H "$admin"
    call 200 GET /api/v1/keys
    by_socket 200 GET /api/v1/leases
    [ -z "$(grep -F -e 0123456789012345678901234567890123456789 -e "${admin##* }" "$err" "$log")" ]
}

@test "an address has so many requests a second, the socket as many as it likes" {
    start_ready --rest-rate 5
    local n
    for n in $(seq 30); do
        curl -s -o /dev/null -w '%{http_code}\n' "$url/api/v1/keys"
    done > "$home/codes"
    [ "$(grep -c 200 "$home/codes")" -ge 10 ]
    [ "$(grep -c 429 "$home/codes")" -ge 1 ]
    status_is /health 200
    for n in $(seq 30); do
        by_socket 200 GET /api/v1/keys
    done
}

@test "the log has no whole id of a lease" {
    start_ready --log-level debug
    find_tokens
    activate_usual
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    local lease
    lease=$(says .lease)
    call 200 GET "/api/v1/leases/$lease"
    call 404 GET "/api/v1/leases/$lease/x"
    call 200 DELETE "/api/v1/leases/$lease"
    grep -q "path=\"/api/v1/leases/${lease:0:8}...\" status=200" "$err"
    [ -z "$(grep -F -e "$lease" -e "$license" "$err" "$log")" ]
}
