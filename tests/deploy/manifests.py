#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks Kubernetes manifests against the API's own models.

manifests.py schema FILE…    every member is one that the API knows, of its type; what is required is there
manifests.py links FILE…     what one object says of another fits: selectors, ports, volumes
manifests.py restricted FILE…  prints what the Pod Security Standard "restricted" refuses, one a line

The models are those of python3-kubernetes, which are generated from the API's OpenAPI description.
They drop what they do not know when they read an object; here that is an error.
"""
import re
import sys

import yaml
from kubernetes import client

KINDS = {
    ("v1", "Namespace"): client.V1Namespace,
    ("v1", "ServiceAccount"): client.V1ServiceAccount,
    ("v1", "ConfigMap"): client.V1ConfigMap,
    ("v1", "Service"): client.V1Service,
    ("apps/v1", "DaemonSet"): client.V1DaemonSet,
    ("networking.k8s.io/v1", "NetworkPolicy"): client.V1NetworkPolicy,
}
# Values that the models have as plain text, and the API does not take any other.
WORDS = {
    (client.V1HostPathVolumeSource, "type"): {
        "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"},
    (client.V1SeccompProfile, "type"): {"RuntimeDefault", "Localhost", "Unconfined"},
    (client.V1Container, "imagePullPolicy"): {"Always", "IfNotPresent", "Never"},
    (client.V1ContainerPort, "protocol"): {"TCP", "UDP", "SCTP"},
    (client.V1ServicePort, "protocol"): {"TCP", "UDP", "SCTP"},
    (client.V1NetworkPolicyPort, "protocol"): {"TCP", "UDP", "SCTP"},
    (client.V1ServiceSpec, "type"): {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"},
    (client.V1ServiceSpec, "internalTrafficPolicy"): {"Cluster", "Local"},
    (client.V1DaemonSetUpdateStrategy, "type"): {"RollingUpdate", "OnDelete"},
    (client.V1Toleration, "operator"): {"Exists", "Equal"},
    (client.V1Toleration, "effect"): {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    (client.V1EmptyDirVolumeSource, "medium"): {"", "Memory"},
    (client.V1HTTPGetAction, "scheme"): {"HTTP", "HTTPS"},
}
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?\Z")
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
LABEL_KEY = re.compile(r"([a-z0-9][a-z0-9.-]{0,252}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|[KMGT]i?)?\Z")
# What "restricted" lets a pod mount.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
           "secret"}


class Loader(yaml.SafeLoader):
    """YAML that has no key twice."""


def no_twice(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {key} is there twice")
    return loader.construct_mapping(node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, no_twice)


def objects(files):
    found = []
    for file in files:
        with open(file, encoding="utf-8") as opened:
            for document in yaml.load_all(opened, Loader):
                if document is not None and document.get("kind") != "Kustomization":
                    found.append(document)
    return found


class Schema:
    def __init__(self):
        self.problems = []

    def problem(self, path, text):
        self.problems.append(f"{path}: {text}")

    def value(self, kind, value, path):
        if value is None:
            self.problem(path, "there is no value")
        elif kind.startswith("list["):
            if not isinstance(value, list):
                return self.problem(path, "a list is needed")
            for index, one in enumerate(value):
                self.value(kind[5:-1], one, f"{path}[{index}]")
        elif kind.startswith("dict("):
            if not isinstance(value, dict):
                return self.problem(path, "members are needed")
            for name, one in value.items():
                self.entry(path, name, one)
        elif kind == "object":  # a number or a name: ports, how many pods
            if isinstance(value, bool) or not isinstance(value, (int, str)):
                self.problem(path, "a number or a name is needed")
        elif kind in ("str", "int", "bool", "float"):
            if type(value).__name__ != kind:
                self.problem(path, f"{kind} is needed, and it is {type(value).__name__}: {value!r}")
        elif kind == "datetime":
            self.problem(path, "the API server sets this")
        else:
            self.model(getattr(client, kind), value, path)
        return None

    def entry(self, path, name, value):
        """A member of a map of texts: labels, annotations, amounts of resources."""
        last = path.rsplit(".", 1)[-1]
        if last in ("limits", "requests"):
            if isinstance(value, bool) or not QUANTITY.match(str(value)):
                self.problem(f"{path}.{name}", f"no amount of a resource: {value!r}")
        elif not isinstance(value, str):
            self.problem(f"{path}.{name}", f"a text is needed, in quotes: {value!r}")
        elif last in ("labels", "matchLabels", "nodeSelector", "selector"):
            if not LABEL_KEY.match(name) or not LABEL_VALUE.match(value):
                self.problem(f"{path}.{name}", f"no label: {name}={value}")

    def model(self, model, value, path):
        if not isinstance(value, dict):
            return self.problem(path, "members are needed")
        names = {json: python for python, json in model.attribute_map.items()}
        known = {}
        for name, one in value.items():
            if name not in names:
                self.problem(f"{path}.{name}", f"the API does not know this; it knows {', '.join(sorted(names))}")
                continue
            known[names[name]] = one
            self.value(model.openapi_types[names[name]], one, f"{path}.{name}")
            words = WORDS.get((model, name))
            if words is not None and one not in words:
                self.problem(f"{path}.{name}", f"{one!r} is none of {', '.join(sorted(words))}")
        self.names(model, value, path)
        try:  # the models know what is required
            model(**known)
        except ValueError as error:
            self.problem(path, str(error))
        return None

    def names(self, model, value, path):
        if model is client.V1ObjectMeta and "name" in value and not DNS_LABEL.match(str(value["name"])):
            self.problem(f"{path}.name", f"no name: {value['name']!r}")
        if model is client.V1ContainerPort:
            if not PORT_NAME.match(str(value.get("name", "a"))):
                self.problem(f"{path}.name", f"no name of a port: {value['name']!r}")
            port = value.get("containerPort")
            if isinstance(port, int) and not 0 < port < 65536:
                self.problem(f"{path}.containerPort", "no port")
        if model is client.V1Volume and len(value) != 2:
            self.problem(path, "a volume has a name and one source")


def schema(found):
    checked = Schema()
    for one in found:
        path = f"{one.get('kind')}/{one.get('metadata', {}).get('name')}"
        model = KINDS.get((one.get("apiVersion"), one.get("kind")))
        if model is None:
            checked.problem(path, f"{one.get('apiVersion')} {one.get('kind')} is not known")
            continue
        checked.model(model, one, path)
    return checked.problems


def fits(selector, labels):
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def containers_of(pod):
    return pod.get("initContainers", []) + pod["containers"]


def pod_links(pod, by_kind, problems):
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    mounted = set()
    for container in containers_of(pod):
        ports = {port["name"] for port in container.get("ports", [])}
        for mount in container.get("volumeMounts", []):
            mounted.add(mount["name"])
            if mount["name"] not in volumes:
                problems.append(f"{container['name']}: there is no volume {mount['name']}")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if isinstance(port, str) and port not in ports:
                problems.append(f"{container['name']}.{probe}: there is no port {port}")
    for name, volume in volumes.items():
        if name not in mounted:
            problems.append(f"volume {name}: nothing mounts it")
        wanted = volume.get("configMap", {}).get("name")
        if wanted and wanted not in by_kind.get("ConfigMap", {}):
            problems.append(f"volume {name}: there is no ConfigMap {wanted}")
    account = pod.get("serviceAccountName")
    if account and account not in by_kind.get("ServiceAccount", {}):
        problems.append(f"there is no ServiceAccount {account}")


def links(found):
    problems = []
    by_kind = {}
    for one in found:
        by_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    templates = [one["spec"]["template"] for one in by_kind.get("DaemonSet", {}).values()]
    ports = {port["name"] for template in templates for container in template["spec"]["containers"]
             for port in container.get("ports", [])}
    for name, one in by_kind.get("DaemonSet", {}).items():
        if not fits(one["spec"]["selector"]["matchLabels"], one["spec"]["template"]["metadata"]["labels"]):
            problems.append(f"DaemonSet/{name}: its selector does not select its own pods")
        pod_links(one["spec"]["template"]["spec"], by_kind, problems)
    selectors = [(f"Service/{name}", one["spec"]["selector"], [port["targetPort"] for port in one["spec"]["ports"]])
                 for name, one in by_kind.get("Service", {}).items()]
    selectors += [(f"NetworkPolicy/{name}", one["spec"]["podSelector"]["matchLabels"],
                   [port["port"] for rule in one["spec"]["ingress"] for port in rule["ports"]])
                  for name, one in by_kind.get("NetworkPolicy", {}).items()]
    for name, selector, wanted in selectors:
        if not any(fits(selector, template["metadata"]["labels"]) for template in templates):
            problems.append(f"{name}: it selects no pod")
        problems += [f"{name}: there is no port {port}" for port in wanted if port not in ports]
    spaces = set(by_kind.get("Namespace", {}))
    for one in found:
        space = one["metadata"].get("namespace")
        if one["kind"] != "Namespace" and space not in spaces:
            problems.append(f"{one['kind']}/{one['metadata']['name']}: there is no namespace {space}")
    return problems


def refused(pod):
    """What the Pod Security Standard "restricted" refuses in a pod."""
    said = [f"pod: {name}" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    for volume in pod.get("volumes", []):
        source = next(name for name in volume if name != "name")
        if source not in VOLUMES:
            said.append(f"volume {volume['name']}: {source}")
    of_pod = pod.get("securityContext", {})
    for container in containers_of(pod):
        own = container.get("securityContext", {})
        name = f"container {container['name']}"
        capabilities = own.get("capabilities", {})
        if own.get("privileged"):
            said.append(f"{name}: privileged")
        if own.get("allowPrivilegeEscalation") is not False:
            said.append(f"{name}: allowPrivilegeEscalation")
        if "ALL" not in capabilities.get("drop", []):
            said.append(f"{name}: capabilities not dropped")
        said += [f"{name}: adds {added}" for added in capabilities.get("add", []) if added != "NET_BIND_SERVICE"]
        if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
            said.append(f"{name}: runAsNonRoot")
        if own.get("runAsUser", of_pod.get("runAsUser")) == 0:
            said.append(f"{name}: runAsUser 0")
        if own.get("seccompProfile", of_pod.get("seccompProfile", {})).get("type") not in (
                "RuntimeDefault", "Localhost"):
            said.append(f"{name}: seccompProfile")
        said += [f"{name}: hostPort" for port in container.get("ports", []) if port.get("hostPort")]
    return said


def restricted(found):
    return [text for one in found if one["kind"] == "DaemonSet"
            for text in refused(one["spec"]["template"]["spec"])]


def main():
    checks = {"schema": schema, "links": links, "restricted": restricted}
    if len(sys.argv) < 3 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    problems = checks[sys.argv[1]](objects(sys.argv[2:]))
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems and sys.argv[1] != "restricted" else 0


if __name__ == "__main__":
    sys.exit(main())
