"""Neither good nor bad: hold, withdraw at the end of patience, and start again."""

from __future__ import annotations

from merit.api.status import Candidate, Status
from merit.evidence.counts import NoSample, Sample
from merit.policy.canary.capacity import pods_wanted
from merit.policy.canary.case import Case
from merit.policy.canary.comeback import withdrawn_for_good
from merit.policy.canary.measured import take_back
from merit.policy.canary.outcome import promote, withdraw
from merit.policy.canary.raising import unapproved
from merit.policy.decision import Decision
from merit.policy.remember import DRAIN, decided, told
from merit.policy.standing.routes import by_pods
from merit.policy.times import age, stamp
from merit.policy.verdict import Verdict

SETTLING = 10.0  # seconds in which a gateway takes a route, and nothing is worth saying
ROUTE_PATIENCE = 300.0  # seconds that a gateway has to take a route


def inconclusive(case: Case, verdict: Verdict, now: float) -> Decision:
    """Neither good nor bad: hold, and at maxDuration do what the spec says."""
    if age(case.candidate.rollout_since, now) < case.known.max_duration:
        return hold(case, verdict, now)
    if verdict.reason == "NoTraffic":
        return hold(case, verdict, now)
    last = Verdict("Undecided", "Inconclusive", f"at maxDuration: {verdict.message}")
    if case.known.on_inconclusive == "Rollback" and _by_itself(case):
        return take_back(case, Verdict("Bad", "Inconclusive", last.message), now)
    if case.known.on_inconclusive == "Withdraw":
        return withdraw(case, last, now)
    waits = unapproved(case, case.ladder[-1])
    if case.known.on_inconclusive == "Promote" and waits is not None:
        return hold(case, waits, now)
    if case.known.on_inconclusive == "Promote":
        return promote(case, f"onInconclusive: Promote; {verdict.message}", now)
    return hold(case, last, now)


def _by_itself(case: Case) -> bool:
    return case.accepted.spec.rollback_policy.automatic


def no_data(case: Case, sample: NoSample | None, now: float) -> Decision:
    """Missing data holds; missing longer than maxDuration it withdraws. It never decides more.

    That nobody asks is no loss of metrics: it holds, for however long.
    """
    reason = sample.reason if sample else "MetricsLost"
    message = sample.message if sample else "not asked yet"
    verdict = Verdict("NoData", reason, message)
    lost = case.status.condition("MetricsAvailable")
    since = lost.last_transition_time if lost and lost.status == "False" else ""
    silent = reason == "NoTraffic"
    late = bool(since) and age(since, now) > case.known.max_duration
    if case.candidate.weight and late and not silent:
        return withdraw(case, verdict, now)
    return hold(case, verdict, now)


def not_accepted(case: Case, verdict: Verdict, now: float) -> Decision:
    """The gateway does not take the route: after a while the one that it took is put back."""
    shifted = case.status.condition("TrafficShifted")
    since = case.candidate.since
    if shifted is not None and shifted.status != "True":
        since = max(since, shifted.last_transition_time)
    if age(since, now) < SETTLING:
        return Decision(case.status, again=case.seen.tuning.tick)
    if age(since, now) < ROUTE_PATIENCE:
        return hold(case, verdict, now)
    return withdraw(case, Verdict("NoData", verdict.reason, verdict.message), now)


def hold(case: Case, verdict: Verdict, now: float) -> Decision:
    return Decision(told(case.status, "Rollout", verdict, now), again=case.seen.tuning.tick)


def resume(case: Case, now: float) -> Decision:
    """A withdrawn rollout starts again at its first step, with fresh evidence."""
    needed = min(case.known.replicas_min, pods_wanted(case))
    gone = case.arm.ready >= needed and isinstance(case.seen.sample, Sample) and _out(case, now)
    if withdrawn_for_good(case.status) or not gone:
        return Decision(case.status, again=case.seen.tuning.tick)
    status = started_again(case.status, case.candidate, "the cause is gone", now)
    return Decision(status, decisive_status=True)


def _out(case: Case, now: float) -> bool:
    """All traffic is at the stable revision; by pod count, open connections have ended, too."""
    stable, weights = case.status.stable, case.seen.route.weights
    if stable is None or dict(weights) != {stable.short: 100}:
        return False
    if case.seen.route.accepted is not True or case.seen.traffic_refused:
        return False
    return not by_pods(case.seen) or age(case.candidate.since, now) >= DRAIN


def started_again(status: Status, candidate: Candidate, why: str, now: float) -> Status:
    """A withdrawn candidate before its first step, without any evidence."""
    again = candidate.model_copy(
        update={"stage": "Rollout", "weight": 0, "step": 0, "since": stamp(now)}
        | {"rollout_since": ""}
    )
    status = status.model_copy(update={"candidate": again, "analysis": None})
    return decided(status, f"{candidate.short} starts again", why, now)
