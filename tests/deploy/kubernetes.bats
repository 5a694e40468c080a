#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# docker/k8s against the API's models, the daemon, and kubectl; docs/kubernetes.md as it is typed.

load ../integration/httpd/common
load ../integration/httpd/licensing
load ../support/deploy

BACKEND=softhsm

setup() {
    new_home
    # kubectl keeps what it learnt below the home directory.
    export HOME=$home KUBECONFIG=$home/kubeconfig
    kustomized=$home/all.yaml
}

teardown() {
    stop_apiserver
    take_away
}

manifests() {
    /usr/bin/python3 "$SOURCE/tests/deploy/manifests.py" "$@"
}

kustomize() {
    kubectl kustomize "$SOURCE/docker/k8s" > "$kustomized"
}

# daemonset FILTER: of the DaemonSet's pods, as JSON
daemonset() {
    /usr/bin/python3 -c 'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)' \
        "$SOURCE/docker/k8s/daemonset.yaml" | jq -r ".spec.template.spec | $1"
}

@test "every object is one that the API takes, and they fit together" {
    kustomize
    [ "$(grep -c '^kind: ' "$kustomized")" -eq 6 ]
    manifests schema "$kustomized"
    manifests links "$kustomized"
    # Without kustomize they are the same objects in the same namespace.
    manifests links "$SOURCE"/docker/k8s/{namespace,serviceaccount,configmap,daemonset,service,networkpolicy}.yaml
    kubectl patch --local -f "$SOURCE/docker/k8s/daemonset.yaml" -p "$(cat "$SOURCE/docker/k8s/device-crio.yaml")" \
        -o yaml > "$home/crio.yaml"
    manifests schema "$home/crio.yaml"
    grep -q 'io.kubernetes.cri-o.Devices: /dev/tpmrm0' "$home/crio.yaml"
    run ! grep squat.ai "$home/crio.yaml"
    grep -q 'memory: 256Mi' "$home/crio.yaml"
}

# finds CHECK SED TEXT: what sed makes of the manifests is found fault with, in these words.
finds() {
    sed "$2" "$kustomized" > "$home/bad.yaml"
    ! cmp -s "$kustomized" "$home/bad.yaml" || { echo "$2 changes nothing"; return 1; }
    run manifests "$1" "$home/bad.yaml"
    [ "$status" -eq 1 ] && [[ $output == *"$3"* ]] || { echo "$2: $output"; return 1; }
}

@test "a mistake in them is found" {
    kustomize
    finds schema 's/readOnlyRootFilesystem/readonlyRootFilesystem/' 'readonlyRootFilesystem: the API does not know this'
    finds schema 's/livenessProbe:/livelinessProbe:/' 'livelinessProbe: the API does not know this'
    finds schema 's/containerPort: 52014/containerPort: "52014"/' 'containerPort: int is needed'
    finds schema 's/runAsUser: 1000/runAsUser: tlm/' 'runAsUser: int is needed'
    finds schema 's/runAsNonRoot: true/runAsNonRoot: "true"/' 'runAsNonRoot: bool is needed'
    finds schema 's,tl-license-manager/tpm: "true",tl-license-manager/tpm: true,' 'a text is needed, in quotes'
    finds schema 's/DirectoryOrCreate/DirectoryOrMake/' "'DirectoryOrMake' is none of"
    finds schema 's/memory: 256Mi/memory: 256MB/' 'no amount of a resource'
    finds schema '/^  selector:$/,/name: tl-license-manager$/d' 'selector'
    finds schema 's/kind: DaemonSet/kind: Daemonset/' 'is not known'
    finds schema 's,apiVersion: apps/v1,apiVersion: apps/v1beta2,' 'is not known'
    finds schema 's/name: rest$/name: Rest_Port/' 'no name of a port'
    finds schema 's/supplementalGroups:/supplementalGroups: 113\n      was:/' 'a list is needed'
    finds links 's/port: rest$/port: http/' 'there is no port http'
    finds links 's,mountPath: /tmp,mountPath: /tmp2\n          name: nowhere\n        - mountPath: /x,' 'there is no volume nowhere'
    finds links '/^kind: Service$/,/^---/s,app.kubernetes.io/name: .*,app.kubernetes.io/name: other,' 'selects no pod'
    finds links 's/serviceAccountName: .*/serviceAccountName: default2/' 'there is no ServiceAccount'
    printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  name: b\n' > "$home/twice.yaml"
    run manifests schema "$home/twice.yaml"
    [ "$status" -eq 1 ]
    [[ $output == *"name is there twice"* ]]
}

@test "nothing is more than it says to be: not privileged, and all but two things restricted" {
    kustomize
    run ! grep -rnE 'privileged: true|hostNetwork|hostPID|hostIPC|SYS_ADMIN|docker.sock' "$SOURCE/docker/k8s"
    diff - <(manifests restricted "$kustomized") << 'END'
volume persistence: hostPath
container own-persistence: adds CHOWN
container own-persistence: runAsNonRoot
container own-persistence: runAsUser 0
END
    # What the check itself finds when it is there.
    sed -e 's/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/' -e 's/type: RuntimeDefault/type: Unconfined/' \
        -e 's/hostPath:$/configMap:/' "$kustomized" > "$home/bad.yaml"
    manifests restricted "$home/bad.yaml" > "$home/found"
    grep -qx 'container tl-license-manager: allowPrivilegeEscalation' "$home/found"
    grep -qx 'container tl-license-manager: seccompProfile' "$home/found"
    run ! grep hostPath "$home/found"
}

# A volume of a ConfigMap as the kubelet lays it out: links, of root's, and read-only for all.
lay_config() {
    local data=$home/volume/..2026_01_31
    mkdir -p "$data"
    chmod 755 "$home"
    /usr/bin/python3 -c 'import sys, yaml
print(yaml.safe_load(open(sys.argv[1]))["data"]["TLLicenseManager.json"], end="")' \
        "$SOURCE/docker/k8s/configmap.yaml" > "$data/TLLicenseManager.json"
    ln -s "$(basename "$data")" "$home/volume/..data"
    ln -s ..data/TLLicenseManager.json "$home/volume/TLLicenseManager.json"
}

@test "the daemon takes the configuration from the ConfigMap's volume, and answers the probes" {
    local probe
    lay_config
    make_token
    # An emptyDir is everybody's to write in.
    mkdir -m 777 "$home/run"
    : > "$out"
    "$DAEMON" --config-dir "$home/volume" --persistence-dir "$home/persistence" --log-dir "$home/log" \
        --rest-port 0 --pkcs11-socket "$home/run/pkcs11.sock" > "$out" 2> "$err" < /dev/null 3>&- &
    pid=$!
    wait_says '^ready ' "$out"
    url=http://127.0.0.1:$(grep -o ' url=http[^ ]*' "$err" | head -n 1 | grep -oE '[0-9]+$')
    grep -q ' listening address=0.0.0.0:' "$err"
    for probe in startup liveness readiness; do
        status_is "$(daemonset ".containers[0].${probe}Probe.httpGet.path")" 200
    done
    finish TERM
    # A mistake in it is an error at the start.
    sed -i 's/ServerPort/ServerPrt/' "$home/volume/TLLicenseManager.json"
    run "$DAEMON" --config-dir "$home/volume" --check-config
    [ "$status" -eq 2 ]
    [[ $output == *ServerPrt*ServerPort* ]]
}

@test "the init container needs no more than its one capability, and is done once" {
    local directory=$home/node script
    mkdir "$directory"
    chmod 755 "$directory"
    daemonset '.initContainers[0].command[2]' > "$home/script"
    script=$(cat "$home/script")
    with_chown() {
        setpriv --bounding-set -all,+chown --inh-caps -all --no-new-privs /bin/sh -euc "$script" own "$directory"
    }
    with_chown
    [ "$(stat -c '%u:%g %a' "$directory")" = "1000:1000 700" ]
    # Once it belongs to the user it is not entered and not changed.
    chmod 750 "$directory"
    with_chown
    [ "$(stat -c '%u:%g %a' "$directory")" = "1000:1000 750" ]
    # Without the capability it fails rather than leave the directory as it is.
    chown 0:0 "$directory"
    run setpriv --bounding-set -all --inh-caps -all --no-new-privs /bin/sh -euc "$script" own "$directory"
    [ "$status" -ne 0 ]
    [ "$(daemonset '.initContainers[0].securityContext.capabilities | "\(.drop) \(.add)"')" = '["ALL"] ["CHOWN"]' ]
}

start_apiserver() {
    : > "$home/requests"
    /usr/bin/python3 "$SOURCE/tests/deploy/apiserver.py" "$home" > "$home/port" 2> "$home/api.err" < /dev/null 3>&- &
    api_pid=$!
    wait_until 60 test -s "$home/port"
    cat > "$KUBECONFIG" << END
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:$(cat "$home/port")"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
END
}

stop_apiserver() {
    if [ -n "${api_pid:-}" ]; then
        kill "$api_pid"
        wait "$api_pid" || true
    fi
}

# kubectl as the document has it. Objects are checked by the server and not by what kubectl would
# download from it; and a command in a pod runs here, once the real kubectl found the pod.
make_kubectl() {
    local real
    real=$(command -v kubectl)
    mkdir "$home/bin"
    cat > "$home/bin/kubectl" << END
#!/bin/bash
set -euo pipefail
words=" \$* "
case \$words in
*" apply "*) exec $real "\$@" --validate=false ;;
*" exec "*)
    before=()
    while [ "\$1" != exec ]; do before+=("\$1") && shift; done
    shift
    [ "\$1" != -i ] || shift
    $real "\${before[@]}" get "\$1" -o name > /dev/null
    [ "\$2" = -- ] || { echo "no --" >&2; exit 2; }
    shift 2
    exec "\$@"
    ;;
esac
exec $real "\$@"
END
    chmod +x "$home/bin/kubectl"
    ln -s "$BUILD/client/tlm" "$home/bin/tlm"
    ln -s "$TOKEN_INIT" "$home/bin/tlm-token-init"
    ln -s "$SOURCE/docker/tlm-backup" tlm-backup
    PATH=$home/bin:$PATH
}

# run_block NAME: that block of the document, below the repository as its reader is.
run_block() {
    awk -v name="test: $1" -f "$SOURCE/tests/docs/blocks.awk" "$SOURCE/docs/kubernetes.md" |
        sed -e "s,/var/lib/tl-license-manager/persistence,$home/persistence,g" -e "s,docker/k8s,$SOURCE/docker/k8s,g" > commands
    [ -s commands ] || { echo "there is no block $1"; return 1; }
    run env -C "$PWD" bash -euo pipefail commands
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "what docs/kubernetes.md tells to type about the cluster works" {
    cd "$BATS_TEST_TMPDIR"
    start_apiserver
    make_kubectl
    run_block install
    grep -qx 'POST DaemonSet/tl-license-manager' "$home/requests"
    [[ $output == *"successfully rolled out"*tl-license-manager-abcde* ]]
    run_block crio
    [ "$(kubectl -n trusted-licensing get daemonset tl-license-manager -o json |
        jq -c '.spec.template | [.metadata.annotations, .spec.containers[0].resources.limits]')" = \
        '[{"io.kubernetes.cri-o.Devices":"/dev/tpmrm0"},{"memory":"256Mi"}]' ]
    run_block look
    [[ $output == *"kind: DaemonSet"* ]]
    run_block restart
    run_block logs
    run_block away
    [ -z "$(kubectl -n trusted-licensing get pods -o name)" ]
    # Applied again nothing but what the patch and the restart changed is changed.
    run_block install
    [[ $output == *"networkpolicy.networking.k8s.io/tl-license-manager unchanged"* ]]
    # The server that this is shown with takes no mistakes.
    sed 's/readOnlyRootFilesystem/readonlyRootFilesystem/' "$SOURCE/docker/k8s/daemonset.yaml" > bad.yaml
    run kubectl apply -f bad.yaml
    [ "$status" -ne 0 ]
    [[ $output == *"readonlyRootFilesystem: the API does not know this"* ]]
}

@test "what docs/kubernetes.md tells to type in a pod works" {
    cd "$BATS_TEST_TMPDIR"
    start_apiserver
    make_kubectl
    run_block install
    make_token
    trust_vendor
    start_ready
    export TLM_URL=unix:$home/admin.sock TLM_PERSISTENCE_DIR=$home/persistence TLM_CONFIG_DIR=$home/config
    make_package node-1.tlmpkg "$(claims "$license" "$(feature pro 2 '{"type":"perpetual"}')")"
    run_block administer
    grep -q "$fingerprint" node-1.json
    [[ $output == *pro* ]]
    export pod=daemonset/tl-license-manager
    run_block doctor
    finish TERM
    run_block backup
    [ -s node-1.tar.gz ]
}
