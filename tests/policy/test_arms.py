"""When an arm that lost its traffic may lose its pods."""

from __future__ import annotations

import copy

import pytest

from merit.api.hashing import identify
from merit.api.spec import Spec
from merit.api.status import Leaving, Status
from merit.api.validation import parse_spec
from merit.policy.arms import stays
from merit.policy.observed import Observed
from merit.policy.times import stamp
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
        spec=spec,
        identity=identify(raw),
        status=Status(route=route),
        seen_before=True,
        idle={"0badc0de": idle},
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
    assert stays(seen(idle=idle), leaving(ago), NOW) is expected


def test_by_pod_count_it_goes_at_once() -> None:
    assert not stays(seen(idle=False, route="replicas"), leaving(0.0), NOW)


@pytest.mark.parametrize("route", ["gateway", "replicas"])
def test_a_predecessor_that_is_kept_stays_though_nothing_is_sent_to_it(route: str) -> None:
    assert stays(seen(idle=True, route=route), leaving(600.0, kept=True, keep=3600.0), NOW)
    assert not stays(seen(idle=True, route=route), leaving(3601.0, kept=True, keep=3600.0), NOW)
