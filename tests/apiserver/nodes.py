"""Nodes under a stage's pods, as real objects: scheduler, kubelets, node controllers, a drain.

A lost node turns Unknown and is tainted. Its pods keep their last status, except that Ready turns
False; when their tolerations have expired they are deleted, and stay, as no kubelet confirms it.
All delays are on the objects, so nothing is remembered but the nodes.
"""

from __future__ import annotations

import urllib.error
from datetime import datetime
from typing import TYPE_CHECKING

from tests.world.pods import is_active, stamp
from tests.world.store import Ref, ref_of

if TYPE_CHECKING:
    from tests.apiserver.api import Object
    from tests.apiserver.stage import Stage

NODES = "/api/v1/nodes"
UNREACHABLE = "node.kubernetes.io/unreachable"
REVISION = "merit.dev/revision"


class Nodes:
    """The nodes of one stage: "a", "b" and so on, each with its namespace in its real name."""

    def __init__(self, stage: Stage, names: str) -> None:
        self._api, self._store, self._stage = stage.api, stage.store, stage
        self._nodes: dict[str, Object] = {}
        for name in names:
            meta = {"name": f"{stage.key.namespace}-{name}"}
            made = {"apiVersion": "v1", "kind": "Node", "metadata": meta}
            self._api.call("POST", NODES, made)
            self.restore(name)

    def lose(self, name: str) -> None:
        """Its kubelet has not reported for too long; nobody knows its pods."""
        at = stamp(self._stage.clock())
        self._set_ready(
            name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."
        )
        taints = [
            {"key": UNREACHABLE, "effect": effect, "timeAdded": at}
            for effect in ("NoSchedule", "NoExecute")
        ]
        self._change(name, {"spec": {"taints": taints}})
        self._stage.store.refresh()
        for pod in self.pods(name):
            self._write(pod, self.status_on_node(pod))

    def restore(self, name: str) -> None:
        """Its kubelet reports, and it takes pods."""
        self._set_ready(name, "True", "KubeletReady", "kubelet is posting ready status")
        self._change(name, {"spec": {"taints": None, "unschedulable": None}})

    def cordon(self, name: str) -> None:
        """It takes no new pods."""
        self._change(name, {"spec": {"unschedulable": True}})

    def remove(self, name: str) -> None:
        """The node is deleted; pods that stayed on it are collected."""
        self._api.call("DELETE", f"{NODES}/{self._real_name(name)}")
        del self._nodes[self._real_name(name)]

    def pods(self, name: str) -> list[Object]:
        """Its pods, as last seen."""
        node = self._real_name(name)
        return [p for p in self._store.all("Pod") if p["spec"].get("nodeName") == node]

    def where(self, version: str) -> str:
        """The nodes of that version's active pods, one letter for each pod, sorted."""
        shorts = {s for s, v in self._stage.traffic.versions.items() if v == version}
        return "".join(
            sorted(
                pod["spec"].get("nodeName", "?")[-1]
                for pod in self._store.all("Pod")
                if pod["metadata"].get("labels", {}).get(REVISION) in shorts and is_active(pod)
            )
        )

    def evict(self, pod: Object) -> bool:
        """Evict as a drain does; False if a disruption budget forbids it now."""
        _, namespace, name = ref_of(pod)
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        try:
            self._api.call("POST", path, body, patient=False)
        except urllib.error.HTTPError as error:
            if error.code != 429:
                raise
            return False
        return True

    def run_out_of_memory(self, name: str) -> None:
        """Its kubelet evicts its pods, because memory runs out."""
        self._store.refresh()
        for pod in self.pods(name):
            ended = {"exitCode": 137, "reason": "Error"}
            kept = pod.get("status", {}).get("containerStatuses", ())
            containers = [c | {"ready": False, "state": {"terminated": ended}} for c in kept]
            failed = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
            ready = [{"type": "Ready", "status": "False", "reason": "PodFailed"}]
            self._write(pod, failed | {"conditions": ready, "containerStatuses": containers})

    def settle(self) -> None:
        """Run the scheduler, the kubelets and the node controllers once."""
        for pod in list(self._store.all("Pod")):
            name, node = pod["spec"].get("nodeName", ""), self._node(pod)
            if "deletionTimestamp" in pod["metadata"]:
                if node is None or not _lost_since(node):
                    self._store.delete(ref_of(pod), "kubelet", grace=0)
            elif not name:
                self._schedule(pod)
            elif node is not None and self._toleration_expired(pod, node):
                self._store.delete(ref_of(pod), "taint-eviction-controller")
        for budget in list(self._store.all("PodDisruptionBudget")):
            self._update_budget(budget)

    def status_on_node(self, pod: Object) -> Object | None:
        """The status that a lost node, or the lack of a node, forces on a pod; None if neither."""
        node, known = self._node(pod), pod.get("status", {})
        if not pod["spec"].get("nodeName"):
            return {} if self._best_node(pod) else _unschedulable(len(self._nodes))
        if node is None or not _lost_since(node):
            return None
        kept = [c for c in known.get("conditions", ()) if c["type"] != "Ready"]
        last = [c for c in known.get("conditions", ()) if c["type"] == "Ready"]
        return {"conditions": [*kept, *(c | {"status": "False"} for c in last)]} if last else {}

    def _real_name(self, name: str) -> str:
        return f"{self._stage.key.namespace}-{name}"

    def _node(self, pod: Object) -> Object | None:
        return self._nodes.get(pod["spec"].get("nodeName", ""))

    def _best_node(self, pod: Object) -> str:
        """A node away from others of its revision; empty if none takes pods."""
        revision = pod["metadata"].get("labels", {}).get(REVISION)
        pods = list(self._store.all("Pod"))

        def load(name: str) -> tuple[int, int, str]:
            here = [p for p in pods if p["spec"].get("nodeName") == name]
            same = [p for p in here if p["metadata"].get("labels", {}).get(REVISION) == revision]
            return len(same), len(here), name

        taking = [n for n, o in self._nodes.items() if not o["spec"].get("unschedulable")]
        return min((n for n in taking if not _lost_since(self._nodes[n])), key=load, default="")

    def _schedule(self, pod: Object) -> None:
        node = self._best_node(pod)
        if not node:
            return
        _, namespace, name = ref_of(pod)
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self._api.call("POST", f"{path}/binding", body)
        self._store.keep("Pod", self._api.call("GET", path))

    def _toleration_expired(self, pod: Object, node: Object) -> bool:
        since = _lost_since(node)
        tolerations = (t for t in pod["spec"].get("tolerations", ()) if t.get("key") == UNREACHABLE)
        tolerated = next((t["tolerationSeconds"] for t in tolerations), 0)
        return bool(since) and self._stage.clock() >= since + tolerated

    def _update_budget(self, budget: Object) -> None:
        """Write how many pods may be disrupted, as the disruption controller does."""
        ref: Ref = ref_of(budget)
        deployment = self._store.objects.get(("Deployment", *ref[1:]))
        if deployment is None:
            return
        healthy = deployment.get("status", {}).get("readyReplicas", 0)
        wanted = deployment["spec"]["replicas"]
        desired = max(0, wanted - budget["spec"]["maxUnavailable"])
        status = {
            "observedGeneration": budget["metadata"]["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": wanted,
            "disruptionsAllowed": max(0, healthy - desired),
        }
        if {key: budget.get("status", {}).get(key) for key in status} != status:
            self._write(budget, status | {"disruptedPods": None})

    def _set_ready(self, name: str, status: str, reason: str, message: str) -> None:
        at = stamp(self._stage.clock())
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
        body = {"status": {"conditions": [ready | {"lastTransitionTime": at}]}}
        self._change(name, body, "/status")

    def _change(self, name: str, body: Object, subresource: str = "") -> None:
        path, kind = f"{NODES}/{self._real_name(name)}{subresource}", "application/merge-patch+json"
        self._nodes[self._real_name(name)] = self._api.call("PATCH", path, body, kind)

    def _write(self, obj: Object, status: Object | None) -> None:
        if status:
            made = self._api.merge(ref_of(obj), {"status": status}, "actor", "status")
            self._store.keep(obj["kind"], made)


def _lost_since(node: Object) -> float:
    """Since when it is tainted as lost, Unix seconds; 0 while its kubelet reports."""
    taints = node["spec"].get("taints", ())
    added = next((t["timeAdded"] for t in taints if t["effect"] == "NoExecute"), None)
    return datetime.fromisoformat(added).timestamp() if added else 0.0


def _unschedulable(nodes: int) -> Object:
    message = (
        f"0/{nodes} nodes are available: {nodes} node(s) had untolerated taint {{{UNREACHABLE}}}"
    )
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"phase": "Pending", "conditions": [scheduled | {"message": message}]}
