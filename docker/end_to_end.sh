#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# From the sources to an answered question: builds, starts, waits, and looks at what the license
# manager says.
set -euo pipefail

script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)

usage() {
    cat << 'END_OF_USAGE'
Usage: docker/end_to_end.sh [--no-build] [docker-compose OPTION]…

Builds the image, starts the project in the working directory (docker/, unless there is a
docker-compose.yml), and checks health, TPM and fingerprint. Options go to docker-compose:

    docker/end_to_end.sh -f docker-compose.yml -f docker-compose.simulator.yml
END_OF_USAGE
}

build=yes
case ${1:-} in
--help | -h) usage && exit 0 ;;
--no-build) build=no && shift ;;
esac
[ -f docker-compose.yml ] || cd "$script_dir"
options=("$@")
url=http://localhost:52014

compose() {
    docker-compose "${options[@]}" "$@"
}

# fail MESSAGE: with what the container said.
fail() {
    echo "ERROR: $1"
    compose logs --tail 40 tl-license-manager
    exit 1
}

echo "=== TLLicenseManager, its container, and the TPM ==="
if [ "$build" = yes ]; then
    "$script_dir/build_and_stage.sh" --stage "$PWD"
fi
compose up -d
echo "Waiting until it is healthy ..."
deadline=$((SECONDS + 120))
until [ "$(docker inspect --format '{{.State.Health.Status}}' tl-license-manager)" = healthy ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "the container is not healthy"
    sleep 1
done
echo "The TPM as the license manager sees it ..."
docker exec tl-license-manager tlm-token-init status | grep -q '^TPM .*connected' ||
    fail "the TPM cannot be reached from the container"
curl -fs "$url/status" | jq -e '.tpmConnected == true' > /dev/null || fail "no key in the TPM"
echo "The fingerprint ..."
curl -fs "$url/fingerprint" | jq -er '.fingerprint' || fail "there is no fingerprint"
echo "=== All checks passed ==="
