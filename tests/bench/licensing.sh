# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The measurements of licensing, a function for each group of rows. Sourced by scripts/bench.
# shellcheck disable=SC2154

# As an administrator: administrate PATH [CURL ARGUMENT]…
administrate() {
    local path=$1
    shift
    curl -sS --fail-with-body --unix-socket "$state/admin.sock" "$@" "http://localhost$path"
}

# start_unlimited [OPTION]…: the daemon on the state in use, with its ledger, for as many requests as
# come.
start_unlimited() {
    local tries=200
    start_ours --rest-rate 0 "$@"
    until administrate /api/v1/state > /dev/null 2>> "$work/log"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "the ledger did not open: $(administrate /api/v1/state || true)"
        sleep 0.05
    done
}

# make_licensed NAME COUNT: a state like make_state's with so many licenses in force.
make_licensed() {
    local package
    make_state "$1"
    use_state "$1"
    [ ! -d "$state/packages" ] || return 0
    mkdir -p "$state/packages" "$state/config/trust"
    start_unlimited
    curl -sS --fail-with-body "$url_ours/fingerprint" > "$state/fingerprint.json"
    stop_servers
    "$build_dir/tests/bench/bench-issue" "$state/packages" "$state/fingerprint.json" "$2" \
        2>> "$work/log" || die "no licenses could be made: $(tail -n 1 "$work/log")"
    mv "$state/packages/bench.jwks" "$state/config/trust/"
    start_unlimited
    for package in "$state"/packages/*.tlmpkg; do
        administrate /api/v1/licenses -H "Content-Type: application/jose" \
            --data-binary "@$package" > "$work/activated" 2>> "$work/log" ||
            die "$package was not activated: $(cat "$work/activated")" \
                "build with -DTLM_RUNTIME_TRUST=ON, as scripts/bench does"
    done
    stop_servers
}

# load_of WHAT: one second of it; commits of SQLite, the ledger alone, or so many clients over REST.
load_of() {
    case $1 in
    commit) "$build_dir/tests/bench/bench-floor-commit" "$state/persistence" "$load_ms" ;;
    ledger)
        "$build_dir/tests/bench/bench-ledger" "$state/persistence/bench" "$load_ms" 64 &&
            rm -rf "$state/persistence/bench"
        ;;
    *) "$client" leases "${url_ours##*:}" "$load_ms" "$1" bench ;;
    esac
}

# Each client has a connection that it keeps, takes a lease and returns it: two changes, both durable
# before they are answered. SQLite alone makes one insert for each transaction on that file system.
measure_leases() {
    local i at name order=(commit 1 16 64 ledger)
    make_licensed softhsm 1
    rm -f "$work"/load.*
    start_unlimited
    for ((i = 0; i < lease_rounds; i++)); do
        for at in 0 1 2 3 4; do
            name=${order[i % 2 ? 4 - at : at]}
            load_of "$name" 2>> "$work/log" >> "$work/load.$name" ||
                die "leases could not be measured: $(tail -n 3 "$work/log")"
        done
    done
    stop_servers
    for name in 1 16 64 ledger; do
        cp "$work/load.$name" "$work/load.ours"
        pairs_of 1 commit > "$work/pairs"
        case $name in
        ledger) add_row leases "changes, ledger alone, clients: 64" "1/s" commits "" ;;
        64) add_row leases "durable changes, clients: 64" "1/s" commits "ratio >= 8" ;;
        *) add_row leases "durable changes, clients: $name" "1/s" commits "" ;;
        esac < "$work/pairs"
    done
    paste -d ' ' <(cut -d ' ' -f 3 "$work/load.64") <(cut -d ' ' -f 2 "$work/load.commit") |
        add_row leases "99 % of them, clients: 64" us "one commit" ""
}

# Nonces answered by statements, against signatures of the same token through the same socket; and
# what the slowest of a hundred wait, against one signature. How much signatures themselves vary
# stands beside it: a statement waits for the one under way and for its own.
measure_statements() {
    local i ours signature
    make_licensed swtpm 1
    : > "$work/statements"
    start_unlimited
    application ES256 first > /dev/null 2>> "$work/log"
    "$client" attest "${url_ours##*:}" 100 1 > /dev/null 2>> "$work/log" ||
        die "no statement was made: $(tail -n 3 "$work/log")"
    for ((i = 0; i < statement_rounds; i++)); do
        ((i % 2)) || signature=$(application ES256 spread 200 2>> "$work/log")
        ours=$("$client" attest "${url_ours##*:}" "$load_ms" 64 2>> "$work/log")
        ((i % 2 == 0)) || signature=$(application ES256 spread 200 2>> "$work/log")
        echo "$ours $signature" >> "$work/statements"
    done
    stop_servers
    awk '{ print $1, 1e9 / $5 }' "$work/statements" |
        add_row statements "statements, clients: 64" "1/s" signatures "ratio >= 20"
    awk '{ print $3, $5 / 1000 }' "$work/statements" |
        add_row statements "99 % of them, clients: 64" us "a signature" "ratio <= 3"
    awk '{ print $6 / 1000, $5 / 1000 }' "$work/statements" |
        add_row statements "99 % of signatures" us "a signature" ""
}

measure_verify() {
    "$build_dir/tests/bench/bench-verify" 20 "$verify_pairs" 2>> "$work/log" |
        add_row verify "a license, with its claims" ns jose_jws_ver ""
}

# start_of NAME GOAL TEXT: microseconds to the goal on that state.
start_of() {
    use_state "$1"
    start_ours_once "$2" "$3" 2>> "$work/log" | cut -d ' ' -f 1
}

# pairs_of_starts MANY FEW GOAL TEXT: pairs in the order ABBA into $work/starts.
pairs_of_starts() {
    local i many few
    : > "$work/starts"
    for ((i = 0; i < license_starts; i++)); do
        ((i % 2)) || many=$(start_of "$1" "$3" "$4")
        few=$(start_of "$2" "$3" "$4")
        ((i % 2 == 0)) || many=$(start_of "$1" "$3" "$4")
        echo "$many $few $(($("$build_dir/tests/bench/bench-verify" bare 10000) / 1000))" \
            >> "$work/starts"
    done
}

measure_licenses() {
    make_state softhsm-none
    make_licensed softhsm 1
    make_licensed softhsm-many 10000
    pairs_of_starts softhsm-many softhsm-none line "ready "
    cut -d ' ' -f 1,2 "$work/starts" | add_row licenses "10,000 licenses, to ready" us none ""
    pairs_of_starts softhsm-many softhsm lease bench
    cut -d ' ' -f 1,2 "$work/starts" | add_row licenses "10,000 licenses, to a lease" us one ""
    cut -d ' ' -f 1,3 "$work/starts" |
        add_row licenses "10,000 licenses, to a lease" us "10,000 ES256" ""
}

ledger_bytes() {
    find "$state/persistence/licensing" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }'
}

# Bytes of an audited lease in an export: two lines, as the first thousand entries have them.
audit_bytes() {
    administrate "/api/v1/audit?after=0&limit=1000" |
        jq '[.entries[] | select(.lease) | tojson | length + 1] | 2 * add / length | floor'
}

# growth NAME AGAINST [OPTION]…: what a load of leases adds to the ledger's files, both times closed.
growth() {
    local name=$1 against=$2 before after leases reference
    shift 2
    before=$(ledger_bytes)
    start_unlimited "$@"
    read -r _ _ _ leases < <("$client" leases "${url_ours##*:}" "$growth_ms" 64 bench \
        2>> "$work/log") || die "leases could not be measured: $(tail -n 3 "$work/log")"
    reference=$before
    [ "$#" -eq 0 ] || reference=$(($(audit_bytes) * 1000000))
    stop_servers
    after=$(ledger_bytes)
    echo "$(((after - before) * 1000000 / leases)) $reference" |
        add_row growth "a million leases$name" bytes "$against" ""
    say "scaled from $leases leases, which took the ledger's files from $before to $after bytes"
}

measure_growth() {
    make_licensed softhsm 1
    growth "" "file before"
    growth ", audited" "its export" --audit-leases
}
