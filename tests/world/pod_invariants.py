"""The invariants of pods and autoscalers, checked whoever changes them.

C2: replicas are in no apply, and change through the scale subresource only while no autoscaler owns
them; only a live revision has an autoscaler, and it is deleted before its Deployment. S4 with an
autoscaler. S2 and S3 where the share of the traffic is the share of the pods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.world.merge import Object
from tests.world.server import MANAGER
from tests.world.store import Commit, Store
from tests.world.traffic import weights

HPA = "HorizontalPodAutoscaler"


class PodInvariants:
    """Checks commits; `report` is called with each broken invariant."""

    def __init__(self, store: Store, report: Callable[[str], None]) -> None:
        self._store, self._report = store, report

    def check(self, commit: Commit) -> None:
        """Check one commit."""
        kind = commit.ref[0]
        if kind == "Deployment":
            self._replicas(commit)
            self._stable_keeps_floor(commit)
        if kind == HPA and commit.new is not None and commit.manager == MANAGER:
            self._only_live_autoscaled(commit)
        if kind == "HTTPRoute" and commit.new is not None:
            self._autoscaler_floor(commit)
        if kind in ("Deployment", "Service") and commit.manager == MANAGER:
            self._pod_shares(commit)

    def _replicas(self, commit: Commit) -> None:
        _, namespace, name = commit.ref
        if commit.manager != MANAGER:
            return
        scaler = self._store.objects.get((HPA, namespace, name))
        if commit.new is None or commit.old is None:
            if commit.new is None and scaler is not None:
                self._report(f"C2: {name} is deleted before its autoscaler")
            return
        was, now = commit.old["spec"]["replicas"], commit.new["spec"]["replicas"]
        if commit.verb == "apply" and was != now:
            self._report(f"C2: an apply of {name} sets its replicas from {was} to {now}")
        applied = self._store.owned[commit.ref].get((MANAGER, "Apply"), set())
        if ("spec", "replicas") in applied:
            self._report(f"C2: an apply of {name} names its replicas")
        if commit.verb == "scale" and scaler is not None and was != 0:
            self._report(f"C2: {name} is scaled from {was} to {now} while an autoscaler owns it")

    def _only_live_autoscaled(self, commit: Commit) -> None:
        status = self._status(commit)
        short = commit.ref[2].rpartition("-")[2]
        if (status.get("stable") or {}).get("short") != short:
            self._report(f"C2: {short} is not the stable revision and gets an autoscaler")

    def _autoscaler_floor(self, commit: Commit) -> None:
        """S4: while another revision has traffic, stable's autoscaler keeps its floor."""
        status = self._status(commit)
        stable, candidate = status.get("stable") or {}, status.get("candidate") or {}
        if not stable or candidate.get("short") not in weights(commit.new):
            return
        _, namespace, name = commit.ref
        scaler = self._store.objects.get((HPA, namespace, f"{name}-{stable['short']}"))
        least = scaler["spec"]["minReplicas"] if scaler is not None else None
        if least is not None and least < candidate.get("floor", 0):
            self._report(f"S4: {candidate['short']} has traffic, and stable may go down to {least}")

    def _stable_keeps_floor(self, commit: Commit) -> None:
        """S4: stable keeps its floor, whoever scales it."""
        if commit.old is None:
            return
        status = self._status(commit)
        candidate, stable = status.get("candidate") or {}, status.get("stable") or {}
        name = commit.ref[2]
        if not candidate.get("weight") or name.rpartition("-")[2] != stable.get("short"):
            return
        route = self._store.objects.get(("HTTPRoute", commit.ref[1], name.rpartition("-")[0]))
        if candidate["short"] not in weights(route):
            return
        replicas = commit.new["spec"]["replicas"] if commit.new else 0
        if replicas < min(commit.old["spec"]["replicas"], candidate.get("floor", 0)):
            self._report(f"S4: stable {stable['short']} goes down to {replicas}")

    def _pod_shares(self, commit: Commit) -> None:
        """Shares by pod count: one revision beside stable, and no share above its step."""
        mdep = self._mdep(commit)
        if mdep is None or "replicas" not in mdep["spec"]["rollout"]["route"]:
            return
        namespace, name = mdep["metadata"]["namespace"], mdep["metadata"]["name"]
        front = self._store.objects.get(("Service", namespace, name))
        if front is None or "merit.dev/revision" in front["spec"]["selector"]:
            return
        status = mdep.get("status", {})
        stable = (status.get("stable") or {}).get("short", "")
        candidate = status.get("candidate") or {}
        pods = {
            obj["metadata"]["name"].rpartition("-")[2]: obj["spec"]["replicas"]
            for obj in self._store.all("Deployment", namespace, f"merit.dev/name={name}")
        }
        others = {s: n for s, n in pods.items() if n > 0 and s != stable}
        if commit.ref[0] == "Service" and len(others) > 1:
            self._report(f"S2: the Service selects pods of {sorted(others)} beside stable")
        if commit.ref[0] == "Service":
            for short in others:
                self._ready(namespace, name, short)
        if commit.verb != "scale" or commit.ref[2].rpartition("-")[2] not in others:
            return
        if not candidate.get("weight"):
            return  # it is being withdrawn: its pods are scaled down next
        its_pods = others[commit.ref[2].rpartition("-")[2]]
        if 100 * its_pods > candidate["weight"] * (its_pods + pods.get(stable, 0)):
            self._report(
                f"S2: {its_pods} of {its_pods + pods.get(stable, 0)} pods are more than "
                f"{candidate['weight']}%"
            )

    def _ready(self, namespace: str, name: str, short: str) -> None:
        endpoints = self._store.objects.get(("EndpointSlice", namespace, f"{name}-{short}-slice"))
        if endpoints is None or not any(e["conditions"]["ready"] for e in endpoints["endpoints"]):
            self._report(f"S3: {short} is selected without a ready endpoint")

    def _status(self, commit: Commit) -> dict[str, Any]:
        status: dict[str, Any] = (self._mdep(commit) or {}).get("status", {})
        return status

    def _mdep(self, commit: Commit) -> Object | None:
        obj = commit.new or commit.old
        assert obj is not None
        label = obj["metadata"].get("labels", {}).get("merit.dev/name", "")
        return self._store.objects.get(("ModelDeployment", commit.ref[1], label))
