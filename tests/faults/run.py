"""One plan: a scenario in a namespace of its own, with a fault at one of its writes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.apiserver.api import object_path
from tests.faults.faults import FAULTS
from tests.faults.moments import Moment, Write
from tests.faults.monitor import History, creates, ending, judged
from tests.faults.operator_process import WAITS
from tests.faults.proxy import AS_IT_IS, Treatment
from tests.faults.scenarios import SCENARIOS, known
from tests.world.manifests import NAME
from tests.world.merge import Object
from tests.world.traffic import weights

if TYPE_CHECKING:
    from tests.faults.stage import FaultStage

QUIET = 4.0  # seconds without a write after which a run has ended: several polls and sweeps
QUIET_FIRST = 10.0  # the same for the undisturbed run, which the others are compared with
BLIND = 6.0  # seconds after which what was measured before cannot raise a share any more
QUIET_WITHIN = 120.0  # seconds that may take
MEASURED = frozenset({"signals", "watch", "analysis", "next"})
DWELL = WAITS["DWELL"][1] - 1.5  # seconds; times in a status are whole seconds


@dataclass(frozen=True)
class Reference:
    """How the undisturbed run of a scenario ended, and its disturbed writes."""

    ending: dict[str, str]
    creates: Counter[str]
    writes: list[Write]


@dataclass(frozen=True)
class Plan:
    """One run: a scenario, and a fault at one of its writes; without a moment it is undisturbed."""

    scenario: str
    fault: str = ""
    moment: Moment | None = None

    def __str__(self) -> str:
        at = f"write {self.moment.number}: {self.moment.label}" if self.moment else "undisturbed"
        return f"{self.scenario}, {self.fault or 'no fault'}, {at}"


@dataclass
class Run:
    """A plan in its namespace. `reached`: whether its fault was done. `wrong`: what was not right.

    `seen`: how often each kind of write came, since the disturbed part began. `repeat`: how many
    further writes get the same `treatment`.
    """

    stage: FaultStage
    plan: Plan
    namespace: str
    wrong: list[str] = field(default_factory=list)
    disturbed: bool = False
    disturbed_at: float = 0.0
    reached: bool = False
    repeat: int = 0
    treatment: Treatment = AS_IT_IS
    seen: Counter[str] = field(default_factory=Counter)
    writes: list[Write] = field(default_factory=list)
    ending: dict[str, str] = field(default_factory=dict)
    creates: Counter[str] = field(default_factory=Counter)

    @property
    def history(self) -> History:
        return self.stage.monitor.histories[self.namespace]

    @property
    def mdep(self) -> Object:
        return self.object("ModelDeployment", NAME) or {}

    def object(self, kind: str, name: str) -> Object | None:
        """An object as last seen; of no name: any of that kind."""
        objects = self.history.objects
        if name:
            return objects.get((kind, self.namespace, name))
        return next((obj for ref, obj in objects.items() if ref[0] == kind), None)

    def apply(self, obj: Object) -> None:
        """Forced server-side apply, as Flux does it."""
        self.stage.api.apply(obj, "kustomize-controller")

    def delete(self) -> None:
        """The user deletes the object."""
        ref = ("ModelDeployment", self.namespace, NAME)
        self.stage.api.call("DELETE", object_path(ref))

    def fail(self, version: str, share: float) -> None:
        """From now on that share of the version's requests fails."""
        self.history.traffic.set_errors(version, share)

    def treat(self, write: Write) -> Treatment:
        """What the proxy is to do with this write."""
        write.measured = write.verb == "status" and set(write.body.get("status", {})) <= MEASURED
        self.writes.append(write)
        if not self.disturbed:
            return AS_IT_IS
        self.seen[write.label] += 1
        at = self.plan.moment
        if at is None:
            return AS_IT_IS
        if self.repeat > 0:
            self.repeat -= 1
            return self.treatment
        if not self.reached and (at.label, at.nth) == (write.label, self.seen[write.label]):
            self.reached = True
            self.treatment = FAULTS[self.plan.fault](self)
            return self.treatment
        return AS_IT_IS

    async def play(self, reference: Reference | None) -> None:
        """From the first step to silence."""
        for step in SCENARIOS[self.plan.scenario]:
            self.disturbed = step.disturbed
            if self.disturbed and not self.disturbed_at:
                self.disturbed_at = time.monotonic()
            step.do(self)
            limit = min(step.limit, self.stage.patience)
            end = time.monotonic() + limit
            while not step.until(self):
                self.stage.check()
                if time.monotonic() > end:
                    status = self.mdep.get("status", {})
                    self.wrong.append(
                        f"not within {limit:.0f} s: {status.get('phase')} {status.get('summary')}"
                        f" {(status.get('next') or {}).get('what')}"
                    )
                    return
                await asyncio.sleep(0.2)
        await self._end(reference)

    async def _end(self, reference: Reference | None) -> None:
        """Until everything is as it must be, and nothing more is written."""
        within = min(QUIET_WITHIN, self.stage.patience)
        end, judged_at = time.monotonic() + within, -1
        quiet = QUIET if reference else QUIET_FIRST
        while True:
            version = self.history.newest
            if time.monotonic() - self.last_write() > quiet and judged_at != version:
                judged_at = version
                if reference is None or not self._differences(reference):
                    return
            if time.monotonic() > end:
                last = [w.label for w in self.writes[-5:]]
                self.wrong.append(f"did not come to rest in {within:.0f} s: {last}")
                self.wrong += self._differences(reference) if reference else []
                return
            await asyncio.sleep(0.5)

    def forget(self) -> None:
        """What goes on serving would cost as much as what is tested."""
        if self.mdep:
            self.delete()
        self.stage.monitor.forget(self.namespace)
        self.stage.proxy.views.echo.pop(self.namespace, None)

    def last_write(self) -> float:
        """When the operator last wrote anything but measurements, monotonic seconds."""
        return max((w.at for w in self.writes if not w.measured), default=0.0)

    def judge(self, reference: Reference | None) -> None:
        """All oracles; `reference` is the undisturbed run of the scenario."""
        self.ending, self.creates = ending(self.history, known), creates(self.history)
        self.wrong += judged(self.history, [self.stage.proxy], DWELL).violations
        self.wrong += self._raised_blindly()
        if reference is None:
            return
        made = self.creates
        for name in {*made, *reference.creates}:
            if made[name] != reference.creates[name]:
                self.wrong.append(f"{made[name]} times created: {name} ({reference.creates[name]})")

    def _raised_blindly(self) -> list[str]:
        """S7: no share rises while Prometheus says nothing; the first one rests on no data."""
        before: dict[str, int] = {}
        found = []
        for event in self.history.events:
            if event.kind == "HTTPRoute" and not event.gone:
                now = weights(event.obj)
                blind = any(a + BLIND < event.at < b for a, b in self.stage.prometheus.broken)
                if blind and any(0 < before.get(s, 0) < now[s] < 100 for s in now):
                    found.append(f"S7: {before} becomes {now} without data")
                before = now
        return found

    def _differences(self, reference: Reference) -> list[str]:
        found, wanted = ending(self.history, known), reference.ending
        return [
            f"ends differently: {name}: {_difference(wanted.get(name), found.get(name))}"
            for name in sorted({*found, *wanted})
            if found.get(name) != wanted.get(name)
        ]


def _difference(wanted: str | None, found: str | None) -> str:
    if wanted is None or found is None:
        return "missing" if found is None else "too much"
    ours, theirs = wanted.splitlines(), found.splitlines()
    lost = [line.strip() for line in ours if line not in theirs]
    new = [line.strip() for line in theirs if line not in ours]
    return f"{lost[:4]} -> {new[:4]}"
