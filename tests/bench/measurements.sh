# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The measurements of scripts/bench, a function for each group of rows. Sourced by it.
# shellcheck disable=SC2154

# add_row GROUP NAME UNIT AGAINST TARGET < pairs; prints the row and keeps it for the JSON.
add_row() {
    local row
    row=$(jq -c -R -n --arg group "$1" --arg name "$2" --arg unit "$3" --arg against "$4" \
        --arg target "$5" -f "$source_dir/tests/bench/row.jq") || die "no row for $2"
    printf '%s\n' "$row" >> "$work/rows"
    print_row "$row"
}

start_ours_once() {
    "$client" start "$@" "${daemon[@]}" < /dev/null
}

start_other_once() {
    env "${floor_env[@]}" "$client" start "$@" "${other[@]}" < "$pin_file"
}

# start_rows NAME AGAINST TARGET WAY TEXT: pairs of starts in the order ABBA, daemon and `other`.
start_rows() {
    local i ours reference name=$1 against=$2 target=$3
    shift 3
    : > "$work/starts"
    for ((i = 0; i < starts; i++)); do
        if ((i % 2)); then
            reference=$(start_other_once "$@")
            ours=$(start_ours_once "$@")
        else
            ours=$(start_ours_once "$@")
            reference=$(start_other_once "$@")
        fi
        printf '%s %s\n' "$ours" "$reference" >> "$work/starts"
    done 2>> "$work/log"
    cut -d ' ' -f 1,3 "$work/starts" | add_row start "$name" us "$against" "$target"
    cut -d ' ' -f 2,4 "$work/starts" | add_row start "$name, CPU" us "$against" ""
}

same_libraries() {
    local ours bare floor
    ours=$(ldd "$build_dir/httpd/TLLicenseManager" | awk '/=>/ { print $1 }' | sort)
    for floor in bench-floor-http bench-floor-token-process; do
        bare=$(ldd "$build_dir/tests/bench/$floor" | awk '/=>/ { print $1 }' | sort)
        [ "$ours" = "$bare" ] ||
            die "$floor and TLLicenseManager load different libraries:" \
                "$(diff <(echo "$bare") <(echo "$ours") | tr '\n' ' ')"
    done
}

measure_start() {
    local backend
    same_libraries
    for backend in softhsm swtpm; do
        make_state "$backend"
        use_state "$backend"
        other=("$build_dir/tests/bench/bench-floor-http" "{port}")
        start_rows "warm start to /health, $backend" process "ratio <= 1.3" http /health
        other=("$build_dir/tests/bench/bench-floor-token" "${floor[@]}")
        start_rows "warm start to ready, $backend" token "ratio <= 1.3" line "ready"
        other=("$build_dir/tests/bench/bench-floor-token-process" "${floor[@]}" --decrypt)
        start_rows "warm start to ready, $backend" process+token "" line "ready"
    done
}

# load NAME PATH HEADER: requests per second and nanoseconds of CPU for a request, by wrk.
load() {
    local pid=pid_$1 url=url_$1 before after requests time errors
    before=$("$client" cpu "${!pid}")
    read -r _ requests time errors < <(wrk -t1 -c"$connections" -d1s -H "$3" \
        -s "$source_dir/tests/bench/report.lua" "${!url}$2" 2>> "$work/log" | grep '^result')
    after=$("$client" cpu "${!pid}")
    [ "${requests:-0}" -gt 0 ] || die "$1 answered nothing at $2"
    [ "$errors" -eq 0 ] || die "$1 gave $errors wrong answers at $2"
    printf '%s %s\n' "$((requests * 1000000 / time))" "$(((after - before) / requests))"
}

# http_rounds PATH HEADER: the three servers in turn, each round in the other direction.
http_rounds() {
    local i name order=(ours bare nginx)
    rm -f "$work"/load.*
    for ((i = 0; i < rounds; i++)); do
        for name in "${order[@]}"; do
            load "$name" "$1" "$2" >> "$work/load.$name"
        done
        order=("${order[2]}" "${order[1]}" "${order[0]}")
    done
}

# pairs_of COLUMN NAME: that column of ours beside that of the other server.
pairs_of() {
    paste -d ' ' <(cut -d ' ' -f "$1" "$work/load.ours") <(cut -d ' ' -f "$1" "$work/load.$2")
}

measure_http() {
    local path kind header bare_target nginx_target
    make_state swtpm
    use_state swtpm
    start_ours
    fetch_answers
    start_bare
    start_nginx
    check_same_bytes
    for path in /fingerprint /health; do
        bare_target="" nginx_target=""
        [ "$path" != /fingerprint ] || bare_target="ratio >= 0.95" nginx_target="ratio > 1"
        for kind in keep-alive new; do
            header="Connection: keep-alive"
            [ "$kind" != new ] || header="Connection: close"
            http_rounds "$path" "$header"
            pairs_of 1 bare | add_row http "$path, $kind" req/s bare "$bare_target"
            pairs_of 1 nginx | add_row http "$path, $kind" req/s nginx "$nginx_target"
            pairs_of 2 bare | add_row http "$path, $kind, CPU" ns/req bare ""
            pairs_of 2 nginx | add_row http "$path, $kind, CPU" ns/req nginx ""
        done
    done
    stop_servers
}

measure_idle() {
    local i
    make_state swtpm
    use_state swtpm
    rm -f "$work/idle"
    for ((i = 0; i < 3; i++)); do
        start_ours
        fetch_answers
        start_bare
        printf '%s %s\n' "$("$client" idle "${url_ours##*:}" 1000 "$pid_ours")" \
            "$("$client" idle "${url_bare##*:}" 1000 "$pid_bare")" >> "$work/idle"
        stop_servers
    done
    add_row idle "idle connection, 1,000 open" bytes bare "ours <= 10240" < "$work/idle"
}

# instructions NAME COUNT: what the server executed in its life, with COUNT requests in it.
instructions() {
    local out=$work/callgrind.$1 url=url_$1 valgrind
    valgrind=(valgrind --tool=callgrind "--callgrind-out-file=$out" "--log-file=$work/valgrind")
    if [ "$1" = ours ]; then
        start_server ours "${valgrind[@]}" "${daemon[@]/#\{port\}/0}"
    else
        start_server bare "${valgrind[@]}" "$build_dir/tests/bench/bench-floor-http" 0 \
            "/fingerprint=$work/fingerprint.json"
    fi
    "$client" request "${!url##*:}" /fingerprint "$2" || die "$1 did not answer under valgrind"
    stop_servers
    awk '$1 == "summary:" { print $2 }' "$out"
}

measure_instructions() {
    local name first second count=4000
    make_state softhsm
    use_state softhsm
    start_ours
    fetch_answers
    stop_servers
    for name in ours bare; do
        # In this shell: the pids are needed to stop what was started.
        instructions "$name" "$count" > "$work/first"
        instructions "$name" "$((2 * count))" > "$work/second"
        read -r first < "$work/first"
        read -r second < "$work/second"
        printf -v "per_request_$name" %s "$(((second - first) / count))"
    done
    # shellcheck disable=SC2154 # set by printf -v
    echo "$per_request_ours $per_request_bare" |
        add_row instructions "/fingerprint, callgrind" instr bare "ratio <= $instructions_bound"
}

# Batches of two to five milliseconds: shorter than what disturbs them, most of the time.
measure_sign() {
    local backend algorithm batch
    for backend in softhsm swtpm; do
        make_state "$backend"
        use_state "$backend"
        for algorithm in ES256 RS256; do
            case $backend,$algorithm in
            softhsm,ES256) batch=30 ;;
            softhsm,RS256) batch=3 ;;
            *) batch=1 ;;
            esac
            "$build_dir/tests/bench/bench-sign" "$store" "$tcti" "$algorithm" "$batch" \
                "$sign_pairs" 2>> "$work/log" |
                add_row sign "$algorithm, $backend" ns/sig module "ratio < 1.02"
        done
    done
}

# start_https KEY: the daemon with that key of the token, through the module itself.
start_https() {
    start_server ours env "${floor_env[@]}" "${daemon[@]/#\{port\}/0}" \
        --pkcs11-module "${floor[0]}" --pkcs11-pin-file "$pin_file" \
        --rest-tls-certificate "pkcs11:object=$1" --rest-tls-key "pkcs11:object=$1"
}

# Each handshake takes one signature, so signatures of the bare module are its floor. What a kept
# connection waits meanwhile stands beside what it waits with one client, which is the next to none.
measure_tls() {
    local backend pair key algorithm i name nanoseconds
    for backend in softhsm swtpm; do
        make_state "$backend"
        use_state "$backend"
        for pair in tlm-attest=ES256 tlm-srk=RS256; do
            key=${pair%=*} algorithm=${pair#*=}
            : > "$work/tls"
            for ((i = 0; i < tls_rounds; i++)); do
                nanoseconds=$("$build_dir/tests/bench/bench-sign" "$store" "$tcti" "$algorithm" 10 9 \
                    2>> "$work/log" | sort -n -k 2 | awk 'NR == 5 { print $2 }')
                start_https "$key"
                printf '%s %s %s\n' "$("$client" tls "${url_ours##*:}" 3 4 2>> "$work/log")" \
                    "$((1000000000 / nanoseconds))" \
                    "$("$client" tls "${url_ours##*:}" 1 1 2>> "$work/log")" >> "$work/tls"
                stop_servers
            done
            name="TLS 1.3 handshakes, $key, $backend"
            cut -d ' ' -f 1,5 "$work/tls" | add_row tls "$name" hs/s module ""
            cut -d ' ' -f 2,7 "$work/tls" |
                add_row tls "/health meanwhile, median" us "one client" ""
            cut -d ' ' -f 3,8 "$work/tls" | add_row tls "/health meanwhile, 99 %" us "one client" ""
        done
    done
}
