#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Licenses over REST: activated, leased, used, revoked. Packages are another implementation's.

load common
load licensing

setup() {
    new_home
    trust_vendor
    start_ready
    find_tokens
}

teardown() {
    take_away
}

@test "a package is activated by an administrator, once" {
    make_package "$home/p" "$(claims "$license" "$(feature pro 2 '{"type":"perpetual"}')")"
    activate 401 "$home/p"
    grep -qi '^WWW-Authenticate: Bearer' "$home/head"
    activate 403 "$home/p" -H "$application"
    [ "$(says .code)" = permission ]
    call 200 GET /api/v1/licenses
    [ "$(says '.licenses | length')" = 0 ]
    activate 201 "$home/p" -H "$admin"
    [ "$(says '.licenses[0] | "\(.license) \(.vendor) \(.result)"')" = "$license ACME activated" ]
    activate 200 "$home/p" -H "$admin"
    [ "$(says '.licenses[0].result')" = unchanged ]
    call 200 GET /api/v1/licenses
    [ "$(says '.licenses[0] | "\(.license) \(.state) \(.features[0].id)"')" = "$license active pro" ]
    call 200 GET "/api/v1/licenses/$license"
    [ "$(says .customer)" = customer ]
    call 404 GET /api/v1/licenses/0190f3a1-2b4c-7d5e-8f60-000000000000
    [ "$(json /status .licensing.licenses.active)" = 1 ]
    # Nothing of a license and nothing of a token stands in the log.
    [ -z "$(grep -F -e "$license" -e "${admin##* }" -e "${application##* }" -e customer "$err")" ]
}

@test "packages of nobody we trust, of another host, and damaged ones are refused by name" {
    mkdir "$home/other"
    vendor keys "$home/other"
    curl -s "$url/fingerprint" > "$home/fp"
    local licenses
    licenses=$(claims "$license" "$(feature pro 2 '{"type":"perpetual"}')" | jq -s '{licenses: .}')
    vendor package "$home/other" "$home/fp" "$home/untrusted" <<< "$licenses"
    activate 403 "$home/untrusted" -H "$admin"
    [ "$(says .code)" = untrusted ]
    openssl genrsa 2048 2> /dev/null > "$home/key.pem"
    /usr/bin/python3 -c '
import json, sys
from jwcrypto import jwk
key = jwk.JWK.from_pem(open(sys.argv[1], "rb").read())
kid = key.thumbprint()
print(json.dumps({"fingerprint": "0" * 64, "kid": kid, "jwk": json.loads(key.export_public())}))
' "$home/key.pem" > "$home/foreign.json"
    vendor package "$home/vendor" "$home/foreign.json" "$home/foreign" <<< "$licenses"
    activate 403 "$home/foreign" -H "$admin"
    [ "$(says .code)" = foreign ]
    vendor package "$home/vendor" "$home/fp" "$home/good" <<< "$licenses"
    sed 's/.\{9\}$/AAAAAAAA/' "$home/good" > "$home/damaged"
    activate 400 "$home/damaged" -H "$admin"
    printf 'nothing' > "$home/nothing"
    activate 400 "$home/nothing" -H "$admin"
    [ "$(says .code)" = format ]
    call 200 GET /api/v1/licenses
    [ "$(says '.licenses | length')" = 0 ]
}

@test "seats: taken, kept, renewed, queued for, given back" {
    local first fence
    activate_usual
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    first=$(says .lease)
    fence=$(says .fence)
    [ "$(says '.memory.color')" = blue ]
    [ "$(says '"\(.units) \(.model) \(.ttl > 200 and .ttl <= 300) \(.borrowed // false)"')" = "1 perpetual true false" ]
    [ "$(says .renewAfter)" -le 100 ]
    send 200 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    [ "$(says .lease)" = "$first" ]
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c2","ttl":60}'
    [ "$(says .fence)" -gt "$fence" ]
    send 409 POST /api/v1/leases '{"feature":"pro","client":"c3"}'
    [ "$(says '"\(.code) \(.position)"')" = "seats-exhausted 1" ]
    grep -qiE '^Retry-After: [0-9]+' "$home/head"
    send 409 POST /api/v1/leases '{"feature":"pro","client":"c4"}'
    [ "$(says .position)" = 2 ]
    send 200 PUT "/api/v1/leases/$first" '{"ttl":600}'
    [ "$(says .ttl)" -gt 500 ]
    call 200 PUT "/api/v1/leases/$first"
    call 200 GET "/api/v1/leases/$first"
    [ "$(says .client)" = c1 ]
    call 200 DELETE "/api/v1/leases/$first"
    [ "$(says .lease)" = "$first" ]
    call 404 GET "/api/v1/leases/$first"
    send 404 PUT "/api/v1/leases/$first" '{}'
    [ "$(says .code)" = not-found ]
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c3"}'
}

figures_are() {
    [ "$(json /status '.licensing | "\(.leases) \(.seatsInUse)"')" = "$1" ]
}

@test "the status follows leases and uses" {
    make_package "$home/p" "$(claims "$license" "$(feature pro 2 '{"type":"perpetual"}')")"
    activate 201 "$home/p" -H "$admin"
    send 201 POST /api/v1/leases '{"feature":"pro","client":"a","units":2}'
    wait_until 60 figures_are "1 2"
    call 200 DELETE "/api/v1/leases/$(says .lease)"
    wait_until 60 figures_are "0 0"
}

@test "an administrator sees every lease and ends one" {
    activate_usual
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    local lease
    lease=$(says .lease)
    call 401 GET /api/v1/leases
    call 200 GET /api/v1/leases -H "$admin"
    [ "$(jq -c . "$home/answer" | grep -c "$lease")" = 1 ]
    call 401 DELETE "/api/v1/leases/$lease?force=true"
    call 403 DELETE "/api/v1/leases/$lease?force=true" -H "$application"
    call 400 DELETE "/api/v1/leases/$lease?force=yes" -H "$admin"
    call 200 DELETE "/api/v1/leases/$lease?force=true" -H "$admin"
    call 200 GET '/api/v1/audit?after=1&limit=100' -H "$admin"
    says '.entries | map(select(.event != null)) | length > 0'
    call 401 GET /api/v1/audit
}

@test "stand-alone features, counters and tokens" {
    activate_usual
    send 200 POST /api/v1/check '{"feature":"solo"}'
    [ "$(jq -r .expires "$home/answer")" = null ]
    send 404 POST /api/v1/check '{"feature":"nothing"}'
    [ "$(says .code)" = unlicensed ]
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"r1","units":3}'
    [ "$(says '"\(.used) \(.remaining) \(.repeated)"')" = "3 7 false" ]
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"r1","units":3}'
    [ "$(says '"\(.used) \(.remaining) \(.repeated)"')" = "3 7 true" ]
    send 409 POST /api/v1/usage '{"feature":"pages","client":"c","request":"r1","units":4}'
    [ "$(says .code)" = conflict ]
    send 409 POST /api/v1/usage '{"feature":"pages","client":"c","request":"r2","units":8}'
    [ "$(says .code)" = exhausted ]
    send 200 POST /api/v1/usage '{"feature":"coins","client":"c","request":"t1","units":4}'
    send 200 POST /api/v1/usage '{"feature":"coins","client":"c","request":"t2","units":4,"action":"return"}'
    [ "$(says .remaining)" = 4 ]
}

@test "what was granted and used outlives kill -9" {
    activate_usual
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    local lease
    lease=$(says .lease)
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"r1","units":3}'
    kill -KILL "$pid"
    wait "$pid" || true
    [ -S "$home/admin.sock" ]
    start_ready
    call 200 GET "/api/v1/leases/$lease"
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"r1","units":3}'
    [ "$(says '"\(.remaining) \(.repeated)"')" = "7 true" ]
    # The socket that the killed one left is replaced.
    curl -fs --unix-socket "$home/admin.sock" http://localhost/api/v1/leases
}

@test "licenses are removed and revoked" {
    local other=0190f3a1-2b4c-7d5e-8f60-111111111111
    activate_usual
    make_package "$home/p2" "$(claims $other "$(feature two 1 '{"type":"perpetual"}')")"
    activate 201 "$home/p2" -H "$admin"
    call 401 DELETE "/api/v1/licenses/$license"
    call 200 DELETE "/api/v1/licenses/$license" -H "$admin"
    send 404 POST /api/v1/leases '{"feature":"pro","client":"c1"}'
    vendor revoke "$home/vendor" "$home/list" 7 $other
    call 401 POST /api/v1/revocations -H "$jose_type" --data-binary "@$home/list"
    call 200 POST /api/v1/revocations -H "$jose_type" --data-binary "@$home/list" -H "$admin"
    send 403 POST /api/v1/leases '{"feature":"two","client":"c1"}'
    [ "$(says .code)" = revoked ]
    call 200 GET /api/v1/revocations
    [ "$(says '.revocations[0].serial')" = 7 ]
    vendor revoke "$home/vendor" "$home/older" 6
    call 409 POST /api/v1/revocations -H "$jose_type" --data-binary "@$home/older" -H "$admin"
    [ "$(says .code)" = replayed ]
}

@test "state is told, and accepted by administrators alone" {
    call 200 GET /api/v1/state
    [ "$(says '"\(.state) \(.policy)"')" = "ok strict" ]
    send 401 POST /api/v1/state/accept '{}'
    send 200 POST /api/v1/state/accept '{"reason":"restored from a backup"}' -H "$admin"
    [ "$(says .state)" = ok ]
}

@test "keys are told, and nonces answered by statements" {
    call 200 GET /api/v1/keys
    [ "$(says '.keys | length')" -ge 1 ]
    jq -e '[.keys[] | has("d") or has("p")] | any | not' "$home/answer"
    send 200 POST /api/v1/attest '{"nonce":"abc"}'
    [ "$(says '.statement | "\(.type) \(.nonce) \(.fingerprint)"')" = "attestation abc $fingerprint" ]
    says '.root | split(".") | length == 3'
    send 400 POST /api/v1/attest '{}'
    [[ $(says .detail) == *nonce* ]]
    activate_usual
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c1","nonce":"xyz"}'
    [ "$(says '.statement | "\(.type) \(.nonce) \(.feature)"')" = "lease xyz pro" ]
    [ "$(says '.statement.lease == .lease')" = true ]
}

@test "bodies: members, kinds, sizes" {
    send 400 POST /api/v1/leases '{"feature":"pro","client":"c","colour":1}'
    [[ $(says .detail) == *colour* ]]
    send 400 POST /api/v1/leases '{"client":"c"}'
    [[ $(says .detail) == *feature* ]]
    send 400 POST /api/v1/leases '{"feature":"pro","feature":"pro"}'
    [ "$(says .code)" = format ]
    call 400 POST /api/v1/leases
    call 415 POST /api/v1/leases -d '{"feature":"pro"}'
    [ "$(says .code)" = media-type ]
    call 415 POST /api/v1/licenses -H "$json_type" -d '{}' -H "$admin"
    head -c 16385 /dev/zero | tr '\0' ' ' > "$home/large"
    call 413 POST /api/v1/leases -H "$json_type" --data-binary "@$home/large"
    head -c 16384 "$home/large" > "$home/fits"
    call 400 POST /api/v1/leases -H "$json_type" --data-binary "@$home/fits"
    call 400 POST /api/v1/leases -H "$json_type" -H 'Transfer-Encoding: chunked' \
        --data-binary "@$home/fits"
    call 413 POST /api/v1/leases -H "$json_type" -H 'Transfer-Encoding: chunked' \
        --data-binary "@$home/large"
    head -c 1048577 /dev/zero | tr '\0' a > "$home/large"
    activate 413 "$home/large" -H "$admin"
    head -c 1048576 "$home/large" > "$home/fits"
    activate 400 "$home/fits" -H "$admin"
    head -c 8388609 /dev/zero | tr '\0' a > "$home/large"
    call 413 POST /api/v1/revocations -H "$jose_type" --data-binary "@$home/large" -H "$admin"
    head -c 8388608 "$home/large" > "$home/fits"
    call 400 POST /api/v1/revocations -H "$jose_type" --data-binary "@$home/fits" -H "$admin"
    call 401 POST /api/v1/revocations -H "$jose_type" --data-binary "@$home/fits"
}

@test "paths, methods and queries" {
    call 405 PATCH /api/v1/leases
    grep -qi '^Allow: GET, HEAD, POST' "$home/head"
    call 405 GET /api/v1/check
    grep -qi $'^Allow: POST\r' "$home/head"
    call 404 GET /api/v1/leases/1
    call 404 GET "/api/v1/leases/$license/x"
    call 404 GET /api/v1/
    call 400 GET '/api/v1/licenses?x=1'
    call 400 GET '/api/v1/audit?limit=0' -H "$admin"
    call 400 GET '/api/v1/audit?after=1&after=2' -H "$admin"
    curl -sI "$url/api/v1/keys" | grep -q '^HTTP/1.1 200'
}

@test "one connection for many calls" {
    activate_usual
    local connects
    connects=$(curl -s -o /dev/null -o /dev/null -o /dev/null -o /dev/null -w '%{num_connects}' \
        -H "$json_type" -d '{"feature":"pro","client":"c1"}' "$url/api/v1/leases" \
        "$url/api/v1/check" "$url/api/v1/nowhere" "$url/api/v1/leases")
    [ "$connects" = 1000 ]
}

@test "many clients at once, each waiting for the disk, and the port answers meanwhile" {
    make_package "$home/p" "$(claims "$license" "$(feature many 1000 '{"type":"perpetual"}')")"
    activate 201 "$home/p" -H "$admin"
    local n
    for n in $(seq 200); do
        [ "$n" = 1 ] || echo next
        jq -r --arg url "$url/api/v1/leases" --arg header "$json_type" --arg client "c$n" -n '
            "url = \($url)", "header = \($header | tojson)", "output = /dev/null",
            "write-out = \"%{http_code}\\n\"",
            "data = \({feature: "many", client: $client} | tojson | tojson)"'
    done > "$home/curls"
    curl -s -Z --parallel-max 32 -K "$home/curls" > "$home/codes" 3>&- &
    local clients=$!
    for _ in 1 2 3 4 5; do
        curl -fs -m 2 -o /dev/null "$url/health"
    done
    wait "$clients"
    [ "$(grep -c 201 "$home/codes")" = 200 ]
    call 200 GET /api/v1/licenses
    [ "$(says '.licenses[0].features[0].inUse')" = 200 ]
}
