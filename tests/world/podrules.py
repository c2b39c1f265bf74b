"""What must hold for pods and their autoscalers, whoever it is that changes them.

C2: replicas are in no apply, and change through scale only while no autoscaler owns them; only a
live revision has one, and it goes before its pods do. S4 with an autoscaler; S2 and S3 where shares
are made by pod count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.world.merge import Object
from tests.world.server import MANAGER
from tests.world.store import Commit, Store
from tests.world.traffic import weights

HPA = "HorizontalPodAutoscaler"


class PodRules:
    """Judges each commit; `say` is told what went wrong."""

    def __init__(self, store: Store, say: Callable[[str], None]) -> None:
        self._store, self._say = store, say

    def see(self, commit: Commit) -> None:
        """One commit."""
        kind = commit.ref[0]
        if kind == "Deployment":
            self._replicas(commit)
            self._floor(commit)
        if kind == HPA and commit.new is not None and commit.manager == MANAGER:
            self._live_only(commit)
        if kind == "HTTPRoute" and commit.new is not None:
            self._held(commit)
        if kind in ("Deployment", "Service") and commit.manager == MANAGER:
            self._shares(commit)

    def _replicas(self, commit: Commit) -> None:
        _, namespace, name = commit.ref
        if commit.manager != MANAGER:
            return
        scaler = self._store.objects.get((HPA, namespace, name))
        if commit.new is None or commit.old is None:
            if commit.new is None and scaler is not None:
                self._say(f"C2: {name} is deleted before its autoscaler")
            return
        was, now = commit.old["spec"]["replicas"], commit.new["spec"]["replicas"]
        if commit.verb == "apply" and was != now:
            self._say(f"C2: an apply of {name} sets its replicas from {was} to {now}")
        applied = self._store.owned[commit.ref].get((MANAGER, "Apply"), set())
        if ("spec", "replicas") in applied:
            self._say(f"C2: an apply of {name} names its replicas")
        if commit.verb == "scale" and scaler is not None and was != 0:
            self._say(f"C2: {name} is scaled from {was} to {now} while an autoscaler owns it")

    def _live_only(self, commit: Commit) -> None:
        status = self._status(commit)
        short = commit.ref[2].rpartition("-")[2]
        if (status.get("stable") or {}).get("short") != short:
            self._say(f"C2: {short} is not the stable revision and gets an autoscaler")

    def _held(self, commit: Commit) -> None:
        """S4: before another has traffic, the autoscaler of stable may not go below its floor."""
        status = self._status(commit)
        stable, candidate = status.get("stable") or {}, status.get("candidate") or {}
        if not stable or candidate.get("short") not in weights(commit.new):
            return
        _, namespace, name = commit.ref
        scaler = self._store.objects.get((HPA, namespace, f"{name}-{stable['short']}"))
        least = scaler["spec"]["minReplicas"] if scaler is not None else None
        if least is not None and least < candidate.get("floor", 0):
            self._say(f"S4: {candidate['short']} has traffic, and stable may go down to {least}")

    def _floor(self, commit: Commit) -> None:
        """S4: and it does not, whoever scales it."""
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
            self._say(f"S4: stable {stable['short']} goes down to {replicas}")

    def _shares(self, commit: Commit) -> None:
        """By pod count: nobody else is reached, and no share is above its step."""
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
            self._say(f"S2: all pods are reached, of {sorted(others)} beside stable")
        if commit.ref[0] == "Service":
            for short in others:
                self._ready(namespace, name, short)
        if commit.verb != "scale" or commit.ref[2].rpartition("-")[2] not in others:
            return
        if not candidate.get("weight"):
            return  # on its way out: its pods go next
        mine = others[commit.ref[2].rpartition("-")[2]]
        if 100 * mine > candidate["weight"] * (mine + pods.get(stable, 0)):
            self._say(
                f"S2: {mine} pods beside {pods.get(stable, 0)}: more than {candidate['weight']}%"
            )

    def _ready(self, namespace: str, name: str, short: str) -> None:
        found = self._store.objects.get(("EndpointSlice", namespace, f"{name}-{short}-slice"))
        if found is None or not any(e["conditions"]["ready"] for e in found["endpoints"]):
            self._say(f"S3: {short} is reached without a ready endpoint")

    def _status(self, commit: Commit) -> dict[str, Any]:
        found: dict[str, Any] = (self._mdep(commit) or {}).get("status", {})
        return found

    def _mdep(self, commit: Commit) -> Object | None:
        obj = commit.new or commit.old
        assert obj is not None
        label = obj["metadata"].get("labels", {}).get("merit.dev/name", "")
        return self._store.objects.get(("ModelDeployment", commit.ref[1], label))
