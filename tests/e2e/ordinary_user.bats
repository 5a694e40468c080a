#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# A user without rights, with a checkout that is not theirs to write, in a path with blanks.

load helpers

setup() {
    new_state
    chmod 0755 "${state%/state}"
    tree="${state%/state}/a clone"
    mkdir "$tree" "$state"
    (cd "$SOURCE" && tar -c --exclude=./build --exclude=./.git --exclude=./out .) | tar -x -C "$tree"
    chmod -R go+rX-w "$tree"
    as=(env "HOME=$state")
    if [ "$(id -u)" -eq 0 ]; then
        chown -R root:root "$tree"
        chown nobody:nogroup "$state"
        as=(setpriv --reuid=nobody --regid=nogroup --clear-groups env "HOME=$state")
    else
        chmod -R a-w "$tree"
    fi
}

teardown() {
    chmod -R u+w "$tree"
    take_away
}

@test "builds below the state, serves, and starts again warm" {
    start --no-install --backend swtpm
    [ "$backend" = swtpm ]
    local first=$fingerprint
    [ "$(stat -c %u "$state/persistence/persistence.bin")" = "$(stat -c %u "$state")" ]
    [ "$(stat -c %a "$state/persistence")" = 700 ]
    [ ! -e "$tree/build" ]
    curl -fs "$url/status" | jq -e '.elevated == false'
    finish INT
    [ "$ended_with" -eq 0 ]
    assert_nothing_left
    start --no-install
    [ "$fingerprint" = "$first" ]
    finish INT
    [ "$ended_with" -eq 0 ]
}

@test "the state of somebody else is refused" {
    [ "$(id -u)" -eq 0 ] || {
        tree=$SOURCE
        run "$tree/scripts/run" --no-install --state /root/state-of-root
        [ "$status" -eq 1 ]
        return
    }
    mkdir -p "$state/run" "$state/config" "$state/persistence" "$state/log"
    chown -R root:root "$state"
    chmod -R go-w "$state"
    : > "$state/run/lock"
    run "${as[@]}" "$tree/scripts/run" --no-install --state "$state" --port 0
    [ "$status" -eq 1 ]
    [[ $output == *"the state belongs to root"* ]]
    [[ $output == *"--state DIR"* ]]
}
