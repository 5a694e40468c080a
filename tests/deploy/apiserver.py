#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""As much of a Kubernetes API server as kubectl needs to apply, patch, label and look.

    apiserver.py DIRECTORY

Prints its port. Takes no object that manifests.py finds fault with, and no pod that the namespace's
Pod Security level refuses. DIRECTORY/requests gets a line for each request that changes something.
There are no nodes but one, and no controllers: a DaemonSet's pod is there as soon as it was applied.
"""
import copy
import http.server
import json
import os
import re
import sys
import urllib.parse

import manifests

directory = sys.argv[1]
GROUPS = {
    "v1": [("namespaces", "Namespace", False), ("nodes", "Node", False), ("serviceaccounts", "ServiceAccount", True),
           ("configmaps", "ConfigMap", True), ("services", "Service", True), ("pods", "Pod", True),
           ("events", "Event", True)],
    "apps/v1": [("daemonsets", "DaemonSet", True)],
    "networking.k8s.io/v1": [("networkpolicies", "NetworkPolicy", True)],
}
SHORT = {"daemonsets": ["ds"], "namespaces": ["ns"], "configmaps": ["cm"], "services": ["svc"], "pods": ["po"]}
KEYS = {"containers": "name", "initContainers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath",
        "ports": "containerPort"}
store = {("nodes", None, "node-1"): {"apiVersion": "v1", "kind": "Node", "metadata": {
    "name": "node-1", "labels": {"kubernetes.io/os": "linux"}, "uid": "n", "resourceVersion": "1"},
    "spec": {}, "status": {"allocatable": {"squat.ai/tpmrm0": "1"}}}}
version = 1


def strategic(old, patch, key=None):
    """A strategic merge patch, as far as these objects need one."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None:
            new.pop(name, None)
        elif isinstance(value, list) and name in KEYS and isinstance(new.get(name), list):
            merged = copy.deepcopy(new[name])
            for one in value:
                same = [index for index, had in enumerate(merged) if had.get(KEYS[name]) == one.get(KEYS[name])]
                if same:
                    merged[same[0]] = strategic(merged[same[0]], one)
                else:
                    merged.append(one)
            new[name] = merged
        else:
            new[name] = strategic(new.get(name), value)
    return new


def refusal(document):
    """Why an object is not taken; none where it is."""
    plain = copy.deepcopy(document)
    for name in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        plain["metadata"].pop(name, None)
    plain.pop("status", None)
    problems = manifests.schema([plain])
    if plain["kind"] == "DaemonSet":
        space = store.get(("namespaces", None, plain["metadata"]["namespace"]), {"metadata": {}})
        level = space["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce", "privileged")
        if level != "privileged":
            problems += [f"violates PodSecurity \"{level}\": {text}" for text in manifests.restricted([plain])]
    return "; ".join(problems)


def pods():
    for (resource, space, name), one in list(store.items()):
        if resource == "daemonsets" and all(
                store[("nodes", None, "node-1")]["metadata"]["labels"].get(label) == value
                for label, value in one["spec"]["template"]["spec"].get("nodeSelector", {}).items()):
            template = one["spec"]["template"]
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": f"{name}-abcde", "namespace": space, "labels": template["metadata"]["labels"], "uid": "p",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": "d"}]},
                "spec": {**template["spec"], "nodeName": "node-1"},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(document, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status, reason, message):
        self.answer(status, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                             "message": message, "reason": reason, "code": status})

    def discovery(self, path):
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": group.split("/")[0], "versions": [{"groupVersion": group, "version": "v1"}],
                 "preferredVersion": {"groupVersion": group, "version": "v1"}} for group in GROUPS if "/" in group]}
        if path == "/version":
            return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
        group = path.removeprefix("/apis/").removeprefix("/api/")
        if group in GROUPS and path.startswith("/api"):
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": [
                {"name": name, "singularName": kind.lower(), "namespaced": spaced, "kind": kind,
                 "shortNames": SHORT.get(name, []), "verbs": ["get", "list", "create", "patch", "delete", "watch"]}
                for name, kind, spaced in GROUPS[group]]}
        return None

    def target(self):
        """(resource, namespace, name or None, subresource) of the path; none where there is no such."""
        path = urllib.parse.urlsplit(self.path).path
        for group, resources in GROUPS.items():
            base = "/api/v1" if group == "v1" else f"/apis/{group}"
            for resource, _, spaced in resources:
                space = "/namespaces/(?P<space>[^/]+)" if spaced else "(?P<space>)"
                match = re.fullmatch(f"{base}{space}/{resource}(/(?P<name>[^/]+)(/(?P<sub>log|status))?)?", path)
                if match:
                    return resource, match["space"] or None, match["name"], match["sub"]
        return None

    def find(self, resource, space, name):
        if resource == "pods":
            return next((pod for pod in pods() if (pod["metadata"]["namespace"], pod["metadata"]["name"]) == (space, name)),
                        None)
        return store.get((resource, space, name))

    def all_of(self, resource, space):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        wanted = dict(part.split("=", 1) for part in query.get("labelSelector", [""])[0].split(",") if "=" in part)
        field = dict(part.split("=", 1) for part in query.get("fieldSelector", [""])[0].split(",") if "=" in part)
        found = pods() if resource == "pods" else [one for key, one in store.items() if key[:2] == (resource, space)]
        return [one for one in found if one["metadata"].get("namespace") == space
                and all(one["metadata"].get("labels", {}).get(name) == value for name, value in wanted.items())
                and field.get("metadata.name", one["metadata"]["name"]) == one["metadata"]["name"]]

    def watch(self, found):
        """What is there, and then nothing more happens until the peer has seen enough."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for one in found:
            self.wfile.write(json.dumps({"type": "ADDED", "object": one}).encode() + b"\n")
        self.wfile.flush()
        self.rfile.read(1)

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        document = self.discovery(path)
        if document is not None:
            return self.answer(200, document)
        target = self.target()
        if target is None:
            return self.fail(404, "NotFound", f"there is no {path}")
        resource, space, name, sub = target
        if name is None:
            kind, group = next((kind, group) for group, kinds in GROUPS.items() for one, kind, _ in kinds if one == resource)
            if "watch=" in self.path:
                return self.watch(self.all_of(resource, space))
            return self.answer(200, {"kind": f"{kind}List", "apiVersion": group, "metadata": {"resourceVersion": "1"},
                                     "items": self.all_of(resource, space)})
        found = self.find(resource, space, name)
        if found is None:
            return self.fail(404, "NotFound", f'{resource} "{name}" not found')
        if sub == "log":
            return self.answer(200, "INFO start listening address=0.0.0.0:52014\n")
        return self.answer(200, found)

    def body(self):
        return manifests.yaml.safe_load(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def keep(self, resource, space, document):
        global version
        name = document["metadata"]["name"]
        why = refusal(document) if resource not in ("nodes",) else ""
        if why:
            return self.fail(400, "BadRequest", f'{document["kind"]} "{name}" is invalid: {why}')
        if space is not None and ("namespaces", None, space) not in store:
            return self.fail(404, "NotFound", f'namespaces "{space}" not found')
        version += 1
        document["metadata"].update(uid=f"uid-{resource}-{name}", resourceVersion=str(version), generation=1)
        if resource == "daemonsets":
            document["status"] = {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1,
                                  "numberAvailable": 1, "numberReady": 1, "currentNumberScheduled": 1,
                                  "numberMisscheduled": 0}
        store[(resource, space, name)] = document
        with open(os.path.join(directory, "requests"), "a", encoding="utf-8") as file:
            file.write(f"{self.command} {document['kind']}/{name}\n")
        return self.answer(201 if self.command == "POST" else 200, document)

    def do_POST(self):
        resource, space, _, _ = self.target()
        document = self.body()
        if (resource, space, document["metadata"]["name"]) in store:
            return self.fail(409, "AlreadyExists", "it is there already")
        return self.keep(resource, space, document)

    def do_PATCH(self):
        resource, space, name, _ = self.target()
        document = self.body()
        found = self.find(resource, space, name)
        if found is None:
            return self.fail(404, "NotFound", f'{resource} "{name}" not found')
        return self.keep(resource, space, strategic(copy.deepcopy(found), document))


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
