# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The container's volumes beside another TPM.

# shellcheck source=tests/vm/guest/docker.sh
. "${0%/*}/docker.sh"

refused() {
    local before
    degraded foreign || {
        docker logs --tail 20 "$container"
        return 1
    }
    refute is_healthy
    docker stop "$container"
    before=$(volume_picture)
    docker start "$container"
    degraded foreign
    docker stop "$container"
    [ "$(volume_picture)" = "$before" ]
    finds foreign-tpm --group-add "$tss" --device /dev/tpmrm0 -v "$project/_persistence:$persistence"
}

volume_picture() {
    persistence=$project/_persistence picture
}

step "the engine starts" engine_start
step "another TPM is refused, and nothing is changed" refused
step "the engine ends" engine_stop
steps_end
