"""An independent watcher: at every commit of the operator the invariants must hold.

S1 gate, S2 cap, S3 endpoints, S4 stable floor, S5 rejected, S6 one step at a time, S9 ownership,
S11 declared fields, S12 monotone rollback, K1 Ready means what is declared, K2 a reason can be
looked up; in podrules.py, what holds for pods. It reads the API server's own state, never the
operator's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from merit.api.hashing import identify
from merit.api.reasons import REASONS
from merit.traffic.gateway_api import announced_in
from tests.world.merge import Object
from tests.world.podrules import PodRules
from tests.world.server import MANAGER
from tests.world.store import Commit, Store
from tests.world.traffic import weights

DWELL = 25.0  # seconds at the least between two steps up


@dataclass
class Monitor:
    """`violations` says what went wrong; `jobs` names every Job ever made."""

    store: Store
    violations: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    exposed: set[str] = field(default_factory=set)
    raised_at: float = 0.0

    def fork(self, store: Store) -> Monitor:
        """The same record, on its own."""
        return Monitor(
            store, list(self.violations), list(self.jobs), set(self.exposed), self.raised_at
        )

    def see(self, commit: Commit) -> None:
        """Judge one commit."""
        kind = commit.ref[0]
        if kind == "Job" and commit.verb == "create":
            self.jobs.append(commit.ref[2])
        PodRules(self.store, self._say).see(commit)
        if commit.manager != MANAGER:
            return
        self._words(commit)
        self._ownership(commit)
        if kind == "ConfigMap" and (commit.new or {}).get("data", {}).get("verdict") == "Bypassed":
            self._skipped(commit)
        if kind == "HTTPRoute" and commit.new is not None:
            self._route(commit)
        if kind == "Deployment":
            self._floor(commit)
        if kind == "ModelDeployment" and commit.old and commit.new:
            self._declared(commit.new["spec"], commit.old["spec"])
            self._taken_back(commit.new, commit.old.get("status", {}), commit.new.get("status", {}))
            self._answered(commit.new)
            self._status(commit.new, commit.old.get("status", {}), commit.new.get("status", {}))

    def _say(self, sentence: str) -> None:
        self.violations.append(f"t={self.store.now():.0f} {sentence}")

    def _words(self, commit: Commit) -> None:
        """Every reason that is told stands in the table that people look it up in."""
        told, status = commit.new or {}, (commit.new or {}).get("status", {})
        words = {told.get("reason")} if commit.ref[0] == "Event" else set()
        if commit.ref[0] == "ModelDeployment":
            parts = ("conditions", "flow", "rejected")
            words = {entry.get("reason") for part in parts for entry in status.get(part, ())}
            words |= {(status.get("alarm") or {}).get("held")}
        for word in words - REASONS.keys() - {None, ""}:
            self._say(f"K2: {word} is a reason that is in no table")

    def _ownership(self, commit: Commit) -> None:
        kind, namespace, name = commit.ref
        touched = commit.old if commit.old is not None else commit.new
        assert touched is not None
        if kind == "ModelDeployment" or name.endswith("-ledger") or kind == "Event":
            if kind == "ModelDeployment" and commit.verb in ("create", "delete"):
                self._say(f"S9: the operator must not {commit.verb} a {kind}")
            return
        label = touched["metadata"].get("labels", {}).get("merit.dev/name", "")
        mdep = self.store.objects.get(("ModelDeployment", namespace, label))
        uids = {o["uid"] for o in touched["metadata"].get("ownerReferences", [])}
        if mdep is None or mdep["metadata"]["uid"] not in uids:
            self._say(f"S9: {commit.verb} of {kind} {name}, which is not ours")
        if commit.verb == "apply" and commit.old is None:
            self._say(f"S9: {kind} {name} was made by an apply, which could resurrect")

    def _route(self, commit: Commit) -> None:
        old, new = weights(commit.old), weights(commit.new)
        mdep = self._mdep(commit)
        if mdep is None:
            return
        status = mdep.get("status", {})
        stable = (status.get("stable") or {}).get("short")
        candidate = status.get("candidate") or {}
        if commit.new is not None and (total := _total(commit.new)) not in (None, 100):
            self._say(f"S2: weights add up to {total}: {new}")
        if len([short for short in new if short != stable]) > 1:
            self._say(f"S2: more than one arm beside stable {stable} has weight: {new}")
        if 0 in new.values():
            self._say(f"C4: an arm with weight 0 is listed: {new}")
        for short, weight in new.items():
            if weight <= old.get(short, 0):
                continue
            self._passed(commit, short)
            if short == stable:
                continue
            self.exposed.add(short)
            if commit.old is not None and short not in {*old, *announced_in(commit.old)}:
                self._say(f"S3: {short} is raised to {weight}, and no gateway had heard of it")
            if not self._ready(commit, short):
                self._say(f"S3: {short} is raised to {weight} without ready endpoints")
            if short == (status.get("verifying") or {}).get("short"):
                self._compared(status, short, weight)
            elif short != candidate.get("short"):
                self._say(f"S12: {short} is raised to {weight} and is not the candidate")
            elif weight > candidate.get("weight", 0):
                self._say(f"S2: {short} has {weight}, its step allows {candidate.get('weight')}")
            self._rejected(mdep, short, weight)

    def _compared(self, status: dict[str, Any], short: str, weight: int) -> None:
        """The stated exception to S6: one that was promoted serves beside what is live."""
        if short not in {entry["short"] for entry in status.get("promoted", [])}:
            self._say(f"S6: {short} is raised to {weight} and was never promoted")
        if weight > min(50, status["verifying"].get("weight", 0)):
            self._say(f"S2: {short} has {weight} for a comparison")

    def _passed(self, commit: Commit, short: str) -> None:
        for stage in ("Evaluation", "Feasibility"):
            if not self._on_record(commit, short, stage):
                self._say(f"S1: {short} has weight and no record of a passed {stage.lower()}")

    def _skipped(self, commit: Commit) -> None:
        """A stage may be skipped only while the manifest says so, and for a day at most."""
        mdep, data = self._mdep(commit), (commit.new or {})["data"]
        bypass = (mdep or {}).get("spec", {}).get("bypass") or {}
        expires = bypass.get("expires", "1970-01-01T00:00:00Z").replace("Z", "+00:00")
        left = datetime.fromisoformat(expires).timestamp() - self.store.now()
        if data["stage"] not in bypass.get("stages", ()) or not 0 < left <= 86460:
            self._say(f"S1: {data['stage']} is skipped without a bypass in force")

    def _on_record(self, commit: Commit, short: str, stage: str) -> bool:
        _, namespace, name = commit.ref
        for (kind, place, of), obj in self.store.objects.items():
            if kind != "ConfigMap" or place != namespace or not of.startswith(name):
                continue
            data: dict[str, str] = obj.get("data", {})
            # A skipped stage is on record, too: `_skipped` sees that it may be.
            settled = data.get("stage") == stage and data["verdict"] in ("Good", "Bypassed")
            if settled and data["revision"].startswith(f"h1:{short}"):
                return True
            if of.endswith("-ledger") and short in str(data.get("promoted", data)):
                return True
        return False

    def _ready(self, commit: Commit, short: str) -> bool:
        _, namespace, name = commit.ref
        slice_ = self.store.objects.get(("EndpointSlice", namespace, f"{name}-{short}-slice"))
        return slice_ is not None and any(e["conditions"]["ready"] for e in slice_["endpoints"])

    def _rejected(self, mdep: Object, short: str, weight: int) -> None:
        now = identify(mdep["spec"])
        for entry in mdep.get("status", {}).get("rejected", []):
            same = entry["revision"] == now.revision and now.short == short
            if same and entry["policy"] == now.stage_policy(entry["stage"]):
                self._say(f"S5: {short} is rejected and raised to {weight}")

    def _floor(self, commit: Commit) -> None:
        mdep = self._mdep(commit)
        short = commit.ref[2].rpartition("-")[2]
        if mdep is None or commit.old is None:
            return
        if ((mdep.get("status", {}).get("stable")) or {}).get("short") != short:
            return
        replicas = commit.new["spec"]["replicas"] if commit.new else 0
        if replicas < commit.old["spec"]["replicas"]:
            self._say(f"S4: stable {short} goes from its replicas to {replicas}")

    def _status(self, mdep: Object, old: dict[str, Any], new: dict[str, Any]) -> None:
        was, now = old.get("candidate") or {}, new.get("candidate") or {}
        if now.get("weight", 0) > 0 and (new.get("verifying") or {}).get("weight", 0) > 0:
            self._say("S2: a candidate and a predecessor have weight at once")
        if now.get("weight", 0) <= was.get("weight", 0) or now.get("short") != was.get("short"):
            return
        asked = mdep["metadata"].get("annotations", {}).get("merit.dev/promote", "")
        if not old.get("stable") or asked.startswith(now["short"]):
            return  # the stated exceptions: a first version, and a person who asks for it
        waited = self.store.now() - self.raised_at
        if was.get("weight", 0) > 0 and waited < DWELL:
            self._say(f"S6: two steps up within {waited:.0f} s")
        if was.get("step", 0) and now.get("step", 0) > was.get("step", 0) + 1:
            self._say(f"S6: step {was.get('step')} was followed by {now.get('step')}")
        self.raised_at = self.store.now()

    def _declared(self, new: Object, old: Object) -> None:
        """Of spec, the operator writes its own field alone."""
        for part in sorted({*new, *old} - {"rollback"}):
            if new.get(part) != old.get(part):
                self._say(f"S11: spec.{part} is the user's, and was written")

    def _answered(self, mdep: Object) -> None:
        """Ready=True at the newest generation says that what is declared is what serves."""
        status = mdep["status"]
        said = {c["type"]: c["status"] for c in status.get("conditions", ())}
        newest = status.get("observedGeneration") == mdep["metadata"]["generation"]
        if newest and said.get("Ready") == "True":
            serves = (status.get("stable") or {}).get("revision")
            if serves != identify(mdep["spec"]).revision:
                self._say("K1: Ready at a generation whose content does not serve")

    def _taken_back(self, mdep: Object, old: dict[str, Any], new: dict[str, Any]) -> None:
        """What counts could tell is blamed on nothing live without a comparison, nothing that was
        rejected comes back.
        """
        was, now = old.get("stable") or {}, new.get("stable") or {}
        if not was or not now or was["revision"] == now["revision"]:
            return
        fell = {e["revision"] for e in new.get("rejected", [])}
        declared = identify(mdep["spec"])
        other_bars = now["revision"] == declared.revision and all(
            e["policy"] != declared.stage_policy(e["stage"])
            for e in new.get("rejected", [])
            if e["revision"] == now["revision"]
        )
        promoted = now["revision"] == (old.get("candidate") or {}).get("revision")
        if not promoted and was["revision"] not in fell:
            self._say(f"S5: {was['short']} gives way to {now['short']} and is not on the ledger")
        if now["revision"] in fell and not other_bars:
            self._say(f"S5: {now['short']} is rejected and made stable again")
        if was["revision"] in fell - {e["revision"] for e in old.get("rejected", [])}:
            compared = (old.get("verifying") or {}).get("weight", 0) > 0
            reason = new["rejected"][0].get("reason")
            told = reason in ("RolledBackByHand", "ZeroTolerance")
            if not compared and not told and not self._loops(was["short"]):
                self._say(f"S7: {was['short']} was live and is rejected without a comparison")

    def _loops(self, short: str) -> bool:
        return any(
            (container.get("state", {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff"
            for pod in self.store.all("Pod")
            if pod["metadata"].get("labels", {}).get("merit.dev/revision") == short
            for container in pod.get("status", {}).get("containerStatuses", [])
        )

    def _mdep(self, commit: Commit) -> Object | None:
        _, namespace, _ = commit.ref
        obj = commit.new or commit.old
        assert obj is not None
        label = obj["metadata"].get("labels", {}).get("merit.dev/name", "")
        return self.store.objects.get(("ModelDeployment", namespace, label))


def _total(route: Object) -> int | None:
    """What the weights of the first rule come to, as they are written; None if it has none."""
    found = [b.get("weight", 1) for r in route["spec"]["rules"][:1] for b in r["backendRefs"]]
    return sum(found) if found else None
