# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# For bats: what the tests of docker/tlm-backup look at. Set by the test: home.

# Everything that is temporary goes where the test sees it.
export TMPDIR=$BATS_TEST_TMPDIR

# Names, modes, owners and contents of everything below a directory.
picture() {
    (cd "$1" && find . -printf '%p %m %u %y\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

# No directory and no file of the program's own work is left.
leaves_nothing() {
    [ -z "$(find "$home" "$TMPDIR" \( -name '*.part.*' -o -name '.tlm-restore.*' -o -name 'tlm-backup.*' \))" ]
}
