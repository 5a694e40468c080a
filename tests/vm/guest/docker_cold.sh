# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# The container on a real kernel's device: as docs/docker.md starts it, and as people get it wrong.

# shellcheck source=tests/vm/guest/docker.sh
. "${0%/*}/docker.sh"

wrong_ways() {
    local volume=/root/persistence
    install -d -o 1000 -g 1000 -m 700 "$volume"
    # The image's group 113 is not this host's.
    finds device-permission --device /dev/tpmrm0
    evidence_has "gid $tss, mode 0660; this process: uid 1000, gids"
    command_has "docker run --group-add $tss ..."
    finds device-volume --group-add "$tss" -v /dev/tpmrm0:/dev/tpmrm0
    command_has "docker run --device /dev/tpmrm0:/dev/tpmrm0 ... (instead of -v)"
    finds device-no-node --group-add "$tss" -v /root/nothing:/dev/tpmrm0
    command_has "docker run --device /dev/tpmrm0:/dev/tpmrm0 ... (instead of -v)"
    finds no-device --group-add "$tss"
    command_has "docker run --device /dev/tpmrm0:/dev/tpmrm0 ..."
    # And the right one, which the commands name.
    finds not-provisioned --group-add "$tss" --device /dev/tpmrm0:/dev/tpmrm0
    jq -e '[.findings[].id] - ["simulated"] == ["not-provisioned"]' /tmp/doctor.json
}

compose_up() {
    cp -R /opt/vm/docker "$project"
    install -d -o 1000 -g 1000 -m 700 "$project"/{_logs,_config,_persistence}
    run_block up
    container_ready
    until_true 120 is_healthy
    status_is '.tpmConnected and .start.kind == "cold" and .warnings == [] and .errors == []'
    status_is '.container.runtime == "docker" and .virtualMachine.detected'
    fingerprint > "$kept/fingerprint"
    value fingerprint "$(cat "$kept/fingerprint")"
}

confined() {
    local pid
    pid=$(docker inspect --format '{{.State.Pid}}' "$container")
    cat "/proc/$pid/status"
    [ "$(awk '/^Uid:/ { print $2, $3 }' "/proc/$pid/status")" = "1000 1000" ]
    [ "$(awk '/^Cap(Prm|Eff|Bnd|Amb):/ { print $2 }' "/proc/$pid/status" | sort -u)" = 0000000000000000 ]
    [ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" = 1 ]
    [ "$(docker inspect --format '{{.HostConfig.Privileged}}' "$container")" = false ]
    docker exec "$container" id
    [ "$(docker exec "$container" stat -c %g /dev/tpmrm0)" = "$tss" ]
}

made_anew() {
    docker restart "$container"
    container_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
    run_block env-file troubleshooting.md
    container_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
    status_is '.start.kind == "warm"'
}

# The exclusive node is in use on the host; another container works on the TPM all the time.
shared() {
    local busy
    exec 7<> /dev/tpm0
    busy=$(docker run -d --cpus 0.3 "${careful[@]}" --device /dev/tpmrm0 --group-add "$tss" \
        -e TPM2TOOLS_TCTI=device:/dev/tpmrm0 trustedlicensing:with-tools \
        sh -euc 'cd /tmp; while :; do tpm2_createprimary -Q -C o -c context; tpm2_getrandom -Q 8 -o x; done')
    docker restart "$container"
    container_ready
    [ "$(fingerprint)" = "$(cat "$kept/fingerprint")" ]
    [ "$(docker inspect --format '{{.State.Running}}' "$busy")" = true ]
    docker rm -f "$busy"
    exec 7>&-
}

# A second one on the same directory, and one with a directory of its own beside our key.
second_license_manager() {
    local second before
    second=$(docker run -d "${careful[@]}" --device /dev/tpmrm0 --group-add "$tss" -p 52015:52014 \
        -v "$project/_persistence:$persistence" trustedlicensing:latest)
    url=http://127.0.0.1:52015 degraded in-use
    docker rm -f "$second"
    install -d -o 1000 -g 1000 -m 700 /root/second
    before=$(as_tlm tpm2_readpublic -c 0x810003E8)
    finds handle-foreign --group-add "$tss" --device /dev/tpmrm0 -v "/root/second:$persistence"
    second=$(docker run -d "${careful[@]}" --device /dev/tpmrm0 --group-add "$tss" -p 52015:52014 \
        -v "/root/second:$persistence" trustedlicensing:latest)
    url=http://127.0.0.1:52015 degraded not-provisioned
    docker logs "$second" 2>&1 | grep -F "a foreign object stands at 0x810003E8"
    docker rm -f "$second"
    [ "$(as_tlm tpm2_readpublic -c 0x810003E8)" = "$before" ]
}

volumes() {
    finds store-read-only --group-add "$tss" --device /dev/tpmrm0 -v "$project/_persistence:$persistence:ro"
    command_has "docker run -v PERSISTENCE:$persistence:rw ... (without :ro)"
    cp -a "$project/_persistence" /root/copy
    chown -R root: /root/copy/token
    finds store-owner --group-add "$tss" --device /dev/tpmrm0 -v "/root/copy:$persistence"
    command_has "on the host: chown -R 1000:1000 PERSISTENCE"
}

stops_in_time() {
    local begun
    begun=$(milliseconds)
    docker stop "$container"
    [ $(($(milliseconds) - begun)) -lt 10000 ]
    [ "$(docker inspect --format '{{.State.ExitCode}}' "$container")" = 0 ]
    docker start "$container"
    container_ready
}

usermod -aG tss tlm
step "the engine starts" engine_start
step "doctor: without --group-add, with -v, a directory, no device" wrong_ways
step "docker-compose up: cold start on /dev/tpmrm0, healthy" compose_up
step "no capabilities, no way to get any" confined
step "restarted and made anew: warm, the same fingerprint" made_anew
step "/dev/tpm0 held, and another container at the TPM: it goes on" shared
step "a second license manager is refused" second_license_manager
step "doctor: a volume that is read-only, or somebody else's" volumes
step "stops within 10 s" stops_in_time
step "the engine ends" engine_stop
steps_end
