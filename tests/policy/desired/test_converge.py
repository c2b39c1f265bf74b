"""The ledger is written before what could not be done again, and never before a rollback."""

from __future__ import annotations

from dataclasses import replace

from merit.policy.desired.converge import converge
from merit.policy.state.observed import Observed
from tests.policy.builders import NOW, canary, rejected, with_parts, with_pods, with_status


def kinds(seen: Observed) -> list[str]:
    """The actions that concern traffic, records, or what is removed."""
    found = [type(action).__name__ for action in converge(seen, seen.status, NOW)]
    return [name for name in found if name != "EnsureRevision"]


def late(seen: Observed, **weights: int) -> Observed:
    """Its ledger is not written yet, and its route has other weights."""
    route = replace(seen.traffic.route, weights=weights or seen.traffic.route.weights)
    return with_parts(seen, ledger_in_sync=False, route=route)


def gone_from_status() -> Observed:
    """The candidate was rejected a moment ago."""
    return with_status(rejected(canary()), candidate=None)


def test_a_share_rises_once_the_ledger_is_written() -> None:
    seen = canary()
    assert seen.status.stable is not None and seen.status.candidate is not None
    known = {seen.status.candidate.short: NOW - 60}
    stable, short = seen.status.stable.short, seen.status.candidate.short
    seen = late(seen, **{stable: 95, short: 5})
    seen = with_parts(seen, route=replace(seen.traffic.route, known=known))
    assert kinds(seen) == ["WriteLedger", "SetTraffic"]


def test_traffic_goes_back_before_the_ledger_is_written_in_the_same_pass() -> None:
    assert kinds(late(gone_from_status())) == ["SetTraffic", "WriteLedger"]


def test_while_the_route_is_refused_the_ledger_is_written_all_the_same() -> None:
    seen = with_parts(late(gone_from_status()), refused="no right")
    assert kinds(seen)[-2:] == ["SetTraffic", "WriteLedger"]


def test_the_ledger_is_written_before_pin_and_cleanup() -> None:
    seen = gone_from_status()
    assert seen.status.stable is not None
    seen = with_pods(seen, "0badc0de", exists=True, remains=True)
    seen = late(seen, **{seen.status.stable.short: 100})
    found = kinds(seen)
    assert found[0] == "WriteLedger" and len(found) > 1
