"""Users, tools and faults in any order: no invariant breaks, and in the end the object is at rest.

Hypothesis chooses the order; the operator is the real one, its cluster is in memory. After every
action the monitor has judged each write of the operator; at the end all faults cease, the object
must come to a state that it keeps, and what serves must be what may serve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from merit.api.hashing import identify
from tests.world.manifests import manifest
from tests.world.world import World

VERSIONS = ("good", "better", "failing", "inaccurate", "fixed")
USER = "kustomize-controller"
SETTLES = 5400.0  # seconds without faults after which everything must have come to its end
KEPT = 600.0


class Histories(RuleBasedStateMachine):
    """One object, all that can happen to it, and the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(())
        self.runner = asyncio.Runner()
        self.declared = "good"
        self.bars = "1%"
        self.paused = False

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.runner.run(work)

    @property
    def ref(self) -> tuple[str, str, str]:
        return ("ModelDeployment", *self.world.key)

    @property
    def exists(self) -> bool:
        return self.ref in self.world.store.objects

    def declare_now(self) -> None:
        obj = manifest(self.declared)
        obj["spec"]["constraints"]["errors"]["max"] = self.bars
        obj["spec"]["paused"] = self.paused
        self.world.store.apply(obj, USER)

    @initialize()
    def first(self) -> None:
        self.declare_now()

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0, 16.0, 31.0, 61.0, 240.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.world.advance(seconds))

    @rule(version=st.sampled_from(VERSIONS))
    def git_declares(self, version: str) -> None:
        self.declared = version
        self.declare_now()

    @rule(bars=st.sampled_from(["1%", "2%"]))
    def bars_are_edited(self, bars: str) -> None:
        self.bars = bars
        self.declare_now()

    @rule()
    def it_is_paused_or_goes_on(self) -> None:
        self.paused = not self.paused
        self.declare_now()

    @precondition(lambda self: self.exists)
    @rule()
    def an_invalid_edit(self) -> None:
        self.world.store.patch(self.ref, {"spec": {"goal": {"objective": ""}}}, "kubectl-edit")

    @rule()
    def the_operator_is_killed(self) -> None:
        self.world = self.world.fork()

    @precondition(lambda self: self.exists)
    @rule()
    def the_pin_is_lost(self) -> None:
        self.world.store.patch(self.ref, {"spec": {"rollback": None}}, "kubectl-edit")

    @precondition(lambda self: self.exists)
    @rule()
    def status_is_lost(self) -> None:
        status = dict.fromkeys(self.world.status)
        self.world.store.patch(self.ref, {"status": status}, "restore", "status")

    @rule()
    def it_is_deleted_and_made_again(self) -> None:
        if self.exists:
            self.world.store.delete(self.ref, USER)
            self.run(self.world.advance(1.0))
        self.declare_now()

    @rule(up=st.booleans())
    def prometheus(self, up: bool) -> None:
        self.world.traffic.reachable = up

    @rule()
    def somebody_deletes_the_route(self) -> None:
        route = ("HTTPRoute", *self.world.key)
        if route in self.world.store.objects:
            self.world.store.delete(route, "kubectl")

    @rule(index=st.integers(0, 3))
    def somebody_deletes_a_deployment(self, index: int) -> None:
        found = sorted(ref for ref in self.world.store.objects if ref[0] == "Deployment")
        if found:
            self.world.store.delete(found[index % len(found)], "kubectl")

    @invariant()
    def no_invariant_is_broken(self) -> None:
        assert not self.world.invariants.violations, self.world.invariants.violations

    def teardown(self) -> None:
        """All faults cease: it must come to rest, in a state that is right."""
        try:
            self.world.traffic.reachable, self.paused = True, False
            self.declare_now()
            self.run(self.world.advance(SETTLES))
            writes = self.world.server.writes
            self.run(self.world.advance(KEPT))
            story = self.world.describe()
            assert self.world.server.writes == writes, f"never at rest: {story}"
            assert not self.world.invariants.violations, self.world.invariants.violations
            self._ends_right(story)
        finally:
            self.runner.close()

    def _ends_right(self, story: str) -> None:
        status = self.world.status
        assert status["phase"] in ("Live", "RolledBack", "Rejected"), story
        identity = identify(self.world.mdep["spec"])
        serves = self.world.version("stable")
        if status["phase"] == "Live":
            assert serves == self.declared, story
            assert self.world.weights == {serves: 100}, story
            return
        assert self.declared in ("failing", "inaccurate"), story
        assert any(entry["revision"] == identity.revision for entry in status["rejected"]), story
        assert serves != self.declared, story
        assert self.world.weights == ({serves: 100} if serves else {}), story


class ManyHistories(Histories):
    """The same, with many more examples."""


def chosen(examples: int) -> settings:
    """So many histories of at most 14 actions."""
    return settings(
        max_examples=examples,
        stateful_step_count=14,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


TestHistories = Histories.TestCase
TestHistories.settings = chosen(10)
TestManyHistories = pytest.mark.slow(ManyHistories.TestCase)
TestManyHistories.settings = chosen(60)
