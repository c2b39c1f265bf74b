"""Nodes under a stage's pods, as real objects: scheduler, kubelets, node controllers, a drain.

A node that is silent turns Unknown and is tainted. Its pods keep their last word, save that Ready
turns False; when their tolerations have run out they are deleted, and hang, for no kubelet confirms
it. Who waits how long stands on the objects, so nothing is remembered but the nodes' names.
"""

from __future__ import annotations

import urllib.error
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.world.store import Ref, ref_of

if TYPE_CHECKING:
    from tests.apiserver.stage import Stage

Object = dict[str, Any]
NODES = "/api/v1/nodes"
UNREACHABLE = "node.kubernetes.io/unreachable"
REVISION = "merit.dev/revision"


class Nodes:
    """The nodes of one stage: "a", "b" and so on, each with its namespace in its real name."""

    def __init__(self, stage: Stage, names: str) -> None:
        self._api, self._store, self._stage = stage.api, stage.store, stage
        self._all: dict[str, Object] = {}
        for name in names:
            meta = {"name": f"{stage.key.namespace}-{name}"}
            made = {"apiVersion": "v1", "kind": "Node", "metadata": meta}
            self._api.call("POST", NODES, made)
            self.back(name)

    def lose(self, name: str) -> None:
        """It has been silent for too long: nobody knows what becomes of its pods."""
        at = _stamp(self._stage.clock())
        self._say(name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        taints = [
            {"key": UNREACHABLE, "effect": effect, "timeAdded": at}
            for effect in ("NoSchedule", "NoExecute")
        ]
        self._change(name, {"spec": {"taints": taints}})
        self._stage.store.refresh()
        for pod in self.pods(name):
            self._write(pod, self.fate(pod))

    def back(self, name: str) -> None:
        """Its kubelet speaks, and takes pods."""
        self._say(name, "True", "KubeletReady", "kubelet is posting ready status")
        self._change(name, {"spec": {"taints": None, "unschedulable": None}})

    def cordon(self, name: str) -> None:
        """It takes no more pods."""
        self._change(name, {"spec": {"unschedulable": True}})

    def remove(self, name: str) -> None:
        """The cloud takes it away; what hung on it is collected."""
        self._api.call("DELETE", f"{NODES}/{self._called(name)}")
        del self._all[self._called(name)]

    def pods(self, name: str) -> list[Object]:
        """The pods that are on it, as last seen."""
        called = self._called(name)
        return [p for p in self._store.all("Pod") if p["spec"].get("nodeName") == called]

    def where(self, version: str) -> str:
        """The nodes of that version's living pods, a letter each."""
        shorts = {s for s, v in self._stage.traffic.versions.items() if v == version}
        return "".join(
            sorted(
                pod["spec"].get("nodeName", "?")[-1]
                for pod in self._store.all("Pod")
                if pod["metadata"].get("labels", {}).get(REVISION) in shorts
                and "deletionTimestamp" not in pod["metadata"]
                and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
            )
        )

    def evict(self, pod: Object) -> bool:
        """What a drain asks; False if a disruption budget forbids it now."""
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

    def starve(self, name: str) -> None:
        """Its memory runs out, and its kubelet ends pods to get some back."""
        self._store.refresh()
        for pod in self.pods(name):
            ended = {"exitCode": 137, "reason": "Error"}
            kept = pod.get("status", {}).get("containerStatuses", ())
            containers = [c | {"ready": False, "state": {"terminated": ended}} for c in kept]
            said = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
            gone = [{"type": "Ready", "status": "False", "reason": "PodFailed"}]
            self._write(pod, said | {"conditions": gone, "containerStatuses": containers})

    def settle(self) -> None:
        """Everybody who has to do with nodes works once."""
        for pod in list(self._store.all("Pod")):
            node, on = pod["spec"].get("nodeName", ""), self._on(pod)
            if "deletionTimestamp" in pod["metadata"]:
                if on is None or not _silent_since(on):
                    self._store.delete(ref_of(pod), "kubelet", grace=0)
            elif not node:
                self._schedule(pod)
            elif on is not None and self._given_up(pod, on):
                self._store.delete(ref_of(pod), "taint-eviction-controller")
        for budget in list(self._store.all("PodDisruptionBudget")):
            self._count(budget)

    def fate(self, pod: Object) -> Object | None:
        """What its node, or the want of one, makes of a pod."""
        on, known = self._on(pod), pod.get("status", {})
        if not pod["spec"].get("nodeName"):
            return {} if self._fitting(pod) else _unschedulable(len(self._all))
        if on is None or not _silent_since(on):
            return None
        kept = [c for c in known.get("conditions", ()) if c["type"] != "Ready"]
        last = [c for c in known.get("conditions", ()) if c["type"] == "Ready"]
        return {"conditions": [*kept, *(c | {"status": "False"} for c in last)]} if last else {}

    def _called(self, name: str) -> str:
        return f"{self._stage.key.namespace}-{name}"

    def _on(self, pod: Object) -> Object | None:
        return self._all.get(pod["spec"].get("nodeName", ""))

    def _fitting(self, pod: Object) -> str:
        """A node for it, away from others of its revision; empty if none takes any."""
        mine = pod["metadata"].get("labels", {}).get(REVISION)
        pods = list(self._store.all("Pod"))

        def load(name: str) -> tuple[int, int, str]:
            here = [p for p in pods if p["spec"].get("nodeName") == name]
            same = [p for p in here if p["metadata"].get("labels", {}).get(REVISION) == mine]
            return len(same), len(here), name

        taking = [n for n, o in self._all.items() if not o["spec"].get("unschedulable")]
        return min((n for n in taking if not _silent_since(self._all[n])), key=load, default="")

    def _schedule(self, pod: Object) -> None:
        node = self._fitting(pod)
        if not node:
            return
        _, namespace, name = ref_of(pod)
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self._api.call("POST", f"{path}/binding", body)
        self._store.keep("Pod", self._api.call("GET", path))

    def _given_up(self, pod: Object, node: Object) -> bool:
        since = _silent_since(node)
        tolerated = (t for t in pod["spec"].get("tolerations", ()) if t.get("key") == UNREACHABLE)
        patience = next((t["tolerationSeconds"] for t in tolerated), 0)
        return bool(since) and self._stage.clock() >= since + patience

    def _count(self, budget: Object) -> None:
        """How many more pods may be disrupted, as the disruption controller counts them."""
        ref: Ref = ref_of(budget)
        deployment = self._store.objects.get(("Deployment", *ref[1:]))
        if deployment is None:
            return
        healthy = deployment.get("status", {}).get("readyReplicas", 0)
        wanted = deployment["spec"]["replicas"]
        desired = max(0, wanted - budget["spec"]["maxUnavailable"])
        told = {
            "observedGeneration": budget["metadata"]["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": wanted,
            "disruptionsAllowed": max(0, healthy - desired),
        }
        if {key: budget.get("status", {}).get(key) for key in told} != told:
            self._write(budget, told | {"disruptedPods": None})

    def _say(self, name: str, status: str, reason: str, message: str) -> None:
        at = _stamp(self._stage.clock())
        ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
        body = {"status": {"conditions": [ready | {"lastTransitionTime": at}]}}
        self._change(name, body, "/status")

    def _change(self, name: str, body: Object, subresource: str = "") -> None:
        path, kind = f"{NODES}/{self._called(name)}{subresource}", "application/merge-patch+json"
        self._all[self._called(name)] = self._api.call("PATCH", path, body, kind)

    def _write(self, obj: Object, status: Object | None) -> None:
        if status:
            made = self._api.merge(ref_of(obj), {"status": status}, "actor", "status")
            self._store.keep(obj["kind"], made)


def _silent_since(node: Object) -> float:
    """When its taint says that it was given up; 0 while it speaks."""
    taints = node["spec"].get("taints", ())
    found = next((t["timeAdded"] for t in taints if t["effect"] == "NoExecute"), None)
    return datetime.fromisoformat(found).timestamp() if found else 0.0


def _unschedulable(nodes: int) -> Object:
    said = f"0/{nodes} nodes are available: {nodes} node(s) had untolerated taint {{{UNREACHABLE}}}"
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"phase": "Pending", "conditions": [scheduled | {"message": said}]}


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
