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

# start_tokend: on the state in use, up to its line "serving"; sets pid_tokend.
start_tokend() {
    local tries=600
    "$build_dir/pkcs11-glue/tokend/tlm-tokend" --config-dir "$state/config" \
        --persistence-dir "$state/persistence" --log-dir "$state/log" \
        --pkcs11-socket "$state/pkcs11.sock" ${tcti:+--tcti "$tcti"} \
        > "$work/tokend.out" 2>> "$work/log" < /dev/null &
    pid_tokend=$!
    servers+=("$pid_tokend")
    until grep -q '^serving' "$work/tokend.out"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "tlm-tokend did not get ready: $(tail -n 3 "$work/log")"
        sleep 0.01
    done
}

application() {
    P11_KIT_SERVER_ADDRESS=unix:path=$state/pkcs11.sock "$build_dir/tests/bench/bench-socket" \
        "$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so" "$@"
}

resident_kib() {
    awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

# Nanoseconds of a signature by the bare module in one process, nobody else at the token.
bare_signature() {
    "$build_dir/tests/bench/bench-sign" "$store" "$tcti" "$1" 10 9 2>> "$work/log" |
        sort -n -k 2 | awk 'NR == 5 { print $2 }'
}

socket_signatures() {
    local algorithm=$1 target=$2 i bare ours
    : > "$work/socket"
    for ((i = 0; i < socket_rounds; i++)); do
        bare=$(bare_signature "$algorithm")
        start_tokend
        application "$algorithm" first > /dev/null 2>> "$work/log"
        ours=$(application "$algorithm" sign 300 2>> "$work/log")
        stop_servers
        echo "$((1000000000 / ours)) $((1000000000 / bare))" >> "$work/socket"
    done
    add_row socket "signatures, $algorithm, $backend" sig/s module "$target" < "$work/socket"
}

# From the start of the process to the first signature, beside the token's floor, which only logs in.
socket_first() {
    local i begun ours floor_time
    : > "$work/socket"
    other=("$build_dir/tests/bench/bench-floor-token" "${floor[@]}")
    for ((i = 0; i < socket_rounds; i++)); do
        floor_time=$(start_other_once line ready 2>> "$work/log" | cut -d ' ' -f 1)
        begun=$(date +%s%N)
        start_tokend
        application ES256 first > /dev/null 2>> "$work/log"
        ours=$((($(date +%s%N) - begun) / 1000))
        stop_servers
        echo "$ours $floor_time" >> "$work/socket"
    done
    add_row socket "first signature, $backend" us "token" "" < "$work/socket"
}

# The TPM goes away in an orderly way and comes back; the reference are the 50 ms that C_Finalize,
# C_Initialize and C_Login took when they were measured alone.
socket_recovery() {
    local i
    : > "$work/socket"
    start_tokend
    application ES256 first > /dev/null 2>> "$work/log"
    for ((i = 0; i < socket_rounds; i++)); do
        application ES256 sign 10 > /dev/null 2>> "$work/log"
        swtpm_stop "$work/tpm.sock" "$work/tpm.pid"
        start_tpm
        echo "$(($(application ES256 first 2>> "$work/log") / 1000)) 50000" >> "$work/socket"
    done
    stop_servers
    add_row socket "back after a TPM restart" us "50 ms" "" < "$work/socket"
}

socket_memory() {
    local idle held holders=() i
    start_tokend
    application ES256 first > /dev/null 2>> "$work/log"
    idle=$(resident_kib "$pid_tokend")
    mkfifo "$work/hold"
    for ((i = 0; i < 16; i++)); do
        application ES256 hold < "$work/hold" > "$work/held.$i" 2>> "$work/log" &
        holders+=("$!")
    done
    exec 6> "$work/hold"
    until [ "$(cat "$work"/held.* | grep -c held)" -eq 16 ]; do
        sleep 0.05
    done
    held=$(resident_kib "$pid_tokend")
    exec 6>&-
    wait "${holders[@]}"
    stop_servers
    rm -f "$work/hold" "$work"/held.*
    echo "$idle $idle" | add_row socket "resident, idle, $backend" KiB itself ""
    echo "$((idle + (held - idle) / 16)) $idle" | add_row socket "resident, one more client" KiB idle ""
}

# An application through the socket against the bare module in one process. With SoftHSM a signature
# is done sooner than its way through two processes, so there is no target for it.
measure_socket() {
    local backend
    for backend in softhsm swtpm; do
        make_state "$backend"
        use_state "$backend"
        if [ "$backend" = swtpm ]; then
            socket_signatures ES256 "ratio >= 0.9"
            socket_signatures RS256 "ratio >= 0.9"
            socket_recovery
        else
            socket_signatures ES256 ""
            socket_signatures RS256 ""
        fi
        socket_first
        socket_memory
    done
}
