"""When a revision that lost its traffic may lose its pods."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from merit.api.hashing import identify
from merit.api.spec import Spec
from merit.api.status import Candidate, Leaving, Revision, Status
from merit.api.validation import parse_spec
from merit.policy.desired.converge import converge
from merit.policy.desired.leaving import keeps_pods
from merit.policy.state.decision import SetTraffic
from merit.policy.state.observed import Declared, Observed, RevisionPods, Route, Traffic
from merit.policy.state.times import stamp
from tests.world.manifests import manifest

NOW = 1_800_000_000.0


def seen(*, idle: bool, route: str = "gateway") -> Observed:
    raw = copy.deepcopy(manifest("good")["spec"])
    spec = parse_spec(raw, name="m")
    assert isinstance(spec, Spec)
    return Observed(
        name="m",
        namespace="ns",
        uid="u",
        generation=1,
        status=Status(route=route),
        seen_before=True,
        declared=Declared(spec=spec, identity=identify(raw)),
        traffic=Traffic(idle={"0badc0de": idle}),
    )


def leaving(ago: float, kept: bool = False, keep: float = 30.0) -> Leaving:
    since, until = stamp(NOW - ago), stamp(NOW - ago + keep)
    return Leaving(short="0badc0de", since=since, until=until, kept=kept)


@pytest.mark.parametrize(
    ("idle", "ago", "expected"),
    [(True, 2.0, True), (True, 6.0, False), (False, 6.0, True), (False, 31.0, False)],
)
def test_it_goes_when_nothing_is_sent_to_it_any_more_or_after_half_a_minute(
    idle: bool, ago: float, expected: bool
) -> None:
    assert keeps_pods(seen(idle=idle), leaving(ago), NOW) is expected


def test_by_pod_count_it_goes_at_once() -> None:
    assert not keeps_pods(seen(idle=False, route="replicas"), leaving(0.0), NOW)


@pytest.mark.parametrize("route", ["gateway", "replicas"])
def test_a_predecessor_that_is_kept_stays_though_nothing_is_sent_to_it(route: str) -> None:
    view = seen(idle=True, route=route)
    assert keeps_pods(view, leaving(600.0, kept=True, keep=3600.0), NOW)
    assert not keeps_pods(view, leaving(3601.0, kept=True, keep=3600.0), NOW)


def sharing(**more: int) -> Observed:
    """A candidate is due its first share; `more` pods of other revisions get requests, too."""
    view = seen(idle=False, route="replicas")
    revision = {"revision": "h1:0", "policy": "0", "version": "1"}
    stable = Revision(short="11111111", **revision)
    candidate = Candidate(
        short="22222222", stage="Rollout", weight=20, since=stamp(NOW), **revision
    )
    status = view.status.model_copy(update={"stable": stable, "candidate": candidate})
    pods = {"11111111": 4, "22222222": 1, **more}
    return replace(
        view,
        status=status,
        pods={
            s: RevisionPods(s, exists=True, in_sync=True, desired=n, ready=n)
            for s, n in pods.items()
        },
        traffic=replace(
            view.traffic, route=Route(exists=True, accepted=True, weights={"11111111": 100})
        ),
    )


def test_by_pod_count_a_first_share_waits_until_unrelated_pods_are_gone() -> None:
    alone, beside = sharing(), sharing(**{"33333333": 1})
    assert any(isinstance(a, SetTraffic) for a in converge(alone, alone.status, NOW))
    assert not any(isinstance(a, SetTraffic) for a in converge(beside, beside.status, NOW))
