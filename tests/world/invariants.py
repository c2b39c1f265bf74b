"""The invariants of the operator, checked at each of its writes.

S1: no weight without a passed gate. S2: no weight above the step. S3: no weight without ready
endpoints. S4: stable keeps its pods. S5: what is rejected stays so. S6: one step at a time. S7: a
live revision is rejected only after a comparison. S9: only owned objects are written. S11: the
user's fields are not. S12: only the candidate's weight rises. C4: no backend without weight. K1:
Ready means that the declared content serves. K2: every reason is documented. C2 and more about pods
is in pod_invariants.py. Only the API server's objects are read, never the operator's memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from merit.api.hashing import identify
from merit.api.reasons import REASONS
from merit.traffic.gateway_api import announced_in
from tests.world.merge import Object
from tests.world.pod_invariants import PodInvariants
from tests.world.server import MANAGER
from tests.world.store import Commit, Store
from tests.world.traffic import weights

DWELL = 25.0  # seconds at the least between two steps up


@dataclass
class Invariants:
    """`violations`: every broken invariant. `jobs`: every Job ever created, by name.

    `exposed`: every short revision that has had traffic. `raised_at`: when the candidate's weight
    was last raised. `dwell`: seconds at the least between two steps up.
    """

    store: Store
    violations: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    exposed: set[str] = field(default_factory=set)
    raised_at: float = 0.0
    dwell: float = DWELL

    def fork(self, store: Store) -> Invariants:
        """An independent copy."""
        return Invariants(
            store,
            list(self.violations),
            list(self.jobs),
            set(self.exposed),
            self.raised_at,
            self.dwell,
        )

    def check(self, commit: Commit) -> None:
        """Check one commit."""
        kind = commit.ref[0]
        if kind == "Job" and commit.verb == "create":
            self.jobs.append(commit.ref[2])
        PodInvariants(self.store, self._report).check(commit)
        if commit.manager != MANAGER:
            return
        self._documented_reasons(commit)
        self._ownership(commit)
        if kind == "ConfigMap" and (commit.new or {}).get("data", {}).get("verdict") == "Bypassed":
            self._bypassed_stage(commit)
        if kind == "HTTPRoute" and commit.new is not None:
            self._route(commit)
        if kind == "Deployment":
            self._stable_keeps_pods(commit)
        if kind == "ModelDeployment" and commit.old and commit.new:
            old, new = commit.old.get("status", {}), commit.new.get("status", {})
            self._users_fields(commit.new["spec"], commit.old["spec"])
            self._rollback(commit.new, old, new)
            self._ready_means_declared(commit.new)
            self._steps(commit.new, old, new)

    def _report(self, sentence: str) -> None:
        self.violations.append(f"t={self.store.now():.0f} {sentence}")

    def _documented_reasons(self, commit: Commit) -> None:
        """Every reason that users see is in the table of reasons."""
        obj, status = commit.new or {}, (commit.new or {}).get("status", {})
        reasons = {obj.get("reason")} if commit.ref[0] == "Event" else set()
        if commit.ref[0] == "ModelDeployment":
            parts = ("conditions", "flow", "rejected")
            reasons = {entry.get("reason") for part in parts for entry in status.get(part, ())}
            reasons |= {(status.get("alarm") or {}).get("held")}
        for reason in reasons - REASONS.keys() - {None, ""}:
            self._report(f"K2: {reason} is not in the table of reasons")

    def _ownership(self, commit: Commit) -> None:
        kind, namespace, name = commit.ref
        touched = commit.old if commit.old is not None else commit.new
        assert touched is not None
        if kind == "ModelDeployment" or name.endswith("-ledger") or kind == "Event":
            if kind == "ModelDeployment" and commit.verb in ("create", "delete"):
                self._report(f"S9: the operator must not {commit.verb} a {kind}")
            return
        label = touched["metadata"].get("labels", {}).get("merit.dev/name", "")
        mdep = self.store.objects.get(("ModelDeployment", namespace, label))
        uids = {o["uid"] for o in touched["metadata"].get("ownerReferences", [])}
        if mdep is None or mdep["metadata"]["uid"] not in uids:
            self._report(f"S9: {commit.verb} of {kind} {name}, which is not the operator's")
        if commit.verb == "apply" and commit.old is None:
            self._report(
                f"S9: {kind} {name} was created by an apply, which could recreate a deleted one"
            )

    def _route(self, commit: Commit) -> None:
        old, new = weights(commit.old), weights(commit.new)
        mdep = self._mdep(commit)
        if mdep is None:
            return
        status = mdep.get("status", {})
        stable = (status.get("stable") or {}).get("short")
        candidate = status.get("candidate") or {}
        if commit.new is not None and (total := _total(commit.new)) not in (None, 100):
            self._report(f"S2: weights add up to {total}: {new}")
        if len([short for short in new if short != stable]) > 1:
            self._report(f"S2: more than one revision beside stable {stable} has weight: {new}")
        if 0 in new.values():
            self._report(f"C4: a backend with weight 0 is listed: {new}")
        for short, weight in new.items():
            if weight <= old.get(short, 0):
                continue
            self._gates_passed(commit, short)
            if short == stable:
                continue
            self.exposed.add(short)
            if commit.old is not None and short not in {*old, *announced_in(commit.old)}:
                self._report(
                    f"S3: {short} is raised to {weight}, and was not announced to the gateway"
                )
            if not self._ready(commit, short):
                self._report(f"S3: {short} is raised to {weight} without ready endpoints")
            if short == (status.get("comparison") or {}).get("short"):
                self._comparison(status, short, weight)
            elif short != candidate.get("short"):
                self._report(f"S12: {short} is raised to {weight} and is not the candidate")
            elif weight > candidate.get("weight", 0):
                self._report(f"S2: {short} has {weight}, its step allows {candidate.get('weight')}")
            self._not_rejected(mdep, short, weight)

    def _comparison(self, status: dict[str, Any], short: str, weight: int) -> None:
        """The exception to S6: a promoted predecessor is compared with the live revision."""
        if short not in {entry["short"] for entry in status.get("promoted", [])}:
            self._report(f"S6: {short} is raised to {weight} and was never promoted")
        if weight > min(50, status["comparison"].get("weight", 0)):
            self._report(f"S2: {short} has {weight} for a comparison")

    def _gates_passed(self, commit: Commit, short: str) -> None:
        for stage in ("Evaluation", "Feasibility"):
            if not self._on_record(commit, short, stage):
                self._report(f"S1: {short} has weight and no record of a passed {stage.lower()}")

    def _bypassed_stage(self, commit: Commit) -> None:
        """A stage may be skipped only while a bypass is in force, and for a day at most."""
        mdep, data = self._mdep(commit), (commit.new or {})["data"]
        bypass = (mdep or {}).get("spec", {}).get("bypass") or {}
        expires = bypass.get("expires", "1970-01-01T00:00:00Z").replace("Z", "+00:00")
        left = datetime.fromisoformat(expires).timestamp() - self.store.now()
        if data["stage"] not in bypass.get("stages", ()) or not 0 < left <= 86460:
            self._report(f"S1: {data['stage']} is skipped without a bypass in force")

    def _on_record(self, commit: Commit, short: str, stage: str) -> bool:
        _, namespace, name = commit.ref
        for (kind, place, of), obj in self.store.objects.items():
            if kind != "ConfigMap" or place != namespace or not of.startswith(name):
                continue
            data: dict[str, str] = obj.get("data", {})
            # A skipped stage is on record, too; `_bypassed_stage` checks that it may be.
            passed = data.get("stage") == stage and data["verdict"] in ("Good", "Bypassed")
            if passed and data["revision"].startswith(f"h1:{short}"):
                return True
            if of.endswith("-ledger") and short in str(data.get("promoted", data)):
                return True
        return False

    def _ready(self, commit: Commit, short: str) -> bool:
        _, namespace, name = commit.ref
        slice_ = self.store.objects.get(("EndpointSlice", namespace, f"{name}-{short}-slice"))
        return slice_ is not None and any(e["conditions"]["ready"] for e in slice_["endpoints"])

    def _not_rejected(self, mdep: Object, short: str, weight: int) -> None:
        now = identify(mdep["spec"])
        for entry in mdep.get("status", {}).get("rejected", []):
            same = entry["revision"] == now.revision and now.short == short
            if same and entry["policy"] == now.stage_policy(entry["stage"]):
                self._report(f"S5: {short} is rejected and raised to {weight}")

    def _stable_keeps_pods(self, commit: Commit) -> None:
        mdep = self._mdep(commit)
        short = commit.ref[2].rpartition("-")[2]
        if mdep is None or commit.old is None:
            return
        if ((mdep.get("status", {}).get("stable")) or {}).get("short") != short:
            return
        replicas = commit.new["spec"]["replicas"] if commit.new else 0
        if replicas < commit.old["spec"]["replicas"]:
            self._report(f"S4: stable {short} goes from its replicas to {replicas}")

    def _steps(self, mdep: Object, old: dict[str, Any], new: dict[str, Any]) -> None:
        was, now = old.get("candidate") or {}, new.get("candidate") or {}
        if now.get("weight", 0) > 0 and (new.get("comparison") or {}).get("weight", 0) > 0:
            self._report("S2: a candidate and a predecessor have weight at once")
        if now.get("weight", 0) <= was.get("weight", 0) or now.get("short") != was.get("short"):
            return
        token = mdep["metadata"].get("annotations", {}).get("merit.dev/promote", "")
        if not old.get("stable") or token.startswith(now["short"]):
            return  # the documented exceptions: a first version, and a promotion by hand
        waited = self.store.now() - self.raised_at
        if was.get("weight", 0) > 0 and waited < self.dwell:
            self._report(f"S6: two steps up within {waited:.0f} s")
        if was.get("step", 0) and now.get("step", 0) > was.get("step", 0) + 1:
            self._report(f"S6: step {was.get('step')} was followed by {now.get('step')}")
        self.raised_at = self.store.now()

    def _users_fields(self, new: Object, old: Object) -> None:
        """In spec the operator writes its own field only."""
        for part in sorted({*new, *old} - {"rollback"}):
            if new.get(part) != old.get(part):
                self._report(f"S11: spec.{part} is the user's, and was written")

    def _ready_means_declared(self, mdep: Object) -> None:
        """Ready=True at the newest generation means that the declared content serves."""
        status = mdep["status"]
        conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
        newest = status.get("observedGeneration") == mdep["metadata"]["generation"]
        if newest and conditions.get("Ready") == "True":
            serves = (status.get("stable") or {}).get("revision")
            if serves != identify(mdep["spec"]).revision:
                self._report("K1: Ready at a generation whose content does not serve")

    def _rollback(self, mdep: Object, old: dict[str, Any], new: dict[str, Any]) -> None:
        """No live revision is rejected by its counts without a comparison, and no rejected revision
        becomes stable again.
        """
        was, now = old.get("stable") or {}, new.get("stable") or {}
        if not was or not now or was["revision"] == now["revision"]:
            return
        rejected = {e["revision"] for e in new.get("rejected", [])}
        declared = identify(mdep["spec"])
        other_thresholds = now["revision"] == declared.revision and all(
            e["policy"] != declared.stage_policy(e["stage"])
            for e in new.get("rejected", [])
            if e["revision"] == now["revision"]
        )
        promoted = now["revision"] == (old.get("candidate") or {}).get("revision")
        if not promoted and was["revision"] not in rejected:
            self._report(f"S5: {was['short']} is replaced by {now['short']} and is not rejected")
        if now["revision"] in rejected and not other_thresholds:
            self._report(f"S5: {now['short']} is rejected and made stable again")
        if was["revision"] in rejected - {e["revision"] for e in old.get("rejected", [])}:
            compared = (old.get("comparison") or {}).get("weight", 0) > 0
            reason = new["rejected"][0].get("reason")
            one_is_enough = reason in ("RolledBackByHand", "ZeroTolerance")
            if not compared and not one_is_enough and not self._crash_loops(was["short"]):
                self._report(f"S7: {was['short']} was live and is rejected without a comparison")

    def _crash_loops(self, short: str) -> bool:
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
    """The sum of the weights of the first rule, as written; None if it has no backend."""
    weights = [b.get("weight", 1) for r in route["spec"]["rules"][:1] for b in r["backendRefs"]]
    return sum(weights) if weights else None
