"""What has happened, from the API server's own watch, and whether it was right.

Everything is recorded as it comes, and judged when a plan has ended, in the order of the
resourceVersions: that is the order in which it happened, whatever came when over which watch.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.moments import HASH
from tests.faults.proxy import Proxy
from tests.faults.watching import Event, Plane, Watches
from tests.world.crashes import RANDOM, TIME, TIMES, is_measured
from tests.world.invariants import Invariants
from tests.world.merge import Object
from tests.world.server import MANAGER
from tests.world.store import Commit, Ref, Store, ref_of
from tests.world.traffic import Traffic

NUMBER = re.compile(r"\b\d[\d,.]*(?![0-9a-z])")
OPINIONS = frozenset({"decisions", "trust"})  # when something was said, and on which figures
UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HEX = re.compile(r"h1:[0-9a-f]{64}|\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b|\b[0-9a-f]{8}\b")


@dataclass
class History:
    """One namespace: its events, and its objects as of the last of each."""

    rps: float
    events: list[Event] = field(default_factory=list)
    objects: dict[Ref, Object] = field(default_factory=dict)
    newest: int = 0

    def __post_init__(self) -> None:
        self.store = Store(time.time)
        self.traffic = Traffic(self.store, rps=self.rps)

    def add(self, event: Event) -> None:
        """Take note of one event."""
        self.events.append(event)
        self.newest = max(self.newest, event.version)
        ref = ref_of(event.obj)
        old = self.objects.pop(ref, None)
        if not event.gone:
            self.objects[ref] = event.obj
        self.store.objects = self.objects
        self.traffic.see(Commit("", "seen", ref, old, None if event.gone else event.obj))


class Monitor(Watches):
    """Keeps the history of each namespace, until it is forgotten."""

    def __init__(self, plane: Plane, rps: float) -> None:
        super().__init__(plane, self._see)
        self.histories: dict[str, History] = defaultdict(lambda: History(rps))
        self._closed: set[str] = set()

    def _see(self, event: Event) -> None:
        if event.namespace not in self._closed:
            self.histories[event.namespace].add(event)

    def forget(self, namespace: str) -> None:
        """What happens in this namespace does not matter any more."""
        self._closed.add(namespace)
        self.histories.pop(namespace, None)

    def newest(self, namespace: str) -> int:
        """The newest resourceVersion that was seen in a namespace."""
        history = self.histories.get(namespace)
        return history.newest if history is not None else 0


def _is_measured(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("Trusted", "MetricsAvailable")


def judged(history: History, proxies: list[Proxy], dwell: float) -> Invariants:
    """Everything that has happened, checked commit by commit."""
    at = [0.0]
    store = Store(lambda: at[0])
    store.owned = defaultdict(dict)
    invariants = Invariants(store, dwell=dwell)
    for event in sorted(history.events, key=lambda each: each.version):
        at[0], ref = event.at, ref_of(event.obj)
        old, new = store.objects.get(ref), None if event.gone else event.obj
        if new is None:
            store.objects.pop(ref, None)
        else:
            store.objects[ref] = new
        uid = event.obj["metadata"]["uid"]
        for proxy in proxies:
            write = proxy.deleted.get(uid) if event.gone else proxy.committed.get(event.version)
            if write is not None:
                break
        manager, verb = (MANAGER, write.verb) if write else ("", "seen")
        if old is None and new is not None and not write:
            verb = "create"
        invariants.check(Commit(manager, verb, ref, old, new))
    return invariants


def creates(history: History) -> Counter[str]:
    """How many objects of each kind and masked name were ever created."""
    known: set[str] = set()
    found: Counter[str] = Counter()
    for event in history.events:
        uid = event.obj["metadata"]["uid"]
        if uid not in known and event.kind not in ("Pod", "EndpointSlice"):
            known.add(uid)
            found[f"{event.kind} {HASH.sub('#', event.obj['metadata']['name'])}"] += 1
    return found


def ending(history: History, known: Callable[[str], bool]) -> dict[str, str]:
    """What is left in the namespace, as text that is the same in every run.

    `known`: whether a hash is that of a revision; others depend on the namespace and are masked.
    """

    def mask(text: str) -> str:
        text = UID.sub("uid", text)
        text = HEX.sub(lambda m: m[0] if known(m[0]) else "#", text)
        text = re.sub(r"-(evaluation|feasibility)-[0-9a-f]{6}", r"-\1-#", text)
        return NUMBER.sub("#", TIME.sub("T", text))

    def masked(value: Any, path: tuple[str, ...] = ()) -> Any:
        if isinstance(value, dict):
            return {
                mask(key): masked(child, (*path, key))
                for key, child in value.items()
                if key not in RANDOM | TIMES | {"annotations"}
                and not is_measured(path, key)
                and not (path == ("status",) and key in OPINIONS)
            }
        if isinstance(value, list):
            return [masked(each, path) for each in value if not _is_measured(each)]
        return mask(value) if isinstance(value, str) else value

    found: dict[str, str] = {}
    for ref, obj in sorted(history.objects.items()):
        if ref[0] in ("Event", "ConfigMap") and ref[2] == "kube-root-ca.crt":
            continue
        namespace = obj["metadata"]["namespace"]
        text = json.dumps(masked(obj), sort_keys=True, indent=1).replace(namespace, "NAMESPACE")
        found[f"{ref[0]} {mask(ref[2])}"] = text
    return found
