# SPDX-License-Identifier: BSD-2-Clause
# Shared by the tests of the documents. Set by ctest: SOURCE (this repository), DAEMON, TOKEN_INIT.

: "${SOURCE:?the repository}"
# shellcheck disable=SC2034 # for the tests
documents=("$SOURCE"/README.md "$SOURCE"/CHANGELOG.md "$SOURCE"/HACKING.md "$SOURCE"/SECURITY.md
    "$SOURCE"/docs/*.md)

# Words of standard input that are not in the file $1, one a line, sorted.
missing_from() {
    sort -u | grep -vxF -f "$1" || true
}

# Whether every line of the file $1 stands in backticks in the document $2.
in_document() {
    local word bad=0
    while read -r word; do
        grep -qF -- "\`$word\`" "$2" || { echo "$2 does not name: $word"; bad=1; }
    done < "$1"
    return "$bad"
}

# The text of manual pages, of which those made by the build are below BUILD.
man_text() {
    local page file
    for page in "$@"; do
        file=$(find "$BUILD" "$SOURCE"/{httpd,token-init,pkcs11-glue} -name "$page" -type f |
            head -n 1)
        [ -n "$file" ] || { echo "there is no manual page $page" >&2; return 1; }
        mandoc -T utf8 -O width=200 "$file" | sed 's/.\x08//g'
    done
}

# The stable names of the start-up states, as the table has them.
state_names() {
    grep -oE '\.name = "[a-z-]+"|^ *(\[TLM_START_[A-Z_]+\] = )?\{"[a-z-]+"' \
        "$SOURCE/licensing/src/startup.c" | grep -oE '"[a-z-]+"' | tr -d '"' | sort -u
}

# start_daemon DIRECTORY ARGUMENT…: configuration and log below it, on a free port. Sets daemon_pid,
# and url once the identity can be used.
start_daemon() {
    local directory=$1 tries=100
    shift
    : > "$directory/out"
    "$DAEMON" --config-dir "$directory/config" --log-dir "$directory/log" --rest-port 0 \
        --log-level debug --pkcs11-socket "$directory/pkcs11.sock" "$@" > "$directory/out" 2> "$directory/err" < /dev/null 3>&- &
    daemon_pid=$!
    while ! grep -q '^ready ' "$directory/out"; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ] || ! kill -0 "$daemon_pid" 2> /dev/null; then
            cat "$directory/out" "$directory/err"
            return 1
        fi
        sleep 0.1
    done
    # shellcheck disable=SC2034 # for the tests
    url=$(grep -o 'http://[0-9.:]*' "$directory/out" | head -n 1)
}

stop_daemon() {
    [ -n "${daemon_pid:-}" ] || return 0
    kill -TERM "$daemon_pid" 2> /dev/null || return 0
    local tries=60
    while kill -0 "$daemon_pid" 2> /dev/null && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
}

# Every member name of the JSON on standard input, at any depth, but for those that are data.
member_names() {
    jq -r '.. | objects | keys[]' | sort -u
}

# Decodes base64url that has no padding.
basenc_padded() {
    local text
    text=$(tr -d '\n=')
    while [ $((${#text} % 4)) -ne 0 ]; do
        text=$text=
    done
    printf %s "$text" | basenc -d --base64url
}
