#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docker/tlm-backup: what it saves works on the same TPM and on no other, and it overwrites nothing.

load ../integration/httpd/common
load ../integration/httpd/licensing
load ../support/deploy

BACKEND=swtpm

setup() {
    new_home
    backup=$SOURCE/docker/tlm-backup
    dirs=(--config-dir "$home/config" --persistence-dir "$home/persistence")
}

teardown() {
    take_away
}

# A host as the daemon left it, in which everything was used once.
use_and_stop() {
    make_token
    start_ready
    finish TERM
}

# A directory in place of the host's, for what needs no token.
make_files() {
    printf '{}\n' > "$home/config/TLLicenseManager.json"
    mkdir -m 700 "$home/persistence/licensing" "$home/config/trust"
    head -c 3000 /dev/urandom > "$home/persistence/licensing/ledger.db"
    head -c 500 /dev/urandom > "$home/persistence/vault.bin"
    printf 'two\nlines' > "$home/config/trust/a name"$'\n''with a line.jwks'
    : > "$home/persistence/lock"
    chmod 640 "$home/config/TLLicenseManager.json"
    chmod 600 "$home/persistence/vault.bin"
}

@test "on the same TPM a restored backup works, and is not a rollback when nothing happened since" {
    use_and_stop
    local before=$fingerprint
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    [ "$(stat -c %a "$home/one.tar.gz")" = 600 ]
    run "$backup" verify "$home/one.tar.gz"
    [ "$status" -eq 0 ]
    [[ $output == *"fingerprint $before"* ]]
    rm -rf "$home/config" "$home/persistence"
    run "$backup" restore "${dirs[@]}" "$home/one.tar.gz"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"of the host $before"* ]]
    start_ready
    [ "$fingerprint" = "$before" ]
    [ "$(json /status .start.state)" = warm ]
    wait_until 60 licensing_says ok
}

licensing_says() {
    [ "$(json /status .licensing.state)" = "$1" ] && [ "$(json /status .licensing.counter.checked)" = true ]
}

@test "a backup of a running daemon, put back later, is a rollback that is noticed and can be accepted" {
    make_token
    trust_vendor
    start_ready
    local before=$fingerprint
    find_tokens
    activate_usual
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"1","units":2}'
    run "$backup" create "${dirs[@]}" --freeze "$(head -n 1 "$home/persistence/lock")" "$home/one.tar.gz"
    echo "$output"
    [ "$status" -eq 0 ]
    # It goes on: what is used now is what the backup does not know.
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"2","units":7}'
    finish TERM
    [ "$ended_with" -eq 0 ]
    start_ready
    wait_until 60 licensing_says ok
    send 409 POST /api/v1/usage '{"feature":"pages","client":"c","request":"3","units":5}'
    finish TERM
    run "$backup" restore "${dirs[@]}" --move-aside "$home/one.tar.gz"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(echo "$home"/persistence.before-*/vault.bin "$home"/config.before-*/trust | wc -w)" -eq 2 ]
    start_ready
    [ "$fingerprint" = "$before" ]
    wait_until 60 licensing_says rolled-back
    # By the default policy nothing that is counted, and what is perpetual all the same.
    send 409 POST /api/v1/usage '{"feature":"pages","client":"c","request":"3","units":5}'
    [ "$(says .code)" = rollback ]
    send 201 POST /api/v1/leases '{"feature":"pro","client":"c"}'
    TLM_PERSISTENCE_DIR=$home/persistence "$BUILD/client/tlm" state accept --url "$url" --reason "restored"
    wait_until 60 licensing_says ok
    send 200 POST /api/v1/usage '{"feature":"pages","client":"c","request":"3","units":5}'
}

@test "beside another TPM the daemon refuses it by name, and changes nothing" {
    use_and_stop
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    rm -rf "$home/config" "$home/persistence"
    "$backup" restore "${dirs[@]}" "$home/one.tar.gz"
    stop_tpm
    rm -rf "$home/tpm"
    start_tpm
    : > "$home/persistence/lock"
    picture "$home/persistence" | grep -v ' ./lock$' > "$home/before"
    start
    wait_until 60 state_is foreign
    status_is /ready 503
    status_is /fingerprint 503
    finish TERM
    picture "$home/persistence" | grep -v ' ./lock$' | diff "$home/before" -
}

state_is() {
    [ "$(json /status .start.state)" = "$1" ]
}

@test "every copy that is made under load is a whole ledger with all that was answered before" {
    BACKEND=softhsm make_token
    trust_vendor
    start_ready
    find_tokens
    activate_usual
    echo 0 > "$home/answered"
    leases_until "$home/enough" &
    local load=$! turn answered kept last=0
    for turn in 1 2 3 4; do
        wait_until 60 answered_more_than "$last"
        answered=$(cat "$home/answered")
        "$backup" create "${dirs[@]}" --freeze "$(head -n 1 "$home/persistence/lock")" "$home/$turn.tar.gz"
        "$backup" restore --directory "$home/$turn" "$home/$turn.tar.gz"
        sqlite3 "$home/$turn/_persistence/licensing/ledger.db" 'pragma integrity_check' \
            'select count(*) from leases' > "$home/kept"
        [ "$(head -n 1 "$home/kept")" = ok ]
        kept=$(tail -n 1 "$home/kept")
        [ "$kept" -ge "$answered" ]
        # It did not stand still in between.
        [ "$kept" -gt "$last" ]
        last=$kept
    done
    touch "$home/enough"
    wait "$load"
}

answered_more_than() {
    [ "$(cat "$home/answered")" -gt "$1" ]
}

leases_until() {
    local number=0
    until [ -e "$1" ]; do
        number=$((number + 1))
        curl -sf -o /dev/null -m 60 -H "$json_type" -d "{\"feature\":\"solo\",\"client\":\"c$number\"}" \
            "$url/api/v1/leases"
        echo "$number" > "$home/answered.new"
        mv "$home/answered.new" "$home/answered"
    done
}

@test "contents, modes and names come back as they were" {
    make_files
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    rm "$home/persistence/lock" # which is of a process and not of the host
    "$backup" restore --directory "$home/again" "$home/one.tar.gz"
    diff <(picture "$home/config") <(picture "$home/again/_config")
    diff <(picture "$home/persistence") <(picture "$home/again/_persistence")
}

@test "root gives the files back to their owner, anybody else says what it takes" {
    make_files
    chown -R 1000:1000 "$home/persistence"
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    "$backup" restore --directory "$home/again" "$home/one.tar.gz"
    [ "$(stat -c %u:%g "$home/again/_persistence/vault.bin")" = 1000:1000 ]
    [ "$(stat -c %u "$home/again/_config/TLLicenseManager.json")" = 0 ]
    chmod 755 "$home"
    chmod 644 "$home/one.tar.gz"
    install -d -o 65534 "$home/theirs"
    run setpriv --reuid 65534 --regid 65534 --clear-groups "$backup" restore --directory "$home/theirs" \
        "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"belong to uid 1000"*"sudo"* ]]
    [ -z "$(ls -A "$home/theirs")" ]
}

@test "what is there stays as it is" {
    make_files
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    picture "$home/persistence" > "$home/before"
    run "$backup" restore "${dirs[@]}" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"there and not empty"*"--move-aside"* ]]
    picture "$home/persistence" | diff "$home/before" -
    # One of both is enough.
    mv "$home/config" "$home/elsewhere"
    run "$backup" restore "${dirs[@]}" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [ ! -e "$home/config" ]
    picture "$home/persistence" | diff "$home/before" -
    # Empty directories are what docker-compose makes of volumes that are missing.
    mkdir -p "$home/new/_config" "$home/new/_persistence"
    "$backup" restore --directory "$home/new" "$home/one.tar.gz"
    mv "$home/elsewhere" "$home/config"
    sha256sum < "$home/one.tar.gz" > "$home/sum"
    run "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"there already"* ]]
    sha256sum < "$home/one.tar.gz" | diff "$home/sum" -
    leaves_nothing
}

@test "when the second directory cannot be put in its place the first goes back" {
    make_files
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    picture "$home/config" > "$home/before"
    mkdir "$home/bin"
    cat > "$home/bin/mv" << 'END'
#!/bin/sh
case "$*" in *.tlm-restore.*/_persistence*) exit 1 ;; esac
exec /bin/mv "$@"
END
    chmod +x "$home/bin/mv"
    PATH=$home/bin:$PATH run "$backup" restore "${dirs[@]}" --move-aside "$home/one.tar.gz"
    echo "$output"
    [ "$status" -eq 1 ]
    picture "$home/config" | diff "$home/before" -
    [ -e "$home/persistence/vault.bin" ]
    [ -z "$(find "$home" -name '*.before-*')" ]
    leaves_nothing
}

@test "a damaged archive is refused, and nothing is changed" {
    make_files
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    local size cut
    size=$(stat -c %s "$home/one.tar.gz")
    for cut in 0 1 20 $((size / 2)) $((size - 1)); do
        head -c "$cut" "$home/one.tar.gz" > "$home/bad"
        refuses "$home/bad"
    done
    # One byte in the middle.
    cp "$home/one.tar.gz" "$home/bad"
    printf X | dd of="$home/bad" bs=1 seek=$((size / 2)) conv=notrunc status=none
    cmp -s "$home/one.tar.gz" "$home/bad" || refuses "$home/bad"
    refuses "$home/missing"
    head -c 5000 /dev/urandom > "$home/bad"
    refuses "$home/bad"
}

refuses() {
    local how
    for how in verify "restore --directory $home/again"; do
        # shellcheck disable=SC2086 # words
        run "$backup" $how "$1"
        echo "$how: $output"
        [ "$status" -eq 1 ]
        [ -n "$output" ]
        [ ! -e "$home/again/_config" ] && [ ! -e "$home/again/_persistence" ]
    done
    leaves_nothing
}

# repack COMMAND…: an archive that is whole as such, of files that were tampered with.
repack() {
    rm -rf "$home/inside"
    mkdir "$home/inside"
    tar -C "$home/inside" -xzf "$home/one.tar.gz"
    (cd "$home/inside" && "$@")
    tar -C "$home/inside" -czf "$home/bad" .
    refuses "$home/bad"
}

@test "what no backup has is refused" {
    make_files
    "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    repack sed -i 's/{}/{ }/' _config/TLLicenseManager.json
    repack rm _persistence/vault.bin
    repack touch _persistence/one-more
    repack touch beside
    repack ln -s /etc/passwd _config/link
    repack ln _config/TLLicenseManager.json _persistence/link
    repack mkfifo _persistence/pipe
    repack chmod u+s _persistence/vault.bin
    repack sed -i 's/^tlm-backup 1/tlm-backup 2/' MANIFEST
    [[ $output == *"format 2"* ]]
    repack rm SHA256SUMS
    repack rm -r _config
    # Names that lead out of the directory.
    mkdir -p "$home/inside/sub"
    echo outside > "$home/inside/outside"
    tar -C "$home/inside/sub" -P -czf "$home/bad" ../outside
    refuses "$home/bad"
    [ ! -e "$home/outside" ]
}

@test "a daemon that runs has to be named, and is let go on whatever happens" {
    BACKEND=softhsm make_token
    start_ready
    local daemon
    daemon=$(head -n 1 "$home/persistence/lock")
    run "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"a daemon uses"*"--pause"*"--freeze"* ]]
    # Of another process it makes nothing stand still.
    run "$backup" create "${dirs[@]}" --freeze $$ "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"does not use"* ]]
    mkdir "$home/bin"
    printf '#!/bin/sh\nexit 1\n' > "$home/bin/cp"
    chmod +x "$home/bin/cp"
    PATH=$home/bin:$PATH run "$backup" create "${dirs[@]}" --freeze "$daemon" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    status_is /health 200
    printf '#!/bin/sh\nkill -TERM $(ps -o ppid= -p $PPID)\nsleep 60\n' > "$home/bin/cp"
    PATH=$home/bin:$PATH run "$backup" create "${dirs[@]}" --freeze "$daemon" "$home/one.tar.gz"
    [ "$status" -ne 0 ]
    status_is /health 200
    [ ! -e "$home/one.tar.gz" ]
    "$backup" create "${dirs[@]}" --freeze "$daemon" "$home/one.tar.gz"
    run "$backup" restore "${dirs[@]}" --move-aside "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"a daemon uses"* ]]
    status_is /ready 200
    leaves_nothing
}

@test "anything but files and directories is named before it is saved" {
    make_files
    ln -s /etc/passwd "$home/config/link"
    run "$backup" create "${dirs[@]}" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
    [[ $output == *"config/link is neither"* ]]
    [ ! -e "$home/one.tar.gz" ]
}

@test "wrong usage is told apart" {
    local words
    for words in "" nothing create "create --pause" "create a b" "verify --freeze 1 a" "create --freeze x a" \
        "create --pause a --freeze 1 a" "create --move-aside a" "restore --nothing a"; do
        # shellcheck disable=SC2086 # words
        run "$backup" $words
        echo "$words: $output"
        [ "$status" -eq 2 ]
    done
    run "$backup" --help
    [ "$status" -eq 0 ]
    [[ $output == Usage:* ]]
    run "$backup" create --directory "$home/nowhere" "$home/one.tar.gz"
    [ "$status" -eq 1 ]
}

# What docs/backup.md has: a block as it stands, below a directory like docker-compose.yml's.
run_block() {
    awk -v name="test: $1" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/backup.md" |
        sed -e "s,/etc/asperion/trustedLicensing,$home,g" > "$home/commands"
    [ -s "$home/commands" ] || { echo "there is no block $1"; return 1; }
    run env -C "$home/here" PATH="$home/bin:$PATH" bash -euo pipefail "$home/commands"
    echo "$1: $output"
    [ "$status" -eq 0 ]
}

# sudo, and the docker that it is about, for a daemon that is no container: the processes stand still
# as docker's freezer would have them.
make_programs() {
    mkdir "$home/bin" "$home/here"
    cat > "$home/bin/sudo" << 'END'
#!/bin/sh
exec "$@"
END
    cat > "$home/bin/gpg" << END
#!/bin/sh
exec $(command -v gpg) --homedir "$home/gpg" --batch --pinentry-mode loopback --passphrase word "\$@"
END
    cat > "$home/bin/docker" << END
#!/bin/bash
echo "\$1 \$2" >> "$home/docker.log"
daemon=\$(head -n 1 "$home/persistence/lock" 2> /dev/null)
case \$1 in
inspect)
    case "\${!#} \$*" in
    tl-license-manager*State* | tlm-tokend*State*) echo true ;;
    tl-license-manager*) printf '%s\n' "$home/elsewhere" "$home/here/_persistence" ;;
    tlm-tokend*) echo "$home/here/_token" ;;
    ended*) echo false ;;
    *) exit 1 ;;
    esac
    ;;
pause) [ "\$2" != tl-license-manager ] || kill -STOP "\$daemon" ;;
unpause) [ "\$2" != tl-license-manager ] || kill -CONT "\$daemon" ;;
exec) shift 2 && exec "\$@" ;;
esac
END
    chmod +x "$home/bin"/*
    mkdir "$home/here/docker"
    ln -s "$backup" "$home/here/docker/tlm-backup"
    ln -s "$backup" "$home/here/tlm-backup"
    ln -s "$BUILD/client/tlm" "$home/bin/tlm"
    mkdir -m 700 "$home/gpg"
}

@test "what docs/backup.md tells to type works" {
    make_programs
    BACKEND=softhsm make_token
    mv "$home/persistence" "$home/here/_persistence"
    mv "$home/config" "$home/here/_config"
    ln -s here/_persistence "$home/persistence"
    ln -s here/_config "$home/config"
    start_ready
    run_block pause
    [ "$(cat "$home/docker.log")" = "inspect --type
inspect --type
pause tl-license-manager
unpause tl-license-manager" ]
    status_is /ready 200
    rm "$home"/here/tl-backup-*
    run_block freeze
    rm "$home/here/tl-backup.tar.gz"
    # Another container does not stand still for it, and one that ended is no excuse.
    local other
    for other in other tlm-tokend ended; do
        run env -C "$home/here" PATH="$home/bin:$PATH" ./tlm-backup create --pause "$other" x.tar.gz
        echo "$other: $output"
        [ "$status" -eq 1 ]
    done
    [[ $output == *"a daemon uses"* ]]
    run ! grep -qE ' (other|tlm-tokend|ended)$' "$home/docker.log"
    mkdir "$home/here/_token" "$home/here/_tokend"
    run_block split
    grep -qx 'pause tlm-tokend' "$home/docker.log"
    grep -qx 'unpause tlm-tokend' "$home/docker.log"
    rm "$home"/here/tl-backup*
    finish TERM
    run_block save
    run_block verify
    run_block encrypt
    run ! grep -qa MANIFEST "$home/here/tl-backup.tar.gz.gpg"
    picture "$home/here/_persistence" | grep -v '\./lock' > "$home/before"
    rm -r "$home/here"/_*
    run_block decrypt
    picture "$home/here/_persistence" | diff "$home/before" -
    rm -r "$home/here"/_*
    run_block restore
    run_block aside
    picture "$home/here/_persistence" | diff "$home/before" -
    start_ready
    wait_until 60 licensing_says ok
    export TLM_URL=unix:$home/admin.sock TLM_PERSISTENCE_DIR=$home/persistence
    # There is nothing to accept, which it says; the command is the one of the case above.
    awk -v name="test: accept" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/backup.md" > "$home/commands"
    grep -q '^docker exec tl-license-manager tlm state accept --reason ' "$home/commands"
    gpgconf --homedir "$home/gpg" --kill gpg-agent
}
