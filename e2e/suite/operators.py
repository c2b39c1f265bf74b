"""The operator's replicas as processes: who leads, what each did, and how to end one."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from e2e.cluster.local import LocalCluster
from e2e.cluster.provider import Cluster
from e2e.demo.environment import OPERATOR_NAMESPACE
from e2e.demo.kubectl import DemoError, Kubectl, wait_for

ACCOUNT = f"system:serviceaccount:{OPERATOR_NAMESPACE}:merit"


class Operators:
    """All replicas of the operator on one cluster."""

    def __init__(self, kubectl: Kubectl, cluster: Cluster) -> None:
        self._kubectl, self._cluster = kubectl, cluster

    def leader(self) -> str:
        """The identity that holds the Lease; empty if nobody does."""
        lease = self._kubectl.json("-n", OPERATOR_NAMESPACE, "get", "lease", "merit")
        return str(lease["spec"].get("holderIdentity") or "")

    def led(self, seconds: float = 60) -> str:
        """The identity of whoever leads, once somebody does."""
        return wait_for("a leader", seconds, lambda: self.leader() or None)

    def changed(self, old: str, *, seconds: float) -> str:
        """The identity of the next leader after `old`."""

        def look() -> str | None:
            now = self.leader()
            return now if now and now != old else None

        return wait_for(f"another leader than {old}", seconds, look)

    def kill(self) -> int:
        """SIGKILL to every replica's process at once. Returns how many there were.

        Where the pods' processes are not on this machine, the pods are deleted without grace.
        """
        uids = {pod["metadata"]["uid"] for pod in self._pods()}
        if not isinstance(self._cluster, LocalCluster):
            names = [pod["metadata"]["name"] for pod in self._pods()]
            self._kubectl(
                *("-n", OPERATOR_NAMESPACE, "delete", "pod", *names),
                *("--grace-period=0", "--force", "--wait=false"),
            )
            return len(names)
        pids = [pid for pid in _processes("merit") if any(_in_pod(pid, uid) for uid in uids)]
        if not pids:
            raise DemoError("no process of the operator was found on this machine")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def requests(self, namespace: str, since: float, until: float) -> list[str]:
        """What the operator asked the API server about objects of a namespace, by the audit log.

        Watches are left out. Times in Unix seconds. DemoError where the audit log is not at hand.
        """
        if not isinstance(self._cluster, LocalCluster):
            raise DemoError("the audit log of this cluster cannot be read from here")
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in _audit(self._cluster.names.audit_log)
            if entry["user"]["username"] == ACCOUNT
            and (entry.get("objectRef") or {}).get("namespace") == namespace
            and entry["verb"] != "watch"
            and since <= _seconds(entry["requestReceivedTimestamp"]) <= until
        ]

    def _pods(self) -> list[dict[str, Any]]:
        selector = "app.kubernetes.io/name=merit"
        found = self._kubectl.json("-n", OPERATOR_NAMESPACE, "get", "pods", "-l", selector)
        return [pod for pod in found["items"] if pod["status"].get("phase") == "Running"]


def _processes(word: str) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended
            if word.encode() in command:
                yield int(entry.name)


def _in_pod(pid: int, uid: str) -> bool:
    try:
        cgroup = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
    return uid in cgroup or uid.replace("-", "_") in cgroup


def _audit(log: Path) -> Iterator[dict[str, Any]]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue  # the last line may be half written


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
