# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The power goes while the token is in use.

# shellcheck source=tests/vm/guest/lib.sh
. "${0%/*}/lib.sh"

warm_start() {
    daemon_start
    daemon_ready
}

step "the token is used" warm_start
touch /run/power-cut
steps_end
