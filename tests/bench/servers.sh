# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The servers that scripts/bench compares, and the tokens they run on. Sourced by it, which sets
# work, build_dir and client.
# shellcheck disable=SC2154,SC2034

servers=()

# The TPM has a session of its own, which goes before other work as the others do that are measured.
start_tpm() {
    swtpm_start "$work/tpm" "$work/tpm.sock" "$work/tpm.pid" || die "swtpm did not start"
    set_session_nice "$precedence" "$(cat "$work/tpm.pid")"
}

# make_state NAME: a token and a first start, so that all that follow are warm ones. NAME is that of
# the back end, or begins with it: softhsm-many.
make_state() {
    local backend=${1%%-*} kind=${1%%-*} state=$work/$1
    [ ! -d "$state" ] || return 0
    mkdir -p "$state"/{config,persistence,log}
    if [ "$backend" = swtpm ]; then
        kind=tpm
        start_tpm
    fi
    use_state "$1"
    say "making a token: $1"
    "$build_dir/token-init/tlm-token-init" provision --backend "$kind" \
        --config-dir "$state/config" --persistence-dir "$state/persistence" \
        ${tcti:+--tcti "$tcti"} >> "$work/log" 2>&1 ||
        die "provisioning failed: $(tail -n 3 "$work/log")"
    "$client" start line "ready " "${daemon[@]}" > /dev/null 2>> "$work/log" ||
        die "the first start failed: $(tail -n 3 "$work/log")"
    "$build_dir/tests/bench/bench-token-secrets" "$state/persistence/token" "$tcti" |
        sed -n 's/.*"userPin" *: *"\([0-9a-f]*\)".*/\1/p' > "$state/pin"
    chmod 600 "$state/pin"
}

# use_state NAME: `state` is its directory, `daemon` the command of a warm start; `floor` and
# `floor_env` are arguments and environment of the token's floor.
use_state() {
    local backend=${1%%-*}
    state=$work/$1
    tcti=""
    [ "$backend" != swtpm ] || tcti=swtpm:path=$work/tpm.sock
    store=$state/persistence/token
    pin_file=$state/pin
    daemon=("$build_dir/httpd/TLLicenseManager" --config-dir "$state/config"
        --persistence-dir "$state/persistence" --log-dir "$state/log" --rest-host 127.0.0.1
        --rest-port "{port}" --pkcs11-socket "$state/pkcs11.sock" ${tcti:+--tcti "$tcti"})
    if [ "$backend" = swtpm ]; then
        floor_env=("TPM2_PKCS11_STORE=$store" "TPM2_PKCS11_TCTI=$tcti"
            TPM2_PKCS11_BACKEND=esysdb)
    else
        floor_env=("SOFTHSM2_CONF=$store/softhsm2.conf")
    fi
    floor=()
    [ ! -f "$store/token.json" ] || floor=("$(jq -r .module "$store/token.json")" tlm tlm-srk)
}

# start_server NAME COMMAND…: waits for its line "ready URL"; sets pid_NAME and url_NAME.
start_server() {
    local name=$1 tries=600 url=""
    shift
    "$@" > "$work/$name.out" 2>> "$work/log" < /dev/null &
    servers+=("$!")
    printf -v "pid_$name" %s "$!"
    while [ -z "$url" ]; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ] || ! kill -0 "${servers[-1]}" 2> /dev/null; then
            die "$name did not get ready: $(tail -n 3 "$work/log")"
        fi
        sleep 0.05
        url=$(sed -n 's/^ready \(http[^ ]*\).*/\1/p' "$work/$name.out")
    done
    printf -v "url_$name" %s "$url"
}

start_ours() {
    start_server ours "${daemon[@]/#\{port\}/0}" "$@"
}

# The bytes that the others serve are those that ours has just served.
fetch_answers() {
    curl -sS --fail-with-body "$url_ours/health" > "$work/health.json"
    curl -sS --fail-with-body "$url_ours/fingerprint" > "$work/fingerprint.json"
}

start_bare() {
    start_server bare "$build_dir/tests/bench/bench-floor-http" 0 \
        "/health=$work/health.json" "/fingerprint=$work/fingerprint.json"
}

nginx_page() {
    local body
    body=$(sed "s/[\\\\']/\\\\&/g" "$work/$1.json")
    printf "location = /%s { return 200 '%s'; }\n" "$1" "$body"
}

# One process, one thread, no access log: what nginx needs least for.
start_nginx() {
    local port tries=100
    port=$("$client" port)
    mkdir -p "$work/nginx"
    cat > "$work/nginx.conf" << END
daemon off;
master_process off;
pid $work/nginx/pid;
error_log stderr crit;
worker_rlimit_nofile 4096;
events { worker_connections 2048; use epoll; }
http {
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    server {
        listen 127.0.0.1:$port backlog=1024;
        default_type "application/json; charset=utf-8";
        add_header Cache-Control no-store;
        $(nginx_page health)
        $(nginx_page fingerprint)
    }
}
END
    nginx -p "$work/nginx" -c "$work/nginx.conf" -e stderr 2>> "$work/log" < /dev/null &
    servers+=("$!")
    pid_nginx=$!
    url_nginx=http://127.0.0.1:$port
    until curl -s -o /dev/null "$url_nginx/health"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "nginx did not start: $(tail -n 3 "$work/log")"
        sleep 0.05
    done
}

# A comparison counts only where all serve the same.
check_same_bytes() {
    local name url page
    for name in bare nginx; do
        url=url_$name
        for page in health fingerprint; do
            curl -sS "${!url}/$page" | cmp -s - "$work/$page.json" ||
                die "$name does not serve the bytes of TLLicenseManager at /$page"
        done
    done
}

stop_servers() {
    local pid
    for pid in "${servers[@]}"; do
        kill -TERM "$pid" 2> /dev/null || true
    done
    for pid in "${servers[@]}"; do
        end_process "$pid" 10
        wait "$pid" 2> /dev/null || true
    done
    servers=()
}
